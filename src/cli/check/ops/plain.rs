//! Networks and optimisers in 64 bits, as plainly as they can be written. Activations are
//! `[B, positions, C]`, tensors as in PyTorch.

mod attention;
mod layers;
mod optimiser;

use crate::arch::{Activation, Arch, Node, Op, Projection, Shape};
use crate::nn::{StateDict, Tensor};

pub use optimiser::Rule;

/// What batch norms go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    Running,
    Batch,
}

impl Statistics {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Running => "file",
            Self::Batch => "batch",
        }
    }
}

/// A network with a batch of images, `[B, H, W, C]`.
#[derive(Clone, Copy)]
pub struct Plain<'a> {
    pub arch: &'a Arch,
    pub pixels: &'a [f32],
    pub batch: usize,
}

/// One pass.
struct Pass<'a> {
    plain: &'a Plain<'a>,
    tensors: Vec<Vec<f64>>,
    statistics: Statistics,
    values: Vec<Vec<f64>>,
}

impl Plain<'_> {
    /// `[B, classes]`.
    pub fn logits(&self, state: &StateDict, statistics: Statistics) -> Vec<f64> {
        self.run(self.tensors(state), statistics)
    }

    /// Mean cross-entropy with smoothed targets, as in training.
    pub fn loss(&self, state: &StateDict, labels: &[u32], smoothing: f32) -> f64 {
        self.loss_of(self.tensors(state), labels, smoothing)
    }

    /// The loss with one tensor moved by `step` along a direction.
    pub fn loss_moved(
        &self,
        state: &StateDict,
        labels: &[u32],
        smoothing: f32,
        name: &str,
        direction: &[f64],
        step: f64,
    ) -> f64 {
        let mut tensors = self.tensors(state);
        let moved = self
            .arch
            .tensors()
            .iter()
            .position(|spec| spec.name == name);
        for (v, d) in tensors[moved.unwrap_or(0)].iter_mut().zip(direction) {
            *v += step * d;
        }
        self.loss_of(tensors, labels, smoothing)
    }

    fn tensors(&self, state: &StateDict) -> Vec<Vec<f64>> {
        let values = |name: &str| state.get(name).and_then(Tensor::floats);
        let specs = self.arch.tensors().iter();
        specs
            .map(|spec| values(&spec.name).unwrap_or_default())
            .map(|values| values.iter().map(|v| f64::from(*v)).collect())
            .collect()
    }

    fn loss_of(&self, tensors: Vec<Vec<f64>>, labels: &[u32], smoothing: f32) -> f64 {
        let logits = self.run(tensors, Statistics::Batch);
        let classes = self.arch.classes();
        let smoothing = f64::from(smoothing);
        let one = |(row, label): (&[f64], &u32)| {
            let all: f64 = row.iter().map(|v| v.exp()).sum();
            let minus_log = |v: f64| all.ln() - v;
            let own = minus_log(row[*label as usize]);
            let mean = row.iter().map(|v| minus_log(*v)).sum::<f64>() / classes as f64;
            (1.0 - smoothing) * own + smoothing * mean
        };
        logits.chunks(classes).zip(labels).map(one).sum::<f64>() / self.batch as f64
    }

    fn run(&self, tensors: Vec<Vec<f64>>, statistics: Statistics) -> Vec<f64> {
        let mut pass = Pass {
            plain: self,
            tensors,
            statistics,
            values: Vec::new(),
        };
        for node in self.arch.nodes() {
            let value = pass.node(node);
            pass.values.push(value);
        }
        pass.values.pop().unwrap_or_default()
    }
}

fn side(shape: Shape) -> [usize; 2] {
    shape.side().unwrap_or([1, 1])
}

/// Height, width, channels of every sample.
struct Image<'a> {
    values: &'a [f64],
    side: [usize; 2],
    channels: usize,
}

impl Image<'_> {
    /// Zero outside.
    fn at(&self, sample: usize, y: isize, x: isize, channel: usize) -> Option<f64> {
        let [height, width] = self.side;
        let inside = |v: isize, n: usize| usize::try_from(v).ok().filter(|v| *v < n);
        let (y, x) = (inside(y, height)?, inside(x, width)?);
        Some(self.values[((sample * height + y) * width + x) * self.channels + channel])
    }
}

