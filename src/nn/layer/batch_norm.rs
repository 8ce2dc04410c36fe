//! Batch normalisation, together with the residual sum and the activation behind it.

use super::{Context, Finish, InputGradients, Joins, Keeps, Kept, Layer};
use crate::arch::Activation;
use crate::nn::cuda;
use crate::nn::error::NnError;
use crate::nn::kernel::activation;
use crate::nn::kernel::batch_norm::{self, Affine, Behind, Clamped, InputGradient};
use crate::nn::kernel::moments::Moments;
use crate::nn::kernel::rows;
use crate::nn::network::{Buffer, Mode, TensorIndex};

/// `f(norm(x) + residual)`: the second input is the residual if there is one.
pub struct BatchNorm {
    pub path: String,
    /// First of weight, bias and, if tracked, running mean, running variance, batch counter.
    pub tensors: TensorIndex,
    pub channels: usize,
    pub eps: f64,
    pub momentum: f64,
    /// Whether there are running statistics.
    pub tracked: bool,
    /// With a residual, only one that clamps.
    pub activation: Option<Activation>,
    /// What the last batch was normalised with.
    pub last: Normalised,
}

/// What a batch was normalised with, per channel.
#[derive(Default)]
pub struct Normalised {
    mean: Vec<f32>,
    /// `1 / sigma`.
    inverse: Vec<f32>,
    affine: Affine,
}

impl BatchNorm {
    const fn weight(&self) -> TensorIndex {
        self.tensors
    }

    const fn bias(&self) -> TensorIndex {
        self.tensors + 1
    }

    /// The running statistics, which must be there.
    fn running(&self, cx: &Context<'_>) -> Moments {
        let wide = |values: &[f32]| values.iter().copied().map(f64::from).collect();
        Moments {
            mean: wide(cx.tensors.value(self.tensors + 2)),
            var: wide(cx.tensors.value(self.tensors + 3)),
        }
    }

    /// The batch's moments, or the running ones.
    fn moments(&self, cx: &mut Context<'_>, x: &[f32]) -> Result<Moments, NnError> {
        if cx.mode == Mode::Eval && self.tracked {
            return Ok(self.running(cx));
        }
        let (mean, var) = (self.tensors + 2, self.tensors + 3);
        let count = x.len() / self.channels;
        if count < 2 {
            return Err(NnError::TooFewValues {
                path: self.path.clone(),
            });
        }
        let measured = cx.input_moments.take();
        let moments = measured.unwrap_or_else(|| Moments::of(x, self.channels));
        if cx.mode == Mode::Train && self.tracked {
            // torch keeps the unbiased variance.
            let unbiased = count as f64 / (count - 1) as f64;
            self.follow(cx.tensors.value_mut(mean), &moments.mean, 1.0);
            self.follow(cx.tensors.value_mut(var), &moments.var, unbiased);
            cx.tensors.count(self.tensors + 4);
        }
        Ok(moments)
    }

    fn follow(&self, running: &mut [f32], batch: &[f64], factor: f64) {
        for (r, b) in running.iter_mut().zip(batch) {
            *r = ((1.0 - self.momentum) * f64::from(*r) + self.momentum * factor * b) as f32;
        }
    }

    /// What makes values with these moments mean zero and deviation one, and then scales them.
    fn normalise(&self, cx: &Context<'_>, moments: &Moments) -> Normalised {
        let (weight, bias) = (
            cx.tensors.value(self.weight()),
            cx.tensors.value(self.bias()),
        );
        let mut last = Normalised::default();
        for j in 0..self.channels {
            let inverse = 1.0 / (moments.var[j] + self.eps).sqrt();
            let factor = f64::from(weight[j]) * inverse;
            let offset = f64::from(bias[j]) - moments.mean[j] * factor;
            last.affine.factor.push(factor as f32);
            last.affine.offset.push(offset as f32);
            last.mean.push(moments.mean[j] as f32);
            last.inverse.push(inverse as f32);
        }
        last
    }

