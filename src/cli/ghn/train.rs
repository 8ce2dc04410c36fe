//! `hyperscope ghn train`: a run that trains a GHN.

use anyhow::Context as _;
use clap::Args;

use crate::cli::Common;
use crate::cli::finetune::{self, ask};
use crate::data::{DataSet, Protocol, Split};
use crate::ghn::{Config, Ghn};
use crate::run::{DataRequest, Home, Request, TrainingRequest};
use crate::train::GhnRecipe;

#[derive(Debug, Args)]
pub struct TrainArgs {
    /// Images: synthetic, a file or folder, or a name set in the config file
    #[arg(long, value_name = "DATA")]
    data: String,
    /// How to train, and what: ghn2, ghn3, logah, or a recipe file (docs/ghn-training.md)
    #[arg(long, value_name = "NAME|FILE", default_value = "ghn2")]
    recipe: String,
    /// Go on from the weights of this GHN: a file, or a name in the cache folder
    #[arg(long, value_name = "GHN")]
    from: Option<String>,
    /// Networks in a step [default: the recipe's]
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u32).range(1..=1024))]
    meta_batch: Option<u32>,
    /// Images in a step [default: the recipe's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: Option<u32>,
    /// Passes over the training images [default: the recipe's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    epochs: Option<u32>,
    /// Largest learning rate [default: the recipe's]
    #[arg(long, value_name = "X")]
    lr: Option<f64>,
    /// Train on the first K images of each class only
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    shots: Option<u32>,
    /// Leave the work to a process of its own, print the run and return
    #[arg(long)]
    detach: bool,
    /// Words for the run's name [default: the GHN's kind]
    #[arg(long, value_name = "WORDS")]
    name: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// If the recipe, the data or the GHN to go on from cannot be used, and whatever ends the training early.
pub fn run(common: &Common, args: &TrainArgs) -> anyhow::Result<()> {
    let home = Home::find()?;
    let request = request(common, args, &home)?;
    finetune::carry_out(common, &home, &request, args.detach)
}

fn request(common: &Common, args: &TrainArgs, home: &Home) -> anyhow::Result<Request> {
    let placement = common.placement()?;
    let data = ask::open_data(&args.data, home)?;
    let from = args
        .from
        .as_deref()
        .map(|name| begin_from(name, &data, common.seed));
    let from = from.transpose()?;
    let mut recipe = recipe(&args.recipe)?;
    match &from {
        Some(ghn) => {
            check_suits(&args.recipe, &recipe.ghn, ghn)?;
            recipe.ghn = *ghn.config();
        }
        None => recipe.ghn.num_classes = data.classes.len(),
    }
    recipe.meta_batch = args.meta_batch.map_or(recipe.meta_batch, |n| n as usize);
    recipe.batch = args.batch.map_or(recipe.batch, |n| n as usize);
    recipe.epochs = args.epochs.unwrap_or(recipe.epochs);
    recipe.lr = args.lr.unwrap_or(recipe.lr);
    let problem = |reason: String| anyhow::anyhow!("the recipe {}: {reason}", args.recipe);
    recipe.check().map_err(problem)?;
    let shots = args.shots.map(|k| k as usize);
    check_images(&data, &recipe, shots, common.seed)?;
    Ok(Request {
        arch: recipe.ghn.kind().to_owned(),
        classes: data.classes.len(),
        side: recipe.image,
        init: args.from.clone().unwrap_or_else(|| "rand".to_owned()),
        name: args.name.clone().unwrap_or_default(),
        seed: common.seed,
        device: placement.device.to_string(),
        dtype: placement.precision.to_string(),
        threads: rayon::current_num_threads(),
        command: std::env::args().collect(),
        ghn: from.as_ref().map(ask::ghn_request).transpose()?,
        data: DataRequest {
            spec: ask::data_spec(&data)?,
            name: data.name.clone(),
            shots,
            val: data.trains(),
            augment: true,
        },
        training: TrainingRequest {
            recipe: args.recipe.clone(),
            epochs: recipe.epochs,
            batch: recipe.batch,
            optimizer: recipe.optimizer.word().to_owned(),
            lr: recipe.lr,
            wd: recipe.weight_decay,
            clip: Some(recipe.clip),
            label_smoothing: recipe.label_smoothing,
            eval_every: 1,
            ..TrainingRequest::default()
        },
        ghn_recipe: Some(recipe),
        ..Request::default()
    })
}

