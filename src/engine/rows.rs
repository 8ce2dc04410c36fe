//! Diversity of weight tensors, as rows of the app's table.

use std::ops::ControlFlow;

use super::protocol::{Body, Side};
use super::server::Reply;
use super::session::SessionError;
use crate::nn::StateDict;
use crate::stats;

/// Sends one row for each of `names`, those that are also in `first` before all others.
///
/// # Errors
/// [`SessionError::Cancelled`].
pub fn send(
    state: &StateDict,
    side: Side,
    names: Vec<String>,
    first: &[String],
    reply: &mut Reply,
) -> Result<(), SessionError> {
    let (urgent, later): (Vec<String>, Vec<String>) =
        names.into_iter().partition(|name| first.contains(name));
    let total = (urgent.len() + later.len()) as u64;
    let mut done = 0;
    for names in [urgent, later] {
        let flow = stats::diversity(state, &names, |_, row| {
            done += 1;
            reply.send(Body::Row { side, row });
            reply.progress("measuring diversity", done, total)
        });
        if let ControlFlow::Break(()) = flow {
            return Err(SessionError::Cancelled);
        }
    }
    Ok(())
}
