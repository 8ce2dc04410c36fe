//! Graphs and predictions that the PyTorch reference implementation stored, for comparison.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::graph::{Graph, Node, Role};
use super::{Function, Parameter, Trace};
use crate::arch::deepnets::NetworkArgs;
use crate::nn::Tensor;

/// Why a reference file cannot be read.
#[derive(Debug, Error)]
#[error("reading the reference {path}: {reason}")]
pub struct ReferenceError {
    path: PathBuf,
    reason: String,
}

/// `graphs/TAG.graph.json.gz`.
#[derive(Debug, Deserialize)]
pub struct StoredGraph {
    pub arch: String,
    pub tag: String,
    pub input_size: [usize; 3],
    pub n_cells: usize,
    pub max_dist: u8,
    pub nodes: Vec<StoredNode>,
    /// `[from, to, distance]`, row by row.
    pub edges: Vec<(usize, usize, u8)>,
    /// If so, only direct edges are listed and the fields below check the rest.
    #[serde(default)]
    pub edges_omitted: bool,
    #[serde(default)]
    pub row_dist_sum: Vec<u64>,
    #[serde(default)]
    pub col_dist_sum: Vec<u64>,
    #[serde(default)]
    pub row_count: Vec<usize>,
    /// What a DeepNets-1M network is made of.
    pub net_args: Option<NetworkArgs>,
    autograd: StoredTrace,
    params: Vec<StoredParameter>,
}

#[derive(Debug, Deserialize)]
pub struct StoredNode {
    #[serde(rename = "type")]
    pub primitive: String,
    pub type_id: usize,
    pub name: String,
    pub shape: Option<Vec<usize>>,
    pub module: Option<String>,
    pub info: Option<StoredInfo>,
}

#[derive(Debug, Deserialize)]
pub struct StoredInfo {
    pub cell: usize,
    pub name: String,
    pub last_weight: bool,
    pub last_bias: bool,
}

#[derive(Debug, Deserialize)]
struct StoredTrace {
    roots: Vec<usize>,
    fns: Vec<StoredFunction>,
}

#[derive(Debug, Deserialize)]
struct StoredFunction {
    op: String,
    next: Vec<Option<usize>>,
    param: Option<String>,
    attrs: Option<StoredAttributes>,
}

#[derive(Debug, Deserialize)]
struct StoredAttributes {
    kernel_size: [usize; 2],
}

/// Name, shape, class, groups, dilation.
#[derive(Debug, Deserialize)]
struct StoredParameter(
    String,
    Vec<usize>,
    String,
    Option<usize>,
    Option<[usize; 2]>,
);

impl StoredGraph {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read or is not such a file.
    pub fn read(path: &Path) -> Result<Self, ReferenceError> {
        read(path)
    }

    /// The network's parameters in order.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        let parameters = self.params.iter();
        parameters
            .map(
                |StoredParameter(name, shape, class, groups, dilation)| Parameter {
                    name: name.clone(),
                    shape: shape.clone(),
                    class: class.clone(),
                    groups: groups.unwrap_or(1),
                    dilation: dilation.unwrap_or([1, 1]),
                },
            )
            .collect()
    }

    /// The autograd record that the graph was made from.
    #[must_use]
    pub fn trace(&self) -> Trace {
        let names: HashMap<&str, usize> = self
            .params
            .iter()
            .enumerate()
            .map(|(i, p)| (p.0.as_str(), i))
            .collect();
        let functions = self.autograd.fns.iter().map(|f| Function {
            op: f.op.clone().into(),
            next: f.next.clone(),
            parameter: f.param.as_deref().and_then(|p| names.get(p).copied()),
            kernel: f.attrs.as_ref().map(|a| a.kernel_size),
        });
        Trace {
            roots: self.autograd.roots.clone(),
            functions: functions.collect(),
        }
    }
}

impl StoredGraph {
    /// The first difference between a graph and this one, if there is any: nodes, their order and
    /// descriptions, edges, distances.
    #[must_use]
    pub fn difference(&self, graph: &Graph, parameters: &[Parameter]) -> Option<String> {
        if graph.len() != self.nodes.len() {
            return Some(format!(
                "{} nodes instead of {}",
                graph.len(),
                self.nodes.len()
            ));
        }
        if graph.cells != self.n_cells {
            return Some(format!("{} cells instead of {}", graph.cells, self.n_cells));
        }
        let pairs = graph.nodes.iter().zip(&self.nodes);
        let other = pairs
            .enumerate()
            .find(|(_, (node, stored))| !stored.describes(node, parameters));
        if let Some((id, (node, stored))) = other {
            return Some(format!("node {id} is {node:?} instead of {stored:?}"));
        }
        let edges: Vec<_> = graph.distances.edges().collect();
        if self.edges_omitted {
            return self.difference_of_sums(&edges);
        }
        difference_of_edges(edges.iter(), &self.edges)
    }

    /// Compares what is stored of graphs with too many edges: direct ones, and sums over all.
    fn difference_of_sums(&self, edges: &[(usize, usize, u8)]) -> Option<String> {
        let direct = edges.iter().filter(|e| e.2 == 1);
        let direct = difference_of_edges(direct, &self.edges);
        let nodes = self.nodes.len();
        let (mut rows, mut columns) = (vec![0; nodes], vec![0; nodes]);
        let mut counts = vec![0; nodes];
        for (from, to, length) in edges {
            rows[*from] += u64::from(*length);
            columns[*to] += u64::from(*length);
            counts[*from] += 1;
        }
        let same = (rows, columns, counts)
            == (
                self.row_dist_sum.clone(),
                self.col_dist_sum.clone(),
                self.row_count.clone(),
            );
        direct.or_else(|| (!same).then(|| "distances differ".to_owned()))
    }
}

