//! One Parquet file: which columns hold images and labels, and reading them.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use parquet::basic::Type;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use crate::data::DataError;
use crate::data::source::Item;

/// Names of image and label columns, best first.
const IMAGE_COLUMNS: [&str; 6] = ["img", "image", "images", "jpg", "jpeg", "png"];
const LABEL_COLUMNS: [&str; 5] = ["fine_label", "label", "labels", "cls", "class"];

/// Images read at once, so that the unpacked bytes of a whole row group are never held twice.
const READ_ROWS: usize = 256;
/// Most rows of a file that are believed.
const MOST_ROWS: usize = 1 << 31;

/// A Parquet file with images.
#[derive(Debug)]
pub(super) struct Shard {
    pub path: Arc<Path>,
    /// Leaf column of the image bytes and of the labels, and the label column's name.
    image: usize,
    label: usize,
    pub label_name: String,
    /// Rows and unpacked bytes of images of each row group.
    groups: Vec<Group>,
}

#[derive(Clone, Copy, Debug)]
struct Group {
    rows: usize,
    bytes: u64,
}

impl Shard {
    /// Reads a file's schema. Also gives the text of its `huggingface` entry, if it has one.
    pub fn open(path: &Path) -> Result<(Self, Option<String>), DataError> {
        let file = reader(path)?;
        let metadata = file.metadata();
        let columns = metadata.file_metadata().schema_descr().columns();
        let image = best(
            columns
                .iter()
                .enumerate()
                .filter_map(|(i, c)| Some((image_rank(c)?, i))),
        );
        let label = best(
            columns
                .iter()
                .enumerate()
                .filter_map(|(i, c)| Some((label_rank(c)?, i))),
        );
        let (Some(image), Some(label)) = (image, label) else {
            let lacks = if image.is_none() {
                "image bytes"
            } else {
                "whole-number labels"
            };
            let names: Vec<String> = columns.iter().map(|c| c.path().string()).collect();
            return Err(malformed(
                path,
                format!(
                    "no column of it holds {lacks}; its columns are {}",
                    names.join(", ")
                ),
            ));
        };
        let shard = Self {
            path: path.into(),
            image,
            label,
            label_name: columns[label].name().to_owned(),
            groups: groups(path, metadata, image)?,
        };
        let entries = metadata.file_metadata().key_value_metadata();
        let note = entries
            .and_then(|all| all.iter().find(|e| e.key == "huggingface"))
            .and_then(|e| e.value.clone());
        Ok((shard, note))
    }

    /// Number of row groups.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Number of images in a row group.
    pub fn group_len(&self, group: usize) -> usize {
        self.groups[group].rows
    }

    /// Mean size of an image of a row group, in bytes.
    pub fn image_bytes(&self, group: usize) -> u64 {
        let Group { rows, bytes } = self.groups[group];
        bytes / rows.max(1) as u64
    }

    /// All labels, in order.
    pub fn labels(&self) -> Result<Vec<u32>, DataError> {
        self.guard(|| {
            let file = reader(&self.path)?;
            let mut labels = Vec::new();
            for (group, &Group { rows, .. }) in self.groups.iter().enumerate() {
                let column = file
                    .get_row_group(group)
                    .and_then(|g| g.get_column_reader(self.label))
                    .map_err(|e| self.broken(&e))?;
                let found: Vec<Option<i64>> = match column {
                    ColumnReader::Int32ColumnReader(c) => {
                        let found = self.all(c, rows)?;
                        found.into_iter().map(|v| v.map(i64::from)).collect()
                    }
                    ColumnReader::Int64ColumnReader(c) => self.all(c, rows)?,
                    _ => {
                        return Err(malformed(
                            &self.path,
                            "its labels are not whole numbers".to_owned(),
                        ));
                    }
                };
                for value in found {
                    labels.push(self.label_of(labels.len(), value)?);
                }
            }
            Ok(labels)
        })
    }

    fn label_of(&self, row: usize, value: Option<i64>) -> Result<u32, DataError> {
        let label = value
            .and_then(|v| u32::try_from(v).ok())
            .filter(|&v| v < super::MOST_CLASSES);
        label.ok_or_else(|| {
            let value = value.map_or_else(|| "no label".to_owned(), |v| format!("the label {v}"));
            malformed(
                &self.path,
                format!("row {row} has {value}, which names no class"),
            )
        })
    }

    /// The images `rows` of a row group, ascending and counted from the group's first.
    pub fn images(&self, group: usize, rows: &[usize]) -> Result<Vec<Item>, DataError> {
        self.guard(|| {
            let file = reader(&self.path)?;
            let column = file
                .get_row_group(group)
                .and_then(|g| g.get_column_reader(self.image))
                .map_err(|e| self.broken(&e))?;
            let ColumnReader::ByteArrayColumnReader(mut column) = column else {
                return Err(malformed(
                    &self.path,
                    "its image column changed while it was in use".to_owned(),
                ));
            };
            let before: usize = self.groups[..group].iter().map(|g| g.rows).sum();
            let mut items = Vec::with_capacity(rows.len());
            let mut rows = rows.iter().copied().peekable();
            let mut at = 0;
            while let Some(&first) = rows.peek() {
                column
                    .skip_records(first - at)
                    .map_err(|e| self.broken(&e))?;
                let count = READ_ROWS.min(self.groups[group].rows - first);
                let mut found = self.some(&mut column, count)?;
                while let Some(row) = rows.next_if(|&row| row < first + count) {
                    let bytes = found[row - first].take().ok_or_else(|| DataError::Image {
                        place: format!("in row {} of {}", before + row, self.path.display()),
                        problem: "its bytes are not in the file".to_owned(),
                    })?;
                    items.push(self.item(before + row, &bytes));
                }
                at = first + count;
            }
            Ok(items)
        })
    }

