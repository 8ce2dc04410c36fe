//! `hyperscope reproduce` from end to end: a small network on drawn images.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use hyperscope::run::{Event, Home, Lease, RunDir, RunState, Terminal, Worker, is_alive};
use hyperscope::train::Reporter;
use serde_json::Value;
use tempfile::TempDir;

/// How long a condition may take before a test fails. Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(300);

/// A small network on 20 images an epoch.
const SMALL: &[&str] = &[
    "reproduce",
    "--data",
    "synthetic",
    "--archs",
    "squeezenet1_1",
    "--shots",
    "2",
    "--eval-every",
    "100",
];

fn command(home: &TempDir, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hyperscope"));
    command
        .args(more)
        .env("HYPERSCOPE_HOME", home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn small(home: &TempDir, starts: &str, more: &[&str]) -> Command {
    command(home, &[SMALL, &["--starts", starts], more].concat())
}

fn home() -> TempDir {
    tempfile::tempdir().expect("a folder for the test")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The JSON document of a command that must succeed.
fn json(mut command: Command) -> Value {
    let output = command.arg("--json").output().expect("the program starts");
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a JSON document")
}

fn failure(mut command: Command) -> String {
    let output = command.output().expect("the program starts");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    text(&output.stderr)
}

fn runs(home: &TempDir) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(home.path().join("runs")) else {
        return Vec::new();
    };
    let mut runs: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    runs.retain(|p| p.join("request.toml").exists() && !p.ends_with(".new"));
    runs.sort();
    runs
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
    let events = events(run);
    let states = events.iter().filter(|e| e["kind"] == "state");
    states
        .map(|e| e["state"].as_str().unwrap_or_default().to_owned())
        .collect()
}

fn is_in(run: &Path, state: &str) -> bool {
    states(run).last().is_some_and(|s| s == state)
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        sleep(Duration::from_millis(5));
    }
}

fn interrupt(child: &Child) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("the child lives");
}

fn ended(child: Child) -> Output {
    child.wait_with_output().expect("the command ends")
}

/// Test accuracy after the last epoch by start and seed, from the runs' own files.
fn by_hand(home: &TempDir) -> BTreeMap<(String, u64), f64> {
    let runs = runs(home).into_iter().map(|run| {
        let request = RunDir::open(&run).unwrap().request().unwrap();
        let events = events(&run);
        let test = events
            .iter()
            .rfind(|e| e["kind"] == "eval" && e["split"] == "test");
        let top1 = test.and_then(|e| e["top1"].as_f64());
        ((request.init, request.seed), top1.expect("a test accuracy"))
    });
    runs.collect()
}

fn close(a: &Value, b: f64) -> bool {
    a.as_f64().is_some_and(|a| (a - b).abs() < 1e-9)
}

#[test]
fn a_killed_experiment_goes_on_and_repeats_nothing() {
    let home = home();
    let more = ["--seeds", "2", "--epochs", "8", "--ghn", "untrained"];
    let mut child = small(&home, "rand,ghn", &more)
        .spawn()
        .expect("the program starts");
    wait_until("the first run has finished", || {
        runs(&home).iter().any(|run| is_in(run, "finished"))
    });
    child.kill().expect("the command lives");
    ended(child);
    let before = runs(&home);
    assert!(before.len() < 4, "killed too late to tell anything");
    // Its worker lives on without it, and writes a last line after the state.
    let has_left = |run: &PathBuf| !is_alive(&RunDir::open(run).unwrap());
    wait_until("the runs that were begun have finished", || {
        let mut runs = before.iter();
        runs.all(|run| is_in(run, "finished") && has_left(run))
    });
    let logs: Vec<_> = before
        .iter()
        .map(|run| fs::read(run.join("events.jsonl")).unwrap())
        .collect();

    let report = json(small(&home, "rand,ghn", &more));
    assert_eq!(runs(&home).len(), 4);
    for (run, log) in before.iter().zip(&logs) {
        let now = fs::read(run.join("events.jsonl")).unwrap();
        assert!(&now == log, "{} was carried out again", run.display());
    }
    assert_eq!(report["finished"], 4);

    let by_hand = by_hand(&home);
    let at = |start: &str, seed| by_hand[&(start.to_owned(), seed)];
    let results = report["results"].as_array().expect("results");
    for (result, start) in results.iter().zip(["rand", "ghn"]) {
        let (a, b) = (at(start, 1111), at(start, 1112));
        assert_eq!(result["start"], start);
        assert_eq!(result["seeds"], serde_json::json!([1111, 1112]));
        assert!(close(&result["test"]["mean"], (a + b) / 2.0), "{result}");
        let deviation = (a - b).abs() / 2_f64.sqrt();
        assert!(close(&result["test"]["deviation"], deviation), "{result}");
    }
    assert_eq!(results[0]["difference"], Value::Null);
    let difference = &results[1]["difference"];
    let pairs = [1111, 1112].map(|seed| at("ghn", seed) - at("rand", seed));
    let mean = (pairs[0] + pairs[1]) / 2.0;
    assert!(close(&difference["mean"], mean), "{difference}");
    // t of one degree of freedom is the tangent of 0.475 half turns.
    let t = (0.475 * std::f64::consts::PI).tan();
    let half = t * (pairs[0] - pairs[1]).abs() / 2.0;
    let (low, high) = (&difference["interval"][0], &difference["interval"][1]);
    assert!(
        close(low, mean - half) && close(high, mean + half),
        "{difference}"
    );

    let name = report["experiment"].as_str().expect("a name");
    let again = json(command(&home, &["reproduce", "--report", name]));
    assert_eq!(again["results"], report["results"]);
    let table = command(&home, &["reproduce", "--report", name])
        .output()
        .unwrap();
    let table = text(&table.stdout);
    assert!(
        table.contains("4 of 4 runs") && table.contains("sgd momentum 0.9"),
        "{table}"
    );
    assert!(table.contains("not trained"), "{table}");
}

