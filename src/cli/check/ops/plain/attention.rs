//! Attention, score by score.

use super::Pass;
use crate::arch::{Attention, AttentionKind, Node};

/// What is taken off a score between regions, as Swin has it.
const APART: f64 = 100.0;
/// Least length that a vector is divided by: padding has keys of zeros.
const SHORTEST: f64 = 1e-12;

impl Pass<'_> {
    pub(super) fn attention(&self, node: &Node, attention: &Attention) -> Vec<f64> {
        let [_, tokens] = node.shape.sequences().unwrap_or([1, 1]);
        let (channels, width) = (attention.channels, attention.head_channels());
        let regions = attention.partition().filter(|p| p.is_shifted());
        let regions = regions.map(|p| p.regions()).unwrap_or_default();
        let mut out = Vec::new();
        let sequences = self.input(node, 0).chunks(tokens * 3 * channels);
        for (s, qkv) in sequences.enumerate() {
            let window = s % (regions.len() / tokens).max(1);
            let apart = |a: usize, b: usize| {
                let own = regions.get(window * tokens..(window + 1) * tokens);
                own.is_some_and(|own| own[a] != own[b])
            };
            let row = |token: usize, third: usize, head: usize| {
                let from = (token * 3 + third) * channels + head * width;
                &qkv[from..from + width]
            };
            for query in 0..tokens {
                for head in 0..attention.heads {
                    let score = |key: usize| {
                        let likeness = self.likeness(
                            node,
                            attention,
                            head,
                            [row(query, 0, head), row(key, 1, head)],
                        );
                        let bias = self.bias(node, attention, head, query * tokens + key);
                        likeness + bias - if apart(query, key) { APART } else { 0.0 }
                    };
                    let weights: Vec<f64> = (0..tokens).map(|key| score(key).exp()).collect();
                    let all: f64 = weights.iter().sum();
                    for d in 0..width {
                        let values = (0..tokens).map(|key| weights[key] * row(key, 2, head)[d]);
                        out.push(values.sum::<f64>() / all);
                    }
                }
            }
        }
        out
    }

    fn likeness(
        &self,
        node: &Node,
        attention: &Attention,
        head: usize,
        [query, key]: [&[f64]; 2],
    ) -> f64 {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        match attention.kind {
            AttentionKind::Cosine(_) => {
                let factor = self.tensor(node, 0)[head].exp().min(100.0);
                let length = |x: &[f64]| dot(x, x).sqrt().max(SHORTEST);
                factor * dot(query, key) / (length(query) * length(key))
            }
            _ => dot(query, key) / (attention.scaling_channels() as f64).sqrt(),
        }
    }

    fn bias(&self, node: &Node, attention: &Attention, head: usize, pair: usize) -> f64 {
        let Some(offsets) = attention.offsets() else {
            return 0.0;
        };
        let at = offsets.of_pairs()[pair] * attention.heads + head;
        match attention.kind {
            AttentionKind::Cosine(_) => 16.0 / (1.0 + (-self.input(node, 1)[at]).exp()),
            _ => self.tensor(node, 0)[at],
        }
    }
}
