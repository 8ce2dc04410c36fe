//! From a genotype to a network: stem, cells, classifier. Names and shapes of tensors are those of the
//! published `Network`.

use super::{Gene, Genotype, Primitive};
use crate::arch::zoo::{Options, Stem};
use crate::arch::{
    Activation, Arch, ArchError, Attention, AttentionKind, Builder, Conv2d, Draw, Linear, ModuleId,
    NodeId, Op, Pool,
};

/// How values are normalised behind convolutions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Norm {
    None,
    /// Batch norm with every batch's own statistics: what GHNs are trained on.
    Batch,
    /// Batch norm that keeps running statistics: what published cells are trained with.
    Tracked,
}

/// How the first convolutions lead from pixels to cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StemKind {
    /// One convolution.
    Plain,
    /// One convolution and a max pool.
    Pooled,
    /// Three convolutions, two of them strided.
    Deep,
}

/// Whether cells bring their inputs to their own width first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preparation {
    Pointwise,
    None,
}

/// What a network is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Width of the first cell.
    pub channels: usize,
    pub genotype: Genotype,
    pub cells: usize,
    /// Kernel of the stem's first convolution.
    pub stem_kernel: usize,
    pub stem: StemKind,
    pub norm: Norm,
    pub preparation: Preparation,
    /// What widths are multiplied by at reduction cells.
    pub widening: usize,
    /// Fully connected layers, the last one included.
    pub classifier_layers: usize,
    /// Width of those before the last.
    pub classifier_width: usize,
    /// Whether the classifier sees a mean over all pixels, or all of them.
    pub averages: bool,
}

/// Heads of every attention.
const HEADS: usize = 8;

impl Plan {
    /// What published cells are trained with; channels and cells are to be chosen.
    #[must_use]
    pub const fn of(genotype: Genotype) -> Self {
        Self {
            channels: 32,
            genotype,
            cells: 20,
            stem_kernel: 3,
            stem: StemKind::Plain,
            norm: Norm::Tracked,
            preparation: Preparation::Pointwise,
            widening: 2,
            classifier_layers: 1,
            classifier_width: 256,
            averages: true,
        }
    }

    /// The network for such images.
    ///
    /// # Errors
    /// [`ArchError::BadShape`] if the image is too small, [`ArchError::Disconnected`] if nothing leads
    /// to the classifier.
    pub fn build(&self, name: &str, options: &Options) -> Result<Arch, ArchError> {
        let mut network = Network {
            b: Builder::new(name, options.input(), options.classes),
            plan: self,
            attends: self.genotype.attends(),
            photographs: options.stem == Stem::ImageNet,
        };
        let mut before = network.stem()?;
        let mut channels = self.channels;
        for i in 0..self.cells {
            let is_reduction = self.is_reduction(i);
            if is_reduction {
                channels *= self.widening;
            }
            let output = network.cell(i, &before, channels)?;
            before = Before {
                outputs: [before.outputs[1], output],
                channels: [
                    before.channels[1],
                    channels * self.concat(is_reduction).len(),
                ],
                reduced: is_reduction,
            };
        }
        let last = before.outputs[1].ok_or_else(|| ArchError::Disconnected {
            arch: name.to_owned(),
        })?;
        network.classifier(last, options.classes)?;
        Ok(network.b.finish())
    }

    /// A third and two thirds down, but not the first.
    const fn is_reduction(&self, cell: usize) -> bool {
        cell > 0 && (cell == self.cells / 3 || cell == 2 * self.cells / 3)
    }

    fn concat(&self, is_reduction: bool) -> &[usize] {
        if is_reduction {
            &self.genotype.reduce_concat
        } else {
            &self.genotype.normal_concat
        }
    }

    fn genes(&self, is_reduction: bool) -> &[Gene] {
        if is_reduction {
            &self.genotype.reduce
        } else {
            &self.genotype.normal
        }
    }
}

/// A value, unless all that leads to it is missing.
type Maybe = Option<NodeId>;

/// What a cell reads: the outputs of the two before it.
struct Before {
    outputs: [Maybe; 2],
    channels: [usize; 2],
    /// Whether the last of them halved the image.
    reduced: bool,
}

struct Network<'a> {
    b: Builder,
    plan: &'a Plan,
    attends: bool,
    photographs: bool,
}

