//! Batches that are handed over ahead, on any device.

use super::*;
use crate::nn::SgdNumbers;

/// Images of an epoch's batches; the last is smaller. A device records the third step.
const SIZES: [usize; 5] = [4, 4, 4, 4, 2];

const SGD: Update = Update::Sgd(SgdNumbers {
    lr: 0.05,
    momentum: 0.9,
    weight_decay: 0.01,
});

/// A batch of its own for every name.
fn examples(arch: &Arch, batch: usize, name: &str) -> Examples {
    let labels = (0..batch).map(|i| ((i * 7 + name.len()) % arch.classes()) as u32);
    Examples {
        pixels: Box::new(numbers(name, batch * arch.input().len())),
        labels: labels.collect(),
        batch,
    }
}

/// Trains two networks that are the same, one on borrowed batches, the other on batches that were staged while the step
/// before ran. Fails unless they find the same bits.
#[track_caller]
pub fn assert_staging_changes_nothing(mut borrowing: Network, mut staging: Network) {
    let arch = borrowing.arch().clone();
    for network in [&mut borrowing, &mut staging] {
        network.reset_moments(1).unwrap();
    }
    let evaluate = |networks: [&mut Network; 2]| {
        let batch = examples(&arch, 3, "evaluation");
        let [one, other] = networks;
        let expected = one.forward(&batch.images(), Mode::Eval).unwrap();
        assert_eq!(
            other.forward(&batch.images(), Mode::Eval).unwrap(),
            expected
        );
    };
    for epoch in 0..2 {
        let batch = |index: usize| examples(&arch, SIZES[index], &format!("{epoch}/{index}"));
        staging.stage(batch(0)).unwrap();
        for index in 0..SIZES.len() {
            let options = seeded((epoch * SIZES.len() + index) as u64);
            let here = batch(index);
            let expected = borrowing
                .train_step(&here.images(), &here.labels, &options)
                .unwrap();
            staging.begin_step(&options).unwrap();
            if index + 1 < SIZES.len() {
                staging.stage(batch(index + 1)).unwrap();
            }
            assert_eq!(staging.end_step().unwrap(), expected, "{epoch}/{index}");
            assert_eq!(staging.logits(), borrowing.logits());
            let norms = [&mut borrowing, &mut staging].map(|n| n.clip_gradients(0.5).unwrap());
            assert_eq!(norms[0], norms[1]);
            for network in [&mut borrowing, &mut staging] {
                network.update(&SGD).unwrap();
            }
            if (epoch, index) == (1, 1) {
                // A batch waits meanwhile.
                evaluate([&mut borrowing, &mut staging]);
            }
        }
        evaluate([&mut borrowing, &mut staging]);
        assert_eq!(staging.state().unwrap(), borrowing.state().unwrap());
    }
}

/// Calls that come in a wrong order, and batches that do not fit, are errors after which the network works on.
#[track_caller]
pub fn assert_wrong_order_is_told(mut network: Network) {
    let arch = network.arch().clone();
    let options = StepOptions::default();
    let error = network.begin_step(&options).unwrap_err();
    assert!(matches!(error, NnError::NothingStaged), "{error}");
    let error = network.end_step().unwrap_err();
    assert!(matches!(error, NnError::NoStep), "{error}");

    let mut wrong = examples(&arch, 2, "wrong");
    wrong.labels[1] = arch.classes() as u32;
    let error = network.stage(wrong).unwrap_err();
    assert!(matches!(error, NnError::LabelOutOfRange { image: 1, .. }));
    let mut wrong = examples(&arch, 2, "wrong");
    wrong.batch = 3;
    wrong.labels.push(0);
    let error = network.stage(wrong).unwrap_err();
    assert!(matches!(error, NnError::BadBatch { .. }), "{error}");
    assert!(network.begin_step(&options).is_err());

    // Another pass takes the place of a step's results, and the step has used its batch up.
    network.stage(examples(&arch, 2, "first")).unwrap();
    network.begin_step(&options).unwrap();
    let other = examples(&arch, 4, "other");
    network.forward(&other.images(), Mode::Eval).unwrap();
    let error = network.end_step().unwrap_err();
    assert!(matches!(error, NnError::NoStep), "{error}");
    assert!(network.begin_step(&options).is_err());

    // The batch that was staged last is the one that counts.
    let last = examples(&arch, 3, "last");
    let expected = network.train_step(&last.images(), &last.labels, &options);
    let logits = network.logits().to_vec();
    network.stage(examples(&arch, 4, "forgotten")).unwrap();
    network.stage(last).unwrap();
    network.begin_step(&options).unwrap();
    assert_eq!(network.end_step().unwrap(), expected.unwrap());
    assert_eq!(network.logits(), logits);
}

#[test]
fn steps_on_staged_batches_are_those_on_borrowed_ones() {
    for arch in [residual(), all_kinds()] {
        assert_staging_changes_nothing(start(&arch), start(&arch));
    }
}

#[test]
fn a_wrong_order_is_told() {
    assert_wrong_order_is_told(start(&residual()));
}
