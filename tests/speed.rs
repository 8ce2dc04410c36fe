//! How fast the executor trains: prints images per second, promises nothing.
//!
//! `cargo test --release --test speed -- --ignored --nocapture`, with `RAYON_NUM_THREADS` set.

use std::time::Instant;

use hyperscope::arch::zoo::{self, Options, Stem};
use hyperscope::init;
use hyperscope::nn::{Images, Network, StepOptions};
use hyperscope::train::{Optimiser, OptimiserKind, OptimiserSettings};

const STEPS: usize = 4;

/// Best of a few training steps, in images per second.
fn images_per_s(name: &str, batch: usize, side: usize, stem: Stem) -> f64 {
    let options = Options {
        classes: 10,
        side,
        stem,
    };
    let arch = zoo::build(name, &options).expect("it is in the zoo");
    let mut network = Network::new(&arch).expect("it runs");
    network
        .load(&init::random::state(&arch, 0))
        .expect("it fits");
    let settings = OptimiserSettings::of(OptimiserKind::Sgd, 1e-4);
    let mut optimiser = Optimiser::new(&settings, &mut network);
    let pixels: Vec<f32> = (0..batch * 3 * side * side)
        .map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0)
        .collect();
    let labels: Vec<u32> = (0..batch).map(|i| (i % 10) as u32).collect();
    let images = Images {
        pixels: &pixels,
        batch,
    };
    let mut best = f64::INFINITY;
    for step in 0..=STEPS {
        let start = Instant::now();
        network
            .train_step(&images, &labels, &StepOptions::default())
            .expect("it runs");
        optimiser.step(&mut network, 1e-3);
        if step > 0 {
            best = best.min(start.elapsed().as_secs_f64());
        }
    }
    batch as f64 / best
}

#[test]
#[ignore = "a measurement"]
fn training_speed() {
    for (name, batch, side, stem) in [
        ("resnet18", 32, 32, Stem::Cifar),
        ("resnet50", 32, 32, Stem::Cifar),
        ("resnet50", 32, 32, Stem::ImageNet),
        ("convnext_tiny", 32, 64, Stem::ImageNet),
    ] {
        let speed = images_per_s(name, batch, side, stem);
        println!("{name} {batch}x{side} {stem:?}: {speed:.1} images/s");
    }
}
