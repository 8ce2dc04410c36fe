//! `hyperscope ghn embed`: the states that a GHN gives to a network's nodes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde::Serialize;

use crate::arch::{self, Arch};
use crate::cli::Common;
use crate::cli::arch::NetworkShape;
use crate::cli::runs::{print, table};
use crate::ghn::{Embedding, Ghn, norm};
use crate::nn::files::{write_aside, write_npy, write_safetensors};
use crate::nn::{StateDict, Tensor};
use crate::text::Shown;
use table::{Align, Table};

#[derive(Debug, Args)]
pub struct EmbedArgs {
    /// torchvision's names, such as resnet50, or deepnets:SEED, deepnets/SPLIT:SEED, or ONNX files
    #[arg(required = true, value_name = "ARCH")]
    archs: Vec<String>,
    #[command(flatten)]
    shape: NetworkShape,
    /// `default`, a checkpoint (.pt, or .safetensors with its config beside it), or a name in the
    /// cache folder
    #[arg(long, default_value = crate::ghn::DEFAULT, value_name = "GHN")]
    ghn: String,
    /// Also the states before the last normalisation; in a .npy file, instead of those after it
    #[arg(long)]
    raw: bool,
    /// Write the states: .safetensors (states, mean), .npy (the states of one network) or .json (what
    /// --json prints)
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
}

/// A network as `--json` gives it.
#[derive(Debug, Serialize)]
struct View {
    arch: String,
    ghn: String,
    trained: bool,
    /// Width of a state.
    width: usize,
    nodes: Vec<Node>,
    /// Mean of the nodes' states, `[width]`.
    mean: Vec<f64>,
}

#[derive(Debug, Serialize)]
struct Node {
    /// The primitive op.
    op: &'static str,
    /// The parameter's name, or the function's.
    name: String,
    /// Whether `name` is a parameter's.
    parameter: bool,
    shape: Option<Vec<usize>>,
    /// Length of the state.
    norm: f64,
    /// The other node with the state most like this one's, and the cosine of the angle between both.
    nearest: Option<usize>,
    cosine: Option<f64>,
    /// As the decoders read it, `[width]`.
    state: Vec<f32>,
    /// Before the last normalisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<Vec<f32>>,
}

impl Node {
    /// What a person calls it: its parameter, or else its op.
    fn shown(&self) -> &str {
        if self.parameter { &self.name } else { self.op }
    }
}

/// Runs the command.
///
/// # Errors
/// If a network or the GHN cannot be had, or the file cannot be written.
pub fn run(common: &Common, args: &EmbedArgs) -> anyhow::Result<()> {
    let format = args.output.as_deref().map(Format::of).transpose()?;
    ensure!(
        format != Some(Format::Npy) || args.archs.len() == 1,
        "a .npy file holds the states of one network; write several to a .safetensors or .json file"
    );
    let archs: Vec<Arch> = args
        .archs
        .iter()
        .map(|name| arch::build(name, &args.shape.options_of(name)?))
        .collect::<Result<_, _>>()?;
    let ghn = Ghn::open(&args.ghn, common.seed)?;
    let embeddings: Vec<Embedding> = archs.iter().map(|arch| ghn.embed(arch)).collect();
    let pairs = archs.iter().zip(&embeddings);
    let views: Vec<View> = pairs.map(|(a, e)| view(a, &ghn, e, args.raw)).collect();
    if let (Some(path), Some(format)) = (&args.output, format) {
        match format {
            Format::Json => {
                let text = document(&views)?;
                write_aside(path, |out| out.write_all(text.as_bytes()))?;
            }
            Format::Npy => npy(path, &embeddings[0], args.raw)?,
            Format::Safetensors => safetensors(path, &ghn, &views, &embeddings, args.raw)?,
        }
    }
    if common.json {
        return match views.as_slice() {
            [view] => print::json(view),
            views => print::json(&views),
        };
    }
    show(args, &ghn, &views)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Safetensors,
    Npy,
    Json,
}

impl Format {
    fn of(path: &Path) -> anyhow::Result<Self> {
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        Ok(match extension.as_ref() {
            "safetensors" => Self::Safetensors,
            "npy" => Self::Npy,
            "json" => Self::Json,
            _ => bail!(
                "writing {}: states are written as .safetensors, .npy or .json; end the name with one of these",
                Shown::new(&path.to_string_lossy())
            ),
        })
    }
}

