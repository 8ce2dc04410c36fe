//! `hyperscope stats shift`: how far architectures lie from those that GHNs are trained on.

use std::path::Path;

use clap::Args;

use super::super::Common;
use super::super::arch::{NetworkShape, grouped, short};
use super::super::progress;
use super::super::runs::print;
use super::super::runs::table::{Align, Table};
use super::{number, percent};
use crate::arch::deepnets::Split;
use crate::arch::{self, Arch};
use crate::ghn::Ghn;
use crate::stats::shift::{
    Against, Bar, Embedding, Feature, FeatureShift, Kind, Measure, MeasureShift, Reference, Report,
};

#[derive(Debug, Args)]
pub struct ShiftArgs {
    /// torchvision's names, or deepnets:SEED; several give a table with one line each
    #[arg(required = true, value_name = "ARCH")]
    archs: Vec<String>,
    /// A GHN: also how far away it sees each network, and what its own tables and blocks cannot represent
    #[arg(long, value_name = "GHN")]
    ghn: Option<String>,
    /// A split of DeepNets-1M, or a file that `deepnets reference` wrote
    #[arg(long, default_value = Split::Train.word(), value_name = "SPLIT|FILE")]
    against: String,
    /// Networks that the GHN looks at for comparison
    #[arg(long, default_value_t = 500, value_name = "N", value_parser = clap::value_parser!(u32).range(100..=100_000))]
    networks: u32,
    #[command(flatten)]
    shape: NetworkShape,
}

/// Prints one report in full, or a table of several.
///
/// # Errors
/// If an architecture, the reference or the GHN cannot be had.
pub fn run(common: &Common, args: &ShiftArgs) -> anyhow::Result<()> {
    let mut archs: Vec<Arch> = Vec::new();
    let mut sides = Vec::new();
    for name in &args.archs {
        let options = args.shape.options_of(name)?;
        sides.push(options.side);
        archs.push(arch::build(name, &options)?);
    }
    let side = sides[0];
    anyhow::ensure!(
        sides.iter().all(|s| *s == side),
        "the networks are for images of different sizes; give one with --image"
    );
    let read;
    let (reference, split) = match Split::from_word(&args.against) {
        Some(split) => (Reference::carried(side), split),
        None => {
            read = open(&args.against)?;
            (&read, Split::Train)
        }
    };
    let ghn = args.ghn.as_deref().map(|g| Ghn::open(g, common.seed));
    let ghn = ghn.transpose()?;
    let published = reference.published_config();
    let against = Against {
        reference,
        split,
        config: ghn.as_ref().map_or(&published, Ghn::config),
    };
    let mut reports = archs
        .iter()
        .map(|arch| Report::of(arch, against))
        .collect::<Result<Vec<Report>, _>>()?;
    if let Some(ghn) = &ghn {
        let count = args.networks as usize;
        let bar = progress::counted(count, "networks");
        let embedding = Embedding::of(ghn, split, reference.side, count, || bar.inc(1))?;
        bar.finish_and_clear();
        for (report, arch) in reports.iter_mut().zip(&archs) {
            report.add_embedding(embedding.shift(ghn, arch));
        }
    }
    match reports.as_slice() {
        [report] if common.json => print::json(report),
        reports if common.json => print::json(&reports),
        [report] => print_report(report),
        reports => print_table(reports),
    }
}

fn open(against: &str) -> anyhow::Result<Reference> {
    let path = Path::new(against);
    if !path.exists() {
        let words: Vec<&str> = Split::ALL.iter().map(|s| s.word()).collect();
        anyhow::bail!(
            "there is no split and no file called \"{against}\"; the splits are {}",
            words.join(", ")
        );
    }
    Ok(Reference::read(path)?)
}

