//! Walks through a file's graph and builds the architecture.
//!
//! Each node is looked at once, in order. Those that no image reaches are worked out (`fold.rs`); reshapes
//! and transpositions change a value's layout (`layout.rs`); chains wait until it is clear what they were
//! meant to be (`value.rs`). What cannot be taken over is noted, and the walk goes on, so that a message
//! names all of it.

use std::collections::{HashMap, HashSet};

use super::arrange::{Kind, plan};
use super::constant::Constant;
use super::error::Trouble;
use super::fold::Folder;
use super::graph::Graph;
use super::layout::{Axis, Layout, Piece};
use super::names::{Names, path_of_node};
use super::proto::NodeProto;
use super::value::{Data, Form, Range, Value};
use super::{OnnxError, Recipe};
use crate::arch::{Arch, ArchError, Builder, Deal, ModuleId, NodeId, Op, Shape};

/// Largest activation of one image, in numbers.
const MOST_ACTIVATION: usize = 1 << 28;

/// Most multiply-accumulates of one image: beyond, nobody waits for it.
const MOST_MACS: u128 = 1 << 60;

/// Most parameters of a network.
const MOST_PARAMETERS: usize = 1 << 32;

/// Operators that only give a value other dimensions, or none at all.
const RESHAPES: &[&str] = &[
    "Reshape",
    "Flatten",
    "Squeeze",
    "Unsqueeze",
    "Identity",
    "Cast",
];

/// The graph's walker.
pub(super) struct Importer<'g> {
    pub graph: &'g Graph,
    pub folder: Folder<'g>,
    pub b: Builder,
    values: HashMap<&'g str, Value>,
    names: Names,
    /// What each tensor of the architecture is made of, in its order.
    recipes: Vec<Recipe>,
    /// Layers by their tensors in the file, for those that are called twice.
    shared: HashMap<String, ModuleId>,
    /// Values after which only a softmax and reshapes follow.
    tail: HashSet<&'g str>,
    troubles: Vec<Trouble>,
}

/// The architecture, and what its tensors are made of.
pub(super) type Imported = (Arch, Vec<Recipe>);

impl<'g> Importer<'g> {
    /// Takes `graph` over, whose images are of shape `image`, with channels last in the file if
    /// `channels_last` says so.
    pub fn run(
        name: &str,
        graph: &'g Graph,
        image: Shape,
        channels_last: bool,
    ) -> Result<Imported, OnnxError> {
        let b = Builder::new(name, image, 0);
        let layout = Layout::of(image);
        let layout = if channels_last {
            layout.transposed(&[0, 2, 3, 1])
        } else {
            layout
        };
        let images = Value::Data(Data {
            form: Form::Node(b.input()),
            layout,
            at: 0,
        });
        let mut importer = Self {
            graph,
            folder: Folder::new(&graph.stored),
            b,
            values: HashMap::from([(graph.image.0.as_str(), images)]),
            names: Names::default(),
            recipes: Vec::new(),
            shared: HashMap::new(),
            tail: tail(graph),
            troubles: Vec::new(),
        };
        for (at, node) in graph.nodes.iter().enumerate() {
            importer.visit(at, node);
        }
        importer.finish()
    }

    fn visit(&mut self, at: usize, node: &'g NodeProto) {
        let values = match self.outputs(at, node) {
            Ok(values) => values,
            Err(reason) => {
                // What follows from an earlier trouble is none of its own.
                if let Some(reason) = reason {
                    self.trouble(node, reason);
                }
                Vec::new()
            }
        };
        let mut values = values.into_iter();
        for output in node.output.iter().filter(|o| !o.is_empty()) {
            let value = match values.next().unwrap_or(Value::Unknown) {
                Value::Constant(c) => Value::Constant(c.called(output)),
                other => other,
            };
            self.values.insert(output, value);
        }
    }

    fn trouble(&mut self, node: &NodeProto, reason: String) {
        self.troubles.push(Trouble {
            node: node.title().to_owned(),
            op: node.operator(),
            reason,
        });
    }

