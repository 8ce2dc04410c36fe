//! First parameters from a file, which must be of the same architecture.

use std::collections::HashMap;
use std::path::Path;

use super::{InitError, random};
use crate::arch::zoo::{Options, Stem};
use crate::arch::{self, Arch, TensorRole, TensorSpec};
use crate::nn::files::read_state;
use crate::nn::{Mismatch, StateDict, Tensor, Values};

/// What to do about a file's classification layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Classifier {
    /// It is taken; its class count must match.
    #[default]
    Stored,
    /// It is left at random.
    Random,
}

/// The parameters of `arch` in the file at `path`, in the architecture's order.
///
/// Numbers of batches seen, which old files lack, are zero then.
///
/// # Errors
/// [`InitError`] if the file cannot be read, has other tensors than `arch`, or another class count.
pub fn state(
    path: &Path,
    arch: &Arch,
    seed: u64,
    classifier: Classifier,
) -> Result<StateDict, InitError> {
    let mut file = read_state(path)?.tensors;
    let last = last_layer(arch);
    if classifier == Classifier::Random {
        for spec in last {
            file.insert(spec.name.as_str(), random::tensor(spec, seed));
        }
    }
    ordered(file, arch, path, seed)
}

/// The network called `name` in the form that the file at `path` was made for, as [`arch_of`] finds it,
/// and the file's parameters.
///
/// # Errors
/// [`InitError`] if the file cannot be read, or holds the tensors of another network.
pub fn network(
    path: &Path,
    name: &str,
    side: Option<usize>,
    seed: u64,
) -> Result<(Arch, StateDict), InitError> {
    let file = read_state(path)?.tensors;
    let arch = arch_of(name, &file, path, side)?;
    let state = ordered(file, &arch, path, seed)?;
    Ok((arch, state))
}

/// A file's tensors in the architecture's order; numbers of batches may lack.
pub(super) fn ordered(
    file: StateDict,
    arch: &Arch,
    path: &Path,
    seed: u64,
) -> Result<StateDict, InitError> {
    let mismatch = compare(&file, arch);
    if !mismatch.is_empty() {
        return Err(refusal(path, arch, &file, mismatch));
    }
    let mut file: HashMap<String, Tensor> = file.into_iter().collect();
    arch.tensors()
        .iter()
        .map(|spec| {
            let tensor = match file.remove(&spec.name) {
                Some(tensor) => fitting(tensor, spec),
                None => Some(random::tensor(spec, seed)),
            };
            tensor
                .map(|t| (spec.name.clone(), t))
                .ok_or_else(|| InitError::Kind {
                    path: path.to_owned(),
                    tensor: spec.name.clone(),
                })
        })
        .collect()
}

/// The architecture called `name` in the form that `state`, read from `path`, was made for: with its
/// class count, with the stem for photographs or the one for 32x32 images, with auxiliary classifiers or
/// without. Its images have this side, or the usual one of the form.
///
/// # Errors
/// [`InitError`] if there is no such architecture, or the tensors are of neither form.
pub fn arch_of(
    name: &str,
    state: &StateDict,
    path: &Path,
    side: Option<usize>,
) -> Result<Arch, InitError> {
    Ok(form_of(name, state, path, side)?.0)
}

/// As [`arch_of`], with the options that give this form.
pub(super) fn form_of(
    name: &str,
    state: &StateDict,
    path: &Path,
    side: Option<usize>,
) -> Result<(Arch, Options), InitError> {
    let own = arch::usual_options(name)?;
    let own = side.map_or(own, |side| Options::for_images(own.classes, side));
    let usual = arch::build(name, &own)?;
    let last = last_layer(&usual).first().and_then(|w| state.get(&w.name));
    let classes = last.and_then(|w| w.shape.first()).copied();
    let classes = classes.unwrap_or(usual.classes());
    let mut first = None;
    let forms = [false, true].into_iter().flat_map(|auxiliary| {
        [Stem::ImageNet, Stem::Cifar].map(|stem| Options {
            classes,
            side: side.unwrap_or_else(|| usual_side(stem, &own)),
            stem,
            auxiliary,
        })
    });
    for options in forms {
        // A class count that is out of bounds is the file's fault, and told as a wrong shape.
        let arch = arch::build(name, &options).unwrap_or_else(|_| usual.clone());
        let mismatch = compare(state, &arch);
        if mismatch.is_empty() {
            return Ok((arch, options));
        }
        first.get_or_insert((arch, mismatch));
    }
    let (arch, mismatch) = first.unwrap_or_else(|| (usual, Mismatch::default()));
    Err(refusal(path, &arch, state, mismatch))
}

/// Side of the images that a stem is made for, of a network that has such ones of its own.
const fn usual_side(stem: Stem, own: &Options) -> usize {
    match stem {
        Stem::ImageNet => own.side,
        Stem::Cifar => 32,
    }
}

/// The classification layer's tensors.
fn last_layer(arch: &Arch) -> &[TensorSpec] {
    let last = arch.matrix_modules().last();
    last.map_or(&[], |module| &arch.tensors()[module.tensors.clone()])
}

fn compare(file: &StateDict, arch: &Arch) -> Mismatch {
    let mut mismatch = Mismatch::default();
    for spec in arch.tensors() {
        match file.get(&spec.name) {
            None if spec.role == TensorRole::BatchCount => {}
            None => mismatch.missing.push(spec.name.clone()),
            Some(tensor) if tensor.shape != spec.shape => mismatch.misshapen.push((
                spec.name.clone(),
                format!("{:?}", spec.shape),
                format!("{:?}", tensor.shape),
            )),
            Some(_) => {}
        }
    }
    let known: std::collections::HashSet<&str> =
        arch.tensors().iter().map(|t| t.name.as_str()).collect();
    let unexpected = file.iter().map(|(name, _)| name);
    mismatch.unexpected = unexpected
        .filter(|name| !known.contains(name))
        .map(ToOwned::to_owned)
        .collect();
    mismatch
}

