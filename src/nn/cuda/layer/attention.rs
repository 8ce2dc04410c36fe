//! The core of self-attention: products of queries and keys, softmax, weighted sums of values.
//!
//! Letters: `S` sequences (samples, or windows over the batch), `N` tokens of a sequence, `H` heads, `D`
//! channels of a head, `C = H D`, `W` windows with regions. Queries, keys and values stand side by side in
//! `[S, N, 3 C]`; a product is one call a head over all sequences. The weights `[S, H, N, N]` are kept.

use super::columns::{Totals, add_sums};
use super::{Context, InputGradients, Kept, Layer};
use crate::nn::cuda::argument::Argument;
use crate::nn::cuda::driver::{Address, Matrix, Product};
use crate::nn::cuda::grid;
use crate::nn::cuda::memory::{Buffer, View};
use crate::nn::device::DeviceError;
use crate::nn::error::NnError;
use crate::nn::network::TensorIndex;

pub struct Attention {
    /// `N`.
    pub tokens: usize,
    /// `H`.
    pub heads: usize,
    /// `D`.
    pub width: usize,
    /// What products are multiplied by.
    pub factor: f32,
    /// A bias for every offset, `[offsets, H]`.
    pub biases: Option<TensorIndex>,
    /// Offset of every pair of tokens, `[N, N]`; empty without biases.
    pub offsets: Vec<usize>,
    /// Region of every token, `[W, N]`; empty if there is but one.
    pub regions: Vec<u8>,
}

/// What a product reads and writes of the heads' matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Queries,
    Keys,
    Values,
}

impl Attention {
    const fn channels(&self) -> usize {
        self.heads * self.width
    }

    const fn pairs(&self) -> usize {
        self.tokens * self.tokens
    }

    const fn windows(&self) -> usize {
        let windows = self.regions.len() / self.tokens;
        if windows == 0 { 1 } else { windows }
    }

    /// A head's queries, keys or values of all sequences, `[N, D]` each, in `[S, N, 3 C]`.
    fn third(&self, cx: &Context<'_>, qkv: Address, part: Part, head: usize) -> Matrix {
        let channels = self.channels();
        let first = part as usize * channels + head * self.width;
        let address = qkv + (first * cx.precision.bytes()) as u64;
        Matrix::dense(address, cx.precision, 3 * channels).every(self.tokens * 3 * channels)
    }

    /// A head's columns of `[S, N, C]`.
    fn columns(&self, cx: &Context<'_>, array: Address, head: usize) -> Matrix {
        let channels = self.channels();
        let address = array + (head * self.width * cx.precision.bytes()) as u64;
        Matrix::dense(address, cx.precision, channels).every(self.tokens * channels)
    }

    /// A head's squares of `[S, H, N, N]`.
    fn squares(&self, cx: &Context<'_>, array: Address, head: usize) -> Matrix {
        let address = array + (head * self.pairs() * cx.precision.bytes()) as u64;
        Matrix::dense(address, cx.precision, self.tokens).every(self.heads * self.pairs())
    }

    /// `out = a b` for all sequences; `inner` is the size that is summed over.
    fn multiply(
        &self,
        cx: &mut Context<'_>,
        [a, b, out]: [Matrix; 3],
        inner: usize,
        columns: usize,
        sequences: usize,
    ) -> Result<(), DeviceError> {
        cx.driver.multiply(&Product {
            rows: self.tokens,
            columns,
            inner,
            count: sequences,
            factor: 1.0,
            a,
            b,
            out,
            bias: None,
            add: false,
        })
    }

    /// What is added to the scores, `[W, H, N, N]`, if anything is.
    fn bias(&self, cx: &mut Context<'_>) -> Result<Option<Buffer>, DeviceError> {
        if self.biases.is_none() && self.regions.is_empty() {
            return Ok(None);
        }
        let values = self.windows() * self.heads * self.pairs();
        let bias = cx.floats(values)?;
        let regions = (!self.regions.is_empty()).then(|| cx.constants[1]);
        let arguments = [
            Argument::maybe(self.biases.map(|i| cx.tensors.value(i))),
            Argument::Address(cx.constants[0]),
            Argument::maybe(regions),
            (&bias).into(),
            Argument::count(self.windows()),
            Argument::count(self.heads),
            Argument::count(self.tokens),
        ];
        cx.launch("attention_bias", grid::threads(values), &arguments)?;
        Ok(Some(bias))
    }

    fn softmax(
        &self,
        cx: &mut Context<'_>,
        scores: View,
        weights: View,
    ) -> Result<(), DeviceError> {
        let bias = self.bias(cx)?;
        let rows = scores.values / self.tokens;
        let arguments = [
            scores.into(),
            Argument::maybe(bias.as_ref().map(Buffer::address)),
            Argument::count(self.windows() * self.heads * self.tokens),
            self.factor.into(),
            weights.into(),
            Argument::count(rows),
            Argument::count(self.tokens),
        ];
        cx.launch_typed("softmax_forward", grid::rows(rows), &arguments)?;
        if let Some(bias) = bias {
            cx.give(bias);
        }
        Ok(())
    }