    /// A node's outputs; without a reason in the error if an input is unknown already.
    fn outputs(&mut self, at: usize, node: &'g NodeProto) -> Result<Vec<Value>, Option<String>> {
        let unknown = || Some("this operator is not supported".to_owned());
        if !node.is_standard() || !Self::knows(&node.op_type) {
            return Err(unknown());
        }
        if node.op_type == "Constant" {
            return self
                .constant_node(node)
                .map(|c| vec![Value::Constant(c)])
                .map_err(Some);
        }
        let mut constants = Vec::with_capacity(node.input.len());
        let mut depends = false;
        for name in &node.input {
            constants.push(match self.value(name).map_err(Some)? {
                None => None,
                Some(Value::Unknown) => return Err(None),
                Some(Value::Constant(c)) => Some(c.clone()),
                Some(Value::Data(_)) => {
                    depends = true;
                    None
                }
            });
        }
        if depends {
            return self.data_node(at, node, &constants).map_err(Some);
        }
        if !Folder::knows(&node.op_type) {
            return Err(Some(
                "no image reaches it, and it cannot be worked out ahead".into(),
            ));
        }
        if node.op_type == "ConstantOfShape"
            && let Some(value) = node.output.first().and_then(|o| self.graph.value(o))
        {
            constants.push(Some(value.map_err(Some)?));
        }
        let folded = self.folder.fold(node, &constants).map_err(Some)?;
        Ok(folded.into_iter().map(Value::Constant).collect())
    }

    /// Whether there is anything to do with an operator of this name.
    fn knows(op: &str) -> bool {
        Folder::knows(op) || op == "Constant" || Self::takes_data(op)
    }

    /// The value called `name`; none for an optional input that is left out.
    fn value(&mut self, name: &'g str) -> Result<Option<&Value>, String> {
        if name.is_empty() {
            return Ok(None);
        }
        if !self.values.contains_key(name) {
            let constant = self.graph.initialiser(name).ok_or_else(|| {
                format!("it reads \"{name}\", which is no input, no initialiser and no output of another node")
            })?;
            self.values.insert(name, Value::Constant(constant?));
        }
        Ok(self.values.get(name))
    }

    fn constant_node(&self, node: &NodeProto) -> Result<Constant, String> {
        let output = node.output.first().map_or("", String::as_str);
        if let Some(value) = self.graph.value(output) {
            return value;
        }
        if let Some(number) = node.float("value_float") {
            return Ok(Constant::computed(Vec::new(), vec![number], false));
        }
        if let Some(number) = node.int("value_int") {
            return Ok(Constant::computed(Vec::new(), vec![number as f64], true));
        }
        if let Some(list) = node.floats("value_floats") {
            let numbers: Vec<f64> = list.iter().map(|v| f64::from(*v)).collect();
            return Ok(Constant::computed(vec![numbers.len()], numbers, false));
        }
        let Some(list) = node.ints("value_ints") else {
            return Err("it has no value that can be read".into());
        };
        let numbers: Vec<f64> = list.iter().map(|v| *v as f64).collect();
        Ok(Constant::computed(vec![numbers.len()], numbers, true))
    }

    /// The data called `name`.
    pub fn data(&self, name: &str) -> Result<Data, String> {
        match self.values.get(name) {
            Some(Value::Data(data)) => Ok(data.clone()),
            _ => Err(format!("\"{name}\" does not depend on the images")),
        }
    }

    /// Whether a value is data.
    pub fn is_data(&self, name: &str) -> bool {
        matches!(self.values.get(name), Some(Value::Data(_)))
    }

    /// Whether only a softmax and reshapes follow a value.
    pub fn is_tail(&self, name: &str) -> bool {
        self.tail.contains(name)
    }

    /// The data called `name` as a node of the architecture, in its layout. What it waited for is decided.
    pub fn settle(&mut self, name: &'g str) -> Result<(NodeId, Layout), String> {
        let data = self.data(name)?;
        if let Form::Node(node) = data.form {
            return Ok((node, data.layout));
        }
        let (node, layout) = self.decide(&data)?;
        self.store(name, node, layout.clone());
        Ok((node, layout))
    }

    /// Notes the node that the data called `name` is.
    pub fn store(&mut self, name: &'g str, node: NodeId, layout: Layout) {
        if let Some(Value::Data(data)) = self.values.get_mut(name) {
            data.form = Form::Node(node);
            data.layout = layout;
        }
    }

