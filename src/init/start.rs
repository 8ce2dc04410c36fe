//! A run's start: where its parameters come from and what is done to them, as `--init` says it.

use std::fmt;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::str::FromStr;

use super::file::{self, Classifier};
use super::{InitError, Post, PostReport, post_process, random};
use crate::arch::Arch;
use crate::ghn::{Ghn, PredictOptions};
use crate::nn::{Device, StateDict};

/// Where first parameters come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The framework's random schemes.
    Random,
    /// Predicted by a GHN; what it does not predict is random.
    Ghn,
    /// A state dict in a file.
    File(PathBuf),
}

/// A start: `rand`, `ghn`, `ghn+noise`, `ghn+orth`, `ghn+noise+orth`, the same with `rand`, or a
/// file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Start {
    pub source: Source,
    pub noise: bool,
    pub orth: bool,
    /// What to do about a file's classification layer.
    pub classifier: Classifier,
}

impl Start {
    /// Whether anything is done to the parameters.
    #[must_use]
    pub const fn post_processes(&self) -> bool {
        self.noise || self.orth
    }
}

impl FromStr for Start {
    type Err = InitError;

    fn from_str(text: &str) -> Result<Self, InitError> {
        let mut parts = text.split('+');
        let source = match parts.next() {
            Some("rand" | "random") => Source::Random,
            Some("ghn") => Source::Ghn,
            // A file's name may have a plus in it.
            _ if !text.is_empty() => Source::File(PathBuf::from(text)),
            _ => {
                return Err(InitError::Start {
                    given: text.to_owned(),
                });
            }
        };
        let mut start = Self {
            source,
            noise: false,
            orth: false,
            classifier: Classifier::default(),
        };
        if matches!(start.source, Source::File(_)) {
            return Ok(start);
        }
        for part in parts {
            match part {
                "noise" => start.noise = true,
                "orth" => start.orth = true,
                _ => {
                    return Err(InitError::Start {
                        given: text.to_owned(),
                    });
                }
            }
        }
        Ok(start)
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Random => f.write_str("rand")?,
            Source::Ghn => f.write_str("ghn")?,
            Source::File(path) => write!(f, "{}", path.display())?,
        }
        for (does, word) in [(self.noise, "+noise"), (self.orth, "+orth")] {
            if does {
                f.write_str(word)?;
            }
        }
        Ok(())
    }
}

/// First parameters, and how they came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Started {
    /// Complete: every parameter and buffer of the architecture.
    pub state: StateDict,
    /// The GHN, if one predicted.
    pub ghn: Option<UsedGhn>,
    /// What post-processing did, if any was asked for.
    pub post: Option<PostReport>,
    /// What a user should know, ready to show.
    pub warnings: Vec<String>,
}

/// The GHN that a start came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedGhn {
    pub name: String,
    pub hash: String,
    /// False for weights that were drawn at random instead of trained.
    pub trained: bool,
    /// Parameters that kept their random initialisation.
    pub unpredicted: Vec<String>,
}

/// Makes the first parameters of `arch`: random ones from `seed`; over them the prediction of the
/// GHN called `ghn`, or a file's; then post-processing, with the strength and first layer of `post`
/// (whether noise and QR are done, the start says; their seed is `seed`). A GHN predicts on `device`.
///
/// # Errors
/// [`InitError`] if the GHN or the file cannot be used for this architecture, or post-processing
/// fails.
pub fn start(
    arch: &Arch,
    start: &Start,
    ghn: &str,
    post: &Post,
    seed: u64,
    device: Device,
) -> Result<Started, InitError> {
    let mut started = match &start.source {
        Source::Random => plain(random::state(arch, seed)),
        Source::Ghn => predicted(arch, ghn, seed, device)?,
        Source::File(path) => plain(file::state(path, arch, seed, start.classifier)?),
    };
    if start.post_processes() {
        let post = Post {
            noise: start.noise,
            orth: start.orth,
            seed,
            ..post.clone()
        };
        let mut go_on = |_: super::Progress<'_>| ControlFlow::Continue(());
        let report = post_process(&mut started.state, arch, &post, &mut go_on)?;
        let said = report.warnings.iter().map(ToString::to_string);
        started.warnings.extend(said);
        started.post = Some(report);
    }
    Ok(started)
}

const fn plain(state: StateDict) -> Started {
    Started {
        state,
        ghn: None,
        post: None,
        warnings: Vec::new(),
    }
}

fn predicted(arch: &Arch, name: &str, seed: u64, device: Device) -> Result<Started, InitError> {
    let ghn = Ghn::open(name, seed)?.on(device)?;
    let options = PredictOptions {
        seed,
        ..PredictOptions::default()
    };
    let prediction = ghn.predict(arch, &options)?;
    let mut started = plain(random::complete(arch, prediction.tensors, seed));
    if !ghn.trained() {
        started.warnings.push(format!(
            "the GHN \"{}\" is untrained: its weights are random, so this prediction is no better than chance",
            ghn.name()
        ));
    }
    started.ghn = Some(UsedGhn {
        name: ghn.name().to_owned(),
        hash: ghn.hash()?.to_owned(),
        trained: ghn.trained(),
        unpredicted: prediction.unpredicted,
    });
    Ok(started)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::zoo::{self, Options};

    #[test]
    fn every_start_is_written_as_it_is_read() {
        for text in [
            "rand",
            "ghn",
            "rand+noise",
            "ghn+orth",
            "ghn+noise+orth",
            "a/b+c.pt",
        ] {
            let start: Start = text.parse().unwrap();
            assert_eq!(start.to_string(), text);
        }
        let start: Start = "ghn+orth+noise".parse().unwrap();
        assert!(start.noise && start.orth && start.post_processes());
        for text in ["", "ghn+nois", "rand+"] {
            let message = text.parse::<Start>().unwrap_err().to_string();
            assert!(message.contains("ghn+noise+orth"), "{message}");
        }
    }

    #[test]
    fn an_untrained_prediction_is_complete_and_says_what_it_is() {
        let arch = zoo::build("resnet18", &Options::for_images(10, 32)).unwrap();
        let post = Post {
            first_layer: super::super::FirstLayer::Name("layer4.1".to_owned()),
            ..Post::default()
        };
        let asked: Start = "ghn+noise+orth".parse().unwrap();
        let started = start(&arch, &asked, "untrained", &post, 3, Device::Cpu).unwrap();
        assert_eq!(started.state.len(), arch.tensors().len());
        let used = started.ghn.unwrap();
        assert!(!used.trained && !used.hash.is_empty());
        assert!(started.warnings[0].contains("untrained"));
        assert_eq!(started.post.unwrap().layers.len(), 2);
        let random = random::state(&arch, 3);
        assert_ne!(
            started.state.get("conv1.weight"),
            random.get("conv1.weight")
        );
    }
}
