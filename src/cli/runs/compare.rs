//! `hyperscope runs compare`.

use indexmap::IndexMap;
use serde::Serialize;

use super::super::Common;
use super::print::{self, View};
use super::show::show_value;
use super::table::{Align, Table};
use crate::run::{self, Home, Summary};

/// Differ between any two runs and say nothing about them.
const OWN: &[&str] = &["created", "created_ms", "command", "name"];

#[derive(Serialize)]
struct Document<'a> {
    runs: Vec<View<'a>>,
    differs: Vec<Differs>,
}

/// A value of the requests that is not the same everywhere.
#[derive(Debug, PartialEq, Serialize)]
struct Differs {
    key: String,
    /// In the order of the runs; null where a request lacks the key.
    values: Vec<Option<toml::Value>>,
}

/// Prints what differs between the requests, then the results.
pub fn run(common: &Common, home: &Home, names: &[String]) -> anyhow::Result<()> {
    let mut runs = Vec::new();
    for name in names {
        runs.push(Summary::read(&run::find(home, name)?)?);
    }
    let differs = differences(&runs);
    if common.json {
        let runs = runs.iter().map(View::of).collect();
        return print::json(&Document { runs, differs });
    }
    print::lines(&table(&runs, &differs).lines())
}

fn differences(runs: &[Summary]) -> Vec<Differs> {
    let flat: Vec<IndexMap<String, toml::Value>> = runs
        .iter()
        .map(|run| run.request.flat().into_iter().collect())
        .collect();
    let mut keys: Vec<&String> = flat.iter().flat_map(IndexMap::keys).collect();
    let mut seen = std::collections::HashSet::new();
    keys.retain(|key| seen.insert(*key) && !OWN.contains(&key.as_str()));
    let rows = keys.into_iter().map(|key| Differs {
        key: key.clone(),
        values: flat.iter().map(|f| f.get(key).cloned()).collect(),
    });
    rows.filter(|row| row.values.iter().any(|v| *v != row.values[0]))
        .collect()
}

fn table(runs: &[Summary], differs: &[Differs]) -> Table {
    let mut columns = vec![("", Align::Left)];
    columns.extend(runs.iter().map(|r| (r.id().as_str(), Align::Left)));
    let mut table = Table::new(&columns);
    for row in differs {
        let mut cells = vec![row.key.clone()];
        let show = |v: &Option<toml::Value>| v.as_ref().map_or_else(|| "-".to_owned(), show_value);
        cells.extend(row.values.iter().map(show));
        table.row(&cells);
    }
    table.row(&[""]);
    let loss = |s: &Summary| {
        let train = s.standing.train;
        train.map_or_else(|| "-".to_owned(), |t| format!("{:.4}", t.loss))
    };
    let mut result = |name: &str, value: &dyn Fn(&Summary) -> String| {
        let mut cells = vec![name.to_owned()];
        cells.extend(runs.iter().map(value));
        table.row(&cells);
    };
    result("state", &|s| s.status.to_string());
    result("epoch", &print::epochs);
    result("step", &|s| s.standing.step.to_string());
    result("training loss", &loss);
    result("before training %", &|s| print::top1(s.standing.before));
    result("validation %", &|s| print::top1(s.standing.val));
    result("best validation %", &|s| print::top1(s.standing.best_val));
    result("test %", &|s| print::top1(s.standing.test));
    result("best test %", &|s| print::top1(s.standing.best_test));
    result("time", &|s| print::duration(print::seconds(s)));
    table
}
