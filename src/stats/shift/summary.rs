//! A report in one sentence.

use super::{Feature, FeatureShift, Kind, Measure, Report};

/// Percentile from which a network counts as an outlier.
const OUTLIER: f64 = 99.0;

/// The least part of the parameters that is worth a word.
const WORTH_A_WORD: f64 = 0.01;

/// Part of the predicted weights that can differ, below which copies are worth a word.
const FEW_DISTINCT: f64 = 0.1;

/// How many causes are named.
const CAUSES: usize = 4;

/// What is strange about a network.
struct Cause {
    /// Whether the network is of another kind, or only larger or smaller.
    is_kind: bool,
    weight: f64,
    words: String,
}

/// How far the network lies and why, the strongest causes first.
pub(super) fn of(report: &Report) -> String {
    let mut causes: Vec<Cause> = Vec::new();
    causes.extend(embedding(report));
    causes.extend(
        [Feature::Layers, Feature::Operators]
            .map(|f| feature(report.feature(f)))
            .into_iter()
            .flatten(),
    );
    causes.extend(new_layers(report));
    causes.extend(unpredicted(report));
    causes.extend(widths(report.feature(Feature::Channels)));
    causes.extend(Measure::ALL.into_iter().filter_map(|m| measure(report, m)));
    causes.extend(copies(report));
    causes.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    let place = if causes.iter().any(|c| c.is_kind) {
        "lies outside the networks that GHNs are trained on"
    } else if causes.is_empty() {
        "is like the networks that GHNs are trained on"
    } else {
        "is built like the networks that GHNs are trained on, but not of their size"
    };
    causes.truncate(CAUSES);
    let words: Vec<String> = causes.into_iter().map(|c| c.words).collect();
    match words.split_last() {
        None => format!("{} {place}.", report.arch),
        Some((only, [])) => format!("{} {place}: {only}.", report.arch),
        Some((last, others)) => {
            format!(
                "{} {place}: {}, and {last}.",
                report.arch,
                others.join(", ")
            )
        }
    }
}

fn embedding(report: &Report) -> Option<Cause> {
    let seen = report.embedding.as_ref()?;
    (seen.percentile >= OUTLIER).then(|| Cause {
        is_kind: true,
        weight: 3.0,
        words: format!(
            "the GHN {} sees it {:.1} deviations away, farther than {}",
            seen.ghn,
            seen.distance,
            most(seen.percentile)
        ),
    })
}

/// The label in excess, where a network is made of other things than theirs.
fn feature(feature: &FeatureShift) -> Option<Cause> {
    let bar = feature.strongest()?;
    let label = match feature.of {
        Feature::Operators => operator(&bar.label),
        _ => bar.label.strip_prefix("conv ").unwrap_or(&bar.label),
    };
    let among = match feature.of {
        Feature::Operators => "nodes",
        _ => "convolutions",
    };
    (feature.percentile >= OUTLIER).then(|| Cause {
        is_kind: true,
        weight: 1.0 + feature.distance,
        words: format!(
            "{} of its {among} are {label} ({} of theirs)",
            percent(bar.share),
            percent(bar.reference)
        ),
    })
}

fn widths(feature: &FeatureShift) -> Option<Cause> {
    let bar = feature.strongest()?;
    (feature.percentile >= OUTLIER).then(|| Cause {
        is_kind: false,
        weight: 0.5 + feature.distance / 2.0,
        words: format!(
            "{} of its widths are {} ({} of theirs)",
            percent(bar.share),
            bar.label,
            percent(bar.reference)
        ),
    })
}

fn operator(name: &str) -> &str {
    match name {
        "ln" => "layer norms",
        "bn" => "batch norms",
        "bias" => "biases",
        "conv" => "weights",
        "sep_conv" => "grouped convolutions",
        "dil_conv" => "dilated convolutions",
        "msa" => "attentions",
        "cse" => "gates",
        "sum" => "sums",
        "concat" => "concatenations",
        "max_pool" => "max pools",
        "avg_pool" => "average pools",
        other => other,
    }
}

fn measure(report: &Report, of: Measure) -> Option<Cause> {
    let [fewer, more] = match of {
        Measure::Parameters => ["it has fewer parameters", "it has more parameters"],
        Measure::Nodes => ["it has fewer nodes", "it has more nodes"],
        Measure::Degree => ["its nodes have fewer edges", "its nodes have more edges"],
        Measure::Path => ["its paths are shorter", "its paths are longer"],
        Measure::Depth => ["it is less deep", "it is deeper"],
        // They go with the nodes.
        Measure::Edges => return None,
    };
    let percentile = report.measure(of).standing.percentile;
    let (words, unusual) = if percentile >= 50.0 {
        (more, percentile)
    } else {
        (fewer, 100.0 - percentile)
    };
    (unusual >= OUTLIER).then(|| Cause {
        is_kind: false,
        weight: if of == Measure::Parameters { 0.9 } else { 0.6 },
        words: format!("{words} than {}", most(unusual)),
    })
}

fn new_layers(report: &Report) -> Option<Cause> {
    let of_kind = || report.unseen.iter().filter(|p| p.kind == Kind::NewLayer);
    let share = share(report, Kind::NewLayer);
    let names: Vec<&str> = of_kind().take(3).map(|p| p.what.as_str()).collect();
    (share >= WORTH_A_WORD).then(|| Cause {
        is_kind: true,
        weight: 1.2 + share,
        words: format!(
            "no network among them has {} ({} of its parameters)",
            names.join(", "),
            percent(share)
        ),
    })
}

fn unpredicted(report: &Report) -> Option<Cause> {
    let share = share(report, Kind::Unpredicted);
    (share >= WORTH_A_WORD).then(|| Cause {
        is_kind: false,
        weight: 0.3 + share,
        words: format!("{} of its parameters are not predicted", percent(share)),
    })
}

fn copies(report: &Report) -> Option<Cause> {
    let tiling = &report.tiling;
    let distinct = tiling.distinct as f64 / tiling.values.max(1) as f64;
    (tiling.values > 0 && distinct < FEW_DISTINCT).then(|| Cause {
        is_kind: false,
        weight: 0.7,
        words: format!(
            "only {} of its predicted weights can differ from each other",
            percent(distinct)
        ),
    })
}

/// Part of all parameters.
fn share(report: &Report, kind: Kind) -> f64 {
    let parts = report.unseen.iter().filter(|p| p.kind == kind);
    parts.map(|p| p.params).sum::<u64>() as f64 / report.params.max(1) as f64
}

/// `99.8 % of them` or `all of them`.
fn most(percentile: f64) -> String {
    if percentile >= 100.0 {
        "all of them".to_owned()
    } else {
        // Not rounded up to all.
        format!("{:.1} % of them", (10.0 * percentile).floor() / 10.0)
    }
}

fn percent(share: f64) -> String {
    match 100.0 * share {
        0.0 => "none".to_owned(),
        p if p < 0.1 => "under 0.1 %".to_owned(),
        p if p < 9.95 => format!("{p:.1} %"),
        p => format!("{p:.0} %"),
    }
}
