//! `hyperscope check init`: our random initialisation against one draw of torchvision's own.
//!
//! The two draws differ, so constants are compared exactly, everything else within five standard
//! errors: mean, deviation, extremes, and the share beyond two deviations, which tells a uniform
//! distribution (0) from a normal one (0.046).

use std::path::Path;

use anyhow::Context as _;
use indexmap::IndexMap;

use super::Case;
use super::measure::{Measure, Worst};
use crate::arch::zoo::{self, Options};
use crate::arch::{Arch, ArchError, Scheme, TensorSpec};
use crate::init::random;

/// Seed of our draw; the reference's own draw has seed 0, too, of another generator.
const SEED: u64 = 0;

/// Standard errors that a draw may lie away from another one.
const ERRORS: f64 = 5.0;

/// Largest value over deviation of a uniform distribution, with a margin below what a normal one
/// reaches with the values that a share can be told from.
const UNIFORM_REACH: f64 = 1.75;

/// A uniform distribution's extremes lie this many times their mean distance from its ends.
const REACH_ERRORS: f64 = 15.0;

/// Deviations that no draw of a normal distribution goes in practice.
const UNREACHED: f64 = 10.0;

/// What the reference says of one tensor: shape, mean, standard deviation (population), minimum,
/// maximum, share beyond two deviations.
type Stored = (Vec<usize>, f64, f64, f64, f64, f64);

/// The same numbers of our draw.
struct Drawn {
    count: f64,
    mean: f64,
    std: f64,
    low: f64,
    high: f64,
}

/// The cases of the reference at `path`: one for each architecture.
///
/// # Errors
/// If the file cannot be read.
pub fn cases(path: &Path) -> anyhow::Result<Vec<Case>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("reading the reference {}", path.display()))?;
    let table: IndexMap<String, IndexMap<String, Stored>> = serde_json::from_str(&text)
        .with_context(|| format!("reading the reference {}", path.display()))?;
    Ok(table
        .iter()
        .map(|(name, stored)| case(name, stored))
        .collect())
}

fn case(name: &str, stored: &IndexMap<String, Stored>) -> Case {
    let arch = match zoo::build(name, &Options::default()) {
        Ok(arch) => arch,
        Err(ArchError::Unknown { .. }) => {
            return Case::missing(name, "this build has no such architecture");
        }
        Err(error) => return failed(name, error.to_string()),
    };
    if let Some(difference) = names_differ(&arch, stored) {
        return failed(name, difference);
    }
    let mut worst = Worst::default();
    for spec in arch.parameters() {
        let tensor = random::tensor(spec, SEED);
        if let (Some(values), Some(stored)) = (tensor.floats(), stored.get(&spec.name)) {
            compare(spec, values, stored, &mut worst);
        }
    }
    worst.into_case(name)
}

fn failed(name: &str, note: String) -> Case {
    Case {
        name: name.to_owned(),
        note,
        ..Case::default()
    }
}

/// Whether parameters are missing, left over or of another shape.
fn names_differ(arch: &Arch, stored: &IndexMap<String, Stored>) -> Option<String> {
    for spec in arch.parameters() {
        match stored.get(&spec.name) {
            None => return Some(format!("{} is not in the reference", spec.name)),
            Some(s) if s.0 != spec.shape => {
                return Some(format!(
                    "{} has shape {:?}, not {:?}",
                    spec.name, s.0, spec.shape
                ));
            }
            Some(_) => {}
        }
    }
    let known = |name: &String| arch.parameters().any(|spec| spec.name == *name);
    let extra = stored.keys().find(|name| !known(name))?;
    Some(format!("{extra} is in the reference only"))
}

