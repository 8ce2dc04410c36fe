//! Small files of each kind. The images of one label differ by a number in their first pixel.

use std::fs::{self, File};
use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::Arc;

use flate2::{Compression, write::GzEncoder};
use image::{ImageFormat, RgbImage};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

/// An image of one colour that tells label and number: red `10 * label`, green `number`, blue 77.
pub fn colour(label: u32, number: u32) -> [u8; 3] {
    [(10 * label) as u8, number as u8, 77]
}

pub fn encoded(label: u32, number: u32, width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let picture = RgbImage::from_pixel(width, height, image::Rgb(colour(label, number)));
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub fn file(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// CIFAR records: `labels` numbers the images from 0, `extra` label bytes come before the label.
pub fn cifar(path: &Path, labels: &[u32], coarse: bool) {
    let mut bytes = Vec::new();
    for (number, &label) in labels.iter().enumerate() {
        if coarse {
            bytes.push(0);
        }
        bytes.push(label as u8);
        for value in colour(label, number as u32) {
            bytes.extend([value; 1024]);
        }
    }
    file(path, &bytes);
}

/// An idx file, gzipped if its name says so.
pub fn idx(path: &Path, shape: &[u32], values: &[u8]) {
    let mut bytes = vec![0, 0, 8, shape.len() as u8];
    bytes.extend(shape.iter().flat_map(|n| n.to_be_bytes()));
    bytes.extend(values);
    if path.extension().is_some_and(|e| e == "gz") {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&bytes).unwrap();
        bytes = packed.finish().unwrap();
    }
    file(path, &bytes);
}

/// What stands in one row of a Parquet file.
pub struct Row {
    pub label: Option<i64>,
    pub image: Option<Vec<u8>>,
}

pub fn rows(labels: &[u32], format: ImageFormat) -> Vec<Row> {
    let row = |(number, &label): (usize, &u32)| Row {
        label: Some(i64::from(label)),
        image: Some(encoded(label, number as u32, 32, 32, format)),
    };
    labels.iter().enumerate().map(row).collect()
}

/// A Parquet file as the hub has them: a struct of bytes and path, a label, class names in the metadata;
/// row groups of three rows.
pub fn parquet(path: &Path, rows: &[Row], label: &str, classes: &[&str]) {
    let schema = format!(
        "message schema {{ optional group img {{ optional binary bytes; optional binary path (UTF8); }} \
         optional int64 {label}; }}"
    );
    let names = serde_json::to_string(classes).unwrap();
    let note = format!(
        r#"{{"info":{{"features":{{"{label}":{{"names":{names},"_type":"ClassLabel"}}}}}}}}"#
    );
    let notes = (!classes.is_empty()).then(|| vec![KeyValue::new("huggingface".to_owned(), note)]);
    let properties = WriterProperties::builder()
        .set_compression(parquet::basic::Compression::SNAPPY)
        .set_key_value_metadata(notes)
        .build();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let mut writer =
        SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::new(properties))
            .unwrap();
    for rows in rows.chunks(3) {
        let mut group = writer.next_row_group().unwrap();
        write_images(&mut group, rows);
        let values: Vec<i64> = rows.iter().filter_map(|r| r.label).collect();
        let levels: Vec<i16> = rows.iter().map(|r| i16::from(r.label.is_some())).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column
            .typed::<Int64Type>()
            .write_batch(&values, Some(&levels), None)
            .unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    writer.close().unwrap();
}

fn write_images(group: &mut SerializedRowGroupWriter<'_, File>, rows: &[Row]) {
    let values: Vec<ByteArray> = rows
        .iter()
        .filter_map(|r| r.image.clone())
        .map(ByteArray::from)
        .collect();
    let levels: Vec<i16> = rows
        .iter()
        .map(|r| if r.image.is_some() { 2 } else { 1 })
        .collect();
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<ByteArrayType>()
        .write_batch(&values, Some(&levels), None)
        .unwrap();
    column.close().unwrap();
    // On the hub the paths are usually null.
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<ByteArrayType>()
        .write_batch(&[], Some(&vec![1; rows.len()]), None)
        .unwrap();
    column.close().unwrap();
}
