//! Report and plan as text.

use serde_json::json;

use super::super::Common;
use super::super::runs::print;
use super::super::runs::table::{Align, Table};
use super::carry::Planned;
use super::plan::Plan;
use super::protocol::{Data, GhnUsed, Network, PostUsed, Protocol};
use super::report::Report;
use crate::run::Request;
use crate::run::experiment::{BASELINE, Difference, Group, LEVEL, Measured};
use crate::stats::Sample;
use crate::text::Shown;

/// Digits of a GHN's hash that are shown.
const HASH_DIGITS: usize = 12;

/// The report's lines.
#[must_use]
pub fn report(report: &Report) -> Vec<String> {
    let mut lines = vec![format!(
        "experiment {}: {} of {} runs have finished",
        Shown::new(report.experiment),
        report.finished,
        report.planned
    )];
    let mut archs: Vec<&str> = report.results.iter().map(|g| g.arch.as_str()).collect();
    archs.dedup();
    for arch in archs {
        let groups = report.results.iter().filter(|g| g.arch == arch);
        lines.push(String::new());
        lines.push(Shown::new(arch).to_string());
        lines.extend(results(groups).lines());
    }
    lines.push(String::new());
    lines.extend(explanation(report));
    if !report.unfinished.is_empty() {
        lines.push(String::new());
        lines.extend(unfinished(report).lines());
    }
    if let Some(p) = &report.protocol {
        lines.push(String::new());
        lines.extend(protocol(p));
    }
    lines
}

fn results<'a>(groups: impl Iterator<Item = &'a Group>) -> Table {
    let difference = format!("test, less {BASELINE}");
    let interval = format!("{:.0} % interval", LEVEL * 100.0);
    let mut table = Table::new(&[
        ("start", Align::Left),
        ("n", Align::Right),
        ("test %", Align::Right),
        ("val %", Align::Right),
        (&difference, Align::Right),
        (&interval, Align::Left),
        ("pairs", Align::Right),
    ]);
    for group in groups {
        let against = group.difference.as_ref();
        table.row(&[
            group.start.clone(),
            count(group),
            measured(group.test.as_ref()),
            measured(group.val.as_ref()),
            against.map_or_else(dash, |d| signed(d.measured.sample.mean)),
            against.map_or_else(dash, interval_of),
            against.map_or_else(dash, |d| d.seeds.len().to_string()),
        ]);
    }
    table
}

fn dash() -> String {
    "-".to_owned()
}

/// `3`, or `2 of 3` where some did not finish.
fn count(group: &Group) -> String {
    let done = group.seeds.len();
    if done == group.runs {
        done.to_string()
    } else {
        format!("{done} of {}", group.runs)
    }
}

fn measured(values: Option<&Measured>) -> String {
    let Some(Measured { sample, .. }) = values else {
        return dash();
    };
    let Sample {
        mean, deviation, ..
    } = sample;
    match deviation {
        Some(deviation) => format!("{mean:.2} ± {deviation:.2}"),
        None => format!("{mean:.2}"),
    }
}

fn signed(value: f64) -> String {
    format!("{value:+.2}")
}

fn interval_of(difference: &Difference) -> String {
    match difference.interval {
        Some([low, high]) => format!("{} to {}", signed(low), signed(high)),
        None => "none: one pair".to_owned(),
    }
}

fn explanation(report: &Report) -> Vec<String> {
    let mut lines = vec![
        "Top-1 accuracy after the last epoch in percent: mean ± sample standard deviation over the n seeds that finished."
            .to_owned(),
    ];
    if report.results.iter().any(|g| g.difference.is_some()) {
        lines.push(format!(
            "Differences are between runs of the same seed, in percentage points; the interval is Student's t with pairs - 1 \
             degrees of freedom, {:.0} % for each row alone.",
            LEVEL * 100.0
        ));
    } else if !report.results.iter().any(|g| g.start == BASELINE) {
        lines.push(format!(
            "Without a start `{BASELINE}` there is nothing to take differences to."
        ));
    }
    lines
}

/// Runs that are in no number above.
fn unfinished(report: &Report) -> Table {
    let mut table = Table::new(&[
        ("not finished", Align::Left),
        ("state", Align::Left),
        ("epoch", Align::Right),
        ("why", Align::Left),
    ]);
    for run in &report.unfinished {
        table.row(&[
            run.id().to_string(),
            run.status.to_string(),
            print::epochs(run),
            run.standing.reason.clone().unwrap_or_default(),
        ]);
    }
    table
}

/// The protocol's lines.
fn protocol(protocol: &Protocol) -> Vec<String> {
    let mut table = Table::new(&[("protocol", Align::Left), ("", Align::Left)]);
    let mut row = |name: &str, text: String| table.row(&[name, &text]);
    for text in data(&protocol.data) {
        row(text.0, text.1);
    }
    for network in &protocol.networks {
        row(&network.arch, training(network));
        row("", recipe(network));
        if let Some(post) = &network.post {
            row("", post_processing(post));
        }
    }
    row("starts", protocol.starts.join(", "));
    for ghn in ghns(&protocol.ghns) {
        row("GHN", ghn);
    }
    let seeds: Vec<String> = protocol.seeds.iter().map(u64::to_string).collect();
    row("seeds", seeds.join(", "));
    row("device", protocol.devices.join(", "));
    row("precision", protocol.dtypes.join(", "));
    row("hyperscope", protocol.versions.join(", "));
    table.lines()
}