fn compare(spec: &TensorSpec, values: &[f32], stored: &Stored, worst: &mut Worst) {
    let name = &spec.name;
    let (_, mean, stored_std, low, high, beyond) = *stored;
    let std = without_rounding(spec, stored_std, [low, high]);
    let drawn = Drawn::of(values);
    let drawn_beyond = drawn.share_beyond(2.0 * stored_std / std, values);
    let mut see = |what: &str, error: f64, allowed: f64| {
        worst.see(Measure {
            what: format!("{name}: {what}"),
            error,
            allowed,
        });
    };
    if low == high {
        let off = values.iter().map(|v| (f64::from(*v) - low).abs());
        see("constant", off.fold(0.0, f64::max), f64::MIN_POSITIVE);
        return;
    }
    // Errors are in units of the deviation. Both draws have one, hence the roots of two.
    let root = drawn.count.sqrt();
    let error = ERRORS * 2_f64.sqrt() / root;
    see("mean", (drawn.mean - mean).abs() / std, error);
    see(
        "deviation",
        (drawn.std / std - 1.0).abs(),
        error / 2_f64.sqrt(),
    );
    let share = beyond.max(drawn_beyond).max(1.0 / drawn.count);
    see(
        "share beyond two deviations",
        (drawn_beyond - beyond).abs(),
        error * share.sqrt() + 2.0 / drawn.count,
    );
    let is_uniform = high.abs().max(low.abs()) < UNIFORM_REACH * std;
    let reach = if is_uniform {
        REACH_ERRORS * (high - low) / (drawn.count * std)
    } else {
        3.0
    };
    for (what, ours, theirs) in [("minimum", drawn.low, low), ("maximum", drawn.high, high)] {
        if !is_rounded_to_limit(spec.scheme, theirs) {
            see(what, (ours - theirs).abs() / std, reach);
        }
    }
}

/// Whether an extreme is PyTorch's own accident: its `trunc_normal_` inverts the distribution at a
/// uniform number in f32. About one in 2^24 of them rounds to an end of the interval, and the value
/// lands on the limit itself, be that a hundred deviations away. We draw the distribution that is meant.
fn is_rounded_to_limit(scheme: Scheme, extreme: f64) -> bool {
    matches!(scheme, Scheme::TruncatedNormal { std, limit }
        if limit > UNREACHED * std && extreme.abs() == limit)
}

/// The deviation that the reference's draw had without such an accident: a single value, a hundred
/// deviations out, is seen in that of a million, and in what lies beyond two of them.
fn without_rounding(spec: &TensorSpec, std: f64, extremes: [f64; 2]) -> f64 {
    let accidents = extremes
        .iter()
        .filter(|e| is_rounded_to_limit(spec.scheme, **e));
    let excess: f64 = accidents.map(|e| e * e / spec.len() as f64).sum();
    (std * std - excess).max(0.0).sqrt()
}

impl Drawn {
    fn of(values: &[f32]) -> Self {
        let count = values.len() as f64;
        let all = || values.iter().map(|v| f64::from(*v));
        let mean = all().sum::<f64>() / count;
        let std = (all().map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt();
        Self {
            count,
            mean,
            std,
            low: all().fold(f64::INFINITY, f64::min),
            high: all().fold(f64::NEG_INFINITY, f64::max),
        }
    }

    /// Share of `values` that lie more than so many deviations from the mean.
    fn share_beyond(&self, deviations: f64, values: &[f32]) -> f64 {
        let is_beyond = |v: &&f32| (f64::from(**v) - self.mean).abs() > deviations * self.std;
        values.iter().filter(is_beyond).count() as f64 / self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The case of resnet18 with one tensor's numbers changed.
    fn changed(change: impl Fn(&mut Stored)) -> Case {
        let arch = zoo::build("resnet18", &Options::default()).unwrap();
        let mut stored: IndexMap<String, Stored> = IndexMap::new();
        for spec in arch.parameters() {
            let tensor = random::tensor(spec, 77);
            let values = tensor.floats().unwrap();
            let d = Drawn::of(values);
            let beyond = if d.std == 0.0 {
                1.0
            } else {
                d.share_beyond(2.0, values)
            };
            stored.insert(
                spec.name.clone(),
                (spec.shape.clone(), d.mean, d.std, d.low, d.high, beyond),
            );
        }
        change(&mut stored["layer3.0.conv1.weight"]);
        case("resnet18", &stored)
    }

    #[test]
    fn another_draw_passes_and_another_scheme_does_not() {
        assert!(changed(|_| {}).ok);
        assert!(!changed(|s| s.2 *= 1.02).ok, "deviation");
        assert!(!changed(|s| s.1 += 0.02 * s.2).ok, "mean");
        assert!(!changed(|s| s.5 = 0.0).ok, "share");
        assert!(!changed(|s| s.0[0] += 1).ok, "shape");
        let note = changed(|s| s.4 *= 3.0).note;
        assert!(note.contains("layer3.0.conv1.weight: maximum"), "{note}");
    }
}
