//! Calibration against PyTorch, against plain loops, and by what it is for.

use serde::Deserialize;

use super::*;
use crate::arch::{Activation, Builder, Conv2d, Draw, Linear, Op, Scheme, Shape, zoo};
use crate::data::{self, Protocol, Split, TrainLoader};
use crate::init::random;
use crate::nn::{Device, Precision, StepOptions};
use crate::train::optim::{Optimiser, OptimiserKind, OptimiserSettings};
use crate::train::{Metrics, evaluate};

const SIDE: usize = 8;

fn cpu() -> Placement {
    Placement::new(Device::Cpu, Precision::F32).unwrap()
}

/// Two convolutions with norms of either momentum behind them, and a classifier.
fn two_norms() -> Arch {
    let draw = Draw {
        weight: Scheme::Normal { std: 0.2 },
        bias: Scheme::ZEROS,
    };
    let mut b = Builder::new("two", Shape::image(3, SIDE, SIDE), 10);
    let first = b.conv("a", Conv2d::new(3, 8, 3).padding(1), draw);
    let first_norm = b.batch_norm("an", 8);
    let second = b.conv("b", Conv2d::new(8, 16, 3).padding(1), draw);
    let second_norm = b.batch_norm_with("bn", 16, 1e-3, 0.01);
    let fc = Linear {
        in_features: 16,
        out_features: 10,
        bias: true,
    };
    let fc = b.linear("fc", fc, draw);
    let mut x = b.input();
    for (path, conv, norm) in [("f", first, first_norm), ("g", second, second_norm)] {
        x = b.call(conv, x).unwrap();
        x = b.call(norm, x).unwrap();
        let relu = Op::Activation(Activation::Relu);
        x = b.apply(path, relu, &[x]).unwrap();
    }
    let x = b.apply("pool", Op::AdaptiveAvgPool([1, 1]), &[x]).unwrap();
    let x = b.apply("flatten", Op::Flatten, &[x]).unwrap();
    b.call(fc, x).unwrap();
    b.finish()
}

fn protocol(batch: usize) -> Protocol {
    Protocol {
        side: SIDE,
        batch,
        augment: false,
        seed: 3,
        ..Protocol::default()
    }
}

fn loader(images: usize, batch: usize) -> EvalLoader {
    let data = data::open("synthetic", &Default::default()).unwrap();
    EvalLoader::mixed(&data, Split::Train, &protocol(batch), Some(images)).unwrap()
}

fn calibrated(arch: &Arch, state: &mut StateDict, loader: &mut EvalLoader) -> Calibration {
    let done = calibrate(arch, state, cpu(), loader, |_| ControlFlow::Continue(()));
    done.unwrap().unwrap()
}

fn floats<'a>(state: &'a StateDict, name: &str) -> &'a [f32] {
    state.get(name).unwrap().floats().unwrap()
}

#[derive(Deserialize)]
struct Reference {
    norms: Vec<Sums>,
    first: Vec<First>,
    batches: u64,
}

#[derive(Deserialize)]
struct Sums {
    name: String,
    mean_sum: f64,
    var_sum: f64,
}

#[derive(Deserialize)]
struct First {
    name: String,
    mean: Vec<f64>,
    var: Vec<f64>,
}

/// The rule of tests/fixtures/calibrate/make.py.
fn wave(k: usize, n: usize) -> impl Iterator<Item = f64> {
    (0..n).map(move |i| (0.7 * i as f64 + 1.3 * k as f64).sin())
}

fn filled(arch: &Arch) -> StateDict {
    let mut state = random::state(arch, 1);
    for (k, spec) in arch.parameters().enumerate() {
        let fan_in = spec.len() as f64 / spec.shape[0] as f64;
        let value = |u: f64| match spec.shape.len() {
            2.. => u * (6.0 / fan_in).sqrt(),
            _ if spec.name.ends_with("weight") => 1.0 + 0.1 * u,
            _ => 0.1 * u,
        };
        let values = wave(k, spec.len()).map(|u| value(u) as f32).collect();
        state.insert(spec.name.as_str(), Tensor::new(spec.shape.clone(), values));
    }
    state
}

