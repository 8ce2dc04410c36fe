//! The executor on the emulated device against the one on the processor.

use super::Executor;
use super::emulated::Emulated;
use crate::arch::Arch;
use crate::arch::zoo::{self, Options};
use crate::nn::device::Precision;
use crate::nn::kernel::testing::{assert_near, numbers};
use crate::nn::network::{nets, staged};
use crate::nn::state::StateDict;
use crate::nn::{
    AdamWNumbers, Examples, Images, Mode, Network, NnError, Regularisation, SgdNumbers,
    StepOptions, Update,
};

/// The network on the emulated device, with the parameters of another; none without a compiler.
fn emulated(arch: &Arch, precision: Precision, state: &StateDict) -> Option<Network> {
    Some(on(Emulated::new()?, arch, precision, state))
}

/// On a device that soon is full.
fn limited(arch: &Arch, state: &StateDict) -> Option<Network> {
    let driver = Emulated::with_room(1 << 17)?;
    Some(on(driver, arch, Precision::F32, state))
}

fn on(driver: Emulated, arch: &Arch, precision: Precision, state: &StateDict) -> Network {
    let executor = Executor::new(arch, precision, Box::new(driver)).unwrap();
    let mut network = Network::with(arch, Box::new(executor));
    network.load(state).unwrap();
    network
}

fn pixels(arch: &Arch, batch: usize, name: &str) -> Vec<f32> {
    numbers(name, batch * arch.input().len())
}

fn labels(arch: &Arch, batch: usize) -> Vec<u32> {
    (0..batch)
        .map(|i| (i * 7 % arch.classes()) as u32)
        .collect()
}

/// Fails unless every tensor is near the other's: the length of the difference, as a share of its own
/// length or, for a gradient that is little but rounding, of a hundredth of the longest.
#[track_caller]
fn assert_all_near(got: &StateDict, expected: &StateDict, tolerance: f32) {
    assert_eq!(got.len(), expected.len());
    let length = |values: &[f32]| values.iter().map(|v| v * v).sum::<f32>().sqrt();
    let floats = expected.iter().filter_map(|(_, t)| t.floats());
    let longest = floats.map(length).fold(0.0, f32::max);
    for ((name, g), (other, e)) in got.iter().zip(expected.iter()) {
        assert_eq!(name, other);
        let (Some(g), Some(e)) = (g.floats(), e.floats()) else {
            assert_eq!(g, e, "{name}");
            continue;
        };
        let difference: Vec<f32> = g.iter().zip(e).map(|(g, e)| g - e).collect();
        let error = length(&difference) / length(e).max(0.01 * longest);
        assert!(error <= tolerance, "{name}: {error}");
    }
}

const PLAIN: StepOptions = StepOptions {
    label_smoothing: 0.1,
    regularisation: Regularisation::Off,
};

const SGD: Update = Update::Sgd(SgdNumbers {
    lr: 0.05,
    momentum: 0.9,
    weight_decay: 0.01,
});

/// Five numbers for a step of AdamW; they need not be sensible, only the same for both.
const ADAMW: Update = Update::AdamW(AdamWNumbers {
    rate: 0.01,
    root: 0.5,
    shrink: 0.99,
    eps: 1e-3,
    old_mean: 0.9,
    new_mean: 0.1,
    old_square: 0.99,
    new_square: 0.01,
});

