//! The rooms of the house: who may use whom (see `docs/architecture.md`).

use std::fs;
use std::path::{Path, PathBuf};

/// From the ground floor up; `random` and `text` are for everybody.
const FLOORS: &[&str] = &[
    "arch", "data", "nn", "ghn", "init", "stats", "train", "run", "engine", "tui", "cli",
];

/// Rooms that hold no tensors.
const WITHOUT_CANDLE: &[&str] = &["arch", "run", "tui"];

/// What the app may look at: descriptions, run directories and the engine's protocol.
const FOR_THE_APP: &[&str] = &["arch", "run", "engine"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the source folder is readable") {
        let path = entry.expect("a folder entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

/// Every room named after `crate::` in the code of a file, comments left out.
fn rooms_used(text: &str) -> Vec<String> {
    let mut used = Vec::new();
    for line in text.lines().filter(|l| !l.trim_start().starts_with("//")) {
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            if let Some(group) = rest.strip_prefix('{') {
                used.extend(group.split(',').map(first_name));
            } else {
                used.push(first_name(rest));
            }
        }
    }
    used
}

fn first_name(text: &str) -> String {
    text.trim()
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

#[test]
fn a_room_uses_only_rooms_below_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut broken = Vec::new();
    let mut seen = 0;
    for path in sources(&src) {
        let inner = path.strip_prefix(&src).expect("a file below src");
        let first = inner.iter().next().expect("a file name");
        let room = Path::new(first).with_extension("");
        let room = room.to_string_lossy();
        let Some(floor) = FLOORS.iter().position(|r| *r == room) else {
            continue;
        };
        let text = fs::read_to_string(&path).expect("a source file");
        for used in rooms_used(&text) {
            let Some(other) = FLOORS.iter().position(|r| *r == used) else {
                continue;
            };
            seen += 1;
            let allowed = other <= floor
                && (room != "tui" || used == "tui" || FOR_THE_APP.contains(&used.as_str()));
            if !allowed {
                broken.push(format!("{} uses {used}", inner.display()));
            }
        }
        if WITHOUT_CANDLE.contains(&room.as_ref()) && text.contains("candle_") {
            broken.push(format!("{} uses candle", inner.display()));
        }
    }
    assert!(
        seen > 0,
        "no use of any room was found: the test reads the wrong files"
    );
    assert!(broken.is_empty(), "{broken:#?}");
}
