//! `hyperscope check post`: noise and orthogonal re-initialisation against the published code's
//! numbers, with its own noise.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

use super::Case;
use super::measure::{Measure, Worst};
use crate::init::post::{add_noise, orthogonalise};
use crate::nn::correlation::{row_correlation, thinned_correlation};
use crate::nn::files::read_state;
use crate::nn::linalg::{MatrixView, singular_values};
use crate::nn::{StateDict, Tensor};

mod network;

/// Tolerances. The reference is 32-bit; it differs from 64 bits by up to 6e-7 where the matrix is
/// well conditioned, and by 5e-3 where only the noise decides.
const CLOSE: f64 = 5e-6;
const NOISE_DECIDED: f64 = 2e-2;
/// Of a diagonal element of R, relative to the largest: smaller ones are rounding.
const ROUNDING: f64 = 1e-5;

/// One matrix of the reference.
#[derive(Debug, Deserialize)]
struct Stored {
    shape: Vec<usize>,
    mat_shape: [usize; 2],
    transposed: bool,
    corr_std: f64,
    rank: usize,
    eig_max: f64,
    beta: f64,
}

/// Noise beyond some channels only.
#[derive(Debug, Deserialize)]
struct StoredMaxSize {
    shape: Vec<usize>,
    max_sz: usize,
    corr_std: f64,
    beta: f64,
}

#[derive(Debug, Deserialize)]
struct Reference {
    cases: IndexMap<String, Value>,
}

/// The cases of the reference at `path`, a folder laid out like `fixtures/ghn`, or its `postproc`.
///
/// # Errors
/// If its files cannot be read.
pub fn cases(path: &Path) -> anyhow::Result<Vec<Case>> {
    let folder = folder(path);
    let json = folder.join("postproc.json");
    let text = std::fs::read_to_string(&json)
        .with_context(|| format!("reading the reference {}", json.display()))?;
    let reference: Reference = serde_json::from_str(&text)
        .with_context(|| format!("reading the reference {}", json.display()))?;
    let tensors = read_state(folder.join("postproc.safetensors"))?.tensors;
    let mut cases = Vec::new();
    for (name, stored) in reference.cases {
        match name.as_str() {
            "net" => cases.extend(network::cases(&stored, &tensors)?),
            "maxsz" => cases.push(max_size(&serde_json::from_value(stored)?, &tensors)?),
            _ => cases.push(matrix(&name, &serde_json::from_value(stored)?, &tensors)?),
        }
    }
    Ok(cases)
}

fn folder(path: &Path) -> PathBuf {
    let inner = path.join("postproc");
    if inner.is_dir() {
        inner
    } else {
        path.to_owned()
    }
}

/// The values of a stored tensor.
fn values<'t>(tensors: &'t StateDict, name: &str) -> anyhow::Result<&'t [f32]> {
    tensors
        .get(name)
        .and_then(Tensor::floats)
        .with_context(|| format!("the reference lacks the tensor {name}"))
}

/// Largest difference, relative to the largest expected value.
fn error(got: impl IntoIterator<Item = f64>, expected: &[f32]) -> f64 {
    let mut largest = 0.0_f64;
    let mut off = 0.0_f64;
    let mut count = 0;
    for (got, expected) in got.into_iter().zip(expected) {
        let difference = (got - f64::from(*expected)).abs();
        // A difference that is not a number must not be passed over.
        off = if difference <= off { off } else { difference };
        largest = largest.max(f64::from(expected.abs()));
        count += 1;
    }
    if count != expected.len() {
        return f64::INFINITY;
    }
    if off == 0.0 { 0.0 } else { off / largest }
}

fn floats(values: &[f32]) -> impl Iterator<Item = f64> {
    values.iter().map(|v| f64::from(*v))
}

fn see(worst: &mut Worst, what: &str, error: f64, allowed: f64) {
    worst.see(Measure {
        what: what.to_owned(),
        error,
        allowed,
    });
}

fn matrix(name: &str, stored: &Stored, tensors: &StateDict) -> anyhow::Result<Case> {
    let of = |part: &str| values(tensors, &format!("{name}.{part}"));
    let input = of("in")?;
    let view = MatrixView::new(&stored.shape, input).context("a stored matrix is no matrix")?;
    let mut worst = Worst::default();
    let same_view =
        [view.rows(), view.cols()] == stored.mat_shape && view.is_transposed() == stored.transposed;
    see(
        &mut worst,
        "matrix view",
        f64::from(u8::from(!same_view)),
        0.5,
    );
    spectrum(&view, stored, of("eigs")?, &mut worst)?;
    correlation(&view, stored, of("corr")?, &mut worst);
    let mut noisy = input.to_vec();
    let scale = stored.beta * row_correlation(&view).std;
    add_noise(
        &mut noisy,
        &stored.shape,
        scale,
        0,
        of("noise")?.iter().copied(),
    );
    see(
        &mut worst,
        "noise",
        error(floats(&noisy), of("noisy")?),
        CLOSE,
    );
    let determined = determined(of("r_diag")?);
    let is_full = determined == view.cols();
    orthogonal(
        stored,
        input,
        of("orth")?,
        determined,
        CLOSE,
        "orth",
        &mut worst,
    )?;
    let allowed = if is_full { CLOSE } else { NOISE_DECIDED };
    let noisy_orth = of("noisy_orth")?;
    orthogonal(
        stored,
        &noisy,
        noisy_orth,
        view.cols(),
        allowed,
        "noise+orth",
        &mut worst,
    )?;
    Ok(worst.into_case(name))
}

