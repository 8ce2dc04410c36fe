//! How much memory and time the largest released GHN takes: opened, and predicting ResNet-50.
//!
//! `cargo bench --bench large_checkpoint`. It writes files of the size and layout of GHN-3-XL (654,365,184
//! values in a joblib dump, plain and compressed, then in an archive of `torch.save`) with seeded weights, 2.6 GB
//! each, one after the other, and deletes them. What must hold for the most memory a process has at any time:
//!
//! | command | at most |
//! |---|---|
//! | `ghn show` | the values' size and 10 % |
//! | `predict resnet50` | 1 GB more |

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Width of a state, layers, heads and classes of GHN-3-XL.
const XL: [usize; 4] = [384, 24, 16, 1000];
/// Its number of values, as its authors give it.
const XL_VALUES: usize = 654_365_184;

/// Between two looks at a process's memory.
const LOOK_EVERY: Duration = Duration::from_millis(2);

fn main() -> io::Result<()> {
    let tensors = tensors(XL);
    let values: usize = tensors.iter().map(Described::len).sum();
    assert_eq!(values, XL_VALUES, "the layout is not that of GHN-3-XL");
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("ghn3xl.pt");
    for (layout, write) in [
        ("joblib dump", write_dump as fn(&Path, &[Described]) -> _),
        ("joblib dump, zlib", write_compressed_dump),
        ("torch.save", write_archive),
    ] {
        write(&path, &tensors)?;
        let size = path.metadata()?.len() as f64;
        let most = 1.1 * (values * size_of::<f32>()) as f64;
        println!("{layout}, {:.2} GB", size / 1e9);
        report("ghn show", &["ghn", "show"], &path, most)?;
        let output = folder.path().join("resnet50.safetensors");
        let predict = [
            "predict",
            "resnet50",
            "-o",
            &output.to_string_lossy(),
            "--ghn",
        ];
        report("predict resnet50", &predict, &path, most + 1e9)?;
        fs::remove_file(&path)?;
    }
    Ok(())
}

/// A tensor of the file: values are drawn evenly below `1 / sqrt(last dimension)`.
struct Described {
    name: String,
    shape: Vec<usize>,
}

impl Described {
    fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Its bytes in a file, a part at a time.
    fn write_values(&self, out: &mut dyn Write) -> io::Result<()> {
        let seed = self.name.bytes().fold(1, |hash: u64, b| {
            hash.wrapping_mul(31).wrapping_add(b.into())
        });
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let bound = 1.0 / (self.shape[self.shape.len() - 1] as f32).sqrt();
        let mut left = self.len();
        let mut part = Vec::new();
        while left > 0 {
            part.clear();
            for _ in 0..left.min(1 << 16) {
                let value: f32 = rng.random_range(-bound..bound);
                part.extend(value.to_le_bytes());
            }
            out.write_all(&part)?;
            left -= part.len() / 4;
        }
        Ok(())
    }
}

/// Names and shapes of a released GHN-3's tensors: `C` wide, with `L` layers, `H` heads and `K` classes.
fn tensors([c, layers, heads, k]: [usize; 4]) -> Vec<Described> {
    let mut all = Vec::new();
    let mut table = |name: &str, shape: &[usize]| {
        all.push(Described {
            name: name.to_owned(),
            shape: shape.to_vec(),
        });
    };
    table("embed.weight", &[15, c]);
    table("shape_enc.embed_spatial.weight", &[11, c / 4]);
    table("shape_enc.embed_channel.weight", &[392, c / 4]);
    table("centrality_embed_in.weight", &[101, c]);
    table("centrality_embed_out.weight", &[101, c]);
    table("input_dist_embed.weight", &[1001, c]);
    table("gnn.0.attn.edge_embed.embed.weight", &[257, c]);
    let mut dense = |name: &str, out: usize, input: usize| {
        table(&format!("{name}.weight"), &[out, input]);
        table(&format!("{name}.bias"), &[out]);
    };
    dense("gnn.0.attn.proj_e.0", c, 2 * c);
    dense("gnn.0.attn.proj_e.2", heads, c);
    for layer in 0..layers {
        let part = |name: &str| format!("gnn.{layer}.{name}");
        dense(&part("attn.to_out.0"), c, c);
        dense(&part("ff.net.0"), 4 * c, c);
        dense(&part("ff.net.3"), c, 4 * c);
    }
    dense("decoder.fc.0", 4 * c * 16 * 16, c);
    dense("decoder.conv.0", 8 * c, 4 * c);
    dense("decoder.conv.2", c * c, 8 * c);
    dense("decoder.class_layer_predictor.1", k, c);
    dense("decoder_1d.fc.0", 2 * c, c);
    dense("decoder_1d.fc.2", 2 * c, 2 * c);
    dense("bias_class.1", k, c);
    let mut norm = |name: &str| {
        for part in ["weight", "bias"] {
            table(&format!("{name}.{part}"), &[c]);
        }
    };
    norm("ln");
    for layer in 0..layers {
        norm(&format!("gnn.{layer}.ln1"));
        norm(&format!("gnn.{layer}.ln2"));
    }
    for layer in 0..layers {
        table(&format!("gnn.{layer}.attn.to_qkv.weight"), &[3 * c, c]);
    }
    all
}

const ORDERED_DICT: &[u8] = b"ccollections\nOrderedDict\n)R";

