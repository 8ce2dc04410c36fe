//! Gives a network from a file another number of classes.

use super::OnnxError;
use crate::arch::{Arch, Op, Shape};

/// Replaces the width of the last layer with a weight, as a zoo network is built for any number of classes.
/// Everything behind it must take it.
pub(super) fn replace(arch: &mut Arch, classes: usize) -> Result<(), OnnxError> {
    let refused = |reason: String| {
        OnnxError::Size(format!(
            "it tells {} classes apart, and its last layer cannot be replaced by one for {classes}: {reason}",
            arch.classes
        ))
    };
    let last = arch.modules.iter().rposition(|m| m.op.owns_weight());
    let last = last.ok_or_else(|| refused("it has none".into()))?;
    let own = arch.classes;
    let calls = arch.nodes.iter().filter(|n| n.module == Some(last));
    if calls.count() != 1 {
        return Err(refused("it is called more than once".into()));
    }
    let mut op = arch.modules[last].op;
    let width = match &mut op {
        Op::Linear(l) | Op::Projection(_, l) => &mut l.out_features,
        Op::Conv2d(c) if c.groups == 1 => &mut c.out_channels,
        _ => return Err(refused(format!("it is a {}", op.word()))),
    };
    if *width != own {
        return Err(refused(format!("it has {width} outputs")));
    }
    *width = classes;
    let mut nodes = arch.nodes.clone();
    for i in 1..nodes.len() {
        if nodes[i].module == Some(last) {
            nodes[i].op = op;
        }
        let inputs: Vec<Shape> = nodes[i].inputs.iter().map(|n| nodes[n.0].shape).collect();
        let shape = nodes[i].op.infer(&inputs);
        nodes[i].shape = shape.map_err(|reason| refused(format!("behind it, {reason}")))?;
    }
    let logits = nodes.last().map(|n| n.shape);
    if logits != Some(Shape::Vector { channels: classes }) {
        return Err(refused("behind it, the number of channels is fixed".into()));
    }
    arch.nodes = nodes;
    arch.modules[last].op = op;
    for tensor in &mut arch.tensors[arch.modules[last].tensors.clone()] {
        if let Some(first) = tensor.shape.first_mut() {
            *first = classes;
        }
    }
    arch.classes = classes;
    Ok(())
}
