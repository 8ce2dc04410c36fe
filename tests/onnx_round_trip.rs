//! A network that is exported and imported again is the same network.

use hyperscope::arch::onnx::{self, Opset};
use hyperscope::arch::zoo::{FAMILIES, Options};
use hyperscope::arch::{self, Arch, TensorSpec};
use hyperscope::init;
use hyperscope::nn::files::write_onnx;
use hyperscope::nn::{Network, StateDict};
use networks::{built, distance, lively, logits, pixels};

#[path = "onnx/networks.rs"]
mod networks;

/// Largest difference of a logit, relative to the largest logit: sums that are joined on one way may not be
/// on the other.
const TOLERANCE: f64 = 1e-5;

/// Networks whose adaptive pools and padded windows are beyond the import at small sizes.
const LARGE: [&str; 3] = ["alexnet", "vgg11", "swin_t"];
/// Families whose attention is beyond it.
const BEYOND: [&str; 2] = ["swin_v2_t", "maxvit_t"];

/// How far the logits move on the way to a file and back.
fn moved(arch: &Arch) -> Result<f64, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("model.onnx");
    let state = lively(arch);
    write_onnx(&path, &onnx::export(arch, Opset::default()), &state).expect("the model is written");
    let back = init::network(&path, &path.to_string_lossy(), None, 1);
    let (back, stored) = back.map_err(|error| error.to_string())?;
    let names = |arch: &Arch| {
        let names = arch.parameters();
        // An attention's own tensors are called after the node that makes its scores, too.
        let name = |t: &TensorSpec| t.name.replace(".MatMul_1.", ".");
        let shown = names.map(|t| format!("{} {:?}", name(t), t.shape));
        shown.collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(names(&back), names(arch), "{}", arch.name());
    let pixels = pixels(arch, 2);
    let run = |arch: &Arch, state: &StateDict| {
        let mut network = Network::new(arch).expect("a network that runs");
        network.load(state).expect("its own parameters");
        logits(&mut network, &pixels)
    };
    Ok(distance(&run(arch, &state), &run(&back, &stored)))
}

#[test]
fn one_network_of_every_family_comes_back() {
    let mut bad = Vec::new();
    let names = FAMILIES.iter().map(|f| f.names[0]);
    for name in names.filter(|name| !BEYOND.contains(name)) {
        let arch = if LARGE.contains(&name) {
            arch::build(name, &Options::for_images(10, 224)).expect("the usual size")
        } else {
            built(name)
        };
        match moved(&arch) {
            Ok(moved) if moved < TOLERANCE => {}
            Ok(moved) => bad.push(format!("{name}: {moved:e}")),
            Err(error) => bad.push(format!("{name}: {error}")),
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}