impl Network<'_> {
    fn stem(&mut self) -> Result<Before, ArchError> {
        let (x, width) = (self.b.input(), self.plan.channels);
        let stride = |photographs: usize| if self.photographs { photographs } else { 1 };
        if self.attends {
            let patch = match self.photographs {
                true => Conv2d::new(3, width, 16).stride(16),
                false => Conv2d::new(3, width, 3).stride(3).padding(1),
            };
            let conv = self.b.conv("stem0", patch, draw(&patch));
            let x = self.b.call(conv, x)?;
            let side = self.b.shape(x).side().unwrap_or_default();
            let places = self.b.position_map("pos_enc", width, side);
            let x = self.b.call(places, x)?;
            return Ok(Before::all(x, x, width, false));
        }
        let kernel = self.plan.stem_kernel;
        if self.plan.stem == StemKind::Deep {
            let first = Conv2d::new(3, width / 2, kernel);
            let first = first.padding(kernel / 2).stride(stride(2));
            let second = Conv2d::new(width / 2, width, 3).padding(1);
            let second = second.stride(stride(2));
            let third = Conv2d::new(width, width, 3).padding(1).stride(2);
            let x = self.conv_norm("stem0", 0, first, x)?;
            let x = self.relu("stem0.2", x)?;
            let x = self.conv_norm("stem0", 3, second, x)?;
            // In place, so that the first cell sees it, too.
            let s0 = self.relu("stem1.0", x)?;
            let s1 = self.conv_norm("stem1", 1, third, s0)?;
            return Ok(Before::all(s0, s1, width, true));
        }
        let is_wide = self.plan.preparation == Preparation::Pointwise && !self.photographs;
        let width = if is_wide { 3 * width } else { width };
        let conv = Conv2d::new(3, width, kernel).padding(kernel / 2);
        let mut x = self.conv_norm("stem", 0, conv.stride(stride(4)), x)?;
        if self.plan.stem == StemKind::Pooled {
            let pool = Op::MaxPool(Pool::new(3, 2, 1));
            x = self.b.apply("stem.2", pool, &[x])?;
        }
        Ok(Before::all(x, x, width, false))
    }

    /// The output of a cell of this width. Modules are made whether or not anything reaches them, as
    /// in the original.
    fn cell(&mut self, i: usize, before: &Before, width: usize) -> Result<Maybe, ArchError> {
        let is_reduction = self.plan.is_reduction(i);
        let path = format!("cells.{i}");
        let mut states = self.prepare(&path, before, width)?;
        let concat = self.plan.concat(is_reduction);
        let [mut input, mut output] = [width; 2];
        if self.plan.preparation == Preparation::None {
            input = before.channels[1];
            if self.plan.is_reduction(i + 1) && concat.len() == 1 {
                output *= self.plan.widening;
            }
        }
        let genes = self.plan.genes(is_reduction);
        for (step, pair) in genes.chunks_exact(2).enumerate() {
            let mut terms = Vec::new();
            for (j, gene) in pair.iter().enumerate() {
                let halves = is_reduction && gene.input < 2 && !self.attends;
                let step = Step {
                    path: format!("{path}._ops.{}", 2 * step + j),
                    widths: [input, output],
                    stride: if halves { 2 } else { 1 },
                };
                terms.extend(self.op(gene.op, &step, states[gene.input])?);
            }
            states.push(match terms[..] {
                [a, b] => Some(self.b.apply(&path, Op::Add, &[a, b])?),
                [a] => Some(a),
                _ => None,
            });
        }
        self.concat(&path, concat, &states)
    }

    /// The two inputs of a cell, as it needs them.
    fn prepare(
        &mut self,
        path: &str,
        before: &Before,
        width: usize,
    ) -> Result<Vec<Maybe>, ArchError> {
        let halves = before.reduced && !self.attends;
        let [s0, s1] = before.outputs;
        if self.plan.preparation == Preparation::None {
            let every_second = Op::Pixels { start: 0, step: 2 };
            return Ok(vec![
                match s0 {
                    Some(x) if halves => Some(self.b.apply(path, every_second, &[x])?),
                    other => other,
                },
                s1,
            ]);
        }
        let mut prepared = Vec::new();
        for (k, x) in [s0, s1].into_iter().enumerate() {
            let path = format!("{path}.preprocess{k}");
            let widths = [before.channels[k], width];
            prepared.push(if k == 0 && halves {
                self.factorized_reduce(&path, widths, x)?
            } else {
                self.relu_conv(&path, &[Conv2d::new(widths[0], width, 1)], width, x)?
            });
        }
        Ok(prepared)
    }

    /// Steps side by side; zeros for those that are missing.
    fn concat(
        &mut self,
        path: &str,
        concat: &[usize],
        states: &[Maybe],
    ) -> Result<Maybe, ArchError> {
        let Some(like) = concat.iter().find_map(|s| states[*s]) else {
            return Ok(None);
        };
        let mut parts = Vec::new();
        for state in concat {
            parts.push(match states[*state] {
                Some(part) => part,
                None => self.b.apply(path, Op::Zeros, &[like])?,
            });
        }
        self.b.apply(path, Op::Concat, &parts).map(Some)
    }

    fn classifier(&mut self, mut x: NodeId, classes: usize) -> Result<(), ArchError> {
        if self.plan.averages {
            x = self
                .b
                .apply("global_pooling", Op::AdaptiveAvgPool([1, 1]), &[x])?;
        }
        x = self.b.apply("flatten", Op::Flatten, &[x])?;
        let hidden = self.plan.classifier_layers - 1;
        for i in 0..hidden {
            x = self.linear(
                &format!("classifier.{}", 3 * i),
                self.plan.classifier_width,
                x,
            )?;
            x = self.relu(&format!("classifier.{}", 3 * i + 1), x)?;
            let path = format!("classifier.{}", 3 * i + 2);
            x = self.b.apply(&path, Op::Dropout { p: 0.5 }, &[x])?;
        }
        self.linear(&format!("classifier.{}", 3 * hidden), classes, x)?;
        Ok(())
    }
}

