//! The GHNs that can be chosen, and what there is to say of one.

use super::protocol::{EvaluationRecord, GhnReport, GhnSummary};
use super::session::RANDOM;
use crate::ghn::{self, Ghn, GhnError};
use crate::run::{Evaluations, Home};
use crate::train::GhnEvaluation;

/// The GHNs that can be chosen.
#[must_use]
pub fn list() -> Vec<GhnSummary> {
    let random = GhnSummary {
        name: RANDOM.to_owned(),
        description: "no GHN: torchvision's own random initialisation".to_owned(),
        trained: false,
        bytes: None,
        large: false,
    };
    let listed = ghn::list().into_iter().map(|listed| GhnSummary {
        large: listed.bytes > Some(ghn::LARGEST_OPENED_BYTES),
        description: listed.description,
        name: listed.name,
        trained: listed.trained,
        bytes: listed.bytes,
    });
    listed.chain([random]).collect()
}

/// What there is to say of the GHN asked for as `name`, and what of it could not be read.
///
/// # Errors
/// If its file cannot be read any more.
pub fn report(
    name: &str,
    ghn: &Ghn,
    home: Option<&Home>,
) -> Result<(GhnReport, Vec<String>), GhnError> {
    let hash = ghn.hash()?;
    let mut found = home.map_or_else(Evaluations::default, |home| Evaluations::of(home, hash));
    match ghn.evaluations().map(GhnEvaluation::list) {
        None => {}
        Some(Ok(list)) => {
            let of_its_maker = list.into_iter().map(EvaluationRecord::of_its_maker);
            found.records.extend(of_its_maker);
        }
        Some(Err(error)) => found.damaged.push(format!(
            "the evaluation that came with the GHN {name} is left out: {error}"
        )),
    }
    let details = ghn.config().details().into_iter();
    let report = GhnReport {
        name: name.to_owned(),
        description: ghn.config().to_string(),
        trained: ghn.trained(),
        params: ghn.parameter_count() as u64,
        path: ghn.path().map(|path| path.display().to_string()),
        hash: hash.to_owned(),
        details: details
            .map(|(what, value)| (what.to_owned(), value))
            .collect(),
        card: ghn.card().map(str::to_owned),
        evaluations: found.records,
    };
    Ok((report, found.damaged))
}
