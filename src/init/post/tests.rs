//! Promises about post-processing whole networks.

use super::*;
use crate::arch::zoo::{self, Options};
use crate::init::random;
use crate::nn::linalg::singular_values;

fn small() -> Arch {
    zoo::build("resnet18", &Options::for_images(10, 32)).unwrap()
}

fn go_on(_: Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn post(noise: bool, orth: bool) -> Post {
    Post {
        noise,
        orth,
        ..Post::default()
    }
}

fn floats<'s>(state: &'s StateDict, name: &str) -> &'s [f32] {
    state.get(name).unwrap().floats().unwrap()
}

#[test]
fn nothing_asked_changes_nothing() {
    let arch = small();
    let before = random::state(&arch, 1);
    let mut after = before.clone();
    let report = post_process(&mut after, &arch, &Post::default(), &mut go_on).unwrap();
    assert_eq!(before, after);
    assert!(report.layers.is_empty() && report.of == 21);
}

#[test]
fn treated_weights_become_orthogonal_and_others_stay() {
    let arch = small();
    let before = random::state(&arch, 1);
    let mut after = before.clone();
    let asked = Post {
        first_layer: FirstLayer::Name("layer2.0.conv1".to_owned()),
        ..post(false, true)
    };
    let report = post_process(&mut after, &arch, &asked, &mut go_on).unwrap();
    assert_eq!(report.warnings, []);
    for (name, tensor) in after.iter() {
        let treated = report.layers.iter().any(|l| l.tensor == name);
        let same = before.get(name) == Some(tensor);
        assert_eq!(same, !treated, "{name}");
        if treated {
            let matrix = MatrixView::new(&tensor.shape, tensor.floats().unwrap()).unwrap();
            let sigma = singular_values(&matrix).unwrap();
            assert!(sigma.iter().all(|s| (s - 1.0).abs() < 1e-5), "{name}");
        }
    }
    let name = "layer1.0.conv1.weight";
    assert_eq!(floats(&before, name), floats(&after, name));
    assert_eq!(before.get("fc.weight"), after.get("fc.weight"));
}

#[test]
fn noise_has_the_strength_of_beta_times_the_spread() {
    let arch = small();
    let before = random::state(&arch, 1);
    let mut after = before.clone();
    let asked = Post {
        beta: 0.1,
        ..post(true, false)
    };
    let report = post_process(&mut after, &arch, &asked, &mut go_on).unwrap();
    let layer = report.layers.last().unwrap();
    let (a, b) = (
        floats(&before, &layer.tensor),
        floats(&after, &layer.tensor),
    );
    let squares: f64 = a
        .iter()
        .zip(b)
        .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
        .sum();
    let strength = (squares / a.len() as f64).sqrt();
    let expected = 0.1 * layer.correlation_std.unwrap();
    assert!((strength / expected - 1.0).abs() < 0.02);
}

