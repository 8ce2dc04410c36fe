//! Parameters in and out.

use super::*;
use crate::arch::{Builder, Draw, Linear, Op, Scheme, Shape};

#[test]
fn what_was_loaded_comes_out_again_in_the_same_order() {
    for arch in small_networks() {
        let state = start(&arch).state();
        let mut network = Network::new(&arch).unwrap();
        network.load(&state).unwrap();
        assert_eq!(network.state(), state);
        let names: Vec<&str> = state.iter().map(|(name, _)| name).collect();
        let expected: Vec<&str> = arch.tensors().iter().map(|t| t.name.as_str()).collect();
        assert_eq!(names, expected);
        for (spec, (_, tensor)) in arch.tensors().iter().zip(state.iter()) {
            assert_eq!(spec.shape, tensor.shape);
        }
    }
}

#[test]
fn a_foreign_state_is_refused_by_name_and_changes_nothing() {
    let arch = residual();
    let mut network = start(&arch);
    let before = network.state();
    let mut state: StateDict = before
        .iter()
        .filter(|(name, _)| !name.starts_with("stem"))
        .map(|(name, tensor)| (name.to_owned(), tensor.clone()))
        .collect();
    state.insert("fc.bias", Tensor::new(vec![7], vec![0.0; 7]));
    state.insert("extra\u{1b}[2J", Tensor::count(1));
    state.insert("bn.num_batches_tracked", Tensor::new(vec![], vec![1.0]));
    let error = network.load(&state).unwrap_err();
    assert_eq!(network.state(), before);
    let NnError::Mismatch { mismatch, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(mismatch.missing, ["stem.weight"]);
    assert_eq!(mismatch.unexpected, ["extra\u{1b}[2J"]);
    assert_eq!(mismatch.misshapen.len(), 2);
    let message = error.to_string();
    assert!(message.contains("fc.bias (7 instead of 4)"), "{message}");
    assert!(!message.contains('\u{1b}'), "{message}");
}

#[test]
fn images_are_flattened_in_the_order_of_pytorch() {
    let mut b = Builder::new("flat", Shape::image(2, 2, 3), 12);
    let draw = Draw {
        weight: Scheme::ONES,
        bias: Scheme::ZEROS,
    };
    let linear = Linear {
        in_features: 12,
        out_features: 12,
        bias: false,
    };
    let fc = b.linear("fc", linear, draw);
    let x = b.apply("", Op::Flatten, &[b.input()]).unwrap();
    b.call(fc, x).unwrap();
    let mut network = Network::new(&b.finish()).unwrap();
    let mut identity = vec![0.0; 144];
    identity.iter_mut().step_by(13).for_each(|v| *v = 1.0);
    let mut state = StateDict::default();
    state.insert("fc.weight", Tensor::new(vec![12, 12], identity));
    network.load(&state).unwrap();
    // Pixel p of channel c is 10 p + c: channels last on the way in, channels slowest on the way out.
    let pixels: Vec<f32> = (0..12).map(|i| (i / 2 * 10 + i % 2) as f32).collect();
    let expected: Vec<f32> = (0..12).map(|i| (i % 6 * 10 + i / 6) as f32).collect();
    let logits = network.forward(&images(&pixels, 1), Mode::Eval).unwrap();
    assert_eq!(logits, expected);
}