/// The error for a file that differs: if only in its class count, that is what it says.
fn refusal(path: &Path, arch: &Arch, file: &StateDict, mismatch: Mismatch) -> InitError {
    let last = last_layer(arch);
    let only_last = mismatch
        .misshapen
        .iter()
        .all(|(name, ..)| last.iter().any(|spec| spec.name == *name));
    let stored = last.first().and_then(|w| file.get(&w.name)?.shape.first());
    match stored {
        Some(&classes)
            if only_last && mismatch.missing.is_empty() && mismatch.unexpected.is_empty() =>
        {
            InitError::Classes {
                path: path.to_owned(),
                arch: arch.name().to_owned(),
                wanted: arch.classes(),
                stored: classes,
            }
        }
        _ => InitError::Foreign {
            path: path.to_owned(),
            arch: arch.name().to_owned(),
            mismatch,
        },
    }
}

/// The tensor with the kind of numbers that its role asks for.
fn fitting(tensor: Tensor, spec: &TensorSpec) -> Option<Tensor> {
    let values = match (tensor.values, spec.role) {
        (Values::F32(v), role) if role.is_whole() => {
            Values::I64(v.into_iter().map(|x| x as i64).collect())
        }
        (Values::I64(_), role) if !role.is_whole() => return None,
        (values, _) => values,
    };
    Some(Tensor {
        shape: tensor.shape,
        values,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::zoo::{self, Options};
    use crate::nn::files::write_safetensors;

    fn arch(classes: usize) -> Arch {
        zoo::build("resnet18", &Options::for_images(classes, 32)).unwrap()
    }

    fn written(state: &StateDict) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        write_safetensors(&path, state, &Default::default()).unwrap();
        (folder, path)
    }

    #[test]
    fn a_files_parameters_come_back() {
        let arch = arch(10);
        let (_folder, path) = written(&random::state(&arch, 4));
        let got = state(&path, &arch, 9, Classifier::Stored).unwrap();
        assert_eq!(got, random::state(&arch, 4));
    }

    #[test]
    fn another_class_count_is_told_with_both_numbers() {
        let (_folder, path) = written(&random::state(&arch(1000), 4));
        let message = state(&path, &arch(10), 9, Classifier::Stored)
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("1000") && message.contains("10 "),
            "{message}"
        );
        let got = state(&path, &arch(10), 9, Classifier::Random).unwrap();
        assert_eq!(
            got.get("fc.weight"),
            random::state(&arch(10), 9).get("fc.weight")
        );
        let stored = random::state(&arch(1000), 4);
        assert_eq!(got.get("conv1.weight"), stored.get("conv1.weight"));
    }

    #[test]
    fn a_files_class_count_and_stem_are_found() {
        let photographs = Options {
            classes: 7,
            ..Options::default()
        };
        for options in [photographs, Options::for_images(10, 32)] {
            let made = zoo::build("resnet18", &options).unwrap();
            let found = arch_of(
                "resnet18",
                &random::state(&made, 1),
                Path::new("a.pt"),
                None,
            )
            .unwrap();
            assert_eq!(found.classes(), options.classes);
            assert_eq!(found.tensors(), made.tensors());
        }
        let other = random::state(&arch(10), 1);
        let message = arch_of("convnext_tiny", &other, Path::new("a.pt"), None)
            .unwrap_err()
            .to_string();
        assert!(message.contains("a.pt") && message.contains("convnext_tiny"));
    }

    #[test]
    fn images_of_another_side_leave_the_stem_as_it_is() {
        for (stem, side) in [(Stem::ImageNet, 32), (Stem::Cifar, 64), (Stem::Cifar, 32)] {
            let options = Options {
                classes: 7,
                side,
                stem,
                auxiliary: false,
            };
            let made = zoo::build("resnet18", &options).unwrap();
            let (_folder, path) = written(&random::state(&made, 4));
            let (found, state) = network(&path, "resnet18", Some(side), 1).unwrap();
            assert_eq!(found, made);
            assert_eq!(state, random::state(&made, 4));
        }
    }

    #[test]
    fn auxiliary_classifiers_in_a_file_are_found() {
        for auxiliary in [false, true] {
            let options = Options {
                auxiliary,
                classes: 7,
                ..Options::default()
            };
            let made = zoo::build("googlenet", &options).unwrap();
            let zeros = |spec: &TensorSpec| Tensor::new(spec.shape.clone(), vec![0.0; spec.len()]);
            let specs = made.tensors().iter();
            let state: StateDict = specs.map(|s| (s.name.clone(), zeros(s))).collect();
            let found = arch_of("googlenet", &state, Path::new("a.pt"), None).unwrap();
            assert_eq!(found.tensors(), made.tensors());
        }
    }

    #[test]
    fn another_architecture_is_told_by_its_tensors() {
        let other = zoo::build("resnet50", &Options::for_images(10, 32)).unwrap();
        let (_folder, path) = written(&random::state(&other, 4));
        let message = state(&path, &arch(10), 9, Classifier::Stored)
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("resnet18") && message.contains("conv3"),
            "{message}"
        );
    }

    #[test]
    fn old_files_without_batch_counts_are_taken() {
        let arch = arch(10);
        let old: StateDict = random::state(&arch, 4)
            .into_iter()
            .filter(|(name, _)| !name.ends_with("num_batches_tracked"))
            .collect();
        let (_folder, path) = written(&old);
        let got = state(&path, &arch, 9, Classifier::Stored).unwrap();
        assert_eq!(got, random::state(&arch, 4));
    }
}
