//! `hyperscope predict`: a GHN's parameters for networks, written to files that PyTorch loads.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Common;
use super::arch::NetworkShape;
use crate::arch::Arch;
use crate::ghn::ClassLayers;
use calibration::CalibrationArgs;
use post::PostArgs;
use work::Work;

mod answer;
mod asked;
mod calibration;
mod post;
mod work;

#[derive(Debug, Args)]
pub struct PredictArgs {
    /// torchvision's names, such as resnet50, or deepnets:SEED, deepnets/SPLIT:SEED, or ONNX files; each of
    /// several gets a file of its own name in the folder that -o names
    #[arg(required = true, value_name = "ARCH")]
    archs: Vec<String>,
    #[command(flatten)]
    shape: NetworkShape,
    /// `default`, a checkpoint (.pt, or .safetensors with its config beside it), or a name in the
    /// cache folder
    #[arg(long, default_value = crate::ghn::DEFAULT, value_name = "GHN")]
    ghn: String,
    /// Predict only tensors that fit this pattern, or lie in a module that does; may be given several
    /// times. `*` stands for any characters, dots included: layer4, 'layer4.*', '*.bias'
    #[arg(long, value_name = "PATTERN")]
    only: Vec<String>,
    /// Put the prediction into the parameters of this file (.safetensors, .pt, .pth), whose other tensors
    /// are kept; class count and stem follow from the file
    #[arg(long, value_name = "FILE", conflicts_with = "auxiliary")]
    into: Option<PathBuf>,
    /// Whether the classification layer is predicted
    #[arg(long, value_enum, default_value_t = Classifier::Auto, value_name = "WHEN")]
    class_layers: Classifier,
    #[command(flatten)]
    post: PostArgs,
    #[command(flatten)]
    calibration: CalibrationArgs,
    /// The safetensors file to write, or the folder for several
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Classifier {
    /// If the network has as many classes as the GHN was trained for
    Auto,
    /// Also for another class count: the GHN's classes are cut or repeated
    Always,
    /// It keeps its random initialisation, or what the file has
    Never,
}

impl Classifier {
    const fn asked(self) -> ClassLayers {
        match self {
            Self::Auto => ClassLayers::WhenClassesMatch,
            Self::Always => ClassLayers::Always,
            Self::Never => ClassLayers::Never,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// If a network or the GHN cannot be had, nothing that is asked for can be predicted, post-processing or
/// calibration fails, or a file cannot be written.
pub fn run(common: &Common, args: &PredictArgs) -> anyhow::Result<()> {
    anyhow::ensure!(
        args.into.is_none() || args.archs.len() == 1,
        "--into takes the parameters of one network; predict the others alone"
    );
    let networks = asked::networks(args, common.seed)?;
    // A layer that does not exist is noticed before the work.
    let post = args.post.post(common.seed);
    for asked in &networks {
        post.first_layer.find(&asked.arch)?;
    }
    let archs: Vec<&Arch> = networks.iter().map(|n| &n.arch).collect();
    let data = args.calibration.open(&archs)?;
    let ghn = common.open_ghn(&args.ghn)?;
    if !ghn.trained() {
        eprintln!(
            "the GHN \"{}\" is untrained: its weights are random, and so is what it predicts",
            ghn.name()
        );
    }
    asked::make_folder(args)?;
    let work = Work {
        common,
        args,
        ghn,
        post,
        data,
    };
    let mut answers = Vec::new();
    for asked in networks {
        let answer = work.one(asked)?;
        for warning in &answer.warnings {
            eprintln!("warning: {warning}");
        }
        answers.push(answer);
    }
    answer::show(common.json, &answers)
}
