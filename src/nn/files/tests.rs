//! Promises about files, on files made here and on small ones that PyTorch wrote.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::*;
use crate::nn::{Tensor, Values};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/files")
        .join(name)
}

/// The message that reading a file with this content gives.
fn refusal(content: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.pt");
    fs::write(&path, content).unwrap();
    let error = read_state(&path).unwrap_err().to_string();
    assert!(error.starts_with("reading ") && error.contains("model.pt"));
    error
}

/// A zip archive as torch.save lays it out.
fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut zip = ::zip::ZipWriter::new(&mut bytes);
    let stored = ::zip::write::SimpleFileOptions::default()
        .compression_method(::zip::CompressionMethod::Stored);
    for (name, content) in entries {
        zip.start_file(format!("archive/{name}"), stored).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap();
    bytes.into_inner()
}

/// Protocol 2: `{"w": tensor}` on a storage of `numel` elements of `class`.
fn one_tensor(class: &str, numel: u8, offset: u8, shape: &[u32], strides: &[u32]) -> Vec<u8> {
    named_tensor("w", class, numel, offset, shape, strides)
}

fn named_tensor(
    name: &str,
    class: &str,
    numel: u8,
    offset: u8,
    shape: &[u32],
    strides: &[u32],
) -> Vec<u8> {
    let mut p = b"\x80\x02}X".to_vec();
    p.extend((name.len() as u32).to_le_bytes());
    p.extend(name.bytes());
    p.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    p.extend(b"X\x07\x00\x00\x00storage");
    p.extend(format!("ctorch\n{class}\n").bytes());
    p.extend(b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK");
    p.extend([numel, b't', b'Q', b'K', offset]);
    for list in [shape, strides] {
        p.push(b'(');
        for n in list {
            p.push(b'J');
            p.extend(n.to_le_bytes());
        }
        p.push(b't');
    }
    p.extend(b"\x89ccollections\nOrderedDict\n)RtRs.");
    p
}

fn save_one(pickle: &[u8], storage: &[u8]) -> Vec<u8> {
    archive(&[("data.pkl", pickle), ("data/0", storage)])
}

fn read_bytes(content: &[u8]) -> Result<Loaded, FileError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.pt");
    fs::write(&path, content).unwrap();
    read_state(&path)
}

fn expected() -> Json {
    serde_json::from_slice(&fs::read(fixture("expected.json")).unwrap()).unwrap()
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    match &tensor.values {
        Values::F32(v) => v.iter().map(|x| f64::from(*x)).collect(),
        Values::I64(v) => v.iter().map(|x| *x as f64).collect(),
    }
}

fn assert_as_expected(loaded: &Loaded) {
    let expected = expected();
    let expected = expected.as_object().unwrap();
    assert_eq!(loaded.tensors.len(), expected.len());
    for (name, want) in expected {
        let tensor = loaded.tensors.get(name).unwrap();
        assert_eq!(json!(tensor.shape), want["shape"], "{name}");
        let values = numbers(tensor);
        let first: Vec<f64> = values.iter().copied().take(12).collect();
        let wanted: Vec<f64> = serde_json::from_value(want["values"].clone()).unwrap();
        assert_eq!(first, wanted, "{name}");
        let sum: f64 = values.iter().sum();
        assert_eq!(Some(sum), want["sum"].as_f64(), "{name}");
    }
}

#[test]
fn a_checkpoint_of_pytorch_gives_its_tensors_configuration_and_epoch() {
    let loaded = read_state(fixture("zip.pt")).unwrap();
    assert_as_expected(&loaded);
    assert_eq!(loaded.epoch, Some(3));
    let config = loaded.config.unwrap();
    assert_eq!(config["hid"], 32);
    assert_eq!(config["max_shape"], json!([64, 64, 11, 11]));
    assert_eq!(config["hypernet"], "gatedgnn");
}

#[test]
fn the_format_before_pytorch_1_6_gives_the_same_tensors() {
    assert_as_expected(&read_state(fixture("legacy.pt")).unwrap());
}

#[test]
fn plain_pickles_with_tensors_inside_give_the_same_tensors() {
    for name in ["raw", "nested", "proto2", "proto3"] {
        assert_as_expected(&read_state(fixture(&format!("{name}.joblib"))).unwrap());
    }
}

#[test]
fn compressed_dumps_give_the_same_tensors() {
    for name in ["zlib3", "gzip3", "bz2_3", "xz3", "lzma3"] {
        assert_as_expected(&read_state(fixture(&format!("{name}.joblib"))).unwrap());
    }
}

#[test]
fn damaged_compressed_dumps_are_refused() {
    for name in ["zlib3", "gzip3", "bz2_3", "xz3", "lzma3"] {
        let whole = fs::read(fixture(&format!("{name}.joblib"))).unwrap();
        for end in [3, 14, whole.len() / 2, whole.len() - 40] {
            refusal(&whole[..end]);
        }
        for at in (0..whole.len()).step_by(97) {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x55;
            // Not every format checks every byte.
            drop(read_bytes(&flipped));
        }
    }
}

