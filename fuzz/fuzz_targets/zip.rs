//! Any bytes as an archive of `torch.save`, and any bytes as the pickle and the one storage in a sound archive,
//! which few changes of a whole file leave.

#![no_main]

use std::io::{Cursor, Write};

use hyperscope_fuzz::check;
use libfuzzer_sys::fuzz_target;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

fuzz_target!(|input: &[u8]| {
    if input.starts_with(b"PK") {
        return check(input);
    }
    let Some((length, rest)) = input.split_first_chunk::<2>() else {
        return;
    };
    let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
    let (pickle, storage) = rest.split_at(length);
    check(&archive(pickle, storage));
});

fn archive(pickle: &[u8], storage: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, content) in [("a/data.pkl", pickle), ("a/data/0", storage)] {
        zip.start_file(name, stored).expect("memory takes it");
        zip.write_all(content).expect("memory takes it");
    }
    zip.finish().expect("memory takes it").into_inner()
}
