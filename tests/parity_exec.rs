//! The executor and the optimisers against PyTorch in float64, through the commands that users have.

use std::process::Command;

/// Runs `hyperscope check WHAT` on the fixture and returns the report.
fn check(what: &str) -> serde_json::Value {
    let file = format!(
        "{}/tests/fixtures/{what}/reference.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let output = Command::new(env!("CARGO_BIN_EXE_hyperscope"))
        .args(["check", what, &file, "--json"])
        .output()
        .expect("the program starts");
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{report}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_str(&report).expect("the report is JSON")
}

#[test]
fn logits_loss_and_gradients_are_those_of_pytorch() {
    let report = check("exec");
    assert_eq!(
        (&report["passed"], &report["failed"]),
        (&2.into(), &0.into())
    );
}

#[test]
fn five_optimiser_steps_end_where_those_of_pytorch_end() {
    let report = check("train");
    assert_eq!(
        (&report["passed"], &report["failed"]),
        (&2.into(), &0.into())
    );
}

#[test]
fn a_reference_with_one_wrong_gradient_fails() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/exec/reference.json"
    );
    let text = std::fs::read_to_string(file).expect("the fixture is there");
    let mut table: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    let table = table.as_object_mut().expect("it is a table");
    table.retain(|name, _| name == "resnet18");
    let norm = &mut table["resnet18"]["train"]["grads"]["layer3.0.bn2.bias"]["norm"];
    *norm = (norm.as_f64().expect("it is a number") * 1.01).into();
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("reference.json");
    std::fs::write(&path, serde_json::to_string(table).expect("as JSON")).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_hyperscope"))
        .args(["check", "exec"])
        .arg(&path)
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(1));
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(report.contains("layer3.0.bn2.bias"), "{report}");
}
