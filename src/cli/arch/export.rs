//! `hyperscope arch export`: a network and its parameters as an ONNX model for inference.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use crate::arch::onnx::{self, INPUT, OUTPUT, Opset};
use crate::arch::zoo::Options;
use crate::arch::{self, Arch, Op};
use crate::cli::Common;
use crate::cli::eval::saw_no_image;
use crate::cli::runs::{print, table};
use crate::init::{self, random};
use crate::nn::StateDict;
use crate::nn::files::{Written, write_onnx};
use crate::text::Shown;
use table::{Align, Table};

#[derive(Debug, Args)]
pub struct ExportArgs {
    /// torchvision's name, such as resnet50, or deepnets:SEED, deepnets/SPLIT:SEED, or an ONNX file
    arch: String,
    /// Its parameters (.safetensors, .pt, .pth, .onnx); without them, those of an architecture that is an
    /// ONNX file are written, or else random initial ones
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Height and width of the images [default: 224, or 32 for weights with the stem for small images, or
    /// an ONNX file's own]
    #[arg(long, value_name = "S")]
    image: Option<usize>,
    /// Number of classes [default: that of the weights, or 1000]
    #[arg(long, value_name = "N")]
    classes: Option<usize>,
    /// Version of ONNX's operators, 17 to 21
    #[arg(long, value_name = "N", default_value_t)]
    opset: Opset,
    /// The ONNX file to write
    #[arg(short, long, value_name = "OUT.onnx")]
    output: PathBuf,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    arch: &'a str,
    /// The file that the parameters came from, null for random ones.
    weights: Option<String>,
    input: Vec<usize>,
    classes: usize,
    opset: i64,
    nodes: usize,
    initialisers: usize,
    file: String,
    bytes: u64,
    /// A second file with the parameters of a model that is too large to hold them.
    data: Option<Data>,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Data {
    file: String,
    bytes: u64,
}

impl ExportArgs {
    /// The file with the parameters, if they are not random.
    fn file(&self) -> Option<&Path> {
        let own = || onnx::is_name(&self.arch).then(|| Path::new(&self.arch));
        self.weights.as_deref().or_else(own)
    }
}

/// Runs the command.
///
/// # Errors
/// If the architecture cannot be built, the weights cannot be read or are not its own, or the model
/// cannot be written.
pub fn run(common: &Common, args: &ExportArgs) -> anyhow::Result<()> {
    let (arch, state) = network(common, args)?;
    let mut export = onnx::export(&arch, args.opset);
    export.describe("parameters", origin(common, args));
    let written = write_onnx(&args.output, &export, &state)?;
    let mut warnings = warnings(common, args, &arch, &state);
    warnings.extend(written.stale.as_deref().map(|file| {
        format!(
            "{} is of an earlier model and no longer needed",
            Shown::new(&text(file))
        )
    }));
    for warning in &warnings {
        eprintln!("warning: {warning}");
    }
    let answer = Answer {
        arch: arch.name(),
        weights: args.file().map(text),
        input: arch.input().dims(),
        classes: arch.classes(),
        opset: args.opset.number(),
        nodes: export.nodes(),
        initialisers: export.initialisers.len(),
        file: text(&args.output),
        bytes: written.bytes,
        data: data(&written),
        warnings,
    };
    if common.json {
        return print::json(&answer);
    }
    show(common, &arch, &answer)
}

fn network(common: &Common, args: &ExportArgs) -> anyhow::Result<(Arch, StateDict)> {
    let Some(path) = args.file() else {
        let usual = Options::default();
        let side = args.image.unwrap_or(usual.side);
        let classes = args.classes.unwrap_or(usual.classes);
        let arch = arch::build(&args.arch, &Options::for_images(classes, side))?;
        let state = random::state(&arch, common.seed);
        return Ok((arch, state));
    };
    let found = init::network(path, &args.arch, args.image, common.seed);
    let (arch, state) = found.context("reading the weights")?;
    if let Some(asked) = args.classes {
        anyhow::ensure!(
            asked == arch.classes(),
            "{} holds a network for {} classes, not {asked}; leave out --classes",
            Shown::new(&text(path)),
            arch.classes()
        );
    }
    Ok((arch, state))
}

/// Where the parameters came from, without the folder: the model may go anywhere.
fn origin(common: &Common, args: &ExportArgs) -> String {
    match args.file() {
        None => format!("random, seed {}", common.seed),
        Some(path) => {
            let name = path.file_name().unwrap_or_default();
            name.to_string_lossy().into_owned()
        }
    }
}

/// What a user should know about the model.
fn warnings(common: &Common, args: &ExportArgs, arch: &Arch, state: &StateDict) -> Vec<String> {
    let mut warnings = Vec::new();
    if args.file().is_none() {
        warnings.push(format!(
            "no --weights given: the model has random initial parameters (seed {})",
            common.seed
        ));
    } else if saw_no_image(arch, state) {
        warnings.push(
            "the running statistics of the batch norms never saw an image, as after `predict`; the model \
             uses them, so train it before its logits are relied upon"
                .to_owned(),
        );
    }
    let untracked = |op: &Op| matches!(op, Op::BatchNorm { tracked: false, .. });
    if arch.nodes().iter().any(|n| untracked(&n.op)) {
        warnings.push(
            "its batch norms keep no running statistics: an image's logits depend on the others of its batch"
                .to_owned(),
        );
    }
    warnings
}

fn data(written: &Written) -> Option<Data> {
    let (file, bytes) = written.data.as_ref()?;
    Some(Data {
        file: text(file),
        bytes: *bytes,
    })
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn show(common: &Common, arch: &Arch, answer: &Answer<'_>) -> anyhow::Result<()> {
    let weights = match &answer.weights {
        None => format!("random (seed {})", common.seed),
        Some(path) => Shown::new(path).to_string(),
    };
    let file =
        |name: &str, bytes: u64| format!("{} ({:.1} MB)", Shown::new(name), bytes as f64 / 1e6);
    let mut rows = vec![
        ("weights", weights),
        ("input", format!("{INPUT}, Nx{}", arch.input())),
        ("output", format!("{OUTPUT}, Nx{}", arch.classes())),
        ("opset", answer.opset.to_string()),
        ("nodes", answer.nodes.to_string()),
        ("initialisers", answer.initialisers.to_string()),
        ("file", file(&answer.file, answer.bytes)),
    ];
    if let Some(data) = &answer.data {
        rows.push(("values", file(&data.file, data.bytes)));
    }
    let mut table = Table::new(&[(arch.name(), Align::Left), ("", Align::Left)]);
    for (what, value) in &rows {
        table.row(&[*what, value.as_str()]);
    }
    print::lines(&table.lines())
}
