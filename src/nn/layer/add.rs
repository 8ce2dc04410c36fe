//! The sum of two branches.

use super::{Context, Finish, InputGradients, Joins, Kept, Layer};
use crate::nn::cuda;
use crate::nn::error::NnError;
use crate::nn::kernel::rows;
use crate::nn::network::Buffer;

pub struct Add;

impl Layer for Add {
    fn forward(
        &mut self,
        _cx: &mut Context<'_>,
        inputs: &[&[f32]],
        output: &mut [f32],
    ) -> Result<(), NnError> {
        rows::sum_parallel(inputs[0], inputs[1], output);
        Ok(())
    }

    fn joins(&self) -> Joins {
        Joins::Finish
    }

    fn is_symmetric(&self) -> bool {
        true
    }

    fn finish(&self, _cx: &Context<'_>) -> Finish {
        Finish::default()
    }

    fn backward(
        &mut self,
        cx: &mut Context<'_>,
        _kept: Kept<'_>,
        gradient: Buffer,
        wanted: &[bool],
    ) -> InputGradients {
        let copy = wanted[0].then(|| {
            let mut copy = cx.pool.take(gradient.len());
            copy.copy_from_slice(&gradient);
            copy
        });
        vec![copy, Some(gradient)]
    }

    fn on_device(&self) -> Box<dyn cuda::Layer> {
        Box::new(cuda::layer::add::Add)
    }
}
