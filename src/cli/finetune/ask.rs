//! From arguments to a run's request: recipes and defaults are filled in, and everything that can be
//! known to be wrong is found before a directory is made.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::super::Common;
use super::super::arch::{own_side, takes_images};
use super::args::FinetuneArgs;
use crate::arch::{self, onnx, zoo::Options};
use crate::data::{self, DataSet, Protocol};
use crate::ghn::Ghn;
use crate::init::post::PUBLISHED_BETA;
use crate::init::{self, FirstLayer, Source, Start};
use crate::run::{DataRequest, GhnRequest, Home, PostRequest, Request, TrainingRequest};
use crate::train::{OptimiserKind, Recipe};

/// The protocol's own.
const MOMENTUM: f64 = 0.9;
const CLIP: f64 = 5.0;

/// The request that the arguments describe.
///
/// # Errors
/// For an unknown architecture, data that cannot be read or used so, a GHN that is not there.
pub fn request(common: &Common, args: &FinetuneArgs, home: &Home) -> anyhow::Result<Request> {
    let data = open_data(&args.data, home)?;
    request_on(common, args, &data, &mut |seed| ghn(&args.ghn, seed))
}

/// The data set that `--data` names.
///
/// # Errors
/// If it cannot be read.
pub fn open_data(given: &str, home: &Home) -> anyhow::Result<DataSet> {
    let config = home.config()?;
    data::open(given, &config.data).context("opening the data set")
}

/// As [`request`], with the images already opened, and `ghn` to ask for the GHN, given a seed, if the
/// start needs one: for who asks for many runs.
///
/// # Errors
/// As [`request`].
pub fn request_on(
    common: &Common,
    args: &FinetuneArgs,
    data: &DataSet,
    ghn: &mut dyn FnMut(u64) -> anyhow::Result<GhnRequest>,
) -> anyhow::Result<Request> {
    let placement = common.placement()?;
    let start: Start = args.init.parse().context("reading --init")?;
    let recipe = recipe(args);
    let side = side(args, &recipe, data)?;
    let arch = arch::build(&args.arch, &Options::for_images(data.classes.len(), side))?;
    takes_images(&arch, side)?;
    let post = post(args, &start);
    if let Some(post) = &post {
        let first: FirstLayer = post.layer.parse()?;
        first.find(&arch).context("reading --layer")?;
    }
    let request = Request {
        arch: arch_text(&args.arch)?,
        classes: data.classes.len(),
        side,
        init: init_text(&start, &args.init)?,
        name: args.name.clone().unwrap_or_default(),
        seed: common.seed,
        device: placement.device.to_string(),
        dtype: placement.precision.to_string(),
        threads: rayon::current_num_threads(),
        command: std::env::args().collect(),
        ghn: match start.source {
            Source::Ghn => Some(ghn(common.seed)?),
            Source::Random | Source::File(_) => None,
        },
        post,
        data: data_request(args, &recipe, data)?,
        training: training(args, &recipe),
        ..Request::default()
    };
    check_images(data, &request)?;
    Ok(request)
}

/// What the loaders are asked for.
#[must_use]
pub fn protocol(request: &Request) -> Protocol {
    Protocol {
        side: request.side,
        shots: request.data.shots,
        val: request.data.val,
        batch: request.training.batch,
        seed: request.seed,
        augment: request.data.augment,
    }
}

fn recipe(args: &FinetuneArgs) -> Recipe {
    let asked = args.optimizer.map(OptimiserKind::from);
    let named = args.recipe.as_deref().and_then(Recipe::named);
    named.unwrap_or_else(|| Recipe::default_for(&args.arch, asked))
}

fn side(args: &FinetuneArgs, recipe: &Recipe, data: &DataSet) -> anyhow::Result<usize> {
    let asked = args.image.map(|side| side as usize).or(recipe.side);
    let side = match asked {
        Some(side) => Some(side),
        None => own_side(&args.arch)?,
    };
    Ok(side.unwrap_or_else(|| data.usual_side()))
}