fn gzip(content: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for part in content {
        packer.write_all(&part).unwrap();
    }
    packer.finish().unwrap()
}

#[test]
fn archives_of_something_else_are_called_by_their_name() {
    let message = refusal(&gzip(std::iter::once(b"a tar, perhaps".to_vec())));
    assert!(message.contains("a gzip archive") && message.contains("unpack"));
    assert!(refusal(&gzip(std::iter::empty())).contains("a gzip archive"));
}

/// A megabyte that says it is a pickle with a gigabyte of bytes.
#[test]
fn a_bomb_is_refused_before_it_fills_the_memory() {
    let header = b"\x80\x04\x8e\0\0\0\x40\0\0\0\0".to_vec();
    let zeros = std::iter::repeat_n(vec![0; 1 << 20], 256);
    let bomb = gzip(std::iter::once(header).chain(zeros));
    assert!(refusal(&bomb).contains("far more memory"));
}

#[test]
fn names_lose_what_wrappers_put_in_front() {
    let pickle = named_tensor("module.w", "FloatStorage", 1, 0, &[1], &[1]);
    let loaded = read_bytes(&save_one(&pickle, &1_f32.to_le_bytes())).unwrap();
    assert_eq!(
        loaded.tensors.get("w"),
        Some(&Tensor::new(vec![1], vec![1.0]))
    );
}

#[test]
fn a_pickle_that_would_run_code_is_refused_by_name() {
    let attack = b"\x80\x02}X\x01\x00\x00\x00wcos\nsystem\nX\x08\x00\x00\x00touch /x\x85Rs.";
    let zipped = refusal(&save_one(attack, &[]));
    assert!(zipped.contains("would run code: os.system"), "{zipped}");
    let plain = refusal(attack);
    assert!(plain.contains("would run code: os.system"), "{plain}");
}

#[test]
fn an_object_in_the_place_of_a_tensor_is_named() {
    let object = b"\x80\x02}X\x0a\x00\x00\x00state_dict}(X\x01\x00\x00\x00wcmine\nWeight\n)\x81X\x01\x00\x00\x00vh\x00us.";
    // The second entry must be a tensor, or nothing would look like a state dict.
    let tensor = &one_tensor("FloatStorage", 1, 0, &[1], &[1])[2..];
    let tensor = &tensor[..tensor.len() - 1];
    let mut pickle = b"\x80\x02".to_vec();
    pickle.extend(tensor);
    pickle.extend(b"X\x01\x00\x00\x00vcmine\nWeight\n)\x81s.");
    let message = refusal(&save_one(&pickle, &[0; 4]));
    assert!(
        message.contains("mine.Weight") && message.contains("\"v\""),
        "{message}"
    );
    assert!(read_bytes(object).is_err());
}

#[test]
fn optimiser_arguments_of_unknown_classes_do_no_harm() {
    let tensor = one_tensor("FloatStorage", 1, 0, &[1], &[1]);
    let mut pickle = b"\x80\x02}X\x05\x00\x00\x00modelq\x00".to_vec();
    // A dictionary of tensors under "model", and an argparse namespace under "args".
    pickle.extend(&tensor[2..tensor.len() - 1]);
    pickle
        .extend(b"sX\x04\x00\x00\x00argscargparse\nNamespace\n)\x81}X\x02\x00\x00\x00lrK\x05sbs.");
    let loaded = read_bytes(&save_one(&pickle, &[0; 4])).unwrap();
    assert_eq!(loaded.tensors.len(), 1);
    assert_eq!(loaded.config, Some(json!({"lr": 5})));
}

#[test]
fn tensors_beyond_their_storage_are_damage() {
    for (offset, shape, stride) in [(0, 3, 1), (2, 1, 1), (0, 2, 2), (1, 2, 1)] {
        let pickle = one_tensor("FloatStorage", 2, offset, &[shape], &[stride]);
        let message = refusal(&save_one(&pickle, &[0; 8]));
        assert!(message.contains("beyond its storage"), "{message}");
    }
}

#[test]
fn a_few_bytes_cannot_ask_for_terabytes() {
    let huge = i32::MAX as u32;
    let pickle = one_tensor("FloatStorage", 1, 0, &[huge, huge], &[0, 0]);
    let message = refusal(&save_one(&pickle, &[0; 4]));
    assert!(message.contains("far more memory"), "{message}");
    let pickle = one_tensor("FloatStorage", 1, 0, &[huge, huge, huge, 0], &[0, 0, 0, 0]);
    assert!(read_bytes(&save_one(&pickle, &[0; 4])).is_err());
}

#[test]
fn an_element_type_that_is_not_supported_is_named() {
    let pickle = one_tensor("ComplexFloatStorage", 1, 0, &[1], &[1]);
    let message = refusal(&save_one(&pickle, &[0; 8]));
    assert!(message.contains("ComplexFloat"), "{message}");
    let message = refusal(&raw_safetensors(
        r#"{"w":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}"#,
        4,
    ));
    assert!(message.contains("F8_E4M3") && message.contains("\"w\""));
}