/// Trains side by side: losses, logits, gradients, norms, parameters and moments must agree.
fn compare(arch: &Arch, update: &Update, steps: usize, tolerance: f32) {
    let mut plain = nets::start(arch);
    let state = plain.state().unwrap();
    let Some(mut device) = emulated(arch, Precision::F32, &state) else {
        return;
    };
    let batch = 3;
    let labels = labels(arch, batch);
    for network in [&mut plain, &mut device] {
        network.reset_moments(update.moments()).unwrap();
    }
    for step in 0..steps {
        let pixels = pixels(arch, batch, &format!("images {step}"));
        let images = Images {
            pixels: &pixels,
            batch,
        };
        for mode in [Mode::Eval, Mode::BatchStatistics] {
            let expected = plain.forward(&images, mode).unwrap().to_vec();
            assert_near(device.forward(&images, mode).unwrap(), &expected, tolerance);
        }
        let expected = plain.train_step(&images, &labels, &PLAIN).unwrap();
        let got = device.train_step(&images, &labels, &PLAIN).unwrap();
        let loss = f64::from(tolerance) * expected.loss;
        assert!(
            (got.loss - expected.loss).abs() < loss,
            "{got:?} {expected:?}"
        );
        assert_eq!(got.correct, expected.correct);
        assert_near(device.logits(), plain.logits(), tolerance);
        let gradients = [device.gradients().unwrap(), plain.gradients().unwrap()];
        assert_all_near(&gradients[0], &gradients[1], tolerance);
        let norms = [&mut device, &mut plain].map(|n| n.clip_gradients(0.5).unwrap());
        assert!((norms[0] / norms[1] - 1.0).abs() < f64::from(tolerance));
        for network in [&mut plain, &mut device] {
            network.update(update).unwrap();
        }
        assert_all_near(&device.state().unwrap(), &plain.state().unwrap(), tolerance);
    }
    for slot in 0..update.moments() {
        let moments = [device.moments(slot).unwrap(), plain.moments(slot).unwrap()];
        assert_all_near(&moments[0], &moments[1], tolerance);
    }
}

#[test]
fn residual_networks_train_as_on_the_processor() {
    compare(&nets::residual(), &SGD, 4, 2e-4);
}

#[test]
fn a_resnet_trains_as_on_the_processor() {
    let arch = zoo::build("resnet18", &Options::for_images(10, 32)).unwrap();
    compare(&arch, &SGD, 1, 1e-2);
}

#[test]
fn every_convolution_and_pool_works_as_on_the_processor() {
    compare(&nets::all_kinds(), &ADAMW, 4, 2e-4);
}

#[test]
fn convnext_blocks_train_as_on_the_processor() {
    compare(&nets::transformer_like(), &ADAMW, 4, 2e-4);
}

#[test]
fn gates_channels_and_every_activation_work_as_on_the_processor() {
    compare(&nets::dense(), &SGD, 4, 5e-4);
    compare(&nets::mobile(), &SGD, 4, 5e-4);
}

#[test]
fn networks_of_deepnets_train_as_on_the_processor() {
    compare(&nets::moved_pixels(), &SGD, 3, 5e-4);
    // Norms without running moments, parts that are missing, attention. Images are large enough that no norm
    // is over a few nearly equal values, which makes much of rounding.
    for name in ["deepnets:3", "deepnets/vit"] {
        let arch = crate::arch::build(name, &Options::for_images(10, 16)).unwrap();
        compare(&arch, &SGD, 1, 5e-2);
    }
}

/// Activations and their gradients are rounded to eight bits, a share of up to 1/512, at every one of a
/// dozen steps each way.
#[test]
fn bf16_stays_near_f32() {
    for arch in [nets::residual(), nets::transformer_like(), nets::windows()] {
        let mut plain = nets::start(&arch);
        let state = plain.state().unwrap();
        let Some(mut device) = emulated(&arch, Precision::Bf16, &state) else {
            return;
        };
        let batch = 4;
        let pixels = pixels(&arch, batch, "images");
        let images = Images {
            pixels: &pixels,
            batch,
        };
        let labels = labels(&arch, batch);
        for network in [&mut plain, &mut device] {
            network.reset_moments(1).unwrap();
            network.train_step(&images, &labels, &PLAIN).unwrap();
        }
        assert_near(device.logits(), plain.logits(), 0.03);
        let gradients = [&mut device, &mut plain].map(|n| n.gradients().unwrap());
        assert_all_near(&gradients[0], &gradients[1], 0.15);
        for network in [&mut plain, &mut device] {
            network.update(&SGD).unwrap();
        }
        // Master weights are f32; what differs is the gradient.
        assert_all_near(&device.state().unwrap(), &plain.state().unwrap(), 5e-3);
        let expected = plain
            .forward(&images, Mode::BatchStatistics)
            .unwrap()
            .to_vec();
        let got = device.forward(&images, Mode::BatchStatistics).unwrap();
        assert_near(got, &expected, 0.05);
    }
}

