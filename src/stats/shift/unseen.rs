//! The parts of a network that a GHN cannot represent, or that no network of its training had.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::Population;
use super::profile::{Feature, layer};
use crate::arch::{Arch, Op};
use crate::ghn::graph::Role;
use crate::ghn::{Axis, BlockShape, Config, Fallback, Form, Graph, Parameter, ShapeTables};

/// Why a part is a stranger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The GHN makes nothing of it: it keeps its initialisation.
    Unpredicted,
    /// A kind of convolution that no network of the population has.
    NewLayer,
    /// More channels than any network of the population has.
    Wider,
    /// Its kernel is larger than the decoder's, and is stretched from that.
    Stretched,
    /// One of its sizes has no embedding, and is taken for another one.
    Rounded,
    /// Wider than the decoder's block: it consists of copies.
    Copied,
}

impl Kind {
    /// Its words in tables.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Unpredicted => "not predicted",
            Self::NewLayer => "no such layer",
            Self::Wider => "wider than any",
            Self::Stretched => "stretched kernel",
            Self::Rounded => "size rounded",
            Self::Copied => "copies",
        }
    }
}

/// A part of the network, with what is strange about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unseen {
    pub kind: Kind,
    /// In words, such as `depthwise 7x7`.
    pub what: String,
    /// Values of its parameters.
    pub params: u64,
    /// Their part of all parameters.
    pub share: f64,
    /// Names of its parameters, in state-dict order.
    pub tensors: Vec<String>,
}

/// What repetition does to the predicted weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tiling {
    /// Values of all predicted weights.
    pub values: u64,
    /// The most that can be different from each other.
    pub distinct: u64,
    /// Bound of the rank of a weight by the rank of a full one, averaged over the predicted weights; one if
    /// there is none.
    pub rank: f64,
    /// Weights that consist of copies, in state-dict order.
    pub layers: Vec<Layer>,
}

/// A weight that is wider than the GHN's block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    pub tensor: String,
    pub shape: Vec<usize>,
    /// How often the block occurs in it, wholly or in part.
    pub copies: u64,
    /// The rank of its matrix `[out, rest]` is this at most ...
    pub rank: usize,
    /// ... where this is possible.
    pub full_rank: usize,
}

/// Parts of `arch` that are strange to a GHN of such a config that was trained on `population`: those with
/// the most parameters first, kind by kind.
pub(super) fn find(
    arch: &Arch,
    graph: &Graph,
    parameters: &[Parameter],
    config: &Config,
    population: &Population,
) -> (Vec<Unseen>, Tiling) {
    let class_layers = arch.classes() == config.num_classes;
    let plan = config.plan(graph, parameters, class_layers);
    let mut parts = Parts::default();
    let mut tiling = Tiling {
        values: 0,
        distinct: 0,
        rank: 1.0,
        layers: Vec::new(),
    };
    let mut is_made = vec![false; parameters.len()];
    let (mut ranks, mut weights) = (0.0, 0.0);
    for made in &plan {
        is_made[made.parameter] = true;
        let shape = &parameters[made.parameter].shape;
        match made.form {
            Form::Vector(form) => {
                if let Some(offset) = form.offset() {
                    is_made[offset] = true;
                }
            }
            Form::Weight(block) | Form::ClassWeight(block) => {
                let decoded = config.decoded_kernel(block.kernel);
                let copy = Copies::of(shape, block);
                tiling.values += shape.iter().product::<usize>() as u64;
                tiling.distinct += (block.outputs * block.inputs * decoded[0] * decoded[1]) as u64;
                ranks += copy.rank as f64 / copy.full_rank as f64;
                weights += 1.0;
                if decoded != block.kernel {
                    parts.add(
                        Kind::Stretched,
                        &stretched(block.kernel, decoded),
                        made.parameter,
                    );
                }
                if copy.copies > 1 {
                    tiling.layers.push(Layer {
                        tensor: parameters[made.parameter].name.clone(),
                        shape: shape.clone(),
                        copies: copy.copies,
                        rank: copy.rank,
                        full_rank: copy.full_rank,
                    });
                    parts.add(Kind::Copied, "", made.parameter);
                }
            }
        }
    }
    if weights > 0.0 {
        tiling.rank = ranks / weights;
    }
    for (index, parameter) in parameters.iter().enumerate() {
        if !is_made[index] {
            let in_classifier = graph
                .nodes
                .iter()
                .any(|n| n.parameter == Some(index) && n.role != Role::Other);
            let why = if in_classifier {
                "classifier for another number of classes"
            } else {
                unpredicted(parameter)
            };
            parts.add(Kind::Unpredicted, why, index);
        }
    }
    let tables = ShapeTables::new(config);
    for node in &graph.nodes {
        let (Some(parameter), Some(shape)) = (node.parameter, node.described(parameters)) else {
            continue;
        };
        for fallback in tables.fallbacks(shape) {
            parts.add(Kind::Rounded, &rounded(fallback), parameter);
        }
    }
    parts.add_layers(arch, parameters, population);
    let mut unseen = parts.finish(arch, parameters);
    describe_copies(&mut unseen, &tiling, weights as usize, config);
    (unseen, tiling)
}

