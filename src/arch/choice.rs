//! Some of a network's tensors, chosen by patterns of their names.

use std::collections::HashSet;

use globset::{Glob, GlobMatcher};

use super::alike::alike;
use super::{Arch, ArchError};

/// Some of the tensors of one architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorChoice {
    names: HashSet<String>,
}

impl TensorChoice {
    /// Every tensor of `arch` whose name fits one of the patterns, or that lies in a module whose path
    /// does: `layer4.*`, `layer4` and `layer4.1.conv?.weight` all choose tensors of `layer4`.
    ///
    /// `*` stands for any characters, dots among them, `?` for one, `[ab]` and `{one,other}` for
    /// alternatives.
    ///
    /// # Errors
    /// [`ArchError::Pattern`] if one cannot be read, [`ArchError::NoTensor`] if one fits nothing.
    pub fn of(arch: &Arch, patterns: &[String]) -> Result<Self, ArchError> {
        let mut names = HashSet::new();
        for pattern in patterns {
            let glob = Glob::new(pattern).map_err(|error| ArchError::Pattern {
                pattern: pattern.clone(),
                reason: error.kind().to_string(),
            })?;
            let matcher = glob.compile_matcher();
            let chosen = arch.tensors().iter().map(|t| t.name.as_str());
            let chosen: Vec<&str> = chosen.filter(|name| fits(&matcher, name)).collect();
            if chosen.is_empty() {
                return Err(ArchError::NoTensor {
                    arch: arch.name().to_owned(),
                    pattern: pattern.clone(),
                    suggestions: near(arch, pattern),
                });
            }
            names.extend(chosen.into_iter().map(ToOwned::to_owned));
        }
        Ok(Self { names })
    }

    /// Whether the tensor of this name is chosen.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }
}

/// The tensors of these names.
impl FromIterator<String> for TensorChoice {
    fn from_iter<I: IntoIterator<Item = String>>(names: I) -> Self {
        Self {
            names: names.into_iter().collect(),
        }
    }
}

/// A tensor's name and the paths of the modules that hold it, the innermost first.
fn paths(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |path| {
        path.rsplit_once('.').map(|(outer, _)| outer)
    })
}

fn fits(pattern: &GlobMatcher, name: &str) -> bool {
    paths(name).any(|path| pattern.is_match(path))
}

/// Names of tensors and modules that are much like a pattern that fits none.
fn near(arch: &Arch, pattern: &str) -> Vec<String> {
    let bare: String = pattern.chars().filter(|c| *c != '*').collect();
    let mut seen = HashSet::new();
    let all = arch.tensors().iter().flat_map(|t| paths(&t.name));
    alike(
        bare.trim_matches('.'),
        all.filter(|path| seen.insert(*path)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::zoo::{self, Options};

    fn chosen(patterns: &[&str]) -> Result<Vec<String>, String> {
        let arch = zoo::build("resnet18", &Options::for_images(10, 32)).unwrap();
        let patterns: Vec<String> = patterns.iter().map(|p| (*p).to_owned()).collect();
        let choice = TensorChoice::of(&arch, &patterns).map_err(|e| e.to_string())?;
        let names = arch.tensors().iter().map(|t| &t.name);
        Ok(names.filter(|n| choice.has(n)).cloned().collect())
    }

    #[test]
    fn patterns_choose_by_name_and_by_module() {
        assert_eq!(chosen(&["fc"]).unwrap(), ["fc.weight", "fc.bias"]);
        assert_eq!(chosen(&["fc.*"]), chosen(&["fc"]));
        assert_eq!(chosen(&["layer4"]), chosen(&["layer4.[01].*"]));
        assert_eq!(chosen(&["layer4"]).unwrap().len(), 30);
        let first = ["layer1.0.conv1.weight", "layer1.0.conv2.weight"];
        assert_eq!(chosen(&["layer1.0.conv?"]).unwrap(), first);
        let both = chosen(&["conv1", "{bn1,fc}.bias"]).unwrap();
        assert_eq!(both, ["conv1.weight", "bn1.bias", "fc.bias"]);
    }

    #[test]
    fn a_pattern_that_fits_nothing_is_told_with_near_names() {
        let message = chosen(&["conv1", "layr4.*"]).unwrap_err();
        assert!(message.contains("\"layr4.*\"") && message.contains("layer4"));
        let message = chosen(&["layer[4"]).unwrap_err();
        assert!(message.contains("\"layer[4\""), "{message}");
        assert!(chosen(&[""]).is_err());
    }
}
