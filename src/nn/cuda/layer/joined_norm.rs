//! Batch normalisation of a concatenation, which is written down here for the norm's kernels.

use super::batch_norm::BatchNorm;
use super::channels::Concat;
use super::{Context, InputGradients, Kept, Layer};
use crate::nn::cuda::memory::{Buffer, View};
use crate::nn::error::NnError;
use crate::nn::network::TensorIndex;

/// `f(norm(all inputs side by side))`.
pub struct JoinedNorm {
    pub concat: Concat,
    pub norm: BatchNorm,
}

impl Layer for JoinedNorm {
    fn forward(&self, cx: &mut Context<'_>, inputs: &[View], output: View) -> Result<(), NnError> {
        let whole = cx.take(output.values)?;
        self.concat.forward(cx, inputs, whole.view())?;
        self.norm.forward(cx, &[whole.view()], output)?;
        cx.save(whole);
        Ok(())
    }

    fn backward(
        &self,
        cx: &mut Context<'_>,
        kept: Kept<'_>,
        gradient: Buffer,
        wanted: &[bool],
    ) -> Result<InputGradients, NnError> {
        let (whole, of_norm) = kept.saved.split_last().expect("forward saved the whole");
        let of_norm = Kept {
            input: Some(whole.view()),
            saved: of_norm,
            ..kept
        };
        let mut gradients = self.norm.backward(cx, of_norm, gradient, &[true])?;
        let gradient = gradients.remove(0).expect("it was wanted");
        self.concat.backward(cx, kept, gradient, wanted)
    }

    fn counter(&self) -> Option<TensorIndex> {
        self.norm.counter()
    }
}
