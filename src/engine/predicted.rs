//! What there is to say about a prediction.

use super::protocol::{PredictSeconds, Predicted};
use crate::arch::Arch;
use crate::ghn::{Ghn, Prediction};

/// Of `ghn`'s prediction for `arch`; nothing is written yet.
#[must_use]
pub fn describe(arch: &Arch, ghn: &Ghn, prediction: &Prediction) -> Predicted {
    let values: usize = prediction.tensors.iter().map(|(_, t)| t.len()).sum();
    Predicted {
        arch: arch.name().to_owned(),
        ghn: ghn.name().to_owned(),
        trained: ghn.trained(),
        params: values as u64,
        tensors: prediction.tensors.len() as u64,
        unpredicted: prediction.unpredicted.clone(),
        seconds: PredictSeconds {
            graph: prediction.seconds.graph,
            up: prediction.seconds.up,
            gnn: prediction.seconds.gnn,
            decode: prediction.seconds.decode,
            down: prediction.seconds.down,
            write: 0.0,
        },
    }
}
