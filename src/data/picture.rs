//! Decoded images.

use std::io::Cursor;

use image::{ImageReader, Limits};

/// Most memory that one image may take while it is decoded, in bytes.
const DECODE_LIMIT_BYTES: u64 = 1 << 30;
/// Largest width or height of an image, in pixels.
const LARGEST_SIDE: u32 = 30_000;

/// An image in memory: `pixels` is `[height, width, 3]`, red, green, blue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Picture {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<u8>,
}

impl Picture {
    /// A square image.
    pub fn square(side: usize, pixels: Vec<u8>) -> Self {
        debug_assert_eq!(pixels.len(), side * side * 3);
        Self {
            width: side,
            height: side,
            pixels,
        }
    }

    /// Decodes a JPEG or PNG file's bytes. Grey becomes three equal channels, transparency is dropped.
    ///
    /// # Errors
    /// The decoder's own words.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        if bytes.is_empty() {
            return Err("it is empty".to_owned());
        }
        let mut limits = Limits::default();
        limits.max_alloc = Some(DECODE_LIMIT_BYTES);
        limits.max_image_width = Some(LARGEST_SIDE);
        limits.max_image_height = Some(LARGEST_SIDE);
        let mut reader = ImageReader::new(Cursor::new(bytes))
            .with_guessed_format()
            .map_err(|e| e.to_string())?;
        reader.limits(limits);
        let rgb = reader.decode().map_err(|e| e.to_string())?.into_rgb8();
        let (width, height) = (rgb.width() as usize, rgb.height() as usize);
        if width == 0 || height == 0 {
            return Err("it has no pixels".to_owned());
        }
        Ok(Self {
            width,
            height,
            pixels: rgb.into_raw(),
        })
    }

    /// Cuts the central square out and scales it to `side`.
    pub fn fit(self, side: usize) -> Self {
        let square = self.centre();
        if square.width == side {
            return square;
        }
        resize(&square, side, side)
    }

    fn centre(self) -> Self {
        let side = self.width.min(self.height);
        if self.width == self.height {
            return self;
        }
        let (left, top) = ((self.width - side) / 2, (self.height - side) / 2);
        let rows = (top..top + side).flat_map(|y| {
            let start = (y * self.width + left) * 3;
            &self.pixels[start..start + side * 3]
        });
        Self::square(side, rows.copied().collect())
    }
}

/// Bilinear resize; when it makes the image smaller, the triangle widens so that every pixel counts
/// (as Pillow and torchvision do on images).
pub(super) fn resize(picture: &Picture, width: usize, height: usize) -> Picture {
    let across = taps(picture.width, width);
    let down = taps(picture.height, height);
    let mut narrow = vec![0f32; picture.height * width * 3];
    for (row, out) in picture
        .pixels
        .chunks_exact(picture.width * 3)
        .zip(narrow.chunks_exact_mut(width * 3))
    {
        for (tap, pixel) in across.iter().zip(out.chunks_exact_mut(3)) {
            for (k, weight) in tap.weights.iter().enumerate() {
                let from = &row[(tap.first + k) * 3..][..3];
                for (sum, &value) in pixel.iter_mut().zip(from) {
                    *sum += weight * f32::from(value);
                }
            }
        }
    }
    let mut pixels = vec![0; width * height * 3];
    let mut sums = vec![0f32; width * 3];
    for (tap, out) in down.iter().zip(pixels.chunks_exact_mut(width * 3)) {
        sums.fill(0.5);
        for (k, weight) in tap.weights.iter().enumerate() {
            let row = &narrow[(tap.first + k) * width * 3..][..width * 3];
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += weight * value;
            }
        }
        // The half that the sums began with makes this a rounding; `as` keeps it within 0 to 255.
        for (value, sum) in out.iter_mut().zip(&sums) {
            *value = *sum as u8;
        }
    }
    Picture {
        width,
        height,
        pixels,
    }
}

/// The source pixels of one pixel of a resized line, with weights that sum to one.
struct Tap {
    first: usize,
    weights: Vec<f32>,
}

fn taps(from: usize, to: usize) -> Vec<Tap> {
    let scale = from as f64 / to as f64;
    let reach = scale.max(1.0);
    (0..to)
        .map(|i| {
            let centre = (i as f64 + 0.5) * scale;
            let first = (centre - reach + 0.5).max(0.0) as usize;
            let end = ((centre + reach + 0.5) as usize).min(from).max(first + 1);
            let raw: Vec<f64> = (first..end)
                .map(|j| (1.0 - ((j as f64 + 0.5 - centre) / reach).abs()).max(0.0))
                .collect();
            let total: f64 = raw.iter().sum();
            Tap {
                first,
                weights: raw.iter().map(|w| (w / total) as f32).collect(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(width: usize, height: usize) -> Picture {
        let pixels = (0..height)
            .flat_map(|_| (0..width).flat_map(|x| [(x * 10) as u8; 3]))
            .collect();
        Picture {
            width,
            height,
            pixels,
        }
    }

    #[test]
    fn doubling_interpolates_between_pixel_centres_and_keeps_the_edges() {
        let big = resize(&ramp(3, 2), 6, 4);
        let row: Vec<u8> = big.pixels[..18].iter().step_by(3).copied().collect();
        // Centres of the six pixels lie at -0.25, 0.25, 0.75, ... of the three.
        assert_eq!(row, [0, 3, 8, 13, 18, 20]);
    }

    #[test]
    fn shrinking_uses_every_pixel() {
        let mut dots = ramp(8, 8);
        dots.pixels.fill(0);
        for pixel in dots.pixels.chunks_exact_mut(6) {
            pixel[..3].fill(200);
        }
        let small = resize(&dots, 2, 2);
        assert!(
            small.pixels.iter().all(|&v| (90..=110).contains(&v)),
            "{:?}",
            small.pixels
        );
    }

    #[test]
    fn fitting_cuts_the_middle_of_the_longer_side() {
        let fitted = ramp(12, 4).fit(4);
        assert_eq!((fitted.width, fitted.height), (4, 4));
        let row: Vec<u8> = fitted.pixels[..12].iter().step_by(3).copied().collect();
        assert_eq!(row, [40, 50, 60, 70]);
        assert_eq!(ramp(1, 900).fit(7).pixels.len(), 7 * 7 * 3);
    }

    #[test]
    fn bytes_that_are_no_image_are_refused() {
        assert!(Picture::decode(b"").is_err());
        assert!(Picture::decode(b"<html>not an image</html>").is_err());
    }
}
