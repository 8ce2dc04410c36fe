//! Layers: what one step of the tape does forward and backward.

pub mod activation;
pub mod add;
pub mod attention;
pub mod batch_norm;
pub mod branch;
pub mod channels;
pub mod conv;
pub mod dropout;
pub mod flatten;
pub mod gate;
pub mod joined_norm;
pub mod keyless;
pub mod layer_norm;
pub mod linear;
pub mod offsets;
pub mod pool;
pub mod rearrange;
pub mod tokens;
pub mod zeros;

use super::cuda;
use super::error::NnError;
use super::kernel::epilogue::Epilogue;
use super::kernel::moments::Moments;
use super::network::{Buffer, Clock, Mode, Pool, Regularisation, Tensors};
use crate::arch::Activation;

/// What a layer works with besides its inputs.
pub struct Context<'a> {
    pub mode: Mode,
    /// Samples; one in a step that no image reaches.
    pub batch: usize,
    pub regularisation: Regularisation,
    pub tensors: &'a mut Tensors,
    pub pool: &'a mut Pool,
    pub clock: &'a mut Clock,
    /// Of the channels of every input, as far as they were measured; a layer may add to them for other
    /// readers of the same input.
    pub input_moments: Vec<Option<Moments>>,
    /// Of the output's channels, from a layer that measured them.
    pub output_moments: Option<Moments>,
    /// Going backward, the gradients of the inputs that their other readers sent back so far. A layer may take
    /// one and return the sum of it and its own.
    pub sums: InputGradients,
}

/// Which activations a layer reads again going backward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keeps {
    /// The first input.
    pub input: bool,
    /// The inputs behind the first.
    pub others: bool,
    pub output: bool,
}

/// The activations that a layer asked to keep; the others are empty.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    pub inputs: &'a [&'a [f32]],
    pub output: &'a [f32],
}

impl<'a> Kept<'a> {
    /// The first input.
    fn input(&self) -> &'a [f32] {
        self.inputs[0]
    }
}

/// Gradients of a layer's inputs in order, as far as they were wanted.
pub type InputGradients = Vec<Option<Buffer>>;

/// Whether a layer can run together with the one before or behind it in inference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joins {
    /// Neither.
    Nothing,
    /// It computes sums, and can finish them as the layer behind would.
    Sums,
    /// All it does is finish the values of one input, to which it may add another.
    Finish,
}

/// What a layer that joins as [`Joins::Finish`] makes of values `s`: `f(a s + b + residual)`.
#[derive(Clone, Debug, Default)]
pub struct Finish {
    /// `a`, per channel.
    pub factor: Option<Vec<f32>>,
    /// `b`, per channel.
    pub offset: Option<Vec<f32>>,
    pub activation: Option<Activation>,
}

impl Finish {
    /// The same as a kernel takes it.
    fn epilogue<'a>(&'a self, residual: Option<&'a [f32]>) -> Epilogue<'a> {
        Epilogue {
            factor: self.factor.as_deref(),
            offset: self.offset.as_deref(),
            residual,
            activation: self.activation,
            measure: None,
        }
    }
}

/// One step of the tape. A layer may keep what it needs for its way back, such as a mask.
pub trait Layer: Send {
    /// Nothing, unless a layer says otherwise.
    fn keeps(&self) -> Keeps {
        Keeps::default()
    }

    /// Writes every value of `output`.
    ///
    /// # Errors
    /// If the batch is too small for batch statistics.
    fn forward(
        &mut self,
        cx: &mut Context<'_>,
        inputs: &[&[f32]],
        output: &mut [f32],
    ) -> Result<(), NnError>;

    /// See [`Joins`]: a layer with another answer than nothing has one of the next two methods as well.
    fn joins(&self) -> Joins {
        Joins::Nothing
    }

    /// Whether its two inputs may change places.
    fn is_symmetric(&self) -> bool {
        false
    }

    /// What this layer does in inference, for one that joins as [`Joins::Finish`].
    fn finish(&self, _cx: &Context<'_>) -> Finish {
        unreachable!("only asked of layers that finish")
    }

    /// [`Layer::forward`], finished, for one that joins as [`Joins::Sums`].
    fn forward_finished(
        &mut self,
        _cx: &mut Context<'_>,
        _inputs: &[&[f32]],
        _finish: &Finish,
        _residual: Option<&[f32]>,
        _output: &mut [f32],
    ) {
        unreachable!("only asked of layers that compute sums")
    }

    /// Adds the gradients of the layer's parameters to those in `cx` and returns those of the inputs
    /// that are `wanted`, a flag for each. The output's gradient is the layer's to reuse or give back.
    fn backward(
        &mut self,
        cx: &mut Context<'_>,
        kept: Kept<'_>,
        gradient: Buffer,
        wanted: &[bool],
    ) -> InputGradients;

    /// The same layer for a GPU.
    fn on_device(&self) -> Box<dyn cuda::Layer>;
}
