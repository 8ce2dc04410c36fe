//! A file's parameters for another number of classes.

use std::path::Path;

use super::file::{form_of, ordered};
use super::{InitError, random};
use crate::arch::zoo::Options;
use crate::arch::{self, Arch};
use crate::nn::StateDict;
use crate::nn::files::read_state;

/// A network in a file, in a form for so many classes.
#[derive(Clone, Debug, PartialEq)]
pub struct Adapted {
    pub arch: Arch,
    pub state: StateDict,
    /// Tensors that depend on the number of classes, where that is not the file's: they are random.
    pub replaced: Vec<String>,
}

/// As [`network`](super::network); with another class count than the file's, the tensors whose shapes depend on it are
/// random, and all others are the file's.
///
/// # Errors
/// As [`network`](super::network), also for a class count that is out of bounds.
pub fn network_for(
    path: &Path,
    name: &str,
    side: Option<usize>,
    classes: Option<usize>,
    seed: u64,
) -> Result<Adapted, InitError> {
    let file = read_state(path)?.tensors;
    let (stored, options) = form_of(name, &file, path, side)?;
    let mut state = ordered(file, &stored, path, seed)?;
    let mut replaced = Vec::new();
    let Some(classes) = classes.filter(|c| *c != options.classes) else {
        return Ok(Adapted {
            arch: stored,
            state,
            replaced,
        });
    };
    let arch = arch::build(name, &Options { classes, ..options })?;
    for spec in arch.tensors() {
        if state.get(&spec.name).is_none_or(|t| t.shape != spec.shape) {
            state.insert(spec.name.as_str(), random::tensor(spec, seed));
            replaced.push(spec.name.clone());
        }
    }
    Ok(Adapted {
        arch,
        state,
        replaced,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::zoo;
    use crate::nn::files::write_safetensors;

    fn arch(classes: usize) -> Arch {
        zoo::build("resnet18", &Options::for_images(classes, 32)).unwrap()
    }

    #[test]
    fn another_class_count_exchanges_the_classifier_alone() {
        let stored = random::state(&arch(10), 4);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        write_safetensors(&path, &stored, &Default::default()).unwrap();
        let same = network_for(&path, "resnet18", None, Some(10), 9).unwrap();
        assert_eq!((&same.arch, &same.state), (&arch(10), &stored));
        assert!(same.replaced.is_empty());
        let other = network_for(&path, "resnet18", None, Some(7), 9).unwrap();
        assert_eq!(other.arch, arch(7));
        assert_eq!(other.replaced, ["fc.weight", "fc.bias"]);
        let fresh = random::state(&arch(7), 9);
        for (name, tensor) in other.state.iter() {
            let whose = if name.starts_with("fc.") {
                &fresh
            } else {
                &stored
            };
            assert_eq!(Some(tensor), whose.get(name), "{name}");
        }
        assert!(network_for(&path, "resnet18", None, Some(0), 9).is_err());
    }
}
