//! A network on a device: what [`Backend`] asks for, as work for a driver.

use super::argument::Argument;
use super::batch::{Batch, Source, Staging};
use super::driver::{Address, Driver, Recording};
use super::grid;
use super::layer::{Context, Random};
use super::memory::{Buffer, Memory, View};
use super::tape::{Placed, Tape};
use super::tensors::{DeviceTensors, stored};
use super::update::Optimisers;
use crate::arch::Arch;
use crate::nn::backend::Backend;
use crate::nn::device::{DeviceError, Precision};
use crate::nn::error::NnError;
use crate::nn::network::{
    Clock, Examples, Images, Keep, Mode, Plan, Regularisation, StepOptions, StepOutput, StepTime,
    TensorIndex,
};
use crate::nn::state::StateDict;
use crate::nn::update::Update;

/// See the module.
pub struct Executor {
    arch: Arch,
    plan: Plan,
    layers: Vec<Placed>,
    /// Batch counters, once per batch norm that a step runs.
    counters: Vec<TensorIndex>,
    core: Core,
    optimisers: Optimisers,
    /// The number of the training step, for random draws.
    step: Address,
    results: Address,
    batch: Option<Batch>,
    staging: Staging,
    /// The batch of the step whose results nobody has asked for yet.
    begun: Option<Batch>,
    steps: Steps,
}

/// What layers work with.
struct Core {
    precision: Precision,
    tensors: DeviceTensors,
    memory: Memory,
    driver: Box<dyn Driver>,
    /// Set if steps are to be timed; then none is recorded.
    clock: Option<Clock>,
}

impl Core {
    fn context(&mut self, mode: Mode, batch: usize, random: Option<Random>) -> Context<'_> {
        Context {
            mode,
            batch,
            precision: self.precision,
            random,
            step: 0,
            tensors: &self.tensors,
            memory: &mut self.memory,
            driver: self.driver.as_mut(),
            clock: self.clock.as_mut(),
            saved: Vec::new(),
            constants: &[],
        }
    }
}

/// What a step finds, as it lies in device memory.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
struct Results {
    loss: f64,
    correct: u32,
    padding: u32,
}

/// Training steps of the same kind, which soon are one recording.
#[derive(Default)]
struct Steps {
    kind: Option<StepKind>,
    /// Steps of this kind that ran call by call.
    done: usize,
    recording: Option<Box<dyn Recording>>,
}

/// What a recorded step cannot change: everything else lies in device memory.
#[derive(Clone, Copy, Debug, PartialEq)]
struct StepKind {
    batch: usize,
    label_smoothing: f32,
    /// None if nothing is dropped.
    seed: Option<u64>,
}

/// Steps before one is recorded: the first finds all memory and chooses how to convolve, the second
/// shows that no more is needed.
const STEPS_BEFORE: usize = 2;
/// Kernels count packs of values in 32 bits.
const MOST_VALUES: usize = 1 << 31;

impl Executor {
    /// The architecture with parameters zero and running variances one.
    ///
    /// # Errors
    /// [`NnError::Unsupported`] if an op has sizes that the executor cannot run, and if the device fails.
    pub fn new(
        arch: &Arch,
        precision: Precision,
        mut driver: Box<dyn Driver>,
    ) -> Result<Self, NnError> {
        let plan = Plan::new(arch)?;
        let mut layers = Vec::with_capacity(plan.steps.len());
        for step in &plan.steps {
            let layer = step.layer.on_device();
            let tables = layer.constants();
            let place = |table: &Vec<u32>| stored(table, driver.as_mut());
            let constants = tables.iter().map(place).collect::<Result<_, _>>()?;
            layers.push(Placed { layer, constants });
        }
        Ok(Self {
            arch: arch.clone(),
            plan,
            counters: layers.iter().filter_map(|l| l.layer.counter()).collect(),
            layers,
            optimisers: Optimisers::new(driver.as_mut())?,
            step: driver.allocate(size_of::<u64>())?,
            results: driver.allocate(size_of::<Results>())?,
            batch: None,
            staging: Staging::default(),
            begun: None,
            steps: Steps::default(),
            core: Core {
                precision,
                tensors: DeviceTensors::new(arch, precision, driver.as_mut())?,
                memory: Memory::default(),
                driver,
                clock: None,
            },
        })
    }

    /// Memory for a batch of this size; that of another size goes back to the device. What the last batch led to is
    /// lost.
    fn begin(&mut self, size: usize) -> Result<Batch, NnError> {
        self.begun = None;
        if let Some(batch) = self.batch.filter(|b| b.size == size) {
            return Ok(batch);
        }
        let largest = self.plan.lengths.iter().max().copied().unwrap_or(0);
        if largest * size >= MOST_VALUES {
            return Err(NnError::BatchTooLarge {
                batch: size,
                at_most: MOST_VALUES / largest,
            });
        }
        self.steps = Steps::default();
        let driver = self.core.driver.as_mut();
        self.core.memory.release(driver);
        if let Some(old) = self.batch.take() {
            old.free(driver);
        }
        let batch = Batch::new(size, &self.arch, driver)?;
        self.batch = Some(batch);
        Ok(batch)
    }

