//! The ops of a cell, by the original's names. An op of a missing input has its modules all the same, and a
//! missing output.

use super::{Maybe, Network, Norm};
use crate::arch::deepnets::Primitive;
use crate::arch::{
    Activation, ArchError, Attention, AttentionKind, Conv2d, Draw, Linear, ModuleId, Op, Pool,
};

/// Heads of every attention.
const HEADS: usize = 8;

/// Where an op of a cell stands, and what it makes of what.
pub(super) struct Step {
    pub path: String,
    /// Channels of its input and output.
    pub widths: [usize; 2],
    pub stride: usize,
}

impl Network<'_> {
    pub(super) fn op(&mut self, op: Primitive, step: &Step, x: Maybe) -> Result<Maybe, ArchError> {
        let input = step.widths[0];
        let path = &step.path;
        match op {
            Primitive::None => Ok(None),
            Primitive::MaxPool => self.function(path, Op::MaxPool(Pool::new(3, step.stride, 1)), x),
            Primitive::AvgPool => self.function(
                path,
                Op::AvgPool(Pool::new(3, step.stride, 1).without_padding()),
                x,
            ),
            Primitive::Skip if step.stride == 1 => Ok(x),
            Primitive::Skip => self.factorized_reduce(path, step.widths, x),
            Primitive::Separable(_)
            | Primitive::Dilated(_)
            | Primitive::Cross
            | Primitive::Conv(_) => {
                let mut x = x;
                let mut first = 0;
                for convs in convolutions(op, step.widths, step.stride) {
                    x = self.chain(path, first, &convs, x)?;
                    // Past a ReLU and a norm, too.
                    first += convs.len() + 2;
                }
                Ok(x)
            }
            Primitive::Attention => self.attention(path, input, step.stride, x),
            Primitive::Gate => self.gate(path, input, step.stride, x),
        }
    }

    /// ReLU, convolutions, norm: `PATH.op`, numbered from `first`.
    pub(super) fn chain(
        &mut self,
        path: &str,
        first: usize,
        convs: &[Conv2d],
        x: Maybe,
    ) -> Result<Maybe, ArchError> {
        let relu = Op::Activation(Activation::Relu);
        let mut x = self.function(&format!("{path}.op.{first}"), relu, x)?;
        for (i, conv) in convs.iter().enumerate() {
            x = self.conv(&format!("{path}.op.{}", first + 1 + i), *conv, x)?;
        }
        let path = format!("{path}.op.{}", first + 1 + convs.len());
        let width = convs.last().map_or(0, |conv| conv.out_channels);
        self.norm(&path, width, x)
    }

    /// Halves an image: two strided convolutions side by side, the second of them one pixel off.
    pub(super) fn factorized_reduce(
        &mut self,
        path: &str,
        widths: [usize; 2],
        x: Maybe,
    ) -> Result<Maybe, ArchError> {
        let x = self.function(path, Op::Activation(Activation::Relu), x)?;
        let shifted = self.function(path, Op::Pixels { start: 1, step: 1 }, x)?;
        let conv = halving(widths);
        let first = self.b.conv(&format!("{path}.conv_1"), conv, draw(&conv));
        let second = self.b.conv(&format!("{path}.conv_2"), conv, draw(&conv));
        let (first, second) = (self.module(first, x)?, self.module(second, shifted)?);
        let both = match (first, second) {
            (Some(a), Some(b)) => Some(self.b.apply(path, Op::Concat, &[a, b])?),
            _ => None,
        };
        self.norm(&format!("{path}.bn"), widths[1], both)
    }

    /// A transformer's layer over all pixels.
    fn attention(
        &mut self,
        path: &str,
        width: usize,
        stride: usize,
        x: Maybe,
    ) -> Result<Maybe, ArchError> {
        let side = x.and_then(|x| self.b.shape(x).side()).unwrap_or_default();
        let tokens = self.function(path, Op::ToTokens, x)?;
        let norm = self.b.layer_norm(&format!("{path}.ln1"), width, 1e-5);
        let normed = self.module(norm, tokens)?;
        let qkv = self.linear(
            &format!("{path}.attn.to_qkv"),
            [width, 3 * width],
            false,
            normed,
        )?;
        let core = Attention {
            channels: width,
            heads: HEADS,
            kind: AttentionKind::Fused,
        };
        let attended = self.function(&format!("{path}.attn"), Op::Attention(core), qkv)?;
        let attended = self.linear(&format!("{path}.attn.to_out.0"), [width; 2], true, attended)?;
        let sum = self.add(path, tokens, attended)?;
        let norm = self.b.layer_norm(&format!("{path}.ln2"), width, 1e-5);
        let normed = self.module(norm, sum)?;
        let hidden = self.linear(&format!("{path}.ff.net.0"), [width; 2], true, normed)?;
        let gelu = Op::Activation(Activation::Gelu);
        let hidden = self.function(&format!("{path}.ff.net.1"), gelu, hidden)?;
        let fed = self.linear(&format!("{path}.ff.net.3"), [width; 2], true, hidden)?;
        let sum = self.add(path, sum, fed)?;
        let image = self.function(path, Op::FromTokens(side), sum)?;
        self.subsample(path, stride, image)
    }

    /// Channel squeeze and excitation.
    fn gate(
        &mut self,
        path: &str,
        width: usize,
        stride: usize,
        x: Maybe,
    ) -> Result<Maybe, ArchError> {
        let mean = self.function(path, Op::Mean { flattened: true }, x)?;
        let squeezed = self.linear(&format!("{path}.fc1"), [width, width / 2], true, mean)?;
        let relu = Op::Activation(Activation::Relu);
        let squeezed = self.function(path, relu, squeezed)?;
        let gate = self.linear(&format!("{path}.fc2"), [width / 2, width], true, squeezed)?;
        let gate = self.function(path, Op::Activation(Activation::Hardswish), gate)?;
        let product = match (x, gate) {
            (Some(x), Some(gate)) => Some(self.b.apply(path, Op::Gate, &[x, gate])?),
            _ => None,
        };
        self.subsample(path, stride, product)
    }

    pub(super) fn subsample(
        &mut self,
        path: &str,
        stride: usize,
        x: Maybe,
    ) -> Result<Maybe, ArchError> {
        if stride == 1 {
            return Ok(x);
        }
        self.function(
            path,
            Op::Pixels {
                start: 0,
                step: stride,
            },
            x,
        )
    }

    pub(super) fn norm(
        &mut self,
        path: &str,
        channels: usize,
        x: Maybe,
    ) -> Result<Maybe, ArchError> {
        let norm = match self.plan.norm {
            Norm::None => return Ok(x),
            Norm::Batch => self.b.untracked_batch_norm(path, channels),
            Norm::Tracked => self.b.batch_norm(path, channels),
        };
        self.module(norm, x)
    }

    pub(super) fn conv(&mut self, path: &str, conv: Conv2d, x: Maybe) -> Result<Maybe, ArchError> {
        let module = self.b.conv(path, conv, draw(&conv));
        self.module(module, x)
    }

    pub(super) fn linear(
        &mut self,
        path: &str,
        [in_features, out_features]: [usize; 2],
        bias: bool,
        x: Maybe,
    ) -> Result<Maybe, ArchError> {
        let linear = Linear {
            in_features,
            out_features,
            bias,
        };
        let draw = Draw::torch_default(&[out_features, in_features]);
        let module = self.b.linear(path, linear, draw);
        self.module(module, x)
    }

    fn add(&mut self, path: &str, a: Maybe, b: Maybe) -> Result<Maybe, ArchError> {
        match (a, b) {
            (Some(a), Some(b)) => self.b.apply(path, Op::Add, &[a, b]).map(Some),
            _ => Ok(None),
        }
    }

    fn module(&mut self, module: ModuleId, x: Maybe) -> Result<Maybe, ArchError> {
        x.map(|x| self.b.call(module, x)).transpose()
    }

    pub(super) fn function(&mut self, path: &str, op: Op, x: Maybe) -> Result<Maybe, ArchError> {
        x.map(|x| self.b.apply(path, op, &[x])).transpose()
    }
}

