//! A run that trains a GHN.

use anyhow::Context as _;

use super::{images, placement};
use crate::data::{EvalLoader, Protocol, Split};
use crate::ghn::Ghn;
use crate::run::{Request, RunDir};
use crate::train::{GhnRecipe, GhnTask};

/// Reads the images and makes the first weights.
pub fn task(dir: &RunDir, request: &Request, recipe: &GhnRecipe) -> anyhow::Result<GhnTask> {
    let data = images(request)?;
    let protocol = Protocol {
        side: recipe.image,
        shots: request.data.shots,
        val: request.data.val,
        batch: recipe.batch,
        seed: request.seed,
        augment: request.data.augment,
    };
    let held_out = request.data.val && recipe.eval_networks > 0 && recipe.eval_images > 0;
    let limit = Some(recipe.eval_images);
    let val = held_out.then(|| EvalLoader::mixed(&data, Split::Val, &protocol, limit));
    Ok(GhnTask {
        ghn: first_weights(request, recipe)?,
        recipe: recipe.clone(),
        placement: placement(request)?,
        val: val.transpose()?,
        seed: request.seed,
        checkpoints: dir.checkpoint(),
        data,
        protocol,
    })
}

fn first_weights(request: &Request, recipe: &GhnRecipe) -> anyhow::Result<Ghn> {
    let Some(from) = &request.ghn else {
        return Ok(Ghn::untrained(&recipe.ghn, request.seed)?);
    };
    let ghn = Ghn::open(&from.name, request.seed).context("opening the GHN to go on from")?;
    anyhow::ensure!(
        ghn.hash()? == from.sha256 && *ghn.config() == recipe.ghn,
        "the GHN {} is another one now than when the run was asked for; start another run",
        from.name
    );
    Ok(ghn)
}