    fn run_forward(&mut self, batch: Batch, mode: Mode) -> Result<(), NnError> {
        let (plan, layers) = (&self.plan, &self.layers);
        let mut cx = self.core.context(mode, batch.size, None);
        let images = images(&mut cx, batch, self.arch.input().len())?;
        let tape = Tape::forward(plan, layers, &mut cx, images, Keep::Nothing)?;
        cx.widen(tape.output(plan), batch.logits)?;
        tape.finish(&mut cx);
        Ok(())
    }

    /// Everything of a training step but the ways from and to the host.
    fn run_step(&mut self, batch: Batch, kind: StepKind) -> Result<(), NnError> {
        let (plan, layers) = (&self.plan, &self.layers);
        let random = kind.seed.map(|seed| Random {
            seed,
            step: self.step,
        });
        let mut cx = self.core.context(Mode::Train, batch.size, random);
        cx.tensors.clear_gradients(cx.driver)?;
        let images = images(&mut cx, batch, self.arch.input().len())?;
        let mut tape = Tape::forward(plan, layers, &mut cx, images, Keep::ForBackward)?;
        let logits = tape.output(plan);
        cx.widen(logits, batch.logits)?;
        let gradient = loss(&mut cx, logits, batch, kind.label_smoothing, self.results)?;
        tape.backward(plan, layers, &mut cx, gradient)?;
        tape.finish(&mut cx);
        Ok(())
    }

    /// Runs a step call by call, or as the recording that it has become.
    fn step(&mut self, batch: Batch, kind: StepKind) -> Result<(), NnError> {
        if self.steps.kind != Some(kind) {
            self.steps = Steps {
                kind: Some(kind),
                ..Steps::default()
            };
        }
        if self.steps.recording.is_none() {
            if self.steps.done < STEPS_BEFORE || self.core.clock.is_some() {
                self.steps.done += 1;
                return self.run_step(batch, kind);
            }
            self.core.driver.record()?;
            let noted = self.run_step(batch, kind);
            let recording = self.core.driver.recorded();
            noted?;
            self.steps.recording = Some(recording?);
        }
        match &self.steps.recording {
            Some(recording) => Ok(recording.replay(self.core.driver.as_mut())?),
            None => Ok(()),
        }
    }

    fn count_batch(&mut self) {
        for counter in &self.counters {
            self.core.tensors.count(*counter);
        }
    }

    /// What stands behind a failure: memory that was in use is free again, and a lack of memory is put
    /// down to the batch.
    fn failed(&mut self, error: NnError, batch: usize) -> NnError {
        self.core.memory.reclaim();
        self.steps = Steps::default();
        let error = blame(error, batch);
        if matches!(error, NnError::DeviceMemory { .. }) {
            let driver = self.core.driver.as_mut();
            self.core.memory.release(driver);
            self.staging.release(driver);
        }
        error
    }

    fn try_forward(
        &mut self,
        images: &Images<'_>,
        mode: Mode,
        logits: &mut Vec<f32>,
    ) -> Result<(), NnError> {
        let batch = self.begin(images.batch)?;
        batch.upload(images, self.core.driver.as_mut())?;
        self.run_forward(batch, mode)?;
        self.fetch_logits(batch, logits)
    }

    fn try_begin_step(&mut self, source: Source<'_>, options: &StepOptions) -> Result<(), NnError> {
        let batch = self.begin(source.size())?;
        let driver = self.core.driver.as_mut();
        let seed = match options.regularisation {
            Regularisation::Off => None,
            Regularisation::Seeded { seed, step } => {
                driver.upload(bytemuck::bytes_of(&step), self.step)?;
                Some(seed)
            }
        };
        source.put_into(batch, driver)?;
        let kind = StepKind {
            batch: batch.size,
            label_smoothing: options.label_smoothing,
            seed,
        };
        self.optimisers.new_gradients();
        self.step(batch, kind)?;
        self.count_batch();
        self.begun = Some(batch);
        Ok(())
    }

    fn fetch_results(
        &mut self,
        batch: Batch,
        logits: &mut Vec<f32>,
    ) -> Result<StepOutput, NnError> {
        let mut results = [Results::default()];
        let bytes = bytemuck::cast_slice_mut(&mut results);
        self.core.driver.download(self.results, bytes)?;
        self.fetch_logits(batch, logits)?;
        Ok(StepOutput {
            loss: results[0].loss,
            correct: results[0].correct as usize,
        })
    }

    fn fetch_logits(&mut self, batch: Batch, logits: &mut Vec<f32>) -> Result<(), NnError> {
        logits.resize(batch.size * self.arch.classes(), 0.0);
        let bytes = bytemuck::cast_slice_mut(logits);
        Ok(self.core.driver.download(batch.logits, bytes)?)
    }
}

/// Puts a lack of memory down to the batch.
fn blame(error: NnError, batch: usize) -> NnError {
    match error {
        NnError::Device(DeviceError::OutOfMemory { .. }) => NnError::DeviceMemory { batch },
        other => other,
    }
}

