//! What is asked of the images: side, shots, validation, augmentation, normalisation.
//!
//! The fine-tuning protocol is that of arXiv:2207.10049 and its published code, which is fixed for
//! CIFAR only: pad by 4, random crop of 32, horizontal flip, and, for networks that want another
//! side, a bilinear resize after the crop. The other kinds of data sets follow it as closely as they
//! allow; [`Frame`] says how.

/// Which images a training run uses, and in what form.
#[derive(Clone, Debug, PartialEq)]
pub struct Protocol {
    /// Side of the network's input, in pixels.
    pub side: usize,
    /// Only the first so many images of each class, in data-set order, after the validation images
    /// are set aside. A class that has fewer gives what it has.
    pub shots: Option<usize>,
    /// Set the last tenth of the training images aside for validation.
    pub val: bool,
    /// Images in a batch; the last batch of an epoch may be smaller.
    pub batch: usize,
    /// Seed of the order and of the augmentation.
    pub seed: u64,
    /// Random crop and flip.
    pub augment: bool,
}

impl Default for Protocol {
    /// The published defaults for CIFAR.
    fn default() -> Self {
        Self {
            side: 32,
            shots: None,
            val: false,
            batch: 96,
            seed: 1111,
            augment: true,
        }
    }
}

/// Mean and standard deviation per channel (red, green, blue) of pixels between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalisation {
    pub mean: [f32; 3],
    pub std: [f32; 3],
}

impl Normalisation {
    /// CIFAR-10's, for networks with inputs of 32x32.
    pub const CIFAR: Self = Self {
        mean: [0.491_399_68, 0.482_158_27, 0.446_531_24],
        std: [0.247_032_33, 0.243_485_05, 0.261_587_68],
    };
    /// ImageNet's, for every other side.
    pub const IMAGENET: Self = Self {
        mean: [0.485, 0.456, 0.406],
        std: [0.229, 0.224, 0.225],
    };
    /// MNIST's own, on each of the three equal channels.
    pub const MNIST: Self = Self {
        mean: [0.1307; 3],
        std: [0.3081; 3],
    };

    /// What the protocol uses for colour images at a side.
    #[must_use]
    pub fn at_side(side: usize) -> Self {
        if side == 32 {
            Self::CIFAR
        } else {
            Self::IMAGENET
        }
    }
}

/// Whether mirrored images mean the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flip {
    Horizontal,
    /// Digits and letters: a mirrored one is another sign or none.
    Never,
}

/// The size of the images of a part, as far as it is known before they are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Native {
    /// Square images of this side (a few outliers are resized to it).
    Square(usize),
    /// Images of many sizes and shapes.
    Mixed,
    /// Drawn at whatever side is asked for.
    Any,
}

/// The way of an image from its file to the network's input.
///
/// 1. It is stored as a square of `stored` pixels: the native side if that is at most the side asked
///    for, else the side asked for (a large native image is scaled down once, before the crop, where
///    the published code would crop first). Images of mixed sizes are scaled so that the shorter side
///    is 8/7 of the side asked for, and the central square is stored (224 gives 256, as usual for
///    ImageNet).
/// 2. For training, `crop` pixels are cut out at random after a zero padding of `pad`, and flipped.
///    For evaluation the centre is cut out.
/// 3. The crop is resized to `side`, if it differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub stored: usize,
    pub pad: usize,
    pub crop: usize,
    pub side: usize,
}

impl Frame {
    /// The frame of images of size `native` for networks with inputs of `side`.
    pub fn new(native: Native, side: usize) -> Self {
        let square = |stored: usize| Self {
            stored,
            // 4 at 32, and in proportion elsewhere.
            pad: stored / 8,
            crop: stored,
            side,
        };
        match native {
            Native::Square(native) => square(native.min(side)),
            Native::Any => square(side),
            Native::Mixed => Self {
                stored: side + (side + 3) / 7,
                pad: 0,
                crop: side,
                side,
            },
        }
    }

    /// Bytes of one stored image, three channels.
    pub fn stored_bytes(self) -> usize {
        self.stored * self.stored * 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cifar_at_32_and_at_224_is_cropped_at_its_native_side() {
        let at_32 = Frame::new(Native::Square(32), 32);
        assert_eq!(
            (at_32.stored, at_32.pad, at_32.crop, at_32.side),
            (32, 4, 32, 32)
        );
        let at_224 = Frame::new(Native::Square(32), 224);
        assert_eq!(
            (at_224.stored, at_224.pad, at_224.crop, at_224.side),
            (32, 4, 32, 224)
        );
    }

    #[test]
    fn photographs_of_any_shape_are_stored_at_256_for_224() {
        let frame = Frame::new(Native::Mixed, 224);
        assert_eq!((frame.stored, frame.pad, frame.crop), (256, 0, 224));
    }
}
