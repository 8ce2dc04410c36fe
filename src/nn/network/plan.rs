//! The list of steps that a network runs, and when each activation's memory is free again.

use super::compile;
use crate::arch::Arch;
use crate::nn::error::NnError;
use crate::nn::layer::{Joins, Layer};

/// An activation: the images (0) or the output of a step.
pub type ValueId = usize;

/// One step: a layer, what it reads and what it writes.
pub struct Step {
    pub layer: Box<dyn Layer>,
    /// The node's path, or its op where it has none.
    pub name: String,
    /// The node's op in words, or that of the first with parameters of those that run as one: `conv 3x3`.
    pub kind: String,
    /// Multiply-accumulates for one image.
    pub macs: u64,
    /// Usually one value or two, for a concatenation any number, for a constant none.
    pub inputs: Vec<ValueId>,
    pub output: ValueId,
    pub has_parameters: bool,
    /// No image reaches it: it runs once a batch rather than for every sample.
    pub once: bool,
}

/// Steps in execution order.
pub struct Plan {
    pub steps: Vec<Step>,
    /// Values of every activation, per sample.
    pub lengths: Vec<usize>,
    /// The logits.
    pub output: ValueId,
    /// Whether a gradient of the activation is needed.
    pub wanted: Vec<bool>,
    pub lives: Lives,
    /// The steps as they run in inference.
    pub runs: Vec<Run>,
}

/// A step in inference, together with the one behind it where that only finishes its values.
#[derive(Debug)]
pub struct Run {
    pub step: usize,
    pub behind: Option<Behind>,
    pub output: ValueId,
    /// What nobody reads after it.
    pub after: Vec<ValueId>,
}

/// A step that only finishes another's values.
#[derive(Clone, Copy, Debug)]
pub struct Behind {
    pub step: usize,
    /// What it adds to them.
    pub residual: Option<ValueId>,
}

/// When activations are last read.
#[derive(Debug)]
pub struct Lives {
    /// Per step, the activations that no later step reads going forward.
    pub after_forward: Vec<Vec<ValueId>>,
    /// Whether a step reads the activation again going backward.
    pub kept: Vec<bool>,
    /// Per step, the kept activations that no step still to come reads going backward.
    pub after_backward: Vec<Vec<ValueId>>,
}

impl Plan {
    pub fn new(arch: &Arch) -> Result<Self, NnError> {
        let compile::Compiled {
            steps,
            lengths,
            output,
        } = compile::compile(arch)?;
        let mut wanted = vec![false; lengths.len()];
        for step in &steps {
            let upstream = step.inputs.iter().any(|v| wanted[*v]);
            wanted[step.output] = upstream || step.has_parameters;
        }
        Ok(Self {
            lives: Lives::new(&steps, lengths.len(), output),
            runs: runs(&steps, lengths.len(), output),
            steps,
            lengths,
            output,
            wanted,
        })
    }
}

/// The steps in the order in which inference runs them.
fn runs(steps: &[Step], values: usize, output: ValueId) -> Vec<Run> {
    let mut readers = vec![0; values];
    steps
        .iter()
        .flat_map(|s| &s.inputs)
        .for_each(|v| readers[*v] += 1);
    let mut writer = vec![None; values];
    steps
        .iter()
        .enumerate()
        .for_each(|(i, s)| writer[s.output] = Some(i));
    let mut runs: Vec<Run> = Vec::new();
    let mut joined = vec![false; steps.len()];
    for (i, step) in steps.iter().enumerate() {
        let run = |step, behind| Run {
            step,
            behind,
            output: steps[i].output,
            after: Vec::new(),
        };
        // Only a sum may be of the values of either input.
        let inputs = match step.inputs.len() {
            2 if step.layer.is_symmetric() => 2,
            n => n.min(1),
        };
        let before = (0..inputs).find_map(|input| {
            let value = step.inputs[input];
            let before = writer[value]?;
            let fits = step.layer.joins() == Joins::Finish
                && steps[before].layer.joins() == Joins::Sums
                && !joined[before]
                && steps[before].once == step.once
                && readers[value] == 1
                && value != output;
            let residual = step.inputs.get(1 - input).copied();
            fits.then_some((before, residual))
        });
        match before {
            Some((before, residual)) => {
                joined[before] = true;
                runs.retain(|r| r.step != before);
                runs.push(run(before, Some(Behind { step: i, residual })));
            }
            None => runs.push(run(i, None)),
        }
    }
    release(&mut runs, steps, values, output);
    runs
}

/// Finds for every run what nobody reads after it.
fn release(runs: &mut [Run], steps: &[Step], values: usize, output: ValueId) {
    let mut last = vec![None; values];
    for (i, run) in runs.iter().enumerate() {
        let residual = run.behind.and_then(|b| b.residual);
        let inputs = steps[run.step].inputs.iter().copied();
        for value in inputs.chain(residual).chain([run.output]) {
            last[value] = Some(i);
        }
    }
    for (value, run) in last.into_iter().enumerate() {
        if let Some(run) = run.filter(|_| value != output) {
            runs[run].after.push(value);
        }
    }
}

impl Lives {
    fn new(steps: &[Step], values: usize, output: ValueId) -> Self {
        let mut last = vec![0; values];
        let mut first = vec![None; values];
        for (i, step) in steps.iter().enumerate() {
            let keeps = step.layer.keeps();
            last[step.output] = i;
            for value in &step.inputs {
                last[*value] = i;
            }
            let (head, tail) = step.inputs.split_at(step.inputs.len().min(1));
            let kept_inputs = [(keeps.input, head), (keeps.others, tail)];
            let kept_inputs = kept_inputs.into_iter().filter(|(kept, _)| *kept);
            let kept_inputs = kept_inputs.flat_map(|(_, values)| values).copied();
            let kept_output = keeps.output.then_some(step.output);
            for value in kept_inputs.chain(kept_output) {
                first[value].get_or_insert(i);
            }
        }
        let mut lives = Self {
            after_forward: vec![Vec::new(); steps.len()],
            kept: first.iter().map(Option::is_some).collect(),
            after_backward: vec![Vec::new(); steps.len()],
        };
        for value in 0..values {
            if value != output && !steps.is_empty() {
                lives.after_forward[last[value]].push(value);
            }
            if let Some(step) = first[value] {
                lives.after_backward[step].push(value);
            }
        }
        lives
    }
}