#[test]
fn what_is_dropped_depends_on_seed_and_step_alone() {
    let arch = nets::all_kinds();
    let state = nets::start(&arch).state().unwrap();
    let Some(mut device) = emulated(&arch, Precision::F32, &state) else {
        return;
    };
    let pixels = pixels(&arch, 4, "images");
    let images = Images {
        pixels: &pixels,
        batch: 4,
    };
    let labels = labels(&arch, 4);
    let mut logits = |seed, step| {
        let options = StepOptions {
            label_smoothing: 0.0,
            regularisation: Regularisation::Seeded { seed, step },
        };
        device.train_step(&images, &labels, &options).unwrap();
        device.logits().to_vec()
    };
    let first = logits(5, 1);
    assert_ne!(logits(5, 2), first);
    // By now the step is a recording, which must draw anew all the same.
    assert_ne!(logits(5, 3), first);
    assert_eq!(logits(5, 1), first);
    assert_ne!(logits(6, 1), first);
}

#[test]
fn stochastic_depth_drops_whole_samples_and_scales_the_others() {
    let arch = nets::identity_with_drop(0.25);
    let state = nets::start(&arch).state().unwrap();
    let Some(mut device) = emulated(&arch, Precision::F32, &state) else {
        return;
    };
    let pixels = pixels(&arch, 64, "images");
    let images = Images {
        pixels: &pixels,
        batch: 64,
    };
    let labels = labels(&arch, 64);
    let mut dropped = 0;
    for step in 0..8 {
        let options = StepOptions {
            label_smoothing: 0.0,
            regularisation: Regularisation::Seeded { seed: 5, step },
        };
        device.train_step(&images, &labels, &options).unwrap();
        for (x, y) in pixels.chunks(4).zip(device.logits().chunks(4)) {
            if y.iter().all(|v| *v == 0.0) {
                dropped += 1;
                continue;
            }
            let scaled: Vec<f32> = x.iter().map(|v| v / 0.75).collect();
            assert_near(y, &scaled, 1e-6);
        }
    }
    // 512 draws with probability 1/4: 128, give or take four standard deviations.
    assert!((88..168).contains(&dropped), "{dropped}");
}

#[test]
fn a_lack_of_memory_names_the_batch_and_leaves_the_network_usable() {
    let arch = nets::residual();
    let mut plain = nets::start(&arch);
    let Some(mut network) = limited(&arch, &plain.state().unwrap()) else {
        return;
    };
    let pixels = pixels(&arch, 64, "images");
    let images = |batch| Images {
        pixels: &pixels[..batch * arch.input().len()],
        batch,
    };
    let labels = labels(&arch, 64);
    let error = network
        .train_step(&images(64), &labels, &PLAIN)
        .unwrap_err();
    let words = error.to_string();
    assert!(
        words.contains("64") && words.contains("--batch 32"),
        "{words}"
    );
    let expected = plain.train_step(&images(2), &labels[..2], &PLAIN).unwrap();
    let got = network
        .train_step(&images(2), &labels[..2], &PLAIN)
        .unwrap();
    assert!(
        (got.loss - expected.loss).abs() < 1e-4,
        "{got:?} {expected:?}"
    );
}

