//! Layers on a device: what one step does forward and backward, as launches of kernels.
//!
//! A layer holds sizes only. What it needs for its way back it hands over with [`Context::save`].

pub mod activation;
pub mod add;
pub mod attention;
pub mod batch_norm;
pub mod branch;
pub mod channels;
pub mod columns;
pub mod conv;
pub mod cosine;
pub mod dropout;
pub mod flatten;
pub mod gate;
pub mod joined_norm;
pub mod keyless;
pub mod layer_norm;
pub mod offsets;
pub mod pool;
pub mod rearrange;
pub mod tokens;
pub mod zeros;

use super::argument::Argument;
use super::driver::{Address, Driver, Launch};
use super::grid;
use super::memory::{Buffer, Memory, View};
use super::tensors::DeviceTensors;
use crate::nn::device::{DeviceError, Precision};
use crate::nn::error::NnError;
use crate::nn::network::{Clock, Mode, TensorIndex};

/// What a layer works with besides its inputs.
pub struct Context<'a> {
    pub mode: Mode,
    /// Samples; one in a step that no image reaches.
    pub batch: usize,
    /// Of activations.
    pub precision: Precision,
    /// None if nothing is dropped.
    pub random: Option<Random>,
    /// Number of the step in the plan, which names its random stream.
    pub step: u32,
    pub tensors: &'a DeviceTensors,
    pub memory: &'a mut Memory,
    pub driver: &'a mut dyn Driver,
    /// Set if every step is to be timed.
    pub clock: Option<&'a mut Clock>,
    /// What the current step saved.
    pub saved: Vec<Buffer>,
    /// The current step's [`Layer::constants`], in their order.
    pub constants: &'a [Address],
}

/// Where random numbers come from (random.cuh).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Random {
    pub seed: u64,
    /// Where the number of the training step lies, in 64 bits.
    pub step: Address,
}

/// What a layer finds again going backward.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// If its processor's counterpart keeps it.
    pub input: Option<View>,
    /// Likewise.
    pub output: Option<View>,
    /// What it saved going forward, in order.
    pub saved: &'a [Buffer],
}

impl Kept<'_> {
    /// The input, for a layer that keeps it.
    fn input(&self) -> View {
        self.input.expect("the plan keeps the input of this layer")
    }

    /// The output, for a layer that keeps it.
    fn output(&self) -> View {
        self.output
            .expect("the plan keeps the output of this layer")
    }
}

/// Gradients of a layer's inputs in order, as far as they were wanted.
pub type InputGradients = Vec<Option<Buffer>>;

/// One step on a device.
pub trait Layer: Send {
    /// Writes every value of `output`.
    ///
    /// # Errors
    /// If the batch is too small for batch statistics, or the device fails.
    fn forward(&self, cx: &mut Context<'_>, inputs: &[View], output: View) -> Result<(), NnError>;

    /// Adds the gradients of the layer's parameters to those in `cx` and returns those of the inputs
    /// that are `wanted`, a flag for each. The output's gradient is the layer's to reuse or give back.
    ///
    /// # Errors
    /// If the device fails.
    fn backward(
        &self,
        cx: &mut Context<'_>,
        kept: Kept<'_>,
        gradient: Buffer,
        wanted: &[bool],
    ) -> Result<InputGradients, NnError>;

    /// Tables that lie on the device as long as the network does, as 32-bit numbers.
    fn constants(&self) -> Vec<Vec<u32>> {
        Vec::new()
    }

    /// The batch counter that a training step moves on.
    fn counter(&self) -> Option<TensorIndex> {
        None
    }
}

impl Context<'_> {
    /// A buffer for activations.
    pub fn take(&mut self, values: usize) -> Result<Buffer, DeviceError> {
        self.memory.take(self.driver, values, self.precision)
    }

    /// A buffer of 32-bit floats.
    pub fn floats(&mut self, values: usize) -> Result<Buffer, DeviceError> {
        self.memory.take(self.driver, values, Precision::F32)
    }

    pub fn give(&mut self, buffer: Buffer) {
        self.memory.give(buffer);
    }

    /// Keeps a buffer for the way back.
    pub fn save(&mut self, buffer: Buffer) {
        self.saved.push(buffer);
    }

    /// Launches a kernel that has one form, in blocks of the usual size.
    pub fn launch(
        &mut self,
        kernel: &str,
        grid: [u32; 3],
        arguments: &[Argument],
    ) -> Result<(), DeviceError> {
        self.driver.launch(&Launch {
            kernel,
            grid,
            block: grid::BLOCK,
            arguments,
        })
    }

    /// Launches a kernel in its form for the activations' precision.
    pub fn launch_typed(
        &mut self,
        kernel: &str,
        grid: [u32; 3],
        arguments: &[Argument],
    ) -> Result<(), DeviceError> {
        let kernel = format!("{kernel}_{}", self.precision);
        self.launch(&kernel, grid, arguments)
    }

    /// Launches a kernel that adds up partial sums over columns, in blocks of its size.
    pub fn launch_totals(
        &mut self,
        kernel: &str,
        columns: usize,
        arguments: &[Argument],
    ) -> Result<(), DeviceError> {
        self.driver.launch(&Launch {
            kernel,
            grid: grid::totals(columns),
            block: grid::WIDE_BLOCK,
            arguments,
        })
    }

    /// Activations from so many 32-bit floats.
    pub fn narrow(&mut self, from: Address, to: View) -> Result<(), DeviceError> {
        self.convert("cast_f32_to_bf16", from, to.address, to.values)
    }

    /// 32-bit floats from activations.
    pub fn widen(&mut self, from: View, to: Address) -> Result<(), DeviceError> {
        self.convert("cast_bf16_to_f32", from.address, to, from.values)
    }

    /// Copies, or casts where activations are no floats.
    fn convert(
        &mut self,
        cast: &str,
        from: Address,
        to: Address,
        values: usize,
    ) -> Result<(), DeviceError> {
        if self.precision == Precision::F32 {
            return self.driver.copy(from, to, values * size_of::<f32>());
        }
        let (from, to) = (Argument::Address(from), Argument::Address(to));
        let count = Argument::Wide(values as u64);
        self.launch(cast, grid::flat(values, Precision::F32), &[from, to, count])
    }

    /// A copy of activations.
    pub fn copied(&mut self, from: View) -> Result<Buffer, DeviceError> {
        let copy = self.take(from.values)?;
        let bytes = from.values * self.precision.bytes();
        self.driver.copy(from.address, copy.address(), bytes)?;
        Ok(copy)
    }
}

impl From<View> for Argument {
    fn from(view: View) -> Self {
        Self::Address(view.address)
    }
}

impl From<&Buffer> for Argument {
    fn from(buffer: &Buffer) -> Self {
        Self::Address(buffer.address())
    }
}
