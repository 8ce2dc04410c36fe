//! The core of self-attention: products of queries and keys, softmax, weighted sums of values. For cosines,
//! queries and keys become directions before ([`super::cosine`]).
//!
//! Letters: `S` sequences (samples, or windows over the batch), `N` tokens of a sequence, `H` heads, `D`
//! channels of a head, `C = H D`, `W` windows with regions. Queries, keys and values stand side by side in
//! `[S, N, 3 C]`; a product is one call a head over all sequences. The weights `[S, H, N, N]` are kept.

use super::columns::{Totals, add_sums};
use super::cosine::{self, Directions};
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
    pub scores: Scores,
    /// Offset of every pair of tokens, `[N, N]`; empty without biases.
    pub offsets: Vec<usize>,
    /// Region of every token, `[W, N]`; empty if there is but one.
    pub regions: Vec<u8>,
}

/// How a query is compared with a key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scores {
    /// By their product times a factor. A bias for every offset, `[offsets, H]`, is added, if there is one.
    Products {
        factor: f32,
        biases: Option<TensorIndex>,
    },
    /// By the cosine of their angle times a factor of each head, whose logarithms are these, `[H]`. The biases
    /// come as the second input, `[offsets, H]`.
    Cosines { exponents: TensorIndex },
}

/// What a product reads and writes of the heads' matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Queries,
    Keys,
    Values,
}

/// Queries and keys, and maybe values, side by side: `[S, N, parts, C]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parts {
    address: Address,
    parts: usize,
}

impl Parts {
    const fn all(address: Address) -> Self {
        Self { address, parts: 3 }
    }

    const fn directions(directions: &Buffer) -> Self {
        Self {
            address: directions.address(),
            parts: 2,
        }
    }
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

    /// What a product is multiplied by.
    const fn factor(&self) -> f32 {
        match self.scores {
            Scores::Products { factor, .. } => factor,
            Scores::Cosines { .. } => 1.0,
        }
    }

    const fn directions(&self) -> Option<Directions> {
        match self.scores {
            Scores::Products { .. } => None,
            Scores::Cosines { exponents } => Some(Directions {
                exponents,
                heads: self.heads,
                width: self.width,
            }),
        }
    }

