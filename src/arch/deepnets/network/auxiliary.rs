//! The auxiliary classifier: a second one, for training, that reads what the cell two thirds down makes.

use super::{Maybe, Network};
use crate::arch::zoo::{Options, Stem};
use crate::arch::{Activation, ArchError, Conv2d, Op, Pool};

/// Channels behind its two convolutions.
const CHANNELS: [usize; 2] = [128, 768];
/// Side of the image that it reads of attention's patches, of which there are 11x11.
const PATCHES: [usize; 2] = [8; 2];

impl Network<'_> {
    /// Registers the classifier and, if anything reaches it, calls it. The published form leaves one pixel
    /// of images of the usual sizes to the last layer, which takes no more: networks whose reductions leave
    /// photographs larger than 7x7 cannot have it. (There, the first ReLU is in place and shows in the main
    /// branch while training. Here it does not, and cells that prepare their inputs cannot tell.)
    pub(super) fn auxiliary(
        &mut self,
        channels: usize,
        options: &Options,
        mut x: Maybe,
    ) -> Result<(), ArchError> {
        let is_small = options.stem == Stem::Cifar;
        if is_small && self.plan.genotype.attends() {
            x = self.function("auxiliary_head", Op::AdaptiveAvgPool(PATCHES), x)?;
        }
        let mut at = 0;
        let mut path = || {
            at += 1;
            format!("auxiliary_head.features.{}", at - 1)
        };
        let relu = Op::Activation(Activation::Relu);
        x = self.function(&path(), relu, x)?;
        x = self.function(&path(), Op::AvgPool(self.pool(options.stem)), x)?;
        let convs = [
            Conv2d::new(channels, CHANNELS[0], 1),
            Conv2d::new(CHANNELS[0], CHANNELS[1], 2),
        ];
        for (i, conv) in convs.into_iter().enumerate() {
            x = self.conv(&path(), conv, x)?;
            // For photographs, the second norm was once left out by mistake, and is so on purpose since.
            if i == 0 || is_small {
                x = self.norm(&path(), conv.out_channels, x)?;
            }
            x = self.function(&path(), relu, x)?;
        }
        x = self.function("auxiliary_head", Op::Flatten, x)?;
        let widths = [CHANNELS[1], options.classes];
        let logits = self.linear("auxiliary_head.classifier", widths, true, x)?;
        if let Some(logits) = logits {
            self.b.auxiliary(logits);
        }
        Ok(())
    }

    /// Leaves 2x2 pixels of what the stem leaves of 32x32 or 224x224.
    fn pool(&self, stem: Stem) -> Pool {
        match stem {
            Stem::ImageNet => Pool::new(5, 2, 0),
            Stem::Cifar if self.plan.halves_at_once() => Pool::new(2, 2, 0),
            Stem::Cifar => Pool::new(5, 3, 0),
        }
    }
}
