use super::*;

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
