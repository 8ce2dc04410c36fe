use super::*;
use crate::arch::{Arch, Builder, Conv2d, Draw, Linear, Op, Scheme, Shape};
use crate::nn::StateDict;

const DRAW: Draw = Draw {
    weight: Scheme::ONES,
    bias: Scheme::ZEROS,
};

/// A 3x3 convolution, a mean, a linear layer.
fn arch() -> Arch {
    let mut b = Builder::new("small", Shape::image(3, 4, 4), 2);
    let conv = b.conv("conv", Conv2d::new(3, 4, 3), DRAW);
    let linear = Linear {
        in_features: 4,
        out_features: 2,
        bias: true,
    };
    let linear = b.linear("fc", linear, DRAW);
    let x = b.call(conv, b.input()).unwrap();
    let x = b.apply("pool", Op::AdaptiveAvgPool([1, 1]), &[x]).unwrap();
    let x = b.apply("flatten", Op::Flatten, &[x]).unwrap();
    b.call(linear, x).unwrap();
    b.finish()
}

/// All parameters, one after the other, with `value(i)` at place `i`.
fn filled(value: impl Fn(f32) -> f32) -> StateDict {
    let mut i = 0;
    let arch = arch();
    let parameters = arch.tensors().iter();
    parameters
        .map(|spec| {
            let values = (0..spec.len()).map(|_| {
                i += 1;
                value((i - 1) as f32)
            });
            let tensor = Tensor::new(spec.shape.clone(), values.collect());
            (spec.name.clone(), tensor)
        })
        .collect()
}

/// The network with parameter `i` at `i / 100` and gradient `i / 10 - 1`.
fn network() -> Network {
    let mut network = Network::new(&arch()).unwrap();
    network.load(&filled(|i| i / 100.0)).unwrap();
    network.set_gradients(&filled(|i| i / 10.0 - 1.0)).unwrap();
    network
}

fn values(network: &mut Network) -> Vec<f32> {
    all(&network.state().unwrap())
}

fn all(state: &StateDict) -> Vec<f32> {
    let tensors = state.iter();
    tensors
        .flat_map(|(_, t)| t.floats().unwrap().to_vec())
        .collect()
}

#[test]
fn sgd_adds_weight_decay_to_the_gradient_and_remembers() {
    let mut network = network();
    let settings = OptimiserSettings::of(OptimiserKind::Sgd, 0.5);
    let mut optimiser = Optimiser::new(&settings, &mut network).unwrap();
    optimiser.step(&mut network, 0.1).unwrap();
    optimiser.step(&mut network, 0.1).unwrap();
    for (i, got) in values(&mut network).into_iter().enumerate() {
        let (w, g) = (i as f64 / 100.0, i as f64 / 10.0 - 1.0);
        let m = g + 0.5 * w;
        let w = w - 0.1 * m;
        let m = 0.9 * m + g + 0.5 * w;
        let w = w - 0.1 * m;
        assert!((f64::from(got) - w).abs() < 1e-5, "value {i}");
    }
}

#[test]
fn adamw_moves_by_the_sign_at_first_and_decays_beside_the_gradient() {
    let mut network = network();
    let settings = OptimiserSettings::of(OptimiserKind::AdamW, 0.5);
    let mut optimiser = Optimiser::new(&settings, &mut network).unwrap();
    optimiser.step(&mut network, 0.1).unwrap();
    for (i, got) in values(&mut network).into_iter().enumerate() {
        let (w, g) = (i as f64 / 100.0, i as f64 / 10.0 - 1.0);
        // After one step mean and root mean square are the gradient itself.
        let w = w * (1.0 - 0.05) - 0.1 * g / (g.abs() + 1e-8);
        assert!((f64::from(got) - w).abs() < 1e-5, "value {i}");
    }
}

#[test]
fn clipping_scales_all_gradients_alike_and_reports_the_norm_before() {
    let mut network = network();
    let before = network.clip_gradients(f64::INFINITY).unwrap();
    let n = values(&mut network).len();
    let expected: f64 = (0..n).map(|i| (i as f64 / 10.0 - 1.0).powi(2)).sum();
    assert!((before - expected.sqrt()).abs() < 1e-4);
    assert_eq!(network.clip_gradients(2.0).unwrap(), before);
    let after = network.clip_gradients(f64::INFINITY).unwrap();
    assert!((after - 2.0).abs() < 1e-5, "{after}");
}

#[test]
fn a_gradient_that_is_no_number_is_reported_and_not_spread() {
    let mut network = network();
    network
        .set_gradients(&filled(|i| if i == 0.0 { f32::NAN } else { i }))
        .unwrap();
    assert!(network.clip_gradients(1.0).unwrap().is_nan());
    let gradients = all(&network.gradients().unwrap());
    assert_eq!(gradients.iter().filter(|g| g.is_nan()).count(), 1);
}

#[test]
fn a_loaded_state_goes_on_as_if_nothing_had_happened() {
    for kind in OptimiserKind::ALL {
        let settings = OptimiserSettings::of(kind, 0.01);
        let mut network = network();
        let mut optimiser = Optimiser::new(&settings, &mut network).unwrap();
        optimiser.step(&mut network, 0.1).unwrap();
        let (model, state) = (
            network.state().unwrap(),
            optimiser.state(&mut network).unwrap(),
        );
        let momentum = format!("{}.conv.weight", rule::moments(kind)[0]);
        assert_eq!(state.get(&momentum).unwrap().shape, [4, 3, 3, 3]);

        let mut resumed = self::network();
        resumed.load(&model).unwrap();
        let mut other = Optimiser::new(&settings, &mut resumed).unwrap();
        other.load(&state, &mut resumed).unwrap();
        optimiser.step(&mut network, 0.1).unwrap();
        other.step(&mut resumed, 0.1).unwrap();
        assert_eq!(values(&mut network), values(&mut resumed), "{kind}");
    }
}

#[test]
fn the_state_of_another_optimiser_is_refused_and_changes_nothing() {
    let mut network = network();
    let sgd = OptimiserSettings::of(OptimiserKind::Sgd, 0.01);
    let adamw = OptimiserSettings::of(OptimiserKind::AdamW, 0.01);
    let state = Optimiser::new(&sgd, &mut network)
        .unwrap()
        .state(&mut network)
        .unwrap();
    let mut optimiser = Optimiser::new(&adamw, &mut network).unwrap();
    let error = optimiser.load(&state, &mut network).unwrap_err();
    assert!(error.to_string().contains("exp_avg.conv.weight"), "{error}");
    let error = optimiser.load(&StateDict::default(), &mut network);
    assert!(error.is_err());
    assert_eq!(optimiser.steps, 0);
}

#[test]
fn optimisers_are_known_by_their_words() {
    for kind in OptimiserKind::ALL {
        assert_eq!(kind.to_string().parse(), Ok(kind));
    }
    let error = "adam".parse::<OptimiserKind>().unwrap_err();
    assert!(error.to_string().contains("adamw"), "{error}");
}
