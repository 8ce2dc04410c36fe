//! `hyperscope eval` from end to end.

use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

fn hyperscope(home: &TempDir, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hyperscope"))
        .args(arguments)
        .env("HYPERSCOPE_HOME", home.path())
        .env("NO_COLOR", "1")
        .current_dir(home.path())
        .output()
        .expect("the program starts")
}

/// The `--json` answer of a command that must succeed.
fn json(home: &TempDir, arguments: &[&str]) -> Value {
    let output = hyperscope(home, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

/// A home with a prediction by random weights, which is the same whatever the default GHN learns.
fn predicted() -> TempDir {
    let home = tempfile::tempdir().expect("a folder for the test");
    let asked =
        "predict resnet18 --ghn untrained --classes 10 --image 16 -o net.safetensors --json";
    let asked: Vec<&str> = asked.split(' ').collect();
    json(&home, &asked);
    home
}

const EVAL: &[&str] = &[
    "eval",
    "resnet18",
    "--weights",
    "net.safetensors",
    "--data",
    "synthetic",
    "--image",
    "16",
    "--json",
];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    EVAL.iter().chain(more).copied().collect()
}

#[test]
fn a_prediction_is_evaluated_with_the_statistics_of_each_batch() {
    let home = predicted();
    let answer = json(&home, &with(&["--images", "100"]));
    assert_eq!(answer["statistics"], "batch");
    assert_eq!(
        (&answer["images"], &answer["split"]),
        (&100.into(), &"test".into())
    );
    let top1 = answer["top1"].as_f64().expect("a number");
    assert!((0.0..=100.0).contains(&top1), "{answer}");
    // With other batches, the statistics are others, and so is the loss; with the running ones, which
    // saw no image, it does not depend on the batch.
    let loss = |more: &[&str]| {
        let all = [&["--images", "100"], more].concat();
        json(&home, &with(&all))["loss"].as_f64().expect("a number")
    };
    assert_eq!(loss(&[]), answer["loss"].as_f64().expect("a number"));
    assert!((loss(&["--batch", "10"]) - loss(&[])).abs() > 1e-6);
    let running = |batch| loss(&["--statistics", "running", "--batch", batch]);
    assert!((running("10") - running("50")).abs() < 1e-6 * running("50"));
}

#[test]
fn a_trained_network_gets_the_accuracy_that_its_run_reported() {
    let home = tempfile::tempdir().expect("a folder for the test");
    let asked =
        "finetune resnet18 --data synthetic --shots 2 --image 16 --batch 10 --epochs 1 --json";
    let asked: Vec<&str> = asked.split(' ').collect();
    let output = hyperscope(&home, &asked);
    assert!(output.status.success());
    let said = String::from_utf8_lossy(&output.stdout);
    let result: Value = said
        .lines()
        .last()
        .map(serde_json::from_str)
        .expect("a result")
        .expect("JSON");
    let run = result["run"].as_str().expect("the run's name");
    let weights = home
        .path()
        .join("runs")
        .join(run)
        .join("checkpoint/last/model.safetensors");
    let weights = weights.to_str().expect("a path in UTF-8");
    let asked = [
        "eval",
        "resnet18",
        "--weights",
        weights,
        "--data",
        "synthetic",
        "--image",
        "16",
        "--json",
    ];
    let answer = json(&home, &asked);
    assert_eq!(answer["statistics"], "running");
    assert_eq!(answer["top1"], result["test_top1"]);
}

#[test]
fn weights_of_another_network_are_refused_by_name() {
    let home = predicted();
    let asked = [
        "eval",
        "resnet34",
        "--weights",
        "net.safetensors",
        "--data",
        "synthetic",
        "--image",
        "16",
    ];
    let output = hyperscope(&home, &asked);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("net.safetensors") && said.contains("resnet34"),
        "{said}"
    );
}
