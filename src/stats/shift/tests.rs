//! Promises about shift reports.

use super::*;
use crate::arch::deepnets::{self, Split};
use crate::arch::zoo::{self, Options};
use crate::arch::{self, Arch};
use crate::ghn::{Config, Ghn};

fn report(arch: &Arch) -> Report {
    let reference = Reference::carried(224);
    let config = reference.published_config();
    let against = Against {
        reference,
        split: Split::Train,
        config: &config,
    };
    Report::of(arch, against).unwrap()
}

fn network(name: &str) -> Arch {
    arch::build(name, &Options::default()).unwrap()
}

/// Layers with a classifier for another data set, as the papers fine-tune them.
fn for_ten_classes(name: &str) -> Arch {
    let options = Options {
        classes: 10,
        ..Options::default()
    };
    zoo::build(name, &options).unwrap()
}

/// The generator, or what is looked at, was changed: `deepnets reference` makes the files anew.
#[test]
fn the_carried_references_are_of_this_generator() {
    for side in SIDES {
        let reference = Reference::carried(side);
        assert_eq!(reference.side, side);
        for split in Split::ALL {
            let population = reference.population(split).unwrap();
            assert_eq!(population.len(), size_of(split));
            for seed in [0, 1, size_of(split) as u64 - 1] {
                let profile = reference::profile(split, seed, side).unwrap();
                for measure in Measure::ALL {
                    let stored = population.values(measure).nth(seed as usize).unwrap();
                    let got = profile.measures.of(measure);
                    assert!((stored - got).abs() < 1e-5 * got, "{split:?}:{seed}");
                }
            }
        }
    }
}

#[test]
fn a_reference_is_read_as_it_was_written() {
    let size = |split| if split == Split::Train { 12 } else { 3 };
    let drawn = Reference::draw(32, size, || ()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.shift");
    std::fs::write(&path, drawn.packed()).unwrap();
    let read = Reference::read(&path).unwrap();
    assert_eq!(read.side, 32);
    for (a, b) in drawn.populations().iter().zip(read.populations()) {
        assert_eq!(
            (a.split, a.len(), a.widest()),
            (b.split, b.len(), b.widest())
        );
        for feature in Feature::ALL {
            assert_eq!(a.counts(feature), b.counts(feature));
            assert_eq!(a.usual_distance(feature), b.usual_distance(feature));
        }
        for measure in Measure::ALL {
            let pairs = a.values(measure).zip(b.values(measure));
            assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-6 * a));
        }
    }
}

#[test]
fn damaged_references_are_refused_with_their_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.shift");
    let packed = Reference::draw(32, |_| 1, || ()).unwrap().packed();
    let mut flipped = packed.clone();
    flipped[packed.len() / 2] ^= 0xff;
    for bytes in [
        &b"not a reference"[..],
        &packed[..packed.len() / 2],
        &flipped,
        b"",
    ] {
        std::fs::write(&path, bytes).unwrap();
        let message = Reference::read(&path).unwrap_err().to_string();
        assert!(message.contains("some.shift"), "{message}");
    }
}

/// Of ResNet-50's weights at most 746,688 can differ, of ConvNeXt-Base's 460,032 (without classifiers):
/// sums of `min(out, 64) min(in, 64) kh kw`.
#[test]
fn copies_are_counted_by_the_decoders_block() {
    let resnet = report(&for_ten_classes("resnet50"));
    assert_eq!(
        (resnet.tiling.distinct, resnet.tiling.values),
        (746_688, 23_454_912)
    );
    assert!(
        (resnet.tiling.rank - 0.44).abs() < 5e-3,
        "{}",
        resnet.tiling.rank
    );
    let convnext = report(&for_ten_classes("convnext_base"));
    assert_eq!(convnext.tiling.distinct, 460_032);
    assert!((convnext.tiling.values as f64 / 1e6 - 87.4).abs() < 0.05);
}

