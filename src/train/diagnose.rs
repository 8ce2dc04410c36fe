//! Which tensor spoilt the numbers.

use crate::nn::{Network, NnError, StateDict, Tensor};

/// The first parameter of the state dict whose value is not finite, else the first whose gradient is
/// not, and how many there are of the kind.
pub fn culprit(network: &mut Network) -> Result<String, NnError> {
    let mut values = Found::default();
    let mut gradients = Found::default();
    let (state, all) = (network.state()?, network.gradients()?);
    for (name, gradient) in all.iter() {
        let value = state.get(name).and_then(Tensor::floats);
        values.look(name, value.unwrap_or_default());
        gradients.look(name, gradient.floats().unwrap_or_default());
    }
    Ok(values
        .sentence("value")
        .or_else(|| gradients.sentence("gradient"))
        .unwrap_or_else(|| "every parameter and gradient alone is finite".to_owned()))
}

/// The first tensor of a state dict that is not finite, and how many there are.
pub fn culprit_in_state(state: &StateDict) -> String {
    let mut values = Found::default();
    for (name, tensor) in state.iter() {
        values.look(name, tensor.floats().unwrap_or_default());
    }
    values
        .sentence("value")
        .unwrap_or_else(|| "every parameter alone is finite".to_owned())
}

#[derive(Default)]
struct Found {
    first: Option<(String, &'static str)>,
    bad: usize,
    all: usize,
}

impl Found {
    fn sentence(&self, what: &str) -> Option<String> {
        let (first, kind) = self.first.as_ref()?;
        Some(format!(
            "the first tensor whose {what} is {kind} is {first} ({} of {} tensors)",
            self.bad, self.all
        ))
    }

    fn look(&mut self, name: &str, values: &[f32]) {
        self.all += 1;
        let Some(bad) = values.iter().find(|v| !v.is_finite()) else {
            return;
        };
        self.bad += 1;
        if self.first.is_none() {
            let kind = if bad.is_nan() {
                "not a number"
            } else {
                "infinite"
            };
            self.first = Some((name.to_owned(), kind));
        }
    }
}
