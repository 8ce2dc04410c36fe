//! The stem: from pixels to what the first cells read.

use super::{Maybe, Network, Plan, Preparation, StemKind};
use crate::arch::zoo::Stem;
use crate::arch::zoo::blocks::add_default_conv;
use crate::arch::{ArchError, Conv2d, NodeId, Op, Pool};

/// What a pooled stem ends with.
pub(super) const POOL: Pool = Pool::new(3, 2, 1);

/// The convolutions of a stem, in order.
pub(super) enum StemConvs {
    /// Cuts the image into patches; a position encoding follows.
    Patches(Conv2d),
    Plain(Conv2d),
    Deep([Conv2d; 3]),
}

impl Plan {
    /// Photographs are made smaller at once, 32x32 images are not.
    pub(super) fn stem_convs(&self, stem: Stem) -> StemConvs {
        let stride = |photographs: usize| match stem {
            Stem::ImageNet => photographs,
            Stem::Cifar => 1,
        };
        let (width, kernel) = (self.stem_channels(stem), self.stem_kernel);
        if self.genotype.attends() {
            return StemConvs::Patches(match stem {
                Stem::ImageNet => Conv2d::new(3, width, 16).stride(16),
                Stem::Cifar => Conv2d::new(3, width, 3).stride(3).padding(1),
            });
        }
        let from_pixels = |width| Conv2d::new(3, width, kernel).padding(kernel / 2);
        if self.stem == StemKind::Deep {
            let second = Conv2d::new(width / 2, width, 3).padding(1);
            return StemConvs::Deep([
                from_pixels(width / 2).stride(stride(2)),
                second.stride(stride(2)),
                Conv2d::new(width, width, 3).padding(1).stride(2),
            ]);
        }
        StemConvs::Plain(from_pixels(width).stride(stride(self.photograph_stride)))
    }

    /// Whether the first cell reads an image of half the side even if it is small.
    pub(super) fn halves_at_once(&self) -> bool {
        self.stem != StemKind::Plain && !self.genotype.attends()
    }

    /// Channels that the first cells read: three times their own where they may narrow them, and the
    /// image is small.
    pub(super) fn stem_channels(&self, stem: Stem) -> usize {
        let is_single = self.stem != StemKind::Deep && !self.genotype.attends();
        let is_narrowed = self.preparation == Preparation::Pointwise && stem == Stem::Cifar;
        self.channels * if is_single && is_narrowed { 3 } else { 1 }
    }
}

impl Network<'_> {
    /// What the first cell reads in place of the outputs of two cells.
    pub(super) fn stem(&mut self, stem: Stem) -> Result<[Maybe; 2], ArchError> {
        let x = self.b.input();
        match self.plan.stem_convs(stem) {
            StemConvs::Patches(conv) => {
                let x = add_default_conv(&mut self.b, "stem0", conv, x)?;
                let side = self.b.shape(x).side().unwrap_or_default();
                let places = self.b.position_map("pos_enc", conv.out_channels, side);
                Ok([Some(self.b.call(places, x)?); 2])
            }
            StemConvs::Plain(conv) => {
                let mut x = self.conv_norm("stem", 0, conv, x)?;
                if self.plan.stem == StemKind::Pooled {
                    x = self.b.apply("stem.2", Op::MaxPool(POOL), &[x])?;
                }
                Ok([Some(x); 2])
            }
            StemConvs::Deep([first, second, third]) => {
                let x = self.conv_norm("stem0", 0, first, x)?;
                let x = self.b.relu("stem0.2", x)?;
                let x = self.conv_norm("stem0", 3, second, x)?;
                // In place, so that the first cell sees it, too.
                let s0 = self.b.relu("stem1.0", x)?;
                let s1 = self.conv_norm("stem1", 1, third, s0)?;
                Ok([Some(s0), Some(s1)])
            }
        }
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
