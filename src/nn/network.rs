//! The executor: an architecture with parameters, ready to run forward and backward.

mod clock;
mod compile;
mod fuse;
mod packing;
mod plan;
mod pool;
mod processor;
mod tape;
mod tensors;

pub use clock::{Clock, StepTime};
pub use plan::{Plan, ValueId};
pub use pool::{Buffer, Pool};
pub use tape::Keep;
pub use tensors::{TensorIndex, Tensors};

use std::ops::Deref;

use super::backend::Backend;
use super::cuda;
use super::device::{Device, DeviceError, Placement, Precision};
use super::error::NnError;
use super::state::StateDict;
use super::update::Update;
use crate::arch::Arch;
use crate::random::{self, Stream};
use processor::Processor;

/// How layers behave that differ between training and inference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Running statistics; nothing is dropped.
    Eval,
    /// The batch's own statistics; nothing is updated or dropped.
    BatchStatistics,
    /// The batch's own statistics, which the running ones follow; values and branches are dropped as
    /// [`Regularisation`] says.
    Train,
}

/// A batch of images.
#[derive(Clone, Copy, Debug)]
pub struct Images<'a> {
    /// Normalised pixels, channels last: `[batch, H, W, C]`.
    pub pixels: &'a [f32],
    pub batch: usize,
}

/// A batch of images with their labels, handed over: whoever learns from it keeps it as long as it is needed.
pub struct Examples {
    /// Normalised pixels, channels last: `[batch, H, W, C]`. Whatever holds them is dropped after use.
    pub pixels: Box<dyn Deref<Target = [f32]> + Send>,
    /// Class of each image.
    pub labels: Vec<u32>,
    pub batch: usize,
}

impl Examples {
    pub(super) fn images(&self) -> Images<'_> {
        Images {
            pixels: &self.pixels,
            batch: self.batch,
        }
    }
}

impl std::fmt::Debug for Examples {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Examples")
            .field("batch", &self.batch)
            .finish_non_exhaustive()
    }
}

/// Whether dropout and stochastic depth drop anything while training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Regularisation {
    Off,
    /// What is dropped depends on the seed and the step alone.
    Seeded {
        seed: u64,
        step: u64,
    },
}

impl Regularisation {
    /// The random stream of one layer in one step.
    pub(super) fn stream(self, layer: &str) -> Option<Stream> {
        match self {
            Self::Off => None,
            Self::Seeded { seed, step } => {
                Some(random::stream(seed, &format!("drop/{step}/{layer}")))
            }
        }
    }
}

/// What a training step does beside forward and backward.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepOptions {
    /// Share of the target that is spread over all classes, 0 to 1.
    pub label_smoothing: f32,
    pub regularisation: Regularisation,
}

impl Default for StepOptions {
    fn default() -> Self {
        Self {
            label_smoothing: 0.0,
            regularisation: Regularisation::Off,
        }
    }
}

/// What a training step found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepOutput {
    /// Mean cross-entropy, with the smoothed targets.
    pub loss: f64,
    /// Images whose largest logit was the label's.
    pub correct: usize,
}

/// An [`Arch`] ready to run on a device, with parameters and gradients.
///
/// On the CPU, the number of threads is that of rayon's current pool; results do not depend on it.
pub struct Network {
    arch: Arch,
    backend: Box<dyn Backend>,
    logits: Vec<f32>,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network")
            .field("arch", &self.arch.name())
            .finish_non_exhaustive()
    }
}

impl Network {
    /// The network on the CPU, with all parameters zero and running variances one.
    ///
    /// # Errors
    /// [`NnError::Unsupported`] if an op has sizes that the executor cannot run.
    pub fn new(arch: &Arch) -> Result<Self, NnError> {
        Ok(Self::with(arch, Box::new(Processor::new(arch)?)))
    }

