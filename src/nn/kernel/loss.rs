//! Mean cross-entropy over classes, with label smoothing.

/// Loss, right answers and the gradient of the logits of one batch.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossEntropy {
    /// Mean over the samples.
    pub loss: f64,
    /// Samples whose largest logit is the label's.
    pub correct: usize,
}

/// Mean cross-entropy between softmax(`logits`) and the labels; writes its gradient.
///
/// `logits` and `gradient` are `[B, N]`. With smoothing `s` the target is `1 - s` for the label plus
/// `s / N` for every class, as `nn.CrossEntropyLoss` has it. Sums run in 64 bits.
pub fn cross_entropy(
    logits: &[f32],
    labels: &[u32],
    smoothing: f32,
    gradient: &mut [f32],
) -> CrossEntropy {
    let batch = labels.len();
    let classes = logits.len() / batch.max(1);
    let (s, n) = (f64::from(smoothing), classes as f64);
    let (mut loss, mut correct) = (0.0, 0);
    let samples = logits
        .chunks_exact(classes)
        .zip(gradient.chunks_exact_mut(classes));
    for ((logits, gradient), label) in samples.zip(labels) {
        let label = *label as usize;
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let shifted = |x: f32| f64::from(x) - f64::from(largest);
        let total: f64 = logits.iter().map(|x| shifted(*x).exp()).sum();
        let log_total = total.ln();
        let mean = logits.iter().map(|x| shifted(*x)).sum::<f64>() / n;
        loss += log_total - (1.0 - s) * shifted(logits[label]) - s * mean;
        for (j, (g, x)) in gradient.iter_mut().zip(logits).enumerate() {
            let target = s / n + if j == label { 1.0 - s } else { 0.0 };
            *g = ((shifted(*x).exp() / total - target) / batch as f64) as f32;
        }
        correct += usize::from(predicted(logits) == Some(label));
    }
    CrossEntropy {
        loss: loss / batch as f64,
        correct,
    }
}

/// The class with the largest logit, the first of equals; none if the first logit is no number.
pub fn predicted(logits: &[f32]) -> Option<usize> {
    let mut best = 0;
    for (j, x) in logits.iter().enumerate() {
        if *x > logits[best] {
            best = j;
        }
    }
    logits.get(best).filter(|x| !x.is_nan()).map(|_| best)
}

#[cfg(test)]
mod tests;
