//! Networks from ONNX files give the logits that onnxruntime gives.
//!
//! The tiny files in tests/fixtures/onnx are in the repository; `make.py` beside them made them and their
//! logits. Files of others are not: where `HYPERSCOPE_ONNX` names a folder of them, their logits are
//! compared with those in its `expected.json`, or else in the repository's `shared.json`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hyperscope::arch::{self, Shape};
use hyperscope::init::random;
use hyperscope::nn::files::read_state;
use hyperscope::nn::{Images, Mode, Network};
use serde::Deserialize;

/// What onnxruntime says about a file.
#[derive(Deserialize)]
struct Expected {
    classes: usize,
    /// Of that many logits, the first is listed.
    every: usize,
    logits: Vec<f32>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx")
}

fn table(path: &Path) -> BTreeMap<String, Expected> {
    let text = std::fs::read_to_string(path).expect("the table is there");
    serde_json::from_str(&text).expect("the table is JSON")
}

/// The image of make.py, channels last.
fn image(shape: Shape) -> Vec<f32> {
    let [height, width] = shape.side().expect("an image has sides");
    let pixels = height * width;
    let value = |i: usize| ((37 * i + 11) % 101) as f32 - 50.0;
    let places = (0..pixels).flat_map(|p| (0..shape.channels()).map(move |c| c * pixels + p));
    places.map(|i| value(i) / 50.0).collect()
}

fn logits(path: &Path) -> Result<Vec<f32>, String> {
    let name = path.to_str().expect("a plain path");
    let options = arch::usual_options(name).map_err(|e| e.to_string())?;
    let arch = arch::build(name, &options).map_err(|e| e.to_string())?;
    let state = read_state(path).map_err(|e| e.to_string())?.tensors;
    let mut network = Network::new(&arch).map_err(|e| e.to_string())?;
    // Counts of batches, which ONNX does not have.
    let state = random::complete(&arch, state, 0);
    network.load(&state).map_err(|e| e.to_string())?;
    let pixels = image(arch.input());
    let images = Images {
        pixels: &pixels,
        batch: 1,
    };
    let logits = network.forward(&images, Mode::Eval);
    let logits = logits.map_err(|e| e.to_string())?;
    Ok(logits.to_vec())
}

/// Compares files with a table; deviations are measured by the largest logit, or by one where that is
/// smaller.
fn compare(folder: &Path, table: &BTreeMap<String, Expected>, tolerance: f32) {
    let mut wrong = Vec::new();
    for (name, expected) in table {
        match logits(&folder.join(name)) {
            Err(error) => wrong.push(format!("{name}: {error}")),
            Ok(got) if got.len() != expected.classes => {
                wrong.push(format!("{name}: {} logits", got.len()));
            }
            Ok(got) => {
                let scale = expected.logits.iter().fold(1.0_f32, |m, v| m.max(v.abs()));
                let pairs = got.iter().step_by(expected.every).zip(&expected.logits);
                let error = pairs.fold(0.0_f32, |m, (a, b)| m.max((a - b).abs())) / scale;
                println!("{error:8.1e}  {name}");
                if error.is_nan() || error > tolerance {
                    wrong.push(format!("{name}: {error:e}, {got:?} {:?}", expected.logits));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        table.len(),
        wrong.join("\n")
    );
}

#[test]
fn tiny_networks_give_the_logits_of_onnxruntime() {
    let table = table(&fixtures().join("expected.json"));
    assert!(table.len() > 25, "{} files", table.len());
    // Sums of a few hundred products in 32 bits, in another order.
    compare(&fixtures(), &table, 2e-5);
}

#[test]
fn files_of_others_give_the_logits_of_onnxruntime() {
    let Some(folder) = std::env::var_os("HYPERSCOPE_ONNX") else {
        eprintln!("skipped: HYPERSCOPE_ONNX names no folder of ONNX files");
        return;
    };
    let folder = Path::new(&folder);
    let own = folder.join("expected.json");
    let shared = if own.exists() {
        own
    } else {
        fixtures().join("shared.json")
    };
    compare(folder, &table(&shared), 1e-4);
}

/// Damaged files are refused, or read as something else: nothing worse.
#[test]
fn damaged_files_never_end_the_program() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("damaged.onnx");
    let name = path.to_str().expect("a plain path");
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).expect("written");
        let Ok(options) = arch::usual_options(name) else {
            return;
        };
        let arch = arch::build(name, &options).expect("what was read once is read twice");
        // A flipped bit can make a fill of hundreds of millions, which is allowed and slow.
        if arch.parameter_count() < 1_000_000 {
            let _ = read_state(&path);
        }
    };
    for file in ["filled-9.onnx", "pooled-10.onnx", "option_a-18-dynamo.onnx"] {
        let whole = std::fs::read(fixtures().join(file)).expect("the fixture is there");
        for length in (0..whole.len()).step_by(3) {
            read(&whole[..length]);
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            for change in [1 << (at % 8), 0xff, 0x80] {
                damaged[at] = whole[at] ^ change;
                read(&damaged);
            }
        }
    }
}
