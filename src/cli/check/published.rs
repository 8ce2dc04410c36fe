//! GHNs of published sizes with random weights: what a device predicts against what the CPU does.

use super::Case;
use super::ghn::{PREDICTION_TOLERANCE, Worst, compare};
use crate::arch::zoo::{self, Options};
use crate::ghn::{ClassLayers, Config, Ghn, PredictOptions};
use crate::nn::Device;

/// The largest that the CPU predicts with in a second or so.
const GHNS: [&str; 3] = ["ghn2_imagenet", "ghn3tm8", "ghn3sm8"];
/// Convolutions and norms; depthwise kernels and layer scales; stretched kernels, position encodings, projections.
const NETWORKS: [&str; 3] = ["resnet50", "convnext_tiny", "vit_b_32"];

/// A case for each GHN and network.
///
/// # Errors
/// If a network cannot be built; a GHN that does not fit on the device, or cannot predict, is a failed case.
pub fn cases(device: Device, seed: u64) -> anyhow::Result<Vec<Case>> {
    let mut cases = Vec::new();
    let published = Config::PUBLISHED.iter();
    for published in published.filter(|p| GHNS.contains(&p.name)) {
        let here = Ghn::untrained(&published.config, seed)?;
        let there = Ghn::untrained(&published.config, seed)?.on(device);
        let there = match there {
            Ok(there) => there,
            Err(error) => {
                cases.push(Case::failed(published.name, &error.into()));
                continue;
            }
        };
        for network in NETWORKS {
            let name = format!("{network}/{}", published.name);
            let case = agreement(&name, network, &here, &there);
            cases.push(case.unwrap_or_else(|error| Case::failed(&name, &error)));
        }
    }
    Ok(cases)
}

fn agreement(name: &str, network: &str, here: &Ghn, there: &Ghn) -> anyhow::Result<Case> {
    let arch = zoo::build(network, &Options::default())?;
    let options = PredictOptions {
        class_layers: ClassLayers::Always,
        ..PredictOptions::default()
    };
    let (expected, got) = (
        here.predict(&arch, &options)?,
        there.predict(&arch, &options)?,
    );
    let mut worst = Worst::default();
    compare(&got.tensors, &expected.tensors, &mut worst);
    let complaint = (got.unpredicted != expected.unpredicted)
        .then_some("other parameters stay unpredicted than on the CPU");
    Ok(worst.case(name, PREDICTION_TOLERANCE, complaint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_is_of_a_published_ghn_and_a_network_of_the_zoo() {
        for name in GHNS {
            assert!(Config::PUBLISHED.iter().any(|p| p.name == name), "{name}");
        }
        for name in NETWORKS {
            zoo::build(name, &Options::default()).unwrap();
        }
    }

    #[test]
    fn another_prediction_is_not_taken_for_the_same() {
        let [a, b] = [1, 2].map(|seed| Ghn::untrained(&Config::ghn2_cifar10(), seed).unwrap());
        assert!(agreement("same", "squeezenet1_1", &a, &a).unwrap().ok);
        assert!(!agreement("other", "squeezenet1_1", &a, &b).unwrap().ok);
    }
}
