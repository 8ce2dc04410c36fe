//! The executor: an architecture with parameters, ready to run forward and backward.

mod compile;
mod fuse;
mod packing;
mod plan;
mod pool;
mod tape;
mod tensors;

pub use pool::{Buffer, Pool};
pub use tensors::{ParamMut, TensorIndex, Tensors};

use super::error::NnError;
use super::kernel::loss;
use super::layer::Context;
use super::state::{StateDict, Tensor};
use crate::arch::Arch;
use crate::random::{self, Stream};
use plan::Plan;
use tape::Tape;

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

/// An [`Arch`] ready to run, with parameters, gradients and pooled buffers.
///
/// The number of threads is that of rayon's current pool; results do not depend on it.
pub struct Network {
    arch: Arch,
    plan: Plan,
    tensors: Tensors,
    pool: Pool,
    /// Samples of the last batch.
    batch: usize,
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
    /// The network with all parameters zero and running variances one.
    ///
    /// # Errors
    /// [`NnError::Unsupported`] if an op has sizes that the executor cannot run.
    pub fn new(arch: &Arch) -> Result<Self, NnError> {
        Ok(Self {
            plan: Plan::new(arch)?,
            tensors: Tensors::new(arch),
            arch: arch.clone(),
            pool: Pool::default(),
            batch: 0,
            logits: Vec::new(),
        })
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
        self.tensors.load(&self.arch, state)
    }

    /// Parameters and buffers with torchvision's names, order, shapes and layout.
    #[must_use]
    pub fn state(&self) -> StateDict {
        self.tensors.state()
    }

    /// Gradients of the last training step in PyTorch's shapes and layout.
    #[must_use]
    pub fn gradients(&self) -> StateDict {
        self.tensors.gradients()
    }

    /// The parameters in state-dict order, each with its gradient.
    pub fn parameters_mut(&mut self) -> impl Iterator<Item = ParamMut<'_>> {
        self.tensors.parameters_mut()
    }

    /// Numbers kept beside a parameter in the executor's layout, such as a momentum, as a tensor in
    /// PyTorch's shape and layout. None if no parameter of that name has as many values.
    #[must_use]
    pub fn to_torch(&self, name: &str, values: &[f32]) -> Option<Tensor> {
        self.tensors.to_torch(name, values)
    }

    /// The inverse of [`Network::to_torch`]: None if the parameter has another shape.
    #[must_use]
    pub fn packed_from_torch(&self, name: &str, tensor: &Tensor) -> Option<Vec<f32>> {
        self.tensors.packed_from_torch(name, tensor)
    }

    /// Bytes of the buffers for activations and gradients of activations.
    #[must_use]
    pub const fn buffer_bytes(&self) -> usize {
        self.pool.bytes()
    }

    /// Logits of a batch, row-major `[batch, classes]`. In [`Mode::Train`] running statistics are
    /// updated, but nothing is dropped.
    ///
    /// # Errors
    /// [`NnError::BadBatch`] or, with batch statistics, [`NnError::TooFewValues`].
    pub fn forward(&mut self, images: &Images<'_>, mode: Mode) -> Result<&[f32], NnError> {
        self.begin(images)?;
        let mut cx = Context {
            mode,
            batch: images.batch,
            regularisation: Regularisation::Off,
            tensors: &mut self.tensors,
            pool: &mut self.pool,
        };
        let mut tape = Tape::forward(&mut self.plan, &mut cx, images.pixels, tape::Keep::Nothing)?;
        tape.copy_output(&self.plan, &mut self.logits);
        tape.finish(&mut self.pool);
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
        self.begin(images)?;
        self.tensors.clear_gradients();
        let mut cx = Context {
            mode: Mode::Train,
            batch: images.batch,
            regularisation: options.regularisation,
            tensors: &mut self.tensors,
            pool: &mut self.pool,
        };
        let keep = tape::Keep::ForBackward;
        let mut tape = Tape::forward(&mut self.plan, &mut cx, images.pixels, keep)?;
        tape.copy_output(&self.plan, &mut self.logits);
        let mut gradient = cx.pool.take(self.logits.len());
        let smoothing = options.label_smoothing;
        let found = loss::cross_entropy(&self.logits, labels, smoothing, &mut gradient);
        tape.backward(&mut self.plan, &mut cx, gradient);
        tape.finish(&mut self.pool);
        Ok(StepOutput {
            loss: found.loss,
            correct: found.correct,
        })
    }

    /// The logits of the last batch, row-major `[batch, classes]`.
    #[must_use]
    pub fn logits(&self) -> &[f32] {
        &self.logits
    }

    fn begin(&mut self, images: &Images<'_>) -> Result<(), NnError> {
        let image = self.arch.input().len();
        if images.batch == 0 || images.pixels.len() != images.batch * image {
            return Err(NnError::BadBatch {
                arch: self.arch.name().to_owned(),
                image,
                batch: images.batch,
                got: images.pixels.len(),
            });
        }
        if images.batch != self.batch {
            // Buffers of another batch size would only take up memory.
            self.pool.clear();
            self.batch = images.batch;
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
