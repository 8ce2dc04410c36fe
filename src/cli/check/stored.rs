//! The reference's folder of GHN graphs and predictions, and the networks that it is about.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::arch::{Arch, zoo};
use crate::ghn::reference::StoredGraph;

use super::tiny;

/// A file of the reference.
pub(super) struct Stored {
    /// The file's name without what every file of its kind has.
    pub tag: String,
    pub path: PathBuf,
}

/// Files `KIND/*SUFFIX` of a reference folder and of its DeepNets-1M part, by name.
pub(super) fn files(folder: &Path, kind: &str, suffix: &str) -> anyhow::Result<Vec<Stored>> {
    let mut found = Vec::new();
    for part in [folder.to_owned(), folder.join("deepnets")] {
        let kind = part.join(kind);
        if !kind.is_dir() {
            continue;
        }
        let entries = std::fs::read_dir(&kind);
        for entry in entries.with_context(|| format!("reading {}", kind.display()))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if let Some(tag) = name.strip_suffix(suffix) {
                let tag = tag.to_owned();
                found.push(Stored { tag, path });
            }
        }
    }
    found.sort_by(|a, b| a.tag.cmp(&b.tag));
    Ok(found)
}

/// The graph file that belongs to a prediction or embedding of the network `tag`.
pub(super) fn graph_beside(file: &Path, tag: &str) -> anyhow::Result<StoredGraph> {
    let folder = file.parent().and_then(Path::parent);
    let graphs = folder.unwrap_or(Path::new("")).join("graphs");
    Ok(StoredGraph::read(
        &graphs.join(format!("{tag}.graph.json.gz")),
    )?)
}

/// The network that a graph was stored for, if this build has it.
pub(super) fn network(stored: &StoredGraph) -> anyhow::Result<Option<Arch>> {
    if let Some(arch) = tiny::build(&stored.arch)? {
        return Ok(Some(arch));
    }
    let parameters = stored.parameters();
    let classes = parameters.last().and_then(|p| p.shape.first());
    // The reference's networks are in training mode.
    let options = zoo::Options {
        auxiliary: true,
        ..zoo::Options::for_images(*classes.unwrap_or(&1000), stored.input_size[1])
    };
    if let Some(args) = &stored.net_args {
        let plan = args.plan().map_err(anyhow::Error::msg)?;
        let options = zoo::Options {
            auxiliary: args.auxiliary(),
            ..options
        };
        return Ok(Some(plan.build(&stored.arch, &options)?));
    }
    if !zoo::names().any(|n| n == stored.arch) {
        return Ok(None);
    }
    Ok(Some(zoo::build(&stored.arch, &options)?))
}
