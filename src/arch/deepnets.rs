//! DeepNets-1M: the population of small architectures that GHNs are trained on (Knyazev et al. 2021,
//! section 4): cells of random ops, stacked.
//!
//! `deepnets:SEED` is a network of the training split, `deepnets/SPLIT:SEED` one of another split, and
//! `deepnets/darts`, `deepnets/pdarts` and `deepnets/vit` are published cells. The published networks
//! cannot be drawn again, since they depend on the generators of numpy and PyTorch; ours have the
//! same distribution.

mod args;
mod generate;
mod genotype;
mod network;
mod visit;

use super::zoo::{Options, Stem};
use super::{Arch, ArchError};

pub use args::NetworkArgs;
pub use generate::Split;
pub use genotype::{Cell, Gene, Genotype, Primitive};
pub use network::{Norm, Plan, Preparation, StemKind};
pub use visit::{Sizes, Visit, VisitRule};

/// What names of this population begin with.
const PREFIX: &str = "deepnets";

/// Published cells.
pub const NAMED: [&str; 3] = ["deepnets/darts", "deepnets/pdarts", "deepnets/vit"];

/// Whether `name` means a network of this population.
#[must_use]
pub fn is_name(name: &str) -> bool {
    name.strip_prefix(PREFIX)
        .is_some_and(|rest| rest.starts_with([':', '/']))
}

/// The name of a split's network.
#[must_use]
pub fn name_of(split: Split, seed: u64) -> String {
    match split {
        Split::Train => format!("{PREFIX}:{seed}"),
        _ => format!("{PREFIX}/{}:{seed}", split.word()),
    }
}

/// The names of a split's first networks.
#[must_use]
pub fn first_names(split: Split, count: usize) -> Vec<String> {
    (0..count as u64).map(|seed| name_of(split, seed)).collect()
}

/// Builds the network called `name`.
///
/// # Errors
/// [`ArchError::Unknown`] for a name of another form; [`ArchError::BadShape`] if the image is too
/// small for it.
pub fn build(name: &str, options: &Options) -> Result<Arch, ArchError> {
    plan(name, options)?.build(name, options)
}

/// What the network called `name` is made of, for such images.
///
/// # Errors
/// [`ArchError::Unknown`].
pub fn plan(name: &str, options: &Options) -> Result<Plan, ArchError> {
    let unknown = || ArchError::Unknown {
        name: name.to_owned(),
        suggestions: NAMED
            .iter()
            .map(|n| (*n).to_owned())
            .chain([name_of(Split::Train, 1), name_of(Split::Test, 1)])
            .collect(),
    };
    if let Some(plan) = named(name, options.stem) {
        return Ok(plan);
    }
    let rest = name.strip_prefix(PREFIX).ok_or_else(unknown)?;
    let (split, seed) = rest.split_once(':').ok_or_else(unknown)?;
    let split = match split.strip_prefix('/') {
        Some(word) => Split::from_word(word).ok_or_else(unknown)?,
        None if split.is_empty() => Split::Train,
        None => return Err(unknown()),
    };
    let seed = seed.parse().map_err(|_| unknown())?;
    Ok(generate::draw(split, seed, options.stem))
}

/// The published cells as they are trained: on CIFAR-10 and on ImageNet.
fn named(name: &str, stem: Stem) -> Option<Plan> {
    let genotype = match name.strip_prefix(PREFIX)? {
        "/darts" => Genotype::darts(),
        "/pdarts" => Genotype::pdarts(),
        "/vit" => {
            return Some(Plan {
                channels: 128,
                cells: 12,
                preparation: Preparation::None,
                widening: 1,
                ..Plan::of(Genotype::vit())
            });
        }
        _ => return None,
    };
    let plan = Plan::of(genotype);
    Some(match stem {
        Stem::Cifar => Plan {
            channels: 36,
            cells: 20,
            ..plan
        },
        Stem::ImageNet => Plan {
            channels: 48,
            cells: 14,
            stem: StemKind::Deep,
            ..plan
        },
    })
}

#[cfg(test)]
mod tests;