    /// Adds the gradient of the biases from that of the products, `[S, H, N, N]`, which has the factor.
    fn add_bias_gradient(
        &self,
        cx: &mut Context<'_>,
        biases: TensorIndex,
        slopes: View,
    ) -> Result<(), DeviceError> {
        let squares = self.heads * self.pairs();
        let pairs = cx.floats(squares)?;
        cx.driver
            .clear(pairs.address(), squares * size_of::<f32>())?;
        let totals = Totals {
            factor: 1.0 / self.factor,
            ..Totals::one(pairs.address(), squares)
        };
        add_sums(cx, slopes, squares, totals)?;
        let count = cx.tensors.length(biases) / self.heads;
        let arguments = [
            (&pairs).into(),
            Argument::Address(cx.constants[0]),
            Argument::Address(cx.tensors.gradient(biases)),
            Argument::count(count),
            Argument::count(self.heads),
            Argument::count(self.tokens),
        ];
        let grid = grid::threads(count * self.heads);
        cx.launch("attention_bias_gradient", grid, &arguments)?;
        cx.give(pairs);
        Ok(())
    }
}

impl Layer for Attention {
    fn forward(&self, cx: &mut Context<'_>, inputs: &[View], output: View) -> Result<(), NnError> {
        let qkv = inputs[0].address;
        let (n, d) = (self.tokens, self.width);
        let sequences = output.values / (n * self.channels());
        let squares = sequences * self.heads * self.pairs();
        let (scores, weights) = (cx.take(squares)?, cx.take(squares)?);
        for head in 0..self.heads {
            let q = self.third(cx, qkv, Part::Queries, head);
            let k = self.third(cx, qkv, Part::Keys, head).transposed();
            let out = self.squares(cx, scores.address(), head);
            self.multiply(cx, [q, k, out], d, n, sequences)?;
        }
        self.softmax(cx, scores.view(), weights.view())?;
        cx.give(scores);
        for head in 0..self.heads {
            let w = self.squares(cx, weights.address(), head);
            let v = self.third(cx, qkv, Part::Values, head);
            let out = self.columns(cx, output.address, head);
            self.multiply(cx, [w, v, out], n, d, sequences)?;
        }
        cx.save(weights);
        Ok(())
    }

    fn backward(
        &self,
        cx: &mut Context<'_>,
        kept: Kept<'_>,
        gradient: Buffer,
        _wanted: &[bool],
    ) -> Result<InputGradients, NnError> {
        let (qkv, weights) = (kept.input().address, &kept.saved[0]);
        let (n, d) = (self.tokens, self.width);
        let sequences = gradient.values() / (n * self.channels());
        let dqkv = cx.take(3 * gradient.values())?;
        let slopes = cx.take(weights.values())?;
        let (into, slope) = (dqkv.address(), slopes.address());
        for head in 0..self.heads {
            let dout = self.columns(cx, gradient.address(), head);
            let w = self.squares(cx, weights.address(), head).transposed();
            let dv = self.third(cx, into, Part::Values, head);
            self.multiply(cx, [w, dout, dv], n, d, sequences)?;
            let v = self.third(cx, qkv, Part::Values, head).transposed();
            let dw = self.squares(cx, slope, head);
            self.multiply(cx, [dout, v, dw], d, n, sequences)?;
        }
        let rows = slopes.values() / n;
        let arguments = [
            weights.into(),
            (&slopes).into(),
            self.factor.into(),
            (&slopes).into(),
            Argument::count(rows),
            Argument::count(n),
        ];
        cx.launch_typed("softmax_backward", grid::rows(rows), &arguments)?;
        if let Some(biases) = self.biases {
            self.add_bias_gradient(cx, biases, slopes.view())?;
        }
        for head in 0..self.heads {
            let ds = self.squares(cx, slope, head);
            let k = self.third(cx, qkv, Part::Keys, head);
            let dq = self.third(cx, into, Part::Queries, head);
            self.multiply(cx, [ds, k, dq], n, d, sequences)?;
            let q = self.third(cx, qkv, Part::Queries, head);
            let dk = self.third(cx, into, Part::Keys, head);
            self.multiply(cx, [ds.transposed(), q, dk], n, d, sequences)?;
        }
        cx.give(slopes);
        cx.give(gradient);
        Ok(vec![Some(dqkv)])
    }

    fn constants(&self) -> Vec<Vec<u32>> {
        vec![
            self.offsets.iter().map(|o| *o as u32).collect(),
            self.regions.iter().map(|r| u32::from(*r)).collect(),
        ]
    }
}