impl StoredNode {
    fn describes(&self, node: &Node, parameters: &[Parameter]) -> bool {
        let class = node.parameter.map(|p| parameters[p].class.as_str());
        let same_place = self.info.as_ref().is_none_or(|info| {
            info.cell == node.cell
                && info.last_weight == (node.role == Role::ClassWeight)
                && info.last_bias == (node.role == Role::ClassBias)
        });
        self.primitive == node.primitive.name()
            && self.type_id == node.primitive.id()
            && self.name == node.name
            && self.shape == node.shape
            && self.module.as_deref() == class
            && same_place
    }
}

fn difference_of_edges<'a>(
    edges: impl Iterator<Item = &'a (usize, usize, u8)> + Clone,
    stored: &[(usize, usize, u8)],
) -> Option<String> {
    let count = edges.clone().count();
    if count != stored.len() {
        return Some(format!("{count} edges instead of {}", stored.len()));
    }
    let other = edges.zip(stored).find(|(a, b)| a != b);
    other.map(|(a, b)| format!("edge {a:?} instead of {b:?}"))
}

/// `pred/TAG.pred.json.gz`.
#[derive(Debug, Deserialize)]
pub struct StoredPredictions {
    pub arch: String,
    /// Name, shape, and flat indices of the values that are stored.
    pub params: Vec<(String, Vec<usize>, Vec<usize>)>,
    /// One prediction per GHN.
    pub ghns: std::collections::BTreeMap<String, StoredPrediction>,
}

#[derive(Debug, Deserialize)]
pub struct StoredPrediction {
    #[serde(default)]
    pub kwargs: StoredOptions,
    pub total_l2: f64,
    pub unpredicted: Vec<String>,
    pub shape_ind: Vec<[usize; 4]>,
    pub tensors: HashMap<String, StoredTensor>,
}

#[derive(Debug, Default, Deserialize)]
pub struct StoredOptions {
    pub predict_class_layers: Option<bool>,
}

/// Figures of one predicted tensor: mean, standard deviation, smallest, largest, L2 norm, the
/// first values, and the values at the stored indices.
#[derive(Debug, Deserialize)]
pub struct StoredTensor(
    pub f64,
    pub f64,
    pub f64,
    pub f64,
    pub f64,
    pub Vec<f64>,
    pub Vec<f64>,
);

impl StoredTensor {
    /// Largest difference between `tensor` and the stored values, in units of the largest stored
    /// value; infinite if the tensor has another shape or kind. `indices` are the stored values'.
    #[must_use]
    pub fn error(&self, tensor: &Tensor, indices: &[usize]) -> f64 {
        let Some(values) = tensor.floats() else {
            return f64::INFINITY;
        };
        // The first token's position encoding is random in the reference; its figures leave it out.
        let values = match *tensor.shape {
            [1, length, width] if length > 1 => &values[width..],
            _ => values,
        };
        let Self(mean, std, low, high, l2, first, picked) = self;
        let scale = low.abs().max(high.abs()).max(f64::MIN_POSITIVE);
        let ours = Figures::of(values);
        let picks = indices.iter().map(|i| values.get(i % values.len().max(1)));
        let pairs = first
            .iter()
            .zip(values.iter().map(Some))
            .chain(picked.iter().zip(picks));
        let worst = pairs.map(|(a, b)| b.map_or(f64::INFINITY, |b| (a - f64::from(*b)).abs()));
        let figures = [
            mean - ours.mean,
            std - ours.std,
            low - ours.low,
            high - ours.high,
            (l2 - ours.l2) / (values.len().max(1) as f64).sqrt(),
        ];
        let worst = worst.chain(figures.map(f64::abs));
        // A NaN must not pass for a small difference.
        worst.fold(0.0, |w, e| {
            if e.is_nan() {
                f64::INFINITY
            } else {
                f64::max(w, e)
            }
        }) / scale
    }
}

/// Figures of a tensor in double precision.
struct Figures {
    mean: f64,
    std: f64,
    low: f64,
    high: f64,
    l2: f64,
}

impl Figures {
    fn of(values: &[f32]) -> Self {
        let n = values.len().max(1) as f64;
        let each = || values.iter().map(|v| f64::from(*v));
        let mean = each().sum::<f64>() / n;
        Self {
            mean,
            std: (each().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt(),
            low: each().fold(f64::INFINITY, f64::min),
            high: each().fold(f64::NEG_INFINITY, f64::max),
            l2: each().map(|v| v * v).sum::<f64>().sqrt(),
        }
    }
}

impl StoredPredictions {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read or is not such a file.
    pub fn read(path: &Path) -> Result<Self, ReferenceError> {
        read(path)
    }
}

/// Reads gzip-compressed JSON.
fn read<T: DeserializeOwned>(path: &Path) -> Result<T, ReferenceError> {
    let error = |reason: String| ReferenceError {
        path: path.to_owned(),
        reason,
    };
    let file = File::open(path).map_err(|e| error(e.to_string()))?;
    serde_json::from_reader(BufReader::new(GzDecoder::new(BufReader::new(file))))
        .map_err(|e| error(e.to_string()))
}
