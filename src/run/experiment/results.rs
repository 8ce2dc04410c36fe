//! What the finished runs of an experiment say together: means, spreads and paired differences.

use serde::Serialize;

use crate::run::{EvalPoint, Status, Summary};
use crate::stats::Sample;

/// The start that the others are compared with.
pub const BASELINE: &str = "rand";
/// Of confidence intervals.
pub const LEVEL: f64 = 0.95;

/// All seeds of one architecture and one start.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    pub arch: String,
    pub start: String,
    /// Runs of the experiment in this place, whatever became of them.
    pub runs: usize,
    /// Those that finished, by rising seed; all that follows is of them alone.
    pub seeds: Vec<u64>,
    /// Top-1 accuracy after the last epoch, in percent.
    pub test: Option<Measured>,
    pub val: Option<Measured>,
    /// Of test accuracies, to the baseline's runs of the same seeds; None for the baseline itself, and
    /// where the two have no seed in common.
    pub difference: Option<Difference>,
}

/// Accuracies of several seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    #[serde(flatten)]
    pub sample: Sample,
    /// By rising seed.
    pub values: Vec<f64>,
}

/// Accuracies less the baseline's of the same seed, in percentage points.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    pub to: &'static str,
    pub seeds: Vec<u64>,
    #[serde(flatten)]
    pub measured: Measured,
    /// Confidence interval of the mean; None for a single pair.
    pub interval: Option<[f64; 2]>,
    pub level: f64,
}

/// The groups of some runs, in the order in which architectures and starts first appear.
#[must_use]
pub fn groups(runs: &[Summary]) -> Vec<Group> {
    let mut places: Vec<(&str, &str)> = Vec::new();
    for run in runs {
        let place = (run.request.arch.as_str(), run.request.init.as_str());
        if !places.contains(&place) {
            places.push(place);
        }
    }
    // An architecture's starts stand together, whichever run came first.
    let archs: Vec<&str> = places.iter().map(|(arch, _)| *arch).collect();
    places.sort_by_key(|(arch, _)| archs.iter().position(|a| a == arch));
    places
        .into_iter()
        .map(|(arch, start)| group(runs, arch, start))
        .collect()
}

fn group(runs: &[Summary], arch: &str, start: &str) -> Group {
    let here = members(runs, arch, start);
    let done = finished(&here);
    let test = top1(&done, |run| run.standing.test);
    let difference = (start != BASELINE)
        .then(|| {
            let base = finished(&members(runs, arch, BASELINE));
            difference(&test, &top1(&base, |run| run.standing.test))
        })
        .flatten();
    Group {
        arch: arch.to_owned(),
        start: start.to_owned(),
        runs: here.len(),
        seeds: done.iter().map(|run| run.request.seed).collect(),
        val: measured(top1(&done, |run| run.standing.val)),
        test: measured(test),
        difference,
    }
}

fn members<'a>(runs: &'a [Summary], arch: &str, start: &str) -> Vec<&'a Summary> {
    let here = |run: &&Summary| run.request.arch == arch && run.request.init == start;
    runs.iter().filter(here).collect()
}

/// Those that did all their epochs, by rising seed.
fn finished<'a>(runs: &[&'a Summary]) -> Vec<&'a Summary> {
    let mut done: Vec<&Summary> = runs.to_vec();
    done.retain(|run| run.status == Status::Finished);
    done.sort_by_key(|run| run.request.seed);
    done
}

/// Seeds and accuracies of the runs that were evaluated on these images.
fn top1(runs: &[&Summary], point: impl Fn(&Summary) -> Option<EvalPoint>) -> Vec<(u64, f64)> {
    let values = runs.iter();
    values
        .filter_map(|run| Some((run.request.seed, point(run)?.top1)))
        .collect()
}

fn measured(values: Vec<(u64, f64)>) -> Option<Measured> {
    let values: Vec<f64> = values.into_iter().map(|(_, value)| value).collect();
    Some(Measured {
        sample: Sample::of(&values)?,
        values,
    })
}

fn difference(ours: &[(u64, f64)], base: &[(u64, f64)]) -> Option<Difference> {
    let other = |seed| {
        base.iter()
            .find(|(s, _)| *s == seed)
            .map(|(_, value)| value)
    };
    let pairs: Vec<(u64, f64)> = ours
        .iter()
        .filter_map(|&(seed, value)| Some((seed, value - other(seed)?)))
        .collect();
    let seeds = pairs.iter().map(|(seed, _)| *seed).collect();
    let measured = measured(pairs)?;
    Some(Difference {
        to: BASELINE,
        seeds,
        interval: measured.sample.interval(LEVEL),
        measured,
        level: LEVEL,
    })
}
