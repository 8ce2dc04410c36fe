//! Files that are damaged, absurd or malicious, through the command line: each is refused with exit code 1,
//! by a message that names the file and says what to do, in little time and memory, and no code is run.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Address space that a refusal may take, in KiB: threads and the program itself take a part of it.
const MEMORY_KIB: u32 = 1_500_000;
/// Time that a refusal may take; the machine may be busy with other tests.
const TIME: Duration = Duration::from_secs(20);

/// Reading each of these words in a message, a person knows what to do next.
const ADVICE: [&str; 8] = [
    "fetch",
    "save",
    "give",
    "unpack",
    "take it from",
    "refused",
    "does the config belong",
    "run `git",
];

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    fs::read(folder.join(name)).expect("a fixture")
}

/// What `ghn show` says to a file of this content, which it must refuse.
fn refusal(content: &[u8]) -> String {
    let home = tempfile::tempdir().expect("a temporary folder");
    fs::write(home.path().join("hostile.pt"), content).expect("a file");
    refusal_in(&home)
}

/// The same for `hostile.pt` in a folder.
fn refusal_in(home: &TempDir) -> String {
    let start = Instant::now();
    let script = format!("ulimit -v {MEMORY_KIB}; exec \"$0\" ghn show hostile.pt");
    let output = Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_hyperscope")])
        .env("HYPERSCOPE_HOME", home.path().join("home"))
        .current_dir(home.path())
        .output()
        .expect("a shell");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(start.elapsed() < TIME, "{:?}: {message}", start.elapsed());
    assert!(message.contains("hostile.pt"), "{message}");
    assert!(!message.contains("panicked"), "{message}");
    assert!(ADVICE.iter().any(|a| message.contains(a)), "{message}");
    assert!(!home.path().join("ran").exists(), "code was run");
    message
}

fn archive(entries: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, content) in entries {
        zip.start_file(format!("ghn/{name}"), options)
            .expect("an entry");
        zip.write_all(content).expect("an entry");
    }
    zip.finish().expect("an archive").into_inner()
}

fn stored(entries: &[(&str, &[u8])]) -> Vec<u8> {
    archive(entries, CompressionMethod::Stored)
}

fn safetensors(header: &str, data: usize) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.bytes());
    file.resize(file.len() + data, 0);
    file
}

