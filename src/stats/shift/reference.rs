//! The populations of all splits, for one kind of images.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rayon::prelude::*;

use super::{Population, Profile, ShiftError, file};
use crate::arch::deepnets::{self, Sizes, Split, Visit, VisitRule};
use crate::arch::zoo::{Options, Stem};
use crate::arch::{Arch, ArchError};
use crate::ghn::{Config, Graph};
use crate::random::stream;

/// Sides of the images that DeepNets-1M's networks are made for: CIFAR's and ImageNet's.
pub const SIDES: [usize; 2] = [32, 224];

/// A file that is larger than this when it is unpacked is something else.
pub(super) const LARGEST_BYTES: u64 = 256 << 20;

/// Networks of all splits, made for images of one size.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// Height and width of the images.
    pub side: usize,
    /// In the order of [`Split::ALL`]; the first is the training split.
    pub(super) populations: Vec<Population>,
    /// Where it comes from; none for those that the program carries.
    pub(super) path: Option<PathBuf>,
}

impl Reference {
    /// The reference that the program carries, for networks on images of such a size.
    #[must_use]
    pub fn carried(side: usize) -> &'static Self {
        static CARRIED: [OnceLock<Reference>; 2] = [const { OnceLock::new() }; 2];
        let (index, packed): (usize, &[u8]) = match stem(side) {
            Stem::Cifar => (0, include_bytes!("../../../assets/deepnets-32.shift")),
            Stem::ImageNet => (1, include_bytes!("../../../assets/deepnets-224.shift")),
        };
        CARRIED[index].get_or_init(|| {
            file::unpacked(packed)
                .unwrap_or_else(|reason| unreachable!("the carried file: {reason}"))
        })
    }

    /// Reads what [`Self::write`] wrote.
    ///
    /// # Errors
    /// If the file cannot be read or is something else.
    pub fn read(path: &Path) -> Result<Self, ShiftError> {
        let read = |source| ShiftError::Read {
            path: path.to_owned(),
            source,
        };
        let mut packed = Vec::new();
        let file = std::fs::File::open(path).map_err(read)?;
        file.take(LARGEST_BYTES)
            .read_to_end(&mut packed)
            .map_err(read)?;
        let mut reference = file::unpacked(&packed).map_err(|reason| ShiftError::NotReference {
            path: path.to_owned(),
            reason,
        })?;
        reference.path = Some(path.to_owned());
        Ok(reference)
    }

    /// The file's bytes.
    #[must_use]
    pub fn packed(&self) -> Vec<u8> {
        file::packed(self)
    }

    /// Draws `size(split)` networks of every split.
    ///
    /// `made` is told of each network.
    ///
    /// # Errors
    /// [`ArchError`] if the images are too small for a network.
    pub fn draw(
        side: usize,
        size: impl Fn(Split) -> usize,
        made: impl Fn() + Sync,
    ) -> Result<Self, ShiftError> {
        let mut populations = Vec::new();
        for split in Split::ALL {
            let profiles: Result<Vec<Profile>, ArchError> = (0..size(split) as u64)
                .into_par_iter()
                .map(|seed| {
                    let profile = profile(split, seed, side)?;
                    made();
                    Ok(profile)
                })
                .collect();
            populations.push(Population::of(split, &profiles?)?);
        }
        Ok(Self {
            side,
            populations,
            path: None,
        })
    }

    /// The networks of a split.
    ///
    /// # Errors
    /// [`ShiftError::NoSplit`] for a file that lacks it.
    pub fn population(&self, split: Split) -> Result<&Population, ShiftError> {
        let found = self.populations.iter().find(|p| p.split == split);
        found.ok_or_else(|| ShiftError::NoSplit {
            path: self.path.clone().unwrap_or_default(),
            split: split.word(),
        })
    }

    /// All splits.
    #[must_use]
    pub fn populations(&self) -> &[Population] {
        &self.populations
    }

    /// The GHN that was published for such networks: its tables and blocks, whatever its weights.
    #[must_use]
    pub fn published_config(&self) -> Config {
        match stem(self.side) {
            Stem::Cifar => Config::ghn2_cifar10(),
            Stem::ImageNet => Config::ghn2_imagenet(),
        }
    }
}

/// How many networks of a split are drawn if nobody says otherwise: enough for a percent to mean something.
#[must_use]
pub const fn size_of(split: Split) -> usize {
    match split {
        Split::Train => 10_000,
        _ => 500,
    }
}

/// What is looked at in a network of a population. Those of the training split have the layers of one visit
/// of GHN-2's training, which draws the widths anew each time; all other numbers are of the network as it is
/// stored.
pub(super) fn profile(split: Split, seed: u64, side: usize) -> Result<Profile, ArchError> {
    let options = options(side);
    let name = deepnets::name_of(split, seed);
    let plan = deepnets::plan(&name, &options)?;
    let arch = plan.build(&name, &options)?;
    let mut profile = Profile::of(&arch, &Graph::of(&arch));
    if let (Split::Train, Some(sizes)) = (split, Sizes::of(&plan)) {
        let mut stream = stream(seed, "shift/visit");
        let visit = Visit::draw(&plan, sizes, VisitRule::Ghn2, options.stem, &mut stream);
        profile.count_layers(&plan.on(visit).build(&name, &options)?);
    }
    Ok(profile)
}

/// A network of a population.
pub(super) fn network(split: Split, seed: u64, side: usize) -> Result<Arch, ArchError> {
    deepnets::build(&deepnets::name_of(split, seed), &options(side))
}

fn options(side: usize) -> Options {
    let classes = match stem(side) {
        Stem::Cifar => 10,
        Stem::ImageNet => 1000,
    };
    Options::for_images(classes, side)
}

/// Which of the two kinds of images such images are.
const fn stem(side: usize) -> Stem {
    Options::for_images(1, side).stem
}
