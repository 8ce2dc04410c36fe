//! `hyperscope bench ops`: where the time of a network's steps goes.

use anyhow::ensure;
use serde::Serialize;

use super::NetworkArgs;
use crate::cli::Common;
use crate::cli::runs::print;
use crate::cli::runs::table::{Align, Table};
use crate::nn::StepTime;
use crate::train::{Timing, Work, speed};

/// One line: the steps of a kind, or one step.
#[derive(Debug, Serialize)]
struct Line {
    /// A kind of work, or a step's path.
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    steps: usize,
    forward_ms: f64,
    backward_ms: f64,
    /// Of the time of all steps, 0 to 1.
    share: f64,
    /// Operations in forward and backward; none for work that is not counted in them.
    gflops: Option<f64>,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    arch: &'a str,
    batch: u32,
    image: usize,
    threads: usize,
    device: String,
    dtype: &'static str,
    work: &'static str,
    total_ms: f64,
    lines: Vec<Line>,
}

/// Runs the command.
///
/// # Errors
/// If the network cannot be built or run.
pub fn run(common: &Common, args: &NetworkArgs, work: Work, each: bool) -> anyhow::Result<()> {
    let arch = args.network.build()?;
    let placement = common.placement()?;
    let (batch, passes) = (args.batch as usize, args.steps as usize);
    let times = speed(&arch, placement, work, Timing::EveryStep, batch, passes)?.steps;
    ensure!(
        !times.is_empty(),
        "{} has no steps to time: it hands its images through",
        arch.name()
    );
    let total: f64 = times.iter().map(|t| t.forward + t.backward).sum();
    let groups = if each {
        one_by_one(&times)
    } else {
        by_kind(&times)
    };
    let line = |(name, members): &(String, Vec<&StepTime>)| {
        let sum = |f: fn(&StepTime) -> f64| members.iter().map(|t| f(t)).sum::<f64>();
        let (forward, backward) = (sum(|t| t.forward), sum(|t| t.backward));
        let macs: u64 = members.iter().map(|t| t.macs).sum();
        Line {
            name: name.clone(),
            kind: each.then(|| members[0].kind.clone()),
            steps: members.len(),
            forward_ms: forward * 1e3,
            backward_ms: backward * 1e3,
            share: (forward + backward) / total,
            gflops: (macs > 0).then(|| operations(macs, batch, work) / (forward + backward) / 1e9),
        }
    };
    let answer = Answer {
        arch: arch.name(),
        batch: args.batch,
        image: arch.input().side().map_or(0, |s| s[0]),
        threads: rayon::current_num_threads(),
        device: placement.device.to_string(),
        dtype: placement.precision.word(),
        work: match work {
            Work::Train => "train",
            Work::Evaluate => "eval",
        },
        total_ms: total * 1e3,
        lines: groups.iter().map(line).collect(),
    };
    if common.json {
        return print::json(&answer);
    }
    print::lines(&text(&answer))
}

/// Two operations a multiply-accumulate, and going back twice as many again. Less for the first layer,
/// which sends no gradient on.
fn operations(macs: u64, batch: usize, work: Work) -> f64 {
    let passes = match work {
        Work::Train => 3.0,
        Work::Evaluate => 1.0,
    };
    2.0 * passes * macs as f64 * batch as f64
}

/// Steps of one kind together, the kind that takes longest first.
fn by_kind(times: &[StepTime]) -> Vec<(String, Vec<&StepTime>)> {
    let mut groups: Vec<(String, Vec<&StepTime>)> = Vec::new();
    for time in times {
        match groups.iter_mut().find(|(kind, _)| *kind == time.kind) {
            Some((_, members)) => members.push(time),
            None => groups.push((time.kind.clone(), vec![time])),
        }
    }
    let seconds =
        |members: &[&StepTime]| -> f64 { members.iter().map(|t| t.forward + t.backward).sum() };
    groups.sort_by(|a, b| seconds(&b.1).total_cmp(&seconds(&a.1)));
    groups
}

/// Every step in the order in which they run.
fn one_by_one(times: &[StepTime]) -> Vec<(String, Vec<&StepTime>)> {
    times.iter().map(|t| (t.name.clone(), vec![t])).collect()
}

fn text(answer: &Answer<'_>) -> Vec<String> {
    use Align::{Left, Right};
    let each = answer.lines.iter().any(|l| l.kind.is_some());
    let mut columns = vec![("work", Left), ("steps", Right)];
    if each {
        columns = vec![("step", Left), ("work", Left)];
    }
    columns.extend([
        ("forward ms", Right),
        ("backward ms", Right),
        ("share", Right),
        ("GFLOP/s", Right),
    ]);
    let mut table = Table::new(&columns);
    for line in &answer.lines {
        let second = line.kind.clone().unwrap_or_else(|| line.steps.to_string());
        table.row(&[
            line.name.clone(),
            second,
            format!("{:.2}", line.forward_ms),
            format!("{:.2}", line.backward_ms),
            format!("{:.1} %", line.share * 100.0),
            line.gflops.map_or_else(String::new, |g| format!("{g:.0}")),
        ]);
    }
    let mut lines = vec![format!(
        "{}, {}, batch {}, {} x {}, {} {}, {} threads: {:.1} ms in all steps",
        answer.arch,
        answer.work,
        answer.batch,
        answer.image,
        answer.image,
        answer.device,
        answer.dtype,
        answer.threads,
        answer.total_ms
    )];
    lines.push(String::new());
    lines.extend(table.lines());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_a_kind_are_summed_and_the_slowest_kind_comes_first() {
        let time = |kind: &str, forward| StepTime {
            name: format!("{kind} somewhere"),
            kind: kind.to_owned(),
            macs: 1,
            forward,
            backward: 1.0,
        };
        let times = [time("a", 1.0), time("b", 5.0), time("a", 2.0)];
        let groups = by_kind(&times);
        let names: Vec<&str> = groups.iter().map(|g| g.0.as_str()).collect();
        assert_eq!(names, ["b", "a"]);
        assert_eq!(groups[1].1, [&times[0], &times[2]]);
        assert_eq!(one_by_one(&times)[1].0, "b somewhere");
    }
}
