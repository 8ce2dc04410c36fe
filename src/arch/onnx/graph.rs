//! A file's graph, made fit for walking through: one image in, one result out, nodes in order.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::path::Path;

use super::constant::{Constant, Source, View, is_integer};
use super::proto::{DimensionValue, GraphProto, ModelProto, NodeProto, ValueInfoProto};
use super::stored::Stored;
use super::{NEWEST_OPSET, OLDEST_OPSET, OnnxError};

/// Largest dimension of a tensor: beyond, nothing could be run.
const LONGEST_DIMENSION: i64 = 1 << 31;

/// A graph to walk through.
#[derive(Debug)]
pub(super) struct Graph {
    /// The nodes that the result depends on; each comes after those whose outputs it reads.
    pub nodes: Vec<NodeProto>,
    /// Tensors of the file: initialisers, then the values of Constant nodes.
    pub stored: Stored,
    /// Places of initialisers in `stored`, by name.
    initialisers: HashMap<String, usize>,
    /// Places of Constant nodes' values in `stored`, by the node's output.
    values: HashMap<String, usize>,
    /// How often a value is read, the result itself counted.
    uses: HashMap<String, usize>,
    pub opset: i64,
    /// Name of the images, and what is known of their dimensions.
    pub image: (String, Vec<Option<usize>>),
    /// Name of the result.
    pub result: String,
}

impl Graph {
    /// Takes a model apart, which lies in `folder`.
    pub fn of(model: ModelProto, folder: Option<&Path>) -> Result<Self, OnnxError> {
        let opset = model
            .opset_import
            .iter()
            .find(|o| matches!(o.domain.as_str(), "" | "ai.onnx"))
            .map(|o| o.version)
            .ok_or_else(|| {
                OnnxError::field("opset_import", "the standard operators' version is missing")
            })?;
        if !(OLDEST_OPSET..=NEWEST_OPSET).contains(&opset) {
            return Err(OnnxError::Opset(opset));
        }
        let graph = model
            .graph
            .ok_or_else(|| OnnxError::field("graph", "it is missing"))?;
        let GraphProto {
            node,
            mut initializer,
            input,
            output,
            ..
        } = graph;
        let mut initialisers = HashMap::with_capacity(initializer.len());
        for (i, tensor) in initializer.iter().enumerate() {
            if initialisers.insert(tensor.name.clone(), i).is_some() {
                let field = format!("graph.initializer \"{}\"", tensor.name);
                return Err(OnnxError::field(field, "the name comes twice"));
            }
        }
        let image = image(&input, &initialisers)?;
        let result = output
            .first()
            .map(|o| o.name.clone())
            .ok_or_else(|| OnnxError::field("graph.output", "there is none"))?;
        let mut nodes = in_order(node, &result)?;
        let mut values = HashMap::new();
        for node in &mut nodes {
            if matches!(node.op_type.as_str(), "Constant" | "ConstantOfShape")
                && let Some(output) = node.output.first().cloned()
                && let Some(tensor) = node.tensor_mut("value")
            {
                values.insert(output, initializer.len());
                initializer.push(std::mem::take(tensor));
            }
        }
        let mut uses = HashMap::from([(result.clone(), 1)]);
        for name in nodes.iter().flat_map(|n| &n.input) {
            *uses.entry(name.clone()).or_default() += 1;
        }
        Ok(Self {
            nodes,
            stored: Stored::new(initializer, folder),
            initialisers,
            values,
            uses,
            opset,
            image,
            result,
        })
    }

    /// How often a value is read.
    pub fn uses(&self, name: &str) -> usize {
        self.uses.get(name).copied().unwrap_or_default()
    }

    /// The initialiser called `name`, if there is one.
    pub fn initialiser(&self, name: &str) -> Option<Result<Constant, String>> {
        let index = *self.initialisers.get(name)?;
        let constant = self.constant(index);
        Some(constant.map(|c| c.called(name)))
    }

    /// The value of the Constant or ConstantOfShape node whose output is `name`, if it is a tensor.
    pub fn value(&self, name: &str) -> Option<Result<Constant, String>> {
        let index = *self.values.get(name)?;
        Some(self.constant(index))
    }