fn print_report(report: &Report) -> anyhow::Result<()> {
    print::lines(&[report.summary.as_str(), ""])?;
    print::lines(&measures(report).lines())?;
    print::lines(&[""])?;
    print::lines(&splits(report).lines())?;
    print::lines(&[""])?;
    print::lines(&features(report).lines())?;
    for of in [Feature::Operators, Feature::Layers, Feature::Channels] {
        print::lines(&[""])?;
        print::lines(&bars(report.feature(of), &report.against).lines())?;
    }
    print::lines(&[""])?;
    print::lines(&unseen(report).lines())?;
    print::lines(&["".to_owned(), tiling(report)])?;
    if let Some(embedding) = &report.embedding {
        print::lines(&[format!(
            "the GHN {}{} sees it {:.2} deviations away; half of {} training networks lie within {:.2}, {} % nearer than it",
            embedding.ghn,
            if embedding.trained {
                ""
            } else {
                " (untrained)"
            },
            embedding.distance,
            embedding.networks,
            embedding.usual,
            number(embedding.percentile),
        )])?;
    }
    print::lines(&[""])?;
    print::lines(&nearest(report).lines())
}

/// A value of a measure, with as many digits as it deserves.
fn value(measure: Measure, value: f64) -> String {
    match measure {
        Measure::Degree => format!("{value:.3}"),
        Measure::Path => format!("{value:.2}"),
        Measure::Parameters => grouped(value.round() as u64),
        _ if value.fract() == 0.0 => grouped(value as u64),
        _ => format!("{value:.1}"),
    }
}

/// Deviations above the mean.
fn deviations(z: f64) -> String {
    if z.is_finite() {
        format!("{z:+.1}")
    } else {
        "-".to_owned()
    }
}

fn measures(report: &Report) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        (
            &format!("of {} {} networks", report.networks, report.against),
            Left,
        ),
        (report.arch.as_str(), Right),
        ("mean", Right),
        ("deviation", Right),
        ("z", Right),
        ("percentile", Right),
    ]);
    for measure in &report.measures {
        let of = measure.of;
        let standing = measure.standing;
        table.row(&[
            of.word().to_owned(),
            value(of, measure.value),
            value(of, standing.mean),
            value(of, standing.deviation),
            deviations(standing.z),
            format!("{:.1}", standing.percentile),
        ]);
    }
    table
}

/// z-scores against every split.
fn splits(report: &Report) -> Table {
    let mut titles = vec![("z by split", Align::Left)];
    titles.extend(report.measures.iter().map(|m| (m.of.word(), Align::Right)));
    let mut table = Table::new(&titles);
    let of_split = |index: usize| {
        let standing = move |m: &MeasureShift| deviations(m.splits[index].standing.z);
        report.measures.iter().map(standing)
    };
    let splits = report.measures.first().map(|m| m.splits.as_slice());
    for (index, split) in splits.unwrap_or_default().iter().enumerate() {
        let mut row = vec![format!("{} ({})", split.split, split.networks)];
        row.extend(of_split(index));
        table.row(&row);
    }
    table
}

fn features(report: &Report) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("made of", Left),
        ("JS distance", Right),
        ("usual", Right),
        ("percentile", Right),
        ("most in excess", Left),
        ("share %", Right),
        (report.against.as_str(), Right),
    ]);
    for feature in &report.features {
        let bar = feature.strongest();
        table.row(&[
            feature.of.word().to_owned(),
            format!("{:.3}", feature.distance),
            format!("{:.3}", feature.usual),
            format!("{:.1}", feature.percentile),
            bar.map_or_else(String::new, |b| b.label.clone()),
            bar.map_or_else(String::new, |b| percent(b.share)),
            bar.map_or_else(String::new, |b| percent(b.reference)),
        ]);
    }
    table
}

/// Labels below this share on both sides are left to the JSON.
const WORTH_A_LINE: f64 = 0.01;

fn bars(feature: &FeatureShift, against: &str) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        (feature.of.word(), Left),
        ("share %", Right),
        (against, Right),
        ("", Left),
    ]);
    let is_worth = |bar: &&Bar| bar.share.max(bar.reference) >= WORTH_A_LINE;
    for bar in feature.bars.iter().filter(is_worth) {
        let length = |share: f64| "#".repeat((share * 40.0).round() as usize);
        table.row(&[
            bar.label.clone(),
            percent(bar.share),
            percent(bar.reference),
            length(bar.share),
        ]);
    }
    table
}

