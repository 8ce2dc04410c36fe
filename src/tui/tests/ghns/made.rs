//! Made reports and records of GHNs, whole and broken.

use serde_json::json;

use crate::engine::protocol::{Body, EvaluationRecord, GhnReport, GhnSummary};

const CARD: &str = "\
# A GHN for tests

kind      GHN-2, 32 wide, for 10 classes (1.6 million weights, half precision)
data      CIFAR-10, JPEG copies, the first 45,000 training images; networks of DeepNets-1M's training split
licence   that of **hyperscope**; the images are the property of their authors

| split | networks |
| --- | --- |
| test | 30 |
| bnfree | 12 |

Limits: trained for an hour, one seed, ten classes. Photographs and other classes are outside of what it has seen.
";

/// A part with networks whose accuracies lie around a mean.
pub fn part(split: &str, networks: usize, mean: f64, sem: f64, random: f64) -> serde_json::Value {
    let cases: Vec<_> = (0..networks)
        .map(|at| {
            json!({
                "name": format!("deepnets/{split}:{at}"), "params": 1_000_000 + 37_000 * at, "loss": 1.7,
                "top1": mean + (at as f64 * 7.0) % 5.0 - 2.5, "top5": 80.0, "images": 500, "seconds": 0.5
            })
        })
        .collect();
    json!({
        "split": split, "nets": networks, "mean": mean, "sem": sem, "max": mean + 2.5,
        "random": {"mean": random, "sem": 0.2, "max": random + 1.0}, "cases": cases
    })
}

/// A record of the default GHN on CIFAR-10 with these parts.
pub fn record_of(
    images: u64,
    evaluated_ms: Option<u64>,
    parts: serde_json::Value,
) -> EvaluationRecord {
    let record = json!({
        "ghn": "default", "hash": "ab", "trained": true, "data": "cifar10", "images": images, "batch": 64,
        "side": 32, "splits": parts, "seed": 1111, "precision": "f32", "evaluated_ms": evaluated_ms
    });
    serde_json::from_value(record).unwrap()
}

/// Made figures of all usual splits but one.
pub fn record() -> EvaluationRecord {
    let parts = json!([
        part("test", 30, 40.5, 1.0, 10.3),
        part("wide", 8, 40.2, 1.0, 10.1),
        part("deep", 12, 36.8, 2.6, 10.8),
        part("bnfree", 12, 17.1, 1.7, 11.0),
        part("zoo", 14, 20.9, 3.1, 10.3),
    ]);
    record_of(500, Some(1_795_636_200_000), parts)
}

/// What an engine says of a GHN with a card.
pub fn report(name: &str, evaluations: Vec<EvaluationRecord>) -> Body {
    Body::Ghn(Box::new(GhnReport {
        name: name.into(),
        description: "GHN-2, 32 wide, 10 classes".into(),
        trained: true,
        params: 1_598_000,
        path: Some("/home/me/.cache/hyperscope/ghn/mine.safetensors".into()),
        hash: "ab".into(),
        details: vec![
            ("largest block".into(), "64x64x11x11".into()),
            ("virtual edges".into(), "yes".into()),
            ("layer norm".into(), "no".into()),
        ],
        card: Some(CARD.into()),
        evaluations,
    }))
}

const NASTY: &str = "\u{1b}[31mx\u{202e}";

/// Names and sizes as a broken engine could send them.
pub fn broken_list() -> Body {
    let ghn = |large| GhnSummary {
        name: NASTY.into(),
        description: NASTY.into(),
        trained: large,
        bytes: Some(u64::MAX),
        large,
    };
    Body::Ghns {
        ghns: vec![ghn(true), ghn(false)],
    }
}

/// A record with numbers that are none and text that is none.
fn broken_record() -> EvaluationRecord {
    let mut record = record();
    record.evaluation.setting.data = NASTY.into();
    record.evaluated_ms = Some(u64::MAX);
    let splits = &mut record.evaluation.splits;
    splits[0].predicted.mean = f64::NAN;
    splits[1].predicted.mean = -5.0;
    splits[1].predicted.sem = Some(f64::INFINITY);
    splits[2].predicted.mean = 1e300;
    splits[3].cases[0].name = NASTY.into();
    splits[3].cases[0].params = usize::MAX;
    splits[3].cases[1].metrics.top1 = f64::NAN;
    splits[4].cases.clear();
    record
}

/// A report with text that is none.
pub fn broken_report() -> Body {
    let Body::Ghn(mut report) = report(NASTY, vec![broken_record(), record()]) else {
        unreachable!("it is made so");
    };
    report.description = NASTY.into();
    report.path = Some(NASTY.into());
    report.details = vec![(NASTY.into(), NASTY.into())];
    report.card = Some(format!("| {NASTY} |\n{}\n{NASTY}", " x".repeat(3000)));
    Body::Ghn(report)
}

/// News with numbers that are none.
pub fn broken_evaluation() -> Body {
    Body::Evaluated {
        record: Box::new(broken_record()),
        networks: 0,
    }
}
