//! The list of steps that a network runs, and when each activation's memory is free again.

use super::compile;
use crate::arch::Arch;
use crate::nn::error::NnError;
use crate::nn::layer::Layer;

/// An activation: the images (0) or the output of a step.
pub type ValueId = usize;

/// One step: a layer, what it reads and what it writes.
pub struct Step {
    pub layer: Box<dyn Layer>,
    /// The node's path, or its op where it has none.
    pub name: String,
    /// The node's op in words, or that of the first of those that run as one: `conv 3x3`, `batch_norm`.
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
            steps,
            lengths,
            output,
            wanted,
        })
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
            let first_input = step.inputs.first().copied();
            let kept_input = first_input.filter(|_| keeps.input);
            let kept_output = keeps.output.then_some(step.output);
            for value in kept_input.into_iter().chain(kept_output) {
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
