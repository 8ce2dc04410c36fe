//! Whole networks: gradients against finite differences, modes, threads, memory.

mod gradients;
pub mod nets;
pub mod staged;
mod state;
mod threads;

use super::*;
use crate::nn::kernel::testing::{assert_near, numbers};
use crate::nn::state::Tensor;
use nets::{
    all_kinds, dense, identity_with_drop, mobile, moved_pixels, multi_axis, residual, start,
    transformer_like, vision_transformer, windows,
};

/// Images and labels of a batch for an architecture.
fn batch(arch: &Arch, batch: usize) -> (Vec<f32>, Vec<u32>) {
    let pixels = numbers("images", batch * arch.input().len());
    let labels = (0..batch).map(|i| (i * 7 % arch.classes()) as u32);
    (pixels, labels.collect())
}

/// Small networks that hold every op between them.
fn small_networks() -> [Arch; 9] {
    [
        all_kinds(),
        transformer_like(),
        residual(),
        dense(),
        mobile(),
        vision_transformer(),
        windows(),
        multi_axis(),
        moved_pixels(),
    ]
}

fn images(pixels: &[f32], batch: usize) -> Images<'_> {
    Images { pixels, batch }
}

fn seeded(step: u64) -> StepOptions {
    StepOptions {
        label_smoothing: 0.1,
        regularisation: Regularisation::Seeded { seed: 5, step },
    }
}

#[test]
fn running_statistics_follow_the_batch_only_in_training() {
    let arch = residual();
    let mut network = start(&arch);
    let (pixels, _) = batch(&arch, 4);
    let images = images(&pixels, 4);
    let before = network.state().unwrap();
    network.forward(&images, Mode::Eval).unwrap();
    let own = network
        .forward(&images, Mode::BatchStatistics)
        .unwrap()
        .to_vec();
    assert_eq!(network.state().unwrap(), before);
    assert_eq!(network.forward(&images, Mode::Train).unwrap(), own);

    // The first batch norm reads a 1x1 convolution, so its statistics are easily found.
    let state = network.state().unwrap();
    let weight = before.get("stem.weight").unwrap().floats().unwrap();
    let (mut mean, mut square) = (0.0, 0.0);
    let count = pixels.len() / 3;
    for pixel in pixels.chunks(3) {
        let y: f64 = (0..3).map(|c| f64::from(pixel[c] * weight[c])).sum();
        mean += y / count as f64;
        square += y * y / count as f64;
    }
    let unbiased = (square - mean * mean) * count as f64 / (count - 1) as f64;
    let of = |name: &str| f64::from(state.get(name).unwrap().floats().unwrap()[0]);
    let old = |name: &str| f64::from(before.get(name).unwrap().floats().unwrap()[0]);
    let (m, v) = ("bn.running_mean", "bn.running_var");
    assert!((of(m) - (0.9 * old(m) + 0.1 * mean)).abs() < 1e-6);
    assert!((of(v) - (0.9 * old(v) + 0.1 * unbiased)).abs() < 1e-6);
    let counter = state.get("bn.num_batches_tracked").unwrap();
    assert_eq!(counter, &Tensor::count(1));
}

#[test]
fn inference_does_not_depend_on_the_rest_of_the_batch() {
    for arch in small_networks() {
        let mut network = start(&arch);
        let (pixels, _) = batch(&arch, 5);
        let together = network
            .forward(&images(&pixels, 5), Mode::Eval)
            .unwrap()
            .to_vec();
        let one = &pixels[2 * arch.input().len()..3 * arch.input().len()];
        let alone = network.forward(&images(one, 1), Mode::Eval).unwrap();
        let classes = arch.classes();
        assert_near(alone, &together[2 * classes..3 * classes], 1e-5);
    }
}

#[test]
fn stochastic_depth_drops_whole_samples_and_scales_the_others() {
    let arch = identity_with_drop(0.25);
    let mut network = start(&arch);
    let (pixels, labels) = batch(&arch, 64);
    let mut dropped = 0;
    for step in 0..8 {
        network
            .train_step(&images(&pixels, 64), &labels, &seeded(step))
            .unwrap();
        for (x, y) in pixels.chunks(4).zip(network.logits().chunks(4)) {
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
fn what_is_dropped_depends_on_seed_and_step_alone() {
    let arch = all_kinds();
    let (pixels, labels) = batch(&arch, 4);
    let images = images(&pixels, 4);
    let logits = |network: &mut Network, step| {
        network.train_step(&images, &labels, &seeded(step)).unwrap();
        network.logits().to_vec()
    };
    let (mut one, mut other) = (start(&arch), start(&arch));
    let first = logits(&mut one, 1);
    assert_ne!(first, logits(&mut one, 2));
    assert_ne!(logits(&mut other, 3), first);
    assert_eq!(logits(&mut other, 1), first);
}

#[test]
fn inference_holds_less_memory_and_steps_do_not_pile_it_up() {
    let arch = crate::arch::zoo::build("resnet18", &crate::arch::zoo::Options::for_images(10, 16))
        .unwrap();
    let (pixels, labels) = batch(&arch, 2);
    let images = images(&pixels, 2);
    let mut network = start(&arch);
    network.forward(&images, Mode::Eval).unwrap();
    let inference = network.buffer_bytes();
    let activations: usize = Plan::new(&arch).unwrap().lengths.iter().sum();
    assert!(inference < 2 * activations * 4 / 3, "{inference} bytes");

    let mut step = || {
        network
            .train_step(&images, &labels, &StepOptions::default())
            .unwrap();
        network.buffer_bytes()
    };
    let first = step();
    assert!(first > 2 * inference);
    assert_eq!(step(), first);
    assert_eq!(step(), first);
    let used = 2 * activations * 4;
    assert!(first < used + used / 2, "{first} of {used} bytes");
}

#[test]
fn a_batch_that_does_not_fit_is_refused() {
    let arch = residual();
    let mut network = start(&arch);
    let (pixels, labels) = batch(&arch, 2);
    let options = StepOptions::default();
    let error = network
        .forward(&images(&pixels, 3), Mode::Eval)
        .unwrap_err();
    assert!(matches!(error, NnError::BadBatch { .. }), "{error}");
    let error = network.forward(&images(&[], 0), Mode::Eval).unwrap_err();
    assert!(matches!(error, NnError::BadBatch { .. }), "{error}");
    let images = images(&pixels, 2);
    let error = network.train_step(&images, &labels[..1], &options);
    assert!(matches!(error, Err(NnError::LabelCount { .. })));
    let wrong = [0, arch.classes() as u32];
    let error = network.train_step(&images, &wrong, &options).unwrap_err();
    assert!(error.to_string().contains("image 1"), "{error}");
}

#[test]
fn statistics_of_one_value_are_refused_with_the_layer_name() {
    use crate::arch::{Builder, Op, Shape};
    let mut b = Builder::new("tiny", Shape::image(2, 1, 1), 2);
    let bn = b.batch_norm("layer.bn", 2);
    let x = b.call(bn, b.input()).unwrap();
    b.apply("", Op::Flatten, &[x]).unwrap();
    let mut network = Network::new(&b.finish()).unwrap();
    let images = images(&[1.0, 2.0], 1);
    let error = network
        .train_step(&images, &[0], &StepOptions::default())
        .unwrap_err();
    assert!(error.to_string().contains("layer.bn"), "{error}");
    // Inference has no need of them.
    network.forward(&images, Mode::Eval).unwrap();
}
