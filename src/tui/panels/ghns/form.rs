//! The form that asks what a GHN is evaluated on.

use std::collections::BTreeMap;

use crate::engine::protocol::{EvaluationSpec, Part, USUAL_BATCH, USUAL_NETWORKS, USUAL_SIDE};
use crate::tui::dialog::{Dialog, Entry};
use crate::tui::selection::short_ghn;

/// Name, label, first value, meaning of an empty line. The first values make it a matter of minutes.
#[rustfmt::skip]
const ENTRIES: [[&str; 4]; 6] = [
    ["data", "data", "synthetic", "synthetic, a folder, a file, or a name from the config"],
    ["splits", "splits", "", "all: test wide deep dense bnfree zoo"],
    ["nets", "networks a split", "8", "20; zoo always has 14"],
    ["images", "test images", "500", "all"],
    ["batch", "batch", "64", "64"],
    ["image", "image size", "32", "32"],
];
/// The largest numbers that make sense.
const MOST_NETS: u32 = 10_000;
const MOST_BATCH: u32 = 65_536;
const SIDES: (u32, u32) = (8, 512);

/// Asks what to evaluate this GHN on; values of the last time stand in it.
#[must_use]
pub fn open(ghn: &str, last: &BTreeMap<String, String>) -> Dialog {
    let intro = format!(
        "How many test images do networks get right that {} predicts and nobody trains? Beside each, the same network \
         with random parameters shows what chance is. Few networks and images give a first answer in minutes.",
        short_ghn(ghn)
    );
    let entries = ENTRIES.map(|entry| Entry::new(entry, last));
    Dialog::new("Evaluate this GHN", &intro, "evaluate", entries.into())
}

/// What was typed, as the engine is asked.
///
/// # Errors
/// A sentence that says what is allowed.
pub fn spec(
    ghn: &str,
    seed: u64,
    values: &BTreeMap<String, String>,
) -> Result<EvaluationSpec, String> {
    let typed = |name: &str| values.get(name).map_or("", |value| value.trim());
    let data = match typed("data") {
        "" => "synthetic",
        data => data,
    };
    Ok(EvaluationSpec {
        ghn: ghn.to_owned(),
        seed,
        data: data.to_owned(),
        parts: parts(typed("splits"))?,
        nets: number("networks a split", typed("nets"), (1, MOST_NETS))?.unwrap_or(USUAL_NETWORKS),
        images: number("test images", typed("images"), (1, u32::MAX))?,
        batch: number("batch", typed("batch"), (1, MOST_BATCH))?.unwrap_or(USUAL_BATCH),
        side: number("image size", typed("image"), SIDES)?.unwrap_or(USUAL_SIDE),
    })
}

fn parts(text: &str) -> Result<Vec<Part>, String> {
    if text.is_empty() || text == "all" {
        return Ok(Part::USUAL.to_vec());
    }
    let mut parts = Vec::new();
    for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
        let part = Part::from_word(word).ok_or_else(|| {
            let known = Part::ALL.map(Part::word).join(", ");
            format!("\"{word}\" is no split; the splits are {known}.")
        })?;
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    if parts.is_empty() {
        return Err("Name at least one split, or leave the line empty for all.".to_owned());
    }
    Ok(parts)
}

/// None for an empty line.
fn number(what: &str, text: &str, (least, most): (u32, u32)) -> Result<Option<u32>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.parse().ok().filter(|n| (least..=most).contains(n));
    number.map(Some).ok_or_else(|| {
        format!("\"{what}\" must be a whole number from {least} to {most}, or empty.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &str, value: &str) -> Result<EvaluationSpec, String> {
        let values = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        spec("default", 1, &values)
    }

    #[test]
    fn empty_lines_have_their_meaning() {
        let spec = asked("data", "").unwrap();
        assert_eq!(spec.parts, Part::USUAL);
        assert_eq!(
            (spec.nets, spec.images, spec.batch, spec.side),
            (20, None, 64, 32)
        );
        assert_eq!(spec.data, "synthetic");
    }

    #[test]
    fn splits_are_words_and_wrong_ones_are_named() {
        let parts = asked("splits", "deep, zoo deep").unwrap().parts;
        assert_eq!(parts, [Part::Deep, Part::Zoo]);
        let message = asked("splits", "deep train").unwrap_err();
        assert!(
            message.contains("\"train\"") && message.contains("bnfree"),
            "{message}"
        );
        assert!(asked("splits", ",").is_err());
    }

    #[test]
    fn numbers_are_checked() {
        for (name, value) in [
            ("nets", "0"),
            ("images", "-1"),
            ("batch", "x"),
            ("image", "4"),
        ] {
            let message = asked(name, value).unwrap_err();
            assert!(message.contains("whole number"), "{name}: {message}");
        }
        assert_eq!(asked("images", "500").unwrap().images, Some(500));
    }
}
