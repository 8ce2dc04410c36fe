//! A graph as JSON: the fields of the reference's graph files, as far as they mean something here.

use serde::Serialize;

use super::super::{Function, Parameter, Trace};
use super::{Graph, Node, Role};
use crate::arch::Arch;

/// What `arch graph --json` prints.
#[derive(Debug, Serialize)]
pub struct Document {
    arch: String,
    input_size: Vec<usize>,
    /// Graphs are those of networks in training mode.
    training_mode: bool,
    n_nodes: usize,
    n_edges: usize,
    n_edges_1hop: usize,
    max_dist: u8,
    n_cells: usize,
    nodes: Vec<NodeDocument>,
    /// `[from, to, distance]`, row by row, virtual edges included.
    edges: Vec<(usize, usize, u8)>,
    autograd: TraceDocument,
    params: Vec<ParameterDocument>,
}

/// Name, shape, class of the module, groups, dilation.
type ParameterDocument = (
    String,
    Vec<usize>,
    String,
    Option<usize>,
    Option<[usize; 2]>,
);

#[derive(Debug, Serialize)]
struct NodeDocument {
    id: usize,
    #[serde(rename = "type")]
    primitive: &'static str,
    type_id: usize,
    name: String,
    shape: Option<Vec<usize>>,
    /// Class of the module that owns the parameter.
    module: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<Info>,
}

#[derive(Debug, Serialize)]
struct Info {
    cell: usize,
    name: String,
    last_weight: bool,
    last_bias: bool,
}

#[derive(Debug, Serialize)]
struct TraceDocument {
    roots: Vec<usize>,
    fns: Vec<FunctionDocument>,
}

#[derive(Debug, Serialize)]
struct FunctionDocument {
    op: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attrs: Option<Attributes>,
    next: Vec<Option<usize>>,
}

#[derive(Debug, Serialize)]
struct Attributes {
    kernel_size: [usize; 2],
}

impl Document {
    /// The graph of `arch`, with the autograd record that it comes from.
    #[must_use]
    pub fn of(arch: &Arch) -> Self {
        let parameters = Parameter::list(arch);
        let trace = Trace::of(arch, &parameters);
        let graph = Graph::from_trace(&trace, &parameters);
        let edges: Vec<_> = graph.distances.edges().collect();
        let nodes = graph.nodes.iter().enumerate();
        let functions = trace.functions.into_iter();
        Self {
            arch: arch.name().to_owned(),
            input_size: arch.input().dims(),
            training_mode: true,
            n_nodes: graph.len(),
            n_edges: edges.len(),
            n_edges_1hop: edges.iter().filter(|e| e.2 == 1).count(),
            max_dist: edges.iter().map(|e| e.2).max().unwrap_or(0),
            n_cells: graph.cells,
            nodes: nodes.map(|(id, n)| node(id, n, &parameters)).collect(),
            edges,
            autograd: TraceDocument {
                roots: trace.roots,
                fns: functions.map(|f| function(f, &parameters)).collect(),
            },
            params: parameters.into_iter().map(parameter).collect(),
        }
    }
}

fn node(id: usize, node: &Node, parameters: &[Parameter]) -> NodeDocument {
    let described = node.parameter.is_some() || node.primitive.is_pool();
    let info = described.then(|| Info {
        cell: node.cell,
        name: if node.parameter.is_some() {
            node.name.clone()
        } else {
            node.primitive.name().to_owned()
        },
        last_weight: node.role == Role::ClassWeight,
        last_bias: node.role == Role::ClassBias,
    });
    NodeDocument {
        id,
        primitive: node.primitive.name(),
        type_id: node.primitive.id(),
        name: node.name.clone(),
        shape: node.shape.clone(),
        module: node.parameter.map(|p| parameters[p].class.clone()),
        info,
    }
}

fn function(function: Function, parameters: &[Parameter]) -> FunctionDocument {
    FunctionDocument {
        op: function.op.into_owned(),
        param: function.parameter.map(|p| parameters[p].name.clone()),
        attrs: function
            .kernel
            .map(|kernel_size| Attributes { kernel_size }),
        next: function.next,
    }
}

fn parameter(
    parameter: Parameter,
) -> (
    String,
    Vec<usize>,
    String,
    Option<usize>,
    Option<[usize; 2]>,
) {
    let conv = parameter.in_conv();
    (
        parameter.name,
        parameter.shape,
        parameter.class,
        conv.then_some(parameter.groups),
        conv.then_some(parameter.dilation),
    )
}
