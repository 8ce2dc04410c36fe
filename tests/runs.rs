//! The `runs` commands of the binary, on runs whose workers are this test.

use std::path::Path;
use std::process::{Command as Process, Output};

use hyperscope::run::{
    self, Command, DataRequest, Event, GhnRequest, Home, Request, RunDir, RunState, Split,
    Terminal, TrainingRequest, Worker,
};
use hyperscope::train::Reporter;
use serde_json::Value;

/// What a hostile file could hold: colour, clipboard and title sequences, a one-byte CSI, a
/// right-to-left override, a new line.
const HOSTILE: &str = "x\x1b[31m\x1b]52;c;QQ==\x07\u{9b}2J\u{202e}y\nz\u{7f}";

struct Scene {
    folder: tempfile::TempDir,
    home: Home,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        Self { folder, home }
    }

    fn run(&self, arch: &str, request: Request) -> RunDir {
        let request = Request {
            arch: arch.to_owned(),
            ..request
        };
        RunDir::create(&self.home, &request).unwrap()
    }

    fn hyperscope(&self, args: &[&str]) -> Output {
        hyperscope(self.folder.path(), args)
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.hyperscope(&[args, &["--json"]].concat());
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn hyperscope(home: &Path, args: &[&str]) -> Output {
    Process::new(env!("CARGO_BIN_EXE_hyperscope"))
        .args(args)
        .env("HYPERSCOPE_HOME", home)
        .output()
        .unwrap()
}

fn request() -> Request {
    Request {
        classes: 10,
        side: 32,
        init: "ghn+orth".into(),
        seed: u64::MAX,
        ghn: Some(GhnRequest {
            name: "default".into(),
            ..GhnRequest::default()
        }),
        data: DataRequest {
            name: "cifar10".into(),
            ..DataRequest::default()
        },
        training: TrainingRequest {
            epochs: 2,
            lr: 0.1,
            ..TrainingRequest::default()
        },
        ..Request::default()
    }
}

fn train(step: u64, loss: f64) -> Event {
    Event::Train {
        step,
        epoch: step as f64 / 10.0,
        loss,
        top1: 25.0,
        lr: 0.1,
        grad_norm: 1.0,
        images_per_s: 100.0,
        data_wait: 0.0,
    }
}

fn test(step: u64, top1: f64) -> Event {
    Event::Eval {
        step,
        epoch: step as f64 / 10.0,
        split: Split::Test,
        loss: 1.5,
        top1,
        top5: None,
        images: 100,
        seconds: 1.0,
    }
}

fn state(state: RunState, reason: Option<&str>) -> Event {
    Event::State {
        state,
        reason: reason.map(str::to_owned),
    }
}

/// Carries the run out as far as its events.
fn carry_out(dir: &RunDir, events: &[Event]) {
    let mut worker = Worker::begin(dir, "cpu", Terminal::Keep).unwrap();
    for event in events {
        worker.event(event.clone());
    }
    worker.finish().unwrap();
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn failure(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    text(&output.stderr)
}

#[test]
fn a_finished_run_is_listed_shown_watched_and_exported() {
    let scene = Scene::new();
    let dir = scene.run("resnet18", request());
    let finished = state(RunState::Finished, None);
    carry_out(
        &dir,
        &[
            train(10, 2.0),
            test(10, 30.0),
            train(20, f64::NAN),
            test(20, 28.5),
            finished,
        ],
    );
    let listed = &scene.json(&["runs", "list"])["runs"][0];
    assert_eq!(listed["run"], dir.id().as_str());
    assert_eq!(listed["status"], "finished");
    assert_eq!(listed["ghn_trained"], false);
    assert_eq!(listed["epoch"], 2.0);
    let table = text(&scene.hyperscope(&["runs", "list"]).stdout);
    assert!(
        table.contains("28.50") && table.contains("30.00"),
        "{table}"
    );
    assert!(table.contains("untrained"), "{table}");

    let shown = scene.json(&["runs", "show", "last"]);
    assert_eq!(shown["best_test"]["top1"], 30.0);
    assert_eq!(shown["request"]["training"]["lr"], 0.1);
    assert_eq!(shown["worker"], Value::Null);
    let page = text(&scene.hyperscope(&["runs", "show", "resnet18"]).stdout);
    assert!(page.contains("training.lr"), "{page}");

    let watched = scene.hyperscope(&["runs", "watch", "last", "--json"]);
    assert!(watched.status.success());
    let lines = text(&watched.stdout);
    let kinds: Vec<Value> = lines
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap()["kind"].clone())
        .collect();
    assert_eq!(kinds, ["state", "train", "eval", "train", "eval", "state"]);

    let csv = text(
        &scene
            .hyperscope(&["runs", "export", "last", "--format", "csv"])
            .stdout,
    );
    assert_eq!(csv.lines().count(), 7, "{csv}");
    assert!(csv.contains(",train,20,2.0,,nan,"), "{csv}");
    let file = scene.folder.path().join("run.json");
    let to = [
        "runs",
        "export",
        "last",
        "--format",
        "json",
        "-o",
        file.to_str().unwrap(),
    ];
    assert!(scene.hyperscope(&to).status.success());
    let exported: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(exported["events"].as_array().unwrap().len(), 6);

    let logs = scene.folder.path().join("logs");
    let to = [
        "runs",
        "export",
        "last",
        "--format",
        "tensorboard",
        "-o",
        logs.to_str().unwrap(),
    ];
    let said = scene.hyperscope(&to);
    assert!(said.status.success());
    let file = text(&said.stdout);
    let file = std::path::Path::new(file.trim_end());
    assert_eq!(
        file.parent().and_then(|run| run.parent()),
        Some(logs.as_path())
    );
    let bytes = std::fs::read(file).unwrap();
    for tag in ["train/loss", "test/top1"] {
        let stands = bytes.windows(tag.len()).any(|part| part == tag.as_bytes());
        assert!(stands, "{tag} in {}", file.display());
    }
}

#[test]
fn hostile_text_never_reaches_the_terminal_as_it_is() {
    let scene = Scene::new();
    let hostile = || Request {
        init: HOSTILE.into(),
        name: "named".into(),
        experiment: HOSTILE.into(),
        command: vec![HOSTILE.into()],
        data: DataRequest {
            name: HOSTILE.into(),
            ..DataRequest::default()
        },
        ghn: Some(GhnRequest {
            name: HOSTILE.into(),
            ..GhnRequest::default()
        }),
        ..request()
    };
    let dir = scene.run(HOSTILE, hostile());
    let note = Event::Note {
        text: HOSTILE.into(),
    };
    carry_out(&dir, &[note, state(RunState::Failed, Some(HOSTILE))]);
    let other = scene.run("resnet18", request());
    let (run, other) = (dir.id().as_str(), other.id().as_str());
    let broken = scene.run("resnet18", request());
    std::fs::write(broken.request_file(), format!("arch = [\"{HOSTILE}\"")).unwrap();
    let commands: &[&[&str]] = &[
        &["runs", "list"],
        &["runs", "show", run],
        &["runs", "show", broken.id().as_str()],
        &["runs", "watch", run],
        &["runs", "compare", run, other],
        &["runs", "export", run, "--format", "csv"],
        &["runs", "export", run, "--format", "json"],
        &["runs", "pause", run],
        &["runs", "show", HOSTILE],
        &["reproduce", "--report", HOSTILE],
        &["reproduce", "--report", "none"],
    ];
    for command in commands {
        for json in [&[][..], &["--json"]] {
            let output = scene.hyperscope(&[command, json].concat());
            let said = text(&output.stdout) + &text(&output.stderr);
            assert!(!said.is_empty());
            let bad = |c: &char| (*c != '\n' && c.is_control()) || *c == '\u{202e}';
            assert_eq!(
                said.chars().find(bad),
                None,
                "{command:?} {json:?}: {said:?}"
            );
        }
    }
}

#[test]
fn a_live_run_is_paused_resumed_and_stopped() {
    let scene = Scene::new();
    let dir = scene.run("resnet18", request());
    let mut worker = Worker::begin(&dir, "cpu", Terminal::Keep).unwrap();
    worker.event(state(RunState::Running, None));
    worker.sync().unwrap();
    std::thread::scope(|scope| {
        let steered = scope.spawn(|| {
            ["pause", "resume", "stop"]
                .map(|what| scene.json(&["runs", what, "last"])["status"].clone())
        });
        let answer = |command: Command| match command {
            Command::Pause => RunState::Paused,
            Command::Resume => RunState::Running,
            _ => RunState::Stopped,
        };
        let mut now = RunState::Running;
        while now != RunState::Stopped {
            if let Some(command) = worker.command() {
                now = answer(command);
                worker.event(state(now, None));
            }
            std::thread::yield_now();
        }
        worker.finish().unwrap();
        assert_eq!(steered.join().unwrap(), ["paused", "running", "stopped"]);
    });
    let error = failure(&scene.hyperscope(&["runs", "pause", "last"]));
    assert!(error.contains("been stopped"), "{error}");
}

#[test]
fn a_watched_run_that_fails_makes_the_watcher_fail() {
    let scene = Scene::new();
    let dir = scene.run("resnet18", request());
    let error = failure(&scene.hyperscope(&["runs", "watch", "last"]));
    assert!(error.contains("has not begun"), "{error}");
    carry_out(
        &dir,
        &[state(RunState::Failed, Some("the loss is NaN at step 812"))],
    );
    let output = scene.hyperscope(&["runs", "watch", "last"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("NaN at step 812"));
}

#[test]
fn comparing_shows_what_differs_and_nothing_else() {
    let scene = Scene::new();
    let a = scene.run("resnet18", request());
    let mut other = request();
    other.training.lr = 0.01;
    let b = scene.run("resnet18", other);
    let (a, b) = (a.id().as_str(), b.id().as_str());
    let differs = scene.json(&["runs", "compare", a, b])["differs"].clone();
    let expected = serde_json::json!([{"key": "training.lr", "values": [0.1, 0.01]}]);
    assert_eq!(differs, expected);
    let table = text(&scene.hyperscope(&["runs", "compare", a, b]).stdout);
    assert!(
        table.contains("training.lr") && !table.contains("training.epochs"),
        "{table}"
    );
}

#[test]
fn names_that_mean_no_run_or_several_are_explained() {
    let scene = Scene::new();
    let error = failure(&scene.hyperscope(&["runs", "show", "last"]));
    assert!(error.contains("no runs yet"), "{error}");
    let a = scene.run("resnet18", request());
    let b = scene.run("resnet50", request());
    let error = failure(&scene.hyperscope(&["runs", "show", "resnet"]));
    assert!(
        error.contains(a.id().as_str()) && error.contains(b.id().as_str()),
        "{error}"
    );
    let error = failure(&scene.hyperscope(&["runs", "show", "vit"]));
    assert!(
        error.contains("no run \"vit\"") && error.contains("runs list"),
        "{error}"
    );
}

#[test]
fn what_cannot_be_written_is_said_and_leaves_nothing() {
    let scene = Scene::new();
    scene.run("resnet18", request());
    let error = failure(&scene.hyperscope(&["runs", "export", "last", "--format", "tensorboard"]));
    assert!(
        error.contains("TensorBoard") && error.contains("-o FOLDER"),
        "{error}"
    );
    let to = [
        "runs",
        "export",
        "last",
        "--format",
        "csv",
        "-o",
        "/proc/none/x.csv",
    ];
    let error = failure(&scene.hyperscope(&to));
    assert!(error.contains("/proc/none/x.csv"), "{error}");

    let file = scene.folder.path().join("a-file");
    std::fs::write(&file, "").unwrap();
    let error = RunDir::create(&Home::at(&file), &request())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("a-file") && error.contains("HYPERSCOPE_HOME"),
        "{error}"
    );
    let error = failure(&hyperscope(&file, &["runs", "list"]));
    assert!(error.contains("a-file"), "{error}");
}

#[test]
fn a_closed_pipe_ends_a_listing_quietly() {
    let scene = Scene::new();
    let dir = scene.run("resnet18", request());
    let mut events: Vec<Event> = (1..3000).map(|i| train(i, 1.0)).collect();
    events.push(state(RunState::Finished, None));
    carry_out(&dir, &events);
    let command = format!(
        "'{}' runs watch last | head -n 1",
        env!("CARGO_BIN_EXE_hyperscope")
    );
    let output = Process::new("sh")
        .args(["-c", &command])
        .env("HYPERSCOPE_HOME", scene.folder.path())
        .output()
        .unwrap();
    assert_eq!(text(&output.stdout).lines().count(), 1);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(run::list(&scene.home).unwrap().runs.len(), 1);
}
