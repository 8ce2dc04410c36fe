//! How parameters are made: the fields of the recipe, how they step and what may be typed.

use crate::arch::zoo;
use crate::engine::protocol::{GhnSummary, automatic_layer};
use crate::tui::catalogue::ArchReport;
use crate::tui::command::Command;
use crate::tui::selection::{AUTO, RANDOM, Selection};

/// One line of the recipe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Field {
    #[default]
    Ghn,
    Classes,
    Side,
    Seed,
    Noise,
    Beta,
    Orth,
    From,
}

impl Field {
    pub const ALL: [Self; 8] = [
        Self::Ghn,
        Self::Classes,
        Self::Side,
        Self::Seed,
        Self::Noise,
        Self::Beta,
        Self::Orth,
        Self::From,
    ];

    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ghn => "GHN",
            Self::Classes => "classes",
            Self::Side => "image",
            Self::Seed => "seed",
            Self::Noise => "noise",
            Self::Beta => "  beta",
            Self::Orth => "orth",
            Self::From => "from",
        }
    }

    /// Whether it changes what happens after the prediction only.
    #[must_use]
    pub const fn is_post(self) -> bool {
        matches!(self, Self::Noise | Self::Beta | Self::Orth | Self::From)
    }

    /// The field above or below.
    #[must_use]
    pub fn moved(self, command: Command) -> Self {
        let at = Self::ALL.iter().position(|f| *f == self).unwrap_or(0);
        let last = Self::ALL.len() - 1;
        Self::ALL[match command {
            Command::Up => at.saturating_sub(1),
            Command::Down => (at + 1).min(last),
            Command::First | Command::PageUp => 0,
            Command::Last | Command::PageDown => last,
            _ => at,
        }]
    }
}

/// Class counts and image sides that `Left` and `Right` go through.
const CLASSES: &[usize] = &[2, 10, 100, 200, 1000];
const SIDES: &[usize] = &[32, 64, 96, 128, 160, 192, 224, 256, 288, 384];
/// Steps of beta, the default in the paper among them.
const BETAS: &[f64] = &[
    0.0, 1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1,
];

/// Steps a field down or up.
pub fn step(selection: &mut Selection, field: Field, up: bool, around: &Around<'_>) {
    match field {
        Field::Ghn => selection.ghn = around.next_ghn(&selection.ghn, up),
        Field::Classes => selection.arch.classes = next(CLASSES, selection.arch.classes, up),
        Field::Side => selection.arch.side = next(SIDES, selection.arch.side, up),
        Field::Seed => {
            selection.seed = if up {
                selection.seed.saturating_add(1)
            } else {
                selection.seed.saturating_sub(1)
            };
        }
        Field::Noise => selection.post.noise = !selection.post.noise,
        Field::Orth => selection.post.orth = !selection.post.orth,
        Field::Beta => {
            let beta = selection.post.beta;
            let above = BETAS.iter().copied().find(|b| *b > beta * 1.0001);
            let below = BETAS.iter().rev().copied().find(|b| *b < beta * 0.9999);
            selection.post.beta = if up { above } else { below }.unwrap_or(beta);
        }
        Field::From => {
            let now = around.layer_number(&selection.post.layer).unwrap_or(1);
            let last = around.layers().saturating_sub(1).max(1);
            let next = if up {
                (now + 1).min(last)
            } else {
                now.saturating_sub(1).max(1)
            };
            selection.post.layer = next.to_string();
        }
    }
}

/// The neighbour of `value` in `steps`, whether it is itself one of them or not.
fn next(steps: &[usize], value: usize, up: bool) -> usize {
    let neighbour = if up {
        steps.iter().find(|s| **s > value)
    } else {
        steps.iter().rev().find(|s| **s < value)
    };
    neighbour.copied().unwrap_or(value)
}

/// What is typed when a field is opened; nothing for switches.
#[must_use]
pub fn text(selection: &Selection, field: Field) -> Option<String> {
    Some(match field {
        Field::Ghn => selection.ghn.clone(),
        Field::Classes => selection.arch.classes.to_string(),
        Field::Side => selection.arch.side.to_string(),
        Field::Seed => selection.seed.to_string(),
        Field::Beta => format!("{:e}", selection.post.beta),
        Field::From => selection.post.layer.clone(),
        Field::Noise | Field::Orth => return None,
    })
}

