//! What `predict` says about a network that it wrote.

use serde::Serialize;

use super::super::ghn::weights;
use super::super::runs::{print, table};
use super::calibration::Calibrated;
use crate::engine::protocol::Predicted;
use table::{Align, Table};

/// What `--json` prints: the fields of a prediction, then the rest.
#[derive(Debug, Serialize)]
pub struct Answer {
    #[serde(flatten)]
    pub predicted: Predicted,
    /// Values of all parameters.
    pub of: u64,
    /// The patterns of `--only`.
    pub only: Vec<String>,
    /// The file that the prediction went into.
    pub into: Option<String>,
    /// Parameters that have that file's values.
    pub kept: Vec<String>,
    /// Parameters that are random.
    pub random: Vec<String>,
    pub output: String,
    pub post_processed: Vec<String>,
    /// Layers that post-processing counts.
    #[serde(skip)]
    pub layers: usize,
    pub calibration: Option<Calibrated>,
    pub warnings: Vec<String>,
}

/// Prints JSON or tables.
///
/// # Errors
/// If standard output cannot be written.
pub fn show(json: bool, answers: &[Answer]) -> anyhow::Result<()> {
    match answers {
        [answer] if json => return print::json(answer),
        _ if json => return print::json(&answers),
        _ => {}
    }
    for (i, answer) in answers.iter().enumerate() {
        if i > 0 {
            print::lines(&[""])?;
        }
        print::lines(&lines(answer))?;
    }
    Ok(())
}

fn lines(answer: &Answer) -> Vec<String> {
    let Predicted {
        arch,
        ghn,
        trained,
        params,
        tensors,
        seconds,
        ..
    } = &answer.predicted;
    let milliseconds = |s: f64| format!("{:.1} ms", 1e3 * s);
    let predicted = format!("{tensors} tensors, {params} of {} values", answer.of);
    let mut rows = vec![
        ("GHN", format!("{ghn} ({})", weights(*trained))),
        ("predicted", predicted),
    ];
    if let Some(into) = &answer.into {
        let kept = format!("{}, from {into}", named(&answer.kept));
        rows.push(("kept", kept));
    }
    rows.push(("left random", named(&answer.random)));
    if !answer.post_processed.is_empty() {
        let text = format!(
            "{} of {} layers",
            answer.post_processed.len(),
            answer.layers
        );
        rows.push(("post-processed", text));
    }
    rows.extend(
        answer
            .calibration
            .as_ref()
            .map(|c| ("calibrated", calibrated(c))),
    );
    rows.extend([
        ("graph", milliseconds(seconds.graph)),
        ("node states", milliseconds(seconds.up + seconds.gnn)),
        ("decoding", milliseconds(seconds.decode + seconds.down)),
        ("writing", milliseconds(seconds.write)),
        ("file", answer.output.clone()),
    ]);
    let mut table = Table::new(&[(arch.as_str(), Align::Left), ("", Align::Left)]);
    for (what, value) in &rows {
        table.row(&[*what, value.as_str()]);
    }
    table.lines()
}

fn calibrated(done: &Calibrated) -> String {
    if done.norms == 0 {
        return "nothing: no batch norm keeps statistics".to_owned();
    }
    format!(
        "{} batch norms, on {} images of {} in batches of {}, in {}",
        done.norms,
        done.images,
        done.data,
        done.images / done.batches.max(1),
        print::duration(done.seconds)
    )
}

/// The first few names, and how many there are.
pub fn named(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let mut text = names[..names.len().min(SHOWN)].join(", ");
    match names.len() {
        0 => "nothing".clone_into(&mut text),
        n if n > SHOWN => text += &format!(", ... ({n} in all)"),
        _ => {}
    }
    text
}
