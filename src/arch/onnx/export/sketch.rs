//! A graph under construction: its nodes, their names and the constants that they read.

use std::collections::{HashMap, HashSet};

use super::super::proto::{AttributeProto, AttributeType, NodeProto};
use super::{Content, INPUT, Initialiser, OUTPUT, Opset};
use crate::arch::{Arch, Node, Offsets, Partition, Shape, TensorRole, TensorSpec};

/// A value of the graph, known by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value(String);

impl Value {
    pub fn named(name: &str) -> Self {
        Self(name.to_owned())
    }

    pub fn name(&self) -> &str {
        &self.0
    }
}

/// What a node reads.
pub(super) enum Argument<'v> {
    Value(&'v Value),
    /// A constant of its own, with a word for what it is.
    Constant {
        word: &'static str,
        shape: Vec<usize>,
        content: Content,
    },
}

impl<'v> From<&'v Value> for Argument<'v> {
    fn from(value: &'v Value) -> Self {
        Self::Value(value)
    }
}

/// A list of whole numbers.
pub(super) fn whole(word: &'static str, values: &[usize]) -> Argument<'static> {
    Argument::Constant {
        word,
        shape: vec![values.len()],
        content: Content::Whole(values.iter().map(|v| *v as i64).collect()),
    }
}

/// A number without dimensions.
pub(super) fn number(word: &'static str, value: f32) -> Argument<'static> {
    floats(word, &[], vec![value])
}

/// A tensor of numbers.
pub(super) fn floats(word: &'static str, shape: &[usize], values: Vec<f32>) -> Argument<'static> {
    Argument::Constant {
        word,
        shape: shape.to_vec(),
        content: Content::Floats(values),
    }
}

/// An attribute of one whole number.
pub(super) fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        i: Some(value),
        r#type: AttributeType::Int.into(),
        ..AttributeProto::default()
    }
}

/// An attribute of several.
pub(super) fn ints(name: &str, values: &[usize]) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        ints: values.iter().map(|v| *v as i64).collect(),
        r#type: AttributeType::Ints.into(),
        ..AttributeProto::default()
    }
}

/// An attribute of one real number.
pub(super) fn float(name: &str, value: f64) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        f: Some(value as f32),
        r#type: AttributeType::Float.into(),
        ..AttributeProto::default()
    }
}

/// What becomes of the axes that are reduced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Axes {
    /// They stay, of length one.
    Kept,
    Dropped,
}

/// What has been written so far.
pub(super) struct Sketch<'a> {
    arch: &'a Arch,
    pub opset: Opset,
    /// The module whose nodes are being written.
    path: String,
    nodes: Vec<NodeProto>,
    initialisers: Vec<Initialiser>,
    constants: HashSet<String>,
    /// Every name given, and how often it was asked for.
    names: HashMap<String, usize>,
    /// What is added to the scores of shifted windows, shared by the layers with the same windows.
    pub masks: HashMap<Partition, Value>,
}

impl<'a> Sketch<'a> {
    pub fn new(arch: &'a Arch, opset: Opset) -> Self {
        let stored = arch.tensors().iter().map(|t| t.name.as_str());
        let taken = stored.chain([INPUT, OUTPUT]);
        Self {
            arch,
            opset,
            path: String::new(),
            nodes: Vec::new(),
            initialisers: Vec::new(),
            constants: HashSet::new(),
            names: taken.map(|n| (n.to_owned(), 1)).collect(),
            masks: HashMap::new(),
        }
    }

    /// Names nodes after this module from now on.
    pub fn enter(&mut self, path: &str) {
        path.clone_into(&mut self.path);
    }

