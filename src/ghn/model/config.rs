//! The numbers that define a GHN, from a config or from the shapes of a bare state dict.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::GhnError;
use super::lookalike;
use crate::nn::StateDict;

/// How node states are made from node features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HyperNet {
    /// Messages along the graph, with a gated recurrent unit at each node.
    GatedGnn,
    /// Every node on its own: the baseline that does not see the graph.
    Mlp,
    /// Attention between all nodes (GHN-3).
    Graphormer { layers: usize, heads: usize },
}

/// How weights are made from node states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decoder {
    Conv,
    Mlp,
    /// Products of two thin factors (LoGAH), so that wide weights are no copies: of `rank` columns, and `spread`
    /// values from each of the rows that they are made from (`lora_r` and `max_ck_lora` in its code).
    LowRank {
        rank: usize,
        spread: usize,
    },
}

/// The numbers that define a GHN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Width of a node's state.
    pub hid: usize,
    /// Largest weight that is decoded in one piece: `[out, in, kh, kw]`; larger ones are tiled.
    pub max_shape: [usize; 4],
    /// Number of classes of the data set that the GHN was trained on.
    pub num_classes: usize,
    pub hypernet: HyperNet,
    pub decoder: Decoder,
    /// Whether predicted values are scaled to suit their layer.
    pub weight_norm: bool,
    /// Whether messages also pass along virtual edges.
    pub ve: bool,
    /// Whether states are normalised before they are decoded.
    pub layernorm: bool,
}

/// The numbers of a GHN that was published, by the name of its checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    pub name: &'static str,
    pub config: Config,
}

impl Default for Config {
    fn default() -> Self {
        Self::ghn2_cifar10()
    }
}

impl Config {
    /// The published GHNs whose numbers are known without their files, old to new and small to large.
    pub const PUBLISHED: [Published; 8] = {
        const fn of(name: &'static str, config: Config) -> Published {
            Published { name, config }
        }
        [
            of("ghn1_cifar10", Self::ghn2_cifar10().as_ghn1()),
            of("ghn1_imagenet", Self::ghn2_imagenet().as_ghn1()),
            of("ghn2_cifar10", Self::ghn2_cifar10()),
            of("ghn2_imagenet", Self::ghn2_imagenet()),
            of("ghn3tm8", Self::ghn3_imagenet(64, 3, 8)),
            of("ghn3sm8", Self::ghn3_imagenet(128, 5, 16)),
            of("ghn3lm8", Self::ghn3_imagenet(256, 12, 16)),
            of("ghn3xlm16", Self::ghn3_imagenet(384, 24, 16)),
        ]
    };

    /// GHN-2 as published for CIFAR-10.
    #[must_use]
    pub const fn ghn2_cifar10() -> Self {
        Self {
            hid: 32,
            max_shape: [64, 64, 11, 11],
            num_classes: 10,
            hypernet: HyperNet::GatedGnn,
            decoder: Decoder::Conv,
            weight_norm: true,
            ve: true,
            layernorm: true,
        }
    }

    /// GHN-2 as published for ImageNet.
    #[must_use]
    pub const fn ghn2_imagenet() -> Self {
        Self {
            max_shape: [64, 64, 16, 16],
            num_classes: 1000,
            ..Self::ghn2_cifar10()
        }
    }

    /// The GHN-1 of a GHN-2: nothing is normalised, and messages pass along edges alone.
    pub(super) const fn as_ghn1(self) -> Self {
        Self {
            weight_norm: false,
            ve: false,
            layernorm: false,
            ..self
        }
    }

    /// GHN-3 as released for ImageNet: `hid` is also the largest block's number of channels.
    #[must_use]
    pub const fn ghn3_imagenet(hid: usize, layers: usize, heads: usize) -> Self {
        Self {
            hid,
            max_shape: [hid, hid, 16, 16],
            hypernet: HyperNet::Graphormer { layers, heads },
            ..Self::ghn2_imagenet()
        }
    }