/// Where an op of a cell stands, and what it makes of what.
struct Step {
    path: String,
    /// Channels of its input and output.
    widths: [usize; 2],
    stride: usize,
}

impl Network<'_> {
    fn op(&mut self, op: Primitive, step: &Step, x: Maybe) -> Result<Maybe, ArchError> {
        let [input, output] = step.widths;
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
            Primitive::Conv(k) => {
                let conv = Conv2d::new(input, output, k).padding(k / 2);
                self.relu_conv(path, &[conv.stride(step.stride)], output, x)
            }
            Primitive::Cross => {
                let wide = Conv2d {
                    kernel: [1, 7],
                    stride: [1, step.stride],
                    padding: [0, 3],
                    ..Conv2d::new(input, output, 7)
                };
                let tall = Conv2d {
                    kernel: [7, 1],
                    stride: [step.stride, 1],
                    padding: [3, 0],
                    ..Conv2d::new(output, output, 7)
                };
                self.relu_conv(path, &[wide, tall], output, x)
            }
            Primitive::Dilated(k) => {
                let depthwise = Conv2d {
                    dilation: [2; 2],
                    ..depthwise(input, k).stride(step.stride).padding(k - 1)
                };
                let convs = [depthwise, Conv2d::new(input, output, 1)];
                self.relu_conv(path, &convs, output, x)
            }
            Primitive::Separable(k) => {
                let first = depthwise(input, k).stride(step.stride).padding(k / 2);
                let second = depthwise(input, k).padding(k / 2);
                let x = self.chain(path, 0, &[first, Conv2d::new(input, input, 1)], input, x)?;
                self.chain(path, 4, &[second, Conv2d::new(input, output, 1)], output, x)
            }
            Primitive::Attention => self.attention(path, input, step.stride, x),
            Primitive::Gate => self.gate(path, input, step.stride, x),
        }
    }

    /// ReLU, convolutions, norm: `PATH.op`, numbered from 0.
    fn relu_conv(
        &mut self,
        path: &str,
        convs: &[Conv2d],
        width: usize,
        x: Maybe,
    ) -> Result<Maybe, ArchError> {
        self.chain(path, 0, convs, width, x)
    }

    /// The same, numbered from `first`.
    fn chain(
        &mut self,
        path: &str,
        first: usize,
        convs: &[Conv2d],
        width: usize,
        x: Maybe,
    ) -> Result<Maybe, ArchError> {
        let relu = Op::Activation(Activation::Relu);
        let mut x = self.function(&format!("{path}.op.{first}"), relu, x)?;
        for (i, conv) in convs.iter().enumerate() {
            let path = format!("{path}.op.{}", first + 1 + i);
            let conv = self.b.conv(&path, *conv, draw(conv));
            x = self.module(conv, x)?;
        }
        let path = format!("{path}.op.{}", first + 1 + convs.len());
        self.norm(&path, width, x)
    }

    /// Halves an image: two strided convolutions side by side, the second of them one pixel off.
    fn factorized_reduce(
        &mut self,
        path: &str,
        [input, output]: [usize; 2],
        x: Maybe,
    ) -> Result<Maybe, ArchError> {
        let x = self.function(path, Op::Activation(Activation::Relu), x)?;
        let shifted = self.function(path, Op::Pixels { start: 1, step: 1 }, x)?;
        let conv = Conv2d::new(input, output / 2, 1).stride(2);
        let first = self.b.conv(&format!("{path}.conv_1"), conv, draw(&conv));
        let second = self.b.conv(&format!("{path}.conv_2"), conv, draw(&conv));
        let (first, second) = (self.module(first, x)?, self.module(second, shifted)?);
        let both = match (first, second) {
            (Some(a), Some(b)) => Some(self.b.apply(path, Op::Concat, &[a, b])?),
            _ => None,
        };
        self.norm(&format!("{path}.bn"), output, both)
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
        let qkv = self.maybe_linear(
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
        let attended =
            self.maybe_linear(&format!("{path}.attn.to_out.0"), [width; 2], true, attended)?;
        let sum = self.add(path, tokens, attended)?;
        let norm = self.b.layer_norm(&format!("{path}.ln2"), width, 1e-5);
        let normed = self.module(norm, sum)?;
        let hidden = self.maybe_linear(&format!("{path}.ff.net.0"), [width; 2], true, normed)?;
        let gelu = Op::Activation(Activation::Gelu);
        let hidden = self.function(&format!("{path}.ff.net.1"), gelu, hidden)?;
        let fed = self.maybe_linear(&format!("{path}.ff.net.3"), [width; 2], true, hidden)?;
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
        let squeezed = self.maybe_linear(&format!("{path}.fc1"), [width, width / 2], true, mean)?;
        let relu = Op::Activation(Activation::Relu);
        let squeezed = self.function(path, relu, squeezed)?;
        let gate = self.maybe_linear(&format!("{path}.fc2"), [width / 2, width], true, squeezed)?;
        let gate = self.function(path, Op::Activation(Activation::Hardswish), gate)?;
        let product = match (x, gate) {
            (Some(x), Some(gate)) => Some(self.b.apply(path, Op::Gate, &[x, gate])?),
            _ => None,
        };
        self.subsample(path, stride, product)
    }

    fn subsample(&mut self, path: &str, stride: usize, x: Maybe) -> Result<Maybe, ArchError> {
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

    fn conv_norm(
        &mut self,
        path: &str,
        first: usize,
        conv: Conv2d,
        x: NodeId,
    ) -> Result<NodeId, ArchError> {
        let module = self.b.conv(&format!("{path}.{first}"), conv, draw(&conv));
        let x = self.b.call(module, x)?;
        let norm = self.norm(&format!("{path}.{}", first + 1), conv.out_channels, Some(x))?;
        Ok(norm.unwrap_or(x))
    }

    fn norm(&mut self, path: &str, channels: usize, x: Maybe) -> Result<Maybe, ArchError> {
        let norm = match self.plan.norm {
            Norm::None => return Ok(x),
            Norm::Batch => self.b.untracked_batch_norm(path, channels),
            Norm::Tracked => self.b.batch_norm(path, channels),
        };
        self.module(norm, x)
    }

    fn relu(&mut self, path: &str, x: NodeId) -> Result<NodeId, ArchError> {
        self.b.relu(path, x)
    }

    /// A layer with bias from however many channels `x` has.
    fn linear(&mut self, path: &str, width: usize, x: NodeId) -> Result<NodeId, ArchError> {
        let widths = [self.b.shape(x).channels(), width];
        let made = self.maybe_linear(path, widths, true, Some(x))?;
        Ok(made.unwrap_or(x))
    }

    fn maybe_linear(
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

    fn function(&mut self, path: &str, op: Op, x: Maybe) -> Result<Maybe, ArchError> {
        x.map(|x| self.b.apply(path, op, &[x])).transpose()
    }
}

impl Before {
    const fn all(s0: NodeId, s1: NodeId, channels: usize, reduced: bool) -> Self {
        Self {
            outputs: [Some(s0), Some(s1)],
            channels: [channels; 2],
            reduced,
        }
    }
}

const fn depthwise(channels: usize, kernel: usize) -> Conv2d {
    Conv2d::new(channels, channels, kernel).groups(channels)
}

/// PyTorch's own initialisation.
fn draw(conv: &Conv2d) -> Draw {
    Draw::torch_default(&conv.weight_shape())
}
