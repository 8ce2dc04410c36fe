//! GHN models: their configs, weights and checkpoints, and what they predict.

mod config;
mod decode;
mod dense;
mod device;
mod features;
mod files;
mod gated;
mod graphormer;
mod learn;
mod lookalike;
mod plan;
mod predict;
mod propagate;
mod scale;
mod sheet;
mod sizes;
mod stamp;
mod tile;
mod weight;
mod weights;
mod writer;

use std::path::Path;
use std::sync::{Mutex, OnceLock};

use sha2::{Digest, Sha256};

pub use config::{Config, Decoder, HyperNet, Published};
pub use files::{CARD, EVALUATIONS, LARGEST_OPENED_BYTES, Listed, folder, list};
pub use learn::{Gradient, Notes};
pub use plan::{BlockShape, Form, Made, VectorForm};
pub use propagate::States;
pub use sizes::{Axis, Fallback, ShapeTables};
pub use stamp::Stamp;
pub(super) use stamp::hex;
pub use weight::Weight;

use super::GhnError;
use crate::arch::TensorChoice;
use crate::nn::arrays::Arrays;
use crate::nn::{Device, StateDict};
use decode::{VectorDecoder, WeightDecoder};
use device::DeviceGhn;
use features::Features;
use propagate::Propagation;
use weights::Weights;

/// The name of the GHN that the program carries.
pub const DEFAULT: &str = "default";
/// The name of a GHN of the same kind with random weights.
pub const UNTRAINED: &str = "untrained";

/// Weights of a large GHN: GHN-3-S has more, GHN-3-T and GHN-2 have fewer.
const LARGE: usize = 30_000_000;

/// The default GHN's file, in half precision (docs/default-ghn.md).
static BUILT_IN: &[u8] = include_bytes!("../../assets/default-ghn.safetensors");

/// A Graph HyperNetwork, ready to predict.
#[derive(Debug)]
pub struct Ghn {
    name: String,
    stamp: Stamp,
    /// Once it was asked for.
    hash: OnceLock<String>,
    trained: bool,
    card: Option<String>,
    evaluations: Option<String>,
    config: Config,
    model: Model,
    /// Where it predicts.
    device: Device,
    /// What lies there, if that is not the CPU.
    there: Option<Mutex<DeviceGhn>>,
}

#[derive(Clone, Debug)]
struct Model {
    features: Features,
    propagation: Propagation,
    weights: WeightDecoder,
    vectors: VectorDecoder,
    parameters: usize,
}

impl Model {
    fn new(config: &Config, weights: &Weights) -> Result<Self, GhnError> {
        Ok(Self {
            features: Features::new(config, weights)?,
            propagation: Propagation::new(config, weights)?,
            weights: WeightDecoder::new(config, weights)?,
            vectors: VectorDecoder::new(config, weights)?,
            parameters: weights.given(),
        })
    }
}

/// Whether the classification layer is predicted too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClassLayers {
    /// If the network has as many classes as the GHN was trained for.
    #[default]
    WhenClassesMatch,
    /// Even if it has not: rows are cut or repeated.
    Always,
    Never,
}

/// What to predict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PredictOptions<'a> {
    pub class_layers: ClassLayers,
    /// Only these tensors are decoded; `None` for all.
    pub only: Option<&'a TensorChoice>,
    /// Of the few values that are drawn: a vision transformer's class token has a position encoding
    /// that no GHN predicts.
    pub seed: u64,
}

/// Predicted parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Only what was predicted, in state-dict order.
    pub tensors: StateDict,
    /// Parameters that keep whatever initialisation they have.
    pub unpredicted: Vec<String>,
    pub seconds: Seconds,
}

/// How long each stage took, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Seconds {
    pub graph: f64,
    /// To a device, if it is not predicted on the CPU.
    pub up: f64,
    pub gnn: f64,
    pub decode: f64,
    /// From a device.
    pub down: f64,
}

impl Ghn {
    /// Opens `default`, `untrained`, a checkpoint, or a name in the cache folder. Only the weights of `untrained`
    /// depend on the seed.
    ///
    /// # Errors
    /// If there is no such GHN, the file cannot be read, or it holds something else.
    pub fn open(name: &str, seed: u64) -> Result<Self, GhnError> {
        match name {
            DEFAULT => Self::built_in(),
            UNTRAINED => Self::untrained(&Config::ghn2_cifar10(), seed),
            _ => Self::read(&files::find(name)?),
        }
    }

    /// The GHN that the program carries.
    fn built_in() -> Result<Self, GhnError> {
        let loaded = files::loaded(DEFAULT, BUILT_IN)?;
        Self::of_checkpoint(DEFAULT, DEFAULT.to_owned(), Stamp::built_in(), loaded)
    }

