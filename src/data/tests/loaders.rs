//! What the loaders promise: the same batches for the same seed, epoch and index, every image once.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Batch, DataSet, EvalLoader, Protocol, Split, TrainLoader, open};

fn synthetic() -> DataSet {
    open("synthetic", &BTreeMap::new()).unwrap()
}

fn protocol() -> Protocol {
    Protocol {
        side: 16,
        shots: Some(5),
        batch: 8,
        ..Protocol::default()
    }
}

fn batches(protocol: &Protocol, start: (u64, usize), count: usize) -> Vec<Batch> {
    let mut loader = TrainLoader::new(&synthetic(), protocol, start.0, start.1).unwrap();
    (0..count).map(|_| loader.next().unwrap()).collect()
}

#[test]
fn a_batch_depends_on_seed_epoch_and_index_only() {
    // 50 images: seven batches an epoch.
    let all = batches(&protocol(), (0, 0), 18);
    assert_eq!(batches(&protocol(), (1, 3), 8), all[10..]);
    let mut loader = TrainLoader::new(&synthetic(), &protocol(), 5, 0).unwrap();
    assert_eq!(loader.next().unwrap().epoch, 5);
    loader.seek(0, 6).unwrap();
    assert_eq!(loader.next().unwrap(), all[6]);
    let other = batches(
        &Protocol {
            seed: 1,
            ..protocol()
        },
        (0, 0),
        1,
    );
    assert_ne!(other[0], all[0]);
    assert_ne!(all[7].labels, all[0].labels);
}

#[test]
fn an_epoch_holds_every_image_once_and_its_last_batch_is_the_rest() {
    let plain = Protocol {
        augment: false,
        ..protocol()
    };
    let loader = TrainLoader::new(&synthetic(), &plain, 0, 0).unwrap();
    assert_eq!((loader.images(), loader.batches()), (50, 7));
    let key = |image: &[f32]| image.iter().map(|v| v.to_bits()).collect::<Vec<u32>>();
    let mut trained: Vec<Vec<u32>> = Vec::new();
    for (i, batch) in batches(&plain, (2, 0), 7).iter().enumerate() {
        assert_eq!((batch.epoch, batch.index), (2, i));
        assert_eq!(batch.batch, if i == 6 { 2 } else { 8 });
        trained.extend(batch.pixels.chunks_exact(16 * 16 * 3).map(key));
    }
    let evaluated = EvalLoader::new(&synthetic(), Split::Train, &plain, None).unwrap();
    let mut once: Vec<Vec<u32>> = Vec::new();
    for batch in evaluated {
        once.extend(batch.unwrap().pixels.chunks_exact(16 * 16 * 3).map(key));
    }
    trained.sort();
    once.sort();
    assert_eq!(trained, once);
}

#[test]
fn augmentation_changes_the_pixels_and_not_the_order() {
    let augmented = batches(&protocol(), (0, 0), 2);
    let plain = batches(
        &Protocol {
            augment: false,
            ..protocol()
        },
        (0, 0),
        2,
    );
    assert_eq!(augmented[1].labels, plain[1].labels);
    assert_ne!(augmented[1].pixels, plain[1].pixels);
}

#[test]
fn validation_shots_and_test_do_not_overlap_and_have_the_sizes_of_the_protocol() {
    let data = synthetic();
    let protocol = Protocol {
        val: true,
        shots: Some(100),
        ..Protocol::default()
    };
    assert_eq!(data.len(Split::Train, &protocol).unwrap(), 1000);
    assert_eq!(data.len(Split::Val, &protocol).unwrap(), 500);
    assert_eq!(data.len(Split::Test, &protocol).unwrap(), 1000);
    let all = Protocol {
        shots: None,
        ..protocol
    };
    let train = data.select(Split::Train, &all).unwrap().rows;
    let val = data.select(Split::Val, &all).unwrap().rows;
    assert_eq!((train.len(), val[0]), (4500, 4500));
}

#[test]
fn mixed_batches_are_a_drawn_sample_in_a_drawn_order() {
    let data = synthetic();
    let labels = |seed: u64, limit: usize| -> Vec<u32> {
        let protocol = Protocol {
            side: 8,
            batch: 100,
            seed,
            ..Protocol::default()
        };
        let loader = EvalLoader::mixed(&data, Split::Train, &protocol, Some(limit)).unwrap();
        loader.flat_map(|b| b.unwrap().labels).collect()
    };
    // The set's classes come in turns, so that every tenth image would be of one class.
    let drawn = labels(1, 500);
    assert_eq!(drawn, labels(1, 500));
    assert_ne!(drawn, labels(2, 500));
    for batch in drawn.chunks(100) {
        let classes: BTreeSet<&u32> = batch.iter().collect();
        assert_eq!(classes.len(), 10);
    }
    let mut all = labels(1, 10_000);
    assert!(!all.is_sorted_by_key(|label| *label));
    all.sort_unstable();
    let each = |class: u32| all.iter().filter(|l| **l == class).count();
    assert!((0..10).all(|class| each(class) == 500));
}

#[test]
fn evaluation_can_be_repeated_and_limited_to_a_spread() {
    let data = synthetic();
    let protocol = Protocol {
        batch: 3,
        ..protocol()
    };
    let mut loader = EvalLoader::new(&data, Split::Test, &protocol, Some(10)).unwrap();
    assert_eq!((loader.images(), loader.batches()), (10, 4));
    let first: Vec<Batch> = loader.by_ref().map(Result::unwrap).collect();
    assert_eq!(
        first.iter().map(|b| b.batch).collect::<Vec<_>>(),
        [3, 3, 3, 1]
    );
    loader.restart().unwrap();
    let second: Vec<Batch> = loader.map(Result::unwrap).collect();
    assert_eq!(first, second);
    // Every hundredth of the thousand.
    assert_eq!(first[0].labels, [0, 0, 0]);
}
