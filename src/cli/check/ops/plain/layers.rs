//! Convolutions, linear layers, norms and pools.

use super::{Pass, Statistics, side};
use crate::arch::{Conv2d, Node, Pool};

impl Pass<'_> {
    pub(super) fn conv(&self, node: &Node, conv: &Conv2d) -> Vec<f64> {
        let (image, weight, [oh, ow]) = (self.image(node), self.tensor(node, 0), side(node.shape));
        let bias = if conv.bias { self.tensor(node, 1) } else { &[] };
        let [kh, kw] = conv.kernel;
        let ins = conv.in_channels / conv.groups;
        let outs = conv.out_channels / conv.groups;
        let mut out = Vec::new();
        for place in 0..self.plain.batch * oh * ow {
            let (sample, y, x) = (place / (oh * ow), place / ow % oh, place % ow);
            for o in 0..conv.out_channels {
                let mut sum = bias.get(o).copied().unwrap_or(0.0);
                for i in 0..ins {
                    for tap in 0..kh * kw {
                        let at = |axis: usize, out: usize, tap: usize| {
                            let padded = out * conv.stride[axis] + tap * conv.dilation[axis];
                            padded as isize - conv.padding[axis] as isize
                        };
                        let (iy, ix) = (at(0, y, tap / kw), at(1, x, tap % kw));
                        let channel = o / outs * ins + i;
                        if let Some(v) = image.at(sample, iy, ix, channel) {
                            sum += v * weight[(o * ins + i) * kh * kw + tap];
                        }
                    }
                }
                out.push(sum);
            }
        }
        out
    }

    pub(super) fn linear(&self, node: &Node, outputs: usize, bias: Option<&[f64]>) -> Vec<f64> {
        let weight = self.tensor(node, 0);
        let inputs = weight.len() / outputs;
        let row = |x: &[f64]| -> Vec<f64> {
            let dot = |w: &[f64]| w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
            let outputs = weight.chunks(inputs).enumerate();
            outputs
                .map(|(o, w)| dot(w) + bias.map_or(0.0, |b| b[o]))
                .collect()
        };
        self.input(node, 0).chunks(inputs).flat_map(row).collect()
    }

    pub(super) fn batch_norm(&self, node: &Node, eps: f64, tracked: bool) -> Vec<f64> {
        let (x, channels) = (self.input(node, 0), node.shape.channels());
        let rows = (x.len() / channels) as f64;
        let column = |c: usize| x.iter().skip(c).step_by(channels);
        let moments = |c: usize| match self.statistics {
            Statistics::Running if tracked => (self.tensor(node, 2)[c], self.tensor(node, 3)[c]),
            _ => {
                let mean = column(c).sum::<f64>() / rows;
                let var = column(c).map(|v| (v - mean).powi(2)).sum::<f64>() / rows;
                (mean, var)
            }
        };
        let moments: Vec<(f64, f64)> = (0..channels).map(moments).collect();
        let (weight, bias) = (self.tensor(node, 0), self.tensor(node, 1));
        let norm = |(i, v): (usize, &f64)| {
            let c = i % channels;
            let (mean, var) = moments[c];
            (v - mean) / (var + eps).sqrt() * weight[c] + bias[c]
        };
        x.iter().enumerate().map(norm).collect()
    }

    pub(super) fn layer_norm(&self, node: &Node, eps: f64) -> Vec<f64> {
        let channels = node.shape.channels();
        let (weight, bias) = (self.tensor(node, 0), self.tensor(node, 1));
        let row = |x: &[f64]| -> Vec<f64> {
            let mean = x.iter().sum::<f64>() / channels as f64;
            let var = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / channels as f64;
            let norm = |c: usize| (x[c] - mean) / (var + eps).sqrt() * weight[c] + bias[c];
            (0..channels).map(norm).collect()
        };
        self.input(node, 0).chunks(channels).flat_map(row).collect()
    }

    /// `of` gets the values of a window that lie in the image, and how many lie in it or its padding.
    pub(super) fn pool(
        &self,
        node: &Node,
        pool: &Pool,
        of: impl Fn(&[f64], usize) -> f64,
    ) -> Vec<f64> {
        let (image, [oh, ow]) = (self.image(node), side(node.shape));
        let mut out = Vec::new();
        for place in 0..self.plain.batch * oh * ow {
            let (sample, y, x) = (place / (oh * ow), place / ow % oh, place % ow);
            let from = |axis: usize, out: usize| {
                (out * pool.stride[axis]) as isize - pool.padding[axis] as isize
            };
            let range = |axis: usize, out: usize| {
                let end = (image.side[axis] + pool.padding[axis]) as isize;
                let from = from(axis, out);
                from..(from + pool.kernel[axis] as isize).min(end)
            };
            let padded = range(0, y).len() * range(1, x).len();
            for c in 0..image.channels {
                let values: Vec<f64> = range(0, y)
                    .flat_map(|y| range(1, x).map(move |x| (y, x)))
                    .filter_map(|(y, x)| image.at(sample, y, x, c))
                    .collect();
                out.push(of(&values, padded));
            }
        }
        out
    }

    pub(super) fn adaptive(&self, node: &Node, [oh, ow]: [usize; 2]) -> Vec<f64> {
        let image = self.image(node);
        let [height, width] = image.side;
        let range = |i: usize, from: usize, to: usize| i * from / to..((i + 1) * from).div_ceil(to);
        let mut out = Vec::new();
        for place in 0..self.plain.batch * oh * ow {
            let (sample, y, x) = (place / (oh * ow), place / ow % oh, place % ow);
            let (rows, columns) = (range(y, height, oh), range(x, width, ow));
            for c in 0..image.channels {
                let pixels = rows
                    .clone()
                    .flat_map(|y| columns.clone().map(move |x| (y, x)));
                let values =
                    pixels.filter_map(|(y, x)| image.at(sample, y as isize, x as isize, c));
                out.push(values.sum::<f64>() / (rows.len() * columns.len()) as f64);
            }
        }
        out
    }
}