    fn item(&self, row: usize, bytes: &ByteArray) -> Item {
        Item::Encoded {
            bytes: bytes.data().into(),
            file: Arc::clone(&self.path),
            row,
        }
    }

    fn all<T: DataType>(
        &self,
        mut column: ColumnReaderImpl<T>,
        rows: usize,
    ) -> Result<Vec<Option<T::T>>, DataError> {
        let mut found = Vec::new();
        while found.len() < rows {
            found.extend(self.some(&mut column, READ_ROWS.min(rows - found.len()))?);
        }
        Ok(found)
    }

    /// The next `count` values; absent ones are `None`.
    fn some<T: DataType>(
        &self,
        column: &mut ColumnReaderImpl<T>,
        count: usize,
    ) -> Result<Vec<Option<T::T>>, DataError> {
        let (mut values, mut levels) = (Vec::new(), Vec::new());
        let (read, _, level_count) = column
            .read_records(count, Some(&mut levels), None, &mut values)
            .map_err(|e| self.broken(&e))?;
        if read != count {
            return Err(malformed(
                &self.path,
                "it holds fewer rows than it says".to_owned(),
            ));
        }
        // Columns without nulls have no levels.
        if level_count == 0 || levels.is_empty() {
            return Ok(values.into_iter().map(Some).collect());
        }
        let present = levels.iter().copied().max().unwrap_or(0);
        let mut values = values.into_iter();
        Ok(levels
            .iter()
            .map(|&level| {
                if level == present {
                    values.next()
                } else {
                    None
                }
            })
            .collect())
    }

    fn broken(&self, error: &ParquetError) -> DataError {
        broken(&self.path, error)
    }

    /// Runs `work`; a panic of the Parquet reader over a damaged file becomes an error.
    fn guard<T>(&self, work: impl FnOnce() -> Result<T, DataError>) -> Result<T, DataError> {
        guard(&self.path, work)
    }
}

fn guard<T>(path: &Path, work: impl FnOnce() -> Result<T, DataError>) -> Result<T, DataError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(malformed(
            path,
            "its contents contradict each other".to_owned(),
        ))
    })
}

fn reader(path: &Path) -> Result<SerializedFileReader<File>, DataError> {
    let file = File::open(path).map_err(DataError::read(path))?;
    guard(path, || {
        SerializedFileReader::new(file).map_err(|e| broken(path, &e))
    })
}

fn groups(path: &Path, metadata: &ParquetMetaData, image: usize) -> Result<Vec<Group>, DataError> {
    let mut groups = Vec::with_capacity(metadata.num_row_groups());
    let mut total = 0usize;
    for group in metadata.row_groups() {
        let rows = usize::try_from(group.num_rows()).unwrap_or(usize::MAX);
        total = total.saturating_add(rows);
        if !group.columns().iter().all(is_placed) {
            return Err(malformed(path, "its index points outside of it".to_owned()));
        }
        let column = group.columns().get(image);
        let bytes = column.map_or(0, |c| u64::try_from(c.uncompressed_size()).unwrap_or(0));
        groups.push(Group { rows, bytes });
    }
    if total == 0 || total > MOST_ROWS {
        return Err(malformed(path, format!("it says that it has {total} rows")));
    }
    Ok(groups)
}

/// Whether a column's place in the file can be true; the reader panics over negative numbers.
fn is_placed(column: &ColumnChunkMetaData) -> bool {
    let start = column
        .dictionary_page_offset()
        .unwrap_or(0)
        .min(column.data_page_offset());
    start >= 0 && column.compressed_size() >= 0
}

fn best(ranked: impl Iterator<Item = (usize, usize)>) -> Option<usize> {
    ranked.min().map(|(_, column)| column)
}

/// How much a column looks like image bytes; smaller is more, `None` is not at all.
fn image_rank(column: &ColumnDescriptor) -> Option<usize> {
    if column.physical_type() != Type::BYTE_ARRAY || column.max_rep_level() != 0 {
        return None;
    }
    let known = |name: &str| IMAGE_COLUMNS.iter().position(|n| *n == name);
    match column.path().parts() {
        [name, leaf] if leaf == "bytes" => Some(known(name).unwrap_or(IMAGE_COLUMNS.len())),
        [name] => known(name).map(|rank| rank + IMAGE_COLUMNS.len() + 1),
        _ => None,
    }
}

/// How much a column looks like labels; smaller is more, `None` is not at all.
fn label_rank(column: &ColumnDescriptor) -> Option<usize> {
    if !matches!(column.physical_type(), Type::INT32 | Type::INT64) || column.max_rep_level() != 0 {
        return None;
    }
    let [name] = column.path().parts() else {
        return None;
    };
    LABEL_COLUMNS.iter().position(|n| n == name)
}

fn broken(path: &Path, error: &ParquetError) -> DataError {
    malformed(path, error.to_string())
}

pub(super) fn malformed(path: &Path, problem: String) -> DataError {
    DataError::Malformed {
        path: path.to_owned(),
        kind: "a Parquet file with images",
        problem,
        advice: "Expected are a column img or image with the files' bytes (struct of bytes and path, or plain), \
                 a column label or fine_label, and no compression or snappy",
    }
}
