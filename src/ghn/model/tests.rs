//! Promises about GHN models that need no reference figures.

mod learn;
mod transfer;

use std::path::PathBuf;

use serde_json::json;

use super::dense::Dense;
use super::*;
use crate::arch::{Arch, zoo};
use crate::nn::files::{read_state, write_safetensors};
use crate::nn::{Tensor, Values};

fn fixture(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/fixtures/ghn/weights").join(name)
}

/// The tensors of a small GHN-2.
fn tiny() -> StateDict {
    read_state(fixture("ghn2_tiny.safetensors"))
        .unwrap()
        .tensors
}

fn network(name: &str, classes: usize, side: usize) -> Arch {
    zoo::build(name, &zoo::Options::for_images(classes, side)).unwrap()
}

/// What `Ghn::read` says to these tensors.
fn read(tensors: &StateDict) -> Result<Ghn, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.safetensors");
    write_safetensors(&path, tensors, &std::collections::BTreeMap::new()).unwrap();
    Ghn::read(&path).map_err(|e| e.to_string())
}

#[test]
fn bare_tensors_tell_the_config() {
    let stored = Ghn::read(&fixture("ghn2_tiny.safetensors")).unwrap();
    let bare = read(&tiny()).unwrap();
    assert_eq!(bare.config(), stored.config());
    assert_eq!(bare.kind(), "GHN-2");
    let arch = network("resnet18", 10, 32);
    let options = PredictOptions::default();
    let (a, b) = (
        stored.predict(&arch, &options),
        bare.predict(&arch, &options),
    );
    assert_eq!(a.unwrap().tensors, b.unwrap().tensors);
}

#[test]
fn published_configs_have_the_published_number_of_parameters() {
    let cifar = Config::ghn2_cifar10();
    let imagenet = Config::ghn2_imagenet();
    for (config, count) in [(cifar, 1_620_764), (imagenet, 2_319_720)] {
        let ghn = Ghn::untrained(&config, 1).unwrap();
        assert_eq!(ghn.parameter_count(), count);
    }
}

#[test]
fn released_graphormers_have_the_published_number_of_parameters() {
    for (hid, layers, heads, count) in [(64, 3, 8, 6_906_632), (128, 5, 16, 35_810_368)] {
        let config = Config::ghn3_imagenet(hid, layers, heads);
        let ghn = Ghn::untrained(&config, 1).unwrap();
        assert_eq!(ghn.parameter_count(), count);
        assert_eq!(ghn.kind(), "GHN-3");
    }
}

/// Knyazev et al. 2023's initialisation: small tables, weak last layers without a bias.
#[test]
fn a_fresh_ghn_3_begins_with_small_predictions() {
    let config = Config::ghn3_imagenet(16, 1, 8);
    let weights = Weights::random(&config, 1);
    let deviation = |values: &[f32]| {
        let square: f32 = values.iter().map(|v| v * v).sum();
        (square / values.len() as f32).sqrt()
    };
    let table = weights.embedding("embed", 1000, 16).unwrap();
    assert!((deviation(&table) - 0.25).abs() < 0.01);
    let inner = weights.dense("decoder.conv.0", 128, 64).unwrap();
    let last = weights.dense("decoder.conv.2", 256, 64).unwrap();
    // Uniform within an eighth, and within a fifth of that.
    assert!((deviation(&inner.weight) - 0.125 / 3.0_f32.sqrt()).abs() < 2e-3);
    assert!((deviation(&last.weight) - 0.025 / 3.0_f32.sqrt()).abs() < 4e-4);
    let all_zero = |dense: &Dense| dense.bias.as_ref().unwrap().iter().all(|b| *b == 0.0);
    assert!(all_zero(&last) && !all_zero(&inner));
}

#[test]
fn damaged_checkpoints_are_refused_by_tensor() {
    let without = |name: &str| -> StateDict {
        let tensors = tiny().into_iter();
        tensors.filter(|(n, _)| n != name).collect()
    };
    let name = "gnn.gru.bias_hh";
    let message = read(&without(name)).unwrap_err();
    assert!(
        message.contains(name) && message.contains("missing"),
        "{message}"
    );

    let mut tensors = tiny();
    tensors.insert(name, Tensor::new(vec![47], vec![0.0; 47]));
    let message = read(&tensors).unwrap_err();
    assert!(
        message.contains("[47]") && message.contains("[48]"),
        "{message}"
    );

    let mut tensors = tiny();
    if let Some(values) = tensors.get_mut(name).and_then(Tensor::floats_mut) {
        values[3] = f32::NAN;
    }
    let message = read(&tensors).unwrap_err();
    assert!(
        message.contains(name) && message.contains("finite"),
        "{message}"
    );

    let mut tensors = tiny();
    tensors.insert(
        name,
        Tensor {
            shape: vec![48],
            values: Values::I64(vec![0; 48]),
        },
    );
    assert!(read(&tensors).unwrap_err().contains(name));
}

