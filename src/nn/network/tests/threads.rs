//! Results must be the same bits on any number of threads.

use super::*;
use crate::arch::zoo;

/// Loss, logits, gradients and state after two steps on `threads` threads.
fn train(arch: &Arch, size: usize, threads: usize) -> (f64, Vec<f32>, StateDict, StateDict) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build().unwrap().install(|| {
        let mut network = start(arch);
        let (pixels, labels) = batch(arch, size);
        let images = images(&pixels, size);
        network.train_step(&images, &labels, &seeded(1)).unwrap();
        let step = network.train_step(&images, &labels, &seeded(2)).unwrap();
        let logits = network.forward(&images, Mode::Eval).unwrap().to_vec();
        (step.loss, logits, network.gradients(), network.state())
    })
}

fn check(arch: &Arch, size: usize) {
    let one = train(arch, size, 1);
    for threads in [2, 3] {
        assert!(train(arch, size, threads) == one, "{threads} threads");
    }
}

#[test]
fn small_networks_give_the_same_bits_on_any_number_of_threads() {
    for arch in small_networks() {
        check(&arch, 6);
    }
}

#[test]
fn a_resnet_gives_the_same_bits_on_any_number_of_threads() {
    let arch = zoo::build("resnet18", &zoo::Options::for_images(10, 24)).unwrap();
    check(&arch, 6);
}

#[test]
fn a_grouped_network_gives_the_same_bits_on_any_number_of_threads() {
    let arch = zoo::build("resnext50_32x4d", &zoo::Options::for_images(10, 8)).unwrap();
    check(&arch, 2);
}
