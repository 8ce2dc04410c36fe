//! MNIST and its relatives: idx files, plain or gzipped.
//!
//! An idx file of bytes begins with 0, 0, 8 and the number of dimensions, then each dimension as a
//! big-endian 32-bit number, then the values. Images have three dimensions, labels one.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::protocol::{Flip, Native};
use super::source::{Item, Origin, Source};
use super::{DataError, DataSet, Normalisation};

/// Largest width or height, in pixels, and largest number of images that is believed.
const LARGEST_SIDE: usize = 1024;
const MOST_IMAGES: usize = 1 << 24;

/// The images of one idx file.
#[derive(Debug)]
pub(super) struct Digits {
    file: PathBuf,
    count: usize,
    width: usize,
    height: usize,
}

/// The data set in `folder`, if it holds idx images.
pub(super) fn in_folder(folder: &Path) -> Result<Option<DataSet>, DataError> {
    let train = part(folder, "train")?;
    let test = match part(folder, "t10k")? {
        None => part(folder, "test")?,
        found => found,
    };
    if train.is_none() && test.is_none() {
        return Ok(None);
    }
    let size = |source: &Source| match &source.origin {
        Origin::Mnist(digits) if digits.width == digits.height => Native::Square(digits.width),
        _ => Native::Mixed,
    };
    let native = train.as_ref().or(test.as_ref()).map_or(Native::Mixed, size);
    let largest = [&train, &test]
        .into_iter()
        .flatten()
        .flat_map(|s| s.labels.iter().copied())
        .max();
    Ok(Some(DataSet {
        name: super::recognise::name_of(folder),
        path: folder.to_owned(),
        kind: "MNIST (idx)",
        classes: (0..=largest.unwrap_or(0).max(9))
            .map(|i| i.to_string())
            .collect(),
        native,
        flip: Flip::Never,
        own_normalisation: Some(Normalisation::MNIST),
        train,
        val: None,
        test,
    }))
}

/// The data set that an idx file belongs to.
pub(super) fn in_file(file: &Path) -> Result<Option<DataSet>, DataError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    if name.contains("-ubyte") {
        in_folder(file.parent().unwrap_or(Path::new(".")))
    } else {
        Ok(None)
    }
}

/// The images and labels whose names begin with `prefix`.
fn part(folder: &Path, prefix: &str) -> Result<Option<Source>, DataError> {
    let Some(images) = find(folder, prefix, "images", "idx3") else {
        return Ok(None);
    };
    let Some(labels) = find(folder, prefix, "labels", "idx1") else {
        return Err(malformed(
            &images,
            "the file of its labels is not beside it",
        ));
    };
    let (shape, _) = header(&images, 3)?;
    let [count, height, width] = shape[..] else {
        return Err(malformed(&images, "it does not have three dimensions"));
    };
    if count == 0
        || count > MOST_IMAGES
        || !(1..=LARGEST_SIDE).contains(&width)
        || !(1..=LARGEST_SIDE).contains(&height)
    {
        return Err(malformed(
            &images,
            &format!("it says that it holds {count} images of {width}x{height}"),
        ));
    }
    let (shape, reader) = header(&labels, 1)?;
    if shape != [count] {
        return Err(malformed(
            &labels,
            &format!("it holds {shape:?} labels for {count} images"),
        ));
    }
    let values = body(&labels, reader, count)?;
    Ok(Some(Source {
        labels: values.into_iter().map(u32::from).collect(),
        origin: Origin::Mnist(Digits {
            file: images,
            count,
            width,
            height,
        }),
    }))
}

fn find(folder: &Path, prefix: &str, what: &str, dimensions: &str) -> Option<PathBuf> {
    [
        format!("{prefix}-{what}-{dimensions}-ubyte"),
        format!("{prefix}-{what}.{dimensions}-ubyte"),
    ]
    .iter()
    .flat_map(|name| [folder.join(name), folder.join(format!("{name}.gz"))])
    .find(|path| path.is_file())
}

/// Reads the dimensions; the reader stands at the first value.
fn header(file: &Path, dimensions: usize) -> Result<(Vec<usize>, Box<dyn Read>), DataError> {
    let raw = BufReader::new(File::open(file).map_err(DataError::read(file))?);
    let mut reader: Box<dyn Read> = if file.extension().is_some_and(|e| e == "gz") {
        Box::new(MultiGzDecoder::new(raw))
    } else {
        Box::new(raw)
    };
    let mut word = [0u8; 4];
    reader
        .read_exact(&mut word)
        .map_err(|e| unreadable(file, e))?;
    if word != [0, 0, 8, dimensions as u8] {
        return Err(malformed(
            file,
            "it does not begin as an idx file of bytes does",
        ));
    }
    let mut shape = Vec::with_capacity(dimensions);
    for _ in 0..dimensions {
        reader
            .read_exact(&mut word)
            .map_err(|e| unreadable(file, e))?;
        shape.push(u32::from_be_bytes(word) as usize);
    }
    Ok((shape, reader))
}

/// Reads `length` values, and makes sure that no more follow.
fn body(file: &Path, reader: Box<dyn Read>, length: usize) -> Result<Vec<u8>, DataError> {
    let mut values = Vec::new();
    reader
        .take(length as u64 + 1)
        .read_to_end(&mut values)
        .map_err(|e| unreadable(file, e))?;
    if values.len() != length {
        let more = if values.len() > length {
            "more than"
        } else {
            "fewer than"
        };
        return Err(malformed(
            file,
            &format!("it holds {more} the {length} values that its header names"),
        ));
    }
    Ok(values)
}

fn unreadable(file: &Path, error: std::io::Error) -> DataError {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    match error.kind() {
        UnexpectedEof => malformed(file, "it ends early"),
        InvalidData | InvalidInput => malformed(file, &format!("it cannot be unpacked: {error}")),
        _ => DataError::read(file)(error),
    }
}

fn malformed(file: &Path, problem: &str) -> DataError {
    DataError::Malformed {
        path: file.to_owned(),
        kind: "an idx file",
        problem: problem.to_owned(),
        advice: "Download it again",
    }
}

impl Digits {
    /// The images `rows`, ascending.
    pub fn items(&self, rows: &[usize]) -> Result<Vec<Item>, DataError> {
        let (_, reader) = header(&self.file, 3)?;
        let size = self.width * self.height;
        let values = body(&self.file, reader, self.count * size)?;
        Ok(rows
            .iter()
            .map(|&row| Item::Grey {
                values: values[row * size..(row + 1) * size].into(),
                width: self.width,
                height: self.height,
            })
            .collect())
    }
}