/// The convolutions of an op of theirs: those that stand between a ReLU and a norm together.
pub(super) fn convolutions(
    op: Primitive,
    [input, output]: [usize; 2],
    stride: usize,
) -> Vec<Vec<Conv2d>> {
    match op {
        Primitive::Conv(k) => {
            let conv = Conv2d::new(input, output, k).padding(k / 2);
            vec![vec![conv.stride(stride)]]
        }
        Primitive::Cross => {
            let wide = Conv2d {
                kernel: [1, 7],
                stride: [1, stride],
                padding: [0, 3],
                ..Conv2d::new(input, output, 7)
            };
            let tall = Conv2d {
                kernel: [7, 1],
                stride: [stride, 1],
                padding: [3, 0],
                ..Conv2d::new(output, output, 7)
            };
            vec![vec![wide, tall]]
        }
        Primitive::Dilated(k) => {
            let depthwise = Conv2d {
                dilation: [2; 2],
                ..depthwise(input, k).stride(stride).padding(k - 1)
            };
            vec![vec![depthwise, pointwise([input, output])]]
        }
        Primitive::Separable(k) => {
            let depthwise = depthwise(input, k).padding(k / 2);
            vec![
                vec![depthwise.stride(stride), pointwise([input; 2])],
                vec![depthwise, pointwise([input, output])],
            ]
        }
        _ => Vec::new(),
    }
}

/// Each of the two convolutions that halve an image.
pub(super) const fn halving([input, output]: [usize; 2]) -> Conv2d {
    Conv2d::new(input, output / 2, 1).stride(2)
}

pub(super) const fn pointwise([input, output]: [usize; 2]) -> Conv2d {
    Conv2d::new(input, output, 1)
}

const fn depthwise(channels: usize, kernel: usize) -> Conv2d {
    Conv2d::new(channels, channels, kernel).groups(channels)
}

/// PyTorch's own initialisation.
fn draw(conv: &Conv2d) -> Draw {
    Draw::torch_default(&conv.weight_shape())
}