    /// The literature's name for such a GHN.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match (self.decoder, self.hypernet, self.ve) {
            (Decoder::LowRank { .. }, ..) => "LoGAH",
            (_, HyperNet::Mlp, _) => "MLP",
            (_, HyperNet::Graphormer { .. }, _) => "GHN-3",
            (_, HyperNet::GatedGnn, true) => "GHN-2",
            (_, HyperNet::GatedGnn, false) => "GHN-1",
        }
    }

    /// What its one line of text does not tell, each number with its name.
    #[must_use]
    pub fn details(&self) -> [(&'static str, String); 4] {
        let yes = |flag: bool| if flag { "yes" } else { "no" }.to_owned();
        let [out, input, height, width] = self.max_shape;
        [
            ("largest block", format!("{out}x{input}x{height}x{width}")),
            ("virtual edges", yes(self.ve)),
            ("layer norm", yes(self.layernorm)),
            ("weights scaled by fan-in", yes(self.weight_norm)),
        ]
    }

    /// The config of a checkpoint: what `given` says, completed from the tensors.
    ///
    /// # Errors
    /// [`GhnError::NotGhn`] for tensors of something else, [`GhnError::Config`] for numbers that no GHN can
    /// have.
    pub fn of(origin: &str, state: &StateDict, given: Option<&Value>) -> Result<Self, GhnError> {
        let given = given.map(|v| v.get("config").unwrap_or(v));
        let mut config = Self::inferred(origin, state)?;
        if let Some(given) = given {
            Fields { origin, given }.overwrite(&mut config)?;
        }
        config.check(origin)?;
        Ok(config)
    }

    /// What the tensors alone tell. Whether values are normalised leaves no trace: GHN-1, which
    /// has no virtual edges, does not normalise; the others do.
    fn inferred(origin: &str, state: &StateDict) -> Result<Self, GhnError> {
        let shape = |name: &'static str| {
            let tensor = state.get(name).map(|t| t.shape.as_slice());
            tensor.ok_or_else(|| GhnError::NotGhn {
                origin: origin.to_owned(),
                tensors: state.len(),
                missing: name,
                looks: lookalike::describe(state),
            })
        };
        let at = |shape: &[usize], i: usize| shape.get(i).copied().unwrap_or(0);
        let hid = at(shape("embed.weight")?, 1);
        let spatial = at(shape("shape_enc.embed_spatial.weight")?, 0);
        let side = if spatial == 9 { 11 } else { 16 };
        let conv = state.get("decoder.conv.2.weight");
        let spread = state.get("decoder.l2.weight");
        let vectors = state.get("decoder_1d.fc.2.weight");
        let channels = match (conv, vectors) {
            (Some(conv), _) => at(&conv.shape, 0).isqrt(),
            // Two vectors as long as the widest block.
            (None, Some(vectors)) if spread.is_some() => at(&vectors.shape, 0) / 2,
            _ => 2 * hid,
        };
        let classes = state.get("bias_class.1.weight");
        let layers = (0..).take_while(|i| state.get(&format!("gnn.{i}.ln1.weight")).is_some());
        let hypernet = match layers.count() {
            0 if state.get("gnn.fc.0.weight").is_some() => HyperNet::Mlp,
            0 => HyperNet::GatedGnn,
            layers => HyperNet::Graphormer {
                layers,
                heads: heads(hid),
            },
        };
        let is_gated = hypernet == HyperNet::GatedGnn;
        let ve = !is_gated || state.get("gnn.mlp_ve.fc.0.weight").is_some();
        Ok(Self {
            hid,
            max_shape: [channels, channels, side, side],
            num_classes: classes.map_or(10, |t| at(&t.shape, 0)),
            hypernet,
            decoder: match (conv, spread) {
                (Some(_), _) => Decoder::Conv,
                (None, None) => Decoder::Mlp,
                (None, Some(spread)) => Decoder::LowRank {
                    rank: at(&spread.shape, 1),
                    spread: at(&spread.shape, 0),
                },
            },
            weight_norm: ve,
            ve,
            layernorm: state.get("ln.weight").is_some(),
        })
    }

    /// Whether such a GHN can be; `origin` names the config in the message.
    ///
    /// # Errors
    /// [`GhnError::Config`] with the first number that none can have.
    pub fn check(&self, origin: &str) -> Result<(), GhnError> {
        let refuse = |field, reason: String| {
            Err(GhnError::Config {
                origin: origin.to_owned(),
                field,
                reason,
            })
        };
        if self.hid == 0 || !self.hid.is_multiple_of(4) || self.hid > MOST_HIDDEN {
            let reason = format!(
                "must be a multiple of 4 up to {MOST_HIDDEN}, not {}",
                self.hid
            );
            return refuse("hid", reason);
        }
        if let HyperNet::Graphormer { layers, heads } = self.hypernet {
            if !(1..=MOST_LAYERS).contains(&layers) {
                let reason = format!("must lie between 1 and {MOST_LAYERS}, not {layers}");
                return refuse("layers", reason);
            }
            if heads == 0 || !self.hid.is_multiple_of(heads) {
                let reason = format!("must divide the width {}, unlike {heads}", self.hid);
                return refuse("heads", reason);
            }
        }
        let [out, input, h, w] = self.max_shape;
        let fits = |n: usize, most: usize| (1..=most).contains(&n);
        if !fits(out, MOST_CHANNELS) || !fits(input, MOST_CHANNELS) || !fits(h, 64) || h != w {
            return refuse(
                "max_shape",
                format!(
                    "must be [out, in, side, side] of sensible size, not {:?}",
                    self.max_shape
                ),
            );
        }
        if let Decoder::LowRank { rank, spread } = self.decoder {
            if !fits(rank, MOST_RANK) {
                let reason = format!("must lie between 1 and {MOST_RANK}, not {rank}");
                return refuse("rank", reason);
            }
            if !(h..=MOST_SPREAD).contains(&spread) || spread < self.num_classes {
                let reason = format!(
                    "must be at least the kernel's side ({h}) and the number of classes ({}), and at most \
                     {MOST_SPREAD}, not {spread}",
                    self.num_classes
                );
                return refuse("spread", reason);
            }
        }
        if !fits(self.num_classes, MOST_CLASSES) {
            let reason = format!(
                "must lie between 1 and {MOST_CLASSES}, not {}",
                self.num_classes
            );
            return refuse("num_classes", reason);
        }
        Ok(())
    }
}