/// A state dict with one float tensor of `shape` and `strides` on the storage `0`.
fn one_tensor(shape: &[u32], strides: &[u32]) -> Vec<u8> {
    let mut p = b"\x80\x02}X\x0c\0\0\0embed.weightctorch._utils\n_rebuild_tensor_v2\n(".to_vec();
    p.extend(b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x01tQK\0");
    for numbers in [shape, strides] {
        p.push(b'(');
        for number in numbers {
            p.push(b'J');
            p.extend(number.to_le_bytes());
        }
        p.push(b't');
    }
    p.extend(b"\x89}tRs.");
    p
}

#[test]
fn truncated_files() {
    for name in [
        "zip.pt",
        "legacy.pt",
        "raw.joblib",
        "proto2.joblib",
        "xz3.joblib",
    ] {
        let whole = fixture(&format!("files/{name}"));
        for part in 1..8 {
            refusal(&whole[..whole.len() * part / 8]);
        }
    }
    let whole = fixture("ghn/weights/ghn2_tiny.safetensors");
    for length in [7, 9, 2000, whole.len() / 2, whole.len() - 1] {
        refusal(&whole[..length]);
    }
    assert!(refusal(b"").contains("empty"));
}

#[test]
fn wrong_magic() {
    for (content, what) in [
        (&b"PK\x03\x04 and no archive behind it"[..], "zip"),
        (b"GGUF\x03\0\0\0", "GGUF"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x80\x09not a protocol of Python", "unknown kind"),
        (b"0123456789abcdef0123456789abcdef", "unknown kind"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "git lfs pull",
        ),
    ] {
        let message = refusal(content);
        assert!(message.contains(what), "{message}");
    }
}

#[test]
fn absurd_sizes() {
    let mut header = safetensors("{\"a\":", 100);
    header[..8].copy_from_slice(&(u64::MAX / 2).to_le_bytes());
    assert!(refusal(&header).contains("header should have"));
    refusal(&safetensors(
        r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#,
        0,
    ));
    let huge = i32::MAX as u32;
    let pickle = one_tensor(&[huge, huge], &[0, 0]);
    let message = refusal(&stored(&[("data.pkl", &pickle), ("data/0", &[0; 4])]));
    assert!(message.contains("far more memory"), "{message}");
    // Bytes, text and a storage that say they are longer than the file.
    refusal(b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc.");
    refusal(b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fabc.");
    let mut legacy = fixture("files/legacy.pt");
    let position = |pattern: &[u8]| {
        let mut windows = legacy.windows(pattern.len());
        windows
            .position(|w| w == pattern)
            .expect("the list of storages")
    };
    let list = position(b"\x80\x02]q\x00(");
    let end = legacy[list..].windows(2).position(|w| w == b"e.");
    let numbers = list + end.expect("the end of the list") + 2;
    legacy[numbers..numbers + 8].copy_from_slice(&(u64::MAX / 8).to_le_bytes());
    let message = refusal(&legacy);
    assert!(message.contains("ends too early"), "{message}");
}

#[test]
fn pickles_that_hold_themselves() {
    // A dictionary that is its own state dict; a list that is its own only element.
    let dict = b"\x80\x02}q\0X\x0a\0\0\0state_dicth\0s.";
    assert!(refusal(dict).contains("no named tensors"));
    assert!(refusal(b"\x80\x02]q\0h\0a.").contains("no named tensors"));
    // A large dictionary that holds itself under every name of a state dict.
    let mut dict = b"\x80\x02}q\0(".to_vec();
    for name in [
        "state_dict",
        "model_state_dict",
        "model_state",
        "model",
        "net",
        "network",
        "params",
        "weights",
    ] {
        dict.extend([0x8c, name.len() as u8]);
        dict.extend(name.bytes());
        dict.extend(b"h\0");
    }
    dict.extend(b"NN".repeat(1_000_000));
    dict.extend(b"u.");
    assert!(refusal(&dict).contains("no named tensors"));
    // A tensor beside a configuration that holds itself twice.
    let tensor = one_tensor(&[1], &[1]);
    let mut pickle = tensor[..tensor.len() - 1].to_vec();
    pickle.extend(b"X\x06\0\0\0config]q\x01(h\x01h\x01es.");
    let message = refusal(&stored(&[("data.pkl", &pickle), ("data/0", &[0; 4])]));
    assert!(message.contains("holds no GHN"), "{message}");
}

#[test]
fn deep_nesting() {
    let mut lists = b"\x80\x02".to_vec();
    lists.extend([b']'; 1_000_000]);
    lists.extend([b'a'; 999_999]);
    lists.push(b'.');
    assert!(refusal(&lists).contains("no named tensors"));
    let mut tuples = b"\x80\x02N".to_vec();
    tuples.extend([0x85; 1_000_000]);
    tuples.push(b'.');
    refusal(&tuples);
    let mut marks = b"\x80\x02".to_vec();
    marks.extend(vec![b'('; 40_000_000]);
    refusal(&marks);
    let deep = format!("{{\"a\":{}", "[".repeat(1_000_000));
    refusal(&safetensors(&deep, 0));
}

#[test]
fn few_bytes_that_ask_for_many_copies() {
    // A shape of 64 dimensions, called for again and again.
    let mut pickle = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nq\0(".to_vec();
    pickle
        .extend(b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x01tQK\0");
    for _ in 0..2 {
        pickle.push(b'(');
        pickle.extend(b"K\x01".repeat(64));
        pickle.push(b't');
    }
    pickle.extend(b"tq\x01R");
    pickle.extend(b"h\0h\x01R".repeat(2_000_000));
    pickle.push(b'.');
    assert!(refusal(&pickle).contains("more values"));
}

#[test]
fn bombs() {
    let mut zeros = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    zeros
        .write_all(b"\x80\x04\x8e\0\0\0\x40\0\0\0\0")
        .expect("memory");
    for _ in 0..512 {
        zeros.write_all(&[0; 1 << 20]).expect("memory");
    }
    let message = refusal(&zeros.finish().expect("memory"));
    assert!(message.contains("far more memory"), "{message}");

    // Two entries of an archive that are the same bytes of it.
    let pickle = one_tensor(&[1], &[1]);
    let mut overlapping = stored(&[
        ("data.pkl", &pickle),
        ("data/0", &[0; 400]),
        ("data/1", &[0; 400]),
    ]);
    let starts: Vec<usize> = (0..overlapping.len() - 4)
        .filter(|i| overlapping[*i..].starts_with(b"PK\x01\x02"))
        .collect();
    let place = 42..46;
    let first: Vec<u8> = overlapping[starts[1]..][place.clone()].to_vec();
    overlapping[starts[2]..][place].copy_from_slice(&first);
    let message = refusal(&overlapping);
    assert!(message.contains("overlap"), "{message}");

    // Many tensors that are the whole of one storage.
    let mut many = b"\x80\x02}(".to_vec();
    for i in 0..5_000 {
        let name = format!("{i:08}");
        many.extend(b"X\x08\0\0\0");
        many.extend(name.bytes());
        let tensor = one_tensor(&[250_000], &[1]);
        many.extend(&tensor[3 + 17..tensor.len() - 2]);
    }
    many.extend(b"u.");
    let message = refusal(&stored(&[("data.pkl", &many), ("data/0", &[0; 1_000_000])]));
    assert!(message.contains("far more memory"), "{message}");
}

#[test]
fn tensors_that_overlap_or_reach_outside() {
    let overlapping = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#;
    assert!(refusal(&safetensors(overlapping, 12)).contains("overlaps"));
    for (shape, strides) in [([2], [1]), ([1], [1]), ([2], [u32::MAX >> 1])] {
        let pickle = one_tensor(&shape, &strides);
        let content: &[u8] = if shape == [1] { &[0; 3] } else { &[0; 4] };
        let message = refusal(&stored(&[("data.pkl", &pickle), ("data/0", content)]));
        assert!(message.contains("beyond its storage"), "{message}");
    }
}

#[test]
fn weights_that_are_no_numbers() {
    let mut file = fixture("ghn/weights/ghn2_tiny.safetensors");
    let end = file.len();
    file[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    let message = refusal(&file);
    assert!(message.contains("not finite"), "{message}");
}

#[test]
fn code_is_never_run() {
    for pickle in [
        &b"\x80\x02cos\nsystem\nX\x09\0\0\0touch ran\x85R."[..],
        b"\x80\x04\x8c\x08builtins\x8c\x04exec\x93\x8c\x12open('ran', 'w')##\x85R.",
        b"\x80\x02cposix\nsystem\nX\x09\0\0\0touch ran\x85R}b.",
        b"\x80\x02(cos\nsystem\nX\x09\0\0\0touch rano.",
        b"(X\x09\0\0\0touch ranios\nsystem\n.",
    ] {
        let mut pickle = pickle.to_vec();
        if !pickle.starts_with(b"\x80") {
            pickle.splice(0..0, *b"\x80\x02");
        }
        for content in [stored(&[("data.pkl", &pickle)]), pickle] {
            assert!(refusal(&content).contains("would run code"));
        }
    }
}

#[test]
fn archives_that_torch_does_not_write() {
    let pickle = one_tensor(&[1], &[1]);
    for (entries, what) in [
        (vec![("other.txt", &b""[..])], "without the data.pkl"),
        (vec![("data.pkl", &pickle[..])], "is missing"),
        (
            vec![("data.pkl", &pickle[..]), ("constants.pkl", b"")],
            "TorchScript",
        ),
        (
            vec![("data.pkl", &pickle[..]), ("byteorder", b"big")],
            "big-endian",
        ),
    ] {
        let message = refusal(&stored(&entries));
        assert!(message.contains(what), "{message}");
    }
}

#[test]
fn parameters_of_a_network_are_recognised() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let made = Command::new(env!("CARGO_BIN_EXE_hyperscope"))
        .args([
            "predict",
            "squeezenet1_1",
            "--classes",
            "10",
            "-o",
            "hostile.pt",
        ])
        .env("HYPERSCOPE_HOME", home.path().join("home"))
        .current_dir(home.path())
        .output()
        .expect("hyperscope runs");
    assert!(made.status.success());
    let message = refusal_in(&home);
    assert!(
        message.contains("holds no GHN") && message.contains("parameters of squeezenet1_1"),
        "{message}"
    );
}

#[test]
fn a_config_that_does_not_fit_or_is_damaged() {
    for (config, what) in [
        ("{\"hid\": 64}", "embed.weight"),
        ("{\"hid\": ", "config.json"),
        (&"[".repeat(100_000), "config.json"),
    ] {
        let home = tempfile::tempdir().expect("a temporary folder");
        let tensors = fixture("ghn/weights/ghn2_tiny.safetensors");
        fs::write(home.path().join("hostile.pt"), tensors).expect("a file");
        fs::write(home.path().join("hostile.config.json"), config).expect("a file");
        let start = Instant::now();
        let output = Command::new(env!("CARGO_BIN_EXE_hyperscope"))
            .args(["ghn", "show", "hostile.pt"])
            .current_dir(home.path())
            .output()
            .expect("hyperscope runs");
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains(what), "{message}");
        assert!(start.elapsed() < TIME);
    }
}