    /// A head's queries, keys or values of all sequences, `[N, D]` each.
    fn head(&self, cx: &Context<'_>, of: Parts, part: Part, head: usize) -> Matrix {
        let row = of.parts * self.channels();
        let first = part as usize * self.channels() + head * self.width;
        let address = of.address + (first * cx.precision.bytes()) as u64;
        Matrix::dense(address, cx.precision, row).every(self.tokens * row)
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

    /// What is added to the scores, `[W, H, N, N]`, if anything is; biases `[offsets, H]`.
    fn bias(
        &self,
        cx: &mut Context<'_>,
        biases: Option<Address>,
    ) -> Result<Option<Buffer>, DeviceError> {
        if biases.is_none() && self.regions.is_empty() {
            return Ok(None);
        }
        let values = self.windows() * self.heads * self.pairs();
        let bias = cx.floats(values)?;
        let regions = (!self.regions.is_empty()).then(|| cx.constants[1]);
        let arguments = [
            Argument::maybe(biases),
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
        biases: Option<Address>,
        weights: View,
    ) -> Result<(), DeviceError> {
        let bias = self.bias(cx, biases)?;
        let rows = scores.values / self.tokens;
        let arguments = [
            scores.into(),
            Argument::maybe(bias.as_ref().map(Buffer::address)),
            Argument::count(self.windows() * self.heads * self.tokens),
            self.factor().into(),
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

    /// Adds the gradient of the biases, `[offsets, H]`, from that of the products, `[S, H, N, N]`, which has the
    /// factor.
    fn add_bias_gradient(
        &self,
        cx: &mut Context<'_>,
        slopes: View,
        by_biases: View,
    ) -> Result<(), DeviceError> {
        let squares = self.heads * self.pairs();
        let pairs = cx.floats(squares)?;
        cx.driver
            .clear(pairs.address(), squares * size_of::<f32>())?;
        let totals = Totals {
            factor: 1.0 / self.factor(),
            ..Totals::one(pairs.address(), squares)
        };
        add_sums(cx, slopes, squares, totals)?;
        let arguments = [
            (&pairs).into(),
            Argument::Address(cx.constants[0]),
            by_biases.into(),
            Argument::count(by_biases.values / self.heads),
            Argument::count(self.heads),
            Argument::count(self.tokens),
        ];
        let grid = grid::threads(by_biases.values);
        cx.launch("attention_bias_gradient", grid, &arguments)?;
        cx.give(pairs);
        Ok(())
    }

    /// The gradient of the second input, from which the biases were made.
    fn back_to_raw(
        &self,
        cx: &mut Context<'_>,
        slopes: View,
        biases: &Buffer,
    ) -> Result<Buffer, DeviceError> {
        let by_biases = cx.floats(biases.values())?;
        let bytes = biases.values() * size_of::<f32>();
        cx.driver.clear(by_biases.address(), bytes)?;
        self.add_bias_gradient(cx, slopes, by_biases.view())?;
        let by_raw = cosine::biases_back(cx, biases, &by_biases)?;
        cx.give(by_biases);
        Ok(by_raw)
    }
}

impl Layer for Attention {
    fn forward(&self, cx: &mut Context<'_>, inputs: &[View], output: View) -> Result<(), NnError> {
        let qkv = Parts::all(inputs[0].address);
        let (n, d) = (self.tokens, self.width);
        let sequences = output.values / (n * self.channels());
        let directions = self.directions().map(|d| d.of(cx, inputs[0])).transpose()?;
        let compared = directions.as_ref().map_or(qkv, Parts::directions);
        let own = match self.scores {
            Scores::Products { biases, .. } => biases.map(|b| cx.tensors.value(b)),
            Scores::Cosines { .. } => None,
        };
        let given = inputs.get(1).map(|raw| cosine::biases(cx, *raw));
        let given = given.transpose()?;
        let biases = given.as_ref().map(Buffer::address).or(own);
        let squares = sequences * self.heads * self.pairs();
        let (scores, weights) = (cx.take(squares)?, cx.take(squares)?);
        for head in 0..self.heads {
            let q = self.head(cx, compared, Part::Queries, head);
            let k = self.head(cx, compared, Part::Keys, head).transposed();
            let out = self.squares(cx, scores.address(), head);
            self.multiply(cx, [q, k, out], d, n, sequences)?;
        }
        self.softmax(cx, scores.view(), biases, weights.view())?;
        cx.give(scores);
        for head in 0..self.heads {
            let w = self.squares(cx, weights.address(), head);
            let v = self.head(cx, qkv, Part::Values, head);
            let out = self.columns(cx, output.address, head);
            self.multiply(cx, [w, v, out], n, d, sequences)?;
        }
        cx.save(weights);
        for kept in [directions, given].into_iter().flatten() {
            cx.save(kept);
        }
        Ok(())
    }

    fn backward(
        &self,
        cx: &mut Context<'_>,
        kept: Kept<'_>,
        gradient: Buffer,
        _wanted: &[bool],
    ) -> Result<InputGradients, NnError> {
        let qkv = Parts::all(kept.input().address);
        // The weights, and for cosines directions and biases.
        let weights = &kept.saved[0];
        let compared = kept.saved.get(1).map_or(qkv, Parts::directions);
        let (n, d) = (self.tokens, self.width);
        let sequences = gradient.values() / (n * self.channels());
        let dqkv = cx.take(3 * gradient.values())?;
        let slopes = cx.take(weights.values())?;
        let (into, slope) = (Parts::all(dqkv.address()), slopes.address());
        for head in 0..self.heads {
            let dout = self.columns(cx, gradient.address(), head);
            let w = self.squares(cx, weights.address(), head).transposed();
            let dv = self.head(cx, into, Part::Values, head);
            self.multiply(cx, [w, dout, dv], n, d, sequences)?;
            let v = self.head(cx, qkv, Part::Values, head).transposed();
            let dw = self.squares(cx, slope, head);
            self.multiply(cx, [dout, v, dw], d, n, sequences)?;
        }
        let rows = slopes.values() / n;
        let arguments = [
            weights.into(),
            (&slopes).into(),
            self.factor().into(),
            (&slopes).into(),
            Argument::count(rows),
            Argument::count(n),
        ];
        cx.launch_typed("softmax_backward", grid::rows(rows), &arguments)?;
        if let Scores::Products {
            biases: Some(biases),
            ..
        } = self.scores
        {
            let by_biases = View {
                address: cx.tensors.gradient(biases),
                values: cx.tensors.length(biases),
            };
            self.add_bias_gradient(cx, slopes.view(), by_biases)?;
        }
        for head in 0..self.heads {
            let ds = self.squares(cx, slope, head);
            let k = self.head(cx, compared, Part::Keys, head);
            let dq = self.head(cx, into, Part::Queries, head);
            self.multiply(cx, [ds, k, dq], n, d, sequences)?;
            let q = self.head(cx, compared, Part::Queries, head);
            let dk = self.head(cx, into, Part::Keys, head);
            self.multiply(cx, [ds.transposed(), q, dk], n, d, sequences)?;
        }
        if let Some(directions) = self.directions() {
            directions.back(cx, kept.input(), dqkv.view())?;
        }
        let mut by_inputs = vec![Some(dqkv)];
        if let Some(biases) = kept.saved.get(2) {
            by_inputs.push(Some(self.back_to_raw(cx, slopes.view(), biases)?));
        }
        cx.give(slopes);
        cx.give(gradient);
        Ok(by_inputs)
    }

    fn constants(&self) -> Vec<Vec<u32>> {
        vec![
            self.offsets.iter().map(|o| *o as u32).collect(),
            self.regions.iter().map(|r| u32::from(*r)).collect(),
        ]
    }
}
