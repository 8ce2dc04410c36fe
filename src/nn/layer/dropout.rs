//! Dropout of single values.

use rand::Rng;

use super::{Context, InputGradients, Kept, Layer};
use crate::nn::cuda;
use crate::nn::error::NnError;
use crate::nn::network::{Buffer, Mode};

/// Drops every value with probability `p` while training and divides the others by `1 - p`.
pub struct Dropout {
    pub p: f64,
    /// Names this layer's random stream.
    pub path: String,
    /// Whether each value of the last batch was kept; empty if all were.
    pub kept: Vec<bool>,
}

impl Dropout {
    fn apply(&self, values: &mut [f32]) {
        let factor = (1.0 / (1.0 - self.p)) as f32;
        for (v, kept) in values.iter_mut().zip(&self.kept) {
            *v = if *kept { *v * factor } else { 0.0 };
        }
    }
}

impl Layer for Dropout {
    fn forward(
        &mut self,
        cx: &mut Context<'_>,
        inputs: &[&[f32]],
        output: &mut [f32],
    ) -> Result<(), NnError> {
        self.kept.clear();
        if cx.mode == Mode::Train
            && self.p > 0.0
            && let Some(mut stream) = cx.regularisation.stream(&self.path)
        {
            let draw = |_| stream.random::<f64>() >= self.p;
            self.kept = (0..output.len()).map(draw).collect();
        }
        output.copy_from_slice(inputs[0]);
        self.apply(output);
        Ok(())
    }

    fn backward(
        &mut self,
        _cx: &mut Context<'_>,
        _kept: Kept<'_>,
        mut gradient: Buffer,
        _wanted: &[bool],
    ) -> InputGradients {
        self.apply(&mut gradient);
        vec![Some(gradient)]
    }

    fn on_device(&self) -> Box<dyn cuda::Layer> {
        Box::new(cuda::layer::dropout::Dropout { p: self.p })
    }
}
