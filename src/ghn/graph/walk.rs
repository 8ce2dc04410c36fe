//! Step 1: the depth-first walk over the autograd record that names the nodes and finds the edges.

use super::super::{Parameter, Trace};
use super::sketch::{Record, Sketch};

/// What a visit leaves behind: the node that carries a function's result on, and the name that
/// decides the direction of the edge.
#[derive(Clone, Copy)]
struct Seen {
    link: Option<usize>,
    /// The name under which it was seen holds "bias".
    is_bias: bool,
}

/// Nodes in order of creation, outputs first. A function that reads parameters is replaced by
/// them: data enters at the first and leaves from the last.
pub(super) fn walk(trace: &Trace, parameters: &[Parameter]) -> Sketch {
    let mut walk = Walk {
        trace,
        parameters,
        sketch: Sketch::default(),
        seen: vec![None; trace.functions.len()],
        start: vec![0; trace.functions.len()],
    };
    for root in &trace.roots {
        walk.visit(*root);
    }
    walk.sketch
}

struct Walk<'a> {
    trace: &'a Trace,
    parameters: &'a [Parameter],
    sketch: Sketch,
    seen: Vec<Option<Seen>>,
    /// The node at which data enters a function.
    start: Vec<usize>,
}

impl Walk<'_> {
    /// Walks everything above `root`. The stack stands for the recursion of the original: an entry
    /// is a function and how many of its inputs are done.
    fn visit(&mut self, root: usize) {
        if self.seen[root].is_some() {
            return;
        }
        self.enter(root);
        let mut stack = vec![(root, 0)];
        while let Some((function, done)) = stack.pop() {
            let Some(next) = self.trace.functions[function].next.get(done) else {
                continue;
            };
            match next {
                Some(input) if self.seen[*input].is_none() => {
                    self.enter(*input);
                    stack.push((function, done));
                    stack.push((*input, 0));
                }
                Some(input) => {
                    self.join(function, *input);
                    stack.push((function, done + 1));
                }
                None => stack.push((function, done + 1)),
            }
        }
    }

    /// Makes the node or nodes of a function.
    fn enter(&mut self, function: usize) {
        let record = &self.trace.functions[function];
        let is_leaf = |f: usize| self.trace.functions[f].parameter.is_some();
        let leaves: Vec<usize> = record
            .next
            .iter()
            .flatten()
            .copied()
            .filter(|n| is_leaf(*n))
            .collect();
        let (mut start, mut link) = (None, None);
        for leaf in leaves {
            link = self.enter_leaf(leaf);
            start = start.or(link);
        }
        if start.is_none() {
            let node = self.sketch.push(Record {
                name: record.op.clone().into_owned(),
                parameter: None,
                kernel: record.kernel,
            });
            (start, link) = (Some(node), Some(node));
        }
        self.start[function] = start.unwrap_or_default();
        self.seen[function] = Some(Seen {
            link,
            is_bias: record.op.contains("bias"),
        });
    }

    /// Makes a parameter's node, unless an earlier use of the parameter did.
    fn enter_leaf(&mut self, leaf: usize) -> Option<usize> {
        if let Some(seen) = self.seen[leaf] {
            return seen.link;
        }
        let parameter = self.trace.functions[leaf].parameter?;
        let name = self.parameters[parameter].name.clone();
        let is_bias = name.contains("bias");
        let node = self.sketch.push(Record {
            name,
            parameter: Some(parameter),
            kernel: None,
        });
        self.seen[leaf] = Some(Seen {
            link: Some(node),
            is_bias,
        });
        Some(node)
    }

    /// Draws the edge between a function and one of its inputs.
    fn join(&mut self, function: usize, input: usize) {
        let start = self.start[function];
        let Some(Seen {
            link: Some(link),
            is_bias,
        }) = self.seen[input]
        else {
            return;
        };
        if link == start {
            return;
        }
        if is_bias {
            self.sketch.connect(start, link);
        } else {
            self.sketch.connect(link, start);
        }
    }
}
