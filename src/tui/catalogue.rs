//! Architectures that the app has built, and the sizes of the whole zoo.

use std::collections::HashMap;
use std::sync::Arc;

use crate::arch::zoo::{self, Options};
use crate::arch::{self, Arch, ModuleTree};
use crate::engine::protocol::ArchSpec;
use crate::text::Shown;

/// An architecture with what the browser shows of it.
#[derive(Debug)]
pub struct ArchReport {
    pub arch: Arch,
    pub tree: ModuleTree,
    pub params: u64,
    pub macs: u64,
}

impl ArchReport {
    /// Builds the architecture of `spec`.
    ///
    /// # Errors
    /// The zoo's own message.
    pub fn build(spec: &ArchSpec) -> Result<Self, String> {
        let options = Options::for_images(spec.classes, spec.side);
        let arch = arch::build(&spec.name, &options).map_err(|error| error.to_string())?;
        let tree = ModuleTree::of(&arch);
        Ok(Self {
            params: tree.cost.params,
            macs: tree.cost.macs,
            tree,
            arch,
        })
    }
}

/// Parameter counts of the zoo for one class count and image side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surveyed {
    pub classes: usize,
    pub side: usize,
    /// By name; `None` if it cannot be built so (image too small).
    pub params: HashMap<String, Option<u64>>,
}

impl Surveyed {
    /// Builds every network once.
    #[must_use]
    pub fn of(classes: usize, side: usize) -> Self {
        let options = Options::for_images(classes, side);
        let params = zoo::names()
            .map(|name| {
                let arch = zoo::build(name, &options).ok();
                (name.to_owned(), arch.map(|a| a.parameter_count() as u64))
            })
            .collect();
        Self {
            classes,
            side,
            params,
        }
    }
}

/// How far an architecture is.
#[derive(Clone, Debug)]
pub enum Entry {
    Building,
    Ready(Arc<ArchReport>),
    Failed(Shown),
}

/// So many architectures are kept.
const KEPT: usize = 12;

/// What was built so far.
#[derive(Debug, Default)]
pub struct Catalogue {
    entries: HashMap<ArchSpec, Entry>,
    /// Oldest first.
    order: Vec<ArchSpec>,
    pub sizes: Surveyed,
}

impl Catalogue {
    /// What is known about `spec`.
    #[must_use]
    pub fn get(&self, spec: &ArchSpec) -> Option<&Entry> {
        self.entries.get(spec)
    }

    /// The architecture, if it is built.
    #[must_use]
    pub fn ready(&self, spec: &ArchSpec) -> Option<&Arc<ArchReport>> {
        match self.entries.get(spec) {
            Some(Entry::Ready(report)) => Some(report),
            _ => None,
        }
    }

    /// Keeps `spec` from being forgotten soon; gives whether it must be built, and notes that it will be.
    pub fn want(&mut self, spec: &ArchSpec) -> bool {
        let known = self.entries.remove(spec);
        let is_new = known.is_none();
        self.put(spec.clone(), known.unwrap_or(Entry::Building));
        is_new
    }

    /// Notes how far `spec` is, and forgets the oldest beyond [`KEPT`].
    pub fn put(&mut self, spec: ArchSpec, entry: Entry) {
        self.order.retain(|s| *s != spec);
        self.order.push(spec.clone());
        self.entries.insert(spec, entry);
        while self.order.len() > KEPT {
            let oldest = self.order.remove(0);
            self.entries.remove(&oldest);
        }
    }
}
