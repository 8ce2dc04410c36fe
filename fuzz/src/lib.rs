//! What has to hold for any file of parameters.

use hyperscope::nn::Values;
use hyperscope::nn::files::read_content;

/// Reads the file: it is refused, or gives as many values as its tensors' shapes have.
///
/// # Panics
/// If it gives others.
pub fn check(file: &[u8]) {
    let Ok(loaded) = read_content(file) else {
        return;
    };
    for (name, tensor) in loaded.tensors.iter() {
        let count = match &tensor.values {
            Values::F32(values) => values.len(),
            Values::I64(values) => values.len(),
        };
        assert_eq!(count, tensor.len(), "{name}");
    }
}
