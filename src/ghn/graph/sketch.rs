//! The graph while it is being rewritten: named records and a set of direct edges.

use super::super::Parameter;
use super::places::Places;

/// What a node stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// The parameter's name, or the backward function's.
    pub name: String,
    /// Index into the network's parameters.
    pub parameter: Option<usize>,
    /// Window of a pool.
    pub kernel: Option<[usize; 2]>,
}

/// Nodes in a given order with direct edges between them.
#[derive(Clone, Debug, Default)]
pub(super) struct Sketch {
    pub records: Vec<Record>,
    /// Indices of the nodes that each node's edges lead to.
    pub successors: Vec<Places>,
    pub predecessors: Vec<Places>,
}

impl Sketch {
    pub fn len(&self) -> usize {
        self.records.len()
    }

    pub fn name(&self, node: usize) -> &str {
        &self.records[node].name
    }

    /// Appends a node without edges and returns its index.
    pub fn push(&mut self, record: Record) -> usize {
        self.records.push(record);
        self.successors.push(Places::default());
        self.predecessors.push(Places::default());
        self.len() - 1
    }

    pub fn connect(&mut self, from: usize, to: usize) {
        self.successors[from].insert(to);
        self.predecessors[to].insert(from);
    }

    pub fn disconnect(&mut self, from: usize, to: usize) {
        self.successors[from].remove(to);
        self.predecessors[to].remove(from);
    }

    pub fn has_edge(&self, from: usize, to: usize) -> bool {
        self.successors[from].holds(to)
    }

    /// Takes all of a node's edges away and connects its predecessors to its successors.
    pub fn bypass(&mut self, node: usize) {
        let before = std::mem::take(&mut self.predecessors[node]);
        let after = std::mem::take(&mut self.successors[node]);
        for &p in &before {
            self.successors[p].remove(node);
        }
        for &s in &after {
            self.predecessors[s].remove(node);
        }
        for &p in &before {
            for &s in after.iter().filter(|s| **s != p) {
                self.connect(p, s);
            }
        }
    }

    /// The same graph with only the nodes in `order`, in that order.
    #[must_use]
    pub fn arranged(mut self, order: &[usize]) -> Self {
        let mut place = vec![None; self.len()];
        for (new, &old) in order.iter().enumerate() {
            place[old] = Some(new);
        }
        let moved = |edges: &Places| -> Places { edges.iter().filter_map(|e| place[*e]).collect() };
        let successors = order.iter().map(|o| moved(&self.successors[*o])).collect();
        let predecessors = order
            .iter()
            .map(|o| moved(&self.predecessors[*o]))
            .collect();
        let empty = Record {
            name: String::new(),
            parameter: None,
            kernel: None,
        };
        let records = order
            .iter()
            .map(|o| std::mem::replace(&mut self.records[*o], empty.clone()))
            .collect();
        Self {
            records,
            successors,
            predecessors,
        }
    }

    /// The parameter behind a node.
    pub fn parameter<'a>(&self, node: usize, parameters: &'a [Parameter]) -> Option<&'a Parameter> {
        self.records[node].parameter.map(|p| &parameters[p])
    }

    /// Whether two nodes belong to the same module; two functions, which have none, do as well.
    pub fn same_module(&self, a: usize, b: usize, parameters: &[Parameter]) -> bool {
        let module = |n| self.parameter(n, parameters).map(Parameter::module);
        module(a) == module(b)
    }
}
