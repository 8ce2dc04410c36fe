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
use hyperscope::arch::{
    self, Activation, Arch, ArchError, Builder, Conv2d, Draw, Linear, Op, Pool, Shape,
};
use hyperscope::nn::Network;
use hyperscope::nn::files::write_onnx;
use networks::{built, distance, lively, logits, pixels};

#[path = "onnx/networks.rs"]
mod networks;

/// Largest difference of a logit, relative to the largest logit: 32-bit sums in other orders.
const TOLERANCE: f64 = 1e-4;

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

/// `[batch, H, W, C]` pixels with channels before rows and columns.
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

/// How far onnxruntime's logits are from the executor's, relative to the largest logit.
struct Comparison {
    error: f64,
    /// How far the executor's own logits move if pixels change by a single rounding. Networks with the
    /// statistics of so small a batch divide by deviations that may be nearly zero.
    sensitivity: f64,
}

impl Comparison {
    fn is_good(&self) -> bool {
        self.error < TOLERANCE.max(4.0 * self.sensitivity)
    }
}

fn compare(python: &str, arch: &Arch, opset: Opset) -> Comparison {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let state = lively(arch);
    let export = onnx::export(arch, opset);
    write_onnx(folder.path().join("model.onnx"), &export, &state).expect("the model is written");
    let mut network = Network::new(arch).expect("a network that runs");
    network.load(&state).expect("its own parameters");
    drop(state);
    let batch = if uses_batch(arch) { 8 } else { 2 };
    let pixels = pixels(arch, batch);
    let images = channels_first(arch, &pixels);
    write_floats(&folder.path().join("images.f32"), &images);
    let mut expected = logits(&mut network, &pixels);
    let rounded: Vec<f32> = pixels.iter().map(|p| p * (1.0 + f32::EPSILON)).collect();
    let sensitivity = distance(&expected, &logits(&mut network, &rounded));
    drop(network);
    let output = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/onnx/run.py"))
        .arg(folder.path())
        .output()
        .expect("python runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", arch.name());
    let mut got = read_floats(&folder.path().join("logits.f32"));
    assert_eq!(got.len(), (batch + 1) * arch.classes());
    // The first image alone has other logits if they depend on the batch.
    if uses_batch(arch) {
        got.truncate(batch * arch.classes());
    } else {
        expected.extend_from_within(..arch.classes());
    }
    Comparison {
        error: distance(&expected, &got),
        sensitivity,
    }
}

/// Whether an image's logits depend on the others of its batch.
fn uses_batch(arch: &Arch) -> bool {
    let untracked = |op: &Op| matches!(op, Op::BatchNorm { tracked: false, .. });
    arch.nodes().iter().any(|n| untracked(&n.op))
}

fn of_side(name: &str, side: usize) -> Arch {
    arch::build(name, &Options::for_images(10, side)).expect("a size that fits")
}

/// All versions of the operators by turns.
fn opset(turn: usize) -> Opset {
    let versions = Opset::NEWEST - Opset::OLDEST + 1;
    let number = Opset::OLDEST + turn as i64 % versions;
    number.to_string().parse().expect("a known version")
}

#[test]
fn one_network_of_every_family_runs_in_onnxruntime() {
    let Some(python) = python() else { return };
    let families = FAMILIES.iter().map(|f| f.names[0]);
    let names = families.chain(["deepnets:3", "deepnets:16"]);
    let small = |name: &&str| arch::build(name, &Options::for_images(10, 32)).ok();
    let archs: Vec<Arch> = names
        .clone()
        .map(built)
        .chain(names.filter_map(|n| small(&n)))
        .collect();
    for (i, arch) in archs.iter().enumerate() {
        let compared = compare(&python, arch, opset(i));
        assert!(compared.is_good(), "{}: {:e}", arch.name(), compared.error);
    }
}

