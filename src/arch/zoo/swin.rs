//! Swin Transformer, versions 1 and 2 (Liu et al. 2021, 2022), as
//! `torchvision.models.swin_transformer` builds them.

use super::Options;
use crate::arch::{
    Activation, Arch, ArchError, Attention, AttentionKind, Builder, Conv2d, Draw, Linear, ModuleId,
    NodeId, Offsets, Op, Partition, Projection, Scheme, Shift,
};

pub const NAMES: &[&str] = &["swin_t", "swin_s", "swin_b"];
pub const NAMES_V2: &[&str] = &["swin_v2_t", "swin_v2_s", "swin_v2_b"];

/// What sets the two papers apart: scores, and on which side of a branch or of patch merging the
/// norm stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    /// Norms come first.
    One,
    /// Norms come last.
    Two,
}

struct Config {
    version: Version,
    /// Channels of the first stage; each later one has twice as many.
    width: usize,
    depths: [usize; 4],
    /// Side of a window.
    window: usize,
    /// Probability of dropping the last block's branches; earlier blocks get a linear share.
    drop: f64,
}

/// Every layer norm of the family has this eps.
const EPS: f64 = 1e-5;
/// Side of a patch.
const PATCH: usize = 4;
/// Channels of a head, in every stage.
const HEAD: usize = 32;
/// Width of the small network that makes biases of offsets.
const BIAS_HIDDEN: usize = 512;
/// All linear layers are drawn alike.
const DRAW: Draw = Draw {
    weight: Scheme::truncated(0.02),
    bias: Scheme::ZEROS,
};

fn config(name: &str) -> Config {
    let (version, window) = if name.starts_with("swin_v2") {
        (Version::Two, 8)
    } else {
        (Version::One, 7)
    };
    let (width, depths, drop) = match name {
        "swin_t" | "swin_v2_t" => (96, [2, 2, 6, 2], 0.2),
        "swin_s" | "swin_v2_s" => (96, [2, 2, 18, 2], 0.3),
        "swin_b" | "swin_v2_b" => (128, [2, 2, 18, 2], 0.5),
        other => unreachable!("{other} is not in NAMES"),
    };
    Config {
        version,
        width,
        depths,
        window,
        drop,
    }
}

pub fn build(name: &str, options: &Options) -> Result<Arch, ArchError> {
    let config = config(name);
    let blocks: usize = config.depths.iter().sum();
    let mut b = Builder::new(name, options.input(), options.classes);
    let mut x = stem(&mut b, config.width)?;
    let mut index = 0;
    for (stage, depth) in config.depths.into_iter().enumerate() {
        let width = config.width << stage;
        // `features` holds the stem, then stages and patch merging by turns.
        let path = format!("features.{}", 2 * stage + 1);
        for i in 0..depth {
            let block = Block {
                version: config.version,
                path: format!("{path}.{i}"),
                width,
                partition: Partition::blocks(
                    b.shape(x).side().unwrap_or_default(),
                    config.window,
                    if i % 2 == 0 { Shift::None } else { Shift::Half },
                ),
                drop: config.drop * index as f64 / (blocks - 1) as f64,
            };
            x = block.build(&mut b, x)?;
            index += 1;
        }
        if stage < 3 {
            let path = format!("features.{}", 2 * stage + 2);
            x = merge(&mut b, config.version, &path, width, x)?;
        }
    }
    head(&mut b, config.width << 3, options.classes, x)?;
    Ok(b.finish())
}

const fn linear(in_features: usize, out_features: usize) -> Linear {
    Linear {
        in_features,
        out_features,
        bias: true,
    }
}

const fn linear_without_bias(in_features: usize, out_features: usize) -> Linear {
    Linear {
        in_features,
        out_features,
        bias: false,
    }
}

fn stem(b: &mut Builder, width: usize) -> Result<NodeId, ArchError> {
    let conv = Conv2d::new(3, width, PATCH).stride(PATCH).with_bias();
    let draw = Draw {
        weight: Scheme::torch_default(&conv.weight_shape()),
        bias: Scheme::torch_default_bias(3 * PATCH * PATCH),
    };
    let conv = b.conv("features.0.0", conv, draw);
    let norm = b.layer_norm("features.0.2", width, EPS);
    let x = b.call(conv, b.input())?;
    let x = b.apply("features.0.1", Op::ToGrid, &[x])?;
    b.call(norm, x)
}

/// Attention within windows and a two-layer network, each with a norm and a shortcut.
struct Block {
    version: Version,
    path: String,
    width: usize,
    partition: Partition,
    drop: f64,
}

