//! An architecture as the graph of an ONNX model, in its inference form.
//!
//! Values have PyTorch's order of dimensions: the batch, then those of their [`Shape`]. What only acts
//! while training (dropout, stochastic depth) is absent. Parameters are named, not held: whoever writes
//! the file has their values.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::proto::{
    DataType, Dimension, DimensionValue, GraphProto, ModelProto, OperatorSetIdProto,
    StringStringEntryProto, TensorShapeProto, TensorType, TypeProto, ValueInfoProto,
};
use crate::arch::{Arch, Node, Op, Projection, Shape};
use sketch::{Sketch, Value};

mod attention;
mod layers;
mod moves;
mod pools;
mod sketch;
mod windows;

/// Name of the graph's input: normalised images, `[N, channels, height, width]`.
pub const INPUT: &str = "images";
/// Name of the graph's output, `[N, classes]`.
pub const OUTPUT: &str = "logits";
/// Name of the batch's dimension, whose length is free.
const BATCH: &str = "N";

/// A version of ONNX's standard operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opset(i64);

impl Opset {
    /// The first with layer normalisation as an operator.
    pub const OLDEST: i64 = 17;
    pub const NEWEST: i64 = 21;

    /// Its number.
    #[must_use]
    pub const fn number(self) -> i64 {
        self.0
    }

    /// The version of the file format that came with it.
    const fn ir_version(self) -> i64 {
        match self.0 {
            ..19 => 8,
            19 | 20 => 9,
            _ => 10,
        }
    }
}

impl Default for Opset {
    fn default() -> Self {
        Self(Self::OLDEST)
    }
}

impl fmt::Display for Opset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text that names no version that can be written.
#[derive(Debug, Error)]
#[error(
    "give a version of the operators from {} to {}",
    Opset::OLDEST,
    Opset::NEWEST
)]
pub struct UnknownOpset;

impl FromStr for Opset {
    type Err = UnknownOpset;

    fn from_str(text: &str) -> Result<Self, UnknownOpset> {
        match text.parse() {
            Ok(number @ Self::OLDEST..=Self::NEWEST) => Ok(Self(number)),
            _ => Err(UnknownOpset),
        }
    }
}

/// A model, all but the values of its parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Export {
    /// Its graph has no initialisers yet.
    pub model: ModelProto,
    /// Tensors that the graph reads, each of them used, in the order of first use.
    pub initialisers: Vec<Initialiser>,
}

/// A constant tensor of the graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Initialiser {
    /// For a stored tensor its name in the state dict.
    pub name: String,
    pub shape: Vec<usize>,
    pub content: Content,
}

/// Where a constant tensor's values are.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// In the network's state dict.
    Stored,
    /// Here, row-major.
    Floats(Vec<f32>),
    Whole(Vec<i64>),
}

impl Export {
    /// Number of the graph's nodes.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.model.graph.as_ref().map_or(0, |g| g.node.len())
    }

    /// Adds a line to what the model says about itself.
    pub fn describe(&mut self, key: &str, value: impl Into<String>) {
        self.model.metadata_props.push(StringStringEntryProto {
            key: key.to_owned(),
            value: value.into(),
        });
    }
}

/// The model of `arch`: nodes that the logits depend on, named after the modules' paths.
#[must_use]
pub fn export(arch: &Arch, opset: Opset) -> Export {
    let mut sketch = Sketch::new(arch, opset);
    let leads_to_logits = arch.leads_to_logits();
    // Of every node so far the value that it stands for, and whether no image reaches it.
    let mut made: Vec<(Value, bool)> = Vec::with_capacity(arch.nodes().len());
    let mut types = Vec::new();
    for (i, node) in arch.nodes().iter().enumerate() {
        if node.op == Op::Input || !leads_to_logits[i] {
            made.push((Value::named(INPUT), false));
            continue;
        }
        let inputs: Vec<Value> = node.inputs.iter().map(|i| made[i.0].0.clone()).collect();
        let once = node.inputs.iter().all(|i| made[i.0].1);
        let value = sketch.write(node, &inputs);
        if !inputs.contains(&value) && !sketch.is_constant(&value) {
            let batch = if once { Batch::One } else { Batch::Free };
            types.push(typed(value.name(), batch, node.shape));
        }
        made.push((value, once));
    }
    let logits = made.last().map_or(Value::named(INPUT), |m| m.0.clone());
    types.retain(|t| t.name != logits.name());
    let (node, initialisers) = sketch.finish(&logits, OUTPUT);
    let last = arch.nodes().last().map_or(arch.input(), |n| n.shape);
    let graph = GraphProto {
        node,
        name: arch.name().to_owned(),
        input: vec![typed(INPUT, Batch::Free, arch.input())],
        output: vec![typed(OUTPUT, Batch::Free, last)],
        value_info: types,
        ..GraphProto::default()
    };
    let mut export = Export {
        model: model(graph, opset),
        initialisers,
    };
    export.describe("arch", arch.name());
    export.describe("classes", arch.classes().to_string());
    export.describe("input", arch.input().to_string());
    export
}

