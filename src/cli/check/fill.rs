//! Deterministic values by name, as the reference programs fill theirs (tools/exec_parity.py).

use crate::arch::{Arch, TensorRole, TensorSpec};
use crate::init::random;
use crate::nn::{Mode, Network, StateDict, Tensor};

/// FNV-1a of the name, 64 bits.
fn seed(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

/// The `n` numbers of a name, in [-1, 1): splitmix64 from the name's seed, upper 24 bits.
pub fn unit(name: &str, n: usize) -> impl Iterator<Item = f64> + use<> {
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut state = seed(name);
    (0..n).map(move |_| {
        state = state.wrapping_add(STEP);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (z >> 40) as f64 / f64::from(1 << 24) * 2.0 - 1.0
    })
}

/// A tensor's values by the rule for its name and shape.
fn fill(spec: &TensorSpec) -> Tensor {
    let n = spec.len();
    let last = spec.name.rsplit('.').next().unwrap_or_default();
    let small = [
        "layer_scale",
        "class_token",
        "pos_embedding",
        "relative_position_bias_table",
    ];
    let spread = (6.0 / (n as f64 / spec.shape.first().map_or(1.0, |s| *s as f64))).sqrt();
    let rule = |u: f64| match last {
        "running_var" => 1.0 + 0.5 * u.abs(),
        "running_mean" => 0.1 * u,
        "logit_scale" => 1.0 + 0.1 * u,
        name if small.contains(&name) => 0.1 * u,
        _ if spec.shape.len() >= 2 => u * spread,
        "weight" => 1.0 + 0.1 * u,
        _ => 0.1 * u,
    };
    let values = unit(&spec.name, n).map(|u| rule(u) as f32).collect();
    Tensor::new(spec.shape.clone(), values)
}

/// All parameters and buffers of an architecture, filled; fixed ones as they must be.
pub fn state(arch: &Arch) -> StateDict {
    use TensorRole::{BatchCount, OffsetCoordinates, OffsetIndex};
    arch.tensors()
        .iter()
        .map(|spec| {
            let tensor = match spec.role {
                BatchCount | OffsetIndex | OffsetCoordinates => random::tensor(spec, 0),
                _ => fill(spec),
            };
            (spec.name.clone(), tensor)
        })
        .collect()
}

/// The batch of this name, `[batch, 3, side, side]` in the reference, channels last here.
pub fn images(name: &str, batch: usize, side: usize) -> Vec<f32> {
    let pixels = side * side;
    let mut images = vec![0.0; batch * 3 * pixels];
    for (i, u) in unit(name, images.len()).enumerate() {
        let (image, rest) = (i / (3 * pixels), i % (3 * pixels));
        let (channel, pixel) = (rest / pixels, rest % pixels);
        images[(image * pixels + pixel) * 3 + channel] = u as f32;
    }
    images
}

/// Labels of step `step`.
pub fn labels(batch: usize, step: usize) -> Vec<u32> {
    (0..batch)
        .map(|i| ((7 * i + 3 + step) % 1000) as u32)
        .collect()
}

/// L2 norm of a tensor, and its projection on the numbers of its name.
pub fn norm_and_projection(name: &str, values: &[f32]) -> (f64, f64) {
    let square: f64 = values.iter().map(|v| f64::from(*v).powi(2)).sum();
    let units = unit(&format!("{name}#proj"), values.len());
    let projection = values.iter().zip(units).map(|(v, u)| f64::from(*v) * u);
    (square.sqrt(), projection.sum())
}

/// Logits of the first two images of the batch `input` in inference mode, as far from the reference as
/// the largest difference over the largest logit.
pub fn logits_error(
    network: &mut Network,
    pixels: &[f32],
    batch: usize,
    reference: &[Vec<f64>],
) -> anyhow::Result<f64> {
    let images = crate::nn::Images { pixels, batch };
    let logits = network.forward(&images, Mode::Eval)?;
    let expected: Vec<f64> = reference.iter().flatten().copied().collect();
    anyhow::ensure!(
        !expected.is_empty() && expected.len() <= logits.len(),
        "the reference has {} logits",
        expected.len()
    );
    let largest = expected.iter().fold(0f64, |a, b| a.max(b.abs()));
    let difference = logits.iter().zip(&expected);
    Ok(difference.fold(0f64, |worst, (got, e)| {
        larger(worst, (f64::from(*got) - e).abs() / largest)
    }))
}

/// The larger number; a NaN counts as larger than any.
pub fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.max(b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_name_are_those_of_the_reference_program() {
        // unit("input", 3) of tools/exec_parity.py.
        let got: Vec<f64> = unit("input", 3).collect();
        assert_eq!(got, EXPECTED);
    }

    const EXPECTED: [f64; 3] = [
        -0.8043633699417114,
        0.30472075939178467,
        -0.5927515029907227,
    ];
}
