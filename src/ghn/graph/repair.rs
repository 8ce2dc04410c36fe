//! Steps 3 to 5: edges that the autograd record draws otherwise than data flows.

use super::super::Parameter;
use super::sketch::Sketch;

/// Step 3. A linear layer's weight reaches its product as a transposed side input, so it ends up
/// beside the data flow; here it changes places with the bias (or the softmax) that it feeds.
pub(super) fn linear_weights(sketch: &mut Sketch, parameters: &[Parameter]) {
    for i in 0..sketch.len() {
        if !sketch.predecessors[i].is_empty() || !sketch.name(i).contains("weight") {
            continue;
        }
        let weight = sketch.records[i].parameter;
        let module = weight.map(|p| parameters[p].module());
        let successors: Vec<usize> = sketch.successors[i].iter().copied().collect();
        for o in successors {
            let same = module == sketch.parameter(o, parameters).map(Parameter::module);
            let softmax = sketch.name(o).to_lowercase().contains("softmax");
            if same || softmax && sketch.predecessors[i].is_empty() {
                swap_into_flow(sketch, i, o);
            }
        }
    }
}

fn swap_into_flow(sketch: &mut Sketch, i: usize, o: usize) {
    let outputs = sketch.successors[i].len();
    if sketch.predecessors[o].iter().all(|p| *p == i) {
        return;
    }
    sketch.records.swap(i, o);
    sketch.disconnect(i, o);
    sketch.connect(o, i);
    if outputs == 1 {
        let others: Vec<usize> = sketch.successors[o]
            .iter()
            .copied()
            .filter(|s| *s != i)
            .collect();
        for s in others {
            sketch.disconnect(o, s);
            sketch.connect(i, s);
        }
    }
}

/// A last layer without bias: its product was dropped for want of a module, and left the weight without
/// any neighbour. It belongs behind everything else.
pub(super) fn last_weight(sketch: &mut Sketch) {
    let is_alone = |i: usize| sketch.predecessors[i].is_empty() && sketch.successors[i].is_empty();
    let weight = (0..sketch.len()).find(|i| sketch.name(*i).ends_with(".weight") && is_alone(*i));
    let Some(weight) = weight else { return };
    let ends: Vec<usize> = (0..sketch.len())
        .filter(|i| *i != weight && sketch.successors[*i].is_empty())
        .collect();
    for end in ends {
        sketch.connect(end, weight);
    }
}

/// Step 4. Only the softmax feeds an attention's output projection: values reach it through the
/// softmax, not beside it.
pub(super) fn softmax(sketch: &mut Sketch) {
    let softmaxes: Vec<usize> = (0..sketch.len())
        .filter(|i| sketch.name(*i).to_lowercase().contains("softmax"))
        .collect();
    if softmaxes.is_empty() {
        return;
    }
    let snapshot = sketch.clone();
    for i in softmaxes {
        let outputs: Vec<usize> = sketch.successors[i].iter().copied().collect();
        for o in outputs {
            let others: Vec<usize> = sketch.predecessors[o].iter().copied().collect();
            for j in others.into_iter().filter(|j| *j != i) {
                let paths = paths_up_to_two(&snapshot, j, o);
                let connected = sketch.has_edge(i, j);
                if paths > 1 || !connected {
                    sketch.disconnect(j, o);
                }
                if paths == 1 && !connected {
                    sketch.connect(j, i);
                }
            }
        }
    }
}

/// Number of simple paths, counted no further than two.
fn paths_up_to_two(sketch: &Sketch, from: usize, to: usize) -> usize {
    let mut reaches = vec![false; sketch.len()];
    let mut stack = vec![to];
    while let Some(n) = stack.pop() {
        if !std::mem::replace(&mut reaches[n], true) {
            stack.extend(&sketch.predecessors[n]);
        }
    }
    if !reaches[from] {
        return 0;
    }
    // Depth first over nodes that lead to the goal; the path so far with each node's open branches.
    let branches = |n: usize| -> Vec<usize> {
        let open = sketch.successors[n].iter().copied();
        open.filter(|s| reaches[*s]).collect()
    };
    let mut on_path = vec![false; sketch.len()];
    on_path[from] = true;
    let mut path = vec![(from, branches(from))];
    let mut found = 0;
    while let Some((node, open)) = path.last_mut() {
        let Some(next) = open.pop() else {
            on_path[*node] = false;
            path.pop();
            continue;
        };
        if next == to {
            found += 1;
            if found == 2 {
                break;
            }
        } else if !on_path[next] {
            on_path[next] = true;
            path.push((next, branches(next)));
        }
    }
    found
}

/// Step 5, Swin only: patch merging reads slices of a grid, which the walk takes for branches.
pub(super) fn patch_merging(sketch: &mut Sketch, parameters: &[Parameter]) {
    if !parameters
        .iter()
        .any(|p| p.class.starts_with("ShiftedWindowAttention"))
    {
        return;
    }
    for i in 0..sketch.len() {
        let name = sketch.name(i).to_owned();
        let lower = name.to_lowercase();
        if lower.ends_with("norm.weight") {
            norm_to_reduction(sketch, i, &name);
        } else if lower.ends_with("attn.proj.bias") {
            projection_past_reduction(sketch, i);
        }
    }
}

fn norm_to_reduction(sketch: &mut Sketch, i: usize, name: &str) {
    let wanted = name.replace("norm", "reduction");
    let reduction = (0..sketch.len()).find(|n| sketch.name(*n).contains(&wanted));
    if let Some(reduction) = reduction.filter(|r| sketch.has_edge(*r, i)) {
        return flow_through_reduction(sketch, reduction, i);
    }
    let outputs: Vec<usize> = sketch.successors[i].iter().copied().collect();
    for o in outputs {
        let other = sketch.name(o);
        if !(other.ends_with("norm1.weight") || other.contains("Add")) {
            continue;
        }
        if let Some(reduction) = reduction {
            sketch.disconnect(i, o);
            sketch.connect(i, reduction);
        }
    }
}

/// Swin v2, whose norms follow their reductions: the published rule would close a cycle there. What
/// reaches the norm comes through the reduction, which has no bias to change places with (step 3).
fn flow_through_reduction(sketch: &mut Sketch, reduction: usize, norm: usize) {
    let sources = sketch.predecessors[norm].clone();
    for source in sources.into_iter().filter(|s| *s != reduction) {
        sketch.disconnect(source, norm);
        sketch.connect(source, reduction);
    }
}

fn projection_past_reduction(sketch: &mut Sketch, i: usize) {
    let outputs: Vec<usize> = sketch.successors[i].iter().copied().collect();
    for o in outputs {
        if !sketch.name(o).ends_with("reduction.weight") {
            continue;
        }
        sketch.disconnect(i, o);
        let beyond: Vec<usize> = sketch.successors[o].iter().copied().collect();
        for q in beyond {
            if sketch.name(q).starts_with("AddBackward") {
                sketch.connect(i, q);
            }
        }
    }
}