fn view(arch: &Arch, ghn: &Ghn, embedding: &Embedding, raw: bool) -> View {
    let neighbours = embedding.neighbours();
    let nodes = embedding.graph.nodes.iter().enumerate();
    let nodes = nodes.zip(neighbours).map(|((i, node), nearest)| Node {
        op: node.primitive.name(),
        name: node.name.clone(),
        parameter: node.parameter.is_some(),
        shape: node.shape.clone(),
        norm: norm(embedding.state(i)),
        nearest: nearest.map(|n| n.node),
        cosine: nearest.map(|n| n.cosine),
        state: embedding.state(i).to_vec(),
        raw: raw.then(|| embedding.raw(i).to_vec()),
    });
    View {
        arch: arch.name().to_owned(),
        ghn: ghn.name().to_owned(),
        trained: ghn.trained(),
        width: embedding.width,
        nodes: nodes.collect(),
        mean: embedding.mean(),
    }
}

/// One network's document, or a list of several.
fn document(views: &[View]) -> anyhow::Result<String> {
    let text = match views {
        [view] => serde_json::to_string(view),
        views => serde_json::to_string(views),
    };
    Ok(text.context("writing the states as JSON")? + "\n")
}

fn npy(path: &Path, embedding: &Embedding, raw: bool) -> anyhow::Result<()> {
    let states = &embedding.states;
    let values = if raw { &states.raw } else { &states.normalised };
    let shape = [embedding.graph.len(), embedding.width];
    Ok(write_npy(path, shape, values)?)
}

/// `states` and `raw`, `[nodes, width]`, and `mean`, `[width]`; of several networks, after the network's
/// name and a dot. The nodes' ops and names stand in the free text as JSON.
fn safetensors(
    path: &Path,
    ghn: &Ghn,
    views: &[View],
    embeddings: &[Embedding],
    raw: bool,
) -> anyhow::Result<()> {
    let mut tensors = StateDict::default();
    let mut about = BTreeMap::from([
        ("ghn".to_owned(), ghn.name().to_owned()),
        ("ghn_sha256".to_owned(), ghn.hash()?.to_owned()),
        ("ghn_trained".to_owned(), ghn.trained().to_string()),
    ]);
    let archs: Vec<&str> = views.iter().map(|v| v.arch.as_str()).collect();
    about.insert("arch".to_owned(), archs.join(" "));
    for (view, embedding) in views.iter().zip(embeddings) {
        let named = |what: &str| match views {
            [_] => what.to_owned(),
            _ => format!("{}.{what}", view.arch),
        };
        let shape = vec![view.nodes.len(), view.width];
        let states = &embedding.states;
        let matrix = |values: &[f32]| Tensor::new(shape.clone(), values.to_vec());
        tensors.insert(named("states"), matrix(&states.normalised));
        if raw {
            tensors.insert(named("raw"), matrix(&states.raw));
        }
        let mean = view.mean.iter().map(|v| *v as f32).collect();
        tensors.insert(named("mean"), Tensor::new(vec![view.width], mean));
        let nodes: Vec<[&str; 2]> = view.nodes.iter().map(|n| [n.op, n.name.as_str()]).collect();
        about.insert(named("nodes"), serde_json::to_string(&nodes)?);
    }
    Ok(write_safetensors(path, &tensors, &about)?)
}

fn show(args: &EmbedArgs, ghn: &Ghn, views: &[View]) -> anyhow::Result<()> {
    let untrained = if ghn.trained() { "" } else { " (untrained)" };
    for view in views {
        print::lines(&[format!(
            "{}   {} nodes   states of {} numbers from the GHN {}{untrained}",
            Shown::new(&view.arch),
            view.nodes.len(),
            view.width,
            Shown::new(&view.ghn)
        )])?;
        if args.output.is_none() {
            print::lines(&nodes(view, args.raw).lines())?;
        }
    }
    let file = args.output.as_ref().map(|path| path.to_string_lossy());
    let written = file.map(|file| format!("written to {}", Shown::new(&file)));
    print::lines(written.as_slice())
}

fn nodes(view: &View, raw: bool) -> Table {
    let mut columns = vec![
        ("id", Align::Right),
        ("op", Align::Left),
        ("parameter", Align::Left),
        ("norm", Align::Right),
    ];
    if raw {
        columns.push(("raw norm", Align::Right));
    }
    columns.extend([
        ("cosine", Align::Right),
        ("to the nearest other node", Align::Left),
    ]);
    let mut table = Table::new(&columns);
    for (id, node) in view.nodes.iter().enumerate() {
        let parameter = if node.parameter { &node.name } else { "" };
        let mut row = vec![
            id.to_string(),
            node.op.to_owned(),
            parameter.to_owned(),
            format!("{:.3}", node.norm),
        ];
        row.extend(node.raw.as_ref().map(|raw| format!("{:.3}", norm(raw))));
        if let (Some(nearest), Some(cosine)) = (node.nearest, node.cosine) {
            row.push(format!("{cosine:.4}"));
            row.push(format!("{nearest} {}", view.nodes[nearest].shown()));
        }
        table.row(&row);
    }
    table
}
