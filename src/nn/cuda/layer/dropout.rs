//! Dropout of single values.

use super::{Context, InputGradients, Kept, Layer, Random};
use crate::nn::cuda::argument::Argument;
use crate::nn::cuda::grid;
use crate::nn::cuda::memory::{Buffer, View};
use crate::nn::device::DeviceError;
use crate::nn::error::NnError;
use crate::nn::network::Mode;

/// Drops every value with probability `p` while training and divides the others by `1 - p`.
pub struct Dropout {
    pub p: f64,
}

/// The probability as kernels compare it with 32 random bits.
pub fn threshold(p: f64) -> u32 {
    // Saturates just below certainty.
    (p * 2f64.powi(32)).round() as u32
}

/// What the values that stay are multiplied by.
pub fn factor(p: f64) -> f32 {
    (1.0 / (1.0 - p)) as f32
}

impl Dropout {
    fn random(&self, cx: &Context<'_>) -> Option<Random> {
        cx.random.filter(|_| cx.mode == Mode::Train && self.p > 0.0)
    }

    fn drop(
        &self,
        cx: &mut Context<'_>,
        random: Random,
        x: View,
        y: View,
    ) -> Result<(), DeviceError> {
        let arguments = [
            x.into(),
            y.into(),
            Argument::Wide(y.values as u64),
            Argument::Count(threshold(self.p)),
            factor(self.p).into(),
            Argument::Wide(random.seed),
            Argument::Count(cx.step),
            Argument::Address(random.step),
        ];
        // A thread has four values.
        cx.launch_typed("dropout", grid::threads(y.values.div_ceil(4)), &arguments)
    }
}

impl Layer for Dropout {
    fn forward(&self, cx: &mut Context<'_>, inputs: &[View], output: View) -> Result<(), NnError> {
        match self.random(cx) {
            Some(random) => self.drop(cx, random, inputs[0], output)?,
            None => {
                let bytes = output.values * cx.precision.bytes();
                cx.driver.copy(inputs[0].address, output.address, bytes)?;
            }
        }
        Ok(())
    }

    fn backward(
        &self,
        cx: &mut Context<'_>,
        _kept: Kept<'_>,
        gradient: Buffer,
        _wanted: &[bool],
    ) -> Result<InputGradients, NnError> {
        if let Some(random) = self.random(cx) {
            self.drop(cx, random, gradient.view(), gradient.view())?;
        }
        Ok(vec![Some(gradient)])
    }
}