    /// The data called `name` as an activation of one of these kinds.
    pub fn settle_as(&mut self, name: &'g str, kinds: &[Kind]) -> Result<(NodeId, Layout), String> {
        let data = self.data(name)?;
        if let Form::Region { of, by, .. } = data.form
            && kinds.contains(&Kind::Windows)
            && let Some(shifted) = self.shifted_windows(&data, of, by)?
        {
            return Ok(shifted);
        }
        let (node, layout) = self.settle(name)?;
        self.arrange(node, &layout, kinds, data.at)
    }

    /// An image that was turned cyclically and then cut into windows; none if it was not.
    fn shifted_windows(
        &mut self,
        data: &Data,
        of: NodeId,
        by: [usize; 2],
    ) -> Result<Option<(NodeId, Layout)>, String> {
        let Form::Region { rows, cols, .. } = data.form else {
            return Ok(None);
        };
        let side = self.b.shape(of).side().unwrap_or_default();
        let ops = plan(self.b.shape(of), &data.layout.groups(), Kind::Windows);
        let Some(mut ops) = ops.filter(|_| [rows, cols] == side.map(Range::all)) else {
            return Ok(None);
        };
        let Some(Op::Partition(partition)) = ops.last_mut() else {
            return Ok(None);
        };
        if !matches!(partition.deal, Deal::Blocks { .. }) {
            return Ok(None);
        }
        partition.deal = Deal::Blocks { shift: by };
        let mut node = of;
        for op in ops {
            node = self.push(data.at, op, &[node])?;
        }
        Ok(data
            .layout
            .renewed(self.b.shape(node))
            .map(|layout| (node, layout)))
    }

    /// A node of the architecture with the dimensions that `layout` gives it, as one of these kinds.
    pub fn arrange(
        &mut self,
        node: NodeId,
        layout: &Layout,
        kinds: &[Kind],
        at: usize,
    ) -> Result<(NodeId, Layout), String> {
        let (shape, groups) = (self.b.shape(node), layout.groups());
        let ops = kinds.iter().find_map(|k| plan(shape, &groups, *k));
        let ops = ops.ok_or_else(|| {
            format!(
                "its input of shape {:?}, which comes from an activation of {shape}, has its dimensions in an order that cannot be read here",
                layout.dims()
            )
        })?;
        let mut node = node;
        for op in ops {
            node = self.push(at, op, &[node])?;
        }
        let layout = layout.renewed(self.b.shape(node));
        let layout = layout.ok_or("its dimensions do not fit")?;
        Ok((node, layout))
    }

    /// Whether [`Importer::arrange`] would succeed.
    pub fn can_arrange(&self, node: NodeId, layout: &Layout, kind: Kind) -> bool {
        plan(self.b.shape(node), &layout.groups(), kind).is_some()
    }

    /// Data of a node of the architecture.
    pub fn node_value(node: NodeId, layout: Layout, at: usize) -> Vec<Value> {
        vec![Self::form_value(Form::Node(node), layout, at)]
    }

    pub fn form_value(form: Form, layout: Layout, at: usize) -> Value {
        Value::Data(Data { form, layout, at })
    }

    /// Calls a function on behalf of the graph's node `at`.
    pub fn push(&mut self, at: usize, op: Op, inputs: &[NodeId]) -> Result<NodeId, String> {
        let path = path_of_node(self.graph.nodes[at].title());
        let node = self.b.apply(&path, op, inputs).map_err(reason)?;
        self.sensible(node)
    }

    /// Calls a layer.
    pub fn call(&mut self, module: ModuleId, input: NodeId) -> Result<NodeId, String> {
        let node = self.b.call(module, input).map_err(reason)?;
        self.sensible(node)
    }

    fn sensible(&self, node: NodeId) -> Result<NodeId, String> {
        let dims = self.b.shape(node).dims();
        if dims.contains(&0) {
            return Err("nothing is left of the image: its output is empty".into());
        }
        let count = dims.iter().try_fold(1_usize, |n, d| n.checked_mul(*d));
        match count {
            Some(n) if n <= MOST_ACTIVATION => Ok(node),
            _ => Err(format!("its output of {dims:?} is beyond all measure")),
        }
    }

    /// The name of a new layer: its tensors' or its node's.
    pub fn layer_path(&mut self, tensors: &[&Constant], at: usize) -> String {
        let names: Vec<Option<&str>> = tensors.iter().map(|c| c.name.as_deref()).collect();
        self.names.layer(&names, self.graph.nodes[at].title())
    }