fn unseen(report: &Report) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        (&format!("unseen by {}", report.ghn), Left),
        ("what", Left),
        ("parameters", Right),
        ("%", Right),
        ("in", Left),
    ]);
    for part in &report.unseen {
        let first = part.tensors.first().map_or("", String::as_str);
        let more = match part.tensors.len() {
            0 | 1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        table.row(&[
            part.kind.words().to_owned(),
            part.what.clone(),
            short(part.params),
            percent(part.share),
            format!("{first}{more}"),
        ]);
    }
    if report.unseen.is_empty() {
        table.row(&["nothing"]);
    }
    table
}

fn tiling(report: &Report) -> String {
    let tiling = &report.tiling;
    let distinct = tiling.distinct as f64 / tiling.values.max(1) as f64;
    format!(
        "{} of {} predicted weights can be distinct ({} %); ranks are {:.2} of full ones at most, on average",
        grouped(tiling.distinct),
        grouped(tiling.values),
        percent(distinct),
        tiling.rank,
    )
}

fn nearest(report: &Report) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("most alike", Left),
        ("distance", Right),
        ("nodes", Right),
        ("parameters", Right),
    ]);
    for near in &report.nearest {
        table.row(&[
            near.name.clone(),
            number(near.distance),
            near.nodes.to_string(),
            grouped(near.params),
        ]);
    }
    table
}

/// One line a network.
fn print_table(reports: &[Report]) -> anyhow::Result<()> {
    use Align::{Left, Right};
    let with_ghn = reports.iter().any(|r| r.embedding.is_some());
    let mut titles = vec![
        ("network", Left),
        ("parameters", Right),
        ("nodes", Right),
        ("edges", Right),
        ("degree", Right),
        ("path", Right),
        ("depth", Right),
        ("operators", Right),
        ("layers", Right),
        ("channels", Right),
        ("new %", Right),
        ("left %", Right),
        ("distinct %", Right),
    ];
    if with_ghn {
        titles.extend([("distance", Right), ("percentile", Right)]);
    }
    let mut table = Table::new(&titles);
    for report in reports {
        let of = |measure| value(measure, report.measure(measure).value);
        let distance = |feature| format!("{:.3}", report.feature(feature).distance);
        let share = |kind| {
            let parts = report.unseen.iter().filter(|p| p.kind == kind);
            percent(parts.fold(0.0, |sum, part| sum + part.share))
        };
        let tiling = &report.tiling;
        let mut row = vec![
            report.arch.clone(),
            of(Measure::Parameters),
            of(Measure::Nodes),
            of(Measure::Edges),
            of(Measure::Degree),
            of(Measure::Path),
            of(Measure::Depth),
            distance(Feature::Operators),
            distance(Feature::Layers),
            distance(Feature::Channels),
            share(Kind::NewLayer),
            share(Kind::Unpredicted),
            percent(tiling.distinct as f64 / tiling.values.max(1) as f64),
        ];
        if let Some(embedding) = &report.embedding {
            row.push(format!("{:.2}", embedding.distance));
            row.push(number(embedding.percentile));
        }
        table.row(&row);
    }
    if let Some(any) = reports.first() {
        let mean = |measure| value(measure, any.measure(measure).standing.mean);
        let usual = |feature| format!("{:.3}", any.feature(feature).usual);
        table.row(&[
            format!("mean of {} {}", any.networks, any.against),
            mean(Measure::Parameters),
            mean(Measure::Nodes),
            mean(Measure::Edges),
            mean(Measure::Degree),
            mean(Measure::Path),
            mean(Measure::Depth),
            usual(Feature::Operators),
            usual(Feature::Layers),
            usual(Feature::Channels),
        ]);
    }
    print::lines(&table.lines())?;
    print::lines(&[
        "",
        "operators, layers, channels: Jensen-Shannon distance from the split's; that of its networks: median",
        "new: parameters of convolutions that no network of the split has; left: not predicted; distinct: of predicted weights",
    ])
}
