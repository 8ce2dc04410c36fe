//! Derivatives of predictions, beside differences of predictions.

use rand::Rng;

use super::super::super::Parameter;
use super::super::super::graph::Graph;
use super::super::config::{Config, Decoder, HyperNet};
use super::super::{Ghn, Weight};
use crate::arch::{self, zoo::Options};
use crate::nn::{StateDict, Tensor};
use crate::random;

/// Every kind of GHN, small, and one whose blocks are smaller than kernels.
fn configs() -> Vec<Config> {
    let small = Config {
        hid: 8,
        max_shape: [12, 12, 11, 11],
        ..Config::ghn2_cifar10()
    };
    vec![
        small,
        small.as_ghn1(),
        Config {
            hypernet: HyperNet::Mlp,
            ..small
        },
        Config {
            decoder: Decoder::Mlp,
            max_shape: [6, 6, 4, 4],
            ..small
        },
        // Factors from several rows each, and blocks narrower than some layers.
        Config {
            decoder: Decoder::LowRank {
                rank: 6,
                spread: 40,
            },
            max_shape: [24, 24, 4, 4],
            ..small
        },
        Config {
            hypernet: HyperNet::Graphormer {
                layers: 2,
                heads: 2,
            },
            max_shape: [12, 12, 4, 4],
            ..small
        },
    ]
}

fn numbers(name: &str, len: usize) -> Vec<f32> {
    let mut rng = random::stream(5, name);
    (0..len).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// A loss that is linear in the predicted parameters: `wanted` are its derivatives.
fn loss(tensors: &StateDict, wanted: &StateDict) -> f64 {
    let of = |(name, tensor): (&str, &Tensor)| {
        let wanted = wanted.get(name).and_then(Tensor::floats).unwrap();
        let pairs = tensor.floats().unwrap().iter().zip(wanted);
        pairs
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum::<f64>()
    };
    tensors.iter().map(of).sum()
}

fn step(weights: Vec<&mut Weight>, along: &[Vec<f32>], step: f32) {
    for (weight, along) in weights.into_iter().zip(along) {
        for (w, d) in weight.iter_mut().zip(along) {
            *w += step * d;
        }
    }
}

/// Lengths of the steps of which one must show the slope.
const STEPS: [f32; 3] = [1e-3, 2e-4, 5e-5];

#[test]
fn derivatives_are_what_differences_say() {
    // Depthwise and dense kernels, norms, biases, a hidden classifier; attention with position encodings.
    for name in ["deepnets:3", "deepnets/vit", "squeezenet1_1"] {
        let arch = arch::build(name, &Options::for_images(10, 32)).unwrap();
        let (graph, parameters): (Graph, Vec<Parameter>) = Graph::with_parameters(&arch);
        for config in configs() {
            let mut ghn = Ghn::untrained(&config, 1).unwrap();
            let (tensors, notes) = ghn.predict_noting(&graph, &parameters, 0).unwrap();
            let wanted: StateDict = tensors
                .iter()
                .map(|(name, t)| {
                    (
                        name.to_owned(),
                        Tensor::new(t.shape.clone(), numbers(name, t.len())),
                    )
                })
                .collect();
            let mut gradient = ghn.gradient();
            ghn.backward(&notes, &wanted, &mut gradient);
            // One tensor of the GHN at a time: an error in one does not hide behind the others.
            let sizes: Vec<(String, usize)> = ghn
                .weights_mut()
                .iter()
                .map(|w| (w.name().to_owned(), w.len()))
                .collect();
            for (index, (weight, len)) in sizes.iter().enumerate() {
                let mut along: Vec<Vec<f32>> = sizes.iter().map(|_| Vec::new()).collect();
                along[index] = numbers(weight, *len);
                let said: f64 = gradient.weights_mut()[index]
                    .iter()
                    .zip(&along[index])
                    .map(|(g, d)| f64::from(*g) * f64::from(*d))
                    .sum();
                let mut at = |move_by: f32| {
                    step(ghn.weights_mut(), &along, move_by);
                    let moved = ghn.predict_noting(&graph, &parameters, 0).unwrap().0;
                    step(ghn.weights_mut(), &along, -move_by);
                    loss(&moved, &wanted)
                };
                let mut slope = |step: f32| (at(step) - at(-step)) / f64::from(2.0 * step);
                let square = |g: &f32| f64::from(*g).powi(2);
                let weights = &gradient.weights_mut()[index];
                let length = weights.iter().map(square).sum::<f64>().sqrt();
                // Long steps meet bends of rectifiers, short ones are lost in rounding.
                let slopes = STEPS.map(&mut slope);
                // A direction at random sees about half of the gradient's length.
                let agrees = |slope: &f64| (slope - said).abs() < 0.02 * length.max(5.0);
                assert!(
                    slopes.iter().any(agrees),
                    "{name}, {config}, {weight}: none of {slopes:?} is {said}, of {length}"
                );
            }
        }
    }
}