    /// Adds a node with one output, which has the node's name.
    pub fn node(
        &mut self,
        operator: &str,
        arguments: &[Argument<'_>],
        attributes: Vec<AttributeProto>,
    ) -> Value {
        let name = self.name_node(operator);
        let outputs = vec![name.clone()];
        self.push(operator, name.clone(), arguments, attributes, outputs);
        Value(name)
    }

    /// Adds a node with three outputs.
    pub fn node_of_three(
        &mut self,
        operator: &str,
        arguments: &[Argument<'_>],
        attributes: Vec<AttributeProto>,
    ) -> [Value; 3] {
        let name = self.name_node(operator);
        let outputs = [0, 1, 2].map(|i| self.unique(format!("{name}.{i}")));
        self.push(operator, name, arguments, attributes, outputs.to_vec());
        outputs.map(Value)
    }

    fn push(
        &mut self,
        operator: &str,
        name: String,
        arguments: &[Argument<'_>],
        attribute: Vec<AttributeProto>,
        output: Vec<String>,
    ) {
        let mut input = Vec::with_capacity(arguments.len());
        for argument in arguments {
            input.push(match argument {
                Argument::Value(value) => value.0.clone(),
                Argument::Constant {
                    word,
                    shape,
                    content,
                } => {
                    let name = self.unique(format!("{name}.{word}"));
                    self.add_initialiser(&name, shape, content.clone());
                    name
                }
            });
        }
        self.nodes.push(NodeProto {
            input,
            output,
            name,
            op_type: operator.to_owned(),
            attribute,
            ..NodeProto::default()
        });
    }

    /// `features.0/Relu`: the module's path, then the operator.
    fn name_node(&mut self, operator: &str) -> String {
        let name = if self.path.is_empty() {
            operator.to_owned()
        } else {
            format!("{}/{operator}", self.path)
        };
        self.unique(name)
    }

    fn unique(&mut self, wanted: String) -> String {
        let mut name = wanted.clone();
        while let Some(asked) = self.names.get_mut(&name) {
            let number = *asked;
            *asked += 1;
            name = format!("{wanted}_{number}");
        }
        self.names.insert(name.clone(), 1);
        name
    }

    fn add_initialiser(&mut self, name: &str, shape: &[usize], content: Content) {
        self.constants.insert(name.to_owned());
        self.initialisers.push(Initialiser {
            name: name.to_owned(),
            shape: shape.to_vec(),
            content,
        });
    }

    /// The tensor with this role that a node's op always has.
    pub fn tensor(&mut self, node: &Node, role: TensorRole) -> Value {
        self.stored(node, role)
            .expect("a layer with tensors has all of its op")
    }

    /// The tensor with this role among a node's own, if there is one.
    pub fn stored(&mut self, node: &Node, role: TensorRole) -> Option<Value> {
        let arch = self.arch;
        let spec = arch.tensors_of(node).iter().find(|t| t.role == role)?;
        Some(self.stored_tensor(spec))
    }

    /// A tensor of the state dict.
    pub fn stored_tensor(&mut self, spec: &TensorSpec) -> Value {
        if !self.constants.contains(&spec.name) {
            self.add_initialiser(&spec.name, &spec.shape, Content::Stored);
        }
        Value(spec.name.clone())
    }

    /// The coordinates of all offsets, which belong to the attention that their node stands in.
    pub fn offset_coordinates(&mut self, node: &Node, offsets: Offsets) -> Value {
        let arch = self.arch;
        let modules = arch.modules().iter().filter(|m| m.path == node.path);
        let mut tensors = modules.flat_map(|m| &arch.tensors()[m.tensors.clone()]);
        match tensors.find(|t| t.role == TensorRole::OffsetCoordinates) {
            Some(spec) => self.stored_tensor(spec),
            None => {
                let shape = [1, offsets.side(), offsets.side(), 2];
                let table = floats("table", &shape, offsets.coordinates());
                self.node("Identity", &[table], Vec::new())
            }
        }
    }

    pub fn is_constant(&self, value: &Value) -> bool {
        self.constants.contains(&value.0)
    }

    /// Shape of a node's input of this number, or of its output if there is none.
    pub fn shape_of(&self, node: &Node, input: usize) -> Shape {
        let input = node.inputs.get(input);
        input.map_or(node.shape, |i| self.arch.node(*i).shape)
    }

    /// The same values in another shape; a length of zero stands for that of the input's dimension.
    pub fn reshape(&mut self, x: &Value, lengths: &[usize]) -> Value {
        self.node("Reshape", &[x.into(), whole("shape", lengths)], Vec::new())
    }

    /// Dimension `order[i]` becomes number `i`.
    pub fn transpose(&mut self, x: &Value, order: &[usize]) -> Value {
        self.node("Transpose", &[x.into()], vec![ints("perm", order)])
    }

    /// Sum, product and the like of two values.
    pub fn pair(&mut self, operator: &str, a: &Value, b: &Value) -> Value {
        self.node(operator, &[a.into(), b.into()], Vec::new())
    }

    /// Values side by side along a dimension.
    pub fn join(&mut self, parts: &[Value], axis: usize) -> Value {
        let arguments: Vec<_> = parts.iter().map(Into::into).collect();
        self.node("Concat", &arguments, vec![int("axis", axis as i64)])
    }

    /// A function of one value.
    pub fn single(&mut self, operator: &str, x: &Value) -> Value {
        self.node(operator, &[x.into()], Vec::new())
    }

    /// A mean or the like over these axes, which are an attribute before version 18.
    pub fn reduce(&mut self, operator: &str, x: &Value, axes: &[usize], left: Axes) -> Value {
        let keep = int("keepdims", i64::from(left == Axes::Kept));
        if self.opset.number() < 18 {
            self.node(operator, &[x.into()], vec![ints("axes", axes), keep])
        } else {
            self.node(operator, &[x.into(), whole("axes", axes)], vec![keep])
        }
    }

    /// Every `step`-th part of each of some axes, from the first number to before the last:
    /// `[axis, first, last, step]`.
    pub fn slice(&mut self, x: &Value, parts: &[[usize; 4]]) -> Value {
        let of = |i: usize| parts.iter().map(|p| p[i]).collect::<Vec<_>>();
        let arguments = [
            x.into(),
            whole("starts", &of(1)),
            whole("ends", &of(2)),
            whole("axes", &of(0)),
            whole("steps", &of(3)),
        ];
        self.node("Slice", &arguments, Vec::new())
    }

    /// Zeros around the dimensions: first how many before each, then how many behind.
    pub fn pad(&mut self, x: &Value, pads: &[usize]) -> Value {
        self.node("Pad", &[x.into(), whole("pads", pads)], Vec::new())
    }

    /// The nodes and constants; `last` is called `output`.
    pub fn finish(mut self, last: &Value, output: &str) -> (Vec<NodeProto>, Vec<Initialiser>) {
        let is_made = self.nodes.iter().any(|n| n.output.contains(&last.0));
        let last = if is_made {
            last.clone()
        } else {
            self.single("Identity", last)
        };
        let values = self.nodes.iter_mut();
        for value in values.flat_map(|n| n.input.iter_mut().chain(&mut n.output)) {
            if *value == last.0 {
                output.clone_into(value);
            }
        }
        (self.nodes, self.initialisers)
    }
}
