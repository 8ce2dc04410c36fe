//! Post-processing of predicted (or any) parameters: noise and orthogonal re-initialisation, as
//! published with arXiv 2207.10049, with guards that the published code has not.
//!
//! For each treated layer, `M` is the tall matrix view of its weight `W`. Noise: `W + beta s N(0,1)`
//! with `s` the spread of the correlations between the rows of `M`. Orthogonal: the thin QR's `Q` of
//! `M` with the signs of `R`'s diagonal takes the place of the weight; the scale is not restored.

use std::ops::ControlFlow;

use rand_distr::{Distribution, StandardNormal};

use super::layers::{self, Layer};
use super::{FirstLayer, InitError};
use crate::arch::{Arch, TensorChoice};
use crate::nn::linalg::MatrixView;
use crate::nn::{StateDict, Tensor, parallel};
use crate::random::stream;

mod one;
mod warning;

pub use one::{Treated, add_noise, orthogonalise};
pub use warning::{Warning, WarningKind};

/// What to do to a network's weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Post {
    pub noise: bool,
    pub orth: bool,
    /// Strength of the noise; the published recipes have 3e-5.
    pub beta: f64,
    pub first_layer: FirstLayer,
    /// Only layers with more output or input channels than this are treated, and noise is added
    /// beyond this many of either; 0 for all.
    pub max_size: usize,
    /// Only the weights of this choice are treated; `None` for all.
    pub only: Option<TensorChoice>,
    pub seed: u64,
}

/// The published strength of the noise.
pub const PUBLISHED_BETA: f64 = 3e-5;

impl Default for Post {
    /// Nothing is done; the other numbers are the published ones.
    fn default() -> Self {
        Self {
            noise: false,
            orth: false,
            beta: PUBLISHED_BETA,
            first_layer: FirstLayer::default(),
            max_size: 0,
            only: None,
            seed: 0,
        }
    }
}

impl Post {
    /// Whether it changes anything.
    #[must_use]
    pub fn acts(&self) -> bool {
        self.orth || self.adds_noise()
    }

    fn adds_noise(&self) -> bool {
        self.noise && self.beta > 0.0
    }

    fn chooses(&self, tensor: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.has(tensor))
    }
}

/// One more layer is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Its weight.
    pub tensor: &'a str,
    pub done: usize,
    pub total: usize,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PostReport {
    /// Treated layers, in order.
    pub layers: Vec<LayerReport>,
    /// Layers with a weight matrix, treated or not.
    pub of: usize,
    /// Values of the treated weights.
    pub values: usize,
    /// Values of all weight matrices.
    pub of_values: usize,
    pub warnings: Vec<Warning>,
}

/// What was done to one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerReport {
    /// Its number among the layers with a weight matrix, from 1.
    pub number: usize,
    pub tensor: String,
    /// Spread of the row correlations, if noise was asked for.
    pub correlation_std: Option<f64>,
}

