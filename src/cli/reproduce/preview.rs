//! What would be done: the runs of a plan, and its protocol.

use serde_json::json;

use super::super::Common;
use super::super::runs::print;
use super::super::runs::table::{Align, Table};
use super::carry::Planned;
use super::plan::Plan;
use super::protocol::Protocol;
use super::words;
use crate::run::Request;
use crate::text::Shown;

/// Prints the plan.
///
/// # Errors
/// If standard output cannot be written.
pub fn print(common: &Common, plan: &Plan, planned: &[Planned]) -> anyhow::Result<()> {
    let requests: Vec<&Request> = plan.requests.iter().collect();
    let asked = Protocol::of(&requests);
    let id = |run: &Planned| run.dir.as_ref().map(|dir| dir.id().to_string());
    if common.json {
        let runs: Vec<_> = planned
            .iter()
            .map(|run| {
                json!({
                    "arch": run.request.arch,
                    "start": run.request.init,
                    "seed": run.request.seed,
                    "what": run.fate.word(),
                    "run": id(run),
                })
            })
            .collect();
        return print::json(&json!({
            "experiment": plan.name,
            "runs": runs,
            "protocol": asked,
        }));
    }
    let mut table = Table::new(&[
        ("network", Align::Left),
        ("start", Align::Left),
        ("seed", Align::Right),
        ("what", Align::Left),
        ("run", Align::Left),
    ]);
    for run in planned {
        table.row(&[
            run.request.arch.clone(),
            run.request.init.clone(),
            run.request.seed.to_string(),
            run.fate.word().to_owned(),
            id(run).unwrap_or_default(),
        ]);
    }
    let mut lines = vec![
        format!("experiment {}", Shown::new(&plan.name)),
        String::new(),
    ];
    lines.extend(table.lines());
    lines.push(String::new());
    lines.extend(asked.iter().flat_map(words::lines));
    print::lines(&lines)
}
