//! One tensor looked at closely: asked for once, kept until the parameters change.

use std::collections::HashMap;

use crate::engine::protocol::{Body, Command, TensorDetail};
use crate::text::Shown;
use crate::tui::effect::Effect;
use crate::tui::shared::Shared;

/// Both sides of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Sides {
    pub before: TensorDetail,
    pub after: Option<TensorDetail>,
}

/// So many tensors are kept.
const KEPT: usize = 48;

/// Details asked for and received.
#[derive(Debug, Default)]
pub struct Details {
    kept: HashMap<String, Sides>,
    /// The one question under way: its request, and the tensor.
    asked: Option<(u64, String)>,
    /// Why the last question failed, and about which tensor.
    failed: Option<(String, Shown)>,
}

impl Details {
    /// The parameters changed: what was known is no longer true, and an answer under way is not
    /// wanted.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    #[must_use]
    pub fn get(&self, tensor: &str) -> Option<&Sides> {
        self.kept.get(tensor)
    }

    /// Why this tensor's details could not be had.
    #[must_use]
    pub fn failure(&self, tensor: &str) -> Option<&Shown> {
        let (failed, message) = self.failed.as_ref()?;
        (failed == tensor).then_some(message)
    }

    /// Asks about `tensor` unless it is known or a question is under way: holding a cursor key
    /// must not queue a question for every row.
    pub fn want(&mut self, tensor: &str, shared: &mut Shared) -> Option<Effect> {
        let known = self.kept.contains_key(tensor) || self.failure(tensor).is_some();
        if known || self.asked.is_some() {
            return None;
        }
        let (id, effect) = shared.ask(Command::Detail {
            tensor: tensor.to_owned(),
        });
        self.asked = Some((id, tensor.to_owned()));
        Some(effect)
    }

    /// Takes an answer in; gives whether the question is settled and the next one may be asked.
    pub fn answer(&mut self, id: u64, body: &Body) -> bool {
        let Some((_, asked)) = self.asked.clone().filter(|(asked, _)| *asked == id) else {
            return false;
        };
        match body {
            Body::Detail {
                tensor,
                before,
                after,
            } => {
                if self.kept.len() >= KEPT {
                    self.kept.clear();
                }
                let sides = Sides {
                    before: before.clone(),
                    after: after.clone(),
                };
                self.kept.insert(tensor.clone(), sides);
                false
            }
            Body::Failed { message, .. } => {
                self.failed = Some((asked, Shown::new(message)));
                self.asked = None;
                true
            }
            Body::Done => {
                self.asked = None;
                true
            }
            _ => false,
        }
    }
}