/// The architecture as it is written down: a file with its whole path, so that a worker finds it.
fn arch_text(given: &str) -> anyhow::Result<String> {
    if !onnx::is_name(given) {
        return Ok(given.to_owned());
    }
    Ok(absolute(Path::new(given))?.display().to_string())
}

/// `--init` as it is written down: a file with its whole path.
fn init_text(start: &Start, given: &str) -> anyhow::Result<String> {
    let Source::File(path) = &start.source else {
        return Ok(given.to_owned());
    };
    anyhow::ensure!(
        path.is_file(),
        "--init {}: there is no such file, and it is none of rand, ghn, ghn+noise, ghn+orth, \
         ghn+noise+orth",
        path.display()
    );
    Ok(absolute(path)?.display().to_string())
}

/// The GHN by its file, so that a worker finds it from anywhere. Without trained weights they are
/// drawn from `seed`.
///
/// # Errors
/// If there is no such GHN, or it cannot be read.
pub fn ghn(given: &str, seed: u64) -> anyhow::Result<GhnRequest> {
    ghn_request(&Ghn::open(given, seed).context("opening the GHN")?)
}

/// A GHN as it is written down.
///
/// # Errors
/// If its file cannot be read any more.
pub fn ghn_request(ghn: &Ghn) -> anyhow::Result<GhnRequest> {
    let name = match ghn.path() {
        Some(path) => absolute(path)?.display().to_string(),
        None => ghn.name().to_owned(),
    };
    Ok(GhnRequest {
        name,
        sha256: ghn.hash()?.to_owned(),
        trained: ghn.trained(),
    })
}

/// Post-processing, if the start asks for it: as given, as the recipe has it, or of all layers with
/// the published strength.
fn post(args: &FinetuneArgs, start: &Start) -> Option<PostRequest> {
    let recipe = args.recipe.as_deref().and_then(init::recipe);
    let first = recipe.map_or(1, |r| r.first_layer);
    start.post_processes().then(|| PostRequest {
        noise: start.noise,
        orth: start.orth,
        beta: args
            .beta
            .unwrap_or_else(|| recipe.map_or(PUBLISHED_BETA, |r| r.beta)),
        layer: args.layer.clone().unwrap_or_else(|| first.to_string()),
        max_size: 0,
    })
}

/// The data set as it is written down: with its whole path, so that a worker finds it.
///
/// # Errors
/// If there is no current folder.
pub fn data_spec(data: &DataSet) -> anyhow::Result<String> {
    if data.path == Path::new("synthetic") {
        return Ok("synthetic".to_owned());
    }
    Ok(absolute(&data.path)?.display().to_string())
}

fn data_request(
    args: &FinetuneArgs,
    recipe: &Recipe,
    data: &DataSet,
) -> anyhow::Result<DataRequest> {
    Ok(DataRequest {
        spec: data_spec(data)?,
        name: data.name.clone(),
        shots: args.shots.map(|k| k as usize).or(recipe.shots),
        val: args.val || recipe.val,
        augment: true,
    })
}

fn training(args: &FinetuneArgs, recipe: &Recipe) -> TrainingRequest {
    let kind = args.optimizer.map_or(recipe.optimiser, OptimiserKind::from);
    TrainingRequest {
        recipe: recipe.name.to_owned(),
        epochs: args.epochs.unwrap_or(recipe.epochs),
        batch: args.batch.map_or(recipe.batch, |n| n as usize),
        optimizer: kind.to_string(),
        lr: args.lr.unwrap_or(recipe.lr),
        wd: args.wd.unwrap_or(recipe.weight_decay),
        momentum: if kind == OptimiserKind::Sgd {
            MOMENTUM
        } else {
            0.0
        },
        clip: Some(CLIP),
        label_smoothing: 0.0,
        eval_every: args.eval_every,
    }
}

/// Whether the data has the images that the request asks for.
fn check_images(data: &DataSet, request: &Request) -> anyhow::Result<()> {
    let protocol = protocol(request);
    data.len(data::Split::Train, &protocol)?;
    data.len(data::Split::Test, &protocol)?;
    if protocol.val {
        data.len(data::Split::Val, &protocol)?;
    }
    Ok(())
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("finding {}", path.display()))
}