/// Post-processes the weights of `state`, which must be parameters of `arch`.
///
/// `progress` hears of each layer as it is done and may end the work by breaking. On an error or a
/// break nothing is changed. The noise of each tensor comes from its own stream, `post/NAME`.
///
/// # Errors
/// [`InitError`]: a layer that does not exist, a tensor that is missing, misshapen or not finite, a
/// beta that makes no sense, or [`InitError::Cancelled`].
pub fn post_process(
    state: &mut StateDict,
    arch: &Arch,
    post: &Post,
    progress: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<PostReport, InitError> {
    let noise = |tensor: &str| -> Box<dyn Iterator<Item = f32>> {
        let mut stream = stream(post.seed, &format!("post/{tensor}"));
        let draw = move || Some(StandardNormal.sample(&mut stream));
        Box::new(std::iter::from_fn(draw))
    };
    post_process_with(state, arch, post, &noise, progress)
}

/// Standard normal numbers for the tensor of this name, in the order of its elements.
pub type Noise<'a> = dyn Fn(&str) -> Box<dyn Iterator<Item = f32> + 'a> + Sync + 'a;

/// As [`post_process`], with the noise given: the parity check has PyTorch's.
///
/// # Errors
/// As [`post_process`].
pub fn post_process_with(
    state: &mut StateDict,
    arch: &Arch,
    post: &Post,
    noise: &Noise<'_>,
    progress: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<PostReport, InitError> {
    if !(post.beta.is_finite() && post.beta >= 0.0) {
        return Err(InitError::Beta(post.beta));
    }
    let first = post.first_layer.find(arch)?;
    let all: Vec<Layer<'_>> = layers::layers(arch).collect();
    let mut report = PostReport {
        of: all.len(),
        of_values: all.iter().map(|l| l.weight.len()).sum(),
        ..PostReport::default()
    };
    if !post.acts() {
        return Ok(report);
    }
    let mut treated = layers::treated(arch, first, post.max_size);
    treated.retain(|layer| post.chooses(&layer.weight.name));
    let results = treat_all(state, arch, post, &treated, noise, progress)?;
    for (layer, result) in treated.iter().zip(results) {
        let name = &layer.weight.name;
        report.values += result.values.len();
        report.layers.push(LayerReport {
            number: layer.number,
            tensor: name.clone(),
            correlation_std: result.correlation_std,
        });
        for kind in result.warnings {
            warning::note(&mut report.warnings, kind, name);
        }
        if let Some(values) = state.get_mut(name).and_then(Tensor::floats_mut) {
            *values = result.values;
        }
    }
    if treated.is_empty() {
        warning::note(
            &mut report.warnings,
            WarningKind::NothingTreated,
            arch.name(),
        );
    }
    Ok(report)
}

/// The new values of each treated layer; `state` stays as it is.
fn treat_all(
    state: &StateDict,
    arch: &Arch,
    post: &Post,
    treated: &[Layer<'_>],
    noise: &Noise<'_>,
    progress: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<Vec<Treated>, InitError> {
    let weights: Vec<(&Layer<'_>, &[f32])> = treated
        .iter()
        .map(|layer| weight(state, arch, layer).map(|w| (layer, w)))
        .collect::<Result<_, _>>()?;
    let mut results: Vec<Option<Treated>> = vec![None; weights.len()];
    let mut failed = None;
    let mut done = 0;
    let flow = parallel::for_each(
        &weights,
        |(layer, values)| one::treat(&layer.weight.name, &layer.weight.shape, values, post, noise),
        |index, result| {
            match result {
                Ok(result) => results[index] = Some(result),
                Err(error) => {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
            }
            done += 1;
            progress(Progress {
                tensor: &treated[index].weight.name,
                done,
                total: treated.len(),
            })
        },
    );
    match (failed, flow) {
        (Some(error), _) => Err(error),
        (None, ControlFlow::Break(())) => Err(InitError::Cancelled),
        (None, ControlFlow::Continue(())) => Ok(results.into_iter().flatten().collect()),
    }
}

/// A layer's weight, checked against the architecture.
fn weight<'s>(
    state: &'s StateDict,
    arch: &Arch,
    layer: &Layer<'_>,
) -> Result<&'s [f32], InitError> {
    let spec = layer.weight;
    let missing = || InitError::MissingTensor {
        arch: arch.name().to_owned(),
        tensor: spec.name.clone(),
    };
    let tensor = state.get(&spec.name).ok_or_else(missing)?;
    if tensor.shape != spec.shape {
        return Err(InitError::Shape {
            arch: arch.name().to_owned(),
            tensor: spec.name.clone(),
            expected: spec.shape.clone(),
            got: tensor.shape.clone(),
        });
    }
    let values = tensor.floats().ok_or_else(missing)?;
    let broken = values.iter().filter(|v| !v.is_finite()).count();
    if broken > 0 {
        return Err(InitError::NotFinite {
            tensor: spec.name.clone(),
            count: broken,
        });
    }
    MatrixView::new(&spec.shape, values).ok_or_else(missing)?;
    Ok(values)
}

#[cfg(test)]
mod tests;