/// Parameters by kind and words.
#[derive(Default)]
struct Parts(BTreeMap<(Kind, String), BTreeSet<usize>>);

impl Parts {
    fn add(&mut self, kind: Kind, what: &str, parameter: usize) {
        let key = (kind, what.to_owned());
        self.0.entry(key).or_default().insert(parameter);
    }

    /// Convolutions and widths that the population does not know.
    fn add_layers(&mut self, arch: &Arch, parameters: &[Parameter], population: &Population) {
        let numbers = parameters.iter().map(|p| p.name.as_str()).zip(0..);
        let by_name: HashMap<&str, usize> = numbers.collect();
        let classifier = arch.matrix_modules().last();
        for module in arch.modules() {
            let own: Vec<usize> = arch.tensors()[module.tensors.clone()]
                .iter()
                .filter_map(|t| by_name.get(t.name.as_str()).copied())
                .collect();
            let widest = match &module.op {
                Op::Conv2d(conv) => {
                    let label = layer(conv);
                    if population.counts(Feature::Layers).of(&label) == 0 {
                        for parameter in &own {
                            self.add(Kind::NewLayer, &label, *parameter);
                        }
                    }
                    conv.in_channels.max(conv.out_channels)
                }
                Op::Linear(linear) | Op::Projection(_, linear) => linear.out_features,
                _ => 0,
            };
            let is_classifier = classifier.is_some_and(|c| c.path == module.path);
            if widest > population.widest() && !is_classifier {
                let what = format!("more than {} channels", population.widest());
                for parameter in own {
                    self.add(Kind::Wider, &what, parameter);
                }
            }
        }
    }

    fn finish(self, arch: &Arch, parameters: &[Parameter]) -> Vec<Unseen> {
        let all = arch.parameter_count().max(1) as f64;
        let mut unseen: Vec<Unseen> = self
            .0
            .into_iter()
            .map(|((kind, what), indices)| {
                let sizes = indices
                    .iter()
                    .map(|i| parameters[*i].shape.iter().product::<usize>());
                let params = sizes.sum::<usize>() as u64;
                Unseen {
                    kind,
                    what,
                    params,
                    share: params as f64 / all,
                    tensors: indices
                        .iter()
                        .map(|i| parameters[*i].name.clone())
                        .collect(),
                }
            })
            .collect();
        unseen.sort_by(|a, b| a.kind.cmp(&b.kind).then(b.params.cmp(&a.params)));
        unseen
    }
}

/// What a parameter is that is not predicted, as far as its module tells.
fn unpredicted(parameter: &Parameter) -> &'static str {
    match parameter.class.as_str() {
        "CNBlock" => "factors of residual branches",
        "VisionTransformer" => "class token",
        "ShiftedWindowAttention" | "RelativePositionalMultiHeadAttention" => {
            "biases of attention by position"
        }
        "ShiftedWindowAttentionV2" => "factors of attention",
        "Conv2d" | "Linear" => "layers beside the graph",
        _ => "other parameters",
    }
}

fn stretched(kernel: [usize; 2], decoded: [usize; 2]) -> String {
    let [[h, w], [dh, dw]] = [kernel, decoded];
    format!("kernel {h}x{w} from {dh}x{dw}")
}

fn rounded(fallback: Fallback) -> String {
    let Fallback {
        axis,
        size,
        taken_for,
    } = fallback;
    match axis {
        Axis::Channels => format!("{size} channels taken for {taken_for}"),
        Axis::Spatial => format!("kernel side {size} taken for {taken_for}"),
    }
}

fn describe_copies(unseen: &mut [Unseen], tiling: &Tiling, weights: usize, config: &Config) {
    let [out, input, ..] = config.max_shape;
    let most = tiling.layers.iter().map(|l| l.copies).max().unwrap_or(0);
    for part in unseen.iter_mut().filter(|p| p.kind == Kind::Copied) {
        part.what = format!(
            "{} of {weights} weights wider than {out}x{input}, up to {most} copies",
            tiling.layers.len()
        );
    }
}

/// What a block makes of a weight.
struct Copies {
    copies: u64,
    rank: usize,
    full_rank: usize,
}

impl Copies {
    /// Repeated rows and columns add nothing to a matrix's rank.
    fn of(shape: &[usize], block: BlockShape) -> Self {
        let (out, input, positions) = match *shape {
            [1, length, width] => (1, width, length),
            [out, input] => (out, input, 1),
            [out, input, h, w] => (out, input, h * w),
            _ => (block.outputs, block.inputs, 1),
        };
        let outputs = block.outputs.min(out);
        Self {
            copies: (out.div_ceil(outputs) * input.div_ceil(block.inputs)) as u64,
            rank: outputs.min(block.inputs * positions),
            full_rank: out.min(input * positions),
        }
    }
}