#[test]
fn files_cut_short_anywhere_are_errors() {
    let whole = fs::read(fixture("zip.pt")).unwrap();
    let legacy = fs::read(fixture("legacy.pt")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.safetensors");
    write_safetensors(&path, &two_tensors(), &BTreeMap::new()).unwrap();
    let plain = fs::read(&path).unwrap();
    for content in [whole, legacy, plain] {
        for part in 0..40 {
            let cut = content.len() * part / 40;
            fs::write(&path, &content[..cut]).unwrap();
            assert!(read_state(&path).is_err(), "cut at {cut}");
        }
        let cut = content.len() - 1;
        fs::write(&path, &content[..cut]).unwrap();
        assert!(read_state(&path).is_err(), "cut at {cut}");
    }
}

#[test]
fn an_archive_without_the_storage_is_damaged() {
    let pickle = one_tensor("FloatStorage", 1, 0, &[1], &[1]);
    let message = refusal(&archive(&[("data.pkl", &pickle)]));
    assert!(message.contains("archive/data/0 is missing"), "{message}");
    let message = refusal(&archive(&[("other.txt", b"")]));
    assert!(message.contains("without the data.pkl"), "{message}");
}

#[test]
fn a_checkpoint_without_tensors_says_what_it_holds() {
    let message = refusal(b"\x80\x02}X\x04\x00\x00\x00lossK\x01s.");
    assert!(message.contains("keys: loss"), "{message}");
    let message = refusal(b"\x80\x02cmodels\nResNet\n)\x81.");
    assert!(message.contains("models.ResNet"), "{message}");
}

#[test]
fn a_missing_file_and_a_folder_say_so() {
    let message = read_state("/no/such/model.pt").unwrap_err().to_string();
    assert!(message.contains("/no/such/model.pt"));
    let folder = tempfile::tempdir().unwrap();
    let message = read_state(folder.path()).unwrap_err().to_string();
    assert!(message.contains("folder"));
}

// safetensors

fn two_tensors() -> StateDict {
    let mut state = StateDict::default();
    state.insert(
        "b.weight",
        Tensor::new(vec![1, 3], vec![1.0, -0.0, f32::MAX]),
    );
    state.insert("a.count", Tensor::count(-7));
    state.insert("a.empty", Tensor::new(vec![0, 2], vec![]));
    state
}

fn raw_safetensors(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.extend(vec![0; data]);
    bytes
}

#[test]
fn what_is_written_is_read_back_in_the_same_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let metadata = BTreeMap::from([("config".to_owned(), "{\"hid\":32}".to_owned())]);
    write_safetensors(&path, &two_tensors(), &metadata).unwrap();
    let loaded = read_state(&path).unwrap();
    assert_eq!(loaded.tensors, two_tensors());
    let names: Vec<&str> = loaded.tensors.iter().map(|(n, _)| n).collect();
    assert_eq!(names, ["b.weight", "a.count", "a.empty"]);
    assert_eq!(loaded.config, Some(json!({"hid": 32})));
}

#[test]
fn the_formats_own_library_reads_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    write_safetensors(&path, &two_tensors(), &BTreeMap::new()).unwrap();
    let bytes = fs::read(&path).unwrap();
    let read = ::safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let weight = read.tensor("b.weight").unwrap();
    assert_eq!(weight.shape(), [1, 3]);
    assert_eq!(weight.data()[..4], 1_f32.to_le_bytes());
    assert_eq!(
        read.tensor("a.count").unwrap().data(),
        (-7_i64).to_le_bytes()
    );
}

#[test]
fn headers_that_contradict_themselves_are_refused() {
    for (header, data, word) in [
        (
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
            8,
            "twice",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#,
            12,
            "overlaps",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
            8,
            "gap",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
            4,
            "follow it",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#,
            8,
            "do not match",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,0]}}"#,
            0,
            "do not match",
        ),
        (r#"{"a":3}"#, 0, "header is not"),
    ] {
        let message = refusal(&raw_safetensors(header, data));
        assert!(message.contains(word), "{word}: {message}");
    }
    let mut endless = raw_safetensors("{\"a\":", 0);
    endless[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(refusal(&endless).contains("header should have"));
}

#[test]
fn half_precision_and_integers_are_widened() {
    let header = r#"{"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"i":{"dtype":"I32","shape":[],"data_offsets":[4,8]}}"#;
    let mut bytes = raw_safetensors(header, 0);
    bytes.extend([0x00, 0x3c, 0x00, 0xc0, 0xff, 0xff, 0xff, 0xff]);
    let loaded = read_bytes(&bytes).unwrap();
    assert_eq!(
        loaded.tensors.get("h"),
        Some(&Tensor::new(vec![2], vec![1.0, -2.0]))
    );
    assert_eq!(loaded.tensors.get("i"), Some(&Tensor::count(-1)));
}
