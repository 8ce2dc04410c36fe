//! Augmentation and normalisation of one image.

use rand::Rng;

use super::Normalisation;
use super::picture::{Picture, resize};
use super::protocol::{Flip, Frame};
use crate::random::Stream;

/// Turns stored images into a network's input.
#[derive(Clone, Debug)]
pub(super) struct Preparation {
    frame: Frame,
    flip: Flip,
    /// Normalised value of each pixel value, per channel.
    table: Box<[[f32; 256]; 3]>,
}

/// Where the crop lies in the padded image, and whether it is mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    left: usize,
    top: usize,
    mirrored: bool,
}

impl Preparation {
    pub fn new(frame: Frame, flip: Flip, normalisation: Normalisation) -> Self {
        let mut table = Box::new([[0f32; 256]; 3]);
        for (channel, values) in table.iter_mut().enumerate() {
            for (value, out) in values.iter_mut().enumerate() {
                *out = (value as f32 / 255.0 - normalisation.mean[channel])
                    / normalisation.std[channel];
            }
        }
        Self { frame, flip, table }
    }

    /// Values of one prepared image.
    pub fn len(&self) -> usize {
        self.frame.side * self.frame.side * 3
    }

    /// Draws a crop for training. The number of draws does not depend on the outcome.
    pub fn random_cut(&self, stream: &mut Stream) -> Cut {
        let last = self.frame.stored + 2 * self.frame.pad - self.frame.crop;
        let left = stream.random_range(0..=last);
        let top = stream.random_range(0..=last);
        let mirrored = stream.random::<bool>();
        Cut {
            left,
            top,
            mirrored: mirrored && self.flip == Flip::Horizontal,
        }
    }

    /// The crop for evaluation.
    pub fn centre_cut(&self) -> Cut {
        let middle = (self.frame.stored + 2 * self.frame.pad - self.frame.crop) / 2;
        Cut {
            left: middle,
            top: middle,
            mirrored: false,
        }
    }

    /// Writes the prepared image, `[side, side, 3]`, to `out`. `stored` is `[stored, stored, 3]`.
    pub fn write(&self, stored: &[u8], cut: Cut, out: &mut [f32]) {
        let Frame { crop, side, .. } = self.frame;
        let whole =
            cut.left == self.frame.pad && cut.top == self.frame.pad && crop == self.frame.stored;
        if side == crop && whole && !cut.mirrored {
            return self.normalise(stored, out);
        }
        let cropped = self.cropped(stored, cut);
        if side == crop {
            self.normalise(&cropped, out);
        } else {
            self.normalise(
                &resize(&Picture::square(crop, cropped), side, side).pixels,
                out,
            );
        }
    }

    /// The crop, `[crop, crop, 3]`; what lies outside the stored image is black.
    fn cropped(&self, stored: &[u8], cut: Cut) -> Vec<u8> {
        let Frame {
            stored: side,
            pad,
            crop,
            ..
        } = self.frame;
        let mut out = vec![0; crop * crop * 3];
        // The columns of the crop that lie within the image.
        let from = pad.saturating_sub(cut.left).min(crop);
        let to = (pad + side - cut.left).min(crop).max(from);
        for (y, row) in out.chunks_exact_mut(crop * 3).enumerate() {
            let Some(source_y) = (cut.top + y).checked_sub(pad).filter(|&y| y < side) else {
                continue;
            };
            let start = source_y * side + cut.left + from - pad;
            row[from * 3..to * 3].copy_from_slice(&stored[start * 3..(start + to - from) * 3]);
            if cut.mirrored {
                mirror(row);
            }
        }
        out
    }

    fn normalise(&self, pixels: &[u8], out: &mut [f32]) {
        for (pixel, out) in pixels.chunks_exact(3).zip(out.chunks_exact_mut(3)) {
            for ((&value, out), table) in pixel.iter().zip(out).zip(self.table.iter()) {
                *out = table[usize::from(value)];
            }
        }
    }
}

/// Reverses the pixels of a row.
fn mirror(row: &mut [u8]) {
    row.reverse();
    for pixel in row.chunks_exact_mut(3) {
        pixel.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::protocol::Native;
    use crate::random;

    const PLAIN: Normalisation = Normalisation {
        mean: [0.0; 3],
        std: [1.0 / 255.0; 3],
    };

    /// A 32x32 image whose red value is the column plus one and whose green value is the row plus one.
    fn grid() -> Vec<u8> {
        (0..32u8)
            .flat_map(|y| (0..32u8).flat_map(move |x| [x + 1, y + 1, 7]))
            .collect()
    }

    fn cut_out(cut: Cut) -> Vec<[i32; 3]> {
        let preparation =
            Preparation::new(Frame::new(Native::Square(32), 32), Flip::Horizontal, PLAIN);
        let mut out = vec![0.0; preparation.len()];
        preparation.write(&grid(), cut, &mut out);
        out.chunks_exact(3)
            .map(|p| {
                [
                    p[0].round() as i32,
                    p[1].round() as i32,
                    p[2].round() as i32,
                ]
            })
            .collect()
    }

    #[test]
    fn crops_shift_the_image_and_leave_black_outside() {
        for (left, top) in [(0, 0), (8, 8), (4, 4), (1, 7), (8, 0)] {
            for mirrored in [false, true] {
                let pixels = cut_out(Cut {
                    left,
                    top,
                    mirrored,
                });
                for (i, pixel) in pixels.iter().enumerate() {
                    let column = if mirrored { 31 - i % 32 } else { i % 32 };
                    let x = (column + left) as i32 - 4;
                    let y = (i / 32 + top) as i32 - 4;
                    let inside = (0..32).contains(&x) && (0..32).contains(&y);
                    let want = if inside { [x + 1, y + 1, 7] } else { [0; 3] };
                    assert_eq!(
                        *pixel, want,
                        "left {left}, top {top}, mirrored {mirrored}, pixel {i}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_crop_and_both_directions_are_drawn() {
        let preparation =
            Preparation::new(Frame::new(Native::Square(32), 32), Flip::Horizontal, PLAIN);
        let mut stream = random::stream(1, "test");
        let cuts: Vec<Cut> = (0..2000)
            .map(|_| preparation.random_cut(&mut stream))
            .collect();
        for place in 0..=8 {
            assert!(cuts.iter().any(|c| c.left == place) && cuts.iter().any(|c| c.top == place));
        }
        let mirrored = cuts.iter().filter(|c| c.mirrored).count();
        assert!((800..1200).contains(&mirrored));
    }

    #[test]
    fn digits_are_never_mirrored() {
        let preparation = Preparation::new(Frame::new(Native::Square(28), 28), Flip::Never, PLAIN);
        let mut stream = random::stream(1, "test");
        assert!((0..100).all(|_| !preparation.random_cut(&mut stream).mirrored));
    }

    #[test]
    fn normalisation_is_mean_and_deviation_of_pixels_between_0_and_1() {
        let preparation = Preparation::new(
            Frame::new(Native::Square(1), 1),
            Flip::Never,
            Normalisation::CIFAR,
        );
        let mut out = [0f32; 3];
        preparation.write(&[0, 128, 255], preparation.centre_cut(), &mut out);
        let want = [
            -0.491_399_68 / 0.247_032_33,
            (128.0 / 255.0 - 0.482_158_27) / 0.243_485_05,
            (1.0 - 0.446_531_24) / 0.261_587_68,
        ];
        for (got, want) in out.iter().zip(want) {
            assert!((got - want as f32).abs() < 1e-6);
        }
    }
}