#[test]
fn statistics_are_those_that_pytorch_gathers() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/calibrate/reference.json"
    );
    let reference: Reference =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let arch = zoo::build("resnet18", &zoo::Options::for_images(10, 32)).unwrap();
    let averages = Averages::of(&arch);
    let mut follower = Follower::new(&arch, &filled(&arch), cpu(), averages).unwrap();
    let (batch, pixels) = (4, 32 * 32);
    for k in 0..3 {
        let mut images = vec![0.0; batch * 3 * pixels];
        for (i, u) in wave(1000 + k, images.len()).enumerate() {
            let (image, channel, pixel) = (i / (3 * pixels), i / pixels % 3, i % pixels);
            images[(image * pixels + pixel) * 3 + channel] = u as f32;
        }
        let images = Images {
            pixels: &images,
            batch,
        };
        follower.see(&images).unwrap();
    }
    let averages = follower.averages;
    assert_eq!(averages.batches, reference.batches);
    assert_eq!(averages.counters.len(), reference.norms.len());
    let measured = averages.tensors();
    let sum = |name: &str| {
        floats(&measured, name)
            .iter()
            .map(|v| f64::from(*v))
            .sum::<f64>()
    };
    let of = |norm: &str, what: &str| format!("{norm}.running_{what}");
    for norm in &reference.norms {
        let var = sum(&of(&norm.name, "var"));
        assert!((var / norm.var_sum - 1.0).abs() < 1e-5, "{}", norm.name);
        let channels = floats(&measured, &of(&norm.name, "mean")).len() as f64;
        // A mean is known to a small share of the channel's deviation.
        let spread = (norm.var_sum * channels).sqrt();
        let off = sum(&of(&norm.name, "mean")) - norm.mean_sum;
        assert!(off.abs() < 1e-5 * spread, "{} {off}", norm.name);
    }
    for norm in &reference.first {
        let mean = floats(&measured, &of(&norm.name, "mean"));
        let var = floats(&measured, &of(&norm.name, "var"));
        for i in 0..norm.mean.len() {
            let deviation = norm.var[i].sqrt();
            assert!((f64::from(mean[i]) - norm.mean[i]).abs() < 1e-4 * deviation);
            assert!((f64::from(var[i]) / norm.var[i] - 1.0).abs() < 1e-4);
        }
    }
}

/// The first norm's input is a convolution of the images, so its statistics are easily found.
#[test]
fn statistics_are_averages_over_whole_batches() {
    let arch = two_norms();
    let before = random::state(&arch, 4);
    let mut state = before.clone();
    let done = calibrated(&arch, &mut state, &mut loader(20, 8));
    assert_eq!((done.images, done.batches, done.norms), (16, 2, 2));
    for (name, tensor) in before
        .iter()
        .filter(|(n, _)| !n.starts_with("bn.") && !n.starts_with("an."))
    {
        assert_eq!(state.get(name), Some(tensor));
    }
    assert_eq!(state.get("an.weight"), before.get("an.weight"));
    assert_eq!(state.get("bn.num_batches_tracked"), Some(&Tensor::count(2)));

    let weight = floats(&before, "a.weight");
    let (mut means, mut variances) = ([0.0; 8], [0.0; 8]);
    for batch in loader(20, 8).take(2) {
        let batch = batch.unwrap();
        for channel in 0..8 {
            let filter = &weight[channel * 27..(channel + 1) * 27];
            let values = convolved(&batch.pixels, filter);
            let count = values.len() as f64;
            let mean = values.iter().sum::<f64>() / count;
            let square: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
            means[channel] += mean / 2.0;
            variances[channel] += square / (count - 1.0) / 2.0;
        }
    }
    for channel in 0..8 {
        let mean = f64::from(floats(&state, "an.running_mean")[channel]);
        let var = f64::from(floats(&state, "an.running_var")[channel]);
        assert!((mean - means[channel]).abs() < 1e-5, "{mean}");
        assert!((var / variances[channel] - 1.0).abs() < 1e-5, "{var}");
    }
}

/// One channel of a 3x3 convolution with zeros around, of images `[batch, SIDE, SIDE, 3]`; `filter` is
/// `[3, 3, 3]`.
fn convolved(pixels: &[f32], filter: &[f32]) -> Vec<f64> {
    let mut all = Vec::new();
    for image in pixels.chunks_exact(SIDE * SIDE * 3) {
        for at in 0..SIDE * SIDE {
            let mut sum = 0.0;
            for (tap, weight) in filter.iter().enumerate() {
                let (c, dy, dx) = (tap / 9, tap / 3 % 3, tap % 3);
                let (y, x) = (at / SIDE + dy, at % SIDE + dx);
                if (1..=SIDE).contains(&y) && (1..=SIDE).contains(&x) {
                    let pixel = image[((y - 1) * SIDE + x - 1) * 3 + c];
                    sum += f64::from(pixel) * f64::from(*weight);
                }
            }
            all.push(sum);
        }
    }
    all
}

