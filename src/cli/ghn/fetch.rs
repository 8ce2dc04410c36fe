//! `hyperscope ghn fetch`: a published checkpoint into the cache folder.

use std::io::{IsTerminal as _, Write as _, stderr};

use anyhow::Context as _;
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::super::Common;
use super::super::arch::short;
use super::super::runs::print;
use super::published;
use crate::ghn;
use crate::ghn::hub::{Fetch, Fetched, Progress, RELEASES, Release, Source, Witness};
use crate::text::Shown;

#[derive(Debug, Args)]
pub struct FetchArgs {
    /// Which checkpoint; without it, what there is
    name: Option<String>,
    /// A mirror or a folder that holds the files under their published names
    #[arg(long, value_name = "URL|FOLDER")]
    from: Option<String>,
    /// SHA-256 that the file must have, if you know it from elsewhere
    #[arg(long, value_name = "HEX", value_parser = sha256)]
    sha256: Option<String>,
    /// Fetch although the checkpoint is here already
    #[arg(long)]
    again: bool,
    /// Attempts in a row that may bring nothing, once anything has come
    #[arg(long, value_name = "N", default_value_t = Fetch::default().attempts)]
    attempts: u32,
}

fn sha256(text: &str) -> Result<String, String> {
    if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(text.to_lowercase());
    }
    Err("a SHA-256 has 64 hexadecimal digits".to_owned())
}

/// Runs the command.
///
/// # Errors
/// If the checkpoint is unknown, cannot be had, or is not what it should be.
pub fn run(common: &Common, args: &FetchArgs) -> anyhow::Result<()> {
    let Some(name) = &args.name else {
        return published::list(common);
    };
    let release = Release::find(name).with_context(|| {
        let names: Vec<_> = RELEASES.iter().map(|p| p.name).collect();
        format!(
            "no checkpoint called \"{name}\" was published; there are {}",
            names.join(", ")
        )
    })?;
    let from = args.from.as_deref().map(str::parse::<Source>).transpose()?;
    let how = Fetch {
        from: from.unwrap_or(Source::Public),
        sha256: args.sha256.clone(),
        again: args.again,
        attempts: args.attempts,
        ..Fetch::default()
    };
    let mut console = Console::new(common.json);
    let fetched = ghn::hub::fetch(release, &how, &ghn::folder(), &mut |p| console.show(&p));
    console.clear();
    let fetched = fetched.with_context(|| format!("fetching {}", release.name))?;
    if common.json {
        return print::json(&fetched);
    }
    print::lines(&lines(&fetched))
}

fn lines(fetched: &Fetched) -> Vec<String> {
    let path = fetched.path.to_string_lossy();
    let done = if fetched.already {
        "was here already"
    } else {
        "is here"
    };
    let mut lines = vec![
        format!(
            "{} {done}: {} ({}B)",
            fetched.name,
            Shown::new(&path),
            short(fetched.bytes)
        ),
        format!("sha256 {}", fetched.sha256),
        format!("vouched for by {}", fetched.witness),
    ];
    if fetched.witness == Witness::Nobody {
        lines.push("compare it with one from elsewhere before you trust the file".to_owned());
    }
    lines.push(format!("use it with --ghn {}", fetched.name));
    lines.push(format!(
        "`hyperscope ghn verify {}` checks what it predicts",
        fetched.name
    ));
    lines
}

/// What the command shows while it works, on standard error: a bar where there is a terminal, lines where there is
/// none, nothing with `--json`.
struct Console {
    quiet: bool,
    bar: Option<ProgressBar>,
}

impl Console {
    fn new(quiet: bool) -> Self {
        let bar = (!quiet && stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template(
                "{bar:24} {decimal_bytes}/{decimal_total_bytes} {msg} {decimal_bytes_per_sec}  {eta} left",
            );
            // The template is a constant; should the crate not like it, its own style will do.
            style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style))
        });
        Self { quiet, bar }
    }

    fn show(&mut self, progress: &Progress<'_>) {
        match *progress {
            Progress::Begun { from, have, total } => self.begin(from, have, total),
            Progress::Dropped { bytes } => self.say(&format!(
                "the {}B that were here cannot be continued: beginning anew",
                short(bytes)
            )),
            Progress::Received { have } => self.advance(have),
            Progress::Broken { why, wait } => {
                self.say(&format!("{why}; trying again in {} s", wait.as_secs_f64()));
            }
            Progress::Checking { done, total } => self.check(done, total),
        }
    }

    fn begin(&self, from: &str, have: u64, total: Option<u64>) {
        let size = total.map_or_else(|| "?".to_owned(), |t| format!("{}B", short(t)));
        if have > 0 {
            self.say(&format!(
                "going on after {}B of {size} from {from}",
                short(have)
            ));
        } else {
            self.say(&format!("fetching {size} from {from}"));
        }
        if let Some(bar) = &self.bar {
            if let Some(total) = total {
                bar.set_length(total);
            }
            bar.set_position(have);
            // What an earlier attempt brought says nothing about the speed of this one.
            bar.reset_eta();
        }
    }

    fn advance(&self, have: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(have);
        }
    }

    fn check(&self, done: u64, total: u64) {
        let Some(bar) = &self.bar else {
            return;
        };
        if done == 0 {
            bar.set_length(total);
            bar.reset_eta();
            bar.set_message("checked");
        }
        bar.set_position(done);
    }

    /// A line above the bar.
    fn say(&self, text: &str) {
        let text = Shown::new(text);
        match &self.bar {
            Some(bar) => bar.println(text.as_str()),
            None if self.quiet => {}
            // A terminal that went away is no reason to stop.
            None => {
                let _ = writeln!(stderr(), "{text}");
            }
        }
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
