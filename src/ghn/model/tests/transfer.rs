//! Other classes and other images than the GHN was trained for, against plain loops over its weights.
//!
//! Letters: `C` width of a state, `S` side of the largest block, `M` its channels.

use super::*;
use crate::ghn::{Graph, Parameter};

/// The small GHN-2's own numbers.
const M: usize = 16;
const S: usize = 11;

/// `f(weight x + bias)` of the linear layer called `name`, with `f` a rectifier or nothing.
fn linear(tensors: &StateDict, name: &str, x: &[f64], rectify: bool) -> Vec<f64> {
    let of = |kind: &str| {
        let tensor = tensors.get(&format!("{name}.{kind}")).unwrap();
        tensor.floats().unwrap()
    };
    let rows = of("weight").chunks_exact(x.len()).zip(of("bias"));
    let sums = rows.map(|(row, bias)| {
        let products = row.iter().zip(x).map(|(w, x)| f64::from(*w) * x);
        let sum = products.sum::<f64>() + f64::from(*bias);
        if rectify { sum.max(0.0) } else { sum }
    });
    sums.collect()
}

/// What the convolutional decoder makes of a state: for each of the `S * S` positions that are asked for,
/// `[M, M]` values, outputs first.
fn block(tensors: &StateDict, state: &[f64], positions: usize) -> Vec<Vec<f64>> {
    let wide = linear(tensors, "decoder.fc.0", state, true);
    let at = |position: usize| -> Vec<f64> {
        let column: Vec<f64> = wide.iter().skip(position).step_by(S * S).copied().collect();
        let hidden = linear(tensors, "decoder.conv.0", &column, true);
        linear(tensors, "decoder.conv.2", &hidden, false)
    };
    (0..positions).map(at).collect()
}

/// The state of the node that makes the parameter called `name`.
fn state(ghn: &Ghn, arch: &Arch, name: &str) -> Vec<f64> {
    let parameters = Parameter::list(arch);
    let graph = Graph::of(arch);
    let mut nodes = graph.nodes.iter();
    let node = nodes.position(|n| n.parameter.is_some_and(|p| parameters[p].name == name));
    let (_, states) = ghn.states(&graph, &parameters);
    let c = ghn.config().hid;
    let row = &states.normalised[node.unwrap() * c..][..c];
    row.iter().map(|v| f64::from(*v)).collect()
}

fn predicted(ghn: &Ghn, arch: &Arch, class_layers: ClassLayers, only: &str) -> Prediction {
    let only = TensorChoice::of(arch, &[only.to_owned()]).unwrap();
    let options = PredictOptions {
        class_layers,
        only: Some(&only),
        seed: 1,
    };
    ghn.predict(arch, &options).unwrap()
}

#[test]
fn classes_of_the_ghn_are_cut_or_repeated() {
    let tensors = tiny();
    let ghn = Ghn::read(&fixture("ghn2_tiny.safetensors")).unwrap();
    for classes in [7, 10, 37, 100] {
        let arch = network("resnet18", classes, 32);
        let got = predicted(&ghn, &arch, ClassLayers::Always, "fc").tensors;
        let block = block(&tensors, &state(&ghn, &arch, "fc.weight"), 1).remove(0);
        let weight = got.get("fc.weight").unwrap();
        assert_eq!(weight.shape, [classes, 512]);
        let scale = (2.0 / 512.0_f64).sqrt();
        for (i, row) in weight.floats().unwrap().chunks_exact(512).enumerate() {
            for (j, value) in row.iter().enumerate() {
                // Over the block's outputs, for the input that this one repeats.
                let column: Vec<f64> = (0..M).map(|o| block[o * M + j % M].max(0.0)).collect();
                let all = linear(&tensors, "decoder.class_layer_predictor.1", &column, false);
                let off = f64::from(*value) - scale * all[i % 10];
                assert!(off.abs() < 1e-6, "{classes} classes, {i} {j}: {off}");
                if j == 2 * M {
                    break;
                }
            }
        }
        let hidden = linear(
            &tensors,
            "decoder_1d.fc.0",
            &state(&ghn, &arch, "fc.bias"),
            true,
        );
        let pair = linear(&tensors, "decoder_1d.fc.2", &hidden, false);
        let longest: Vec<f64> = pair[M..].iter().map(|v| v.max(0.0)).collect();
        let all = linear(&tensors, "bias_class.1", &longest, false);
        let bias = got.get("fc.bias").unwrap().floats().unwrap();
        for (i, value) in bias.iter().enumerate() {
            assert!((f64::from(*value) - (0.2 * all[i % 10]).tanh()).abs() < 1e-6);
        }
    }
}

