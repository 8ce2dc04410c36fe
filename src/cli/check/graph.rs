//! `hyperscope check graph`: GHN graphs made from architectures, against the reference's.

use std::path::Path;

use super::{Case, stored};
use crate::ghn::reference::StoredGraph;
use crate::ghn::{Graph, Parameter};

/// One case per stored graph.
///
/// # Errors
/// If the folder holds no graphs, or a file cannot be read.
pub fn cases(path: &Path) -> anyhow::Result<Vec<Case>> {
    let files = stored::files(path, "graphs", ".graph.json.gz")?;
    anyhow::ensure!(
        !files.is_empty(),
        "there are no graphs in {}; give a folder that holds graphs/*.graph.json.gz",
        path.display()
    );
    files
        .iter()
        .map(|file| case(&file.tag, &StoredGraph::read(&file.path)?))
        .collect()
}

fn case(tag: &str, stored: &StoredGraph) -> anyhow::Result<Case> {
    let Some(arch) = stored::network(stored)? else {
        return Ok(Case::missing(tag, "the zoo has no such architecture yet"));
    };
    let parameters = Parameter::list(&arch);
    let graph = Graph::of(&arch);
    let difference = if parameters == stored.parameters() {
        stored.difference(&graph, &parameters)
    } else {
        Some("the parameters have other names, shapes or modules".to_owned())
    };
    let edges = graph.distances.edges().count();
    Ok(Case {
        name: tag.to_owned(),
        ok: difference.is_none(),
        note: difference.unwrap_or_else(|| format!("{} nodes, {edges} edges", graph.len())),
        ..Case::default()
    })
}