fn model(graph: GraphProto, opset: Opset) -> ModelProto {
    ModelProto {
        ir_version: opset.ir_version(),
        producer_name: env!("CARGO_PKG_NAME").to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: format!(
            "A classifier for inference. \"{INPUT}\" takes normalised pixels: the data's mean and standard \
             deviation are not part of the model. \"{OUTPUT}\" are scores before softmax."
        ),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: opset.number(),
        }],
        ..ModelProto::default()
    }
}

/// Length of a value's first dimension.
#[derive(Clone, Copy)]
enum Batch {
    Free,
    /// The value is the same for all images.
    One,
}

/// The name and type of a value.
fn typed(name: &str, batch: Batch, shape: Shape) -> ValueInfoProto {
    let batch = match batch {
        Batch::Free => DimensionValue::DimParam(BATCH.to_owned()),
        Batch::One => DimensionValue::DimValue(1),
    };
    let lengths = shape.dims().into_iter();
    let lengths = lengths.map(|d| DimensionValue::DimValue(d as i64));
    let dim = std::iter::once(batch).chain(lengths);
    let tensor = TensorType {
        elem_type: DataType::Float.into(),
        shape: Some(TensorShapeProto {
            dim: dim.map(|d| Dimension { value: Some(d) }).collect(),
        }),
    };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            tensor_type: Some(tensor),
        }),
    }
}

impl Sketch<'_> {
    /// Writes what a node of the architecture does; the value that comes out.
    fn write(&mut self, node: &Node, inputs: &[Value]) -> Value {
        self.enter(&node.path);
        let Some(x) = inputs.first() else {
            return match node.op {
                Op::OffsetCoordinates(offsets) => self.offset_coordinates(node, offsets),
                _ => Value::named(INPUT),
            };
        };
        let input = self.shape_of(node, 0);
        match &node.op {
            Op::Input
            | Op::OffsetCoordinates(_)
            | Op::StochasticDepth { .. }
            | Op::Dropout { .. } => x.clone(),
            Op::Conv2d(conv) => self.conv(node, conv, x),
            Op::Projection(Projection::Keyless, linear) => self.keyless(node, linear, x),
            Op::Linear(linear) | Op::Projection(_, linear) => self.linear(node, linear, x),
            Op::BatchNorm {
                eps, tracked: true, ..
            } => self.batch_norm(node, *eps, x),
            Op::BatchNorm { eps, .. } => self.untracked_batch_norm(node, *eps, x),
            Op::LayerNorm { eps, .. } => self.layer_norm(node, *eps, x),
            Op::Activation(activation) => self.activation(*activation, x),
            Op::MaxPool(pool) => self.max_pool(pool, input, node.shape, x),
            Op::AvgPool(pool) => self.average_pool(pool, input, node.shape, x),
            Op::AdaptiveAvgPool(side) => self.adaptive_average_pool(*side, input, x),
            Op::Mean { .. } => self.mean(x),
            Op::ToGrid => self.transpose(x, &[0, 2, 3, 1]),
            Op::ToImage => self.transpose(x, &[0, 3, 1, 2]),
            Op::Flatten => self.flatten(input, x),
            Op::Add => self.pair("Add", x, &inputs[1]),
            Op::Gate => self.gate(node, x, &inputs[1]),
            Op::Concat => self.concat(node.shape, inputs),
            Op::Zeros => self.zeros(x),
            Op::Pixels { start, step } => self.pixels(*start, *step, input, x),
            Op::Chunk { index, .. } => self.chunk(*index, node.shape, x),
            Op::Shuffle { groups } => self.shuffle(*groups, node.shape, x),
            Op::LayerScale { channels } => self.layer_scale(node, *channels, x),
            Op::ToTokens => self.tokens(node.shape, x),
            Op::FromTokens(side) => self.image_of_tokens(*side, node.shape, x),
            Op::ClassToken { channels } => self.class_token(node, *channels, x),
            Op::PositionEmbedding { .. } | Op::PositionMap { .. } => self.position(node, x),
            Op::FirstToken => self.first_token(x),
            Op::Attention(attention) => self.attention(node, attention, x, inputs.get(1)),
            Op::Partition(partition) => self.partition(partition, input.channels(), x),
            Op::Reassemble(partition) => self.reassemble(partition, input.channels(), x),
            Op::MergePatches => self.merge_patches(input, x),
        }
    }
}

#[cfg(test)]
mod tests;