    /// The network on any device.
    ///
    /// # Errors
    /// As [`Network::new`], also for ops that a device has no kernels for, and [`NnError::Device`] if
    /// the device cannot be used.
    pub fn on(arch: &Arch, placement: Placement) -> Result<Self, NnError> {
        match (placement.device, placement.precision) {
            (Device::Cpu, Precision::F32) => Self::new(arch),
            (Device::Cpu, Precision::Bf16) => Err(DeviceError::CpuPrecision.into()),
            (Device::Cuda(number), precision) => {
                let driver = cuda::open(number)?;
                let executor = cuda::Executor::new(arch, precision, driver)?;
                Ok(Self::with(arch, Box::new(executor)))
            }
        }
    }

    /// The network on whatever runs it.
    pub(super) fn with(arch: &Arch, backend: Box<dyn Backend>) -> Self {
        Self {
            arch: arch.clone(),
            backend,
            logits: Vec::new(),
        }
    }

    #[must_use]
    pub const fn arch(&self) -> &Arch {
        &self.arch
    }

    /// Takes over parameters and buffers. Names and shapes must match exactly.
    ///
    /// # Errors
    /// [`NnError::Mismatch`] with what is missing, unexpected or of another shape; then nothing has
    /// changed.
    pub fn load(&mut self, state: &StateDict) -> Result<(), NnError> {
        self.backend.load(state)
    }

    /// Parameters and buffers with torchvision's names, order, shapes and layout.
    ///
    /// # Errors
    /// Only if a device fails, as with the other calls that say nothing else.
    pub fn state(&mut self) -> Result<StateDict, NnError> {
        self.backend.state()
    }

    /// Gradients of the last training step in PyTorch's shapes and layout. Whether
    /// [`Network::clip_gradients`] has scaled them already is the device's affair.
    ///
    /// # Errors
    /// If a device fails.
    pub fn gradients(&mut self) -> Result<StateDict, NnError> {
        self.backend.gradients()
    }

    /// The L2 norm over all gradients, as it was before they were scaled such that it is at most
    /// `max_norm`, as `torch.nn.utils.clip_grad_norm_` does; summed in 64 bits. With an infinite
    /// `max_norm` this only measures.
    ///
    /// A norm that is not finite leaves the gradients as they are: the caller must not update.
    ///
    /// # Errors
    /// If a device fails.
    pub fn clip_gradients(&mut self, max_norm: f64) -> Result<f64, NnError> {
        self.backend.clip_gradients(max_norm)
    }

    /// Changes the parameters, and the moments beside them, by the gradients. There must be
    /// [`Update::moments`] moments.
    ///
    /// # Errors
    /// If a device fails.
    pub fn update(&mut self, update: &Update) -> Result<(), NnError> {
        self.backend.update(update)
    }

    /// Puts so many zeros beside every value of every parameter: an optimiser's memory.
    ///
    /// # Errors
    /// If a device fails.
    pub fn reset_moments(&mut self, slots: usize) -> Result<(), NnError> {
        self.backend.reset_moments(slots)
    }

    /// The moments of a slot by their parameters' names, in PyTorch's shapes and layout.
    ///
    /// # Errors
    /// If a device fails.
    ///
    /// # Panics
    /// If there are fewer slots.
    pub fn moments(&mut self, slot: usize) -> Result<StateDict, NnError> {
        self.backend.moments(slot)
    }

    /// Takes over what [`Network::moments`] gave; names and shapes are the parameters'.
    ///
    /// # Errors
    /// If a device fails.
    ///
    /// # Panics
    /// If there are fewer slots.
    pub fn load_moments(&mut self, slot: usize, state: &StateDict) -> Result<(), NnError> {
        self.backend.load_moments(slot, state)
    }

    /// Bytes of the buffers for activations and gradients of activations.
    #[must_use]
    pub fn buffer_bytes(&self) -> usize {
        self.backend.buffer_bytes()
    }

    /// What every step of the last pass took, in the order in which they run.
    ///
    /// On a device, steps are only timed after [`Network::time_steps`].
    #[must_use]
    pub fn step_times(&self) -> Vec<StepTime> {
        self.backend.step_times()
    }

