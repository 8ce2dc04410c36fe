//! A set of ten classes that needs no files: patterns and shapes, drawn when asked for.
//!
//! The class decides what is drawn; place, size, turn, colours, background and noise are drawn at
//! random for each image. Colour says only a little about the class, so a network has to learn edges
//! and their arrangement. Image `i` of a part is of class `i % 10`, and is a pure function of the
//! part, `i` and the side asked for.

use std::f32::consts::{PI, TAU};
use std::path::PathBuf;

use rand::{Rng, RngCore};

use super::protocol::{Flip, Native};
use super::source::{Origin, Source};
use super::{DataSet, picture::Picture};
use crate::random::{self, Stream};

/// Images to train on.
const TRAIN_IMAGES: usize = 5_000;
/// Images to test on.
const TEST_IMAGES: usize = 1_000;
/// The data set is always the same one, whatever the seed of a run.
const SEED: u64 = 0;

const CLASSES: [&str; 10] = [
    "rows",
    "columns",
    "diagonals",
    "checks",
    "rings",
    "disc",
    "square",
    "triangle",
    "cross",
    "hoop",
];

/// One part of the synthetic set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Synthetic {
    part: &'static str,
}

/// The data set.
pub(super) fn data_set() -> DataSet {
    let part = |part, images| {
        let classes = CLASSES.len() as u32;
        Some(Source {
            labels: (0..images).map(|i| i % classes).collect(),
            origin: Origin::Synthetic(Synthetic { part }),
        })
    };
    DataSet {
        name: "synthetic".to_owned(),
        path: PathBuf::from("synthetic"),
        kind: "synthetic, drawn on the fly",
        classes: CLASSES.map(str::to_owned).to_vec(),
        native: Native::Any,
        flip: Flip::Horizontal,
        own_normalisation: None,
        train: part("train", TRAIN_IMAGES as u32),
        val: None,
        test: part("test", TEST_IMAGES as u32),
    }
}

impl Synthetic {
    /// Draws one image, `side` by `side`.
    pub fn draw(self, index: usize, side: usize) -> Picture {
        let stream = &mut random::stream(SEED, &format!("data/synthetic/{}/{index}", self.part));
        let scene = Scene::draw(index % CLASSES.len(), stream);
        let mut pixels = Vec::with_capacity(side * side * 3);
        let mut noise = vec![0u8; side * 6];
        let step = 1.0 / side as f32;
        for y in 0..side {
            stream.fill_bytes(&mut noise);
            for x in 0..side {
                let at = [(x as f32 + 0.5) * step - 0.5, (y as f32 + 0.5) * step - 0.5];
                let colour = scene.colour(at, step);
                for (channel, pair) in noise[x * 6..x * 6 + 6].chunks_exact(2).enumerate() {
                    // The sum of two uniform values: a triangle of the width asked for.
                    let draw = (f32::from(pair[0]) + f32::from(pair[1])) / 255.0 - 1.0;
                    pixels.push((colour[channel] + scene.noise * draw + 0.5) as u8);
                }
            }
        }
        Picture::square(side, pixels)
    }
}

/// What is drawn on one image. Places run from -0.5 to 0.5, colours from 0 to 255.
struct Scene {
    class: usize,
    centre: [f32; 2],
    /// Cosine and sine of the turn.
    turn: [f32; 2],
    /// Half the extent of a shape.
    size: f32,
    /// Stripes across the image, and where the first one lies.
    frequency: f32,
    phase: f32,
    ink: [f32; 3],
    /// Colours of two opposite sides of the background, and the direction between them.
    ground: [[f32; 3]; 2],
    slope: [f32; 2],
    /// A disc that means nothing: place, radius, colour.
    speck: ([f32; 2], f32, [f32; 3]),
    noise: f32,
}

impl Scene {
    fn draw(class: usize, stream: &mut Stream) -> Self {
        let mut angle: f32 = stream.random_range(-0.3..0.3);
        if class == 2 {
            angle += if stream.random() { PI / 4.0 } else { -PI / 4.0 };
        }
        let slope: f32 = stream.random_range(0.0..TAU);
        let ground = colour(stream);
        let ink = Self::ink(class, ground, stream);
        let mut place = |reach: f32| {
            [
                stream.random_range(-reach..reach),
                stream.random_range(-reach..reach),
            ]
        };
        let centre = place(0.18);
        let speck = place(0.5);
        Self {
            class,
            centre,
            turn: [angle.cos(), angle.sin()],
            size: stream.random_range(0.18..0.34),
            frequency: stream.random_range(2.5..5.0),
            phase: stream.random_range(0.0..1.0),
            ink,
            ground: [ground, mix(ground, colour(stream), 0.5)],
            slope: [slope.cos(), slope.sin()],
            speck: (speck, stream.random_range(0.04..0.12), colour(stream)),
            noise: stream.random_range(30.0..80.0),
        }
    }

