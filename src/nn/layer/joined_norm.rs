//! Batch normalisation of a concatenation that is never written down: the step of a dense block, whose every
//! layer reads all outputs before it.

use std::ops::Range;

use super::batch_norm::BatchNorm;
use super::{Context, InputGradients, Keeps, Kept, Layer};
use crate::nn::cuda;
use crate::nn::error::NnError;
use crate::nn::kernel::joined::{Joined, PartGradient};
use crate::nn::kernel::moments::Moments;
use crate::nn::network::Buffer;

/// `f(norm(all inputs side by side))`.
pub struct JoinedNorm {
    /// The columns that each input fills.
    pub columns: Vec<Range<usize>>,
    pub norm: BatchNorm,
}

/// The moments of all parts, each of which is measured once for all that read it.
fn moments(cx: &mut Context<'_>, rows: &Joined<'_>) -> Moments {
    let mut all = Moments::default();
    let parts = rows.parts.iter().zip(rows.columns);
    for ((part, columns), measured) in parts.zip(&mut cx.input_moments) {
        let own = measured.get_or_insert_with(|| Moments::of(part, columns.len()));
        all.mean.extend(&own.mean);
        all.var.extend(&own.var);
    }
    all
}

impl Layer for JoinedNorm {
    fn keeps(&self) -> Keeps {
        Keeps {
            others: true,
            ..self.norm.keeps()
        }
    }

    fn forward(
        &mut self,
        cx: &mut Context<'_>,
        inputs: &[&[f32]],
        output: &mut [f32],
    ) -> Result<(), NnError> {
        let rows = Joined {
            parts: inputs,
            columns: &self.columns,
        };
        let measure = |cx: &mut Context<'_>| moments(cx, &rows);
        self.norm.forward_rows(cx, &rows, measure, None, output)
    }

    fn backward(
        &mut self,
        cx: &mut Context<'_>,
        kept: Kept<'_>,
        mut gradient: Buffer,
        wanted: &[bool],
    ) -> InputGradients {
        let rows = Joined {
            parts: kept.inputs,
            columns: &self.columns,
        };
        let output = kept.output;
        let factors = self
            .norm
            .backward_rows(cx, &rows, output, &mut gradient, false);
        let sums = cx.sums.drain(..).zip(wanted).zip(kept.inputs);
        let mut gradients: Vec<(Option<Buffer>, bool)> = Vec::with_capacity(wanted.len());
        for ((sum, wanted), input) in sums {
            let add = sum.is_some();
            let fresh = || wanted.then(|| cx.pool.take(input.len()));
            gradients.push((sum.or_else(fresh), add));
        }
        let parts = gradients.iter_mut().map(|(values, add)| {
            values
                .as_deref_mut()
                .map(|values| PartGradient { values, add: *add })
        });
        let work = |x: &[f32], g: &mut [f32]| factors.rows(x, g);
        rows.backward(&mut gradient, parts.collect(), work);
        cx.pool.give(gradient);
        gradients.into_iter().map(|(values, _)| values).collect()
    }

    fn on_device(&self) -> Box<dyn cuda::Layer> {
        Box::new(cuda::layer::joined_norm::JoinedNorm {
            concat: cuda::layer::channels::Concat {
                columns: self.columns.clone(),
            },
            norm: self.norm.placed(),
        })
    }
}
