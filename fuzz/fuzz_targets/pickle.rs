//! Any bytes as a legacy stream of `torch.save` or a dump of joblib, compressed or not.

#![no_main]

use hyperscope_fuzz::check;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| check(file));