    fn constant(&self, index: usize) -> Result<Constant, String> {
        Ok(Constant {
            source: Source::Stored(index),
            view: View::whole(self.stored.shape(index)?),
            integer: is_integer(self.stored.tensor(index).data_type),
            name: None,
        })
    }
}

/// The only input that is no initialiser, with its dimensions.
fn image(
    inputs: &[ValueInfoProto],
    initialisers: &HashMap<String, usize>,
) -> Result<(String, Vec<Option<usize>>), OnnxError> {
    let mut images = inputs
        .iter()
        .filter(|i| !initialisers.contains_key(&i.name));
    let (Some(image), None) = (images.next(), images.next()) else {
        let count = inputs.len()
            - inputs
                .iter()
                .filter(|i| initialisers.contains_key(&i.name))
                .count();
        return Err(OnnxError::field(
            "graph.input",
            format!("a classification network reads one input, the images; this one reads {count}"),
        ));
    };
    let field = || format!("graph.input \"{}\"", image.name);
    let tensor = image.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
    let shape = tensor.and_then(|t| t.shape.as_ref());
    let shape = shape.ok_or_else(|| OnnxError::field(field(), "its shape is missing"))?;
    let mut dims = Vec::with_capacity(shape.dim.len());
    for dim in &shape.dim {
        dims.push(match dim.value {
            Some(DimensionValue::DimValue(n)) if n > 0 && n <= LONGEST_DIMENSION => {
                Some(n as usize)
            }
            Some(DimensionValue::DimValue(n)) if n != 0 && n != -1 => {
                return Err(OnnxError::field(
                    field(),
                    format!("a dimension cannot be {n}"),
                ));
            }
            _ => None,
        });
    }
    if dims.len() != 4 {
        return Err(OnnxError::field(
            field(),
            format!(
                "images have four dimensions, with the batch; it has {}",
                dims.len()
            ),
        ));
    }
    Ok((image.name.clone(), dims))
}

/// The nodes that `result` depends on, in the file's order as far as that is one in which they can run.
fn in_order(nodes: Vec<NodeProto>, result: &str) -> Result<Vec<NodeProto>, OnnxError> {
    let mut makers: HashMap<&str, usize> = HashMap::new();
    for (i, node) in nodes.iter().enumerate() {
        for output in node.output.iter().filter(|o| !o.is_empty()) {
            if makers.insert(output, i).is_some() {
                let field = format!("node \"{}\", output \"{output}\"", node.title());
                return Err(OnnxError::field(field, "another node has the same output"));
            }
        }
    }
    let mut needed = HashSet::new();
    let mut open: Vec<usize> = makers.get(result).copied().into_iter().collect();
    while let Some(i) = open.pop() {
        if needed.insert(i) {
            open.extend(nodes[i].input.iter().filter_map(|n| makers.get(n.as_str())));
        }
    }
    // Kahn's order, the first node of the file that can run before the others.
    let mut readers: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut waits = vec![0_usize; nodes.len()];
    for &i in &needed {
        let inputs: HashSet<usize> = nodes[i]
            .input
            .iter()
            .filter_map(|n| makers.get(n.as_str()).copied())
            .collect();
        waits[i] = inputs.len();
        for maker in inputs {
            readers.entry(maker).or_default().push(i);
        }
    }
    let ready = needed.iter().filter(|i| waits[**i] == 0);
    let mut ready: BinaryHeap<Reverse<usize>> = ready.map(|i| Reverse(*i)).collect();
    let mut order = Vec::with_capacity(needed.len());
    while let Some(Reverse(i)) = ready.pop() {
        order.push(i);
        for &reader in readers.get(&i).into_iter().flatten() {
            waits[reader] -= 1;
            if waits[reader] == 0 {
                ready.push(Reverse(reader));
            }
        }
    }
    if order.len() < needed.len() {
        let stuck = needed.iter().filter(|i| waits[**i] > 0).min();
        let name = stuck.map_or("", |i| nodes[*i].title());
        return Err(OnnxError::Cycle(name.to_owned()));
    }
    drop(makers);
    let mut nodes: Vec<Option<NodeProto>> = nodes.into_iter().map(Some).collect();
    Ok(order.iter().filter_map(|i| nodes[*i].take()).collect())
}
