//! Steps 7 to 9: the input, the topological order, and two families' peculiarities.

use super::super::Parameter;
use super::primitive::Primitive;
use super::sketch::{Record, Sketch};

/// Step 7: the images feed every weight that nothing else feeds. Position encodings and other
/// tables stay sources of their own.
pub(super) fn add_input(sketch: &mut Sketch) {
    let sources: Vec<usize> = (0..sketch.len())
        .filter(|i| sketch.predecessors[*i].is_empty() && sketch.name(*i).contains("weight"))
        .collect();
    let input = sketch.push(function("input"));
    for source in sources {
        sketch.connect(input, source);
    }
}

fn function(name: &str) -> Record {
    Record {
        name: name.to_owned(),
        parameter: None,
        kernel: None,
    }
}

/// Step 8: Kahn's topological order, generation by generation, within a generation in the order in
/// which nodes became free. A graph with a cycle keeps its order.
pub(super) fn topological(sketch: Sketch) -> Sketch {
    let mut waiting: Vec<usize> = sketch.predecessors.iter().map(|p| p.len()).collect();
    let mut generation: Vec<usize> = (0..sketch.len()).filter(|i| waiting[*i] == 0).collect();
    let mut order = Vec::with_capacity(sketch.len());
    while !generation.is_empty() {
        let mut next = Vec::new();
        for &node in &generation {
            for &s in &sketch.successors[node] {
                waiting[s] -= 1;
                if waiting[s] == 0 {
                    next.push(s);
                }
            }
        }
        order.append(&mut generation);
        generation = next;
    }
    if order.len() < sketch.len() {
        return sketch;
    }
    sketch.arranged(&order)
}

/// Step 9, vision transformers: the sum that adds a position encoding was replaced by the encoding
/// itself in step 1; it comes back right after it.
pub(super) fn restore_position_sums(mut sketch: Sketch, parameters: &[Parameter]) -> Sketch {
    let is_encoding = |sketch: &Sketch, i: usize| {
        let parameter = sketch.parameter(i, parameters);
        parameter.and_then(Primitive::of_parameter) == Some(Primitive::PositionEncoding)
    };
    let mut i = 0;
    while i < sketch.len() {
        if is_encoding(&sketch, i) {
            let sum = sketch.push(function("AddBackward0"));
            for p in std::mem::take(&mut sketch.predecessors[i]) {
                sketch.disconnect(p, i);
                sketch.connect(p, sum);
            }
            for s in std::mem::take(&mut sketch.successors[i]) {
                sketch.disconnect(i, s);
                sketch.connect(sum, s);
            }
            sketch.connect(i, sum);
            let order: Vec<usize> = (0..=i).chain([sum]).chain(i + 1..sum).collect();
            sketch = sketch.arranged(&order);
        }
        i += 1;
    }
    sketch
}

/// Step 9, networks whose classifier is a convolution before the global average (SqueezeNet): the
/// average moves before it *in the list only*, so that weight and bias are the last two nodes, which
/// is what makes them the classifier. The original does so for SqueezeNet by name.
pub(super) fn classifier_last(sketch: &mut Sketch, parameters: &[Parameter]) {
    let Some(weight) = sketch.len().checked_sub(3) else {
        return;
    };
    let is_classifier = sketch
        .parameter(weight, parameters)
        .is_some_and(|p| p.in_conv() && p.name.contains("classifier"));
    if is_classifier
        && sketch.same_module(weight, weight + 1, parameters)
        && sketch.name(weight + 2).starts_with("Mean")
    {
        sketch.records[weight..].rotate_right(1);
    }
}
