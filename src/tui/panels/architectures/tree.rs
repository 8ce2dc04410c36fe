//! The chosen architecture as rows: modules by path, blocks that are built alike in one row.

use std::collections::HashSet;
use std::sync::Arc;

use super::outline::{Fold, Folded, Outline, OutlineRow};
use crate::arch::{Arch, ModuleTree, NodeId, Op, Shape};
use crate::text::Shown;
use crate::tui::catalogue::ArchReport;
use crate::tui::command::Command;
use crate::tui::shared::Shared;

/// One row of the tree.
#[derive(Clone, Debug, PartialEq)]
pub struct TreeLine {
    pub depth: usize,
    /// `conv1`, `1..2`; the whole path where the tree is filtered.
    pub label: Shown,
    /// Of the module, or of the one that calls a function.
    pub path: String,
    /// Tells rows apart also where a function has its caller's path.
    pub key: String,
    pub fold: Fold,
    /// How many blocks this row stands for.
    pub repeats: usize,
    /// How many blocks lie in it, if it is a stage of blocks.
    pub blocks: usize,
    /// The operation, or a summary of those within.
    pub op: String,
    pub output: Shape,
    /// Of all repeats together.
    pub params: u64,
    pub macs: u64,
    /// Nodes of the first repeat.
    pub nodes: Vec<NodeId>,
    /// A function without a module of its own, such as a sum.
    pub is_function: bool,
}

impl OutlineRow for TreeLine {
    fn key(&self) -> &str {
        &self.key
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn fold(&self) -> Fold {
        self.fold
    }
}

/// The rows with their cursor.
#[derive(Debug, Default)]
pub struct Tree {
    outline: Outline<TreeLine>,
    filter: String,
    /// Whose rows these are.
    report: Option<Arc<ArchReport>>,
}

impl Tree {
    #[must_use]
    pub const fn outline(&self) -> &Outline<TreeLine> {
        &self.outline
    }

    /// The network whose rows these are.
    #[must_use]
    pub fn report(&self) -> Option<&ArchReport> {
        self.report.as_deref()
    }

    /// The row under the cursor.
    #[must_use]
    pub fn row(&self) -> Option<&TreeLine> {
        self.outline.row()
    }

    /// The path under the cursor.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.row().map(|row| row.path.as_str())
    }

    #[must_use]
    pub fn filter_text(&self) -> &str {
        &self.filter
    }

    #[must_use]
    pub const fn is_filtered(&self) -> bool {
        !self.filter.is_empty()
    }

    /// Keeps only modules without children whose path or operation holds every word of `text`.
    pub fn filter(&mut self, text: &str, shared: &Shared) {
        text.clone_into(&mut self.filter);
        self.refresh(shared);
    }

    /// Makes the rows anew from the selected architecture; the cursor stays on its row if that is
    /// still there.
    pub fn refresh(&mut self, shared: &Shared) {
        let report = shared.archs.ready(&shared.selection.arch).cloned();
        let same_arch = match (&self.report, &report) {
            (Some(a), Some(b)) => a.arch.name() == b.arch.name(),
            _ => false,
        };
        if report.is_some() && !same_arch {
            self.outline.open.clear();
        }
        self.report = report;
        let rows = match &self.report {
            None => Vec::new(),
            Some(report) if self.is_filtered() => found(report, &self.filter),
            Some(report) => {
                let open = &self.outline.open;
                let mut rows = Vec::new();
                add_children(&report.tree, &report.arch, 0, open, &mut rows);
                rows
            }
        };
        self.outline.replace(rows);
    }

    /// Opens or closes the row under the cursor, see [`Outline::fold`]. False if there was nothing to do.
    pub fn fold(&mut self, command: Command, shared: &Shared) -> bool {
        let folded = self.outline.fold(command);
        if folded == Folded::Changed {
            self.refresh(shared);
        }
        folded != Folded::Nothing
    }

    /// Puts the cursor on the row of the module called `path`, or of the first block built like the one it
    /// lies in, and opens what that lies in. False if there is no such module.
    pub fn reveal(&mut self, path: &str, shared: &Shared) -> bool {
        let Some(report) = self.report.clone() else {
            return false;
        };
        let Some(mut around) = rows_to(&report.tree, &report.arch, path) else {
            return false;
        };
        let Some(key) = around.pop() else {
            return false;
        };
        self.filter.clear();
        self.outline.open.extend(around);
        self.refresh(shared);
        self.outline.go_to(&key);
        true
    }