#[test]
fn steps_on_staged_batches_are_those_on_borrowed_ones() {
    for (arch, precision) in [
        (nets::residual(), Precision::F32),
        (nets::all_kinds(), Precision::F32),
        (nets::transformer_like(), Precision::Bf16),
    ] {
        let state = nets::start(&arch).state().unwrap();
        let network = || emulated(&arch, precision, &state);
        if let (Some(one), Some(other)) = (network(), network()) {
            staged::assert_staging_changes_nothing(one, other);
        }
    }
}

#[test]
fn a_wrong_order_is_told() {
    let arch = nets::residual();
    let state = nets::start(&arch).state().unwrap();
    if let Some(network) = emulated(&arch, Precision::F32, &state) {
        staged::assert_wrong_order_is_told(network);
    }
}

#[test]
fn a_lack_of_memory_for_the_next_batch_leaves_the_step_at_work_alone() {
    let arch = nets::residual();
    let mut plain = nets::start(&arch);
    let Some(mut network) = limited(&arch, &plain.state().unwrap()) else {
        return;
    };
    let examples = |batch| Examples {
        pixels: Box::new(pixels(&arch, batch, "images")),
        labels: labels(&arch, batch),
        batch,
    };
    let (here, labels) = (pixels(&arch, 2, "images"), labels(&arch, 2));
    let images = Images {
        pixels: &here,
        batch: 2,
    };
    let expected = plain.train_step(&images, &labels, &PLAIN).unwrap();
    let names = |error: NnError, batch: usize| {
        let words = error.to_string();
        let advice = format!("--batch {}", batch / 2);
        assert!(words.contains(&advice), "{words}");
    };

    // Too large to be staged, while a step runs.
    network.stage(examples(2)).unwrap();
    network.begin_step(&PLAIN).unwrap();
    names(network.stage(examples(4096)).unwrap_err(), 4096);
    let got = network.end_step().unwrap();
    assert!((got.loss - expected.loss).abs() < 1e-4);
    // Not too large to be staged, but for its step.
    network.stage(examples(64)).unwrap();
    names(network.begin_step(&PLAIN).unwrap_err(), 64);
    let error = network.begin_step(&PLAIN).unwrap_err();
    assert!(matches!(error, NnError::NothingStaged), "{error}");
    network.stage(examples(2)).unwrap();
    network.begin_step(&PLAIN).unwrap();
    assert!(network.end_step().is_ok());
}

#[test]
fn statistics_of_one_value_are_refused_with_the_layer_name() {
    use crate::arch::{Builder, Op, Shape};
    let mut b = Builder::new("tiny", Shape::image(2, 1, 1), 2);
    let bn = b.batch_norm("layer.bn", 2);
    let x = b.call(bn, b.input()).unwrap();
    b.apply("", Op::Flatten, &[x]).unwrap();
    let arch = b.finish();
    let state = nets::start(&arch).state().unwrap();
    let Some(mut network) = emulated(&arch, Precision::F32, &state) else {
        return;
    };
    let images = Images {
        pixels: &[1.0, 2.0],
        batch: 1,
    };
    let error = network.train_step(&images, &[0], &PLAIN).unwrap_err();
    assert!(error.to_string().contains("layer.bn"), "{error}");
    network.forward(&images, Mode::Eval).unwrap();
    // A step that fails has used its batch up; the next one is none the worse for it.
    let examples = |batch| Examples {
        pixels: Box::new(pixels(&arch, batch, "images")),
        labels: labels(&arch, batch),
        batch,
    };
    network.stage(examples(1)).unwrap();
    assert!(network.begin_step(&PLAIN).is_err());
    network.stage(examples(2)).unwrap();
    network.begin_step(&PLAIN).unwrap();
    assert!(network.end_step().unwrap().loss.is_finite());
}

#[test]
fn attention_works_as_on_the_processor() {
    compare(&nets::vision_transformer(), &ADAMW, 4, 5e-4);
    compare(&nets::multi_axis(), &SGD, 3, 5e-4);
    compare(&nets::windows(), &ADAMW, 3, 5e-4);
}