#[test]
fn an_interrupt_stops_the_worker_and_the_same_command_resumes_it() {
    let home = home();
    let asked = || small(&home, "rand", &["--seeds", "1", "--epochs", "40"]);
    let child = asked().spawn().expect("the program starts");
    wait_until("a step was done", || {
        let runs = runs(&home);
        runs.iter()
            .any(|run| events(run).iter().any(|e| e["kind"] == "train"))
    });
    interrupt(&child);
    let output = ended(child);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = text(&output.stderr);
    assert!(said.contains("interrupted: 0 of 1"), "{said}");
    let run = &runs(&home)[0];
    assert!(is_in(run, "stopped"), "{:?}", states(run));

    let report = json(asked());
    assert_eq!(runs(&home).len(), 1, "the run goes on, no other one begins");
    assert_eq!(report["finished"], 1);
    let expected = [
        "starting", "running", "stopped", "starting", "running", "finished",
    ];
    assert_eq!(states(run), expected);
    // One seed: no deviation, and without other starts no difference.
    assert_eq!(report["results"][0]["test"]["deviation"], Value::Null);
}

#[test]
fn a_failed_run_is_told_and_left_alone_until_asked_for() {
    let home = home();
    let named = ["--epochs", "1", "--name", "mine"];
    let with = |more: &[&str]| small(&home, "rand", &[&named, more].concat());
    json(with(&["--seeds", "1"]));
    // As if the second seed had failed.
    let mut request = RunDir::open(&runs(&home)[0]).unwrap().request().unwrap();
    request.seed += 1;
    let place = Home::at(home.path());
    let failed = RunDir::create(&place, &request).unwrap();
    let mut worker = Worker::begin(&failed, "cpu", Terminal::Keep).unwrap();
    worker.event(Event::State {
        state: RunState::Failed,
        reason: Some("the loss is NaN".into()),
    });
    worker.finish().unwrap();

    let output = with(&["--seeds", "3"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("1 of 3 runs have not finished"), "{said}");
    let table = text(&output.stdout);
    assert!(
        table.contains("2 of 3") && table.contains("the loss is NaN"),
        "{table}"
    );

    let report = json(with(&["--seeds", "3", "--retry"]));
    assert_eq!(report["finished"], 3);
    assert_eq!(runs(&home).len(), 3);
}

#[test]
fn a_run_that_fails_does_not_keep_the_others_from_going_on() {
    let home = home();
    let file = home.path().join("damaged.safetensors");
    fs::write(&file, "no weights").unwrap();
    let starts = format!("{},rand", file.display());
    let mut command = small(&home, &starts, &["--seeds", "1", "--epochs", "1"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = text(&output.stderr);
    assert!(said.contains("1 of 2 runs have not finished"), "{said}");
    let table = text(&output.stdout);
    assert!(table.contains("1 of 2 runs have finished"), "{table}");
    // The reason stands beside the run.
    let line = table.lines().find(|line| line.contains("  failed  "));
    assert!(line.is_some_and(|l| l.contains("damaged")), "{table}");
}

#[test]
fn what_would_make_the_table_a_lie_is_refused() {
    let home = home();
    let named = ["--epochs", "1", "--name", "mine", "--seeds", "1"];
    json(small(&home, "rand,ghn", &named));
    let other = ["--epochs", "2", "--name", "mine", "--seeds", "1"];
    let said = failure(small(&home, "rand,ghn", &other));
    assert!(
        said.contains("training.epochs") && said.contains("--name"),
        "{said}"
    );
    assert_eq!(runs(&home).len(), 2, "nothing was begun");
    let place = Home::at(home.path());
    let lease = Lease::of_experiment(&place, "mine").unwrap();
    let said = failure(small(&home, "rand,ghn", &named));
    let us = std::process::id().to_string();
    assert!(said.contains("one command") && said.contains(&us), "{said}");
    drop(lease);
    let said = failure(command(&home, &["reproduce", "--report", "yours"]));
    assert!(said.contains("there are: mine"), "{said}");
    let twice = [
        "reproduce",
        "--data",
        "synthetic",
        "--starts",
        "rand,random",
    ];
    let said = failure(command(&home, &twice));
    assert!(said.contains("rand twice"), "{said}");
}

#[test]
fn a_dry_run_says_everything_and_begins_nothing() {
    let home = home();
    let plan = json(command(
        &home,
        &["reproduce", "--data", "synthetic", "--dry-run"],
    ));
    let planned = plan["runs"].as_array().expect("runs");
    assert_eq!(planned.len(), 24, "two networks, four starts, three seeds");
    assert!(planned.iter().all(|run| run["what"] == "start"));
    let networks = plan["protocol"]["networks"].as_array().expect("networks");
    let of = |network: &Value| {
        let post = &network["post"];
        (
            network["optimizer"].as_str().unwrap().to_owned(),
            network["batch"].as_u64().unwrap(),
            post["number"].as_u64().unwrap(),
        )
    };
    assert_eq!(of(&networks[0]), ("sgd".to_owned(), 96, 37));
    assert_eq!(of(&networks[1]), ("adamw".to_owned(), 48, 49));
    assert_eq!(plan["protocol"]["data"]["train_images"], 1000);
    assert!(runs(&home).is_empty());
}