impl Block {
    fn at(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    fn build(&self, b: &mut Builder, input: NodeId) -> Result<NodeId, ArchError> {
        let norm = b.layer_norm(&self.at("norm1"), self.width, EPS);
        let attention = WindowAttention::register(b, self);
        let input = self.branch(b, norm, input, |b, x| attention.call(b, x))?;

        let norm = b.layer_norm(&self.at("norm2"), self.width, EPS);
        let widen = b.linear(&self.at("mlp.0"), linear(self.width, 4 * self.width), DRAW);
        let narrow = b.linear(&self.at("mlp.3"), linear(4 * self.width, self.width), DRAW);
        self.branch(b, norm, input, |b, x| {
            let x = b.call(widen, x)?;
            let gelu = Op::Activation(Activation::Gelu);
            let x = b.apply(&self.at("mlp.1"), gelu, &[x])?;
            b.call(narrow, x)
        })
    }

    /// The sum of `input` and a branch, with the norm before or after it.
    fn branch(
        &self,
        b: &mut Builder,
        norm: ModuleId,
        input: NodeId,
        branch: impl FnOnce(&mut Builder, NodeId) -> Result<NodeId, ArchError>,
    ) -> Result<NodeId, ArchError> {
        let x = match self.version {
            Version::One => {
                let x = b.call(norm, input)?;
                branch(b, x)?
            }
            Version::Two => {
                let x = branch(b, input)?;
                b.call(norm, x)?
            }
        };
        let drop = Op::StochasticDepth { p: self.drop };
        let x = b.apply(&self.at("stochastic_depth"), drop, &[x])?;
        b.apply(&self.path, Op::Add, &[input, x])
    }
}

/// The modules of an attention, in the order of the state dict.
struct WindowAttention {
    path: String,
    partition: Partition,
    core: ModuleId,
    qkv: ModuleId,
    proj: ModuleId,
    /// Version 2: the small network from an offset to its biases.
    biases: Option<[ModuleId; 2]>,
}

impl WindowAttention {
    fn register(b: &mut Builder, block: &Block) -> Self {
        let &Block {
            width, partition, ..
        } = block;
        let path = block.at("attn");
        let at = |name: &str| format!("{path}.{name}");
        let heads = width / HEAD;
        let kind = match block.version {
            Version::One => AttentionKind::Windowed(partition),
            Version::Two => AttentionKind::Cosine(partition),
        };
        let core = Attention {
            channels: width,
            heads,
            kind,
        };
        let core = b.attention(&path, core);
        let qkv = linear(width, 3 * width);
        let qkv = match block.version {
            Version::One => b.linear(&at("qkv"), qkv, DRAW),
            Version::Two => b.projection(&at("qkv"), Projection::Keyless, qkv, DRAW),
        };
        let proj = b.linear(&at("proj"), linear(width, width), DRAW);
        let biases = (block.version == Version::Two).then(|| {
            let last = linear_without_bias(BIAS_HIDDEN, heads);
            [
                b.linear(&at("cpb_mlp.0"), linear(2, BIAS_HIDDEN), DRAW),
                b.linear(&at("cpb_mlp.2"), last, DRAW),
            ]
        });
        Self {
            path,
            partition,
            core,
            qkv,
            proj,
            biases,
        }
    }

    fn call(&self, b: &mut Builder, x: NodeId) -> Result<NodeId, ArchError> {
        let x = b.apply(&self.path, Op::Partition(self.partition), &[x])?;
        let x = b.call(self.qkv, x)?;
        let x = match self.biases {
            None => b.call(self.core, x)?,
            Some(layers) => {
                let biases = self.biases(b, layers)?;
                b.call_with(self.core, &[x, biases])?
            }
        };
        let x = b.call(self.proj, x)?;
        b.apply(&self.path, Op::Reassemble(self.partition), &[x])
    }

    fn biases(&self, b: &mut Builder, [widen, narrow]: [ModuleId; 2]) -> Result<NodeId, ArchError> {
        let offsets = Offsets {
            window: self.partition.window,
        };
        let x = b.apply(&self.path, Op::OffsetCoordinates(offsets), &[])?;
        let x = b.call(widen, x)?;
        let x = b.relu(&format!("{}.cpb_mlp.1", self.path), x)?;
        b.call(narrow, x)
    }
}

/// Half the side, twice the channels.
fn merge(
    b: &mut Builder,
    version: Version,
    path: &str,
    width: usize,
    x: NodeId,
) -> Result<NodeId, ArchError> {
    let reduction = linear_without_bias(4 * width, 2 * width);
    let reduction = b.linear(&format!("{path}.reduction"), reduction, DRAW);
    let normed = match version {
        Version::One => 4 * width,
        Version::Two => 2 * width,
    };
    let norm = b.layer_norm(&format!("{path}.norm"), normed, EPS);
    let x = b.apply(path, Op::MergePatches, &[x])?;
    match version {
        Version::One => {
            let x = b.call(norm, x)?;
            b.call(reduction, x)
        }
        Version::Two => {
            let x = b.call(reduction, x)?;
            b.call(norm, x)
        }
    }
}

fn head(b: &mut Builder, width: usize, classes: usize, x: NodeId) -> Result<NodeId, ArchError> {
    let norm = b.layer_norm("norm", width, EPS);
    let head = b.linear("head", linear(width, classes), DRAW);
    let x = b.call(norm, x)?;
    let x = b.apply("permute", Op::ToImage, &[x])?;
    let x = b.apply("avgpool", Op::AdaptiveAvgPool([1, 1]), &[x])?;
    let x = b.apply("flatten", Op::Flatten, &[x])?;
    b.call(head, x)
}