fn data(data: &Data) -> Vec<(&'static str, String)> {
    let images = match data.shots {
        Some(shots) => format!("the first {shots} images of each class, in the data's order"),
        None => "all images".to_owned(),
    };
    let kept = if data.val {
        "the last tenth of the training images is kept for validation, the test images are used once, after the last epoch"
    } else {
        "without validation images; the test images are used at each evaluation"
    };
    let mut rows = vec![(
        "data",
        format!("{}: {}, {} classes", data.name, data.spec, data.classes),
    )];
    if let Some(opened) = &data.opened {
        let val = opened.val_images.map(|n| format!(", {n} for validation"));
        rows.push((
            "images",
            format!(
                "{}: {} to train on{}, {} to test",
                opened.kind,
                opened.train_images,
                val.unwrap_or_default(),
                opened.test_images
            ),
        ));
    }
    rows.push(("shots", images));
    rows.push(("", kept.to_owned()));
    let side = data.side;
    let augmentation = if data.augment {
        "training images are padded by an eighth, cropped at random and, unless they show digits, flipped at random"
    } else {
        "no augmentation"
    };
    rows.push(("input", format!("{side} x {side} pixels; {augmentation}")));
    if let Some(opened) = &data.opened {
        rows.push((
            "",
            format!(
                "normalised by mean {:?}, deviation {:?}",
                opened.mean, opened.std
            ),
        ));
    }
    rows
}

fn training(network: &Network) -> String {
    let momentum = if network.momentum > 0.0 {
        format!(" momentum {}", network.momentum)
    } else {
        String::new()
    };
    let clip = network
        .clip
        .map(|c| format!(", gradient norm clipped at {c}"));
    format!(
        "{}{momentum}, lr {}, weight decay {}, batch {}, {} epochs, cosine to 0 by epochs{}, label smoothing {}",
        network.optimizer,
        network.lr,
        network.wd,
        network.batch,
        network.epochs,
        clip.unwrap_or_default(),
        network.label_smoothing
    )
}

/// Whose numbers they are.
fn recipe(network: &Network) -> String {
    let every = match network.eval_every {
        0 | 1 => String::new(),
        n => format!("; evaluated every {n} epochs"),
    };
    if network.recipe == network.arch {
        format!("the published recipe of {}{every}", network.recipe)
    } else {
        format!(
            "the published recipe of {}, which was made for that network{every}",
            network.recipe
        )
    }
}

fn post_processing(post: &PostUsed) -> String {
    let layer = match (post.number, post.layers, &post.path) {
        (Some(number), Some(layers), Some(path)) => format!("{number} of {layers} ({path})"),
        _ => post.layer.clone(),
    };
    format!(
        "post-processing from layer {layer} on, never the last: noise beta {:e}, then QR where the start says orth",
        post.beta
    )
}

fn ghns(used: &[GhnUsed]) -> Vec<String> {
    let hash = |ghn: &GhnUsed| ghn.sha256.chars().take(HASH_DIGITS).collect::<String>();
    if let [first, others @ ..] = used
        && !others.is_empty()
        && used.iter().all(|ghn| !ghn.trained)
    {
        return vec![format!(
            "{}, untrained: each seed draws its weights (sha256 {} and {} more)",
            first.name,
            hash(first),
            others.len()
        )];
    }
    let one = |ghn: &GhnUsed| {
        let trained = if ghn.trained { "trained" } else { "untrained" };
        format!("{}, {trained}, sha256 {}", ghn.name, hash(ghn))
    };
    used.iter().map(one).collect()
}

/// Prints the plan.
///
/// # Errors
/// If standard output cannot be written.
pub fn dry_run(common: &Common, plan: &Plan, planned: &[Planned]) -> anyhow::Result<()> {
    let requests: Vec<&Request> = plan.requests.iter().collect();
    let asked = Protocol::of(&requests);
    let id = |run: &Planned| run.dir.as_ref().map(|dir| dir.id().to_string());
    if common.json {
        let runs: Vec<_> = planned
            .iter()
            .map(|run| {
                json!({
                    "arch": run.request.arch,
                    "start": run.request.init,
                    "seed": run.request.seed,
                    "what": run.fate.word(),
                    "run": id(run),
                })
            })
            .collect();
        return print::json(&json!({
            "experiment": plan.name,
            "runs": runs,
            "protocol": asked,
        }));
    }
    let mut table = Table::new(&[
        ("network", Align::Left),
        ("start", Align::Left),
        ("seed", Align::Right),
        ("what", Align::Left),
        ("run", Align::Left),
    ]);
    for run in planned {
        table.row(&[
            run.request.arch.clone(),
            run.request.init.clone(),
            run.request.seed.to_string(),
            run.fate.word().to_owned(),
            id(run).unwrap_or_default(),
        ]);
    }
    let mut lines = vec![
        format!("experiment {}", Shown::new(&plan.name)),
        String::new(),
    ];
    lines.extend(table.lines());
    lines.push(String::new());
    lines.extend(asked.iter().flat_map(protocol));
    print::lines(&lines)
}