    /// A colour that differs from the ground and leans a little towards the class's own hue.
    fn ink(class: usize, ground: [f32; 3], stream: &mut Stream) -> [f32; 3] {
        let hue = TAU * class as f32 / CLASSES.len() as f32;
        let own =
            [0.0, TAU / 3.0, 2.0 * TAU / 3.0].map(|shift| 127.5 + 110.0 * (hue - shift).cos());
        loop {
            let ink = mix(colour(stream), own, 0.25);
            let distance: f32 = ink.iter().zip(ground).map(|(a, b)| (a - b).abs()).sum();
            if distance > 140.0 {
                return ink;
            }
        }
    }

    /// The colour at a place, before noise; `blur` is the width of a pixel.
    fn colour(&self, at: [f32; 2], blur: f32) -> [f32; 3] {
        let along = (at[0] * self.slope[0] + at[1] * self.slope[1]) * 0.7 + 0.5;
        let mut colour = mix(self.ground[0], self.ground[1], along.clamp(0.0, 1.0));
        colour = mix(colour, self.ink, soft(self.depth(at), blur));
        let (speck, radius, speck_colour) = self.speck;
        let away = (at[0] - speck[0]).hypot(at[1] - speck[1]);
        mix(colour, speck_colour, soft(radius - away, blur))
    }

    /// How far inside the figure a place lies, in parts of the image's side; negative outside.
    fn depth(&self, at: [f32; 2]) -> f32 {
        let (dx, dy) = (at[0] - self.centre[0], at[1] - self.centre[1]);
        let x = dx * self.turn[0] + dy * self.turn[1];
        let y = dy * self.turn[0] - dx * self.turn[1];
        let away = x.hypot(y);
        let stripes = |t: f32| {
            let wave = (t * self.frequency + self.phase).rem_euclid(1.0);
            (0.25 - (wave - 0.5).abs()) / self.frequency
        };
        let size = self.size;
        match self.class {
            0 | 2 => stripes(y),
            1 => stripes(x),
            3 => {
                let (a, b) = (stripes(x), stripes(y));
                a.abs().min(b.abs()) * a.signum() * b.signum()
            }
            4 => stripes(away),
            5 => size - away,
            6 => size * 0.9 - x.abs().max(y.abs()),
            7 => (size * 0.55 - y).min(size * 0.55 + y * 0.5 - x.abs() * 0.87),
            8 => (size - x.abs().max(y.abs())).min(size * 0.3 - x.abs().min(y.abs())),
            _ => size * 0.25 - (away - size * 0.8).abs(),
        }
    }
}

/// A colour, uniform but not at the very ends.
fn colour(stream: &mut Stream) -> [f32; 3] {
    [0; 3].map(|_| stream.random_range(20.0..235.0))
}

fn mix(a: [f32; 3], b: [f32; 3], share: f32) -> [f32; 3] {
    [0, 1, 2].map(|i| a[i] + (b[i] - a[i]) * share)
}

/// Coverage of a pixel whose centre lies `depth` inside an edge.
fn soft(depth: f32, blur: f32) -> f32 {
    (depth / blur + 0.5).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRAIN: Synthetic = Synthetic { part: "train" };

    #[test]
    fn an_image_depends_on_part_and_index_only() {
        assert_eq!(TRAIN.draw(17, 32), TRAIN.draw(17, 32));
        assert_ne!(TRAIN.draw(17, 32), TRAIN.draw(27, 32));
        assert_ne!(TRAIN.draw(17, 32), Synthetic { part: "test" }.draw(17, 32));
    }

    #[test]
    fn a_larger_side_shows_the_same_scene() {
        let (small, large) = (TRAIN.draw(6, 16), TRAIN.draw(6, 64).fit(16));
        let difference: i32 = small
            .pixels
            .iter()
            .zip(&large.pixels)
            .map(|(&a, &b)| (i32::from(a) - i32::from(b)).abs())
            .sum();
        // The noise differs, the scene does not.
        assert!(difference / 768 < 40, "{difference}");
    }

    /// Share of test images whose nearest class mean (over the training images) is their own.
    #[test]
    fn class_means_do_not_tell_the_classes_apart() {
        let mut means = vec![vec![0f32; 16 * 16 * 3]; 10];
        for i in 0..500 {
            for (sum, &value) in means[i % 10].iter_mut().zip(&TRAIN.draw(i, 16).pixels) {
                *sum += f32::from(value) / 50.0;
            }
        }
        let test = Synthetic { part: "test" };
        let right = (0..300).filter(|&i| {
            let pixels = test.draw(i, 16).pixels;
            let distance = |mean: &[f32]| -> f32 {
                mean.iter()
                    .zip(&pixels)
                    .map(|(m, &p)| (m - f32::from(p)).powi(2))
                    .sum()
            };
            (0..10).min_by(|&a, &b| distance(&means[a]).total_cmp(&distance(&means[b])))
                == Some(i % 10)
        });
        let percent = right.count() / 3;
        assert!((5..50).contains(&percent), "{percent} %");
    }
}
