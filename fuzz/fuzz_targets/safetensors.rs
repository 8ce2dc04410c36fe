//! Any bytes as a safetensors file, and the same with the length of the header set right, which few changes
//! of a whole file leave.

#![no_main]

use hyperscope_fuzz::check;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    check(file);
    let Some(brace) = file.iter().rposition(|b| *b == b'}') else {
        return;
    };
    if brace >= 8 {
        let mut file = file.to_vec();
        let header = (brace + 1 - 8) as u64;
        file[..8].copy_from_slice(&header.to_le_bytes());
        check(&file);
    }
});
