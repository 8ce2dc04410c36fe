//! The end of a residual branch: layer scale, stochastic depth and the sum, as far as they are there.

use rand::Rng;
use rayon::prelude::*;

use super::{Context, Finish, InputGradients, Joins, Keeps, Kept, Layer};
use crate::nn::cuda;
use crate::nn::error::NnError;
use crate::nn::kernel::rows;
use crate::nn::network::{Buffer, Mode, TensorIndex};

/// `keep * scale * h`, plus the second input if there is one. `keep` is a number per sample, `scale`
/// one per channel.
pub struct Branch {
    /// The layer scale.
    pub scale: Option<TensorIndex>,
    pub channels: usize,
    /// Probability of dropping a sample's branch.
    pub drop: f64,
    /// Names this layer's random stream.
    pub path: String,
    /// The last batch's factor per sample; empty if all are one.
    pub keep: Vec<f32>,
}

impl Branch {
    fn draw(&self, cx: &Context<'_>) -> Vec<f32> {
        if cx.mode != Mode::Train || self.drop == 0.0 {
            return Vec::new();
        }
        let Some(mut stream) = cx.regularisation.stream(&self.path) else {
            return Vec::new();
        };
        let kept = (1.0 / (1.0 - self.drop)) as f32;
        (0..cx.batch)
            .map(|_| {
                let dropped = stream.random::<f64>() < self.drop;
                if dropped { 0.0 } else { kept }
            })
            .collect()
    }

    fn keep(&self, sample: usize) -> f32 {
        self.keep.get(sample).copied().unwrap_or(1.0)
    }
}

impl Layer for Branch {
    fn keeps(&self) -> Keeps {
        Keeps {
            input: self.scale.is_some(),
            ..Keeps::default()
        }
    }

    fn forward(
        &mut self,
        cx: &mut Context<'_>,
        inputs: &[&[f32]],
        output: &mut [f32],
    ) -> Result<(), NnError> {
        self.keep = self.draw(cx);
        let ones = vec![1.0; self.channels];
        let scale = self.scale.map_or(&ones[..], |i| cx.tensors.value(i));
        let sample = output.len() / cx.batch;
        let per_sample = output
            .par_chunks_mut(sample)
            .zip(inputs[0].par_chunks(sample));
        per_sample.enumerate().for_each(|(i, (out, h))| {
            let keep = self.keep(i);
            let factors: Vec<f32> = scale.iter().map(|s| s * keep).collect();
            match inputs.get(1) {
                Some(other) => {
                    let other = &other[i * sample..(i + 1) * sample];
                    rows::scaled_sum(h, &factors, other, out);
                }
                None => {
                    out.copy_from_slice(h);
                    rows::scale_rows(out, &factors);
                }
            }
        });
        Ok(())
    }

    fn joins(&self) -> Joins {
        Joins::Finish
    }

    fn finish(&self, cx: &Context<'_>) -> Finish {
        Finish {
            factor: self.scale.map(|i| cx.tensors.value(i).to_vec()),
            ..Finish::default()
        }
    }

    fn backward(
        &mut self,
        cx: &mut Context<'_>,
        kept: Kept<'_>,
        gradient: Buffer,
        wanted: &[bool],
    ) -> InputGradients {
        let mut dh = cx.pool.take(gradient.len());
        dh.copy_from_slice(&gradient);
        if !self.keep.is_empty() {
            let sample = dh.len() / cx.batch;
            dh.par_chunks_mut(sample)
                .zip(&self.keep)
                .for_each(|(dh, keep)| rows::scale(dh, *keep));
        }
        if let Some(scale) = self.scale {
            let dots = rows::column_dots(kept.input(), &dh, self.channels);
            rows::add_f64(cx.tensors.grad_mut(scale), &dots);
            rows::scale_parallel(&mut dh, cx.tensors.value(scale));
        }
        let residual = if wanted.get(1) == Some(&true) {
            Some(gradient)
        } else {
            cx.pool.give(gradient);
            None
        };
        vec![Some(dh), residual]
    }

    fn on_device(&self) -> Box<dyn cuda::Layer> {
        Box::new(cuda::layer::branch::Branch {
            scale: self.scale,
            channels: self.channels,
            drop: self.drop,
        })
    }
}
