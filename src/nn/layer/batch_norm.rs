//! Batch normalisation, together with the residual sum and the activation behind it.

use super::{Context, Finish, InputGradients, Joins, Keeps, Kept, Layer};
use crate::arch::Activation;
use crate::nn::cuda;
use crate::nn::error::NnError;
use crate::nn::kernel::activation;
use crate::nn::kernel::batch_norm::{self, Affine, Behind, Clamped, InputGradient};
use crate::nn::kernel::joined::Rows;
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

    /// The running moments, or those of the batch, which has `count` rows and is measured if need be.
    fn moments(
        &self,
        cx: &mut Context<'_>,
        count: usize,
        measure: impl FnOnce(&mut Context<'_>) -> Moments,
    ) -> Result<Moments, NnError> {
        if cx.mode == Mode::Eval && self.tracked {
            return Ok(self.running(cx));
        }
        let (mean, var) = (self.tensors + 2, self.tensors + 3);
        if count < 2 {
            return Err(NnError::TooFewValues {
                path: self.path.clone(),
            });
        }
        let moments = measure(cx);
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

    /// The same for a GPU.
    pub fn placed(&self) -> cuda::layer::batch_norm::BatchNorm {
        cuda::layer::batch_norm::BatchNorm {
            path: self.path.clone(),
            tensors: self.tensors,
            channels: self.channels,
            eps: self.eps,
            momentum: self.momentum,
            tracked: self.tracked,
            activation: self.activation,
        }
    }

    /// Normalises rows, and measures them with `measure` if they need to be.
    pub fn forward_rows(
        &mut self,
        cx: &mut Context<'_>,
        x: &(impl Rows + ?Sized),
        measure: impl FnOnce(&mut Context<'_>) -> Moments,
        residual: Option<&[f32]>,
        output: &mut [f32],
    ) -> Result<(), NnError> {
        let moments = self.moments(cx, output.len() / self.channels, measure)?;
        self.last = self.normalise(cx, &moments);
        let affine = &self.last.affine;
        batch_norm::apply(x, residual, affine, self.activation, output);
        Ok(())
    }

    /// Adds the gradients of the parameters, and returns what makes that of the rows from their output's. With
    /// a residual, whose gradient has to be written anyway, that is taken through the activation before.
    pub fn backward_rows(
        &self,
        cx: &mut Context<'_>,
        x: &(impl Rows + ?Sized),
        output: &[f32],
        gradient: &mut [f32],
        has_residual: bool,
    ) -> InputGradient<'_> {
        let affine = &self.last.affine;
        let bounds = self.activation.and_then(activation::bounds);
        let clamped = bounds
            .filter(|_| !has_residual)
            .map(|bounds| Clamped { bounds, affine });
        let behind = match (self.activation, bounds) {
            (_, Some(bounds)) => Behind::Clamp(bounds, output),
            (Some(curve), None) => Behind::Curve(curve, affine),
            (None, None) => Behind::Nothing,
        };
        let mean = &self.last.mean;
        let (sums, dots) = match clamped {
            Some(clamped) => clamped.gradient_sums(x, gradient, mean),
            None => batch_norm::gradient_sums(x, gradient, behind, mean),
        };
        let weight_gradient: Vec<f64> = dots
            .iter()
            .zip(&self.last.inverse)
            .map(|(d, i)| d * f64::from(*i))
            .collect();
        rows::add_f64(cx.tensors.grad_mut(self.weight()), &weight_gradient);
        rows::add_f64(cx.tensors.grad_mut(self.bias()), &sums);
        let weight = cx.tensors.value(self.weight());
        let count = (gradient.len() / self.channels) as f64;
        let (mut a, mut u, mut v) = (Vec::new(), Vec::new(), Vec::new());
        for j in 0..self.channels {
            let inverse = f64::from(self.last.inverse[j]);
            let factor = f64::from(weight[j]) * inverse;
            let slope = -factor * inverse * inverse * dots[j] / count;
            a.push(factor as f32);
            u.push(slope as f32);
            v.push((-factor * sums[j] / count - slope * f64::from(self.last.mean[j])) as f32);
        }
        InputGradient { a, u, v, clamped }
    }
}

impl Layer for BatchNorm {
    fn keeps(&self) -> Keeps {
        Keeps {
            input: true,
            output: self.activation.and_then(activation::bounds).is_some(),
            ..Keeps::default()
        }
    }

    fn forward(
        &mut self,
        cx: &mut Context<'_>,
        inputs: &[&[f32]],
        output: &mut [f32],
    ) -> Result<(), NnError> {
        let channels = self.channels;
        let measure = |cx: &mut Context<'_>| {
            let measured = cx.input_moments.first_mut().and_then(Option::take);
            measured.unwrap_or_else(|| Moments::of(inputs[0], channels))
        };
        self.forward_rows(cx, inputs[0], measure, inputs.get(1).copied(), output)
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
        let (x, has_residual) = (kept.input(), wanted.len() > 1);
        let factors = self.backward_rows(cx, x, kept.output, &mut gradient, has_residual);
        if wanted.get(1) == Some(&true) {
            // The gradient itself goes on to the residual.
            let mut dx = cx.pool.take(gradient.len());
            factors.beside(x, &gradient, &mut dx);
            return vec![Some(dx), Some(gradient)];
        }
        factors.in_place(x, &mut gradient);
        vec![Some(gradient)]
    }

    fn on_device(&self) -> Box<dyn cuda::Layer> {
        Box::new(self.placed())
    }
}
