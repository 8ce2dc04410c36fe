//! One pass over a plan: activations going forward, gradients coming back.

use super::plan::{Plan, Run, Step, ValueId};
use super::pool::{Buffer, Pool};
use crate::nn::error::NnError;
use crate::nn::kernel::moments::Moments;
use crate::nn::kernel::rows;
use crate::nn::layer::{Context, Kept};

/// What stays of a forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Only the output.
    Nothing,
    /// What the way back needs.
    ForBackward,
}

/// Activations of a forward pass, as far as they are still needed.
pub struct Tape {
    values: Vec<Option<Buffer>>,
    /// Of the channels of activations, as far as they were measured.
    moments: Vec<Option<Moments>>,
}

impl Tape {
    /// Runs all steps.
    pub fn forward(
        plan: &mut Plan,
        cx: &mut Context<'_>,
        pixels: &[f32],
        keep: Keep,
    ) -> Result<Self, NnError> {
        let mut tape = Self::begin(plan, cx, pixels);
        let batch = cx.batch;
        cx.clock.begin(plan.steps.len());
        for (i, step) in plan.steps.iter_mut().enumerate() {
            cx.batch = if step.once { 1 } else { batch };
            let mut output = cx.pool.take(plan.lengths[step.output] * cx.batch);
            let moments = &mut tape.moments;
            cx.input_moments = step.inputs.iter().map(|v| moments[*v].take()).collect();
            let inputs = tape.inputs(step);
            let result = step.layer.forward(cx, &inputs, &mut output);
            for (value, moments) in step.inputs.iter().zip(cx.input_moments.drain(..)) {
                tape.moments[*value] = moments;
            }
            tape.moments[step.output] = cx.output_moments.take();
            tape.values[step.output] = Some(output);
            if let Err(error) = result {
                tape.finish(cx.pool);
                return Err(error);
            }
            for value in &plan.lives.after_forward[i] {
                if keep == Keep::Nothing || !plan.lives.kept[*value] {
                    tape.release(*value, cx.pool);
                }
            }
            cx.clock.forward(i);
        }
        cx.batch = batch;
        Ok(tape)
    }

    /// Runs all steps in inference, those together that can be; only the output stays.
    pub fn infer(plan: &mut Plan, cx: &mut Context<'_>, pixels: &[f32]) -> Result<Self, NnError> {
        let mut tape = Self::begin(plan, cx, pixels);
        let batch = cx.batch;
        cx.clock.begin(plan.steps.len());
        for run in &plan.runs {
            let result = tape.run(&mut plan.steps, &plan.lengths, run, cx, batch);
            cx.clock.forward(run.step);
            if let Err(error) = result {
                tape.finish(cx.pool);
                return Err(error);
            }
        }
        cx.batch = batch;
        Ok(tape)
    }

    fn run(
        &mut self,
        steps: &mut [Step],
        lengths: &[usize],
        run: &Run,
        cx: &mut Context<'_>,
        batch: usize,
    ) -> Result<(), NnError> {
        let joined = run.behind.map(|b| (steps[b.step].layer.finish(cx), b));
        let step = &mut steps[run.step];
        cx.batch = if step.once { 1 } else { batch };
        let mut output = cx.pool.take(lengths[run.output] * cx.batch);
        let inputs = self.inputs(step);
        // No step measures what it writes: most norms have running moments.
        cx.input_moments = inputs.iter().map(|_| None).collect();
        match joined {
            Some((finish, behind)) => {
                let residual = behind.residual.map(|v| self.value(v));
                let layer = &mut step.layer;
                layer.forward_finished(cx, &inputs, &finish, residual, &mut output);
            }
            None => step.layer.forward(cx, &inputs, &mut output)?,
        }
        self.values[run.output] = Some(output);
        for value in &run.after {
            self.release(*value, cx.pool);
        }
        Ok(())
    }

    /// A tape with the images.
    fn begin(plan: &Plan, cx: &mut Context<'_>, pixels: &[f32]) -> Self {
        let mut images = cx.pool.take(pixels.len());
        images.copy_from_slice(pixels);
        let mut tape = Self {
            values: plan.lengths.iter().map(|_| None).collect(),
            moments: plan.lengths.iter().map(|_| None).collect(),
        };
        tape.values[0] = Some(images);
        tape
    }

    /// Copies the output out.
    pub fn copy_output(&self, plan: &Plan, output: &mut Vec<f32>) {
        output.clear();
        output.extend_from_slice(self.value(plan.output));
    }

    /// Runs all steps back, from the gradient of the output.
    pub fn backward(&mut self, plan: &mut Plan, cx: &mut Context<'_>, gradient: Buffer) {
        let mut gradients: Vec<Option<Buffer>> = plan.lengths.iter().map(|_| None).collect();
        gradients[plan.output] = Some(gradient);
        cx.clock.skip();
        let batch = cx.batch;
        for (i, step) in plan.steps.iter_mut().enumerate().rev() {
            cx.batch = if step.once { 1 } else { batch };
            if let Some(gradient) = gradients[step.output].take() {
                let kept = Kept {
                    inputs: &self.inputs(step),
                    output: self.value(step.output),
                };
                let wanted: Vec<bool> = step.inputs.iter().map(|v| plan.wanted[*v]).collect();
                cx.sums = step.inputs.iter().map(|v| gradients[*v].take()).collect();
                let own = step.layer.backward(cx, kept, gradient, &wanted);
                let values = step.inputs.iter();
                let sums = values.clone().zip(std::mem::take(&mut cx.sums));
                for (value, gradient) in sums.chain(values.zip(own)) {
                    let Some(gradient) = gradient else { continue };
                    collect(
                        &mut gradients[*value],
                        gradient,
                        plan.wanted[*value],
                        cx.pool,
                    );
                }
            }
            for value in &plan.lives.after_backward[i] {
                self.release(*value, cx.pool);
            }
            cx.clock.backward(i);
        }
        cx.batch = batch;
        for gradient in gradients.into_iter().flatten() {
            cx.pool.give(gradient);
        }
    }

    /// Gives all memory back.
    pub fn finish(&mut self, pool: &mut Pool) {
        for value in 0..self.values.len() {
            self.release(value, pool);
        }
    }

    /// What a step reads.
    fn inputs(&self, step: &Step) -> Vec<&[f32]> {
        step.inputs.iter().map(|v| self.value(*v)).collect()
    }

    /// The values of an activation; empty if they are no longer there.
    fn value(&self, id: ValueId) -> &[f32] {
        self.values[id].as_deref().unwrap_or(&[])
    }

    fn release(&mut self, value: ValueId, pool: &mut Pool) {
        if let Some(buffer) = self.values[value].take() {
            pool.give(buffer);
        }
    }
}

/// Adds a gradient to what other readers of the same activation sent back.
fn collect(sum: &mut Option<Buffer>, gradient: Buffer, wanted: bool, pool: &mut Pool) {
    match sum {
        Some(sum) if wanted => {
            rows::add_parallel(sum, &gradient);
            pool.give(gradient);
        }
        None if wanted => *sum = Some(gradient),
        _ => pool.give(gradient),
    }
}
