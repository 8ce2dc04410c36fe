//! The app in a real terminal: start, every panel, resizing, leaving, and a dropped connection.

#[path = "pty/terminal.rs"]
mod terminal;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use terminal::Terminal;

fn hyperscope(home: &Path, arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_hyperscope"))
        .args(arguments)
        .env("HYPERSCOPE_HOME", home)
        .current_dir(home)
        .output()
        .expect("hyperscope runs")
}

/// The `--json` answer of a command that must succeed.
fn json(home: &Path, arguments: &[&str]) -> serde_json::Value {
    let output = hyperscope(home, arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|w| w == needle)
}

#[test]
fn every_panel_opens_at_80_by_24_and_leaving_restores_the_terminal() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut app = Terminal::start(&[], home.path(), 80, 24);
    app.until_text("resnet50");
    app.press("2");
    app.until("the Parameters panel", |s| {
        s.contains("GHN") && s.contains("beta")
    });
    app.press("3");
    app.until_text("New to the GHN");
    app.press("4");
    app.until_text("finetune");
    app.press("?");
    app.until_text("help");
    app.press("\x1b");
    app.press("1");
    app.until_text("resnet50");
    app.press("Q");
    assert_eq!(app.wait(Duration::from_secs(10)), Some(0));
    assert!(
        contains(&app.raw, b"\x1b[?1049h"),
        "the alternate screen was never entered"
    );
    assert!(
        contains(&app.raw, b"\x1b[?1049l"),
        "the alternate screen was not left"
    );
    assert!(
        contains(&app.raw, b"\x1b[?25h"),
        "the cursor was not shown again"
    );
}

#[test]
fn a_storm_of_resizes_leaves_a_whole_screen() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut app = Terminal::start(&[], home.path(), 80, 24);
    app.until_text("resnet50");
    for (columns, rows) in [
        (200, 60),
        (40, 10),
        (61, 17),
        (120, 36),
        (60, 16),
        (100, 30),
    ] {
        app.resize(columns, rows);
    }
    app.until("the panel at its new size", |s| {
        s.contains("Architectures") && s.contains("resnet50")
    });
    app.resize(30, 8);
    app.until("one line that asks for more room", |s| {
        !s.contains("resnet50") && s.trim().lines().count() <= 3 && !s.trim().is_empty()
    });
    app.resize(80, 24);
    app.until_text("resnet50");
    app.press("Q");
    assert_eq!(app.wait(Duration::from_secs(10)), Some(0));
}

#[test]
fn a_dropped_connection_ends_the_app_and_not_the_run() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let started = json(
        home.path(),
        &[
            "finetune",
            "resnet18",
            "--init",
            "rand",
            "--data",
            "synthetic",
            "--shots",
            "10",
            "--epochs",
            "1000",
            "--batch",
            "16",
            "--detach",
            "--json",
        ],
    );
    let run = started["run"].as_str().expect("the run's id").to_owned();
    let mut app = Terminal::start(&[], home.path(), 120, 36);
    app.until_text("Architectures");
    app.press("4");
    app.until_text("running");
    app.hang_up();
    assert!(
        app.wait(Duration::from_secs(1)).is_some(),
        "the app outlived its terminal by a second"
    );
    let runs = json(home.path(), &["runs", "show", &run, "--json"]);
    assert!(
        matches!(runs["status"].as_str(), Some("starting" | "running")),
        "{runs}"
    );

    let mut app = Terminal::start(&[], home.path(), 120, 36);
    app.until_text("Architectures");
    app.press("4");
    app.until_text("running");
    app.press("Q");
    assert_eq!(app.wait(Duration::from_secs(10)), Some(0));
    assert!(
        hyperscope(home.path(), &["runs", "stop", &run])
            .status
            .success()
    );
}

#[test]
fn without_a_terminal_the_demo_says_what_to_run_instead() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let output = hyperscope(home.path(), &["demo"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("terminal"), "{said}");
    assert!(said.contains("hyperscope predict"), "{said}");
    assert!(said.contains("hyperscope finetune"), "{said}");
}
