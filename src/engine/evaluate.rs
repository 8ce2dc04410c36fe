//! Evaluating GHNs, on a thread of its own: it takes minutes, and other requests should not wait for it.

use std::ops::ControlFlow;

use super::opened::Opened;
use super::protocol::{Body, EvaluationSpec};
use super::server::Reply;
use super::session::{SessionError, Surroundings};
use crate::data;
use crate::run::{EvaluationRecord, evaluations};
use crate::train::{EvaluatedPart, Evaluator, EvaluatorOptions};

/// What the work is called.
const WHAT: &str = "evaluating the GHN";

/// Evaluates as asked, tells of every network, and keeps every part that is finished.
///
/// # Errors
/// [`SessionError`] if the GHN, the data or a network cannot be used, or it was cancelled; parts finished before stay.
pub fn answer(
    spec: &EvaluationSpec,
    opened: &Opened,
    around: &Surroundings,
    reply: &mut Reply,
) -> Result<(), SessionError> {
    let placement = around.placement.clone().map_err(SessionError::Device)?;
    let home = around.home.as_ref().ok_or(SessionError::NoHome)?;
    step(reply, "opening the GHN")?;
    let (_, ghn) = opened.get(&spec.ghn, spec.seed)?;
    step(reply, "opening the images")?;
    let data = data::open(&spec.data, &home.config()?.data)?;
    let options = EvaluatorOptions {
        side: spec.side,
        batch: spec.batch,
        images: spec.images,
        seed: spec.seed,
        random: true,
    };
    let mut evaluator = Evaluator::new(&ghn, &data, options, placement)?;
    let begun = EvaluationRecord::begun(evaluator.begin()?, spec.seed, placement);
    let names_of = |part: &_| crate::train::Part::networks(*part, spec.nets as usize);
    let networks: usize = spec.parts.iter().map(|part| names_of(part).len()).sum();
    let total = networks as u64 * evaluator.batches();
    let mut done = 0;
    for part in &spec.parts {
        let names = names_of(part);
        let mut found = Vec::new();
        let mut record = begun.clone();
        for name in &names {
            let network = evaluator.network(name, &mut || {
                done += 1;
                reply.progress(WHAT, done, total)
            })?;
            found.push(network.ok_or(SessionError::Cancelled)?);
            record.evaluation.splits = EvaluatedPart::of(*part, &found).into_iter().collect();
            reply.send(Body::Evaluated {
                record: Box::new(record.clone()),
                networks: names.len(),
            });
        }
        evaluations::keep(home, &record)?;
    }
    Ok(())
}

fn step(reply: &mut Reply, what: &str) -> Result<(), SessionError> {
    match reply.progress(what, 0, 0) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(SessionError::Cancelled),
    }
}