#[test]
fn only_equal_class_counts_are_predicted_unasked() {
    for of_ghn in [10, 1000] {
        let config = Config {
            hid: 8,
            max_shape: [8, 8, 3, 3],
            num_classes: of_ghn,
            ..Config::ghn2_cifar10()
        };
        let ghn = Ghn::untrained(&config, 1).unwrap();
        for classes in [10, 37, 100, 1000] {
            let arch = network("resnet18", classes, 32);
            let usual = predicted(&ghn, &arch, ClassLayers::WhenClassesMatch, "fc");
            assert_eq!(usual.tensors.is_empty(), classes != of_ghn);
            let never = predicted(&ghn, &arch, ClassLayers::Never, "fc");
            assert!(never.tensors.is_empty());
            let always = predicted(&ghn, &arch, ClassLayers::Always, "fc").tensors;
            let weight = always.get("fc.weight").unwrap().floats().unwrap();
            let rows: Vec<&[f32]> = weight.chunks_exact(512).collect();
            for (i, row) in rows.iter().enumerate() {
                assert_eq!(*row, rows[i % of_ghn]);
            }
            assert_ne!(rows[0], rows[9]);
        }
    }
}

/// Of a vision transformer: encodings for fewer places than the decoder has are its first ones, and for more
/// of them its plane is stretched between the centres of its pixels.
#[test]
fn position_encodings_suit_the_size_of_the_images() {
    let tensors = tiny();
    let ghn = Ghn::read(&fixture("ghn2_tiny.safetensors")).unwrap();
    let name = "encoder.pos_embedding";
    for (image, side) in [(96, 6), (176, 11), (224, 14), (384, 24)] {
        let arch = network("vit_b_16", 10, image);
        let own = state(&ghn, &arch, name);
        let planes = block(&tensors, &own, S * S);
        let got = predicted(&ghn, &arch, ClassLayers::Never, name).tensors;
        let got = got.get(name).unwrap();
        assert_eq!(got.shape, [1, side * side + 1, 768]);
        let tokens = got.floats().unwrap().chunks_exact(768).skip(1);
        for (place, token) in tokens.enumerate() {
            let (y, x) = (place / side, place % side);
            for (c, value) in token.iter().enumerate().take(2 * M) {
                let at = |y: usize, x: usize| planes[y * S + x][c % M];
                let expected = if side <= S {
                    at(y, x)
                } else {
                    let (y0, y1, fy) = between(y, side);
                    let (x0, x1, fx) = between(x, side);
                    let top = at(y0, x0) * (1.0 - fx) + at(y0, x1) * fx;
                    let bottom = at(y1, x0) * (1.0 - fx) + at(y1, x1) * fx;
                    top * (1.0 - fy) + bottom * fy
                };
                let off = f64::from(*value) - expected;
                assert!(off.abs() < 1e-5, "{image}: {y} {x} {c}: {off}");
            }
        }
    }
}

/// The two pixels of `S` between which pixel `i` of `side` lies, and its way from the first.
fn between(i: usize, side: usize) -> (usize, usize, f64) {
    let place = ((i as f64 + 0.5) * S as f64 / side as f64 - 0.5).clamp(0.0, (S - 1) as f64);
    let first = place.floor();
    (first as usize, place.ceil() as usize, place - first)
}
