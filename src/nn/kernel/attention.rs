//! The core of attention in both directions: scores, softmax, weighted sums of values.
//!
//! Letters: `S` sequences (samples, or windows over the batch), `N` tokens of a sequence, `H` heads,
//! `D` channels of a head, `C = H D`. Queries, keys and values stand side by side in `[S, N, 3 C]`.
//! The `[N, N]` scores of a head are never kept: going backward they are made anew, which costs less
//! than the memory would.

use rayon::prelude::*;

use super::activation::exp;
use super::conv::with_scratch;
use super::matmul::{Blocks, Fill, View, ViewMut, for_each_block, multiply};
use super::rows;
use super::simd::{LANES, fma, sum_lanes};

/// Sizes of an attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attention {
    /// `N`.
    pub tokens: usize,
    /// `H`.
    pub heads: usize,
    /// `D`.
    pub width: usize,
    pub likeness: Likeness,
}

/// How a query is compared with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// Their product.
    Product,
    /// The cosine of the angle between them.
    Cosine,
}

/// What makes a score of a likeness: `factor * likeness + bias`, less between regions.
#[derive(Clone, Copy, Debug)]
pub struct Scores<'a> {
    /// `[H]`.
    pub factors: &'a [f32],
    /// `[H, N, N]`, or empty.
    pub bias: &'a [f32],
    /// `[windows, N]`, or empty; sequence `s` is window `s` modulo their number.
    pub regions: &'a [u8],
}

/// Gradients of what all sequences share.
#[derive(Debug, Default)]
pub struct SharedGradients {
    /// `[H]`.
    pub factors: Vec<f32>,
    /// `[H, N, N]`, or empty.
    pub bias: Vec<f32>,
}

/// What is taken off a score between regions, as Swin has it.
const APART: f32 = 100.0;
/// Smallest length of a query or key that a cosine divides by.
const SHORTEST: f32 = 1e-12;
/// Most parts that sequences are cut into going backward, each with sums of its own.
const PARTS: usize = 32;

/// Attention of one sequence whose scores are products over the root of a head's width, plus a bias for
/// every pair of tokens.
#[derive(Clone, Debug)]
pub struct Biased<'a> {
    attention: Attention,
    /// `[H]`.
    factors: Vec<f32>,
    /// `[H, N, N]`: query, then key.
    bias: &'a [f32],
}

impl<'a> Biased<'a> {
    /// For heads of `width` channels each, and `bias [H, N, N]`.
    #[must_use]
    pub fn new(heads: usize, width: usize, bias: &'a [f32]) -> Self {
        Self {
            attention: Attention {
                tokens: (bias.len() / heads).isqrt(),
                heads,
                width,
                likeness: Likeness::Product,
            },
            factors: vec![1.0 / (width as f32).sqrt(); heads],
            bias,
        }
    }

    /// From `qkv [N, 3 C]` to `[N, C]`.
    #[must_use]
    pub fn forward(&self, qkv: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; qkv.len() / 3];
        self.attention.forward(qkv, &self.scores(), &mut out);
        out
    }

    /// From the derivatives by the result, `[N, C]`, to those by `qkv` and by the bias.
    #[must_use]
    pub fn backward(&self, qkv: &[f32], by_out: &[f32]) -> [Vec<f32>; 2] {
        let mut by_qkv = vec![0.0; qkv.len()];
        let (attention, scores) = (&self.attention, self.scores());
        let shared = attention.backward(qkv, &scores, by_out, &mut by_qkv);
        [by_qkv, shared.bias]
    }

    fn scores(&self) -> Scores<'_> {
        Scores {
            factors: &self.factors,
            bias: self.bias,
            regions: &[],
        }
    }
}

impl Attention {
    const fn channels(&self) -> usize {
        self.heads * self.width
    }

    /// `out`, `[S, N, C]`, from `qkv`.
    pub fn forward(&self, qkv: &[f32], scores: &Scores<'_>, out: &mut [f32]) {
        let (n, d, c) = (self.tokens, self.width, self.channels());
        let blocks = Blocks { rows: n, cols: d };
        for_each_block(out, [out.len() / c, c], blocks, |rows, cols, mut out| {
            let head = self.head(qkv, rows.start / n, cols.start / d);
            with_scratch(n * n + self.normal_values(), |scratch| {
                let (weights, normal) = scratch.split_at_mut(n * n);
                let [q, k] = self.compared(&head, normal);
                multiply(
                    &mut ViewMut::dense(weights, n, n),
                    q,
                    k.transposed(),
                    Fill::Overwrite,
                );
                self.softmax(scores, &head, weights);
                multiply(
                    &mut out,
                    View::dense(weights, n, n),
                    head.v,
                    Fill::Overwrite,
                );
            });
        });
    }

