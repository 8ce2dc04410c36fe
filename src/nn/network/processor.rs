//! A network on the CPU.

use super::clock::{Clock, StepTime};
use super::plan::Plan;
use super::pool::Pool;
use super::tape::{Keep, Tape};
use super::tensors::Tensors;
use super::{Examples, Images, Mode, Regularisation, StepOptions, StepOutput};
use crate::arch::Arch;
use crate::nn::backend::Backend;
use crate::nn::error::NnError;
use crate::nn::kernel::{loss, update};
use crate::nn::layer::Context;
use crate::nn::state::StateDict;
use crate::nn::update::Update;

/// A plan with parameters, gradients and pooled buffers.
pub struct Processor {
    arch: Arch,
    plan: Plan,
    tensors: Tensors,
    /// Per slot and parameter, in the parameters' order and layout.
    moments: Vec<Vec<Vec<f32>>>,
    pool: Pool,
    clock: Clock,
    /// Samples of the last batch.
    batch: usize,
    /// The batch that waits for its step.
    staged: Option<Examples>,
    /// What the last step found, and its logits, until somebody asks for them.
    found: Option<StepOutput>,
    logits: Vec<f32>,
}

/// Keeps the quotient finite for a gradient of zero; torch's value.
const EPS: f64 = 1e-6;

impl Processor {
    /// All parameters zero and running variances one.
    pub fn new(arch: &Arch) -> Result<Self, NnError> {
        Ok(Self {
            plan: Plan::new(arch)?,
            tensors: Tensors::new(arch),
            arch: arch.clone(),
            moments: Vec::new(),
            pool: Pool::default(),
            clock: Clock::default(),
            batch: 0,
            staged: None,
            found: None,
            logits: Vec::new(),
        })
    }

    fn begin(&mut self, batch: usize) {
        self.found = None;
        if batch != self.batch {
            // Buffers of another batch size would only take up memory.
            self.pool.clear();
            self.batch = batch;
        }
    }

    fn run_step(
        &mut self,
        images: &Images<'_>,
        labels: &[u32],
        options: &StepOptions,
    ) -> Result<(), NnError> {
        self.begin(images.batch);
        self.tensors.clear_gradients();
        let mut logits = std::mem::take(&mut self.logits);
        let (plan, mut cx) = self.context(Mode::Train, options.regularisation);
        let mut tape = Tape::forward(plan, &mut cx, images.pixels, Keep::ForBackward)?;
        tape.copy_output(plan, &mut logits);
        let mut gradient = cx.pool.take(logits.len());
        let smoothing = options.label_smoothing;
        let found = loss::cross_entropy(&logits, labels, smoothing, &mut gradient);
        tape.backward(plan, &mut cx, gradient);
        tape.finish(cx.pool);
        self.logits = logits;
        self.found = Some(StepOutput {
            loss: found.loss,
            correct: found.correct,
        });
        Ok(())
    }

    /// What layers work with, and the plan.
    fn context(&mut self, mode: Mode, regularisation: Regularisation) -> (&mut Plan, Context<'_>) {
        let cx = Context {
            mode,
            batch: self.batch,
            regularisation,
            tensors: &mut self.tensors,
            pool: &mut self.pool,
            clock: &mut self.clock,
            input_moments: Vec::new(),
            output_moments: None,
            sums: Vec::new(),
        };
        (&mut self.plan, cx)
    }
}

impl Backend for Processor {
    fn load(&mut self, state: &StateDict) -> Result<(), NnError> {
        self.tensors.load(&self.arch, state)
    }

    fn state(&mut self) -> Result<StateDict, NnError> {
        Ok(self.tensors.state())
    }

    fn gradients(&mut self) -> Result<StateDict, NnError> {
        Ok(self.tensors.gradients())
    }

    fn forward(
        &mut self,
        images: &Images<'_>,
        mode: Mode,
        logits: &mut Vec<f32>,
    ) -> Result<(), NnError> {
        self.begin(images.batch);
        let (plan, mut cx) = self.context(mode, Regularisation::Off);
        let mut tape = match mode {
            Mode::Eval => Tape::infer(plan, &mut cx, images.pixels)?,
            _ => Tape::forward(plan, &mut cx, images.pixels, Keep::Nothing)?,
        };
        tape.copy_output(plan, logits);
        tape.finish(cx.pool);
        Ok(())
    }