#[test]
fn a_network_is_not_taken_for_a_ghn() {
    let network: StateDict = [("conv1.weight".to_owned(), Tensor::new(vec![1], vec![0.0]))]
        .into_iter()
        .collect();
    let message = read(&network).unwrap_err();
    assert!(message.contains("holds no GHN"), "{message}");
}

#[test]
fn senseless_configs_are_refused_by_field() {
    for (given, field) in [
        (json!({"hid": 18}), "hid"),
        (json!({"hid": "wide"}), "hid"),
        (json!({"max_shape": [16, 16, 11]}), "max_shape"),
        (json!({"max_shape": [16, 16, 0, 0]}), "max_shape"),
        (json!({"num_classes": -1}), "num_classes"),
        (json!({"hypernet": "gcn"}), "hypernet"),
        (json!({"decoder": 3}), "decoder"),
        (json!({"layernorm": "yes"}), "layernorm"),
    ] {
        let message = Config::of("file", &tiny(), Some(&given))
            .unwrap_err()
            .to_string();
        assert!(message.contains(&format!("\"{field}\"")), "{message}");
    }
}

#[test]
fn an_untrained_ghn_depends_on_its_seed_and_says_what_it_is() {
    let [a, b, c] = [1, 1, 2].map(|seed| Ghn::open(UNTRAINED, seed).unwrap());
    assert!(!a.trained());
    assert_eq!(a.hash().unwrap(), b.hash().unwrap());
    assert_ne!(a.hash().unwrap(), c.hash().unwrap());
    let arch = network("resnet18", 10, 32);
    let options = PredictOptions::default();
    let [a, b, c] = [a, b, c].map(|g| g.predict(&arch, &options).unwrap().tensors);
    assert_eq!(a, b);
    assert_ne!(a, c);
}

#[test]
fn the_default_ghn_is_trained_whatever_the_seed() {
    let [a, b] = [1, 2].map(|seed| Ghn::open(DEFAULT, seed).unwrap());
    assert!(a.trained() && a.path().is_none());
    assert_eq!((a.name(), a.config().num_classes), (DEFAULT, 10));
    assert_eq!(a.hash().unwrap(), b.hash().unwrap());
    assert!(BUILT_IN.len() <= 16 << 20, "it makes the program too large");
}

#[test]
fn predictions_fit_the_network_and_are_finite() {
    let ghn = Ghn::open(DEFAULT, 1).unwrap();
    for name in ["resnext50_32x4d", "convnext_tiny"] {
        let arch = network(name, 10, 224);
        let prediction = ghn.predict(&arch, &PredictOptions::default()).unwrap();
        let mut names = prediction.unpredicted.clone();
        for spec in arch.parameters() {
            if let Some(tensor) = prediction.tensors.get(&spec.name) {
                assert_eq!(tensor.shape, spec.shape, "{name} {}", spec.name);
                let values = tensor.floats().unwrap();
                assert!(values.iter().all(|v| v.is_finite()), "{name} {}", spec.name);
                names.push(spec.name.clone());
            }
        }
        assert_eq!(names.len(), arch.parameters().count());
        let only_scales = |n: &String| n.ends_with("layer_scale");
        assert!(prediction.unpredicted.iter().all(only_scales));
    }
}

#[test]
fn class_layers_are_left_alone_when_the_classes_differ() {
    let ghn = Ghn::open(DEFAULT, 1).unwrap();
    let arch = network("resnet18", 7, 32);
    let predict = |class_layers| {
        let options = PredictOptions {
            class_layers,
            ..PredictOptions::default()
        };
        ghn.predict(&arch, &options).unwrap()
    };
    let usual = predict(ClassLayers::WhenClassesMatch);
    assert_eq!(usual.unpredicted, ["fc.weight", "fc.bias"]);
    let forced = predict(ClassLayers::Always);
    assert!(forced.unpredicted.is_empty());
    assert_eq!(forced.tensors.get("fc.weight").unwrap().shape, [7, 512]);
}

#[test]
fn tensors_that_are_asked_for_are_those_of_the_whole_prediction() {
    let ghn = Ghn::read(&fixture("ghn2_tiny.safetensors")).unwrap();
    let arch = network("resnet18", 10, 32);
    let whole = ghn.predict(&arch, &PredictOptions::default()).unwrap();
    let patterns = ["layer4.1", "bn1.bias", "fc.weight"].map(ToOwned::to_owned);
    let only = TensorChoice::of(&arch, &patterns).unwrap();
    let options = PredictOptions {
        only: Some(&only),
        ..PredictOptions::default()
    };
    let part = ghn.predict(&arch, &options).unwrap();
    let names: Vec<&str> = part.tensors.iter().map(|(name, _)| name).collect();
    let expected = [
        "bn1.bias",
        "layer4.1.conv1.weight",
        "layer4.1.bn1.weight",
        "layer4.1.bn1.bias",
        "layer4.1.conv2.weight",
        "layer4.1.bn2.weight",
        "layer4.1.bn2.bias",
        "fc.weight",
    ];
    assert_eq!(names, expected);
    // How a product is divided, and so its rounding, depends on how many tensors are decoded at once.
    for (name, tensor) in part.tensors.iter() {
        let pairs = whole.tensors.get(name).and_then(Tensor::floats);
        let pairs = pairs.unwrap().iter().zip(tensor.floats().unwrap());
        assert!(
            pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-6),
            "{name}"
        );
    }
    let parameters = arch.parameters().count();
    assert_eq!(part.unpredicted.len(), parameters - expected.len());
}

