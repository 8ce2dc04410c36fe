//! How many parameters a network has, counted without building it: to refuse those that are too large,
//! and to choose widths by size, takes this number alone.

use super::ops::{convolutions, halving, pointwise};
use super::stem::{POOL, StemConvs};
use super::{Norm, Place, Plan, Preparation, StemKind};
use crate::arch::deepnets::{Gene, Primitive};
use crate::arch::zoo::Options;
use crate::arch::{Conv2d, Op, Shape};

impl Plan {
    /// Parameters of the network for such images; none if nothing leads to its classifier, or the image
    /// is too small for its stem. An auxiliary classifier does not count.
    #[must_use]
    pub fn parameter_count(&self, options: &Options) -> Option<usize> {
        let (mut count, shape) = self.stem_size(options)?;
        let mut side = shape.side()?;
        let mut channels = shape.channels();
        let mut reached = [true; 2];
        for place in self.stack(channels) {
            count += self.cell_size(&place);
            reached = [reached[1], leads_on(&place, reached)];
            channels = place.channels();
            if place.reduces {
                side = side.map(|length| length.div_ceil(2));
            }
        }
        let pixels = if self.averages { 1 } else { side[0] * side[1] };
        reached[1].then(|| count + self.classifier_size(channels * pixels, options.classes))
    }

    /// Parameters of the stem, and the shape of what it makes.
    fn stem_size(&self, options: &Options) -> Option<(usize, Shape)> {
        let through = |op: Op, shape| op.infer(&[shape]).ok();
        let mut shape = options.input();
        let convs = match self.stem_convs(options.stem) {
            StemConvs::Patches(conv) => {
                shape = through(Op::Conv2d(conv), shape)?;
                return Some((weights(&conv) + shape.len(), shape));
            }
            StemConvs::Plain(conv) => vec![conv],
            StemConvs::Deep(convs) => convs.to_vec(),
        };
        let mut count = 0;
        for conv in &convs {
            count += weights(conv) + self.norm_size(conv.out_channels);
            shape = through(Op::Conv2d(*conv), shape)?;
        }
        if self.stem == StemKind::Pooled {
            shape = through(Op::MaxPool(POOL), shape)?;
        }
        Some((count, shape))
    }

    fn cell_size(&self, place: &Place) -> usize {
        let genes = place.cell.genes.iter();
        let ops = genes.map(|g| self.op_size(g.op, place.ops, place.stride(*g)));
        ops.sum::<usize>() + self.preparation_size(place)
    }

    fn preparation_size(&self, place: &Place) -> usize {
        if self.preparation == Preparation::None {
            return 0;
        }
        let [first, second] = place.from.map(|from| [from, place.width]);
        let first = if place.follows_reduction {
            self.halving_size(first)
        } else {
            self.chain_size(&[pointwise(first)])
        };
        first + self.chain_size(&[pointwise(second)])
    }

    fn op_size(&self, op: Primitive, widths: [usize; 2], stride: usize) -> usize {
        let width = widths[0];
        match op {
            Primitive::None | Primitive::MaxPool | Primitive::AvgPool => 0,
            Primitive::Skip if stride == 1 => 0,
            Primitive::Skip => self.halving_size(widths),
            Primitive::Separable(_)
            | Primitive::Dilated(_)
            | Primitive::Cross
            | Primitive::Conv(_) => {
                let chains = convolutions(op, widths, stride);
                chains.iter().map(|convs| self.chain_size(convs)).sum()
            }
            // Two norms; queries, keys and values without bias; three layers more.
            Primitive::Attention => {
                2 * 2 * width + 3 * width * width + 3 * linear_size(width, width)
            }
            Primitive::Gate => linear_size(width, width / 2) + linear_size(width / 2, width),
        }
    }

    fn chain_size(&self, convs: &[Conv2d]) -> usize {
        let width = convs.last().map_or(0, |conv| conv.out_channels);
        convs.iter().map(weights).sum::<usize>() + self.norm_size(width)
    }

    fn halving_size(&self, widths: [usize; 2]) -> usize {
        2 * weights(&halving(widths)) + self.norm_size(widths[1])
    }

    fn norm_size(&self, channels: usize) -> usize {
        match self.norm {
            Norm::None => 0,
            Norm::Batch | Norm::Tracked => 2 * channels,
        }
    }

    fn classifier_size(&self, mut features: usize, classes: usize) -> usize {
        let mut count = 0;
        for _ in 1..self.classifier_layers {
            count += linear_size(features, self.classifier_width);
            features = self.classifier_width;
        }
        count + linear_size(features, classes)
    }
}

/// Whether anything that reaches a cell leaves it.
fn leads_on(place: &Place, reached: [bool; 2]) -> bool {
    let mut states = reached.to_vec();
    for pair in place.cell.genes.chunks_exact(2) {
        let carries = |g: &Gene| g.op != Primitive::None && states[g.input];
        states.push(pair.iter().any(carries));
    }
    place.cell.concat.iter().any(|step| states[*step])
}

fn weights(conv: &Conv2d) -> usize {
    let [height, width] = conv.kernel;
    conv.out_channels * (conv.in_channels / conv.groups) * height * width
}

const fn linear_size(from: usize, to: usize) -> usize {
    from * to + to
}
