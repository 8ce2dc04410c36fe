//! What was asked of a run: `request.toml`, everything needed to do it again.

use serde::{Deserialize, Serialize};

use super::config::describe;
use crate::train::GhnRecipe;

/// Largest request that is read, in bytes.
pub(super) const LARGEST: u64 = 1 << 20;

/// A run's request. Written once, never changed.
///
/// A reader ignores keys that it does not know and fills missing ones with the defaults, so that
/// older and newer versions read each other's runs. Paths are absolute, because a worker may be
/// started from elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    /// Zoo name of the architecture.
    pub arch: String,
    pub classes: usize,
    /// Height and width of the images, in pixels.
    pub side: usize,
    /// Where the first parameters come from, as the user states it: `rand`, `ghn+orth`, a file, ...
    pub init: String,
    /// Words that the user gave for the run's name; empty for the architecture and the start.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The experiment that the run is part of; empty for one that stands alone.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub experiment: String,
    #[serde(with = "wide")]
    pub seed: u64,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// `f32` or `bf16`; older requests leave it out, and mean `f32`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub dtype: String,
    /// Threads of the worker.
    pub threads: usize,
    /// Version of hyperscope that wrote this.
    pub hyperscope: String,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// The same moment for people, UTC.
    pub created: String,
    /// The command line that asked for the run.
    pub command: Vec<String>,
    /// Absent where no GHN takes part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ghn: Option<GhnRequest>,
    /// Absent where parameters are used as they come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post: Option<PostRequest>,
    /// For a run that trains a GHN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ghn_recipe: Option<GhnRecipe>,
    pub data: DataRequest,
    pub training: TrainingRequest,
}

/// The GHN of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GhnRequest {
    /// As given to `--ghn`.
    pub name: String,
    /// Of the weights, in hexadecimal.
    pub sha256: String,
    /// False for weights drawn at random.
    pub trained: bool,
}

/// Post-processing of a run's first parameters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PostRequest {
    pub noise: bool,
    pub orth: bool,
    pub beta: f64,
    /// First layer treated, by number from 1 or by name.
    pub layer: String,
    /// Largest side of a matrix that is orthogonalised in one piece.
    pub max_size: usize,
}

/// The images of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DataRequest {
    /// What to open: `synthetic`, or an absolute path.
    pub spec: String,
    /// For people: the name of the set.
    pub name: String,
    /// Training images per class; all of them if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shots: Option<usize>,
    /// Whether a part of the training images is kept for validation.
    pub val: bool,
    pub augment: bool,
}

/// How a run trains.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainingRequest {
    /// Name of the recipe that the values below come from, if one was given.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub recipe: String,
    pub epochs: u32,
    pub batch: usize,
    /// `sgd` or `adamw`.
    pub optimizer: String,
    pub lr: f64,
    /// Weight decay.
    pub wd: f64,
    /// Of SGD.
    pub momentum: f64,
    /// Largest norm of the gradient; absent for no clipping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<f64>,
    pub label_smoothing: f64,
    /// Epochs from one evaluation to the next; 0 counts as 1.
    pub eval_every: u32,
}

impl Request {
    /// The accuracy of guessing, in percent.
    #[must_use]
    pub fn chance(&self) -> f64 {
        100.0 / self.classes.max(1) as f64
    }

    /// The words of the run's name.
    #[must_use]
    pub fn words(&self) -> [&str; 2] {
        if !self.name.is_empty() {
            return [&self.name, ""];
        }
        let init = self.init.rsplit('/').next().unwrap_or(&self.init);
        [
            &self.arch,
            init.strip_suffix(".safetensors").unwrap_or(init),
        ]
    }

    /// The file's text.
    ///
    /// # Errors
    /// If a value has no form in TOML.
    pub(super) fn to_toml(&self) -> Result<String, String> {
        toml::to_string_pretty(self).map_err(|e| e.to_string())
    }

    /// Reads the file's text; an error is one line.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|e| describe(&e, text))
    }

    /// Every value with its dotted key, such as `training.lr`, in the file's order.
    #[must_use]
    pub fn flat(&self) -> Vec<(String, toml::Value)> {
        let mut out = Vec::new();
        if let Ok(value) = toml::Value::try_from(self) {
            flatten("", value, &mut out);
        }
        out
    }
}

fn flatten(prefix: &str, value: toml::Value, out: &mut Vec<(String, toml::Value)>) {
    let toml::Value::Table(table) = value else {
        out.push((prefix.to_owned(), value));
        return;
    };
    for (key, value) in table {
        let dotted = if prefix.is_empty() {
            key
        } else {
            format!("{prefix}.{key}")
        };
        flatten(&dotted, value, out);
    }
}

/// Whole numbers of 64 bits, of which TOML takes only the lower half: larger ones are written as text.
mod wide {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Form {
        Number(i64),
        Text(String),
    }

    #[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
    pub fn serialize<S: Serializer>(value: &u64, to: S) -> Result<S::Ok, S::Error> {
        i64::try_from(*value)
            .map_or_else(|_| Form::Text(value.to_string()), Form::Number)
            .serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        match Form::deserialize(from)? {
            Form::Number(n) => u64::try_from(n).map_err(D::Error::custom),
            Form::Text(text) => text.parse().map_err(D::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            arch: "resnet50".into(),
            classes: 10,
            init: "ghn+noise+orth".into(),
            seed: u64::MAX,
            ghn: Some(GhnRequest::default()),
            post: Some(PostRequest {
                beta: 3e-5,
                ..PostRequest::default()
            }),
            training: TrainingRequest {
                lr: 0.1 + 0.2,
                clip: Some(5.0),
                ..TrainingRequest::default()
            },
            ..Request::default()
        }
    }

    #[test]
    fn a_request_is_read_back_exactly() {
        let text = request().to_toml().unwrap();
        assert_eq!(Request::parse(&text).unwrap(), request(), "{text}");
    }

    #[test]
    fn keys_of_other_versions_do_no_harm() {
        let read = Request::parse("arch = \"vit\"\nfuture = 1\n[training]\nlr = 1\nema = true\n");
        let read = read.unwrap();
        assert_eq!(read.arch, "vit");
        assert!((read.training.lr - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_damaged_request_is_described_in_one_line() {
        let error = Request::parse("arch = \"x\"\nclasses = \"ten\"\n").unwrap_err();
        assert!(
            error.starts_with("line 2") && !error.contains('\n'),
            "{error}"
        );
    }

    #[test]
    fn flat_keys_are_dotted() {
        let flat = request().flat();
        assert!(flat.iter().any(|(k, _)| k == "training.lr"));
        assert!(flat.iter().any(|(k, _)| k == "arch"));
        assert!(!flat.iter().any(|(_, v)| v.is_table()));
    }

    #[test]
    fn a_file_as_start_gives_its_name_to_the_run() {
        let from_file = Request {
            init: "/a/b/start.safetensors".into(),
            ..request()
        };
        assert_eq!(from_file.words(), ["resnet50", "start"]);
        let named = Request {
            name: "first try".into(),
            ..request()
        };
        let id = crate::run::RunId::new(0, &named.words(), 0);
        assert_eq!(id.as_str(), "19700101-0000-first-try-0000");
    }
}