#[test]
fn the_result_depends_on_the_seed_alone() {
    let arch = small();
    let run = |seed| {
        let mut state = random::state(&arch, 1);
        let asked = Post {
            seed,
            first_layer: FirstLayer::Number(18),
            ..post(true, true)
        };
        post_process(&mut state, &arch, &asked, &mut go_on).unwrap();
        state
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}

#[test]
fn tiled_weights_without_noise_are_warned_of() {
    let arch = small();
    let mut state = random::state(&arch, 1);
    let name = "layer4.1.conv2.weight";
    let values = state.get_mut(name).unwrap().floats_mut().unwrap();
    let (first, rest) = values.split_at_mut(256 * 512 * 9);
    rest.copy_from_slice(first);
    let asked = Post {
        first_layer: FirstLayer::Number(20),
        ..post(false, true)
    };
    let report = post_process(&mut state.clone(), &arch, &asked, &mut go_on).unwrap();
    let deficient = |w: &&Warning| w.kind == WarningKind::RankDeficient;
    let text = report.warnings.iter().find(deficient).unwrap().to_string();
    assert!(text.contains(name) && text.contains("rounding"), "{text}");
    let asked = Post {
        noise: true,
        ..asked
    };
    let report = post_process(&mut state, &arch, &asked, &mut go_on).unwrap();
    assert_eq!(report.warnings, []);
    assert!(floats(&state, name).iter().all(|v| v.is_finite()));
}

#[test]
fn weights_without_variation_stay_finite() {
    let arch = small();
    let mut state = random::state(&arch, 1);
    let zeros = "layer4.1.conv1.weight";
    let rows = "layer4.1.conv2.weight";
    state
        .get_mut(zeros)
        .unwrap()
        .floats_mut()
        .unwrap()
        .fill(0.0);
    // The rows of the matrix view are columns of [out, rest] here.
    let values = state.get_mut(rows).unwrap().floats_mut().unwrap();
    values.iter_mut().step_by(512 * 9).for_each(|v| *v = 0.5);
    let asked = Post {
        first_layer: FirstLayer::Number(18),
        ..post(true, true)
    };
    let report = post_process(&mut state, &arch, &asked, &mut go_on).unwrap();
    let kinds: Vec<WarningKind> = report.warnings.iter().map(|w| w.kind).collect();
    assert!(kinds.contains(&WarningKind::NoSpread));
    assert!(kinds.contains(&WarningKind::ConstantRows));
    assert!(kinds.contains(&WarningKind::ZeroDiagonal));
    for name in [zeros, rows] {
        let tensor = state.get(name).unwrap();
        let matrix = MatrixView::new(&tensor.shape, tensor.floats().unwrap()).unwrap();
        let sigma = singular_values(&matrix).unwrap();
        assert!(sigma.iter().all(|s| (s - 1.0).abs() < 1e-5), "{name}");
    }
}

#[test]
fn broken_weights_are_named_and_nothing_is_changed() {
    let arch = small();
    let mut state = random::state(&arch, 1);
    let name = "layer3.0.conv1.weight";
    state.get_mut(name).unwrap().floats_mut().unwrap()[7] = f32::NAN;
    let values = |s: &StateDict| floats(s, "conv1.weight").to_vec();
    let before = values(&state);
    let error = post_process(&mut state, &arch, &post(true, true), &mut go_on).unwrap_err();
    assert!(error.to_string().contains(name), "{error}");
    assert_eq!(values(&state), before);
}

#[test]
fn other_networks_parameters_are_refused() {
    let arch = small();
    let mut other = random::state(
        &zoo::build("convnext_tiny", &Options::default()).unwrap(),
        1,
    );
    let error = post_process(&mut other, &arch, &post(false, true), &mut go_on).unwrap_err();
    assert!(matches!(error, InitError::MissingTensor { .. }));
    let large = zoo::build("resnet18", &Options::default()).unwrap();
    let mut large = random::state(&large, 1);
    let error = post_process(&mut large, &arch, &post(false, true), &mut go_on).unwrap_err();
    assert!(error.to_string().contains("[64, 3, 7, 7]"), "{error}");
}

#[test]
fn breaking_off_changes_nothing() {
    let arch = small();
    let before = random::state(&arch, 1);
    let mut after = before.clone();
    let error = post_process(&mut after, &arch, &post(false, true), &mut |_| {
        ControlFlow::Break(())
    });
    assert!(matches!(error, Err(InitError::Cancelled)));
    assert_eq!(before, after);
}

#[test]
fn a_beta_that_makes_no_sense_is_refused() {
    let arch = small();
    for beta in [-1.0, f64::NAN, f64::INFINITY] {
        let mut state = random::state(&arch, 1);
        let asked = Post {
            beta,
            ..post(true, false)
        };
        let error = post_process(&mut state, &arch, &asked, &mut go_on);
        assert!(matches!(error, Err(InitError::Beta(_))));
    }
}
