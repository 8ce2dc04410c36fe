//! The networks that `predict` is asked for: built, and checked before any work.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

use super::PredictArgs;
use super::answer::named;
use crate::arch::{self, Arch, TensorChoice, onnx};
use crate::init;
use crate::nn::StateDict;
use crate::text::Shown;

/// A network to predict for.
pub struct Asked {
    pub arch: Arch,
    /// Where the prediction goes into, if not into random parameters.
    pub base: Option<Base>,
    /// What is to be predicted; `None` for all.
    pub only: Option<TensorChoice>,
    pub output: PathBuf,
}

/// The parameters of a file.
pub struct Base {
    pub state: StateDict,
    /// Tensors that are random, since the file has another class count.
    pub replaced: Vec<String>,
}

impl Asked {
    /// Of the parameters that are not predicted, those that are random and those that a file gave.
    pub fn left(&self, unpredicted: &[String]) -> (Vec<String>, Vec<String>) {
        let unpredicted = unpredicted.iter().cloned();
        match &self.base {
            None => (unpredicted.collect(), Vec::new()),
            Some(base) => unpredicted.partition(|name| base.replaced.contains(name)),
        }
    }

    /// A sentence about parameters that are chosen, but not predicted, if there are any.
    pub fn refusal(&self, unpredicted: &[String]) -> Option<String> {
        let only = self.only.as_ref()?;
        let refused = unpredicted.iter().filter(|name| only.has(name));
        let refused: Vec<String> = refused.cloned().collect();
        (!refused.is_empty()).then(|| format!("chosen, but not predicted: {}", named(&refused)))
    }
}

/// All networks of a command.
///
/// # Errors
/// If one cannot be built, a pattern fits nothing in it, a file is not its own, or two would have the
/// same file to be written to.
pub fn networks(args: &PredictArgs, seed: u64) -> anyhow::Result<Vec<Asked>> {
    let outputs = outputs(args)?;
    let mut asked = Vec::new();
    for (name, output) in args.archs.iter().zip(outputs) {
        let (arch, base) = network(args, name, seed)?;
        let only = match args.only.as_slice() {
            [] => None,
            patterns => Some(TensorChoice::of(&arch, patterns)?),
        };
        asked.push(Asked {
            arch,
            base,
            only,
            output,
        });
    }
    Ok(asked)
}

fn network(args: &PredictArgs, name: &str, seed: u64) -> anyhow::Result<(Arch, Option<Base>)> {
    let Some(path) = &args.into else {
        return Ok((arch::build(name, &args.shape.options_of(name)?)?, None));
    };
    let shape = args.shape;
    let file = init::network_for(path, name, shape.image, shape.classes, seed)
        .context("reading the parameters to predict into")?;
    let base = Base {
        state: file.state,
        replaced: file.replaced,
    };
    Ok((file.arch, Some(base)))
}

/// The file of each network: the one that is named, or of its own in the folder that is named.
fn outputs(args: &PredictArgs) -> anyhow::Result<Vec<PathBuf>> {
    let output = &args.output;
    if args.archs.len() == 1 && !output.is_dir() {
        return Ok(vec![output.clone()]);
    }
    let mut seen = HashSet::new();
    let mut files = Vec::new();
    for name in &args.archs {
        let file = file_name(name);
        ensure!(
            seen.insert(file.clone()),
            "two of the networks would be written to {}; predict one of them alone",
            Shown::new(&file)
        );
        files.push(output.join(file));
    }
    if output.exists() && !output.is_dir() {
        bail!(
            "{} is a file; several networks are written into a folder, so name one with -o",
            Shown::new(&output.to_string_lossy())
        );
    }
    Ok(files)
}

/// Makes the folder of several files.
///
/// # Errors
/// If that is not possible.
pub fn make_folder(args: &PredictArgs) -> anyhow::Result<()> {
    if args.archs.len() > 1 {
        let shown = Shown::new(&args.output.to_string_lossy());
        fs::create_dir_all(&args.output).with_context(|| format!("making the folder {shown}"))?;
    }
    Ok(())
}

/// `resnet18.safetensors`; of a file, its name without folder and extension.
fn file_name(arch: &str) -> String {
    let stem = match Path::new(arch).file_stem() {
        Some(stem) if onnx::is_name(arch) => stem.to_string_lossy().into_owned(),
        _ => arch.to_owned(),
    };
    let plain = |c: char| match c {
        c if c.is_ascii_alphanumeric() || "._-".contains(c) => c,
        _ => '-',
    };
    let name: String = stem.chars().map(plain).collect();
    format!("{name}.safetensors")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_network_has_a_plain_file_name() {
        assert_eq!(file_name("vit_b_16"), "vit_b_16.safetensors");
        assert_eq!(file_name("deepnets/val:7"), "deepnets-val-7.safetensors");
        assert_eq!(file_name("some/folder/my net.onnx"), "my-net.safetensors");
        assert_eq!(file_name("../x\u{1b}"), "..-x-.safetensors");
    }
}
