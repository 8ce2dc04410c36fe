//! `hyperscope ghn`: Graph HyperNetworks at hand, and those that can be fetched.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::Common;
use super::runs::{print, table};
use crate::ghn::{self, Config, Ghn};
use crate::text::Shown;
use table::{Align, Table};

mod embed;
mod eval;
mod fetch;
mod pack;
mod published;
mod train;
mod verify;

pub use train::recipe;

#[derive(Debug, Args)]
pub struct GhnArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The built-in GHN and those in the cache folder
    List {
        /// Those that their authors published instead, with sizes, and whether they are here
        #[arg(long)]
        published: bool,
    },
    /// Bring a published checkpoint into the cache folder, checked; an interrupted one goes on where it stopped
    Fetch(fetch::FetchArgs),
    /// Train a GHN on a data set: networks are drawn from DeepNets-1M and learn from it what to become
    Train(train::TrainArgs),
    /// Write a checkpoint as one small file with its config inside
    Pack(pack::PackArgs),
    /// Accuracy of predicted, untrained networks on the test images of a data set
    Eval(eval::EvalArgs),
    /// Compare the norms of predicted parameters with the published ones: is this the GHN that it should be?
    Verify(verify::VerifyArgs),
    /// What a GHN is and what it was made for
    Show {
        /// `default`, a checkpoint (.pt, or .safetensors with its config beside it), or a name in the
        /// cache folder
        ghn: String,
    },
    /// The states that a GHN gives to the nodes of networks, before it decodes them to parameters
    Embed(embed::EmbedArgs),
}

/// Runs the command.
///
/// # Errors
/// If the GHN cannot be opened or fetched or differs from the published one, or standard output cannot be written.
pub fn run(common: &Common, args: &GhnArgs) -> anyhow::Result<()> {
    match &args.what {
        What::List { published: false } => list(common),
        What::List { published: true } => published::list(common),
        What::Fetch(args) => fetch::run(common, args),
        What::Train(args) => train::run(common, args),
        What::Pack(args) => pack::run(common, args),
        What::Eval(args) => eval::run(common, args),
        What::Verify(args) => verify::run(common, args),
        What::Show { ghn } => show(common, &Ghn::open(ghn, common.seed)?),
        What::Embed(args) => embed::run(common, args),
    }
}

fn list(common: &Common) -> anyhow::Result<()> {
    let all = ghn::list();
    if common.json {
        return print::json(&all);
    }
    let mut table = Table::new(&[
        ("name", Align::Left),
        ("what", Align::Left),
        ("weights", Align::Left),
        ("file", Align::Left),
    ]);
    for ghn in &all {
        let path = ghn.path.as_ref().map(|p| p.to_string_lossy());
        let row = [
            ghn.name.as_str(),
            &ghn.description,
            weights(ghn.trained),
            path.as_deref().unwrap_or("built in"),
        ];
        table.row(&row);
    }
    print::lines(&table.lines())
}

/// The word for where a GHN's weights come from.
pub(super) const fn weights(trained: bool) -> &'static str {
    if trained { "trained" } else { "untrained" }
}

#[derive(Serialize)]
struct View<'a> {
    name: &'a str,
    kind: &'a str,
    trained: bool,
    params: usize,
    hash: String,
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    card: Option<&'a str>,
    config: &'a Config,
}

fn show(common: &Common, ghn: &Ghn) -> anyhow::Result<()> {
    let path = ghn.path().map(|p| p.to_string_lossy().into_owned());
    if common.json {
        return print::json(&View {
            name: ghn.name(),
            kind: ghn.kind(),
            trained: ghn.trained(),
            params: ghn.parameter_count(),
            hash: ghn.hash()?.to_owned(),
            path,
            card: ghn.card(),
            config: ghn.config(),
        });
    }
    let config = ghn.config();
    let mut table = Table::new(&[(ghn.name(), Align::Left), (ghn.kind(), Align::Left)]);
    for (what, value) in [
        ("weights", weights(ghn.trained()).to_owned()),
        ("file", path.unwrap_or_else(|| "built in".to_owned())),
        ("parameters", ghn.parameter_count().to_string()),
        ("hash", ghn.hash()?.to_owned()),
        ("width of a state", config.hid.to_string()),
        ("trained for", format!("{} classes", config.num_classes)),
    ]
    .into_iter()
    .chain(config.details())
    {
        table.row(&[what, value.as_str()]);
    }
    print::lines(&table.lines())?;
    let card = ghn.card().into_iter().flat_map(str::lines);
    let card: Vec<String> = card.map(|line| Shown::new(line).to_string()).collect();
    if card.is_empty() {
        return Ok(());
    }
    print::lines(&[""])?;
    print::lines(&card)
}