    /// Has every pass from now on time its steps. A device then waits after each, which slows it down.
    pub fn time_steps(&mut self) {
        self.backend.time_steps();
    }

    /// Logits of a batch, row-major `[batch, classes]`. In [`Mode::Train`] running statistics are
    /// updated, but nothing is dropped.
    ///
    /// # Errors
    /// [`NnError::BadBatch`] or, with batch statistics, [`NnError::TooFewValues`].
    pub fn forward(&mut self, images: &Images<'_>, mode: Mode) -> Result<&[f32], NnError> {
        self.check_images(images)?;
        self.backend.forward(images, mode, &mut self.logits)?;
        Ok(&self.logits)
    }

    /// Forward in [`Mode::Train`], mean cross-entropy, and backward. The gradients of this batch stay
    /// in the network; those of earlier steps are forgotten.
    ///
    /// # Errors
    /// [`NnError::BadBatch`], [`NnError::LabelCount`], [`NnError::LabelOutOfRange`] or
    /// [`NnError::TooFewValues`].
    pub fn train_step(
        &mut self,
        images: &Images<'_>,
        labels: &[u32],
        options: &StepOptions,
    ) -> Result<StepOutput, NnError> {
        self.check_labels(images.batch, labels)?;
        self.check_images(images)?;
        self.backend.begin_step(Some((images, labels)), options)?;
        self.end_step()
    }

    /// Hands over the batch of the next [`Network::begin_step`], in place of one that waits. A device uploads it while the
    /// step before still runs, and passes in between do it no harm.
    ///
    /// # Errors
    /// Those of [`Network::train_step`] about the batch. [`NnError::DeviceMemory`] if a device has no room for it, and if
    /// the device fails; then no batch waits.
    pub fn stage(&mut self, examples: Examples) -> Result<(), NnError> {
        self.check_labels(examples.batch, &examples.labels)?;
        self.check_images(&examples.images())?;
        self.backend.stage(examples)
    }

    /// As [`Network::train_step`], with the batch that was staged, which is used up whatever becomes of the step. A device
    /// works on when this returns. Until [`Network::end_step`], do nothing but stage the next batch.
    ///
    /// # Errors
    /// [`NnError::NothingStaged`], [`NnError::TooFewValues`], and if a device fails.
    pub fn begin_step(&mut self, options: &StepOptions) -> Result<(), NnError> {
        self.backend.begin_step(None, options)
    }

    /// Waits for the step that was begun, and fetches what it found. Gradients and logits are then this step's.
    ///
    /// # Errors
    /// [`NnError::NoStep`] if none was begun, or another pass came after it, and if a device fails.
    pub fn end_step(&mut self) -> Result<StepOutput, NnError> {
        self.backend.end_step(&mut self.logits)
    }

    /// The logits of the last batch, row-major `[batch, classes]`.
    #[must_use]
    pub fn logits(&self) -> &[f32] {
        &self.logits
    }

    /// Puts gradients in place, as if a training step had found them.
    #[cfg(test)]
    pub fn set_gradients(&mut self, gradients: &StateDict) -> Result<(), NnError> {
        self.backend.set_gradients(gradients)
    }

    fn check_images(&self, images: &Images<'_>) -> Result<(), NnError> {
        let image = self.arch.input().len();
        if images.batch == 0 || images.pixels.len() != images.batch * image {
            return Err(NnError::BadBatch {
                arch: self.arch.name().to_owned(),
                image,
                batch: images.batch,
                got: images.pixels.len(),
            });
        }
        Ok(())
    }

    fn check_labels(&self, images: usize, labels: &[u32]) -> Result<(), NnError> {
        if labels.len() != images {
            let labels = labels.len();
            return Err(NnError::LabelCount { images, labels });
        }
        let classes = self.arch.classes();
        match labels.iter().position(|l| *l as usize >= classes) {
            None => Ok(()),
            Some(image) => Err(NnError::LabelOutOfRange {
                image,
                label: labels[image],
                classes,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub use tests::{nets, staged};