/// Of both decoders of whole blocks: a smaller block is the corner of a larger one.
#[test]
fn smaller_blocks_are_corners_of_larger_ones() {
    for decoder in [Decoder::Conv, Decoder::Mlp] {
        let config = Config {
            hid: 8,
            max_shape: [6, 5, 3, 3],
            decoder,
            ..Config::ghn2_cifar10()
        };
        let weights = WeightDecoder::new(&config, &Weights::random(&config, 1)).unwrap();
        let states: Vec<f32> = (0..16).map(|i| (i as f32 * 0.7).sin()).collect();
        let shape = |outputs, inputs, kernel| BlockShape {
            outputs,
            inputs,
            kernel,
        };
        let (large, small) = (shape(6, 5, [3, 3]), shape(2, 3, [1, 2]));
        let (whole, _) = weights.blocks(&states, large);
        let (corner, _) = weights.blocks(&states, small);
        assert_eq!(corner.len(), 2 * 3 * 2 * 2);
        for (i, value) in corner.iter().enumerate() {
            let (node, x) = (i % 2, i / 2 % 2);
            let (input, output) = (i / 4 % 3, i / 12);
            let at = ((output * 5 + input) * 9 + x) * 2 + node;
            assert!((whole[at] - value).abs() < 1e-6, "{decoder:?} {i}");
        }
        let (classes, _) = weights.class_block(&states[..8], config.class_shape(4));
        assert_eq!(classes.len(), 10 * 4);
    }
}

#[test]
fn kernels_beyond_the_decoder_are_stretched() {
    let config = Config {
        hid: 8,
        max_shape: [4, 4, 3, 3],
        ..Config::ghn2_cifar10()
    };
    let weights = WeightDecoder::new(&config, &Weights::random(&config, 1)).unwrap();
    let shape = config.block_shape(2, 2, [5, 5]);
    let (blocks, _) = weights.blocks(&[0.5; 8], shape);
    let (decoded, _) = weights.blocks(&[0.5; 8], config.block_shape(2, 2, [3, 3]));
    // Output, input, position: the corners of a stretched plane are the corners of the plane.
    assert_eq!(blocks.len(), 100);
    for (stretched, original) in [(0, 0), (4, 2), (20, 6), (24, 8)] {
        for channel in 0..4 {
            let difference = blocks[channel * 25 + stretched] - decoded[channel * 9 + original];
            assert!(difference.abs() < 1e-6);
        }
    }
}

#[test]
fn a_low_rank_decoder_makes_wide_layers_without_copies() {
    let low_rank = Config {
        decoder: Decoder::LowRank {
            rank: 8,
            spread: 2048,
        },
        max_shape: [512, 512, 11, 11],
        ..Config::ghn2_cifar10()
    };
    let copies = |config: &Config| {
        let ghn = Ghn::untrained(config, 1).unwrap();
        let predicted = ghn
            .predict(&network("resnet18", 10, 32), &PredictOptions::default())
            .unwrap();
        let weight = predicted.tensors.get("layer4.1.conv1.weight").unwrap();
        let rows = weight.floats().unwrap().chunks_exact(512 * 9);
        let bits = |row: &[f32]| row.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        let distinct: std::collections::HashSet<_> = rows.map(bits).collect();
        512 / distinct.len()
    };
    assert_eq!(copies(&Config::ghn2_cifar10()), 8);
    assert_eq!(copies(&low_rank), 1);
}

#[test]
fn a_low_rank_decoder_is_told_by_its_tensors() {
    let config = Config {
        decoder: Decoder::LowRank {
            rank: 6,
            spread: 40,
        },
        max_shape: [24, 24, 11, 11],
        ..Config::ghn2_cifar10()
    };
    let state = Ghn::untrained(&config, 1).unwrap().state();
    let written = serde_json::to_value(config).unwrap();
    for given in [None, Some(&written)] {
        assert_eq!(Config::of("a file", &state, given).unwrap(), config);
    }
    let refused = Config {
        decoder: Decoder::LowRank {
            rank: 6,
            spread: 10,
        },
        ..config
    };
    assert!(refused.check("a recipe").is_err());
}
