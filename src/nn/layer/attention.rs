//! The core of self-attention with its learnt factors and biases.

use super::{Context, InputGradients, Keeps, Kept, Layer};
use crate::arch::{self, AttentionKind, Shape};
use crate::nn::cuda;
use crate::nn::error::NnError;
use crate::nn::kernel::attention::{self, Likeness, Scores};
use crate::nn::kernel::rows;
use crate::nn::network::{Buffer, TensorIndex, Tensors};

/// Softmax attention over `[sequences, tokens, 3 C]`, all tokens of a sequence with each other.
pub struct Attention {
    core: attention::Attention,
    /// What products are multiplied by.
    constant: f32,
    terms: Terms,
    /// Offset of every pair of tokens, `[tokens, tokens]`; empty if there are no biases.
    offsets: Vec<usize>,
    /// Region of every token, `[windows, tokens]`; empty if there is but one.
    regions: Vec<u8>,
    /// Factors of the last batch, one a head.
    factors: Vec<f32>,
    /// Biases of the last batch, `[offsets, heads]`.
    biases: Vec<f32>,
}

/// What is learnt beside queries, keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Terms {
    None,
    /// A bias for every offset, `[offsets, heads]`.
    Biases(TensorIndex),
    /// The logarithm of every head's factor; biases come as the second input.
    Factors(TensorIndex),
}

/// Factors of cosines do not grow beyond this.
const LARGEST_FACTOR: f32 = 100.0;
/// Biases from the second input lie between zero and this.
const LARGEST_BIAS: f32 = 16.0;

impl Attention {
    /// For an output of this shape; `tensor` is the module's first, if it has any.
    pub fn new(attention: &arch::Attention, shape: Shape, tensor: Option<TensorIndex>) -> Self {
        let [_, tokens] = shape.sequences().unwrap_or_default();
        let (terms, likeness) = match (attention.kind, tensor) {
            (AttentionKind::Windowed(_) | AttentionKind::MultiAxis(_), Some(t)) => {
                (Terms::Biases(t), Likeness::Product)
            }
            (AttentionKind::Cosine(_), Some(t)) => (Terms::Factors(t), Likeness::Cosine),
            _ => (Terms::None, Likeness::Product),
        };
        let regions = attention.partition().filter(arch::Partition::is_shifted);
        Self {
            core: attention::Attention {
                tokens,
                heads: attention.heads,
                width: attention.head_channels(),
                likeness,
            },
            constant: 1.0 / (attention.scaling_channels() as f32).sqrt(),
            terms,
            offsets: attention
                .offsets()
                .map(|o| o.of_pairs())
                .unwrap_or_default(),
            regions: regions.map(|p| p.regions()).unwrap_or_default(),
            factors: Vec::new(),
            biases: Vec::new(),
        }
    }

    /// Takes over this batch's factors and biases.
    fn refresh(&mut self, tensors: &Tensors, second: Option<&&[f32]>) {
        self.factors = match self.terms {
            Terms::Factors(t) => {
                let exponents = tensors.value(t).iter();
                exponents.map(|e| e.exp().min(LARGEST_FACTOR)).collect()
            }
            _ => vec![self.constant; self.core.heads],
        };
        self.biases = match (self.terms, second) {
            (Terms::Biases(t), _) => tensors.value(t).to_vec(),
            (_, Some(raw)) => {
                let sigmoid = |x: &f32| LARGEST_BIAS / (1.0 + (-x).exp());
                raw.iter().map(sigmoid).collect()
            }
            _ => Vec::new(),
        };
    }

    /// Biases of all pairs, `[heads, tokens, tokens]`.
    fn biases_of_pairs(&self) -> Vec<f32> {
        let heads = self.core.heads;
        (0..heads)
            .flat_map(|h| self.offsets.iter().map(move |o| self.biases[o * heads + h]))
            .collect()
    }

    /// The gradient of the biases, `[offsets, heads]`, from that of all pairs.
    fn biases_gradient(&self, pairs: &[f32]) -> Vec<f64> {
        let heads = self.core.heads;
        let mut sums = vec![0.0; self.biases.len()];
        for (h, pairs) in pairs.chunks_exact(self.offsets.len().max(1)).enumerate() {
            for (offset, gradient) in self.offsets.iter().zip(pairs) {
                sums[offset * heads + h] += f64::from(*gradient);
            }
        }
        sums
    }

    /// The gradient of the second input from that of the biases.
    fn raw_gradient(&self, cx: &mut Context<'_>, biases: &[f64]) -> Buffer {
        let mut raw = cx.pool.take(biases.len());
        for ((raw, gradient), bias) in raw.iter_mut().zip(biases).zip(&self.biases) {
            *raw = *gradient as f32 * bias * (1.0 - bias / LARGEST_BIAS);
        }
        raw
    }

    /// Adds the gradient of the factors' logarithms: none for a factor that is cut off.
    fn add_factors(&self, cx: &mut Context<'_>, tensor: TensorIndex, factors: &[f32]) {
        let free = |e: &f32| *e <= LARGEST_FACTOR.ln();
        let free: Vec<bool> = cx.tensors.value(tensor).iter().map(free).collect();
        let sums = cx.tensors.grad_mut(tensor).iter_mut();
        for (((sum, gradient), factor), free) in sums.zip(factors).zip(&self.factors).zip(free) {
            if free {
                *sum += gradient * factor;
            }
        }
    }
}

impl Layer for Attention {
    fn keeps(&self) -> Keeps {
        Keeps {
            input: true,
            ..Keeps::default()
        }
    }

    fn forward(
        &mut self,
        cx: &mut Context<'_>,
        inputs: &[&[f32]],
        output: &mut [f32],
    ) -> Result<(), NnError> {
        self.refresh(cx.tensors, inputs.get(1));
        let scores = Scores {
            factors: &self.factors,
            bias: &self.biases_of_pairs(),
            regions: &self.regions,
        };
        self.core.forward(inputs[0], &scores, output);
        Ok(())
    }

    fn backward(
        &mut self,
        cx: &mut Context<'_>,
        kept: Kept<'_>,
        gradient: Buffer,
        _wanted: &[bool],
    ) -> InputGradients {
        let mut dx = cx.pool.take(3 * gradient.len());
        let scores = Scores {
            factors: &self.factors,
            bias: &self.biases_of_pairs(),
            regions: &self.regions,
        };
        let shared = self
            .core
            .backward(kept.input(), &scores, &gradient, &mut dx);
        cx.pool.give(gradient);
        let biases = self.biases_gradient(&shared.bias);
        match self.terms {
            Terms::None => vec![Some(dx)],
            Terms::Biases(tensor) => {
                rows::add_f64(cx.tensors.grad_mut(tensor), &biases);
                vec![Some(dx)]
            }
            Terms::Factors(tensor) => {
                self.add_factors(cx, tensor, &shared.factors);
                vec![Some(dx), Some(self.raw_gradient(cx, &biases))]
            }
        }
    }

    fn on_device(&self) -> Box<dyn cuda::Layer> {
        let scores = match self.terms {
            Terms::Factors(exponents) => cuda::layer::attention::Scores::Cosines { exponents },
            Terms::None => cuda::layer::attention::Scores::Products {
                factor: self.constant,
                biases: None,
            },
            Terms::Biases(table) => cuda::layer::attention::Scores::Products {
                factor: self.constant,
                biases: Some(table),
            },
        };
        Box::new(cuda::layer::attention::Attention {
            tokens: self.core.tokens,
            heads: self.core.heads,
            width: self.core.width,
            scores,
            offsets: self.offsets.clone(),
            regions: self.regions.clone(),
        })
    }
}