impl Pass<'_> {
    fn input(&self, node: &Node, i: usize) -> &[f64] {
        &self.values[node.inputs[i].0]
    }

    fn shape(&self, node: &Node, i: usize) -> Shape {
        self.plain.arch.node(node.inputs[i]).shape
    }

    /// The node's `i`th tensor.
    fn tensor(&self, node: &Node, i: usize) -> &[f64] {
        let module = node.module.map(|m| &self.plain.arch.modules()[m]);
        module.map_or(&[], |m| &self.tensors[m.tensors.start + i])
    }

    fn image(&self, node: &Node) -> Image<'_> {
        let shape = self.shape(node, 0);
        Image {
            values: self.input(node, 0),
            side: side(shape),
            channels: shape.channels(),
        }
    }

    fn node(&self, node: &Node) -> Vec<f64> {
        match node.op {
            Op::Input => self.plain.pixels.iter().map(|v| f64::from(*v)).collect(),
            Op::Conv2d(conv) => self.conv(node, &conv),
            Op::Linear(l) => {
                self.linear(node, l.out_features, l.bias.then(|| self.tensor(node, 1)))
            }
            Op::Projection(projection, l) => {
                let mut bias = self.tensor(node, 1).to_vec();
                if projection == Projection::Keyless {
                    let third = bias.len() / 3;
                    bias[third..2 * third].fill(0.0);
                }
                self.linear(node, l.out_features, Some(&bias))
            }
            Op::BatchNorm { eps, tracked, .. } => self.batch_norm(node, eps, tracked),
            Op::LayerNorm { eps, .. } => self.layer_norm(node, eps),
            Op::Activation(a) => self
                .input(node, 0)
                .iter()
                .map(|x| activate(a, *x))
                .collect(),
            Op::MaxPool(pool) => self.pool(node, &pool, |values, _| {
                values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
            }),
            Op::AvgPool(pool) => self.pool(node, &pool, |values, padded| {
                let count = if pool.counts_padding {
                    padded
                } else {
                    values.len()
                };
                values.iter().sum::<f64>() / count as f64
            }),
            Op::AdaptiveAvgPool(output) => self.adaptive(node, output),
            Op::Mean { .. } => self.adaptive(node, [1, 1]),
            Op::Add => self.pairs(node, |a, b| a + b),
            Op::Gate => self.gate(node),
            Op::Concat => self.concat(node),
            Op::Chunk { index, .. } => {
                let (all, own) = (self.shape(node, 0).channels(), node.shape.channels());
                let rows = self.input(node, 0).chunks(all);
                rows.flat_map(|row| row[index * own..(index + 1) * own].to_vec())
                    .collect()
            }
            Op::Shuffle { groups } => {
                let channels = node.shape.channels();
                let from = |c: usize| c % groups * (channels / groups) + c / groups;
                let rows = self.input(node, 0).chunks(channels);
                rows.flat_map(|row| (0..channels).map(move |c| row[from(c)]))
                    .collect()
            }
            Op::LayerScale { .. } => {
                let scale = self.tensor(node, 0).iter().cycle();
                let input = self.input(node, 0).iter();
                input.zip(scale).map(|(x, s)| x * s).collect()
            }
            Op::Flatten => self.flatten(node),
            Op::ClassToken { .. } => {
                let sample = self.shape(node, 0).len();
                let samples = self.input(node, 0).chunks(sample);
                samples
                    .flat_map(|x| [self.tensor(node, 0), x].concat())
                    .collect()
            }
            Op::PositionEmbedding { .. } => {
                let places = self.tensor(node, 0).iter().cycle();
                let input = self.input(node, 0).iter();
                input.zip(places).map(|(x, p)| x + p).collect()
            }
            Op::PositionMap { channels, .. } => {
                let pixels = node.shape.positions();
                let place = |i: usize| i % channels * pixels + i / channels % pixels;
                let places = self.tensor(node, 0);
                let input = self.input(node, 0).iter().enumerate();
                input.map(|(i, x)| x + places[place(i)]).collect()
            }
            Op::Pixels { start, step } => {
                let [height, width] = side(self.shape(node, 0));
                let columns = || (start..width).step_by(step);
                let rows = (start..height).step_by(step);
                let source = rows.flat_map(|y| columns().map(move |x| Some(y * width + x)));
                self.rows(node, &source.collect::<Vec<_>>())
            }
            Op::Zeros => vec![0.0; self.input(node, 0).len()],
            Op::FirstToken => {
                let sample = self.shape(node, 0).len();
                let samples = self.input(node, 0).chunks(sample);
                samples
                    .flat_map(|x| x[..node.shape.channels()].to_vec())
                    .collect()
            }
            Op::Attention(attention) => self.attention(node, &attention),
            Op::Partition(partition) => self.rows(node, &partition.pixels()),
            Op::Reassemble(partition) => {
                let mut target = vec![None; node.shape.positions()];
                for (to, from) in partition.pixels().into_iter().enumerate() {
                    if let Some(from) = from {
                        target[from] = Some(to);
                    }
                }
                self.rows(node, &target)
            }
            Op::MergePatches => self.merge(node),
            Op::OffsetCoordinates(offsets) => {
                let coordinates = offsets.coordinates();
                coordinates.iter().map(|v| f64::from(*v)).collect()
            }
            // Nothing moves, nothing is dropped.
            Op::ToGrid
            | Op::ToImage
            | Op::ToTokens
            | Op::FromTokens(_)
            | Op::StochasticDepth { .. }
            | Op::Dropout { .. } => self.input(node, 0).to_vec(),
        }
    }

    fn pairs(&self, node: &Node, of: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        let pairs = self.input(node, 0).iter().zip(self.input(node, 1));
        pairs.map(|(a, b)| of(*a, *b)).collect()
    }

    fn gate(&self, node: &Node) -> Vec<f64> {
        let (channels, sample) = (node.shape.channels(), node.shape.len());
        let factors = self.input(node, 1);
        let input = self.input(node, 0).iter().enumerate();
        input
            .map(|(i, x)| x * factors[i / sample * channels + i % channels])
            .collect()
    }

    fn concat(&self, node: &Node) -> Vec<f64> {
        let mut rows: Vec<_> = (0..node.inputs.len())
            .map(|i| self.input(node, i).chunks(self.shape(node, i).channels()))
            .collect();
        let mut out = Vec::new();
        for _ in 0..self.plain.batch * node.shape.positions() {
            for part in &mut rows {
                out.extend_from_slice(part.next().unwrap_or_default());
            }
        }
        out
    }

    /// PyTorch's order: the channels of an image are slowest.
    fn flatten(&self, node: &Node) -> Vec<f64> {
        let (x, shape) = (self.input(node, 0), self.shape(node, 0));
        let Shape::Image { channels, .. } = shape else {
            return x.to_vec();
        };
        let pixels = shape.positions();
        let sample = |x: &[f64]| -> Vec<f64> {
            let places = 0..pixels * channels;
            places
                .map(|i| x[i % pixels * channels + i / pixels])
                .collect()
        };
        x.chunks(pixels * channels).flat_map(sample).collect()
    }

    /// Rows of every sample from other places; zeros from nowhere.
    fn rows(&self, node: &Node, source: &[Option<usize>]) -> Vec<f64> {
        let channels = node.shape.channels();
        let sample = |x: &[f64]| -> Vec<f64> {
            let row = |from: &Option<usize>| match from {
                Some(row) => x[row * channels..(row + 1) * channels].to_vec(),
                None => vec![0.0; channels],
            };
            source.iter().flat_map(row).collect()
        };
        let samples = self.input(node, 0).chunks(self.shape(node, 0).len());
        samples.flat_map(sample).collect()
    }

    fn merge(&self, node: &Node) -> Vec<f64> {
        let (image, [oh, ow]) = (self.image(node), side(node.shape));
        let mut out = Vec::new();
        for place in 0..self.plain.batch * oh * ow {
            let (sample, y, x) = (place / (oh * ow), place / ow % oh, place % ow);
            for (down, across) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                let (y, x) = ((2 * y + down) as isize, (2 * x + across) as isize);
                let channels = 0..image.channels;
                out.extend(channels.map(|c| image.at(sample, y, x, c).unwrap_or(0.0)));
            }
        }
        out
    }
}

fn activate(activation: Activation, x: f64) -> f64 {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let hard = |x: f64| (x + 3.0).clamp(0.0, 6.0) / 6.0;
    match activation {
        Activation::Relu => x.max(0.0),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::Gelu => 0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2)),
        Activation::Silu => x * sigmoid(x),
        Activation::Sigmoid => sigmoid(x),
        Activation::Hardsigmoid => hard(x),
        Activation::Hardswish => x * hard(x),
        Activation::Tanh => x.tanh(),
    }
}

/// `2 / sqrt(pi) exp(-x^2)` times the sum of `2^n x^(2n+1) / (1 3 ... (2n+1))`: all terms have one sign.
fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= 2.0 * x * x / f64::from(2 * n + 1);
        sum += term;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}
