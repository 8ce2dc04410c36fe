//! Activations on their own.

use super::{Context, InputGradients, Kept, Layer};
use crate::nn::cuda::argument::Argument;
use crate::nn::cuda::grid;
use crate::nn::cuda::memory::{Buffer, View};
use crate::nn::error::NnError;

/// An activation by the name of its kernels.
pub struct Activation {
    pub kernel: &'static str,
    /// Whether its gradient is computed from its output rather than its input.
    pub from_output: bool,
}

impl Layer for Activation {
    fn forward(&self, cx: &mut Context<'_>, inputs: &[View], output: View) -> Result<(), NnError> {
        let arguments = [
            inputs[0].into(),
            output.into(),
            Argument::Wide(output.values as u64),
        ];
        let grid = grid::flat(output.values, cx.precision);
        Ok(cx.launch_typed(&format!("{}_forward", self.kernel), grid, &arguments)?)
    }

    fn backward(
        &self,
        cx: &mut Context<'_>,
        kept: Kept<'_>,
        gradient: Buffer,
        _wanted: &[bool],
    ) -> Result<InputGradients, NnError> {
        let known = if self.from_output {
            kept.output()
        } else {
            kept.input()
        };
        let arguments = [
            known.into(),
            (&gradient).into(),
            (&gradient).into(),
            Argument::Wide(gradient.values() as u64),
        ];
        let grid = grid::flat(gradient.values(), cx.precision);
        cx.launch_typed(&format!("{}_backward", self.kernel), grid, &arguments)?;
        Ok(vec![Some(gradient)])
    }
}
