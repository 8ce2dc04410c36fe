//! Any bytes as an ONNX file: refused, or read; never a panic, and no memory beyond what they warrant.

#![no_main]

use bytes::Bytes;
use hyperscope::arch::onnx;
use hyperscope::nn::files::onnx_state;
use libfuzzer_sys::fuzz_target;

/// Larger networks are legitimate, made of fills, and only slow.
const MOST_PARAMETERS: usize = 1_000_000;

fuzz_target!(|file: &[u8]| {
    let Ok(network) = onnx::read(Bytes::copy_from_slice(file), None) else {
        return;
    };
    if network.arch.parameter_count() > MOST_PARAMETERS {
        return;
    }
    let Ok(state) = onnx_state(&network.weights) else {
        return;
    };
    for spec in network.arch.tensors() {
        if let Some(tensor) = state.get(&spec.name) {
            assert_eq!(tensor.shape, spec.shape, "{}", spec.name);
        }
    }
});
