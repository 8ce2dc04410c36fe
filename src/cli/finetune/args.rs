//! The arguments of `hyperscope finetune`.

use clap::{Args, ValueEnum};

use crate::train::{OptimiserKind, Recipe};

#[derive(Clone, Debug, Args)]
pub struct FinetuneArgs {
    /// Architecture, such as resnet18 (`hyperscope arch list` shows all), or an ONNX file
    pub arch: String,
    /// First parameters: rand, ghn, ghn+noise, ghn+orth, ghn+noise+orth, or a file (.safetensors,
    /// .pt, .pth, .onnx)
    #[arg(long, value_name = "INIT", default_value = "rand")]
    pub init: String,
    /// GHN that predicts them: default, a file, or a name in the cache folder
    #[arg(long, value_name = "GHN", default_value = "default")]
    pub ghn: String,
    /// Images: synthetic, a file or folder, or a name set in the config file
    #[arg(long, value_name = "DATA")]
    pub data: String,
    /// Train only on the first K images of each class
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    pub shots: Option<u32>,
    /// Take the settings of a published run; options given beside it win
    #[arg(long, value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(Recipe::names()))]
    pub recipe: Option<String>,
    /// Epochs [default: 50]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub epochs: Option<u32>,
    /// Images per step [default: 96 with sgd, 48 with adamw]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub batch: Option<u32>,
    /// Side of the images that the network sees [default: the data's own, or 32 where it has none; an ONNX
    /// file's own]
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub image: Option<u32>,
    /// Optimiser [default: adamw for ConvNeXt, else sgd]
    #[arg(long, value_name = "NAME")]
    pub optimizer: Option<Optimizer>,
    /// Learning rate of the first epoch; a cosine takes it to 0 [default: 0.025 with sgd, 0.001 with
    /// adamw]
    #[arg(long, value_name = "X", value_parser = not_negative)]
    pub lr: Option<f64>,
    /// Weight decay [default: 0.0003 with sgd, 0.1 with adamw]
    #[arg(long, value_name = "X", value_parser = not_negative)]
    pub wd: Option<f64>,
    /// Strength of the noise of post-processing [default: 0.00003]
    #[arg(long, value_name = "B", value_parser = not_negative)]
    pub beta: Option<f64>,
    /// First layer that is post-processed, by number from 1, by name, or auto: where the paper begins [default: 1]
    #[arg(long, value_name = "N|NAME|auto")]
    pub layer: Option<String>,
    /// Keep the last tenth of the training images for validation. They are then evaluated each
    /// epoch and choose the best checkpoint; the test images are used once, at the end. Without
    /// this, the test images are evaluated each epoch
    #[arg(long)]
    pub val: bool,
    /// Evaluate every N epochs, and after the last
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub eval_every: u32,
    /// Start the run in the background and print its name
    #[arg(long)]
    pub detach: bool,
    /// Words for the run's name instead of architecture and initialisation
    #[arg(long, value_name = "WORDS")]
    pub name: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Optimizer {
    Sgd,
    Adamw,
}

impl From<Optimizer> for OptimiserKind {
    fn from(given: Optimizer) -> Self {
        match given {
            Optimizer::Sgd => Self::Sgd,
            Optimizer::Adamw => Self::AdamW,
        }
    }
}

fn not_negative(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x.is_finite() && x >= 0.0 => Ok(x),
        Ok(_) => Err("it must be 0 or more, and finite".to_owned()),
        Err(e) => Err(e.to_string()),
    }
}
