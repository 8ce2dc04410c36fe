//! ONNX files: the format in which frameworks hand networks to each other.
//!
//! A file of a classification network becomes an [`Arch`], built from the architecture's own ops, and a
//! [`Recipe`] for each of its tensors: which tensor of the file it is, turned how. The numbers themselves
//! stay where they are; [`nn::files`](crate::nn::files) reads them. Layers are called as the file calls their
//! tensors.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use bytes::Bytes;
use prost::Message as _;

use super::zoo::{self, LARGEST_SIDE, MOST_CLASSES, Options};
use super::{Arch, ArchError, Shape};
use crate::text::Shown;
use proto::ModelProto;

mod arrange;
mod attention;
mod attributes;
mod classes;
mod constant;
mod curve;
mod decide;
mod dims;
mod dispatch;
mod elementwise;
mod error;
mod export;
mod fold;
mod graph;
mod import;
mod join;
mod layers;
mod layout;
mod movement;
mod names;
mod norms;
mod pad;
mod pairs;
mod pools;
pub mod proto;
mod stored;
#[cfg(test)]
mod tests;
mod value;
mod window;
mod wire;

pub use constant::{Constant, Source, View};
pub use error::{OnnxError, Trouble};
pub use export::{Content, Export, INPUT, Initialiser, OUTPUT, Opset, UnknownOpset, export};
pub use stored::{Stored, is_external, raw};

/// Versions of the standard operators that can be read.
pub const OLDEST_OPSET: i64 = 7;
pub const NEWEST_OPSET: i64 = 22;

/// Largest file: what a protocol buffer can be. Larger networks keep their tensors in other files.
const LARGEST_FILE: u64 = 1 << 31;

/// Side of the images where neither the file nor anybody else says one.
const USUAL_SIDE: usize = 224;

/// What ends a file's name.
const EXTENSION: &str = "onnx";

/// A network from a file.
#[derive(Debug)]
pub struct Network {
    pub arch: Arch,
    pub weights: Weights,
}

/// What the tensors of a network from a file are made of.
#[derive(Debug)]
pub struct Weights {
    pub stored: Stored,
    /// For tensors of the architecture, in its order. Counts of batches have none.
    pub recipes: Vec<Recipe>,
}

/// How a tensor of an architecture is made: zeros, with constants of the file set into them.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    pub name: String,
    pub shape: Vec<usize>,
    pub parts: Vec<Part>,
}

/// A constant of the file within a tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub constant: Constant,
    /// What every element is multiplied by.
    pub factor: f64,
    /// Index of its first element in the tensor.
    pub at: Vec<usize>,
}

impl Recipe {
    /// A tensor that is a constant of the file.
    fn of(name: String, constant: Constant) -> Self {
        Self {
            name,
            shape: constant.view.shape.clone(),
            parts: vec![Part {
                at: vec![0; constant.view.shape.len()],
                constant,
                factor: 1.0,
            }],
        }
    }
}

/// What a network from a file is to be like, where that is not the file's own choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wanted {
    side: Option<usize>,
    classes: Option<usize>,
}

/// Whether `name` is that of an ONNX file.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let extension = Path::new(name).extension();
    extension.is_some_and(|e| e.eq_ignore_ascii_case(EXTENSION))
}

/// Builds the network in the file called `name`: for images of another side if its layers allow that, and
/// with another number of classes.
///
/// # Errors
/// [`ArchError::Onnx`] if there is no such file, or its network cannot be taken over.
pub fn build(name: &str, options: &Options) -> Result<Arch, ArchError> {
    zoo::check("the number of classes", name, options.classes, MOST_CLASSES)?;
    zoo::check("the image size", name, options.side, LARGEST_SIDE)?;
    let wanted = Wanted {
        side: Some(options.side),
        classes: Some(options.classes),
    };
    let network = named(name, wanted)?;
    Ok(network.arch)
}