    /// `dqkv` from `dout`, and the gradients of factors and bias. Those of the factors are zero
    /// unless likeness is a cosine: otherwise they are constants.
    pub fn backward(
        &self,
        qkv: &[f32],
        scores: &Scores<'_>,
        dout: &[f32],
        dqkv: &mut [f32],
    ) -> SharedGradients {
        let (n, c) = (self.tokens, self.channels());
        let sequences = qkv.len() / (n * 3 * c);
        let part = sequences.div_ceil(PARTS).max(1);
        let parts: Vec<SharedGradients> = dqkv
            .par_chunks_mut(part * n * 3 * c)
            .enumerate()
            .map(|(i, dqkv)| {
                let mut sums = SharedGradients {
                    factors: vec![0.0; self.heads],
                    bias: vec![0.0; scores.bias.len()],
                };
                for (j, dqkv) in dqkv.chunks_exact_mut(n * 3 * c).enumerate() {
                    let mut dqkv = ViewMut::dense(dqkv, n, 3 * c);
                    for h in 0..self.heads {
                        let head = self.head(qkv, i * part + j, h);
                        self.head_backward(&head, scores, dout, &mut dqkv, &mut sums);
                    }
                }
                sums
            })
            .collect();
        let (factors, bias): (Vec<_>, Vec<_>) =
            parts.into_iter().map(|p| (p.factors, p.bias)).unzip();
        let mut sums = SharedGradients {
            factors: vec![0.0; self.heads],
            bias: vec![0.0; scores.bias.len()],
        };
        rows::add_all(&mut sums.factors, &factors);
        rows::add_all(&mut sums.bias, &bias);
        sums
    }

    fn head_backward(
        &self,
        head: &Head<'_>,
        scores: &Scores<'_>,
        dout: &[f32],
        dqkv: &mut ViewMut<'_>,
        sums: &mut SharedGradients,
    ) {
        let (n, d, c) = (self.tokens, self.width, self.channels());
        let at = head.index * d;
        let dout = View::new(&dout[head.sequence * n * c + at..], n, d, c);
        let scratch = 3 * n * n + self.normal_values() + n * d;
        with_scratch(scratch, |scratch| {
            let (likeness, rest) = scratch.split_at_mut(n * n);
            let (weights, rest) = rest.split_at_mut(n * n);
            let (slopes, rest) = rest.split_at_mut(n * n);
            let (normal, turned) = rest.split_at_mut(self.normal_values());
            let [q, k] = self.compared(head, normal);
            multiply(
                &mut ViewMut::dense(likeness, n, n),
                q,
                k.transposed(),
                Fill::Overwrite,
            );
            weights.copy_from_slice(likeness);
            self.softmax(scores, head, weights);

            let dv = &mut dqkv.cols(2 * c + at..2 * c + at + d);
            multiply(
                dv,
                View::dense(weights, n, n).transposed(),
                dout,
                Fill::Overwrite,
            );
            // The gradient of the weights, then of the scores, then of the likeness.
            let v = head.v.transposed();
            multiply(&mut ViewMut::dense(slopes, n, n), dout, v, Fill::Overwrite);
            softmax_backward(weights, slopes, n);
            if let Some(bias) = head.square(&mut sums.bias, n) {
                rows::add(bias, slopes);
            }
            if self.likeness == Likeness::Cosine {
                sums.factors[head.index] += dot(slopes, likeness);
            }
            rows::scale(slopes, scores.factors[head.index]);

            let slopes = View::dense(slopes, n, n);
            for (slopes, from, other, raw) in [
                (slopes, at, k, head.q),
                (slopes.transposed(), c + at, q, head.k),
            ] {
                let mut out = dqkv.cols(from..from + d);
                match self.likeness {
                    Likeness::Product => multiply(&mut out, slopes, other, Fill::Overwrite),
                    Likeness::Cosine => {
                        let mut straight = ViewMut::dense(turned, n, d);
                        multiply(&mut straight, slopes, other, Fill::Overwrite);
                        for i in 0..n {
                            normalise_backward(raw.row(i), straight.row(i), out.row(i));
                        }
                    }
                }
            }
        });
    }

