//! `hyperscope check ghn`: node states and predicted parameters, against the reference's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Case;
use super::stored::{self, Stored};
use crate::arch::Arch;
use crate::ghn::reference::{StoredPrediction, StoredPredictions};
use crate::ghn::{ClassLayers, Ghn, Graph, Parameter, PredictOptions};
use crate::nn::files::read_state;
use crate::nn::{Device, StateDict, Tensor};

/// Largest difference of a predicted value, in units of its tensor's largest value.
pub(super) const PREDICTION_TOLERANCE: f64 = 1e-4;
/// Largest difference of a node's state, absolute.
const STATE_TOLERANCE: f64 = 2e-5;

/// Cases for every stored prediction and whole state dict, predicted on `device`, and set of node states.
///
/// # Errors
/// If the folder holds no predictions, or a file cannot be read.
pub fn cases(path: &Path, device: Device) -> anyhow::Result<Vec<Case>> {
    let files = stored::files(path, "pred", ".pred.json.gz")?;
    anyhow::ensure!(
        !files.is_empty(),
        "there are no predictions in {}; give a folder that holds pred/*.pred.json.gz",
        path.display()
    );
    let mut ghns = Ghns::new(path, device);
    let mut cases = Vec::new();
    for file in &files {
        predictions(file, &mut ghns, &mut cases)?;
    }
    for file in stored::files(path, "full", ".safetensors")? {
        cases.push(tensors_case(&file, "full", &mut ghns, whole_prediction)?);
    }
    for file in stored::files(path, "emb", ".safetensors")? {
        cases.push(tensors_case(&file, "emb", &mut ghns, node_states)?);
    }
    Ok(cases)
}

/// The reference's GHNs, opened once each.
struct Ghns {
    folder: PathBuf,
    device: Device,
    open: BTreeMap<String, Result<Ghn, String>>,
}

impl Ghns {
    fn new(folder: &Path, device: Device) -> Self {
        Self {
            device,
            folder: folder.join("weights"),
            open: BTreeMap::new(),
        }
    }

    /// A GHN, or why this build has it not.
    fn get(&mut self, name: &str) -> anyhow::Result<Result<&Ghn, &str>> {
        if !self.open.contains_key(name) {
            let path = self.folder.join(format!("{name}.safetensors"));
            let ghn = if path.is_file() {
                Ok(Ghn::read(&path)?.on(self.device)?)
            } else {
                Err(format!("the folder has no weights of {name}"))
            };
            self.open.insert(name.to_owned(), ghn);
        }
        let missing = "not opened";
        let ghn = self
            .open
            .get(name)
            .map(|g| g.as_ref().map_err(String::as_str));
        Ok(ghn.unwrap_or(Err(missing)))
    }
}

/// One case per GHN whose prediction for a network is stored.
fn predictions(file: &Stored, ghns: &mut Ghns, cases: &mut Vec<Case>) -> anyhow::Result<()> {
    let graph = stored::graph_beside(&file.path, &file.tag)?;
    let arch = stored::network(&graph)?;
    let predictions = StoredPredictions::read(&file.path)?;
    for (name, expected) in &predictions.ghns {
        let case = format!("{}/{name}", file.tag);
        cases.push(match (&arch, ghns.get(name)?) {
            (None, _) => Case::missing(&case, "the zoo has no such architecture yet"),
            (_, Err(reason)) => Case::missing(&case, reason),
            (Some(arch), Ok(ghn)) => prediction(&case, arch, ghn, &predictions.params, expected)?,
        });
    }
    Ok(())
}

fn prediction(
    case: &str,
    arch: &Arch,
    ghn: &Ghn,
    params: &[(String, Vec<usize>, Vec<usize>)],
    expected: &StoredPrediction,
) -> anyhow::Result<Case> {
    let class_layers = match expected.kwargs.predict_class_layers {
        Some(false) => ClassLayers::Never,
        _ => ClassLayers::Always,
    };
    let options = PredictOptions {
        class_layers,
        ..PredictOptions::default()
    };
    let got = ghn.predict(arch, &options)?;
    let rows = ghn.shape_rows(&Graph::of(arch), &Parameter::list(arch));
    let mut worst = Worst::default();
    for (name, _, indices) in params {
        match (expected.tensors.get(name), got.tensors.get(name)) {
            (Some(figures), Some(tensor)) => worst.note(name, figures.error(tensor, indices)),
            (None, None) => {}
            _ => worst.note(name, f64::INFINITY),
        }
    }
    let complaint = if rows != expected.shape_ind {
        Some("shapes are looked up in other rows")
    } else if got.unpredicted != expected.unpredicted {
        Some("other parameters stay unpredicted")
    } else {
        None
    };
    Ok(worst.case(case, PREDICTION_TOLERANCE, complaint))
}