    /// The layer of these tensors, if it was called before; otherwise the one that `make` registers.
    pub fn module(
        &mut self,
        key: Option<String>,
        make: impl FnOnce(&mut Self) -> Result<ModuleId, String>,
    ) -> Result<ModuleId, String> {
        if let Some(module) = key.as_ref().and_then(|k| self.shared.get(k)) {
            return Ok(*module);
        }
        let module = make(self)?;
        if let Some(key) = key {
            self.shared.insert(key, module);
        }
        Ok(module)
    }

    /// Notes what a tensor of the architecture is made of; to be called in the order of registration.
    pub fn tensor(&mut self, recipe: Recipe) {
        self.recipes.push(recipe);
    }

    /// The piece of all channels of a node.
    pub fn channels(&self, node: NodeId) -> Piece {
        Piece::whole(Axis::Channel, self.b.shape(node).channels())
    }

    fn finish(mut self) -> Result<Imported, OnnxError> {
        let result = self.graph.result.as_str();
        if self.troubles.is_empty()
            && let Err(reason) = self.value(result).map(drop)
        {
            return Err(OnnxError::field("graph.output", reason));
        }
        if !self.troubles.is_empty() {
            return Err(OnnxError::Unsupported(self.troubles));
        }
        let last = self.settle(result).and_then(|(node, layout)| {
            let at = self.data(result)?.at;
            self.arrange(node, &layout, &[Kind::Vector], at)
        });
        let (node, _) = last.map_err(|reason| {
            OnnxError::field(
                format!("graph.output \"{result}\""),
                format!("a classification network gives one row of logits an image; {reason}"),
            )
        })?;
        if node == self.b.input() {
            return Err(OnnxError::field(
                "graph.output",
                "nothing happens to the images",
            ));
        }
        let mut arch = self.b.finish();
        keep_ancestors(&mut arch, node);
        arch.classes = arch.nodes.last().map_or(0, |n| n.shape.channels());
        if arch.parameter_count() > MOST_PARAMETERS {
            return Err(OnnxError::Size(
                "its parameters are beyond all measure".into(),
            ));
        }
        let macs = arch
            .nodes()
            .iter()
            .map(|n| u128::from(crate::arch::node_cost(&arch, n).macs));
        if macs.sum::<u128>() > MOST_MACS {
            return Err(OnnxError::Size(
                "its work for one image is beyond all measure".into(),
            ));
        }
        Ok((arch, self.recipes))
    }
}

/// Leaves out what the logits do not depend on; they come last then.
fn keep_ancestors(arch: &mut Arch, logits: NodeId) {
    let mut needed = vec![false; arch.nodes.len()];
    needed[0] = true;
    needed[logits.0] = true;
    for i in (0..=logits.0).rev().filter(|i| *i > 0) {
        if needed[i] {
            arch.nodes[i].inputs.iter().for_each(|n| needed[n.0] = true);
        }
    }
    let mut number = vec![NodeId(0); needed.len()];
    let mut nodes = Vec::new();
    for (i, mut node) in std::mem::take(&mut arch.nodes).into_iter().enumerate() {
        if needed[i] {
            number[i] = NodeId(nodes.len());
            node.inputs.iter_mut().for_each(|n| *n = number[n.0]);
            nodes.push(node);
        }
    }
    arch.nodes = nodes;
}

/// What stands between an op and its input, without the architecture's name.
fn reason(error: ArchError) -> String {
    match error {
        ArchError::BadShape {
            op, input, reason, ..
        } => format!("as {op} it cannot take an input of shape {input}: {reason}"),
        other => other.to_string(),
    }
}

/// The names from which only a softmax and reshapes lead to the result.
fn tail(graph: &Graph) -> HashSet<&str> {
    let makers: HashMap<&str, &NodeProto> = graph
        .nodes
        .iter()
        .filter_map(|n| Some((n.output.first()?.as_str(), n)))
        .collect();
    let mut tail = HashSet::new();
    let mut name = graph.result.as_str();
    while tail.insert(name) {
        let Some(node) = makers.get(name) else { break };
        let passes = RESHAPES.contains(&node.op_type.as_str())
            || matches!(node.op_type.as_str(), "Softmax" | "LogSoftmax");
        match node.input.first() {
            Some(input) if passes && graph.uses(input) == 1 => name = input,
            _ => break,
        }
    }
    tail
}
