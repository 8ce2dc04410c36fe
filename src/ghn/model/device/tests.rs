//! Predictions on the emulated device against those of the processor.

use std::sync::Mutex;

use super::DeviceGhn;
use crate::arch::zoo::{self, Options};
use crate::arch::{self, Arch, TensorChoice};
use crate::ghn::{
    ClassLayers, Config, Decoder, Ghn, HyperNet, PredictOptions, Prediction, Seconds,
};
use crate::nn::DeviceError;
use crate::nn::arrays::Arrays;

const ALL: PredictOptions<'static> = PredictOptions {
    class_layers: ClassLayers::Always,
    only: None,
    seed: 3,
};

/// GHN-2, but small.
fn ghn2() -> Config {
    Config {
        hid: 16,
        max_shape: [24, 16, 5, 5],
        ..Config::ghn2_cifar10()
    }
}

/// GHN-3, but small, and with heads of an odd width.
fn ghn3() -> Config {
    Config {
        hid: 20,
        max_shape: [20, 20, 6, 6],
        hypernet: HyperNet::Graphormer {
            layers: 2,
            heads: 4,
        },
        num_classes: 10,
        ..Config::ghn2_imagenet()
    }
}

/// The same GHN on the processor and on the emulated device; none without a compiler.
fn both(config: &Config) -> Option<[Ghn; 2]> {
    let arrays = Arrays::emulated(usize::MAX)?;
    let here = Ghn::untrained(config, 5).unwrap();
    Some([here, emulated(config, arrays).unwrap()])
}

fn emulated(config: &Config, arrays: Arrays) -> Result<Ghn, DeviceError> {
    let mut ghn = Ghn::untrained(config, 5).unwrap();
    ghn.there = Some(Mutex::new(DeviceGhn::new(&ghn.model, arrays)?));
    Ok(ghn)
}

/// Fails unless both agree: every value within a hundred-thousandth of its tensor's largest.
#[track_caller]
fn assert_same(here: &Prediction, there: &Prediction) {
    assert_eq!(here.unpredicted, there.unpredicted);
    assert_eq!(here.tensors.len(), there.tensors.len());
    assert!(!here.tensors.is_empty());
    for ((name, a), (other, b)) in here.tensors.iter().zip(there.tensors.iter()) {
        assert_eq!((name, &a.shape), (other, &b.shape));
        let (a, b) = (a.floats().unwrap(), b.floats().unwrap());
        let largest = a.iter().fold(0.0, |m: f32, v| m.max(v.abs()));
        assert!(largest > 0.0, "{name}");
        for (i, (a, b)) in a.iter().zip(b).enumerate() {
            let error = (a - b).abs() / largest;
            assert!(error <= 1e-5, "{name}, value {i}: {b} instead of {a}");
        }
    }
}

#[track_caller]
fn compare(config: &Config, arch: &Arch, options: &PredictOptions<'_>) {
    let Some([here, there]) = both(config) else {
        return;
    };
    let expected = here.predict(arch, options).unwrap();
    // The second time, memory is used again.
    for _ in 0..2 {
        let got = there.predict(arch, options).unwrap();
        assert_same(&expected, &got);
        let Seconds {
            graph,
            up,
            gnn,
            decode,
            down,
        } = got.seconds;
        assert!([graph, up, gnn, decode, down].iter().all(|s| *s > 0.0));
    }
}

fn network(name: &str, classes: usize, side: usize) -> Arch {
    zoo::build(name, &Options::for_images(classes, side)).unwrap()
}

/// Fire modules have kernels of 1 and 3 with few and many channels; another class count cuts or repeats rows.
#[test]
fn convolutions_agree_with_the_processor() {
    for classes in [10, 23] {
        let arch = network("squeezenet1_1", classes, 32);
        for config in [ghn2(), ghn3()] {
            compare(&config, &arch, &ALL);
        }
    }
}