/// The recipe of a name, or in a file.
///
/// # Errors
/// If there is none, or it cannot be understood.
pub fn recipe(name: &str) -> anyhow::Result<GhnRecipe> {
    match name {
        "ghn2" => return Ok(GhnRecipe::ghn2()),
        "ghn3" => return Ok(GhnRecipe::ghn3()),
        "logah" => return Ok(GhnRecipe::logah()),
        _ => {}
    }
    let text = std::fs::read_to_string(name).with_context(|| {
        format!(
            "reading the recipe {name}: it is neither ghn2, ghn3 nor logah, nor a file that can be read"
        )
    })?;
    let recipe: GhnRecipe =
        toml::from_str(&text).with_context(|| format!("reading the recipe {name}"))?;
    recipe.ghn.check(name)?;
    Ok(recipe)
}

/// Whether a recipe that can be read may go on from a GHN: it is for one of its kind, and a file names no other
/// number of the GHN. `ghn2`, which is taken if nothing is asked, goes on from any.
fn check_suits(recipe: &str, wanted: &Config, ghn: &Ghn) -> anyhow::Result<()> {
    const INSTEAD: &str = "begin a new one without --from, or take a recipe that names no other";
    let name = ghn.name();
    match recipe {
        "ghn2" => return Ok(()),
        "ghn3" | "logah" => {
            let (is, wants) = (ghn.kind(), wanted.kind());
            anyhow::ensure!(
                is == wants,
                "the recipe {recipe} is for a {wants}, and {name} is a {is}; {INSTEAD}"
            );
            return Ok(());
        }
        _ => {}
    }
    let text = std::fs::read_to_string(recipe).with_context(|| format!("reading {recipe}"))?;
    let said: toml::Table = text.parse()?;
    let said = said.get("ghn").and_then(toml::Value::as_table);
    let (wants, has) = (
        toml::Table::try_from(wanted)?,
        toml::Table::try_from(ghn.config())?,
    );
    for key in said.into_iter().flat_map(toml::Table::keys) {
        let [wants, has] = [&wants, &has].map(|of| of.get(key).map(ToString::to_string));
        anyhow::ensure!(
            wants == has,
            "the recipe {recipe} is for a GHN with {key} = {}, and {name} has {}; {INSTEAD}",
            wants.unwrap_or_default(),
            has.unwrap_or_default()
        );
    }
    Ok(())
}

fn begin_from(name: &str, data: &DataSet, seed: u64) -> anyhow::Result<Ghn> {
    let ghn = Ghn::open(name, seed).context("opening the GHN to go on from")?;
    let (has, wants) = (ghn.config().num_classes, data.classes.len());
    anyhow::ensure!(
        has == wants,
        "the GHN {name} was trained for {has} classes, and {} has {wants}; begin a new one without --from",
        data.name
    );
    Ok(ghn)
}

/// Whether the data has as many images as a step takes, and images to look at besides.
fn check_images(
    data: &DataSet,
    recipe: &GhnRecipe,
    shots: Option<usize>,
    seed: u64,
) -> anyhow::Result<()> {
    let protocol = Protocol {
        side: recipe.image,
        shots,
        val: data.trains(),
        batch: recipe.batch,
        seed,
        augment: true,
    };
    let images = data.len(Split::Train, &protocol)?;
    anyhow::ensure!(
        images >= recipe.batch,
        "{} has {images} images to train on, fewer than the {} of a step; make --batch smaller",
        data.name,
        recipe.batch
    );
    Ok(())
}
