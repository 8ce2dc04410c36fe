//! The executor on the emulated device against the one on the processor.

use super::Executor;
use super::emulated::Emulated;
use crate::arch::Arch;
use crate::arch::zoo::{self, Options};
use crate::nn::device::Precision;
use crate::nn::error::NnError;
use crate::nn::kernel::testing::{assert_near, numbers};
use crate::nn::network::nets;
use crate::nn::state::StateDict;
use crate::nn::{
    AdamWNumbers, Images, Mode, Network, Regularisation, SgdNumbers, StepOptions, Update,
};

/// The network on the emulated device, with the parameters of another; none without a compiler.
fn emulated(arch: &Arch, precision: Precision, state: &StateDict) -> Option<Network> {
    let executor = Executor::new(arch, precision, Box::new(Emulated::new()?)).unwrap();
    let mut network = Network::with(arch, Box::new(executor));
    network.load(state).unwrap();
    Some(network)
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
    let arch = zoo::build("resnet18", &Options::for_images(10, 16)).unwrap();
    compare(&arch, &SGD, 1, 2e-2);
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
fn an_op_without_kernels_is_named() {
    let Some(driver) = Emulated::new() else {
        return;
    };
    let arch = nets::vision_transformer();
    let error = Executor::new(&arch, Precision::F32, Box::new(driver)).err();
    let Some(NnError::Unsupported { path, .. }) = error else {
        panic!("{error:?}");
    };
    assert!(!path.is_empty());
}
