//! One network after the other: predicted, completed, post-processed, calibrated, written.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Instant;

use super::super::Common;
use super::super::eval::saw_no_image;
use super::PredictArgs;
use super::answer::Answer;
use super::asked::Asked;
use super::calibration::Calibrated;
use crate::arch::{Arch, TensorRole, TensorSpec};
use crate::data::DataSet;
use crate::engine::protocol::{PredictSeconds, Predicted};
use crate::ghn::{Ghn, GhnError, PredictOptions, Prediction};
use crate::init::{self, Post, Progress};
use crate::nn::StateDict;
use crate::nn::files::write_safetensors;

/// What all networks of a command share.
pub struct Work<'a> {
    pub common: &'a Common,
    pub args: &'a PredictArgs,
    pub ghn: Ghn,
    /// What is asked for, for all predicted weights.
    pub post: Post,
    /// Images to calibrate on.
    pub data: Option<DataSet>,
}

impl Work<'_> {
    /// Predicts for one network and writes its file.
    ///
    /// # Errors
    /// If nothing that is asked for can be predicted, or a later step fails; then no file is written.
    pub fn one(&self, mut asked: Asked) -> anyhow::Result<Answer> {
        let prediction = self.predict(&asked)?;
        let arch = &asked.arch;
        let mut predicted = describe(arch, &self.ghn, &prediction);
        let (random, kept) = asked.left(&prediction.unpredicted);
        let refusal = asked.refusal(&prediction.unpredicted);
        let mut warnings: Vec<String> = refusal.into_iter().collect();
        warnings.extend(self.stale(&asked));
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
        let metadata = self.metadata(arch, calibration.as_ref())?;
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

    /// A sentence about a file's running statistics, if they stay although weights before them change.
    fn stale(&self, asked: &Asked) -> Option<String> {
        let Asked { arch, base, .. } = asked;
        let base = base.as_ref().filter(|_| self.data.is_none())?;
        let keeps = |spec: &TensorSpec| spec.role == TensorRole::RunningMean;
        let measured = arch.tensors().iter().any(keeps) && !saw_no_image(arch, &base.state);
        measured.then(|| {
            "the running statistics of the batch norms are the file's, and were measured with its own weights; \
             --calibrate DATA measures them anew"
                .to_owned()
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
    fn metadata(
        &self,
        arch: &Arch,
        calibrated: Option<&Calibrated>,
    ) -> Result<BTreeMap<String, String>, GhnError> {
        let ghn = &self.ghn;
        let mut all = vec![
            ("format", "pt".to_owned()),
            ("arch", arch.name().to_owned()),
            ("classes", arch.classes().to_string()),
            ("ghn", ghn.name().to_owned()),
            ("ghn_sha256", ghn.hash()?.to_owned()),
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
        let owned = |(key, value): (&str, String)| (key.to_owned(), value);
        Ok(all.into_iter().map(owned).collect())
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
