//! Exported ONNX models give onnxruntime the logits that they give the executor.
//!
//! Needs a Python with onnx, onnxruntime and numpy (`HYPERSCOPE_PYTHON`, or `python3` on the path);
//! without one the tests say that they were skipped.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use hyperscope::arch::onnx::{self, Opset};
use hyperscope::arch::zoo::{FAMILIES, Options};
use hyperscope::arch::{self, Arch, Op, TensorRole};
use hyperscope::init::random;
use hyperscope::nn::files::write_onnx;
use hyperscope::nn::{Images, Mode, Network, StateDict};
use hyperscope::random::{Stream, stream};
use rand::Rng;

/// Largest difference of a logit, relative to the largest logit: 32-bit sums in other orders.
const TOLERANCE: f64 = 1e-4;
const BATCH: usize = 2;

fn python() -> Option<String> {
    let python = std::env::var("HYPERSCOPE_PYTHON").unwrap_or_else(|_| "python3".into());
    let found = Command::new(&python)
        .args(["-c", "import numpy, onnx, onnxruntime"])
        .output()
        .is_ok_and(|o| o.status.success());
    if !found {
        eprintln!("skipped: no Python with onnx and onnxruntime (set HYPERSCOPE_PYTHON)");
    }
    found.then_some(python)
}

fn unit(stream: &mut Stream) -> f32 {
    2.0 * stream.random::<f32>() - 1.0
}

/// Random parameters, none of them still: where initialisation has ones or zeros, noise is added, so
/// that a bias, a norm or a branch that is left out shows in the logits.
fn lively(arch: &Arch) -> StateDict {
    let mut state = random::state(arch, 5);
    for spec in arch.tensors() {
        let tensor = state.get_mut(&spec.name).expect("a complete state");
        let (Some(values), true) = (
            tensor.floats_mut(),
            spec.role != TensorRole::OffsetCoordinates,
        ) else {
            continue;
        };
        let is_still = values.iter().all(|v| *v == values[0]);
        if !is_still && spec.role == TensorRole::Weight {
            continue;
        }
        let mut stream = stream(6, &spec.name);
        let size = if spec.shape.len() > 1 { 0.05 } else { 0.2 };
        for value in values {
            *value += size * unit(&mut stream);
        }
    }
    state
}

/// `[batch, H, W, C]` random pixels.
fn images(arch: &Arch) -> Vec<f32> {
    let mut stream = stream(7, "images");
    let count = BATCH * arch.input().len();
    (0..count).map(|_| unit(&mut stream)).collect()
}

/// The same with channels before rows and columns.
fn channels_first(arch: &Arch, pixels: &[f32]) -> Vec<f32> {
    let (channels, positions) = (arch.input().channels(), arch.input().positions());
    let samples = pixels.chunks_exact(channels * positions);
    samples
        .flat_map(|sample| {
            (0..channels).flat_map(move |c| (0..positions).map(move |p| sample[p * channels + c]))
        })
        .collect()
}

fn write_floats(path: &Path, values: &[f32]) {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    fs::write(path, bytes).expect("a file is written");
}

fn read_floats(path: &Path) -> Vec<f32> {
    let bytes = fs::read(path).expect("onnxruntime's logits");
    let (numbers, rest) = bytes.as_chunks::<4>();
    assert!(rest.is_empty());
    numbers.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// Largest difference between the executor's logits and onnxruntime's, relative to the largest logit.
fn error(python: &str, arch: &Arch, opset: Opset) -> f64 {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let state = lively(arch);
    let export = onnx::export(arch, opset);
    write_onnx(folder.path().join("model.onnx"), &export, &state).expect("the model is written");
    let pixels = images(arch);
    write_floats(
        &folder.path().join("images.f32"),
        &channels_first(arch, &pixels),
    );
    let mut network = Network::new(arch).expect("a network that runs");
    network.load(&state).expect("its own parameters");
    drop(state);
    let batch = Images {
        pixels: &pixels,
        batch: BATCH,
    };
    let mut expected = network
        .forward(&batch, Mode::Eval)
        .expect("logits")
        .to_vec();
    drop(network);
    let output = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/onnx/run.py"))
        .arg(folder.path())
        .output()
        .expect("python runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", arch.name());
    let mut got = read_floats(&folder.path().join("logits.f32"));
    assert_eq!(got.len(), (BATCH + 1) * arch.classes());
    if uses_batch(arch) {
        got.truncate(BATCH * arch.classes());
    } else {
        expected.extend_from_within(..arch.classes());
    }
    let largest = expected.iter().fold(0.0, |a: f32, b| a.max(b.abs()));
    assert!(
        largest > 1e-3 && largest.is_finite(),
        "{}: logits up to {largest} say nothing",
        arch.name()
    );
    let differences = expected.iter().zip(&got);
    let differences = differences.map(|(a, b)| f64::from(a - b).abs() / f64::from(largest));
    differences.fold(0.0, |a, b| if b.is_nan() { b } else { a.max(b) })
}

/// Whether an image's logits depend on the others of its batch.
fn uses_batch(arch: &Arch) -> bool {
    let untracked = |op: &Op| matches!(op, Op::BatchNorm { tracked: false, .. });
    arch.nodes().iter().any(|n| untracked(&n.op))
}

/// The network for the smallest images, larger than the 32x32 form's, that it can be built for.
fn built(name: &str) -> Arch {
    [64, 56, 96, 224]
        .into_iter()
        .find_map(|side| arch::build(name, &Options::for_images(10, side)).ok())
        .expect("a size that fits")
}

#[test]
fn one_network_of_every_family_runs_in_onnxruntime() {
    let Some(python) = python() else { return };
    let families = FAMILIES.iter().map(|f| f.names[0]);
    for (i, name) in families.chain(["deepnets:3"]).enumerate() {
        let arch = built(name);
        // All versions take their turn.
        let opset = Opset::OLDEST + i as i64 % (Opset::NEWEST - Opset::OLDEST + 1);
        let opset = opset.to_string().parse().expect("a known version");
        let error = error(&python, &arch, opset);
        assert!(error < TOLERANCE, "{name}, opset {opset}: {error:e}");
    }
}

/// `cargo test --test onnx_export -- --ignored --nocapture`
#[test]
#[ignore = "takes minutes and 10 GB of memory"]
fn all_networks_run_in_onnxruntime() {
    let Some(python) = python() else { return };
    let zoo = FAMILIES.iter();
    let zoo = zoo.flat_map(|f| {
        f.names
            .iter()
            .map(|n| (f.title.to_owned(), (*n).to_owned()))
    });
    let random = (0..20).map(|seed| ("DeepNets".to_owned(), format!("deepnets:{seed}")));
    let mut worst: BTreeMap<String, (f64, String)> = BTreeMap::new();
    for (family, name) in zoo.chain(random) {
        let arch = built(&name);
        let error = error(&python, &arch, Opset::default());
        let side = arch.input().side().unwrap_or_default()[0];
        println!("{name:28} {side:4} {error:.2e}");
        let entry = worst.entry(family).or_insert((0.0, name.clone()));
        if !(error <= entry.0) {
            *entry = (error, name);
        }
    }
    println!("\nlargest difference per family, relative to the largest logit");
    for (family, (error, name)) in &worst {
        println!("{family:16} {error:.2e}  {name}");
    }
    assert!(worst.values().all(|(error, _)| *error < TOLERANCE));
}
