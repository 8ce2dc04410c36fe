//! Finding a run by a part of its name.

use super::list::names;
use super::{Home, RunDir, RunError, RunId};

/// Most candidates that an error names.
const MOST_NAMED: usize = 8;

/// The run that `wanted` means: `last` for the newest, a whole name, the beginning of one run's name, or
/// a part of it.
///
/// # Errors
/// If there is no such run, or several; the error names them.
pub fn find(home: &Home, wanted: &str) -> Result<RunDir, RunError> {
    let mut ids = names(home)?;
    ids.sort_unstable();
    if ids.is_empty() {
        return Err(RunError::NoRuns {
            runs: home.runs_folder().to_owned(),
        });
    }
    let id = if wanted == "last" {
        last(home, ids)
    } else {
        choose(home, &ids, wanted)?
    };
    let dir = RunDir::known(home.runs_folder(), id);
    dir.check_owner()?;
    Ok(dir)
}

/// The newest. Names tell the minute, requests the millisecond.
fn last(home: &Home, ids: Vec<RunId>) -> RunId {
    let minute = |id: &RunId| id.as_str().get(..13).unwrap_or_default().to_owned();
    let newest = ids.iter().map(minute).max();
    let made = |id: &RunId| {
        let request = RunDir::known(home.runs_folder(), id.clone()).request();
        request.map_or(0, |r| r.created_ms)
    };
    ids.into_iter()
        .filter(|id| Some(minute(id)) == newest)
        .max_by_key(|id| (made(id), id.clone()))
        .expect("there is at least one run")
}

fn choose(home: &Home, ids: &[RunId], wanted: &str) -> Result<RunId, RunError> {
    let matching = |fits: &dyn Fn(&str) -> bool| -> Vec<&RunId> {
        ids.iter().filter(|id| fits(id.as_str())).collect()
    };
    let mut found = matching(&|id| id == wanted);
    if found.is_empty() {
        found = matching(&|id| id.starts_with(wanted));
    }
    if found.is_empty() {
        found = matching(&|id| id.contains(wanted));
    }
    match found[..] {
        [] => Err(RunError::NotFound {
            wanted: wanted.to_owned(),
            runs: home.runs_folder().to_owned(),
        }),
        [one] => Ok(one.clone()),
        _ => Err(RunError::Ambiguous {
            wanted: wanted.to_owned(),
            candidates: name_some(&found),
        }),
    }
}

/// The newest few, and how many more.
fn name_some(found: &[&RunId]) -> Vec<String> {
    let mut named: Vec<String> = found
        .iter()
        .rev()
        .take(MOST_NAMED)
        .map(ToString::to_string)
        .collect();
    if found.len() > MOST_NAMED {
        named.push(format!("{} more", found.len() - MOST_NAMED));
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Request;

    fn run(home: &Home, arch: &str, created_ms: u64) -> RunDir {
        let request = Request {
            arch: arch.into(),
            init: "rand".into(),
            created_ms,
            ..Request::default()
        };
        RunDir::create(home, &request).unwrap()
    }

    #[test]
    fn a_run_is_found_by_any_part_that_only_it_has() {
        let keep = tempfile::tempdir().unwrap();
        let home = Home::at(keep.path());
        assert!(matches!(find(&home, "last"), Err(RunError::NoRuns { .. })));
        let a = run(&home, "resnet50", 60_002);
        let b = run(&home, "convnext_tiny", 60_001);
        assert_eq!(find(&home, a.id().as_str()).unwrap(), a);
        assert_eq!(find(&home, "convnext").unwrap(), b);
        assert_eq!(find(&home, "19700101-0001-res").unwrap(), a);
        assert_eq!(
            find(&home, "last").unwrap(),
            a,
            "made later in the same minute"
        );
    }

    #[test]
    fn an_ambiguous_name_lists_the_candidates() {
        let keep = tempfile::tempdir().unwrap();
        let home = Home::at(keep.path());
        let (a, b) = (run(&home, "resnet50", 1), run(&home, "resnet18", 2));
        let error = find(&home, "resnet").unwrap_err().to_string();
        assert!(
            error.contains(a.id().as_str()) && error.contains(b.id().as_str()),
            "{error}"
        );
        let error = find(&home, "vit").unwrap_err().to_string();
        assert!(error.contains("runs list"), "{error}");
    }
}