/// Takes typed text into a field.
///
/// # Errors
/// A sentence that says what is allowed.
pub fn set(
    selection: &mut Selection,
    field: Field,
    text: &str,
    around: &Around<'_>,
) -> Result<(), String> {
    let text = text.trim();
    match field {
        Field::Ghn if text.is_empty() => return Err("Give a GHN's name or file.".to_owned()),
        Field::Ghn => text.clone_into(&mut selection.ghn),
        Field::Classes => selection.arch.classes = number(text, "classes", zoo::MOST_CLASSES)?,
        Field::Side => selection.arch.side = number(text, "image size", zoo::LARGEST_SIDE)?,
        Field::Seed => {
            selection.seed = text
                .parse()
                .map_err(|_| "The seed is a whole number from 0.".to_owned())?;
        }
        Field::Beta => {
            let beta: f64 = text.parse().unwrap_or(f64::NAN);
            if !(0.0..=1e3).contains(&beta) {
                return Err("Beta is a number from 0, such as 3e-5.".to_owned());
            }
            selection.post.beta = beta;
        }
        Field::From => {
            if around.layers() > 0 && around.layer_number(text).is_none() {
                return Err(format!(
                    "The first layer is auto, a number from 1 to {}, or a name such as layer3.3.conv3.",
                    around.layers()
                ));
            }
            text.clone_into(&mut selection.post.layer);
        }
        Field::Noise | Field::Orth => {}
    }
    Ok(())
}

fn number(text: &str, what: &str, most: usize) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|n| (1..=most).contains(n))
        .ok_or_else(|| format!("{what} must be a whole number from 1 to {most}."))
}

/// What the fields choose from.
pub struct Around<'a> {
    pub ghns: &'a [GhnSummary],
    pub report: Option<&'a ArchReport>,
}

impl Around<'_> {
    fn next_ghn(&self, now: &str, up: bool) -> String {
        let mut names: Vec<&str> = self.ghns.iter().map(|g| g.name.as_str()).collect();
        if names.is_empty() {
            names = vec!["default", RANDOM];
        }
        // A file that was typed takes part in the round.
        if !names.contains(&now) {
            names.push(now);
        }
        let at = names.iter().position(|n| *n == now).unwrap_or(0);
        let step = if up { 1 } else { names.len() - 1 };
        names[(at + step) % names.len()].to_owned()
    }

    /// How many layers post-processing counts; 0 while the architecture is not built.
    #[must_use]
    pub fn layers(&self) -> usize {
        self.report.map_or(0, |r| r.arch.matrix_modules().count())
    }

    /// The number of a layer given by number, by its own name or tensor, by a module that holds it, or as `auto`.
    #[must_use]
    pub fn layer_number(&self, layer: &str) -> Option<usize> {
        let layers = self.layers();
        if layer == AUTO {
            return self.report.map(|r| automatic_layer(&r.arch));
        }
        if let Ok(number) = layer.parse::<usize>() {
            return (1..=layers).contains(&number).then_some(number);
        }
        let name = layer.strip_suffix(".weight").unwrap_or(layer);
        if name.is_empty() {
            return None;
        }
        let holds = |path: &str| {
            path.strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let found = self
            .report?
            .arch
            .matrix_modules()
            .position(|m| holds(&m.path))?;
        Some(found + 1)
    }

    /// The path of layer `number`.
    #[must_use]
    pub fn layer_path(&self, number: usize) -> Option<&str> {
        let module = self
            .report?
            .arch
            .matrix_modules()
            .nth(number.checked_sub(1)?)?;
        Some(&module.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::protocol::ArchSpec;

    fn report() -> ArchReport {
        ArchReport::build(&ArchSpec {
            name: "resnet50".into(),
            classes: 1000,
            side: 224,
        })
        .unwrap()
    }

    #[test]
    fn the_first_layer_is_found_by_number_name_tensor_and_module() {
        let report = report();
        let around = Around {
            ghns: &[],
            report: Some(&report),
        };
        assert_eq!(around.layers(), 54);
        for layer in ["37", "layer3.3.conv3", "layer3.3.conv3.weight"] {
            assert_eq!(around.layer_number(layer), Some(37), "{layer}");
        }
        assert_eq!(
            around.layer_number(AUTO),
            Some(37),
            "where the paper begins"
        );
        assert_eq!(around.layer_path(37), Some("layer3.3.conv3"));
        assert!(around.layer_number("layer4").is_some());
        assert_eq!(around.layer_number("layer"), None);
        assert_eq!(around.layer_number("55"), None);
    }

    #[test]
    fn steps_stay_in_range_and_typing_is_checked() {
        let report = report();
        let around = Around {
            ghns: &[],
            report: Some(&report),
        };
        let mut selection = Selection::default();
        for _ in 0..100 {
            for field in Field::ALL {
                step(&mut selection, field, true, &around);
            }
        }
        assert_eq!(selection.post.layer, "53");
        assert_eq!(selection.post.beta, 0.1);
        assert!(set(&mut selection, Field::Beta, "-1", &around).is_err());
        assert!(set(&mut selection, Field::Beta, "nan", &around).is_err());
        assert!(set(&mut selection, Field::From, "layer9", &around).is_err());
        assert!(set(&mut selection, Field::From, "fc", &around).is_ok());
    }
}
