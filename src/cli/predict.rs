//! `hyperscope predict`: a GHN's parameters for networks, written to files that PyTorch loads.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};

use super::Common;
use super::arch::NetworkShape;
use crate::arch::Arch;
use crate::data::DataSet;
use crate::engine::protocol::{PredictSeconds, Predicted};
use crate::ghn::{ClassLayers, Ghn, PredictOptions, Prediction};
use crate::init::{self, Post, Progress};
use crate::nn::StateDict;
use crate::nn::files::write_safetensors;
use answer::{Answer, show};
use asked::Asked;
use calibration::{Calibrated, CalibrationArgs};
use post::PostArgs;

mod answer;
mod asked;
mod calibration;
mod post;

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
    let ghn = Ghn::open(&args.ghn, common.seed)?;
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
    show(common.json, &answers)
}

/// What all networks of a command share.
struct Work<'a> {
    common: &'a Common,
    args: &'a PredictArgs,
    ghn: Ghn,
    post: Post,
    data: Option<DataSet>,
}

impl Work<'_> {
    /// Predicts for one network and writes its file.
    fn one(&self, mut asked: Asked) -> anyhow::Result<Answer> {
        let prediction = self.predict(&asked)?;
        let arch = &asked.arch;
        let mut predicted = describe(arch, &self.ghn, &prediction);
        let (random, kept) = asked.left(&prediction.unpredicted);
        let mut warnings = asked.refusal(&prediction.unpredicted);
        let mut post = self.post.clone();
        if asked.base.is_some() || asked.only.is_some() {
            // What is not asked for is left as it is.
            let names = prediction.tensors.iter().map(|(name, _)| name.to_owned());
            post.only = Some(names.collect());
        }
        let mut state = match asked.base.take() {
            Some(base) => overlaid(base.state, prediction.tensors),
            None => init::random::complete(arch, prediction.tensors, self.common.seed),
        };
        let go_on = &mut |_: Progress<'_>| ControlFlow::Continue(());
        let report = init::post_process(&mut state, arch, &post, go_on)?;
        warnings.extend(report.warnings.iter().map(ToString::to_string));
        let calibration = self.calibrate(arch, &mut state, &mut warnings)?;
        let start = Instant::now();
        let metadata = self.metadata(arch, calibration.as_ref());
        write_safetensors(&asked.output, &state, &metadata)?;
        predicted.seconds.write = start.elapsed().as_secs_f64();
        Ok(Answer {
            predicted,
            of: arch.parameter_count() as u64,
            only: self.args.only.clone(),
            into: self.args.into.as_ref().map(|p| p.display().to_string()),
            kept,
            random,
            output: asked.output.display().to_string(),
            post_processed: report.layers.into_iter().map(|l| l.tensor).collect(),
            layers: report.of,
            calibration,
            warnings,
        })
    }

    fn predict(&self, asked: &Asked) -> anyhow::Result<Prediction> {
        let options = PredictOptions {
            class_layers: self.args.class_layers.asked(),
            only: asked.only.as_ref(),
            seed: self.common.seed,
        };
        let prediction = self.ghn.predict(&asked.arch, &options)?;
        anyhow::ensure!(
            asked.only.is_none() || !prediction.tensors.is_empty(),
            "the GHN \"{}\" predicts nothing of what --only chooses: buffers, a few odd parameters and, unless \
             --class-layers says so, a classification layer for other classes are left as they are",
            self.ghn.name()
        );
        Ok(prediction)
    }

    fn calibrate(
        &self,
        arch: &Arch,
        state: &mut StateDict,
        warnings: &mut Vec<String>,
    ) -> anyhow::Result<Option<Calibrated>> {
        let Some(data) = &self.data else {
            return Ok(None);
        };
        let done = self.args.calibration.run(self.common, data, arch, state)?;
        if done.norms == 0 {
            warnings.push(format!(
                "{} has no batch norm that keeps statistics, so there is nothing to calibrate",
                arch.name()
            ));
        }
        Ok(Some(done))
    }

    /// What the file says about itself.
    fn metadata(&self, arch: &Arch, calibrated: Option<&Calibrated>) -> BTreeMap<String, String> {
        let ghn = &self.ghn;
        let mut all = vec![
            ("format", "pt".to_owned()),
            ("arch", arch.name().to_owned()),
            ("classes", arch.classes().to_string()),
            ("ghn", ghn.name().to_owned()),
            ("ghn_sha256", ghn.hash()),
            ("ghn_trained", ghn.trained().to_string()),
            ("seed", self.common.seed.to_string()),
        ];
        if !self.args.only.is_empty() {
            all.push(("only", self.args.only.join(" ")));
        }
        // Without the folder: the file may go anywhere.
        if let Some(file) = self.args.into.as_ref().and_then(|p| p.file_name()) {
            all.push(("into", file.to_string_lossy().into_owned()));
        }
        if let Some(done) = calibrated.filter(|c| c.norms > 0) {
            let Calibrated {
                data,
                images,
                batches,
                ..
            } = done;
            let text = format!("{images} training images of {data} in {batches} batches");
            all.push(("calibrated", text));
        }
        all.into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }
}

fn describe(arch: &Arch, ghn: &Ghn, prediction: &Prediction) -> Predicted {
    let values: usize = prediction.tensors.iter().map(|(_, t)| t.len()).sum();
    Predicted {
        arch: arch.name().to_owned(),
        ghn: ghn.name().to_owned(),
        trained: ghn.trained(),
        params: values as u64,
        tensors: prediction.tensors.len() as u64,
        unpredicted: prediction.unpredicted.clone(),
        seconds: PredictSeconds {
            graph: prediction.seconds.graph,
            gnn: prediction.seconds.gnn,
            decode: prediction.seconds.decode,
            write: 0.0,
        },
    }
}

/// `base` with the values of `given` in place of its own.
fn overlaid(mut base: StateDict, given: StateDict) -> StateDict {
    for (name, tensor) in given {
        base.insert(name, tensor);
    }
    base
}
