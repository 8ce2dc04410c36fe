//! `hyperscope finetune` from end to end: a small network on drawn images.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long a condition may take before a test fails. Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(300);

/// A small run: 20 images an epoch in two steps.
const SMALL: &[&str] = &[
    "finetune",
    "resnet18",
    "--data",
    "synthetic",
    "--shots",
    "2",
    "--image",
    "8",
    "--batch",
    "10",
    "--json",
];

fn hyperscope(home: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hyperscope"));
    command
        .args(arguments)
        .env("HYPERSCOPE_HOME", home.path())
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    command
}

fn small(home: &TempDir, more: &[&str]) -> Command {
    let mut command = hyperscope(home, SMALL);
    command.args(more);
    command
}

fn home() -> TempDir {
    tempfile::tempdir().expect("a folder for the test")
}

fn run(mut command: Command) -> Output {
    command.output().expect("the program starts")
}

/// Standard output of a command that must succeed, as one JSON value a line.
fn lines(command: Command) -> Vec<Value> {
    let output = run(command);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
        .lines()
        .map(|l| serde_json::from_str(l).expect("a line of JSON"))
        .collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The directory of the only run.
fn only_run(home: &TempDir) -> Option<PathBuf> {
    let runs = fs::read_dir(home.path().join("runs")).ok()?;
    let names = runs.filter_map(|e| Some(e.ok()?.path()));
    names.into_iter().find(|p| {
        let name = p.file_name().unwrap_or_default().to_string_lossy();
        !name.starts_with('.')
    })
}

fn name(run: &Path) -> String {
    run.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// The events of a run so far, whole lines only.
fn events(run: &Path) -> Vec<Value> {
    let log = fs::read_to_string(run.join("events.jsonl")).unwrap_or_default();
    log.split_inclusive('\n')
        .filter(|l| l.ends_with('\n'))
        .map(|l| serde_json::from_str(l).expect("an event is a line of JSON"))
        .collect()
}

fn states(run: &Path) -> Vec<String> {
    events(run)
        .iter()
        .filter(|e| e["kind"] == "state")
        .map(|e| e["state"].as_str().unwrap_or_default().to_owned())
        .collect()
}

fn notes(run: &Path) -> String {
    let notes = events(run);
    let notes = notes.iter().filter(|e| e["kind"] == "note");
    notes
        .filter_map(|e| e["text"].as_str())
        .collect::<Vec<_>>()
        .join("\n")
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        sleep(Duration::from_millis(20));
    }
}

fn wait_for_state(run: &Path, state: &str) {
    wait_until(
        &format!("the run is {state}, not {:?}", states(run)),
        || states(run).last().is_some_and(|s| s == state),
    );
}

/// Loss and accuracy of every evaluation by step, those that were repeated once.
fn evaluations(run: &Path) -> Vec<(u64, String, String)> {
    let mut found: Vec<(u64, String, String)> = events(run)
        .iter()
        .filter(|e| e["kind"] == "eval")
        .map(|e| {
            let step = e["step"].as_u64().unwrap_or_default();
            (step, e["loss"].to_string(), e["top1"].to_string())
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

/// The parameters of the last checkpoint, byte for byte.
fn parameters(run: &Path) -> Vec<u8> {
    fs::read(run.join("checkpoint/last/model.safetensors")).expect("the last checkpoint")
}

#[test]
fn a_run_in_the_foreground_prints_its_epochs_and_its_result() {
    let home = home();
    let lines = lines(small(&home, &["--epochs", "2", "--eval-every", "2"]));
    let kinds: Vec<_> = lines.iter().map(|l| l["kind"].as_str()).collect();
    assert_eq!(kinds, [Some("epoch"), Some("epoch"), Some("result")]);
    let result = &lines[2];
    assert_eq!(result["epochs"], 2);
    assert!(result["val_top1"].is_null());
    let top1 = result["test_top1"].as_f64().expect("an accuracy");
    assert!((0.0..=100.0).contains(&top1));
    assert!(result["seconds"].as_f64().is_some_and(|s| s > 0.0));

    let run = only_run(&home).expect("the run's directory");
    assert_eq!(result["run"], name(&run).as_str());
    assert_eq!(states(&run), ["starting", "running", "finished"]);
    for place in ["last", "best"] {
        for file in [
            "model.safetensors",
            "optimiser.safetensors",
            "progress.json",
        ] {
            assert!(run.join("checkpoint").join(place).join(file).is_file());
        }
    }
    let tested: Vec<u64> = evaluations(&run).iter().map(|e| e.0).collect();
    assert_eq!(tested, [4]);
}

#[test]
fn validation_keeps_the_test_images_for_the_end() {
    let home = home();
    let lines = lines(small(
        &home,
        &["--epochs", "2", "--val", "--eval-every", "2"],
    ));
    let last = lines.last().expect("a result");
    assert!(last["val_top1"].is_f64() && last["test_top1"].is_f64());
    let splits: Vec<_> = events(&only_run(&home).expect("the run's directory"))
        .iter()
        .filter(|e| e["kind"] == "eval")
        .map(|e| e["split"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(splits, ["val", "test"]);
}

/// Starts a run in the background; gives its directory.
fn detached(home: &TempDir, more: &[&str]) -> PathBuf {
    let mut command = small(home, more);
    command.arg("--detach");
    let lines = lines(command);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["kind"], "started");
    PathBuf::from(lines[0]["dir"].as_str().expect("the run's directory"))
}

fn control(home: &TempDir, verb: &str, run: &Path) {
    let output = run_command(home, verb, run);
    assert!(output.status.success(), "{verb}: {}", text(&output.stderr));
}

fn run_command(home: &TempDir, verb: &str, dir: &Path) -> Output {
    run(hyperscope(home, &["runs", verb, &name(dir)]))
}

/// Many epochs, evaluated only at the end: time enough for commands.
const LONG: &[&str] = &["--epochs", "10", "--eval-every", "10"];

#[test]
fn a_run_in_the_background_pauses_resumes_stops_and_goes_on() {
    let whole = home();
    let straight = detached(&whole, LONG);

    let home = home();
    let run = detached(&home, LONG);
    wait_for_state(&run, "running");
    control(&home, "pause", &run);
    wait_for_state(&run, "paused");
    let before = events(&run).len();
    sleep(Duration::from_millis(500));
    assert_eq!(events(&run).len(), before, "a paused run does nothing");
    control(&home, "resume", &run);
    wait_for_state(&run, "running");
    control(&home, "stop", &run);
    wait_for_state(&run, "stopped");
    assert!(run.join("checkpoint/last/progress.json").is_file());
    wait_until("the worker has gone", || {
        run_command(&home, "resume", &run).status.success()
    });
    wait_for_state(&run, "finished");
    wait_for_state(&straight, "finished");
    assert_eq!(evaluations(&run), evaluations(&straight));
    assert!(
        parameters(&run) == parameters(&straight),
        "the parameters differ"
    );
}

#[test]
fn a_killed_run_is_resumed_with_the_same_numbers() {
    let whole = home();
    let more = &["--epochs", "4", "--eval-every", "4"];
    lines(small(&whole, more));
    let straight = only_run(&whole).expect("the run's directory");

    let home = home();
    let mut child = Killed(
        small(&home, more)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts"),
    );
    wait_until("a checkpoint stands", || {
        only_run(&home).is_some_and(|r| r.join("checkpoint/last/progress.json").exists())
    });
    child.0.kill().expect("killing the program");
    child.0.wait().expect("the end of the program");
    let run = only_run(&home).expect("the run's directory");
    assert_ne!(states(&run).last().map(String::as_str), Some("finished"));
    control(&home, "resume", &run);
    wait_for_state(&run, "finished");
    assert!(
        notes(&run).contains("resumed after step"),
        "{}",
        notes(&run)
    );
    assert_eq!(evaluations(&run), evaluations(&straight));
    assert!(
        parameters(&run) == parameters(&straight),
        "the parameters differ"
    );
}

/// A child that does not outlive its test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_loss_that_is_no_number_fails_the_run_and_says_where() {
    let home = home();
    let output = run(small(&home, &["--epochs", "5", "--lr", "1e30"]));
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(
        said.contains("error: ") && said.contains("at step"),
        "{said}"
    );
    let run = only_run(&home).expect("the run's directory");
    assert_eq!(states(&run).last().map(String::as_str), Some("failed"));
    let events = events(&run);
    let reason = events.iter().find_map(|e| e["reason"].as_str());
    let reason = reason.expect("a reason");
    assert!(reason.contains("the first tensor whose"), "{reason}");
    assert!(notes(&run).contains("left the numbers"), "{}", notes(&run));
    assert!(run.join("request.toml").is_file());
}

#[test]
fn an_untrained_ghn_is_called_untrained() {
    let home = home();
    let lines = lines(small(
        &home,
        &[
            "--epochs",
            "1",
            "--init",
            "ghn+noise+orth",
            "--ghn",
            "untrained",
        ],
    ));
    assert_eq!(lines.len(), 2);
    let run = only_run(&home).expect("the run's directory");
    assert!(notes(&run).contains("untrained"), "{}", notes(&run));
    let request = fs::read_to_string(run.join("request.toml")).expect("the request");
    assert!(request.contains("trained = false"), "{request}");
}

#[test]
fn a_run_starts_from_a_file_and_refuses_one_that_does_not_fit() {
    let home = home();
    lines(small(&home, &["--epochs", "1"]));
    let first = only_run(&home).expect("the run's directory");
    let file = first.join("checkpoint/last/model.safetensors");
    let file = file.to_str().expect("a plain path");

    let second = self::home();
    assert_eq!(
        lines(small(&second, &["--epochs", "1", "--init", file])).len(),
        2
    );

    let third = self::home();
    let mut other = hyperscope(&third, &["finetune", "resnet34", "--data", "synthetic"]);
    other.args(["--image", "8", "--shots", "2", "--init", file]);
    let output = run(other);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("layer1.2.conv1.weight"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_wrong_request_leaves_no_run_behind() {
    let home = home();
    let refused = |arguments: &[&str], expected: &str| {
        let output = run(hyperscope(&home, arguments));
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{said}");
        assert!(only_run(&home).is_none(), "{arguments:?} made a run");
    };
    refused(
        &["finetune", "resnet-18", "--data", "synthetic"],
        "resnet18",
    );
    refused(
        &["finetune", "resnet18", "--data", "no-such-folder"],
        "no-such-folder",
    );
    let init = ["finetune", "resnet18", "--data", "synthetic", "--init"];
    refused(&[&init[..], &["nonsense"]].concat(), "nonsense");
    refused(
        &[&init[..], &["ghn", "--ghn", "no-such-ghn"]].concat(),
        "no-such-ghn",
    );
    let layer = ["ghn+orth", "--layer", "layer9"];
    refused(&[&init[..], &layer].concat(), "layer9");
}

#[test]
fn bad_usage_has_its_own_exit_code() {
    let home = home();
    let usage = [
        &["finetune", "resnet18"][..],
        &[
            "finetune",
            "resnet18",
            "--data",
            "synthetic",
            "--epochs",
            "0",
        ],
        &["finetune", "resnet18", "--data", "synthetic", "--lr", "-1"],
        &[
            "finetune",
            "resnet18",
            "--data",
            "synthetic",
            "--recipe",
            "none",
        ],
    ];
    for arguments in usage {
        let output = run(hyperscope(&home, arguments));
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}
