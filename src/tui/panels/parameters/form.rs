//! Forms over the panel: where to write weights, how to fine-tune.

use std::collections::BTreeMap;

use crate::tui::dialog::{Dialog, Entry};
use crate::tui::selection::{RANDOM, Selection};
use crate::tui::widgets::form::Line;

/// What a form is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Write,
    FineTune,
}

/// An open form.
#[derive(Debug)]
pub struct Form {
    pub purpose: Purpose,
    pub dialog: Dialog,
}

/// Name, label, first value, meaning of an empty line. Each becomes an option of `finetune`.
#[rustfmt::skip]
const FINE_TUNE: [[&str; 4]; 8] = [
    ["data", "data", "synthetic", "synthetic, a folder, a file, or a name from the config"],
    ["shots", "images per class", "100", "all"],
    ["epochs", "epochs", "10", "the recipe's"],
    ["batch", "batch", "", "the recipe's"],
    ["image", "image size", "32", "the data's own"],
    ["optimizer", "optimiser", "", "the recipe's (sgd, adamw)"],
    ["lr", "learning rate", "", "the recipe's"],
    ["wd", "weight decay", "", "the recipe's"],
];

impl Form {
    /// Asks for a path.
    #[must_use]
    pub fn write(selection: &Selection, side: &str) -> Self {
        let ghn = crate::tui::selection::short_ghn(&selection.ghn);
        let post = if side == "after" {
            format!("-{}", selection.post_words().replace('+', "-"))
        } else {
            String::new()
        };
        let path = format!("{}-{ghn}{post}.safetensors", selection.arch.name);
        let intro = format!(
            "{} as they are {side} post-processing, in torchvision's names.",
            selection.arch.name
        );
        let file = Entry {
            name: "path",
            label: "file",
            line: Line::new(&path),
            empty: "",
        };
        Self {
            purpose: Purpose::Write,
            dialog: Dialog::new("Write weights", &intro, "write", vec![file]),
        }
    }

    /// Asks how to fine-tune; values of the last time stand in it.
    #[must_use]
    pub fn fine_tune(selection: &Selection, last: &BTreeMap<String, String>) -> Self {
        let entries = FINE_TUNE.map(|entry| Entry::new(entry, last));
        let intro = format!(
            "{} from {}, with the data's classes; it runs on by itself.",
            selection.arch.name,
            selection.init()
        );
        Self {
            purpose: Purpose::FineTune,
            dialog: Dialog::new("Fine-tune from here", &intro, "start", entries.into()),
        }
    }
}

/// The arguments of `finetune` for a selection and the values of the form.
#[must_use]
pub fn arguments(selection: &Selection, values: &BTreeMap<String, String>) -> Vec<String> {
    let mut arguments = vec![
        "finetune".to_owned(),
        selection.arch.name.clone(),
        "--init".to_owned(),
        selection.init(),
        "--detach".to_owned(),
        "--json".to_owned(),
        "--seed".to_owned(),
        selection.seed.to_string(),
    ];
    let mut option = |name: &str, value: String| arguments.push(format!("--{name}={value}"));
    if selection.ghn != RANDOM {
        option("ghn", selection.ghn.clone());
    }
    if selection.post.noise {
        option("beta", selection.post.beta.to_string());
    }
    if selection.post.noise || selection.post.orth {
        option("layer", selection.post.layer.clone());
    }
    for [name, ..] in FINE_TUNE {
        if let Some(value) = values.get(name).filter(|v| !v.is_empty()) {
            option(name, value.clone());
        }
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_becomes_options_and_empty_lines_do_not() {
        let mut selection = Selection::default();
        selection.post.orth = false;
        let values = BTreeMap::from([
            ("data".to_owned(), "/data/c ifar".to_owned()),
            ("lr".to_owned(), String::new()),
        ]);
        let arguments = arguments(&selection, &values);
        assert_eq!(
            &arguments[..4],
            ["finetune", "resnet50", "--init", "ghn+noise"]
        );
        assert!(arguments.contains(&"--data=/data/c ifar".to_owned()));
        assert!(
            arguments.contains(&"--beta=0.00003".to_owned()),
            "{arguments:?}"
        );
        assert!(!arguments.iter().any(|a| a.starts_with("--lr")));
    }
}
