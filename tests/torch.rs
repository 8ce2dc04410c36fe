//! A file from `predict` loads in torchvision with `strict=True`.
//!
//! Needs a Python with torch and torchvision (`HYPERSCOPE_PYTHON`, or `python3` on the path);
//! without one the test says that it was skipped.

use std::path::Path;
use std::process::Command;

/// Loads a safetensors file by hand (the format is a length, a JSON header and raw bytes), so that
/// only torch and torchvision are needed.
const LOAD: &str = r#"
import json, struct, sys, torch, torchvision
path, name = sys.argv[1:]
data = open(path, "rb").read()
(size,) = struct.unpack("<Q", data[:8])
header = json.loads(data[8 : 8 + size])
header.pop("__metadata__", None)
kinds = {"F32": torch.float32, "I64": torch.int64}
state = {}
for key, spec in header.items():
    begin, end = (8 + size + offset for offset in spec["data_offsets"])
    flat = torch.frombuffer(bytearray(data[begin:end]), dtype=kinds[spec["dtype"]])
    state[key] = flat.reshape(spec["shape"])
net = getattr(torchvision.models, name)(weights=None)
print(net.load_state_dict(state, strict=True))
assert list(net.state_dict()) == [k for k in net.state_dict() if k in state]
net.train()
print(net(torch.zeros(2, 3, 64, 64)).shape)
"#;

fn python() -> Option<String> {
    let python = std::env::var("HYPERSCOPE_PYTHON").unwrap_or_else(|_| "python3".into());
    let found = Command::new(&python)
        .args(["-c", "import torch, torchvision"])
        .output()
        .is_ok_and(|o| o.status.success());
    found.then_some(python)
}

fn predict(arch: &str, home: &Path, out: &Path) {
    let status = Command::new(env!("CARGO_BIN_EXE_hyperscope"))
        .args([
            "predict",
            arch,
            "--ghn",
            "default",
            "--post",
            "noise+orth",
            "-o",
        ])
        .arg(out)
        .env("HYPERSCOPE_HOME", home)
        .status()
        .expect("hyperscope runs");
    assert!(status.success());
}

#[test]
fn predicted_files_load_in_torchvision_strictly() {
    let Some(python) = python() else {
        eprintln!("skipped: no Python with torch and torchvision (set HYPERSCOPE_PYTHON)");
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    for arch in ["resnet50", "convnext_tiny"] {
        let file = folder.path().join(format!("{arch}.safetensors"));
        predict(arch, folder.path(), &file);
        let output = Command::new(&python)
            .args(["-c", LOAD])
            .arg(&file)
            .arg(arch)
            .output()
            .expect("python runs");
        assert!(
            output.status.success(),
            "{arch}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
