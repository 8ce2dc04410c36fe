//! From arguments to the requests of all runs.

use anyhow::Context as _;
use sha2::{Digest, Sha256};

use super::super::Common;
use super::super::finetune::{FinetuneArgs, ask};
use super::args::ReproduceArgs;
use crate::arch::{self, zoo::Options};
use crate::data::DataSet;
use crate::init::{FirstLayer, Source, Start};
use crate::run::{GhnRequest, Home, Request};
use crate::train::Recipe;

/// Characters of the data set's name in an experiment's name.
const MOST_OF_DATA: usize = 16;

/// The runs that an experiment consists of.
#[derive(Debug)]
pub struct Plan {
    pub name: String,
    /// Seed by seed, and in each network by network, so that early results compare all starts.
    pub requests: Vec<Request>,
}

impl Plan {
    /// What the arguments ask for.
    ///
    /// # Errors
    /// For anything that would make a run impossible: an unknown network, data that cannot be read or has
    /// too few images, a GHN that is not there, a layer that a network does not have.
    pub fn make(common: &Common, args: &ReproduceArgs, home: &Home) -> anyhow::Result<Self> {
        let data = args.data.as_deref().context("--data is missing")?;
        let data = ask::open_data(data, home)?;
        let starts = starts(&args.starts)?;
        refuse_twice("--archs", &args.archs)?;
        let mut ghns = Ghns::new(&args.ghn);
        let mut requests = Vec::new();
        for seed in seeds(common.seed, args.seeds)? {
            let common = Common {
                seed,
                ..common.clone()
            };
            for arch in &args.archs {
                for start in &starts {
                    let asked = finetune(args, arch, start, &data)
                        .and_then(|a| ask::request_on(&common, &a, &data, &mut |s| ghns.get(s)))
                        .with_context(|| format!("planning {arch} from {start}"))?;
                    requests.push(asked);
                }
            }
        }
        let name = match &args.name {
            Some(name) => name.clone(),
            None => made_name(args, &requests)?,
        };
        for request in &mut requests {
            request.experiment.clone_from(&name);
            // Workers side by side share the machine.
            request.threads = (request.threads / args.jobs as usize).max(1);
        }
        Ok(Self { name, requests })
    }
}

/// The one GHN of an experiment. If it is trained it is opened once, and else for each seed, from which
/// its weights are drawn then.
struct Ghns<'a> {
    given: &'a str,
    known: Option<(u64, GhnRequest)>,
}

impl<'a> Ghns<'a> {
    fn new(given: &'a str) -> Self {
        Self { given, known: None }
    }

    fn get(&mut self, seed: u64) -> anyhow::Result<GhnRequest> {
        match &self.known {
            Some((for_seed, ghn)) if ghn.trained || *for_seed == seed => Ok(ghn.clone()),
            _ => {
                let ghn = ask::ghn(self.given, seed)?;
                self.known = Some((seed, ghn.clone()));
                Ok(ghn)
            }
        }
    }
}

fn seeds(first: u64, count: u32) -> anyhow::Result<std::ops::Range<u64>> {
    let end = first.checked_add(u64::from(count));
    let end = end.with_context(|| format!("--seed {first}: no {count} seeds follow it"))?;
    Ok(first..end)
}

/// The starts in their one spelling: `random` is `rand`.
fn starts(given: &[String]) -> anyhow::Result<Vec<String>> {
    let mut starts = Vec::new();
    for text in given {
        let start: Start = text.parse().context("reading --starts")?;
        starts.push(match start.source {
            Source::File(_) => text.clone(),
            Source::Random | Source::Ghn => start.to_string(),
        });
    }
    refuse_twice("--starts", &starts)?;
    Ok(starts)
}

fn refuse_twice(option: &str, given: &[String]) -> anyhow::Result<()> {
    let twice = given
        .iter()
        .enumerate()
        .find(|(place, name)| given[..*place].contains(name));
    match twice {
        Some((_, name)) => anyhow::bail!("{option} names {name} twice"),
        None => Ok(()),
    }
}

/// One run as `hyperscope finetune` would be asked for it.
fn finetune(
    args: &ReproduceArgs,
    arch: &str,
    start: &str,
    data: &DataSet,
) -> anyhow::Result<FinetuneArgs> {
    let recipe = Recipe::of_family(arch);
    Ok(FinetuneArgs {
        arch: arch.to_owned(),
        init: start.to_owned(),
        ghn: args.ghn.clone(),
        data: args.data.clone().unwrap_or_default(),
        shots: Some(args.shots),
        recipe: Some(recipe.name.to_owned()),
        epochs: args.epochs,
        batch: None,
        image: Some(args.image),
        optimizer: None,
        lr: None,
        wd: None,
        beta: None,
        layer: Some(match &args.layer {
            Some(layer) => layer.clone(),
            None => first_layer(arch, args.image, data)?.to_string(),
        }),
        val: recipe.val,
        eval_every: args.eval_every,
        detach: true,
        name: None,
    })
}

fn first_layer(arch: &str, side: u32, data: &DataSet) -> anyhow::Result<usize> {
    let options = Options::for_images(data.classes.len(), side as usize);
    let arch = arch::build(arch, &options)?;
    Ok(FirstLayer::Auto.find(&arch)?)
}

/// A name that follows from what all runs have in common, and not from which networks, starts and
/// seeds there are: those may be added.
fn made_name(args: &ReproduceArgs, requests: &[Request]) -> anyhow::Result<String> {
    let first = requests.first().context("no run was asked for")?;
    // Of a GHN without trained weights the name stands for all that are drawn.
    let ghn = requests.iter().find_map(|r| r.ghn.as_ref());
    let ghn = ghn.map(|g| if g.trained { &g.sha256 } else { &g.name });
    let common = serde_json::to_string(&(
        (&first.data.spec, first.data.shots, first.side, &first.dtype),
        (args.epochs, &args.layer, args.eval_every, ghn),
    ))?;
    let hash = Sha256::digest(common.as_bytes());
    let digits = u32::from_be_bytes([0, hash[0], hash[1], hash[2]]);
    let data: String = first.data.name.chars().take(MOST_OF_DATA).collect();
    Ok(format!("{data}-{}-shots-{digits:06x}", args.shots))
}