/// `GHN-2, 32 wide, 10 classes`.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            hid, num_classes, ..
        } = self;
        write!(f, "{}, {hid} wide, ", self.kind())?;
        if let HyperNet::Graphormer { layers, .. } = self.hypernet {
            write!(f, "{layers} layers, ")?;
        }
        if let Decoder::LowRank { rank, .. } = self.decoder {
            write!(f, "rank {rank}, ")?;
        }
        write!(f, "{num_classes} classes")
    }
}

/// Heads of a Graphormer of this width, where nothing else tells: as the released ones have them.
const fn heads(hid: usize) -> usize {
    if hid > 64 { 16 } else { 8 }
}

/// Beyond these a config is damaged rather than ambitious.
const MOST_LAYERS: usize = 1024;
const MOST_HIDDEN: usize = 4096;
const MOST_CHANNELS: usize = 4096;
const MOST_CLASSES: usize = 1_000_000;
const MOST_RANK: usize = 1024;
const MOST_SPREAD: usize = 1 << 20;

/// The fields of a config document.
struct Fields<'a> {
    origin: &'a str,
    given: &'a Value,
}

impl Fields<'_> {
    fn overwrite(&self, config: &mut Config) -> Result<(), GhnError> {
        self.number("hid", &mut config.hid)?;
        self.number("num_classes", &mut config.num_classes)?;
        self.shape(&mut config.max_shape)?;
        self.flag("weight_norm", &mut config.weight_norm)?;
        self.flag("ve", &mut config.ve)?;
        self.flag("layernorm", &mut config.layernorm)?;
        if let HyperNet::Graphormer { layers, heads } = &mut config.hypernet {
            self.number("layers", layers)?;
            self.number("heads", heads)?;
        } else if let Some(word) = self.word("hypernet")? {
            config.hypernet = match word {
                "gatedgnn" => HyperNet::GatedGnn,
                "mlp" => HyperNet::Mlp,
                other => return Err(self.bad("hypernet", "\"gatedgnn\" or \"mlp\"", other)),
            };
        }
        // Of a low-rank decoder the tensors tell everything.
        if !matches!(config.decoder, Decoder::LowRank { .. })
            && let Some(word) = self.word("decoder")?
        {
            config.decoder = match word {
                "conv" => Decoder::Conv,
                "mlp" => Decoder::Mlp,
                other => return Err(self.bad("decoder", "\"conv\" or \"mlp\"", other)),
            };
        }
        Ok(())
    }

    fn bad(&self, field: &'static str, wanted: &str, got: &str) -> GhnError {
        GhnError::Config {
            origin: self.origin.to_owned(),
            field,
            reason: format!("must be {wanted}, not {got}"),
        }
    }

    fn get(&self, field: &str) -> Option<&Value> {
        self.given.get(field).filter(|v| !v.is_null())
    }

    fn number(&self, field: &'static str, to: &mut usize) -> Result<(), GhnError> {
        let Some(value) = self.get(field) else {
            return Ok(());
        };
        *to =
            as_usize(value).ok_or_else(|| self.bad(field, "a whole number", &value.to_string()))?;
        Ok(())
    }

    /// Python's 0 and 1 count as well.
    fn flag(&self, field: &'static str, to: &mut bool) -> Result<(), GhnError> {
        let Some(value) = self.get(field) else {
            return Ok(());
        };
        let flag = value.as_bool().or_else(|| value.as_i64().map(|n| n != 0));
        *to = flag.ok_or_else(|| self.bad(field, "true or false", &value.to_string()))?;
        Ok(())
    }

    fn word(&self, field: &'static str) -> Result<Option<&str>, GhnError> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        let word = value.as_str();
        word.map(Some)
            .ok_or_else(|| self.bad(field, "a word", &value.to_string()))
    }

    fn shape(&self, to: &mut [usize; 4]) -> Result<(), GhnError> {
        let Some(value) = self.get("max_shape") else {
            return Ok(());
        };
        let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let sizes: Option<Vec<usize>> = list.iter().map(as_usize).collect();
        *to = sizes
            .and_then(|s| s.try_into().ok())
            .ok_or_else(|| self.bad("max_shape", "four whole numbers", &value.to_string()))?;
        Ok(())
    }
}

fn as_usize(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|n| usize::try_from(n).ok())
}