    /// Opens everything, or closes everything if everything is open.
    pub fn toggle_all(&mut self, shared: &Shared) {
        let Some(report) = self.report.clone() else {
            return;
        };
        let mut all = HashSet::new();
        collect_blocks(&report.tree, &mut all);
        self.outline.toggle_all(all);
        self.refresh(shared);
    }

    /// Moves the cursor.
    pub fn motion(&mut self, command: Command, page: usize) {
        self.outline.motion(command, page);
    }

    pub fn settle(&mut self, page: usize) {
        self.outline.settle(page);
    }
}

/// Paths of the rows on the way to the module called `path`, its own at the end.
fn rows_to(root: &ModuleTree, arch: &Arch, path: &str) -> Option<Vec<String>> {
    let mut module = root;
    let mut rows = Vec::new();
    for name in path.split('.') {
        let place = module
            .children
            .iter()
            .position(|child| child.name == name)?;
        let mut first = 0;
        let folded = module.rows(arch).into_iter().find(|row| {
            let range = first..first + row.repeats;
            first = range.end;
            range.contains(&place)
        })?;
        module = folded.module;
        rows.push(module.path.clone());
    }
    Some(rows)
}

fn collect_blocks(module: &ModuleTree, into: &mut HashSet<String>) {
    for child in module.children.iter().filter(|c| c.is_block()) {
        into.insert(child.path.clone());
        collect_blocks(child, into);
    }
}

/// Adds what lies in `module`, in the order of execution: folded children and functions that the
/// module calls itself.
fn add_children(
    module: &ModuleTree,
    arch: &Arch,
    depth: usize,
    open: &HashSet<String>,
    rows: &mut Vec<TreeLine>,
) {
    let mut functions = module
        .nodes
        .iter()
        .filter(|id| arch.node(**id).module.is_none())
        .copied()
        .peekable();
    let mut first = 0;
    for folded in module.rows(arch) {
        while let Some(id) = functions.next_if(|id| *id < folded.module.span[0]) {
            rows.push(function(arch, id, depth));
        }
        let last = first + folded.repeats - 1;
        let is_open = open.contains(&folded.module.path);
        let label = if folded.repeats > 1 {
            span_label(&module.children[first].name, &module.children[last].name)
        } else {
            folded.module.name.clone()
        };
        rows.push(module_line(
            folded.module,
            arch,
            depth,
            &label,
            folded.repeats,
            is_open,
        ));
        if is_open {
            add_children(folded.module, arch, depth + 1, open, rows);
        }
        first = last + 1;
    }
    rows.extend(functions.map(|id| function(arch, id, depth)));
}

pub fn span_label(first: &str, last: &str) -> String {
    format!("{first}..{last}")
}

fn module_line(
    module: &ModuleTree,
    arch: &Arch,
    depth: usize,
    label: &str,
    repeats: usize,
    is_open: bool,
) -> TreeLine {
    let fold = match (module.is_block(), is_open) {
        (false, _) => Fold::Leaf,
        (true, true) => Fold::Open,
        (true, false) => Fold::Closed,
    };
    TreeLine {
        depth,
        label: Shown::new(label),
        path: module.path.clone(),
        key: module.path.clone(),
        fold,
        repeats,
        blocks: blocks_in(module),
        op: summary(module, arch, repeats),
        output: module.output,
        params: module.cost.params * repeats as u64,
        macs: module.cost.macs * repeats as u64,
        nodes: nodes_in(arch, &module.path, module.span),
        is_function: false,
    }
}

