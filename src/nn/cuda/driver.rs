//! What the executor asks of a device: memory, kernels, matrix products and convolutions.
//!
//! Two things answer: a GPU through NVIDIA's libraries, and in tests a processor that runs the same
//! kernels. Everything but [`Driver::stage`] runs in the order of the calls; a call may return before the work is
//! done, and only [`Driver::download`], [`Driver::fetch`] and [`Driver::wait`] wait.

use super::argument::Argument;
use crate::nn::device::{DeviceError, Precision};
use crate::nn::kernel::window::Window;

/// A place in the device's memory, in bytes.
pub type Address = u64;

/// The device's side of the executor. Addresses come from [`Driver::allocate`] of the same driver, and
/// what they are used for lies within what was allocated: the executor answers for that.
pub trait Driver: Send {
    /// Memory for `bytes` bytes, more than zero, at a multiple of 256.
    ///
    /// # Errors
    /// [`DeviceError::OutOfMemory`].
    fn allocate(&mut self, bytes: usize) -> Result<Address, DeviceError>;

    /// Gives memory back; whatever still works with it is waited for.
    fn free(&mut self, address: Address);

    /// Zeros.
    ///
    /// # Errors
    /// If the device refuses, as with every call below.
    fn clear(&mut self, to: Address, bytes: usize) -> Result<(), DeviceError>;

    fn copy(&mut self, from: Address, to: Address, bytes: usize) -> Result<(), DeviceError>;

    /// `from` may be used again when this returns.
    fn upload(&mut self, from: &[u8], to: Address) -> Result<(), DeviceError>;

    /// Sends `parts` to the device, one behind the other, beside the work under way. Until [`Driver::take_staged`] nobody
    /// may use what lies at `to`. `parts` may be used again when this returns.
    fn stage(&mut self, parts: &[&[u8]], to: Address) -> Result<(), DeviceError>;

    /// Copies what was staged last, from where it was sent to, once it has arrived there. It may be staged over from then
    /// on: the next [`Driver::stage`] waits for this copy, and for no work that comes after it.
    fn take_staged(&mut self, from: Address, to: Address, bytes: usize) -> Result<(), DeviceError>;

    /// Waits for all work so far.
    fn wait(&mut self) -> Result<(), DeviceError>;

    /// Waits for all work before it.
    fn download(&mut self, from: Address, to: &mut [u8]) -> Result<(), DeviceError>;

    /// What lies there after all work before it, in memory of the driver's, which the device writes to by itself:
    /// much is here sooner than with [`Driver::download`]. The memory stays, as large as it ever had to be.
    fn fetch(&mut self, from: Address, bytes: usize) -> Result<&[u8], DeviceError>;

    fn launch(&mut self, launch: &Launch<'_>) -> Result<(), DeviceError>;

    fn multiply(&mut self, product: &Product) -> Result<(), DeviceError>;

    fn convolve(&mut self, convolution: &Convolution) -> Result<(), DeviceError>;

    /// From now on, work is only noted down. Nothing may be allocated, uploaded, staged or downloaded until
    /// [`Driver::recorded`].
    fn record(&mut self) -> Result<(), DeviceError>;

    /// Ends a recording, whatever became of it.
    fn recorded(&mut self) -> Result<Box<dyn Recording>, DeviceError>;
}

/// Work that was noted down, to be done again and again with what then lies at its addresses.
pub trait Recording: Send {
    fn replay(&self, driver: &mut dyn Driver) -> Result<(), DeviceError>;
}

/// One launch of a kernel (kernels/README.md).
#[derive(Clone, Debug)]
#[cfg_attr(
    not(any(test, feature = "cuda")),
    expect(dead_code, reason = "only devices launch kernels")
)]
pub struct Launch<'a> {
    pub kernel: &'a str,
    pub grid: [u32; 3],
    pub block: u32,
    pub arguments: &'a [Argument],
}

/// A matrix in device memory, row after row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Matrix {
    pub address: Address,
    pub precision: Precision,
    /// Values from one row to the next.
    pub stride: usize,
    /// Whether the product takes it transposed.
    pub transposed: bool,
    /// Values from one product's matrix to the next one's.
    pub step: usize,
}

impl Matrix {
    /// One matrix whose rows stand without gaps.
    pub const fn dense(address: Address, precision: Precision, columns: usize) -> Self {
        Self {
            address,
            precision,
            stride: columns,
            transposed: false,
            step: 0,
        }
    }

    pub const fn transposed(self) -> Self {
        Self {
            transposed: !self.transposed,
            ..self
        }
    }

    pub const fn every(self, step: usize) -> Self {
        Self { step, ..self }
    }
}

/// `out = factor a b + bias`, or `out += factor a b`, `count` times; sums are in f32.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Product {
    /// Rows of `a` and `out`, as multiplied.
    pub rows: usize,
    /// Columns of `b` and `out`.
    pub columns: usize,
    /// Columns of `a`, rows of `b`.
    pub inner: usize,
    pub count: usize,
    pub factor: f32,
    pub a: Matrix,
    pub b: Matrix,
    /// Never transposed.
    pub out: Matrix,
    /// A value per column, in `out`'s precision. Not together with `add`.
    pub bias: Option<Address>,
    /// Whether `out` is added to.
    pub add: bool,
}

/// Which of a convolution's three tensors is computed from the other two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    Output,
    Input,
    Weight,
}

/// Sizes of a convolution over a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvShape {
    pub window: Window,
    pub batch: usize,
    pub in_channels: usize,
    pub out_channels: usize,
    pub groups: usize,
    pub precision: Precision,
}

/// A convolution of channels-last images with weights `[O, kh, kw, I / groups]`, all of one precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution {
    pub shape: ConvShape,
    pub direction: Direction,
    /// Images, or their gradient.
    pub input: Address,
    pub weight: Address,
    pub output: Address,
    /// Whether what is computed is added to what lies there.
    pub add: bool,
}
