//! Every op with every instruction set that kernels are compiled for and this processor has.

use std::process::Command;

#[test]
fn every_instruction_set_computes_every_op() {
    for best in ["any", "avx2", "avx512"] {
        let output = Command::new(env!("CARGO_BIN_EXE_hyperscope"))
            .args(["check", "ops"])
            .env("HYPERSCOPE_SIMD", best)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{best}: {text}");
        assert!(text.contains(" 0 failed, 0 missing"), "{best}: {text}");
    }
}
