use super::*;
use crate::nn::kernel::testing::{assert_near, numbers};

/// Sizes and shared values of a case.
struct Case {
    attention: Attention,
    sequences: usize,
    factors: Vec<f32>,
    bias: Vec<f32>,
    regions: Vec<u8>,
}

impl Case {
    fn scores(&self) -> Scores<'_> {
        Scores {
            factors: &self.factors,
            bias: &self.bias,
            regions: &self.regions,
        }
    }

    fn values(&self) -> usize {
        let a = &self.attention;
        self.sequences * a.tokens * a.heads * a.width
    }
}

fn case(likeness: Likeness, sequences: usize, [tokens, heads, width]: [usize; 3]) -> Case {
    let factors = numbers("factors", heads);
    Case {
        attention: Attention {
            tokens,
            heads,
            width,
            likeness,
        },
        sequences,
        factors: factors.iter().map(|f| 1.5 + f).collect(),
        bias: numbers("bias", heads * tokens * tokens),
        regions: (0..2 * tokens)
            .map(|i| u8::from(i > tokens && i % 3 == 0))
            .collect(),
    }
}

/// Attention by its definition, in 64 bits.
fn plain(case: &Case, qkv: &[f64], factors: &[f64], bias: &[f64]) -> Vec<f64> {
    let Attention {
        tokens: n,
        heads,
        width: d,
        likeness,
    } = case.attention;
    let c = heads * d;
    let mut out = vec![0.0; case.values()];
    for s in 0..case.sequences {
        for h in 0..heads {
            let part = |third: usize, t: usize| {
                let from = (s * n + t) * 3 * c + third * c + h * d;
                &qkv[from..from + d]
            };
            let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let length = |a: &[f64]| product(a, a).sqrt().max(1e-12);
            for i in 0..n {
                let score = |j: usize| {
                    let (q, k) = (part(0, i), part(1, j));
                    let like = match likeness {
                        Likeness::Product => product(q, k),
                        Likeness::Cosine => product(q, k) / length(q) / length(k),
                    };
                    let region = |t: usize| match case.regions.len() {
                        0 => 0,
                        all => case.regions[s % (all / n) * n + t],
                    };
                    let apart = if region(i) == region(j) { 0.0 } else { 100.0 };
                    let bias = bias.get((h * n + i) * n + j).unwrap_or(&0.0);
                    factors[h] * like + bias - apart
                };
                let weights: Vec<f64> = (0..n).map(|j| score(j).exp()).collect();
                let sum: f64 = weights.iter().sum();
                for (j, weight) in weights.iter().enumerate() {
                    for (e, v) in part(2, j).iter().enumerate() {
                        out[(s * n + i) * c + h * d + e] += weight / sum * v;
                    }
                }
            }
        }
    }
    out
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

fn narrow(values: Vec<f64>) -> Vec<f32> {
    values.into_iter().map(|v| v as f32).collect()
}

/// The gradient of `f` at `x` by central differences.
fn slopes(x: &[f64], f: impl Fn(&[f64]) -> f64) -> Vec<f32> {
    const STEP: f64 = 1e-5;
    let at = |i: usize, step: f64| {
        let mut moved = x.to_vec();
        moved[i] += step;
        f(&moved)
    };
    let slope = |i| (at(i, STEP) - at(i, -STEP)) / (2.0 * STEP);
    narrow((0..x.len()).map(slope).collect())
}

fn check(case: &Case) {
    let qkv = numbers("qkv", 3 * case.values());
    let dout = numbers("dout", case.values());
    let (x, factors, bias) = (wide(&qkv), wide(&case.factors), wide(&case.bias));
    let mut out = vec![f32::NAN; case.values()];
    case.attention.forward(&qkv, &case.scores(), &mut out);
    assert_near(&out, &narrow(plain(case, &x, &factors, &bias)), 1e-5);

    let loss = |out: &[f64]| out.iter().zip(wide(&dout)).map(|(a, b)| a * b).sum::<f64>();
    let mut dqkv = vec![f32::NAN; qkv.len()];
    let shared = case
        .attention
        .backward(&qkv, &case.scores(), &dout, &mut dqkv);
    let expected = slopes(&x, |x| loss(&plain(case, x, &factors, &bias)));
    assert_near(&dqkv, &expected, 1e-5);
    let expected = slopes(&bias, |bias| loss(&plain(case, &x, &factors, bias)));
    assert_near(&shared.bias, &expected, 1e-5);
    if case.attention.likeness == Likeness::Cosine {
        let expected = slopes(&factors, |f| loss(&plain(case, &x, f, &bias)));
        assert_near(&shared.factors, &expected, 1e-5);
    }
}

#[test]
fn attention_and_its_gradients_are_those_of_the_definition() {
    for likeness in [Likeness::Product, Likeness::Cosine] {
        for (sequences, sizes) in [(1, [1, 1, 1]), (4, [5, 2, 3]), (2, [18, 1, 4])] {
            check(&case(likeness, sequences, sizes));
        }
    }
}

#[test]
fn attention_without_bias_and_regions_is_attention() {
    let mut case = case(Likeness::Product, 3, [4, 2, 2]);
    case.bias = Vec::new();
    case.regions = Vec::new();
    check(&case);
}

#[test]
fn gradients_of_many_sequences_are_the_sum_over_all() {
    let mut many = case(Likeness::Cosine, 70, [3, 2, 2]);
    many.regions = Vec::new();
    check(&many);
}

#[test]
fn a_key_of_zeros_has_a_finite_gradient() {
    let case = case(Likeness::Cosine, 1, [2, 1, 2]);
    let qkv = [1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, -1.0, 1.0];
    let mut dqkv = [f32::NAN; 12];
    case.attention
        .backward(&qkv, &case.scores(), &[1.0; 4], &mut dqkv);
    assert!(dqkv.iter().all(|g| g.is_finite()), "{dqkv:?}");
}