fn spectrum(
    view: &MatrixView<'_>,
    stored: &Stored,
    eigenvalues: &[f32],
    worst: &mut Worst,
) -> anyhow::Result<()> {
    let sigma = singular_values(view)?;
    let squares = sigma.iter().rev().map(|s| s * s);
    see(worst, "eigenvalues", error(squares, eigenvalues), CLOSE);
    let largest = (sigma[0] * sigma[0] / stored.eig_max - 1.0).abs();
    see(worst, "largest eigenvalue", largest, CLOSE);
    let rank = crate::stats::Spectrum::new(sigma, view.rows()).rank();
    let off = rank.abs_diff(stored.rank) as f64;
    see(worst, "rank", off, 0.5);
    Ok(())
}

fn correlation(view: &MatrixView<'_>, stored: &Stored, corner: &[f32], worst: &mut Worst) {
    let std = row_correlation(view).std;
    see(
        worst,
        "spread of correlations",
        (std / stored.corr_std - 1.0).abs(),
        CLOSE,
    );
    let (all, side) = thinned_correlation(view, usize::MAX);
    let shown = side.min(64);
    let got = (0..shown).flat_map(|i| all[i * side..i * side + shown].iter());
    see(
        worst,
        "correlations",
        error(got.map(|c| f64::from(*c)), corner),
        CLOSE,
    );
}

/// Columns of Q that follow from the matrix: those before the first diagonal element of R that is
/// rounding.
fn determined(r_diagonal: &[f32]) -> usize {
    let largest = r_diagonal.iter().fold(0.0_f32, |m, r| m.max(r.abs()));
    let is_rounding = |r: &f32| f64::from(r.abs()) <= ROUNDING * f64::from(largest);
    r_diagonal
        .iter()
        .position(is_rounding)
        .unwrap_or(r_diagonal.len())
}

/// Our orthogonal factor of `input`: all of it must be orthonormal, and its first columns the
/// stored ones.
fn orthogonal(
    stored: &Stored,
    input: &[f32],
    expected: &[f32],
    columns: usize,
    allowed: f64,
    what: &str,
    worst: &mut Worst,
) -> anyhow::Result<()> {
    let (got, _) = orthogonalise(&stored.shape, input).context("a stored matrix is no matrix")?;
    let view = MatrixView::new(&stored.shape, &got).context("a stored matrix is no matrix")?;
    let sigma = singular_values(&view)?;
    let off = sigma.iter().map(|s| (s - 1.0).abs()).fold(0.0, f64::max);
    see(worst, &format!("{what}: orthonormal"), off, CLOSE);
    let other = MatrixView::new(&stored.shape, expected).context("a stored matrix is no matrix")?;
    let (mut a, mut b) = (vec![0.0; view.cols()], vec![0.0; view.cols()]);
    let mut largest = 0.0_f64;
    for row in 0..view.rows() {
        view.copy_row(row, &mut a);
        other.copy_row(row, &mut b);
        let off = a.iter().zip(&b).take(columns).map(|(a, b)| (a - b).abs());
        largest = off.fold(largest, f64::max);
    }
    see(
        worst,
        &format!("{what}: {columns} columns"),
        largest,
        allowed,
    );
    Ok(())
}

fn max_size(stored: &StoredMaxSize, tensors: &StateDict) -> anyhow::Result<Case> {
    let mut got = values(tensors, "maxsz.in")?.to_vec();
    let view = MatrixView::new(&stored.shape, &got).context("a stored matrix is no matrix")?;
    let std = row_correlation(&view).std;
    let mut worst = Worst::default();
    see(
        &mut worst,
        "spread of correlations",
        (std / stored.corr_std - 1.0).abs(),
        CLOSE,
    );
    let noise = values(tensors, "maxsz.noise")?.iter().copied();
    add_noise(
        &mut got,
        &stored.shape,
        stored.beta * std,
        stored.max_sz,
        noise,
    );
    let expected = values(tensors, "maxsz.noisy")?;
    see(&mut worst, "noise", error(floats(&got), expected), CLOSE);
    Ok(worst.into_case("maxsz"))
}