    /// A GHN with random weights, drawn as its authors draw them.
    ///
    /// # Errors
    /// None in practice: random weights always fit their config.
    pub fn untrained(config: &Config, seed: u64) -> Result<Self, GhnError> {
        Ok(Self {
            name: UNTRAINED.to_owned(),
            stamp: Stamp::of_seed(seed),
            hash: OnceLock::new(),
            trained: false,
            card: None,
            evaluations: None,
            model: Model::new(config, &Weights::random(config, seed))?,
            config: *config,
            device: Device::Cpu,
            there: None,
        })
    }

    /// Opens a checkpoint.
    ///
    /// # Errors
    /// If the file cannot be read, or its tensors are not those of a GHN that this build knows.
    pub fn read(path: &Path) -> Result<Self, GhnError> {
        let stamp = Stamp::of_file(path)?;
        let loaded = files::load(path)?;
        let origin = path.display().to_string();
        Self::of_checkpoint(&origin, files::stem(path), stamp, loaded)
    }

    fn of_checkpoint(
        origin: &str,
        name: String,
        stamp: Stamp,
        loaded: files::Checkpoint,
    ) -> Result<Self, GhnError> {
        let config = Config::of(origin, &loaded.tensors, loaded.config.as_ref())?;
        let weights = Weights::stored(origin, loaded.tensors);
        Ok(Self {
            name,
            hash: OnceLock::new(),
            trained: true,
            card: loaded.card,
            evaluations: loaded.evaluations,
            stamp,
            model: Model::new(&config, &weights)?,
            config,
            device: Device::Cpu,
            there: None,
        })
    }

    /// The same GHN, predicting on a device, where its weights lie from now on besides here.
    ///
    /// # Errors
    /// [`GhnError::DeviceMemory`] if they do not fit there, and [`GhnError::Device`] if there is no such device or
    /// it fails.
    pub fn on(self, device: Device) -> Result<Self, GhnError> {
        let there = match device {
            Device::Cpu => None,
            Device::Cuda(number) => {
                let there = DeviceGhn::new(&self.model, Arrays::open(number)?)?;
                Some(Mutex::new(there))
            }
        };
        Ok(Self {
            device,
            there,
            ..self
        })
    }

    /// Where it predicts. All else, and learning, is done on the CPU.
    #[must_use]
    pub const fn device(&self) -> Device {
        self.device
    }

    /// The name it was opened by: `default`, `untrained`, or the file's name without its extension.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The checkpoint's file, if there is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.stamp.path()
    }

    /// Whether its weights were trained; what an untrained GHN predicts is only noise of a certain
    /// structure, and every place that shows it must say so.
    #[must_use]
    pub const fn trained(&self) -> bool {
        self.trained
    }

    /// What its maker says of it: data, training, accuracy, limits.
    #[must_use]
    pub fn card(&self) -> Option<&str> {
        self.card.as_deref()
    }

    /// How good its maker found it: a JSON list of what `ghn eval --json` prints, unchecked.
    #[must_use]
    pub fn evaluations(&self) -> Option<&str> {
        self.evaluations.as_deref()
    }

    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// GHN-1, GHN-2, GHN-3 or MLP.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.config.kind()
    }

    /// A number that tells GHNs apart, in hexadecimal: SHA-256 of config and weights (or of the
    /// seed that they come from). A checkpoint is read once more for it, the first time.
    ///
    /// # Errors
    /// If the checkpoint cannot be read any more, or was changed since it was opened.
    pub fn hash(&self) -> Result<&str, GhnError> {
        if let Some(hash) = self.hash.get() {
            return Ok(hash);
        }
        let mut hash = Sha256::new();
        hash.update(format!("{:?}", self.config));
        hash.update(self.stamp.identity()?);
        Ok(self.hash.get_or_init(|| hex(&hash.finalize())))
    }

    /// What a file says of the GHN that it comes from.
    ///
    /// # Errors
    /// As [`Ghn::hash`].
    pub fn origin(&self) -> Result<[(&'static str, String); 3], GhnError> {
        Ok([
            ("ghn", self.name.clone()),
            ("ghn_sha256", self.hash()?.to_owned()),
            ("ghn_trained", self.trained.to_string()),
        ])
    }

    /// Whether it is so large that a GPU should gain time over a CPU. The smaller ones take a CPU some ten
    /// milliseconds, mostly for writing (docs/performance.md).
    #[must_use]
    pub const fn is_large(&self) -> bool {
        self.model.parameters > LARGE
    }

    /// Number of weights.
    #[must_use]
    pub const fn parameter_count(&self) -> usize {
        self.model.parameters
    }
}

#[cfg(test)]
mod tests;