    fn input_gradient(
        &self,
        weight: &[f32],
        count: f64,
        sums: &[f64],
        dots: &[f64],
    ) -> InputGradient {
        let (mut a, mut u, mut v) = (Vec::new(), Vec::new(), Vec::new());
        for j in 0..self.channels {
            let inverse = f64::from(self.last.inverse[j]);
            let factor = f64::from(weight[j]) * inverse;
            let slope = -factor * inverse * inverse * dots[j] / count;
            a.push(factor as f32);
            u.push(slope as f32);
            v.push((-factor * sums[j] / count - slope * f64::from(self.last.mean[j])) as f32);
        }
        InputGradient { a, u, v }
    }
}

impl Layer for BatchNorm {
    fn keeps(&self) -> Keeps {
        Keeps {
            input: true,
            output: self.activation.and_then(activation::bounds).is_some(),
        }
    }

    fn forward(
        &mut self,
        cx: &mut Context<'_>,
        inputs: &[&[f32]],
        output: &mut [f32],
    ) -> Result<(), NnError> {
        let moments = self.moments(cx, inputs[0])?;
        self.last = self.normalise(cx, &moments);
        let residual = inputs.get(1).copied();
        batch_norm::apply(
            inputs[0],
            residual,
            &self.last.affine,
            self.activation,
            output,
        );
        Ok(())
    }

    fn joins(&self) -> Joins {
        if self.tracked {
            Joins::Finish
        } else {
            Joins::Nothing
        }
    }

    fn finish(&self, cx: &Context<'_>) -> Finish {
        let affine = self.normalise(cx, &self.running(cx)).affine;
        Finish {
            factor: Some(affine.factor),
            offset: Some(affine.offset),
            activation: self.activation,
        }
    }

    fn backward(
        &mut self,
        cx: &mut Context<'_>,
        kept: Kept<'_>,
        mut gradient: Buffer,
        wanted: &[bool],
    ) -> InputGradients {
        let affine = &self.last.affine;
        let bounds = self.activation.and_then(activation::bounds);
        // With a residual, its gradient has to be written anyway.
        let clamped = bounds
            .filter(|_| wanted.len() == 1)
            .map(|bounds| Clamped { bounds, affine });
        let behind = match (self.activation, bounds) {
            (_, Some(bounds)) => Behind::Clamp(bounds, kept.output),
            (Some(curve), None) => Behind::Curve(curve, affine),
            (None, None) => Behind::Nothing,
        };
        let mean = &self.last.mean;
        let (sums, dots) = match clamped {
            Some(clamped) => clamped.gradient_sums(kept.input, &gradient, mean),
            None => batch_norm::gradient_sums(kept.input, &mut gradient, behind, mean),
        };
        let weight_gradient: Vec<f64> = dots
            .iter()
            .zip(&self.last.inverse)
            .map(|(d, i)| d * f64::from(*i))
            .collect();
        rows::add_f64(cx.tensors.grad_mut(self.weight()), &weight_gradient);
        rows::add_f64(cx.tensors.grad_mut(self.bias()), &sums);
        let count = (gradient.len() / self.channels) as f64;
        let factors = self.input_gradient(cx.tensors.value(self.weight()), count, &sums, &dots);
        if wanted.get(1) == Some(&true) {
            // The gradient itself goes on to the residual.
            let mut dx = cx.pool.take(gradient.len());
            factors.beside(kept.input, &gradient, &mut dx);
            return vec![Some(dx), Some(gradient)];
        }
        match clamped {
            Some(clamped) => clamped.input_gradient(&factors, kept.input, &mut gradient),
            None => factors.in_place(kept.input, &mut gradient),
        }
        vec![Some(gradient)]
    }

    fn on_device(&self) -> Option<Box<dyn cuda::Layer>> {
        Some(Box::new(cuda::layer::batch_norm::BatchNorm {
            path: self.path.clone(),
            tensors: self.tensors,
            channels: self.channels,
            eps: self.eps,
            momentum: self.momentum,
            tracked: self.tracked,
            activation: self.activation,
        }))
    }
}