fn text(pickle: &mut Vec<u8>, text: &str) {
    pickle.push(b'X');
    pickle.extend((text.len() as u32).to_le_bytes());
    pickle.extend(text.bytes());
}

/// A tuple of numbers.
fn numbers(pickle: &mut Vec<u8>, numbers: impl Iterator<Item = usize>) {
    pickle.push(b'(');
    for number in numbers {
        pickle.push(b'J');
        pickle.extend((number as i32).to_le_bytes());
    }
    pickle.push(b't');
}

/// The persistent id of a tensor's storage.
fn storage(pickle: &mut Vec<u8>, key: &str, len: usize) {
    pickle.push(b'(');
    text(pickle, "storage");
    pickle.extend(b"ctorch\nFloatStorage\n");
    text(pickle, key);
    text(pickle, "cpu");
    pickle.push(b'J');
    pickle.extend((len as i32).to_le_bytes());
}

/// What follows the storage in a call of `_rebuild_tensor_v2`.
fn rest_of_tensor(pickle: &mut Vec<u8>, shape: &[usize]) {
    pickle.extend(b"K\0");
    numbers(pickle, shape.iter().copied());
    let strides = (0..shape.len()).map(|d| shape[d + 1..].iter().product());
    numbers(pickle, strides);
    pickle.push(0x89);
    pickle.extend(ORDERED_DICT);
    pickle.extend(b"tR");
}

fn write_dump(path: &Path, tensors: &[Described]) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    dump(&mut out, tensors)?;
    out.into_inner()?.sync_all()
}

/// As joblib does with `compress="zlib"`, at a level that takes a minute less.
fn write_compressed_dump(path: &Path, tensors: &[Described]) -> io::Result<()> {
    let file = BufWriter::new(File::create(path)?);
    let mut out = ZlibEncoder::new(file, Compression::fast());
    dump(&mut out, tensors)?;
    out.finish()?.into_inner()?.sync_all()
}

/// One pickle with a whole stream of `torch.save` for every tensor.
fn dump(out: &mut impl Write, tensors: &[Described]) -> io::Result<()> {
    out.write_all(b"\x80\x04")?;
    out.write_all(ORDERED_DICT)?;
    out.write_all(b"(")?;
    for tensor in tensors {
        let mut head = Vec::new();
        text(&mut head, &tensor.name);
        head.extend(b"ctorch._utils\n_rebuild_tensor_v2\n(ctorch.storage\n_load_from_bytes\n");
        let mut stream =
            b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}(".to_vec();
        text(&mut stream, "protocol_version");
        stream.extend(b"M\xe9\x03");
        text(&mut stream, "little_endian");
        stream.extend(b"\x88u.\x80\x02");
        storage(&mut stream, "0", tensor.len());
        stream.extend(b"NtQ.\x80\x02]");
        text(&mut stream, "0");
        stream.extend(b"a.");
        stream.extend((tensor.len() as u64).to_le_bytes());
        head.push(0x8e);
        head.extend((stream.len() as u64 + 4 * tensor.len() as u64).to_le_bytes());
        head.extend(stream);
        out.write_all(&head)?;
        tensor.write_values(out)?;
        let mut tail = b"\x85R".to_vec();
        rest_of_tensor(&mut tail, &tensor.shape);
        out.write_all(&tail)?;
    }
    out.write_all(b"u.")
}

/// An archive with an entry for every tensor.
fn write_archive(path: &Path, tensors: &[Described]) -> io::Result<()> {
    let mut zip = ZipWriter::new(BufWriter::new(File::create(path)?));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut pickle = b"\x80\x02}".to_vec();
    text(&mut pickle, "state_dict");
    pickle.extend(ORDERED_DICT);
    pickle.push(b'(');
    for (key, tensor) in tensors.iter().enumerate() {
        text(&mut pickle, &tensor.name);
        pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n(");
        storage(&mut pickle, &key.to_string(), tensor.len());
        pickle.extend(b"tQ");
        rest_of_tensor(&mut pickle, &tensor.shape);
    }
    pickle.extend(b"us.");
    zip.start_file("ghn/data.pkl", stored)?;
    zip.write_all(&pickle)?;
    zip.start_file("ghn/byteorder", stored)?;
    zip.write_all(b"little")?;
    for (key, tensor) in tensors.iter().enumerate() {
        zip.start_file(format!("ghn/data/{key}"), stored)?;
        tensor.write_values(&mut zip)?;
    }
    zip.start_file("ghn/version", stored)?;
    zip.write_all(b"3\n")?;
    zip.finish()?.into_inner()?.sync_all()
}

/// Runs `hyperscope` with the arguments and the file; says how long it took and how much memory it had.
fn report(what: &str, arguments: &[&str], path: &Path, most: f64) -> io::Result<()> {
    let start = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_hyperscope"))
        .args(arguments)
        .arg(path)
        .stdout(Stdio::null())
        .spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak_bytes = 0.0;
    let ended = loop {
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        peak_bytes = most_memory(&status).unwrap_or(peak_bytes);
        std::thread::sleep(LOOK_EVERY);
    };
    assert!(ended.success(), "{what} failed");
    println!(
        "  {what}: {:.2} GB of at most {:.2} GB ({}), {:.1} s",
        peak_bytes / 1e9,
        most / 1e9,
        if peak_bytes <= most {
            "kept"
        } else {
            "NOT KEPT"
        },
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// The most memory that a process ever had, in bytes, from its status file.
fn most_memory(status: &str) -> Option<f64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(1024.0 * kib)
}
