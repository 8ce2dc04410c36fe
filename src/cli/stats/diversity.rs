//! `hyperscope stats diversity`.

use std::ops::ControlFlow;

use serde_json::{Value, json};

use super::super::Common;
use super::super::progress;
use super::super::runs::print;
use super::super::runs::table::{Align, Table};
use super::{DiversityArgs, number, percent, read, shape};
use crate::arch;
use crate::nn::StateDict;
use crate::stats::{self, Diversity, Total};

pub fn run(common: &Common, args: &DiversityArgs) -> anyhow::Result<()> {
    let arch = args.arch.as_deref();
    // A wrong name is found before a large file is read.
    let arch = arch
        .map(|name| arch::build(name, &arch::usual_options(name)?))
        .transpose()?;
    let state = read(&args.file)?;
    let names = match &arch {
        Some(arch) => {
            let names = stats::weights_of_arch(arch);
            let missing: Vec<&String> = names.iter().filter(|n| state.get(n).is_none()).collect();
            anyhow::ensure!(
                missing.is_empty(),
                "{} lacks {} of the {} weights of {}, such as {}; leave --arch out to measure what is there",
                args.file.display(),
                missing.len(),
                names.len(),
                arch.name(),
                missing[0]
            );
            names
        }
        None => stats::weights_of_state(&state),
    };
    anyhow::ensure!(
        !names.is_empty(),
        "{} holds no weight of two or more dimensions, so there is nothing to measure",
        args.file.display()
    );
    let rows = measure(&state, &names);
    let total = Total::of(&rows);
    if common.json {
        return print::json(&json!({
            "file": args.file.display().to_string(),
            "arch": arch.as_ref().map(|a| a.name()),
            "tensors": rows.iter().map(fields).collect::<Vec<Value>>(),
            "total": total,
        }));
    }
    print::lines(&table(&rows, &total).lines())
}

fn measure(state: &StateDict, names: &[String]) -> Vec<Diversity> {
    let bar = progress::tensors(names.len());
    let mut rows: Vec<Option<Diversity>> = vec![None; names.len()];
    // Nobody breaks off.
    let _ = stats::diversity(state, names, |index, row| {
        bar.set_message(crate::text::Shown::new(&row.name).to_string());
        bar.inc(1);
        rows[index] = Some(row);
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    rows.into_iter().flatten().collect()
}

/// A row as JSON: the numbers, without the outline that only a table cell needs.
fn fields(row: &Diversity) -> Value {
    let mut value = json!(row);
    if let Some(object) = value.as_object_mut() {
        object.shift_remove("outline");
    }
    value
}

fn table(rows: &[Diversity], total: &Total) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("tensor", Left),
        ("shape", Left),
        ("rank", Right),
        ("effective", Right),
        ("stable", Right),
        ("sigma max", Right),
        ("sigma min", Right),
        ("|corr|", Right),
        ("std corr", Right),
        ("copies %", Right),
        ("mean", Right),
        ("std", Right),
        ("NaN", Right),
    ]);
    for row in rows {
        table.row(&[
            row.name.clone(),
            shape(&row.shape),
            row.rank.to_string(),
            number(row.effective_rank),
            number(row.stable_rank),
            number(row.sigma_max),
            number(row.sigma_min),
            number(row.mean_abs_corr),
            number(row.std_corr),
            percent(row.duplicate_fraction),
            number(row.mean),
            number(row.std),
            row.nan.to_string(),
        ]);
    }
    table.row(&[""]);
    table.row(&[
        format!("all {} weights", total.tensors),
        format!("{} values", total.values),
        format!("{}/{}", total.rank, total.full_rank),
        format!("{} %", percent(total.effective_rank_fraction)),
        format!("{} %", percent(total.stable_rank_fraction)),
        number(total.sigma_max),
        number(total.sigma_min),
        number(total.mean_abs_corr),
        number(total.std_corr),
        percent(total.duplicate_fraction),
        number(total.mean),
        number(total.std),
        total.nan.to_string(),
    ]);
    table
}
