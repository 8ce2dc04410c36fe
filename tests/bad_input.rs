//! What a user may get wrong: every message says what was being done, to what, and what to do next;
//! the exit code is 1, and nothing half-written stays behind.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn hyperscope(home: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hyperscope"))
        .args(arguments)
        .env("HYPERSCOPE_HOME", home.join("home"))
        .current_dir(home)
        .output()
        .expect("hyperscope runs")
}

/// Runs a command that must fail with exit code 1, and gives its message.
fn refused(home: &Path, arguments: &[&str]) -> String {
    let output = hyperscope(home, arguments);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {message}");
    assert!(!message.contains("panicked"), "{arguments:?}: {message}");
    assert!(
        !message.trim_end().contains('\u{1b}'),
        "{arguments:?}: an escape sequence reached the terminal: {message:?}"
    );
    message
}

/// A small state dict for `resnet18` with ten classes.
fn weights(home: &Path) {
    let arguments = [
        "predict",
        "resnet18",
        "--classes",
        "10",
        "--image",
        "32",
        "-o",
        "w.safetensors",
    ];
    let output = hyperscope(home, &arguments);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn an_unknown_architecture_gets_the_nearest_names() {
    let home = folder();
    for command in [
        vec!["arch", "show", "resnet5O"],
        vec!["predict", "resnet5O", "-o", "x.safetensors"],
        vec!["finetune", "resnet5O", "--data", "synthetic"],
    ] {
        let message = refused(home.path(), &command);
        assert!(
            message.contains("resnet5O") && message.contains("resnet50"),
            "{message}"
        );
    }
}

#[test]
fn a_truncated_file_is_named_and_so_is_what_is_wrong() {
    let home = folder();
    weights(home.path());
    let path = home.path().join("w.safetensors");
    let whole = fs::read(&path).expect("the file just written");
    for length in [0, 5, 1000, whole.len() / 2, whole.len() - 1] {
        fs::write(home.path().join("cut.safetensors"), &whole[..length]).expect("a shorter file");
        let message = refused(home.path(), &["stats", "diversity", "cut.safetensors"]);
        assert!(message.contains("cut.safetensors"), "{message}");
    }
}

#[test]
fn a_web_page_named_pt_is_recognised() {
    let home = folder();
    fs::write(
        home.path().join("ghn.pt"),
        "<!DOCTYPE html>\n<html><body>404</body></html>",
    )
    .expect("a file");
    for command in [
        vec!["stats", "diversity", "ghn.pt"],
        vec!["ghn", "show", "ghn.pt"],
    ] {
        let message = refused(home.path(), &command);
        assert!(
            message.contains("ghn.pt") && message.contains("HTML"),
            "{message}"
        );
    }
}

#[test]
fn a_pickle_that_wants_to_run_code_is_refused_and_runs_nothing() {
    let home = folder();
    let pickle = b"\x80\x02cos\nsystem\nX\x09\x00\x00\x00touch ran\x85R.";
    let file = fs::File::create(home.path().join("evil.pt")).expect("a file");
    let mut archive = zip::ZipWriter::new(file);
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive
        .start_file("evil/data.pkl", stored)
        .expect("a member");
    archive.write_all(pickle).expect("a member");
    archive.finish().expect("an archive");
    for command in [
        vec!["stats", "diversity", "evil.pt"],
        vec!["ghn", "show", "evil.pt"],
    ] {
        let message = refused(home.path(), &command);
        assert!(
            message.contains("evil.pt") && message.contains("os.system"),
            "{message}"
        );
    }
    assert!(!home.path().join("ran").exists(), "the code was run");
}

#[test]
fn a_class_count_that_does_not_match_names_both_numbers() {
    let home = folder();
    let output = hyperscope(
        home.path(),
        &[
            "predict",
            "resnet18",
            "--classes",
            "17",
            "--image",
            "32",
            "-o",
            "w17.safetensors",
        ],
    );
    assert!(output.status.success());
    let message = refused(
        home.path(),
        &[
            "finetune",
            "resnet18",
            "--init",
            "w17.safetensors",
            "--data",
            "synthetic",
            "--epochs",
            "1",
        ],
    );
    assert!(
        message.contains("17") && message.contains("10"),
        "{message}"
    );
    let message = refused(
        home.path(),
        &[
            "eval",
            "resnet18",
            "--weights",
            "w17.safetensors",
            "--data",
            "synthetic",
        ],
    );
    assert!(
        message.contains("17") && message.contains("10"),
        "{message}"
    );
}

#[test]
fn data_that_is_none_is_refused_before_a_run_is_made() {
    let home = folder();
    fs::create_dir(home.path().join("empty")).expect("a folder");
    for data in ["empty", "nowhere"] {
        let message = refused(
            home.path(),
            &["finetune", "resnet18", "--init", "rand", "--data", data],
        );
        assert!(message.contains(data), "{message}");
    }
    let runs = fs::read_dir(home.path().join("home/runs")).map_or(0, Iterator::count);
    assert_eq!(runs, 0, "a run was left behind");
}

#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let home = folder();
    // A limit on the size of files stands for the full disk: writing fails in the same place.
    let output = Command::new("sh")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 2000; exec \"$0\" predict resnet18 --classes 10 --image 32 -o w.safetensors",
            env!("CARGO_BIN_EXE_hyperscope"),
        ])
        .env("HYPERSCOPE_HOME", home.path().join("home"))
        .current_dir(home.path())
        .output()
        .expect("a shell");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("w.safetensors"), "{message}");
    let left: Vec<_> = fs::read_dir(home.path())
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name())
        .filter(|name| name != "home")
        .collect();
    assert!(left.is_empty(), "{left:?} was left behind");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let home = folder();
    let message = refused(
        home.path(),
        &[
            "predict",
            "resnet18",
            "--classes",
            "10",
            "--image",
            "32",
            "-o",
            "no/such/w.safetensors",
        ],
    );
    assert!(message.contains("no/such/w.safetensors"), "{message}");
    fs::write(home.path().join("home"), "a file where the home should be").expect("a file");
    let message = refused(
        home.path(),
        &[
            "finetune",
            "resnet18",
            "--init",
            "rand",
            "--data",
            "synthetic",
            "--epochs",
            "1",
        ],
    );
    assert!(message.contains("HYPERSCOPE_HOME"), "{message}");
}

#[test]
fn hostile_names_reach_the_terminal_harmless() {
    let home = folder();
    refused(
        home.path(),
        &["arch", "show", "\u{1b}]52;c;ZXZpbA==\u{7}\u{202e}net"],
    );
    refused(home.path(), &["runs", "show", "\u{1b}[2J"]);
    refused(home.path(), &["stats", "diversity", "\u{1b}[31mfile"]);
}