    fn stage(&mut self, examples: Examples) -> Result<(), NnError> {
        self.staged = Some(examples);
        Ok(())
    }

    /// The step runs here: a processor has nobody to leave it to.
    fn begin_step(
        &mut self,
        given: Option<(&Images<'_>, &[u32])>,
        options: &StepOptions,
    ) -> Result<(), NnError> {
        match given {
            Some((images, labels)) => self.run_step(images, labels, options),
            None => {
                let staged = self.staged.take().ok_or(NnError::NothingStaged)?;
                self.run_step(&staged.images(), &staged.labels, options)
            }
        }
    }

    fn end_step(&mut self, logits: &mut Vec<f32>) -> Result<StepOutput, NnError> {
        let found = self.found.take().ok_or(NnError::NoStep)?;
        std::mem::swap(logits, &mut self.logits);
        Ok(found)
    }

    fn clip_gradients(&mut self, max_norm: f64) -> Result<f64, NnError> {
        let gradients = self.tensors.parameters_mut().map(|p| p.grad);
        let square: f64 = gradients.map(|g| update::square_sum(g)).sum();
        let norm = square.sqrt();
        let factor = max_norm / (norm + EPS);
        if norm.is_finite() && factor < 1.0 {
            for parameter in self.tensors.parameters_mut() {
                update::scale(parameter.grad, factor as f32);
            }
        }
        Ok(norm)
    }

    fn update(&mut self, rule: &Update) -> Result<(), NnError> {
        let parameters = self.tensors.parameters_mut();
        match (rule, &mut self.moments[..]) {
            (Update::Sgd(numbers), [momentum, ..]) => {
                for (p, m) in parameters.zip(momentum) {
                    update::sgd(numbers, p.value, p.grad, m);
                }
            }
            (Update::AdamW(numbers), [mean, square, ..]) => {
                for ((p, m), v) in parameters.zip(mean).zip(square) {
                    update::adamw(numbers, p.value, p.grad, m, v);
                }
            }
            (rule, slots) => panic!(
                "an update with {} moments meets {}",
                rule.moments(),
                slots.len()
            ),
        }
        Ok(())
    }

    fn reset_moments(&mut self, slots: usize) -> Result<(), NnError> {
        let zeros = || {
            let parameters = self.tensors.parameters_mut();
            parameters.map(|p| vec![0.0; p.value.len()]).collect()
        };
        self.moments = std::iter::repeat_with(zeros).take(slots).collect();
        Ok(())
    }

    fn moments(&mut self, slot: usize) -> Result<StateDict, NnError> {
        let indices = self.tensors.parameters();
        let moments = indices.zip(&self.moments[slot]);
        Ok(moments
            .map(|(i, values)| self.tensors.named_unpacked(i, values))
            .collect())
    }

    fn load_moments(&mut self, slot: usize, state: &StateDict) -> Result<(), NnError> {
        let parameters: Vec<usize> = self.tensors.parameters().collect();
        for (name, tensor) in state.iter() {
            if let Some((i, values)) = self.tensors.packed(name, tensor)
                && let Some(place) = parameters.iter().position(|p| *p == i)
            {
                self.moments[slot][place] = values;
            }
        }
        Ok(())
    }

    #[cfg(test)]
    fn set_gradients(&mut self, gradients: &StateDict) -> Result<(), NnError> {
        for (name, tensor) in gradients.iter() {
            if let Some((i, values)) = self.tensors.packed(name, tensor) {
                self.tensors.grad_mut(i).copy_from_slice(&values);
            }
        }
        Ok(())
    }

    fn step_times(&self) -> Vec<StepTime> {
        self.clock.times(&self.plan)
    }

    /// They are always timed: looking at a clock costs nothing beside a step.
    fn time_steps(&mut self) {}

    fn buffer_bytes(&self) -> usize {
        self.pool.bytes()
    }
}
