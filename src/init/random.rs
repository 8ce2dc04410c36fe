//! The framework's own random initialisation, drawn from each tensor's scheme.

use std::collections::HashMap;

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use crate::arch::{Arch, Scheme, TensorSpec};
use crate::nn::{StateDict, Tensor};
use crate::random::{Stream, stream};

/// A complete state dict of `arch`, buffers included, as torchvision would make it anew. Every
/// tensor has its own stream, `init/NAME`, so that networks that share a tensor share its values.
#[must_use]
pub fn state(arch: &Arch, seed: u64) -> StateDict {
    let drawn: Vec<(String, Tensor)> = arch
        .tensors()
        .par_iter()
        .map(|spec| (spec.name.clone(), tensor(spec, seed)))
        .collect();
    drawn.into_iter().collect()
}

/// The tensors of `given` that `arch` has, and for all others those of [`state`]: the same as
/// overwriting it, without drawing what is overwritten.
#[must_use]
pub fn complete(arch: &Arch, given: StateDict, seed: u64) -> StateDict {
    let mut given: HashMap<String, Tensor> = given.into_iter().collect();
    let taken: Vec<(&TensorSpec, Option<Tensor>)> = arch
        .tensors()
        .iter()
        .map(|spec| (spec, given.remove(&spec.name)))
        .collect();
    let whole: Vec<(String, Tensor)> = taken
        .into_par_iter()
        .map(|(spec, given)| {
            (
                spec.name.clone(),
                given.unwrap_or_else(|| tensor(spec, seed)),
            )
        })
        .collect();
    whole.into_iter().collect()
}

/// One tensor's first values.
#[must_use]
pub fn tensor(spec: &TensorSpec, seed: u64) -> Tensor {
    if spec.role.is_whole() {
        return whole(spec);
    }
    let mut stream = stream(seed, &format!("init/{}", spec.name));
    let values = draw(spec.scheme, spec.len(), &mut stream);
    Tensor::new(spec.shape.clone(), values)
}

fn whole(spec: &TensorSpec) -> Tensor {
    let values = match spec.scheme {
        Scheme::OffsetIndex(offsets) => offsets.indices_of_pairs(),
        _ => vec![0; spec.len()],
    };
    Tensor::whole(spec.shape.clone(), values)
}

fn draw(scheme: Scheme, count: usize, stream: &mut Stream) -> Vec<f32> {
    match scheme {
        Scheme::Constant(value) => vec![value as f32; count],
        Scheme::Uniform { bound } => (0..count)
            .map(|_| ((2.0 * stream.random::<f64>() - 1.0) * bound) as f32)
            .collect(),
        Scheme::Normal { std } => (0..count).map(|_| (std * normal(stream)) as f32).collect(),
        Scheme::TruncatedNormal { std, limit } => (0..count)
            .map(|_| (std * truncated_normal(limit / std, stream)) as f32)
            .collect(),
        Scheme::OffsetIndex(offsets) => offsets.of_pairs().iter().map(|i| *i as f32).collect(),
        Scheme::OffsetCoordinates(offsets) => offsets.coordinates(),
    }
}

fn normal(stream: &mut Stream) -> f64 {
    StandardNormal.sample(stream)
}

/// A standard normal number within `-limit..=limit`.
fn truncated_normal(limit: f64, stream: &mut Stream) -> f64 {
    if !limit.is_finite() {
        // A deviation of zero: whatever is drawn is multiplied by it.
        return 0.0;
    }
    loop {
        // A narrow window is rarely hit by a normal draw: there, uniform ones are thinned out.
        let candidate = if limit < 1.0 {
            limit * (2.0 * stream.random::<f64>() - 1.0)
        } else {
            normal(stream)
        };
        let keep = limit >= 1.0 || stream.random::<f64>() < (-candidate * candidate / 2.0).exp();
        if keep && candidate.abs() <= limit {
            return candidate;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::zoo::{self, Options};

    fn moments(values: &[f32]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        let squares: f64 = values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum();
        (mean, (squares / n).sqrt())
    }

    #[test]
    fn a_state_has_every_tensor_with_its_shape() {
        let arch = zoo::build("resnet18", &Options::default()).unwrap();
        let state = state(&arch, 1);
        assert_eq!(state.len(), arch.tensors().len());
        for ((name, tensor), spec) in state.iter().zip(arch.tensors()) {
            assert_eq!(name, spec.name);
            assert_eq!(tensor.shape, spec.shape);
        }
        let count = state.get("bn1.num_batches_tracked").unwrap();
        assert_eq!(*count, Tensor::count(0));
    }

    #[test]
    fn completing_is_overwriting_a_random_state() {
        let arch = zoo::build("resnet18", &Options::default()).unwrap();
        let mut expected = state(&arch, 1);
        let name = "layer1.0.conv1.weight";
        let shape = expected.get(name).unwrap().shape.clone();
        let given = Tensor::new(shape.clone(), vec![7.0; shape.iter().product()]);
        expected.insert(name, given.clone());
        let given = [(name.to_owned(), given)].into_iter().collect();
        assert_eq!(complete(&arch, given, 1), expected);
    }

    #[test]
    fn values_depend_on_the_seed_and_the_name_only() {
        let small = zoo::build("resnet18", &Options::default()).unwrap();
        let large = zoo::build("resnet34", &Options::default()).unwrap();
        let (a, b) = (state(&small, 5), state(&large, 5));
        assert_eq!(a.get("conv1.weight"), b.get("conv1.weight"));
        assert_ne!(a.get("conv1.weight"), state(&small, 6).get("conv1.weight"));
    }

    #[test]
    fn each_distribution_has_its_moments() {
        let mut stream = stream(9, "random/test");
        let n = 200_000;
        let near = |values: &[f32], std: f64| {
            let (mean, got) = moments(values);
            // Five deviations of the sampling error of either moment.
            let error = 5.0 * std / (n as f64).sqrt();
            assert!(
                mean.abs() < error && (got - std).abs() < error,
                "{mean} {got}"
            );
        };
        let bound = 0.3;
        let uniform = draw(Scheme::Uniform { bound }, n, &mut stream);
        near(&uniform, bound / 3_f64.sqrt());
        assert!(uniform.iter().all(|v| f64::from(v.abs()) <= bound + 1e-7));
        near(&draw(Scheme::Normal { std: 0.02 }, n, &mut stream), 0.02);
        // At two deviations a normal distribution keeps 0.8796 of its deviation, at half a
        // deviation 0.2839.
        for (limit, kept) in [(2.0, 0.879_626), (0.5, 0.283_882)] {
            let scheme = Scheme::TruncatedNormal { std: 1.0, limit };
            let values = draw(scheme, n, &mut stream);
            assert!(values.iter().all(|v| f64::from(v.abs()) <= limit));
            near(&values, kept);
        }
    }

    #[test]
    fn constants_are_exact() {
        let mut stream = stream(9, "random/test");
        assert_eq!(draw(Scheme::Constant(1e-6), 2, &mut stream), [1e-6; 2]);
        let none = Scheme::TruncatedNormal {
            std: 0.0,
            limit: 2.0,
        };
        assert_eq!(draw(none, 2, &mut stream), [0.0; 2]);
    }
}
