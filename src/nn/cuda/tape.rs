//! One pass over a plan on a device: activations going forward, gradients coming back.

use super::driver::Address;
use super::layer::add::sum;
use super::layer::{Context, Kept, Layer};
use super::memory::{Buffer, View};
use crate::nn::error::NnError;
use crate::nn::network::{Keep, Plan, ValueId};

/// A step's layer, with its constants' places.
pub struct Placed {
    pub layer: Box<dyn Layer>,
    pub constants: Vec<Address>,
}

/// Activations of a forward pass and what layers saved beside them, as far as they are still needed.
pub struct Tape {
    values: Vec<Option<Buffer>>,
    saved: Vec<Vec<Buffer>>,
}

impl Tape {
    /// Runs all steps; `images` is the first value.
    pub fn forward<'a>(
        plan: &Plan,
        layers: &'a [Placed],
        cx: &mut Context<'a>,
        images: Buffer,
        keep: Keep,
    ) -> Result<Self, NnError> {
        let mut tape = Self {
            values: plan.lengths.iter().map(|_| None).collect(),
            saved: Vec::with_capacity(layers.len()),
        };
        tape.values[0] = Some(images);
        let batch = cx.batch;
        if let Some(clock) = &mut cx.clock {
            cx.driver.wait()?;
            clock.begin(plan.steps.len());
        }
        for (i, (step, placed)) in plan.steps.iter().zip(layers).enumerate() {
            cx.batch = if step.once { 1 } else { batch };
            cx.step = i as u32;
            cx.constants = &placed.constants;
            let output = cx.take(plan.lengths[step.output] * cx.batch)?;
            let inputs: Vec<View> = step.inputs.iter().filter_map(|v| tape.view(*v)).collect();
            placed.layer.forward(cx, &inputs, output.view())?;
            tape.values[step.output] = Some(output);
            let saved = std::mem::take(&mut cx.saved);
            if keep == Keep::Nothing {
                saved.into_iter().for_each(|b| cx.give(b));
                tape.saved.push(Vec::new());
            } else {
                tape.saved.push(saved);
            }
            for value in &plan.lives.after_forward[i] {
                if keep == Keep::Nothing || !plan.lives.kept[*value] {
                    tape.release(*value, cx);
                }
            }
            if let Some(clock) = &mut cx.clock {
                cx.driver.wait()?;
                clock.forward(i);
            }
        }
        cx.batch = batch;
        Ok(tape)
    }

    /// The logits.
    pub fn output(&self, plan: &Plan) -> View {
        self.view(plan.output).expect("the output is kept")
    }

    /// Runs all steps back, from the gradient of the output.
    pub fn backward<'a>(
        &mut self,
        plan: &Plan,
        layers: &'a [Placed],
        cx: &mut Context<'a>,
        gradient: Buffer,
    ) -> Result<(), NnError> {
        let mut gradients: Vec<Option<Buffer>> = plan.lengths.iter().map(|_| None).collect();
        gradients[plan.output] = Some(gradient);
        if let Some(clock) = &mut cx.clock {
            cx.driver.wait()?;
            clock.skip();
        }
        let batch = cx.batch;
        for (i, (step, placed)) in plan.steps.iter().zip(layers).enumerate().rev() {
            cx.batch = if step.once { 1 } else { batch };
            cx.step = i as u32;
            cx.constants = &placed.constants;
            let saved = std::mem::take(&mut self.saved[i]);
            if let Some(gradient) = gradients[step.output].take() {
                let kept = Kept {
                    input: step.inputs.first().and_then(|v| self.view(*v)),
                    output: self.view(step.output),
                    saved: &saved,
                };
                let wanted: Vec<bool> = step.inputs.iter().map(|v| plan.wanted[*v]).collect();
                let inputs = placed.layer.backward(cx, kept, gradient, &wanted)?;
                for (value, gradient) in step.inputs.iter().zip(inputs) {
                    let Some(gradient) = gradient else { continue };
                    collect(cx, &mut gradients[*value], gradient, plan.wanted[*value])?;
                }
            }
            saved.into_iter().for_each(|b| cx.give(b));
            for value in &plan.lives.after_backward[i] {
                self.release(*value, cx);
            }
            if let Some(clock) = &mut cx.clock {
                cx.driver.wait()?;
                clock.backward(i);
            }
        }
        cx.batch = batch;
        gradients.into_iter().flatten().for_each(|g| cx.give(g));
        Ok(())
    }

    /// Gives all memory back.
    pub fn finish(mut self, cx: &mut Context<'_>) {
        for value in 0..self.values.len() {
            self.release(value, cx);
        }
        self.saved.drain(..).flatten().for_each(|b| cx.give(b));
    }

    fn view(&self, id: ValueId) -> Option<View> {
        self.values[id].as_ref().map(Buffer::view)
    }

    fn release(&mut self, value: ValueId, cx: &mut Context<'_>) {
        if let Some(buffer) = self.values[value].take() {
            cx.give(buffer);
        }
    }
}

/// Adds a gradient to what other readers of the same activation sent back.
fn collect(
    cx: &mut Context<'_>,
    total: &mut Option<Buffer>,
    gradient: Buffer,
    wanted: bool,
) -> Result<(), NnError> {
    match total {
        Some(total) if wanted => {
            sum(cx, total.view(), gradient.view(), total.view())?;
            cx.give(gradient);
        }
        None if wanted => *total = Some(gradient),
        _ => cx.give(gradient),
    }
    Ok(())
}
