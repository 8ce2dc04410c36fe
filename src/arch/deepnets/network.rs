//! From a genotype to a network: stem, cells, classifier. Names and shapes of tensors are those of the
//! published `Network`.

mod ops;

use super::{Cell, Genotype};
use crate::arch::zoo::blocks::{add_default_conv, add_default_linear};
use crate::arch::zoo::{Options, Stem};
use crate::arch::{Arch, ArchError, Builder, Conv2d, NodeId, Op, Pool};
use ops::Step;

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
                channels: [before.channels[1], channels * self.cell(i).concat.len()],
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

    /// What the cell of this number computes.
    const fn cell(&self, number: usize) -> &Cell {
        if self.is_reduction(number) {
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
            let x = add_default_conv(&mut self.b, "stem0", patch, x)?;
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
            let x = self.b.relu("stem0.2", x)?;
            let x = self.conv_norm("stem0", 3, second, x)?;
            // In place, so that the first cell sees it, too.
            let s0 = self.b.relu("stem1.0", x)?;
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
        let Cell { genes, concat } = self.plan.cell(i);
        let [mut input, mut output] = [width; 2];
        if self.plan.preparation == Preparation::None {
            input = before.channels[1];
            if self.plan.is_reduction(i + 1) && concat.len() == 1 {
                output *= self.plan.widening;
            }
        }
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
            let stride = if halves { 2 } else { 1 };
            return Ok(vec![self.subsample(path, stride, s0)?, s1]);
        }
        let mut prepared = Vec::new();
        for (k, x) in [s0, s1].into_iter().enumerate() {
            let path = format!("{path}.preprocess{k}");
            let widths = [before.channels[k], width];
            prepared.push(if k == 0 && halves {
                self.factorized_reduce(&path, widths, x)?
            } else {
                self.chain(&path, 0, &[Conv2d::new(widths[0], width, 1)], width, x)?
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
            let path = format!("classifier.{}", 3 * i);
            x = add_default_linear(&mut self.b, &path, self.plan.classifier_width, x)?;
            x = self.b.relu(&format!("classifier.{}", 3 * i + 1), x)?;
            let path = format!("classifier.{}", 3 * i + 2);
            x = self.b.apply(&path, Op::Dropout { p: 0.5 }, &[x])?;
        }
        let path = format!("classifier.{}", 3 * hidden);
        add_default_linear(&mut self.b, &path, classes, x)?;
        Ok(())
    }

    fn conv_norm(
        &mut self,
        path: &str,
        first: usize,
        conv: Conv2d,
        x: NodeId,
    ) -> Result<NodeId, ArchError> {
        let x = add_default_conv(&mut self.b, &format!("{path}.{first}"), conv, x)?;
        let norm = self.norm(&format!("{path}.{}", first + 1), conv.out_channels, Some(x))?;
        Ok(norm.unwrap_or(x))
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