fn lies_in(path: &str, module: &str) -> bool {
    path.strip_prefix(module)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Children that are blocks and named by a number: the length of a stage.
fn blocks_in(module: &ModuleTree) -> usize {
    let is_numbered = |c: &&ModuleTree| c.is_block() && c.name.parse::<usize>().is_ok();
    module.children.iter().filter(is_numbered).count()
}

fn function(arch: &Arch, id: NodeId, depth: usize) -> TreeLine {
    let node = arch.node(id);
    TreeLine {
        depth,
        label: Shown::default(),
        path: node.path.clone(),
        key: format!("{}#{}", node.path, id.0),
        fold: Fold::Leaf,
        repeats: 1,
        blocks: 0,
        op: node.op.describe(),
        output: node.shape,
        params: 0,
        macs: 0,
        nodes: vec![id],
        is_function: true,
    }
}

/// What a module does in a few words: its operation; for a block, the layers with weights in it.
fn summary(module: &ModuleTree, arch: &Arch, repeats: usize) -> String {
    if let Some(words) = times(repeats) {
        return format!("same, {words}");
    }
    if !module.is_block() {
        let first = module.nodes.first().map(|id| arch.node(*id).op.describe());
        return first.unwrap_or_default();
    }
    if blocks_in(module) > 0 {
        return String::new();
    }
    layers(arch, &nodes_in(arch, &module.path, module.span))
}

/// The layers with weights among these nodes: `conv 1x1, 3x3, 1x1`.
pub fn layers(arch: &Arch, nodes: &[NodeId]) -> String {
    let layers = nodes.iter().map(|id| arch.node(*id));
    let layers = layers.filter(|n| n.op.owns_weight() || matches!(n.op, Op::Attention(_)));
    let words: Vec<String> = layers.map(|node| node.op.describe()).collect();
    join_layers(&words)
}

/// The nodes in the module called `path`, which all lie in `span`.
pub fn nodes_in(arch: &Arch, path: &str, span: [NodeId; 2]) -> Vec<NodeId> {
    (span[0].0..=span[1].0)
        .map(NodeId)
        .filter(|id| lies_in(&arch.node(*id).path, path))
        .collect()
}

/// `conv 1x1, 3x3, 1x1`: a word that repeats the one before is left out.
fn join_layers(layers: &[String]) -> String {
    let mut text = String::new();
    let mut last_word = "";
    for layer in layers {
        if !text.is_empty() {
            text += ", ";
        }
        match layer.split_once(' ') {
            Some((word, rest)) if word == last_word => text += rest,
            Some((word, _)) => {
                text += layer;
                last_word = word;
            }
            None => {
                text += layer;
                last_word = layer;
            }
        }
    }
    text
}

/// `twice`, `5 times`; nothing for one.
pub fn times(repeats: usize) -> Option<String> {
    match repeats {
        0 | 1 => None,
        2 => Some("twice".to_owned()),
        n => Some(format!("{n} times")),
    }
}

/// All modules without children whose path or operation holds every word.
fn found(report: &ArchReport, filter: &str) -> Vec<TreeLine> {
    let words: Vec<String> = filter.split_whitespace().map(str::to_lowercase).collect();
    let mut rows = Vec::new();
    search(&report.tree, &report.arch, &words, &mut rows);
    rows
}

fn search(module: &ModuleTree, arch: &Arch, words: &[String], rows: &mut Vec<TreeLine>) {
    for child in &module.children {
        if child.is_block() {
            search(child, arch, words, rows);
            continue;
        }
        let line = module_line(child, arch, 0, &child.path, 1, false);
        let text = format!("{} {}", line.path, line.op).to_lowercase();
        if words.iter().all(|w| text.contains(w.as_str())) {
            rows.push(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::protocol::ArchSpec;

    fn rows(name: &str, open: &[&str]) -> Vec<String> {
        let spec = ArchSpec {
            name: name.into(),
            classes: 1000,
            side: 224,
        };
        let report = ArchReport::build(&spec).unwrap();
        let open = open.iter().map(|s| (*s).to_owned()).collect();
        let mut rows = Vec::new();
        add_children(&report.tree, &report.arch, 0, &open, &mut rows);
        rows.iter()
            .map(|r| format!("{}{}|{}", " ".repeat(r.depth), r.label, r.op))
            .collect()
    }

    #[test]
    fn equal_blocks_stand_in_one_row() {
        let rows = rows("resnet50", &["layer1"]);
        assert_eq!(rows[4], "layer1|");
        assert_eq!(rows[5], " 0|conv 1x1, 3x3, 1x1, 1x1");
        assert_eq!(rows[6], " 1..2|same, twice");
        assert_eq!(rows[7], "layer2|");
    }

    #[test]
    fn the_way_to_a_module_leads_through_the_rows_that_stand_for_it() {
        let spec = ArchSpec {
            name: "resnet50".into(),
            classes: 1000,
            side: 224,
        };
        let report = ArchReport::build(&spec).unwrap();
        let rows = |path: &str| rows_to(&report.tree, &report.arch, path);
        let way = rows("layer3.4.conv3").unwrap();
        assert_eq!(way, ["layer3", "layer3.1", "layer3.1.conv3"]);
        assert_eq!(rows("fc").unwrap(), ["fc"]);
        assert_eq!(rows("layer3.9.conv3"), None);
    }

    #[test]
    fn functions_stand_where_they_run() {
        let rows = rows("resnet18", &["layer1", "layer1.0"]);
        assert!(rows.contains(&"  |add".to_owned()), "{rows:#?}");
        assert_eq!(rows.last().unwrap(), "fc|linear");
    }
}
