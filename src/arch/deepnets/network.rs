//! From a genotype to a network: stem, cells, classifier. Names and shapes of tensors are those of the
//! published `Network`.

mod auxiliary;
mod ops;
mod size;
mod stack;
mod stem;

use super::Genotype;
use crate::arch::zoo::Options;
use crate::arch::zoo::blocks::add_default_linear;
use crate::arch::{Arch, ArchError, Builder, NodeId, Op};
use ops::{Step, pointwise};
use stack::Place;

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
    /// Stride of a plain or pooled stem's convolution for photographs.
    pub photograph_stride: usize,
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
            photograph_stride: 4,
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
        };
        let mut outputs = network.stem(options.stem)?;
        let mut two_thirds_down = (0, None);
        for place in self.stack(self.stem_channels(options.stem)) {
            outputs = [outputs[1], network.cell(&place, outputs)?];
            if place.number == 2 * self.cells / 3 {
                two_thirds_down = (place.channels(), outputs[1]);
            }
        }
        if options.auxiliary {
            let (channels, x) = two_thirds_down;
            network.auxiliary(channels, options, x)?;
        }
        let last = outputs[1].ok_or_else(|| ArchError::Disconnected {
            arch: name.to_owned(),
        })?;
        network.classifier(last, options.classes)?;
        Ok(network.b.finish())
    }
}

/// A value, unless all that leads to it is missing.
type Maybe = Option<NodeId>;

struct Network<'a> {
    b: Builder,
    plan: &'a Plan,
}

impl Network<'_> {
    /// The output of a cell, which reads those of the two before it. Modules are made whether or not
    /// anything reaches them, as in the original.
    fn cell(&mut self, place: &Place, before: [Maybe; 2]) -> Result<Maybe, ArchError> {
        let path = format!("cells.{}", place.number);
        let mut states = self.prepare(&path, place, before)?;
        for (step, pair) in place.cell.genes.chunks_exact(2).enumerate() {
            let mut terms = Vec::new();
            for (j, gene) in pair.iter().enumerate() {
                let step = Step {
                    path: format!("{path}._ops.{}", 2 * step + j),
                    widths: place.ops,
                    stride: place.stride(*gene),
                };
                terms.extend(self.op(gene.op, &step, states[gene.input])?);
            }
            states.push(match terms[..] {
                [a, b] => Some(self.b.apply(&path, Op::Add, &[a, b])?),
                [a] => Some(a),
                _ => None,
            });
        }
        self.concat(&path, &place.cell.concat, &states)
    }

    /// The two inputs of a cell, as it needs them.
    fn prepare(
        &mut self,
        path: &str,
        place: &Place,
        [s0, s1]: [Maybe; 2],
    ) -> Result<Vec<Maybe>, ArchError> {
        if self.plan.preparation == Preparation::None {
            let stride = if place.follows_reduction { 2 } else { 1 };
            return Ok(vec![self.subsample(path, stride, s0)?, s1]);
        }
        let mut prepared = Vec::new();
        for (k, x) in [s0, s1].into_iter().enumerate() {
            let path = format!("{path}.preprocess{k}");
            let widths = [place.from[k], place.width];
            prepared.push(if k == 0 && place.follows_reduction {
                self.factorized_reduce(&path, widths, x)?
            } else {
                self.chain(&path, 0, &[pointwise(widths)], x)?
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
}
