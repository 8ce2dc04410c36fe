//! How two sets of parameters differ, tensor by tensor.

use serde::{Deserialize, Serialize};

use super::{Spectrum, nullable};
use crate::nn::linalg::{MatrixView, singular_values};
use crate::nn::{StateDict, Tensor, Values, parallel};

/// How a tensor differs from the one of the same name and shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TensorDifference {
    pub name: String,
    pub shape: Vec<usize>,
    /// Norm of the difference, `|b - a|`.
    #[serde(with = "nullable")]
    pub difference: f64,
    /// `|b - a| / |a|`; undefined if `a` is all zeros and `b` is not.
    #[serde(with = "nullable")]
    pub relative: f64,
    /// `a . b / (|a| |b|)`; undefined if one is all zeros.
    #[serde(with = "nullable")]
    pub cosine: f64,
    /// Largest absolute difference of two elements.
    #[serde(with = "nullable")]
    pub max_abs: f64,
    /// Ranks in the first and the second file, of finite weights with two or more dimensions.
    pub rank: Option<[usize; 2]>,
}

/// Two sets of parameters side by side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Tensors in both, in the first one's order.
    pub tensors: Vec<TensorDifference>,
    pub only_in_first: Vec<String>,
    pub only_in_second: Vec<String>,
    /// Tensors in both with different shapes: name, first shape, second shape.
    pub misshapen: Vec<(String, Vec<usize>, Vec<usize>)>,
    /// How many of `tensors` are bit for bit the same.
    pub identical: usize,
}

/// Compares all tensors of `a` and `b`.
#[must_use]
pub fn compare(a: &StateDict, b: &StateDict) -> Comparison {
    let mut comparison = Comparison::default();
    let mut both = Vec::new();
    for (name, first) in a.iter() {
        match b.get(name) {
            None => comparison.only_in_first.push(name.to_owned()),
            Some(second) if first.shape == second.shape => both.push((name, first, second)),
            Some(second) => comparison.misshapen.push((
                name.to_owned(),
                first.shape.clone(),
                second.shape.clone(),
            )),
        }
    }
    let only_second = b.iter().filter(|(name, _)| a.get(name).is_none());
    comparison.only_in_second = only_second.map(|(name, _)| name.to_owned()).collect();
    let mut found: Vec<Option<TensorDifference>> = vec![None; both.len()];
    let same = |(_, a, b): &&(&str, &Tensor, &Tensor)| identical(a, b);
    comparison.identical = both.iter().filter(same).count();
    // Nobody breaks off, so every place is filled.
    let _ = parallel::for_each(
        &both,
        |(name, first, second)| difference(name, first, second),
        |index, difference| {
            found[index] = Some(difference);
            std::ops::ControlFlow::Continue(())
        },
    );
    comparison.tensors = found.into_iter().flatten().collect();
    comparison
}

fn identical(a: &Tensor, b: &Tensor) -> bool {
    match (&a.values, &b.values) {
        (Values::F32(a), Values::F32(b)) => {
            let bits = |v: &f32| v.to_bits();
            a.iter().map(bits).eq(b.iter().map(bits))
        }
        (a, b) => a == b,
    }
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    match &tensor.values {
        Values::F32(v) => v.iter().map(|x| f64::from(*x)).collect(),
        Values::I64(v) => v.iter().map(|x| *x as f64).collect(),
    }
}

/// Both tensors have the same shape.
fn difference(name: &str, first: &Tensor, second: &Tensor) -> TensorDifference {
    let (a, b) = (numbers(first), numbers(second));
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let change: Vec<f64> = a.iter().zip(&b).map(|(a, b)| b - a).collect();
    let size = dot(&change, &change).sqrt();
    let largest = |max: f64, d: &f64| {
        if d.is_nan() {
            f64::NAN
        } else {
            max.max(d.abs())
        }
    };
    let norms = dot(&a, &a).sqrt() * dot(&b, &b).sqrt();
    TensorDifference {
        name: name.to_owned(),
        shape: first.shape.clone(),
        difference: size,
        relative: if size == 0.0 {
            0.0
        } else {
            size / dot(&a, &a).sqrt()
        },
        cosine: dot(&a, &b) / norms,
        max_abs: if size.is_nan() {
            f64::NAN
        } else {
            change.iter().fold(0.0, largest)
        },
        rank: rank(first).zip(rank(second)).map(|(a, b)| [a, b]),
    }
}

fn rank(tensor: &Tensor) -> Option<usize> {
    let matrix = MatrixView::new(&tensor.shape, tensor.floats()?)?;
    let sigma = singular_values(&matrix).ok()?;
    Some(Spectrum::new(sigma, matrix.rows()).rank())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(entries: &[(&str, Vec<usize>, Vec<f32>)]) -> StateDict {
        entries
            .iter()
            .map(|(n, s, v)| ((*n).to_owned(), Tensor::new(s.clone(), v.clone())))
            .collect()
    }

    #[test]
    fn tensors_are_compared_by_name() {
        let a = state(&[
            ("w", vec![2, 2], vec![1.0, 0.0, 0.0, 1.0]),
            ("same", vec![1], vec![5.0]),
            ("old", vec![1], vec![5.0]),
            ("shape", vec![2], vec![5.0, 6.0]),
        ]);
        let b = state(&[
            ("w", vec![2, 2], vec![1.0, 0.0, 0.0, 0.0]),
            ("same", vec![1], vec![5.0]),
            ("new", vec![1], vec![5.0]),
            ("shape", vec![1, 2], vec![5.0, 6.0]),
        ]);
        let got = compare(&a, &b);
        assert_eq!(got.only_in_first, ["old"]);
        assert_eq!(got.only_in_second, ["new"]);
        assert_eq!(got.misshapen[0].0, "shape");
        assert_eq!(got.identical, 1);
        let w = &got.tensors[0];
        assert_eq!((w.difference, w.max_abs), (1.0, 1.0));
        assert_eq!(w.rank, Some([2, 1]));
        assert!((w.cosine - 0.5_f64.sqrt()).abs() < 1e-12);
        assert!((w.relative - 0.5_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn broken_values_stay_visible() {
        let a = state(&[("w", vec![1, 2], vec![1.0, 2.0])]);
        let b = state(&[("w", vec![1, 2], vec![f32::NAN, 2.0])]);
        let w = &compare(&a, &b).tensors[0];
        assert!(w.max_abs.is_nan() && w.difference.is_nan());
        assert_eq!(w.rank, None);
    }
}
