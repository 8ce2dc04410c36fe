//! Running statistics of batch norms, measured on images: what a predicted network lacks for inference.

use std::ops::ControlFlow;
use std::time::Instant;

use super::TrainError;
use super::diagnose::culprit_in_state;
use crate::arch::{Arch, TensorRole};
use crate::data::EvalLoader;
use crate::nn::{Images, Mode, Network, NnError, Placement, StateDict, Tensor};

/// What the running statistics were measured on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    pub images: u64,
    pub batches: u64,
    /// Batch norms whose statistics were set.
    pub norms: usize,
    pub seconds: f64,
}

/// Sets the running statistics of every batch norm that the logits depend on to the average over the
/// loader's batches of each batch's own mean and unbiased variance, and its counter to the number of
/// batches. Nothing else in `state` is changed.
///
/// This is what PyTorch's batch norms gather with `momentum=None` while they alone are in training mode:
/// each batch counts the same, whatever the order, and nothing is dropped. A last batch that is smaller
/// than the others is left out, since its statistics are rougher.
///
/// `None` if the network has no running statistics, or if `after_batch`, which hears the number of images
/// done so far, breaks off; `state` is then as it was, as it is after an error.
///
/// # Errors
/// If images cannot be read or do not fit the network, a batch is too small to have a variance, or the
/// network's activations overflow.
pub fn calibrate(
    arch: &Arch,
    state: &mut StateDict,
    placement: Placement,
    loader: &mut EvalLoader,
    mut after_batch: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<Option<Calibration>, TrainError> {
    let begun = Instant::now();
    let averages = Averages::of(arch);
    if averages.sums.is_empty() {
        return Ok(None);
    }
    let failed = |source| TrainError::Network {
        doing: "measuring the statistics of the batch norms",
        source,
    };
    let reading = |source| TrainError::Data {
        doing: "reading images to measure statistics on",
        source,
    };
    let mut follower = Follower::new(arch, state, placement, averages).map_err(failed)?;
    loader.restart().map_err(reading)?;
    let (mut images, mut whole) = (0, 0);
    for batch in loader {
        let batch = batch.map_err(reading)?;
        if batch.batch < whole {
            break;
        }
        whole = batch.batch;
        let given = Images {
            pixels: &batch.pixels,
            batch: batch.batch,
        };
        follower.see(&given).map_err(failed)?;
        images += batch.batch as u64;
        if after_batch(images).is_break() {
            return Ok(None);
        }
    }
    let Follower { averages, .. } = follower;
    let measured = averages.tensors();
    if !measured.iter().all(|(_, tensor)| is_finite(tensor)) {
        return Err(TrainError::StatisticsNotFinite {
            culprit: culprit_in_state(&measured),
        });
    }
    for (name, tensor) in measured {
        state.insert(name, tensor);
    }
    Ok(Some(Calibration {
        images,
        batches: averages.batches,
        norms: averages.counters.len(),
        seconds: begun.elapsed().as_secs_f64(),
    }))
}

fn is_finite(tensor: &Tensor) -> bool {
    let values = tensor.floats().unwrap_or_default();
    values.iter().all(|v| v.is_finite())
}

/// A network whose batch norms tell what each batch's statistics are.
struct Follower {
    network: Network,
    averages: Averages,
}

impl Follower {
    fn new(
        arch: &Arch,
        state: &StateDict,
        placement: Placement,
        averages: Averages,
    ) -> Result<Self, NnError> {
        // With all the weight on the newest batch, its statistics can be read off exactly.
        let mut network = Network::on(&arch.clone().with_norm_momentum(1.0), placement)?;
        network.load(state)?;
        Ok(Self { network, averages })
    }

    fn see(&mut self, images: &Images<'_>) -> Result<(), NnError> {
        self.network.forward(images, Mode::Train)?;
        self.averages.add(&self.network.state()?);
        Ok(())
    }
}

/// Sums over batches of every running mean and variance.
struct Averages {
    sums: Vec<(String, Vec<f64>)>,
    counters: Vec<String>,
    batches: u64,
}

impl Averages {
    /// Of the norms that the logits depend on: no image reaches those of auxiliary classifiers.
    fn of(arch: &Arch) -> Self {
        let mut averages = Self {
            sums: Vec::new(),
            counters: Vec::new(),
            batches: 0,
        };
        let runs = arch.leads_to_logits();
        let nodes = arch.nodes().iter().zip(runs).filter(|(_, runs)| *runs);
        for spec in nodes.flat_map(|(node, _)| arch.tensors_of(node)) {
            match spec.role {
                TensorRole::RunningMean | TensorRole::RunningVar => {
                    let zeros = vec![0.0; spec.len()];
                    averages.sums.push((spec.name.clone(), zeros));
                }
                TensorRole::BatchCount => averages.counters.push(spec.name.clone()),
                _ => {}
            }
        }
        averages
    }

    /// Adds a network's running statistics as they are after a batch.
    fn add(&mut self, state: &StateDict) {
        self.batches += 1;
        for (name, sum) in &mut self.sums {
            let values = state.get(name).and_then(Tensor::floats);
            for (sum, value) in sum.iter_mut().zip(values.unwrap_or_default()) {
                *sum += f64::from(*value);
            }
        }
    }

    /// The averages and the counters.
    fn tensors(&self) -> StateDict {
        let batches = self.batches.max(1) as f64;
        let averages = self.sums.iter().map(|(name, sum)| {
            let values: Vec<f32> = sum.iter().map(|s| (s / batches) as f32).collect();
            (name.clone(), Tensor::new(vec![values.len()], values))
        });
        let count = Tensor::count(i64::try_from(self.batches).unwrap_or(i64::MAX));
        let counters = self.counters.iter().map(|n| (n.clone(), count.clone()));
        averages.chain(counters).collect()
    }
}

#[cfg(test)]
mod tests;
