//! Post-processing, as `predict` is asked for it.

use clap::{Args, ValueEnum};

use crate::init::post::PUBLISHED_BETA;
use crate::init::{FirstLayer, Post};

/// Post-processing after the prediction.
#[derive(Debug, Args)]
pub struct PostArgs {
    /// What to do to the predicted weights
    #[arg(long, value_enum, default_value_t = PostKind::None, value_name = "KIND")]
    post: PostKind,
    /// Strength of the noise
    #[arg(long, default_value_t = PUBLISHED_BETA, value_name = "B")]
    beta: f64,
    /// First layer that is post-processed, by number from 1, by name, or auto: where the paper begins
    #[arg(long, default_value_t = FirstLayer::default(), value_name = "N|NAME|auto")]
    layer: FirstLayer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PostKind {
    None,
    Noise,
    Orth,
    #[value(name = "noise+orth")]
    NoiseOrth,
}

impl PostArgs {
    /// What is asked for, for all predicted weights.
    pub fn post(&self, seed: u64) -> Post {
        Post {
            noise: matches!(self.post, PostKind::Noise | PostKind::NoiseOrth),
            orth: matches!(self.post, PostKind::Orth | PostKind::NoiseOrth),
            beta: self.beta,
            first_layer: self.layer.clone(),
            seed,
            ..Post::default()
        }
    }
}