type Compare = fn(&Arch, &Ghn, &StateDict, &mut Worst) -> anyhow::Result<f64>;

/// A case of a file of tensors called `TAG.GHN.safetensors`.
fn tensors_case(
    file: &Stored,
    kind: &str,
    ghns: &mut Ghns,
    compared: Compare,
) -> anyhow::Result<Case> {
    let case = format!("{kind}/{}", file.tag);
    let Some((tag, name)) = file.tag.split_once('.') else {
        return Ok(Case::missing(
            &case,
            "the file's name does not say which GHN made it",
        ));
    };
    let graph = stored::graph_beside(&file.path, tag)?;
    let arch = stored::network(&graph)?;
    Ok(match (&arch, ghns.get(name)?) {
        (None, _) => Case::missing(&case, "the zoo has no such architecture yet"),
        (_, Err(reason)) => Case::missing(&case, reason),
        (Some(arch), Ok(ghn)) => {
            let mut worst = Worst::default();
            let expected = read_state(&file.path)?.tensors;
            let tolerance = compared(arch, ghn, &expected, &mut worst)?;
            worst.case(&case, tolerance, None)
        }
    })
}

/// Every value of every predicted tensor.
fn whole_prediction(
    arch: &Arch,
    ghn: &Ghn,
    expected: &StateDict,
    worst: &mut Worst,
) -> anyhow::Result<f64> {
    let options = PredictOptions {
        class_layers: ClassLayers::Always,
        ..PredictOptions::default()
    };
    let got = ghn.predict(arch, &options)?.tensors;
    compare(&got, expected, worst);
    Ok(PREDICTION_TOLERANCE)
}

/// Every value of every tensor, in units of the tensor's largest one.
pub(super) fn compare(got: &StateDict, expected: &StateDict, worst: &mut Worst) {
    for (name, expected) in expected.iter() {
        let error = match got.get(name).filter(|t| t.shape == expected.shape) {
            Some(got) => {
                let largest = floats(expected)
                    .iter()
                    .fold(0.0, |m: f32, v| m.max(v.abs()));
                difference(floats(got), floats(expected)) / f64::from(largest)
            }
            None => f64::INFINITY,
        };
        worst.note(name, error);
    }
}

/// Features, states after message passing, and states as the decoders read them.
fn node_states(
    arch: &Arch,
    ghn: &Ghn,
    expected: &StateDict,
    worst: &mut Worst,
) -> anyhow::Result<f64> {
    let (graph, parameters) = Graph::with_parameters(arch);
    let (features, states) = ghn.states(&graph, &parameters);
    for (name, got) in [
        ("x0", &features),
        ("x_gnn", &states.raw),
        ("x", &states.normalised),
    ] {
        let expected = expected.get(name).map(floats).unwrap_or_default();
        worst.note(name, difference(got, expected));
    }
    Ok(STATE_TOLERANCE)
}

fn floats(tensor: &Tensor) -> &[f32] {
    tensor.floats().unwrap_or_default()
}

/// Largest absolute difference; infinite for different lengths or anything that is no number.
fn difference(a: &[f32], b: &[f32]) -> f64 {
    if a.len() != b.len() {
        return f64::INFINITY;
    }
    let differences = a.iter().zip(b).map(|(a, b)| f64::from((a - b).abs()));
    differences.fold(0.0, |w, d| {
        if d.is_nan() {
            f64::INFINITY
        } else {
            f64::max(w, d)
        }
    })
}

/// The worst of several comparisons.
#[derive(Default)]
pub(super) struct Worst {
    error: f64,
    name: String,
    count: usize,
}

impl Worst {
    fn note(&mut self, name: &str, error: f64) {
        self.count += 1;
        if error > self.error || error.is_nan() {
            self.error = if error.is_nan() { f64::INFINITY } else { error };
            name.clone_into(&mut self.name);
        }
    }

    pub fn case(self, name: &str, tolerance: f64, complaint: Option<&str>) -> Case {
        let note = match complaint {
            Some(complaint) => complaint.to_owned(),
            None => format!("{} tensors, worst {}", self.count, self.name),
        };
        Case {
            name: name.to_owned(),
            ok: complaint.is_none() && self.count > 0 && self.error < tolerance,
            max_rel_err: Some(self.error),
            note,
            ..Case::default()
        }
    }
}
