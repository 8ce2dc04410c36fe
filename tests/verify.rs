//! `hyperscope ghn verify`: norms against an independent sum over written tensors and against the PyTorch reference's,
//! and what is said when they agree and when they do not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hyperscope::arch::zoo;
use hyperscope::ghn::reference::StoredPredictions;
use hyperscope::ghn::{Ghn, PredictOptions};
use hyperscope::stats::norms::parameter_norm;
use safetensors::SafeTensors;
use serde_json::Value;
use tempfile::TempDir;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A GHN-2 for ten classes with small random weights.
fn ghn() -> String {
    let path = root().join("tests/fixtures/ghn/weights/ghn2_tiny.safetensors");
    path.to_string_lossy().into_owned()
}

fn hyperscope(home: &TempDir, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hyperscope"))
        .args(arguments)
        .env("HYPERSCOPE_HOME", home.path())
        .current_dir(home.path())
        .output()
        .expect("the program starts")
}

/// Exit code, JSON and what was said on standard error.
fn verify(home: &TempDir, ghn: &str, more: &[&str]) -> (Option<i32>, Value, String) {
    let arguments = [
        &["ghn", "verify", ghn, "--table", "norms.tsv", "--json"],
        more,
    ]
    .concat();
    let output = hyperscope(home, &arguments);
    let json = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), json, said)
}

/// The norm of the parameters in the file that `predict` writes.
fn norm_of_prediction(home: &TempDir, arch: &str) -> f64 {
    let (ghn, out) = (ghn(), home.path().join("net.safetensors"));
    let arguments = ["predict", arch, "--ghn", &ghn, "-o", "net.safetensors"];
    let output = hyperscope(home, &arguments);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let bytes = fs::read(out).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let is_buffer = |name: &str| name.contains("running_") || name.contains("num_batches");
    let mut squares = 0.0;
    for (name, tensor) in file.iter().filter(|(name, _)| !is_buffer(name)) {
        assert_eq!(tensor.dtype(), safetensors::Dtype::F32, "{name}");
        for value in tensor.data().chunks_exact(4) {
            let value = f32::from_le_bytes(value.try_into().unwrap());
            squares += f64::from(value) * f64::from(value);
        }
    }
    squares.sqrt()
}