/// A network that learnt something, with statistics that never saw an image.
fn trained(arch: &Arch) -> StateDict {
    let fresh = random::state(arch, 4);
    let mut network = Network::new(arch).unwrap();
    network.load(&fresh).unwrap();
    let settings = OptimiserSettings {
        kind: OptimiserKind::AdamW,
        momentum: 0.0,
        weight_decay: 0.0,
    };
    let mut optimiser = Optimiser::new(&settings, &mut network).unwrap();
    let data = data::open("synthetic", &Default::default()).unwrap();
    let mut images = TrainLoader::new(&data, &protocol(32), 0, 0).unwrap();
    for _ in 0..800 {
        let batch = images.next().unwrap();
        let given = Images {
            pixels: &batch.pixels,
            batch: batch.batch,
        };
        let options = StepOptions::default();
        network.train_step(&given, &batch.labels, &options).unwrap();
        optimiser.step(&mut network, 0.01).unwrap();
    }
    let mut state = network.state().unwrap();
    for (name, tensor) in fresh {
        if name.contains("running_") || name.ends_with("tracked") {
            state.insert(name, tensor);
        }
    }
    state
}

#[test]
fn a_calibrated_network_is_as_good_in_inference_as_with_batch_statistics() {
    let arch = two_norms();
    let mut state = trained(&arch);
    let data = data::open("synthetic", &Default::default()).unwrap();
    let mut test = EvalLoader::new(&data, Split::Test, &protocol(100), None).unwrap();
    let mut measure = |state: &StateDict, mode: Mode| -> Metrics {
        let mut network = Network::new(&arch).unwrap();
        network.load(state).unwrap();
        evaluate(&mut network, &mut test, mode).unwrap()
    };
    let batch = measure(&state, Mode::BatchStatistics);
    let before = measure(&state, Mode::Eval);
    calibrated(&arch, &mut state, &mut loader(640, 64));
    let after = measure(&state, Mode::Eval);
    // Chance is 10 %, and the network is far from it with the statistics of each batch only.
    assert!(batch.top1 > 40.0, "{batch:?}");
    assert!(before.loss > batch.loss + 0.3, "{before:?} {batch:?}");
    assert!(
        (after.loss - batch.loss).abs() < 0.05,
        "{after:?} {batch:?}"
    );
    assert!((after.top1 - batch.top1).abs() < 4.0, "{after:?} {batch:?}");
}

#[test]
fn the_seed_alone_decides_which_batches_there_are() {
    let arch = two_norms();
    let fresh = random::state(&arch, 4);
    let run = |seed: u64| {
        let data = data::open("synthetic", &Default::default()).unwrap();
        let protocol = Protocol {
            seed,
            ..protocol(8)
        };
        let images = EvalLoader::mixed(&data, Split::Train, &protocol, Some(32));
        let mut state = fresh.clone();
        calibrated(&arch, &mut state, &mut images.unwrap());
        state
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn what_cannot_be_measured_leaves_the_parameters_alone() {
    let arch = two_norms();
    let mut state = random::state(&arch, 4);
    if let Some(values) = state.get_mut("a.weight").and_then(Tensor::floats_mut) {
        values.fill(f32::MAX);
    }
    let before = state.clone();
    let go_on = |_| ControlFlow::Continue(());
    let error = calibrate(&arch, &mut state, cpu(), &mut loader(8, 8), go_on).unwrap_err();
    assert!(error.to_string().contains("an.running_"), "{error}");
    assert_eq!(state, before);
    let stop = |_| ControlFlow::Break(());
    let mut fresh = random::state(&arch, 4);
    let stopped = calibrate(&arch, &mut fresh, cpu(), &mut loader(8, 8), stop);
    assert_eq!((stopped.unwrap(), &fresh), (None, &random::state(&arch, 4)));

    let plain = zoo::build("vgg11", &zoo::Options::for_images(10, 32)).unwrap();
    let mut state = StateDict::default();
    let nothing = calibrate(&plain, &mut state, cpu(), &mut loader(8, 8), go_on);
    assert_eq!(nothing.unwrap(), None);
}