#[test]
fn ops_that_no_family_has_run_in_onnxruntime() -> Result<(), ArchError> {
    let Some(python) = python() else {
        return Ok(());
    };
    let mut b = Builder::new("odd", Shape::image(3, 13, 11), 5);
    let draw = Draw::torch_default(&[8, 3, 3, 3]);
    let conv = b.conv("conv", Conv2d::new(3, 8, 3).padding(1).with_bias(), draw);
    let norm = b.layer_norm("norm", 8, 1e-6);
    let scale = b.layer_scale("scale", 8, 1.0);
    let linear = Linear {
        in_features: 8 * 3 * 2,
        out_features: 5,
        bias: false,
    };
    let linear = b.linear("linear", linear, Draw::torch_default(&[5, 48]));
    let x = b.call(conv, b.input())?;
    let x = b.call(norm, x)?;
    let x = b.apply("tanh", Op::Activation(Activation::Tanh), &[x])?;
    // The last windows are cut short: to one row and two columns of three.
    let cut = Pool::new(3, 3, 1).ceil();
    let counted = b.apply("counted", Op::AvgPool(cut), &[x])?;
    let ignored = b.apply("ignored", Op::AvgPool(cut.without_padding()), &[x])?;
    let largest = b.apply("largest", Op::MaxPool(cut), &[x])?;
    let x = b.apply("sum", Op::Add, &[counted, ignored])?;
    let x = b.apply("sum", Op::Add, &[x, largest])?;
    // A last window that would start in the padding is left out.
    let x = b.apply("left_out", Op::MaxPool(Pool::new(2, 2, 1).ceil()), &[x])?;
    let grid = b.apply("grid", Op::ToGrid, &[x])?;
    let grid = b.call(scale, grid)?;
    let grid = b.apply("shuffle", Op::Shuffle { groups: 4 }, &[grid])?;
    let first = b.apply("chunk", Op::Chunk { index: 1, of: 2 }, &[grid])?;
    let grid = b.apply("concat", Op::Concat, &[first, first])?;
    let x = b.apply("image", Op::ToImage, &[grid])?;
    let x = b.apply("adaptive", Op::AdaptiveAvgPool([3, 2]), &[x])?;
    let x = b.apply("flatten", Op::Flatten, &[x])?;
    b.call(linear, x)?;
    let arch = b.finish();
    for turn in 0..5 {
        let compared = compare(&python, &arch, opset(turn));
        assert!(compared.is_good(), "{}: {:e}", opset(turn), compared.error);
    }
    Ok(())
}

/// `cargo test --test onnx_export -- --ignored --nocapture`
#[test]
#[ignore = "takes minutes and 10 GB of memory"]
fn all_networks_run_in_onnxruntime() {
    let Some(python) = python() else { return };
    let zoo = FAMILIES.iter();
    let zoo = zoo.flat_map(|f| f.names.iter().map(|n| (f.title, (*n).to_owned())));
    let zoo = zoo.map(|(family, name)| (family, built(&name)));
    // Windows that fit their grids, shifted and not, beside those that are padded.
    let large = [("Swin", "swin_t", 224), ("Swin v2", "swin_v2_t", 256)];
    let large = large.map(|(family, name, side)| (family, of_side(name, side)));
    let random = (0..20).map(|seed| ("DeepNets", of_side(&format!("deepnets:{seed}"), 64)));
    let mut worst: BTreeMap<&str, (f64, String)> = BTreeMap::new();
    let mut bad = Vec::new();
    for (i, (family, arch)) in zoo.chain(large).chain(random).enumerate() {
        let compared = compare(&python, &arch, opset(i));
        let Comparison { error, sensitivity } = compared;
        let name = format!("{} {}", arch.name(), arch.input());
        println!("{name:32} {error:.2e}   one rounding {sensitivity:.2e}");
        if !compared.is_good() {
            bad.push(name.clone());
        }
        let entry = worst.entry(family).or_insert((0.0, name.clone()));
        if error.is_nan() || error > entry.0 {
            *entry = (error, name);
        }
    }
    println!("\nlargest difference over a family, relative to the largest logit");
    for (family, (error, name)) in &worst {
        println!("{family:16} {error:.2e}  {name}");
    }
    assert!(bad.is_empty(), "{bad:?}");
}
