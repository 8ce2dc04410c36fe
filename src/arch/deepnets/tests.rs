use super::*;
use crate::arch::TensorSpec;

#[test]
fn names_are_those_of_splits_seeds_and_published_cells() {
    let options = Options::for_images(10, 32);
    let of = |name: &str| plan(name, &options);
    assert_eq!(of("deepnets:3"), of("deepnets/train:3"));
    assert_ne!(of("deepnets:3"), of("deepnets:4"));
    assert_ne!(of("deepnets:3"), of("deepnets/test:3"));
    assert_eq!(name_of(Split::Train, 7), "deepnets:7");
    assert_eq!(name_of(Split::BnFree, 7), "deepnets/bnfree:7");
    for wrong in ["deepnets/moon:3", "deepnets:x", "deepnets/", "deepnets:-1"] {
        assert!(is_name(wrong));
        assert!(
            matches!(of(wrong), Err(ArchError::Unknown { .. })),
            "{wrong}"
        );
    }
    assert!(!is_name("deepnetsresnet18"));
    for name in NAMED {
        let arch = build(name, &options).unwrap();
        assert_eq!((arch.name(), arch.classes()), (name, 10));
    }
}

#[test]
fn published_cells_have_the_published_sizes() {
    let count = |name: &str, side| {
        let options = Options::for_images(if side == 32 { 10 } else { 1000 }, side);
        build(name, &options).unwrap().parameter_count()
    };
    assert_eq!(count("deepnets/darts", 32), 3_349_342);
    assert_eq!(count("deepnets/vit", 32), 1_012_234);
    // 4.7 M on ImageNet.
    let darts = count("deepnets/darts", 224);
    assert!((4_650_000..4_800_000).contains(&darts), "{darts}");
}

#[test]
fn the_wide_split_is_wider() {
    let wide = |side| {
        let plan = plan("deepnets/wide:1", &Options::for_images(10, side)).unwrap();
        plan.channels
    };
    assert_eq!((wide(32), wide(224)), (128, 64));
}

#[test]
fn parameters_of_published_cells_are_counted_as_they_are_built() {
    for name in NAMED {
        for side in [16, 32, 96, 224] {
            let options = Options::for_images(10, side);
            let built = build(name, &options).unwrap().parameter_count();
            let counted = plan(name, &options).unwrap().parameter_count(&options);
            assert_eq!(counted, Some(built), "{name} at {side}");
        }
    }
}

fn with_auxiliary(name: &str, side: usize) -> Result<Arch, ArchError> {
    let options = Options::for_images(if side == 32 { 10 } else { 1000 }, side);
    let with = Options {
        auxiliary: true,
        ..options
    };
    build(name, &with)
}

#[test]
fn auxiliary_classifiers_are_the_published_ones() {
    let count = |name: &str, side| {
        let arch = with_auxiliary(name, side).unwrap();
        let of_head = arch
            .parameters()
            .filter(|t| t.name.starts_with("auxiliary_head."));
        of_head.map(TensorSpec::len).sum::<usize>()
    };
    // 1x1 from the cell's channels and norm; 2x2 and, for small images, norm; logits.
    let small = |channels: usize| channels * 128 + 256 + 128 * 768 * 4 + 1536 + 768 * 10 + 10;
    assert_eq!(count("deepnets/darts", 32), small(4 * 4 * 36));
    assert_eq!(count("deepnets/vit", 32), small(128));
    let large = 4 * 4 * 48 * 128 + 256 + 128 * 768 * 4 + 768 * 1000 + 1000;
    assert_eq!(count("deepnets/darts", 224), large);
}

#[test]
fn an_auxiliary_classifier_is_beside_the_network() {
    let options = Options::for_images(10, 32);
    let with = with_auxiliary("deepnets/pdarts", 32).unwrap();
    let without = build("deepnets/pdarts", &options).unwrap();
    let names = |arch: &Arch| -> Vec<String> {
        let tensors = arch.tensors().iter();
        tensors.map(|t| t.name.clone()).collect()
    };
    let (all, rest) = (names(&with), names(&without));
    // Between cells and classifier, with the published numbers.
    let head = all.iter().position(|n| n.starts_with("auxiliary_head."));
    let head = head.unwrap();
    let parts = [
        "features.2.weight",
        "features.3.weight",
        "features.3.bias",
        "features.3.running_mean",
        "features.3.running_var",
        "features.3.num_batches_tracked",
        "features.5.weight",
        "features.6.weight",
        "features.6.bias",
        "features.6.running_mean",
        "features.6.running_var",
        "features.6.num_batches_tracked",
        "classifier.weight",
        "classifier.bias",
    ];
    let expected = parts.map(|part| format!("auxiliary_head.{part}"));
    assert_eq!(all[head..head + parts.len()], expected);
    assert_eq!(all[head + parts.len()], "classifier.0.weight");
    let others: Vec<String> = all.into_iter().filter(|n| !expected.contains(n)).collect();
    assert_eq!(others, rest);
    let [logits] = *with.auxiliary() else {
        panic!("one auxiliary output");
    };
    assert_eq!(with.node(logits).shape.dims(), [10]);
    assert_eq!(with.nodes().last().unwrap().path, "classifier.0");
}

/// For 32x32 images every network can have one. Photographs must be 7x7 where it reads.
#[test]
fn auxiliary_classifiers_fit_where_the_published_ones_do() {
    let (mut fitting, mut refused) = (0, 0);
    for seed in 0..60 {
        let name = name_of(Split::Train, seed);
        assert!(with_auxiliary(&name, 32).is_ok(), "{name}");
        let plan = plan(&name, &Options::default()).unwrap();
        let is_small = plan.stem != StemKind::Plain && !plan.genotype.attends();
        match with_auxiliary(&name, 224) {
            Ok(arch) => {
                fitting += 1;
                assert!(is_small || arch.auxiliary().is_empty(), "{name}");
            }
            Err(ArchError::BadShape { path, .. }) => {
                refused += 1;
                assert!(!is_small && path == "auxiliary_head.classifier", "{name}");
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }
    assert!(fitting > 10 && refused > 10, "{fitting}, {refused}");
}

#[test]
fn arguments_that_were_written_mean_the_same_network() {
    for seed in 0..200 {
        let name = name_of(Split::Train, seed);
        let plan = plan(&name, &Options::for_images(10, 32)).unwrap();
        let text = serde_json::to_string(&NetworkArgs::of(&plan)).unwrap();
        let read: NetworkArgs = serde_json::from_str(&text).unwrap();
        assert_eq!(read.plan().unwrap(), plan, "{name}: {text}");
    }
}