    fn head<'a>(&self, qkv: &'a [f32], sequence: usize, index: usize) -> Head<'a> {
        let (n, d, c) = (self.tokens, self.width, self.channels());
        let from = sequence * n * 3 * c + index * d;
        let third = |i: usize| View::new(&qkv[from + i * c..], n, d, 3 * c);
        Head {
            sequence,
            index,
            q: third(0),
            k: third(1),
            v: third(2),
        }
    }

    /// Values of the queries and keys of unit length, if likeness needs them.
    const fn normal_values(&self) -> usize {
        match self.likeness {
            Likeness::Product => 0,
            Likeness::Cosine => 2 * self.tokens * self.width,
        }
    }

    /// The queries and keys that are multiplied: for a cosine those of unit length, in `normal`.
    fn compared<'a>(&self, head: &Head<'a>, normal: &'a mut [f32]) -> [View<'a>; 2] {
        if self.likeness == Likeness::Product {
            return [head.q, head.k];
        }
        let (n, d) = (self.tokens, self.width);
        let (q, k) = normal.split_at_mut(n * d);
        for (from, to) in [(head.q, &mut *q), (head.k, &mut *k)] {
            for (i, to) in to.chunks_exact_mut(d).enumerate() {
                to.copy_from_slice(from.row(i));
                let length = length(to);
                rows::scale(to, 1.0 / length.max(SHORTEST));
            }
        }
        [View::dense(q, n, d), View::dense(k, n, d)]
    }

    /// Likeness to weights, in place.
    fn softmax(&self, scores: &Scores<'_>, head: &Head<'_>, likeness: &mut [f32]) {
        let n = self.tokens;
        let square = head.index * n * n..(head.index + 1) * n * n;
        let bias = scores.bias.get(square);
        let regions = match scores.regions.len() {
            0 => None,
            all => {
                let window = head.sequence % (all / n);
                Some(&scores.regions[window * n..(window + 1) * n])
            }
        };
        softmax(likeness, scores.factors[head.index], bias, regions, n);
    }
}

/// One head of one sequence.
struct Head<'a> {
    sequence: usize,
    index: usize,
    /// `[N, D]` each.
    q: View<'a>,
    k: View<'a>,
    v: View<'a>,
}

impl Head<'_> {
    /// This head's `[N, N]` part of `[H, N, N]`, unless that is empty.
    fn square<'b>(&self, all: &'b mut [f32], n: usize) -> Option<&'b mut [f32]> {
        all.get_mut(self.index * n * n..(self.index + 1) * n * n)
    }
}

multiversion! {
    /// Every row of the `[N, N]` likeness `s` to weights that sum to one.
    fn softmax<FMA>(s: &mut [f32], factor: f32, bias: Option<&[f32]>, regions: Option<&[u8]>, n: usize) {
        for (i, row) in s.chunks_exact_mut(n).enumerate() {
            match bias {
                Some(bias) => {
                    for (s, bias) in row.iter_mut().zip(&bias[i * n..]) {
                        *s = fma::<FMA>(*s, factor, *bias);
                    }
                }
                None => row.iter_mut().for_each(|s| *s *= factor),
            }
            if let Some(regions) = regions {
                for (s, region) in row.iter_mut().zip(regions) {
                    *s -= if *region == regions[i] { 0.0 } else { APART };
                }
            }
            let largest = largest(row);
            for s in row.iter_mut() {
                *s = exp::<FMA>(*s - largest);
            }
            let inverse = 1.0 / sum_lanes(row, |v| v);
            for s in row.iter_mut() {
                *s *= inverse;
            }
        }
    }
}

#[inline(always)]
fn largest(row: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (vectors, rest) = row.as_chunks::<LANES>();
    for v in vectors {
        for j in 0..LANES {
            lanes[j] = lanes[j].max(v[j]);
        }
    }
    for (lane, v) in lanes.iter_mut().zip(rest) {
        *lane = lane.max(*v);
    }
    lanes.iter().fold(f32::NEG_INFINITY, |a, b| a.max(*b))
}

multiversion! {
    /// The gradient of the `[N, N]` weights to that of the scores, in place.
    fn softmax_backward<FMA>(weights: &[f32], gradient: &mut [f32], n: usize) {
        for (w, g) in weights.chunks_exact(n).zip(gradient.chunks_exact_mut(n)) {
            let mut dots = [0f32; LANES];
            let ((ws, w_rest), (gs, g_rest)) = (w.as_chunks::<LANES>(), g.as_chunks::<LANES>());
            for (w, g) in ws.iter().zip(gs) {
                for j in 0..LANES {
                    dots[j] = fma::<FMA>(w[j], g[j], dots[j]);
                }
            }
            for ((dot, w), g) in dots.iter_mut().zip(w_rest).zip(g_rest) {
                *dot += w * g;
            }
            let dot = dots.iter().sum::<f32>();
            for j in 0..n {
                g[j] = w[j] * (g[j] - dot);
            }
        }
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn length(x: &[f32]) -> f32 {
    dot(x, x).sqrt()
}

/// `out` is the gradient of `x` from that of `x / |x|`.
fn normalise_backward(x: &[f32], gradient: &[f32], out: &mut [f32]) {
    let length = length(x);
    let inverse = 1.0 / length.max(SHORTEST);
    // A length below the shortest counts as a constant.
    let along = if length > SHORTEST {
        dot(x, gradient) * inverse * inverse
    } else {
        0.0
    };
    for ((out, g), x) in out.iter_mut().zip(gradient).zip(x) {
        *out = (g - along * x) * inverse;
    }
}

#[cfg(test)]
mod tests;