/// Depthwise kernels of 7, layer norms, layer scales; blocks narrower than the widest on either side.
#[test]
fn networks_of_deepnets_agree_with_the_processor() {
    for name in ["deepnets:3", "deepnets/vit", "deepnets:11"] {
        let arch = arch::build(name, &Options::for_images(7, 32)).unwrap();
        for config in [ghn2(), ghn3()] {
            compare(&config, &arch, &ALL);
        }
    }
}

/// Kernels of 32 are stretched, and position encodings have a token that is drawn.
#[test]
fn vision_transformers_agree_with_the_processor_where_they_are_special() {
    let arch = network("vit_b_32", 10, 224);
    let wanted = [
        "conv_proj",
        "encoder.pos_embedding",
        "heads",
        "*layer_3.ln_1",
    ];
    let only = TensorChoice::of(&arch, &wanted.map(str::to_owned)).unwrap();
    let options = PredictOptions {
        only: Some(&only),
        ..ALL
    };
    for config in [ghn2(), ghn3()] {
        compare(&config, &arch, &options);
    }
}

/// GHN-1 scales nothing, the MLP sees no graph and decodes whole blocks, LoGAH multiplies thin factors.
#[test]
fn other_kinds_agree_with_the_processor() {
    let ghn1 = ghn2().as_ghn1();
    let mlp = Config {
        hypernet: HyperNet::Mlp,
        decoder: Decoder::Mlp,
        max_shape: [12, 8, 5, 5],
        ..ghn2()
    };
    let low_rank = Config {
        decoder: Decoder::LowRank {
            rank: 6,
            spread: 40,
        },
        ..ghn3()
    };
    let arch = network("squeezenet1_1", 23, 32);
    let transformer = arch::build("deepnets/vit", &Options::for_images(7, 32)).unwrap();
    for config in [ghn1, mlp, low_rank] {
        compare(&config, &arch, &ALL);
        compare(&config, &transformer, &ALL);
    }
}

#[test]
fn nothing_asked_for_is_nothing_predicted() {
    let Some([_, there]) = both(&ghn3()) else {
        return;
    };
    let arch = network("squeezenet1_1", 23, 32);
    let only = TensorChoice::of(&arch, &["classifier".to_owned()]).unwrap();
    let options = PredictOptions {
        only: Some(&only),
        class_layers: ClassLayers::Never,
        ..ALL
    };
    let prediction = there.predict(&arch, &options).unwrap();
    assert!(prediction.tensors.is_empty());
}

#[test]
fn a_lack_of_memory_says_what_to_do_and_leaves_the_ghn_usable() {
    let arch = network("squeezenet1_1", 10, 32);
    let here = Ghn::untrained(&ghn3(), 5).unwrap();
    let weights = here.parameter_count() * size_of::<f32>();
    let on = |room: usize| {
        let arrays = Arrays::emulated(room)?;
        Some(emulated(&ghn3(), arrays))
    };
    let Some(too_little) = on(weights / 2) else {
        return;
    };
    assert!(matches!(too_little, Err(DeviceError::OutOfMemory { .. })));
    let there = on(weights + (2 << 20)).unwrap().unwrap();
    let error = there.predict(&arch, &ALL).unwrap_err();
    assert!(error.to_string().contains("--device cpu"), "{error}");
    let only = TensorChoice::of(&arch, &["features.3".to_owned()]).unwrap();
    let options = PredictOptions {
        only: Some(&only),
        ..ALL
    };
    let expected = here.predict(&arch, &options).unwrap();
    assert_same(&expected, &there.predict(&arch, &options).unwrap());
}

/// A GHN that learns is not the one whose weights lie on the device.
#[test]
fn changed_weights_are_those_that_predict() {
    let Some([mut here, mut there]) = both(&ghn2()) else {
        return;
    };
    let arch = network("squeezenet1_1", 10, 32);
    for ghn in [&mut here, &mut there] {
        let weights = ghn.weights_mut();
        weights
            .into_iter()
            .for_each(|w| w.iter_mut().for_each(|v| *v *= 0.5));
    }
    let expected = here.predict(&arch, &ALL).unwrap();
    assert_same(&expected, &there.predict(&arch, &ALL).unwrap());
}