/// The images as the first activation.
fn images(cx: &mut Context<'_>, batch: Batch, image: usize) -> Result<Buffer, DeviceError> {
    let images = cx.take(batch.size * image)?;
    cx.narrow(batch.pixels, images.view())?;
    Ok(images)
}

/// Mean cross-entropy and the number of right answers, into `results`; the gradient of the logits.
fn loss(
    cx: &mut Context<'_>,
    logits: View,
    batch: Batch,
    smoothing: f32,
    results: Address,
) -> Result<Buffer, DeviceError> {
    let classes = logits.values / batch.size;
    let gradient = cx.take(logits.values)?;
    let losses = cx.floats(2 * batch.size)?;
    let hits = cx.floats(batch.size)?;
    let arguments = [
        logits.into(),
        Argument::Address(batch.labels),
        smoothing.into(),
        (&losses).into(),
        (&hits).into(),
        (&gradient).into(),
        Argument::count(batch.size),
        Argument::count(classes),
    ];
    let grid = [batch.size as u32, 1, 1];
    cx.launch_typed("cross_entropy", grid, &arguments)?;
    let correct = results + std::mem::offset_of!(Results, correct) as u64;
    let arguments = [
        (&losses).into(),
        (&hits).into(),
        Argument::count(batch.size),
        Argument::Address(results),
        Argument::Address(correct),
    ];
    cx.launch("cross_entropy_total", grid::line(1), &arguments)?;
    cx.give(losses);
    cx.give(hits);
    Ok(gradient)
}

impl Backend for Executor {
    fn load(&mut self, state: &StateDict) -> Result<(), NnError> {
        self.core
            .tensors
            .load(&self.arch, state, self.core.driver.as_mut())
    }

    fn state(&mut self) -> Result<StateDict, NnError> {
        Ok(self.core.tensors.state(self.core.driver.as_mut())?)
    }

    fn gradients(&mut self) -> Result<StateDict, NnError> {
        Ok(self.core.tensors.gradients(self.core.driver.as_mut())?)
    }

    fn forward(
        &mut self,
        images: &Images<'_>,
        mode: Mode,
        logits: &mut Vec<f32>,
    ) -> Result<(), NnError> {
        self.try_forward(images, mode, logits)
            .map_err(|e| self.failed(e, images.batch))?;
        if mode == Mode::Train {
            self.count_batch();
        }
        Ok(())
    }

    fn stage(&mut self, examples: Examples) -> Result<(), NnError> {
        let driver = self.core.driver.as_mut();
        self.staging
            .stage(&examples, driver)
            .map_err(|e| blame(e.into(), examples.batch))
    }

    fn begin_step(
        &mut self,
        given: Option<(&Images<'_>, &[u32])>,
        options: &StepOptions,
    ) -> Result<(), NnError> {
        let source = match given {
            Some((images, labels)) => Source::Host { images, labels },
            None => Source::Staged(self.staging.take().ok_or(NnError::NothingStaged)?),
        };
        self.try_begin_step(source, options)
            .map_err(|e| self.failed(e, source.size()))
    }

    fn end_step(&mut self, logits: &mut Vec<f32>) -> Result<StepOutput, NnError> {
        let batch = self.begun.take().ok_or(NnError::NoStep)?;
        self.fetch_results(batch, logits)
            .map_err(|e| self.failed(e, batch.size))
    }

    fn clip_gradients(&mut self, max_norm: f64) -> Result<f64, NnError> {
        let Core {
            tensors, driver, ..
        } = &mut self.core;
        let loss = self.results;
        let norm = self
            .optimisers
            .clip(tensors, max_norm, loss, driver.as_mut());
        Ok(norm?)
    }

    fn update(&mut self, update: &Update) -> Result<(), NnError> {
        let driver = self.core.driver.as_mut();
        Ok(self
            .optimisers
            .step(&mut self.core.tensors, update, driver)?)
    }

    fn reset_moments(&mut self, slots: usize) -> Result<(), NnError> {
        Ok(self
            .core
            .tensors
            .reset_moments(slots, self.core.driver.as_mut())?)
    }

    fn moments(&mut self, slot: usize) -> Result<StateDict, NnError> {
        Ok(self.core.tensors.moments(slot, self.core.driver.as_mut())?)
    }

    fn load_moments(&mut self, slot: usize, state: &StateDict) -> Result<(), NnError> {
        Ok(self
            .core
            .tensors
            .load_moments(slot, state, self.core.driver.as_mut())?)
    }

    #[cfg(test)]
    fn set_gradients(&mut self, gradients: &StateDict) -> Result<(), NnError> {
        Ok(self
            .core
            .tensors
            .load_gradients(gradients, self.core.driver.as_mut())?)
    }

    fn step_times(&self) -> Vec<StepTime> {
        let clock = self.core.clock.as_ref();
        clock.map_or_else(Vec::new, |clock| clock.times(&self.plan))
    }

    fn time_steps(&mut self) {
        self.steps = Steps::default();
        self.core.clock = Some(Clock::default());
    }

    fn buffer_bytes(&self) -> usize {
        self.core.memory.bytes()
    }
}