#[test]
fn convnext_stands_out_from_resnet() {
    let (resnet, convnext) = (
        report(&network("resnet50")),
        report(&network("convnext_base")),
    );
    // By its graph's shape it does not: all numbers but depth and parameters are those of training networks.
    for measure in [
        Measure::Nodes,
        Measure::Edges,
        Measure::Degree,
        Measure::Path,
    ] {
        assert!(convnext.measure(measure).standing.z.abs() < 1.5);
    }
    // By what it is made of, it does.
    for feature in [
        Feature::Operators,
        Feature::Kernels,
        Feature::Groups,
        Feature::Layers,
    ] {
        let (r, c) = (resnet.feature(feature), convnext.feature(feature));
        assert!(
            c.percentile > 99.0 && r.percentile < 95.0,
            "{feature:?}: {c:?} {r:?}"
        );
        assert!(c.distance > 1.5 * r.distance, "{feature:?}");
    }
    // By its parts: layers that no network has, and those that are not predicted.
    let parts = |report: &Report, kind| report.unseen.iter().filter(|p| p.kind == kind).count();
    assert_eq!(parts(&resnet, Kind::NewLayer), 0);
    let new = convnext.unseen.iter().filter(|p| p.kind == Kind::NewLayer);
    let mut new: Vec<&str> = new.map(|p| p.what.as_str()).collect();
    new.sort_unstable();
    assert_eq!(new, ["conv 2x2/2", "conv 4x4/4", "depthwise 7x7"]);
    let scales = convnext
        .unseen
        .iter()
        .find(|p| p.kind == Kind::Unpredicted)
        .unwrap();
    assert_eq!(
        (scales.tensors.len(), parts(&resnet, Kind::Unpredicted)),
        (36, 0)
    );
    assert!(convnext.summary.contains("outside") && !resnet.summary.contains("outside"));
}

#[test]
fn a_ghn_sees_convnext_farther_away() {
    let ghn = Ghn::untrained(&Config::ghn2_imagenet(), 7).unwrap();
    let embedding = Embedding::of(&ghn, Split::Train, 224, 200, || ()).unwrap();
    let [resnet, convnext, training] = ["resnet50", "convnext_base", "deepnets:5000"]
        .map(|name| embedding.shift(&ghn, &network(name)));
    assert!(convnext.distance > 1.3 * resnet.distance);
    assert_eq!(convnext.percentile, 100.0);
    assert!(training.distance < resnet.distance && training.percentile < 100.0);
}

/// What is said of a network of the population itself: nothing.
#[test]
fn networks_of_the_population_are_at_home() {
    let mut outside = 0;
    for seed in 0..40 {
        let report = report(&network(&deepnets::name_of(Split::Train, seed)));
        assert_eq!(report.nearest[0].name, report.arch);
        assert!(report.nearest[0].distance < 1e-3);
        outside += usize::from(report.summary.contains("outside"));
    }
    // Two features, of each of which one in a hundred is an outlier.
    assert!(outside <= 4, "{outside}");
}

#[test]
fn every_network_of_the_zoo_has_a_report() {
    for name in zoo::names() {
        let report = report(&network(name));
        assert!(report.summary.ends_with('.') && report.summary.starts_with(name));
        assert!(
            report
                .features
                .iter()
                .all(|f| (0.0..=1.0).contains(&f.distance))
        );
        let shares = |feature: &FeatureShift| feature.bars.iter().map(|b| b.share).sum::<f64>();
        assert!(
            report
                .features
                .iter()
                .all(|f| (shares(f) - 1.0).abs() < 1e-9),
            "{name}"
        );
        assert!(report.tiling.distinct <= report.tiling.values);
        // The app reads it back from JSON.
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(
            serde_json::from_str::<Report>(&text).unwrap(),
            report,
            "{name}"
        );
    }
}

#[test]
fn too_few_networks_have_no_covariance() {
    let ghn = Ghn::open("default", 1).unwrap();
    let refused = Embedding::of(&ghn, Split::Train, 32, 20, || ());
    assert!(matches!(refused, Err(ShiftError::TooFew { got: 20, .. })));
}