/// What the network in the file called `name` is built for by itself: its classes and the side of its images.
///
/// # Errors
/// As [`build`].
pub fn own_options(name: &str) -> Result<Options, ArchError> {
    let network = named(name, Wanted::default())?;
    let [side, _] = network.arch.input().side().unwrap_or([USUAL_SIDE; 2]);
    Ok(Options {
        side,
        classes: network.arch.classes(),
        ..Options::default()
    })
}

/// The network of a whole file, as it is, which lies at `path`; without one, tensors in files beside it are
/// out of reach.
///
/// # Errors
/// [`OnnxError`] if it cannot be taken over.
pub fn read(file: Bytes, path: Option<&Path>) -> Result<Network, OnnxError> {
    import(file, path, Wanted::default())
}

fn named(name: &str, wanted: Wanted) -> Result<Network, ArchError> {
    let path = Path::new(name);
    whole_file(path)
        .and_then(|file| import(file, Some(path), wanted))
        .map_err(|problem| ArchError::Onnx {
            file: Shown::new(name).to_string(),
            problem,
        })
}

fn whole_file(path: &Path) -> Result<Bytes, OnnxError> {
    let told = |e: std::io::Error| OnnxError::Io(e.to_string());
    let file = File::open(path).map_err(told)?;
    let about = file.metadata().map_err(told)?;
    if !about.is_file() {
        return Err(OnnxError::Io("it is no ordinary file".to_owned()));
    }
    if about.len() > LARGEST_FILE {
        return Err(OnnxError::Size(format!(
            "it has {} bytes, more than an ONNX file can have; keep its tensors in another file (external data)",
            about.len()
        )));
    }
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(about.len() as usize)
        .map_err(|e| OnnxError::Io(e.to_string()))?;
    let mut file = file.take(about.len());
    file.read_to_end(&mut bytes).map_err(told)?;
    Ok(bytes.into())
}

fn import(file: Bytes, path: Option<&Path>, wanted: Wanted) -> Result<Network, OnnxError> {
    if file.is_empty() {
        return Err(OnnxError::Damaged("it is empty".to_owned()));
    }
    wire::check(&file)?;
    let model = ModelProto::decode(file).map_err(|e| OnnxError::Damaged(e.to_string()))?;
    let graph = graph::Graph::of(model, path.and_then(Path::parent))?;
    let name = path.and_then(Path::file_name).unwrap_or_default();
    let name = Shown::new(&name.to_string_lossy()).to_string();
    let (image, channels_last) = image(&graph.image.1, wanted.side)?;
    let (mut arch, recipes) = import::Importer::run(&name, &graph, image, channels_last)?;
    if let Some(classes) = wanted.classes
        && classes != arch.classes
    {
        classes::replace(&mut arch, classes)?;
    }
    Ok(Network {
        arch,
        weights: Weights {
            stored: graph.stored,
            recipes,
        },
    })
}

/// The images' shape, and whether the file has their channels last. A side that the file has itself is
/// kept as it is; another one makes the images square.
fn image(dims: &[Option<usize>], side: Option<usize>) -> Result<(Shape, bool), OnnxError> {
    let is_channels = |dim: Option<usize>| matches!(dim, Some(1 | 3));
    let channels_last = is_channels(dims[3]) && !is_channels(dims[1]);
    let (channels, own) = if channels_last {
        (dims[3], [dims[1], dims[2]])
    } else {
        (dims[1], [dims[2], dims[3]])
    };
    let channels = channels.ok_or_else(|| {
        OnnxError::field(
            "graph.input",
            "how many channels the images have is not said",
        )
    })?;
    let [height, width] = match (own, side) {
        ([Some(h), Some(w)], Some(side)) if side == h => [h, w],
        (_, Some(side)) => [side, side],
        (own, None) => own.map(|s| s.unwrap_or(USUAL_SIDE)),
    };
    if channels > LARGEST_SIDE || height > LARGEST_SIDE || width > LARGEST_SIDE {
        return Err(OnnxError::field(
            "graph.input",
            format!("images of {channels}x{height}x{width} are larger than {LARGEST_SIDE} a side"),
        ));
    }
    Ok((Shape::image(channels, height, width), channels_last))
}