#[test]
fn norms_that_agree_pass_and_one_that_differs_fails_by_name() {
    let home = tempfile::tempdir().unwrap();
    let models = ["squeezenet1_1", "shufflenet_v2_x0_5"];
    let norms = models.map(|m| norm_of_prediction(&home, m));
    let table = |second: f64| {
        let rows = format!("{} {:.4}\n{} {second:.4}\n", models[0], norms[0], models[1]);
        fs::write(home.path().join("norms.tsv"), format!("model tiny\n{rows}")).unwrap();
    };
    table(norms[1]);
    let (code, report, said) = verify(&home, &ghn(), &[]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    assert_eq!(
        (&report["verdict"], &report["agreed"], &report["of"]),
        (&"agrees".into(), &2.into(), &2.into())
    );
    for (row, norm) in report["models"].as_array().unwrap().iter().zip(norms) {
        // Four digits behind the point are published.
        assert!((row["norm"].as_f64().unwrap() - norm).abs() < 1e-9);
        assert!(row["difference"].as_f64().unwrap().abs() <= 5.1e-5);
    }
    table(norms[1] * 1.01);
    let (code, report, said) = verify(&home, &ghn(), &[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("1 of 2 networks differ"), "{said}");
    assert_eq!(
        (&report["verdict"], &report["agreed"]),
        (&"differs".into(), &1.into())
    );
    let off = &report["models"][1];
    assert_eq!(
        (&off["model"], &off["agrees"]),
        (&models[1].into(), &false.into())
    );
    assert!(
        (off["percent"].as_f64().unwrap() + 100.0 / 101.0).abs() < 1e-3,
        "{off}"
    );
    let (code, report, _) = verify(&home, &ghn(), &["--models", models[0]]);
    assert_eq!((code, &report["of"]), (Some(0), &1.into()));
    let text = hyperscope(&home, &["ghn", "verify", &ghn(), "--table", "norms.tsv"]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(
        text.contains("DIFFERS") && text.contains("1 of 2 networks agree"),
        "{text}"
    );
}

#[test]
fn mistakes_are_named_with_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str]| {
        let output = hyperscope(&home, &[&["ghn", "verify"], arguments].concat());
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let ghn = ghn();
    let message = refused(&[&ghn]);
    assert!(
        message.contains("no norms are published") && message.contains("--column"),
        "{message}"
    );
    let message = refused(&[&ghn, "--column", "ghn4"]);
    assert!(message.contains("ghn2, ghn3-t, ghn3"), "{message}");
    let message = refused(&[&ghn, "--column", "ghn2", "--models", "resnet51"]);
    assert!(message.contains("no network \"resnet51\""), "{message}");
    let message = refused(&[&ghn, "--table", "missing.tsv"]);
    assert!(message.contains("missing.tsv"), "{message}");
    let message = refused(&["ghn3xlm16"]);
    assert!(
        message.contains("hyperscope ghn fetch ghn3xlm16"),
        "{message}"
    );
    // Not the published GHN at all.
    let message = refused(&[&ghn, "--column", "ghn2", "--models", "squeezenet1_1"]);
    assert!(message.contains("1 of 1 networks differ"), "{message}");
}

#[test]
fn the_norm_is_the_references() {
    let folder = root().join("tests/fixtures/ghn");
    let stored = StoredPredictions::read(&folder.join("pred/resnet18_c10.pred.json.gz")).unwrap();
    let arch = zoo::build("resnet18", &zoo::Options::for_images(10, 32)).unwrap();
    let mut compared = 0;
    for (name, prediction) in &stored.ghns {
        let path = folder.join(format!("weights/{name}.safetensors"));
        if !path.is_file() {
            continue;
        }
        let ghn = Ghn::read(&path).unwrap();
        let predicted = ghn.predict(&arch, &PredictOptions::default()).unwrap();
        let norm = parameter_norm(&arch, &predicted.tensors);
        let error = (norm - prediction.total_l2).abs() / prediction.total_l2;
        assert!(
            error < 1e-5,
            "{name}: {norm} instead of {}",
            prediction.total_l2
        );
        compared += 1;
    }
    assert_eq!(compared, 2, "a GHN-2 and a GHN-3");
}

/// Every stored prediction of the reference for a whole network of torchvision, by GHNs of the published sizes with random
/// weights, verified like the real ones.
#[test]
fn the_references_predictions_are_verified() {
    let shared = ["../shared", "../../shared"].map(|s| root().join(s).join("fixtures/ghn"));
    let Some(shared) = shared.into_iter().find(|f| f.is_dir()) else {
        eprintln!("skipped: the full reference in ../shared is not there");
        return;
    };
    for ghn in ["ghn2_in_r", "ghn3_r"] {
        let home = tempfile::tempdir().unwrap();
        let mut table = format!("model {ghn}\n");
        let mut files: Vec<PathBuf> = fs::read_dir(shared.join("pred"))
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        files.sort();
        for file in files {
            let name = file
                .file_name()
                .unwrap()
                .to_string_lossy()
                .replace(".pred.json.gz", "");
            let stored = StoredPredictions::read(&file).unwrap();
            let whole = stored
                .ghns
                .iter()
                .find(|(n, p)| *n == ghn && p.unpredicted.is_empty());
            if let Some((_, prediction)) = whole
                && zoo::names().any(|n| n == name)
            {
                table += &format!("{name} {}\n", prediction.total_l2);
            }
        }
        fs::write(home.path().join("norms.tsv"), table).unwrap();
        let weights = shared.join(format!("weights/{ghn}.safetensors"));
        let (code, report, said) =
            verify(&home, weights.to_str().unwrap(), &["--tolerance", "1e-3"]);
        assert_eq!(code, Some(0), "{said}{report:#}");
        assert!(report["of"].as_u64().unwrap() >= 10, "{report:#}");
    }
}
