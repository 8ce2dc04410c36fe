//! `hyperscope predict` and `ghn embed` from end to end.

use std::path::Path;
use std::process::{Command, Output};

use hyperscope::nn::StateDict;
use hyperscope::nn::files::read_state;
use serde_json::Value;
use tempfile::TempDir;

fn hyperscope(home: &TempDir, arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hyperscope"))
        .args(arguments.split(' '))
        .env("HYPERSCOPE_HOME", home.path())
        .env("NO_COLOR", "1")
        .current_dir(home.path())
        .output()
        .expect("the program starts")
}

/// The `--json` answer of a command that must succeed.
fn json(home: &TempDir, arguments: &str) -> Value {
    let output = hyperscope(home, &format!("{arguments} --json"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {said}");
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

/// What a command says that must fail in its work.
fn refused(home: &TempDir, arguments: &str) -> String {
    let output = hyperscope(home, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn home() -> TempDir {
    tempfile::tempdir().expect("a folder for the test")
}

fn read(home: &TempDir, file: &str) -> StateDict {
    let path = home.path().join(file);
    read_state(path).expect("a file of parameters").tensors
}

fn bytes(home: &TempDir, file: &str) -> Vec<u8> {
    std::fs::read(home.path().join(file)).expect("a file")
}

/// Puts the tests' small GHN-3 into the folder as `ghn3.safetensors`.
fn ghn3(home: &TempDir) {
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ghn/weights");
    for end in ["safetensors", "config.json"] {
        let from = weights.join(format!("ghn3_tiny.{end}"));
        std::fs::copy(from, home.path().join(format!("ghn3.{end}"))).expect("copied");
    }
}

/// A network with statistics: `net.safetensors`, for 10 classes.
const BASE: &str = "predict resnet18 --classes 10 --image 32 --seed 5 --calibrate synthetic --images 32 \
                    --batch 16 -o net.safetensors";

#[test]
fn several_networks_get_the_files_that_each_gets_alone() {
    let home = home();
    ghn3(&home);
    let names = ["resnet18", "deepnets:3", "squeezenet1_1"];
    for ghn in ["default", "ghn3.safetensors"] {
        let asked = format!("--ghn {ghn} --classes 10 --image 32 --post noise --seed 2");
        let answers = json(
            &home,
            &format!("predict {} {asked} -o all", names.join(" ")),
        );
        for (name, answer) in names.iter().zip(answers.as_array().expect("a list")) {
            assert_eq!(answer["arch"], *name);
            json(&home, &format!("predict {name} {asked} -o one.safetensors"));
            let file = answer["output"].as_str().expect("a path");
            assert_eq!(Path::new(file).parent(), Some(Path::new("all")));
            let (together, alone) = (bytes(&home, file), bytes(&home, "one.safetensors"));
            assert!(together == alone, "{ghn} {name}");
        }
    }
    let twice = refused(&home, "predict resnet18 resnet18 -o all");
    assert!(twice.contains("resnet18.safetensors"), "{twice}");
    let file = refused(&home, "predict resnet18 resnet34 -o one.safetensors");
    assert!(file.contains("folder"), "{file}");
}

#[test]
fn a_prediction_into_a_file_keeps_everything_else_bit_for_bit() {
    let home = home();
    json(&home, BASE);
    let before = read(&home, "net.safetensors");
    let into = "predict resnet18 --ghn untrained --into net.safetensors --only layer4 --only *.1.bn2.bias --seed 9 --post orth";
    let answer = json(&home, &format!("{into} -o net.safetensors"));
    let after = read(&home, "net.safetensors");
    json(
        &home,
        "predict resnet18 --ghn untrained --classes 10 --image 32 --seed 9 -o whole.safetensors",
    );
    let whole = read(&home, "whole.safetensors");
    assert_eq!(before.len(), after.len());
    let mut predicted = 0;
    for (name, tensor) in after.iter() {
        let chosen = name.starts_with("layer4.") || name.ends_with(".1.bn2.bias");
        let buffer = name.contains("running_") || name.ends_with("tracked");
        if !chosen || buffer {
            assert_eq!(before.get(name), Some(tensor), "{name}");
            continue;
        }
        predicted += 1;
        assert_ne!(before.get(name), Some(tensor), "{name}");
        // Post-processing replaces the convolutions.
        if tensor.shape.len() == 1 {
            let pairs = whole.get(name).and_then(|t| t.floats()).expect("floats");
            let pairs = pairs.iter().zip(tensor.floats().expect("floats"));
            assert!(
                pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-6),
                "{name}"
            );
        }
    }
    assert_eq!(answer["tensors"], predicted);
    let warnings = answer["warnings"].to_string();
    assert!(warnings.contains("running statistics"), "{warnings}");
    assert_eq!(answer["random"], Value::Array(Vec::new()));
    let treated = answer["post_processed"].as_array().expect("a list");
    assert_eq!(treated.len(), 5);
    assert!(
        treated
            .iter()
            .all(|t| t.as_str().is_some_and(|t| t.starts_with("layer4.")))
    );
}

#[test]
fn another_class_count_leaves_only_the_classifier_random() {
    let home = home();
    json(&home, BASE);
    let into =
        "predict resnet18 --into net.safetensors --classes 7 --only layer4 -o seven.safetensors";
    let answer = json(&home, into);
    assert_eq!(
        answer["random"],
        serde_json::json!(["fc.weight", "fc.bias"])
    );
    let (before, after) = (
        read(&home, "net.safetensors"),
        read(&home, "seven.safetensors"),
    );
    assert_eq!(after.get("fc.weight").expect("there").shape, [7, 512]);
    for name in ["conv1.weight", "bn1.running_var", "layer3.1.conv2.weight"] {
        assert_eq!(before.get(name), after.get(name), "{name}");
    }
    let always = format!("{into} --class-layers always --only fc");
    assert_eq!(json(&home, &always)["random"], Value::Array(Vec::new()));
}

#[test]
fn files_of_other_networks_and_patterns_without_tensors_are_refused() {
    let home = home();
    json(&home, BASE);
    let other = refused(
        &home,
        "predict resnet34 --into net.safetensors -o x.safetensors",
    );
    assert!(
        other.contains("net.safetensors") && other.contains("layer1.2"),
        "{other}"
    );
    let typed = refused(&home, "predict resnet18 --only layr4 -o x.safetensors");
    assert!(
        typed.contains("\"layr4\"") && typed.contains("layer4"),
        "{typed}"
    );
    let buffers = refused(
        &home,
        "predict resnet18 --only *.running_mean -o x.safetensors",
    );
    assert!(buffers.contains("predicts nothing"), "{buffers}");
    let two = refused(
        &home,
        "predict resnet18 resnet34 --into net.safetensors -o x",
    );
    assert!(two.contains("--into"), "{two}");
    assert!(!home.path().join("x.safetensors").exists() && !home.path().join("x").exists());
}

#[test]
fn a_calibrated_prediction_is_evaluated_with_its_running_statistics() {
    let home = home();
    let answer = json(&home, BASE);
    let calibration = &answer["calibration"];
    let expected = [("images", 32), ("batches", 2), ("norms", 20)];
    for (key, number) in expected {
        assert_eq!(calibration[key], number, "{calibration}");
    }
    let state = read(&home, "net.safetensors");
    let count = state.get("bn1.num_batches_tracked").expect("a counter");
    assert_eq!(*count, hyperscope::nn::Tensor::count(2));
    let eval = "eval resnet18 --weights net.safetensors --data synthetic --image 32 --images 64";
    let eval = json(&home, eval);
    assert_eq!(eval["statistics"], "running");
    assert!(eval["loss"].as_f64().is_some_and(f64::is_finite), "{eval}");

    let plain = json(
        &home,
        "predict vgg11 --classes 10 --image 32 --calibrate synthetic -o v.safetensors",
    );
    let warnings = plain["warnings"].to_string();
    assert!(warnings.contains("nothing to calibrate"), "{warnings}");
    let none = refused(
        &home,
        "predict resnet18 --calibrate nowhere -o x.safetensors",
    );
    assert!(none.contains("nowhere"), "{none}");
}

#[test]
fn node_states_are_the_same_in_every_format() {
    let home = home();
    let asked = "ghn embed resnet18 --ghn untrained --classes 10 --image 32 --raw";
    let answer = json(&home, &format!("{asked} -o states.safetensors"));
    let nodes = answer["nodes"].as_array().expect("a list");
    assert_eq!((nodes.len(), &answer["width"]), (52, &32.into()));
    let stored = read(&home, "states.safetensors");
    let numbers = |key: &str| -> Vec<f32> {
        let rows = nodes
            .iter()
            .flat_map(|n| n[key].as_array().expect("a state"));
        rows.map(|v| v.as_f64().expect("a number") as f32).collect()
    };
    for (tensor, key) in [("states", "state"), ("raw", "raw")] {
        let tensor = stored.get(tensor).expect("there");
        assert_eq!(tensor.shape, [52, 32]);
        assert_eq!(tensor.floats().expect("floats"), numbers(key));
    }
    assert_eq!(stored.get("mean").expect("there").shape, [32]);
    json(
        &home,
        "ghn embed resnet18 --ghn untrained --classes 10 --image 32 -o states.npy",
    );
    let values: Vec<u8> = numbers("state")
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    assert!(bytes(&home, "states.npy").ends_with(&values));
    let text = hyperscope(&home, asked);
    let text = String::from_utf8_lossy(&text.stdout);
    assert!(
        text.contains("layer4.1.conv2.weight") && text.contains("untrained"),
        "{text}"
    );
    let odd = refused(&home, "ghn embed resnet18 -o states.txt");
    assert!(odd.contains(".npy"), "{odd}");
}
