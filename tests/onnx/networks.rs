//! Networks for tests of ONNX files, with parameters, images and logits.

use hyperscope::arch::zoo::Options;
use hyperscope::arch::{self, Arch, TensorRole};
use hyperscope::init::random;
use hyperscope::nn::{Images, Mode, Network, StateDict};
use hyperscope::random::{Stream, stream};
use rand::Rng;

/// The network for the smallest images, larger than the 32x32 form's, that it can be built for.
pub fn built(name: &str) -> Arch {
    [64, 56, 96, 224]
        .into_iter()
        .find_map(|side| arch::build(name, &Options::for_images(10, side)).ok())
        .expect("a size that fits")
}

fn unit(stream: &mut Stream) -> f32 {
    2.0 * stream.random::<f32>() - 1.0
}

/// Random parameters, none of them still: where initialisation has ones or zeros, noise is added, so
/// that a bias, a norm or a branch that is left out shows in the logits.
pub fn lively(arch: &Arch) -> StateDict {
    let mut state = random::state(arch, 5);
    for spec in arch.tensors() {
        let tensor = state.get_mut(&spec.name).expect("a complete state");
        let (Some(values), true) = (
            tensor.floats_mut(),
            spec.role != TensorRole::OffsetCoordinates,
        ) else {
            continue;
        };
        let is_still = values.iter().all(|v| *v == values[0]);
        if !is_still && spec.role == TensorRole::Weight {
            continue;
        }
        let mut stream = stream(6, &spec.name);
        let size = if spec.shape.len() > 1 { 0.05 } else { 0.2 };
        for value in values {
            *value += size * unit(&mut stream);
        }
    }
    state
}

/// `[batch, H, W, C]` random pixels.
pub fn pixels(arch: &Arch, batch: usize) -> Vec<f32> {
    let mut stream = stream(7, "images");
    let count = batch * arch.input().len();
    (0..count).map(|_| unit(&mut stream)).collect()
}

/// The executor's logits of a batch of images.
pub fn logits(network: &mut Network, pixels: &[f32]) -> Vec<f32> {
    let batch = pixels.len() / network.arch().input().len();
    let images = Images { pixels, batch };
    let logits = network.forward(&images, Mode::Eval);
    logits.expect("logits").to_vec()
}

/// Largest difference of two rows of logits, relative to the largest of the first.
pub fn distance(a: &[f32], b: &[f32]) -> f64 {
    let largest = a.iter().fold(0.0, |largest: f32, x| largest.max(x.abs()));
    assert!(
        largest > 1e-3 && largest.is_finite(),
        "logits up to {largest} say nothing"
    );
    let differences = a.iter().zip(b).map(|(a, b)| f64::from(a - b).abs());
    let difference = differences.fold(0.0, |a, b| if b.is_nan() { b } else { a.max(b) });
    difference / f64::from(largest)
}
