//! `hyperscope arch export`, as a user calls it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use hyperscope::arch::onnx::proto::{ModelProto, TensorProto, ValueInfoProto};
use hyperscope::arch::zoo::{self, Options};
use hyperscope::init::random;
use hyperscope::nn::StateDict;
use hyperscope::nn::files::write_safetensors;
use prost::Message;
use serde_json::{Value, json};

fn export(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hyperscope"))
        .args(["arch", "export", "--json"])
        .args(arguments)
        .current_dir(folder)
        .env("HYPERSCOPE_HOME", folder)
        .output()
        .expect("hyperscope runs")
}

fn answer(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

fn model(path: &Path) -> ModelProto {
    let bytes = fs::read(path).expect("the model is there");
    ModelProto::decode(&*bytes).expect("a model")
}

/// The lengths of a value's dimensions, `N` for the batch's.
fn lengths(value: &ValueInfoProto) -> String {
    use hyperscope::arch::onnx::proto::DimensionValue::{DimParam, DimValue};
    let tensor = value.r#type.clone().and_then(|t| t.tensor_type);
    let shape = tensor.and_then(|t| t.shape).expect("a shape");
    let lengths = shape.dim.into_iter().map(|d| match d.value {
        Some(DimValue(length)) => length.to_string(),
        Some(DimParam(name)) => name,
        None => "?".to_owned(),
    });
    lengths.collect::<Vec<_>>().join("x")
}

/// Whether every floating-point tensor of the state dict that the model reads has its values.
fn holds(tensors: &[TensorProto], state: &StateDict) -> bool {
    let mut found = 0;
    for tensor in tensors {
        let Some(values) = state.get(&tensor.name).and_then(|t| t.floats()) else {
            continue;
        };
        found += 1;
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        if tensor.raw_data.as_deref() != Some(&*bytes) {
            return false;
        }
    }
    found > 50
}

#[test]
fn without_weights_random_parameters_are_written_and_called_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let asked = [
        "resnet18",
        "--classes",
        "10",
        "--image",
        "32",
        "--seed",
        "4",
        "--opset",
        "19",
        "-o",
        "a.onnx",
    ];
    let output = export(folder.path(), &asked);
    let answer = answer(&output);
    let model = model(&folder.path().join("a.onnx"));
    let graph = model.graph.expect("a graph");
    assert_eq!(answer["arch"], "resnet18");
    assert_eq!(answer["weights"], Value::Null);
    assert_eq!(answer["input"], json!([3, 32, 32]));
    assert_eq!(answer["classes"], 10);
    assert_eq!(answer["opset"], 19);
    assert_eq!(model.opset_import[0].version, 19);
    assert_eq!(answer["nodes"], graph.node.len());
    assert_eq!(answer["initialisers"], graph.initializer.len());
    let size = fs::metadata(folder.path().join("a.onnx"))
        .expect("the file")
        .len();
    assert_eq!(answer["bytes"], size);
    assert_eq!(answer["data"], Value::Null);
    let warning = answer["warnings"][0].as_str().expect("a warning");
    assert!(
        warning.contains("random") && warning.contains("seed 4"),
        "{warning}"
    );
    assert!(String::from_utf8_lossy(&output.stderr).contains(warning));
    let arch = zoo::build("resnet18", &Options::for_images(10, 32)).expect("a network");
    assert!(holds(&graph.initializer, &random::state(&arch, 4)));
    assert!(!holds(&graph.initializer, &random::state(&arch, 5)));
}

#[test]
fn weights_say_how_many_classes_and_which_stem() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let arch = zoo::build("resnet18", &Options::for_images(7, 32)).expect("a network");
    let mut state = random::state(&arch, 3);
    let file = folder.path().join("w.safetensors");
    write_safetensors(&file, &state, &Default::default()).expect("a file of weights");
    let asked = [
        "resnet18",
        "--weights",
        "w.safetensors",
        "--image",
        "48",
        "-o",
        "a.onnx",
    ];
    let fresh = answer(&export(folder.path(), &asked));
    let model = model(&folder.path().join("a.onnx"));
    let graph = model.graph.expect("a graph");
    assert_eq!(fresh["weights"], "w.safetensors");
    assert_eq!(lengths(&graph.input[0]), "Nx3x48x48");
    assert_eq!(lengths(&graph.output[0]), "Nx7");
    assert!(holds(&graph.initializer, &state));
    let about: Vec<&str> = model
        .metadata_props
        .iter()
        .map(|p| p.value.as_str())
        .collect();
    assert_eq!(about, ["resnet18", "7", "3x48x48", "w.safetensors"]);
    let warnings = fresh["warnings"].as_array().expect("a list");
    assert!(warnings.len() == 1 && warnings[0].to_string().contains("never saw an image"));

    // After training there is nothing to warn of.
    let mean = state
        .get_mut("bn1.running_mean")
        .and_then(|t| t.floats_mut());
    mean.expect("a buffer")[0] = 0.5;
    write_safetensors(&file, &state, &Default::default()).expect("a file of weights");
    let trained = answer(&export(folder.path(), &asked));
    assert_eq!(trained["warnings"], json!([]));
}

#[test]
fn a_model_that_is_exported_again_keeps_its_weights() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let first = [
        "shufflenet_v2_x0_5",
        "--classes",
        "7",
        "--image",
        "64",
        "-o",
        "a.onnx",
    ];
    answer(&export(folder.path(), &first));
    let again = answer(&export(
        folder.path(),
        &["a.onnx", "--seed", "5", "-o", "b.onnx"],
    ));
    assert_eq!(again["weights"], "a.onnx");
    assert_eq!(again["input"], json!([3, 64, 64]));
    let arch = zoo::build("shufflenet_v2_x0_5", &Options::for_images(7, 64)).expect("a network");
    let graph = model(&folder.path().join("b.onnx")).graph.expect("a graph");
    assert!(holds(&graph.initializer, &random::state(&arch, 1111)));
}

#[test]
fn what_contradicts_itself_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let arch = zoo::build("resnet18", &Options::for_images(7, 32)).expect("a network");
    let file = folder.path().join("w.safetensors");
    let state = random::state(&arch, 3);
    write_safetensors(&file, &state, &Default::default()).expect("a file of weights");
    let with = ["--weights", "w.safetensors", "-o", "a.onnx"];
    for (asked, code, words) in [
        (
            vec!["resnet18", "--classes", "10"],
            1,
            ["7 classes", "leave out --classes"],
        ),
        (vec!["resnet34"], 1, ["w.safetensors", "resnet34"]),
        (vec!["resnet18", "--opset", "16"], 2, ["17", "21"]),
        (vec!["resnet"], 1, ["no architecture", "arch list"]),
    ] {
        let output = export(folder.path(), &[&asked[..], &with].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{asked:?}: {said}");
        assert!(
            words.iter().all(|word| said.contains(word)),
            "{asked:?}: {said}"
        );
        assert!(!folder.path().join("a.onnx").exists());
    }
}
