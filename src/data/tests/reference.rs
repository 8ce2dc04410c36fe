//! CIFAR-10 as Parquet, against numbers made with another decoder. Skipped where it is absent.
//!
//! Tolerances: JPEG decoders differ in how they round the inverse cosine transform and bring the halved
//! chroma planes back to full size. Asked for are: mean of an image within 0.4 levels of 255 (seen: 0.2),
//! single pixels within 3 levels (seen: 1), mean of a set within 0.002 of 1 (seen: 0.0014), its deviation
//! within 0.001 (seen: 0.0001).

use std::env;
use std::path::PathBuf;

use serde_json::Value;

use super::open_path;
use crate::data::{DataSet, EvalLoader, Protocol, Split};

fn folder() -> Option<PathBuf> {
    let data = match env::var_os("HYPERSCOPE_TEST_DATA") {
        Some(set) => PathBuf::from(set),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
    };
    Some(data.join("cifar10")).filter(|f| f.join("decode-reference.json").is_file())
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// What the reference speaks of, of one split.
#[derive(Default)]
struct Seen {
    /// Pixels of the first ten images, 0 to 255.
    first: Vec<Vec<f64>>,
    /// Per channel, of values between 0 and 1.
    mean: [f64; 3],
    deviation: [f64; 3],
}

fn look(data: &DataSet, split: Split) -> Seen {
    let protocol = Protocol {
        batch: 500,
        ..Protocol::default()
    };
    let normal = data.normalisation(32);
    let (mut seen, mut count) = (Seen::default(), 0.0);
    let mut squares = [0f64; 3];
    for batch in EvalLoader::new(data, split, &protocol, None).unwrap() {
        for image in batch.unwrap().pixels.chunks_exact(3072) {
            let value =
                |(i, &v): (usize, &f32)| f64::from(v * normal.std[i % 3] + normal.mean[i % 3]);
            let image: Vec<f64> = image.iter().enumerate().map(value).collect();
            for (i, v) in image.iter().enumerate() {
                seen.mean[i % 3] += v;
                squares[i % 3] += v * v;
            }
            count += 1024.0;
            if seen.first.len() < 10 {
                seen.first.push(image.iter().map(|v| v * 255.0).collect());
            }
        }
    }
    for (channel, square) in squares.into_iter().enumerate() {
        seen.mean[channel] /= count;
        seen.deviation[channel] = (square / count - seen.mean[channel].powi(2)).sqrt();
    }
    seen
}

#[test]
fn cifar_10_decodes_as_the_reference_says() {
    let Some(folder) = folder() else {
        eprintln!(
            "skipped: no cifar10/decode-reference.json (set HYPERSCOPE_TEST_DATA to the folder around it)"
        );
        return;
    };
    let text = std::fs::read_to_string(folder.join("decode-reference.json")).unwrap();
    let reference: Value = serde_json::from_str(&text).unwrap();
    let data = open_path(&folder).unwrap();
    assert_eq!(
        (data.classes[0].as_str(), data.classes[9].as_str()),
        ("airplane", "truck")
    );
    for (name, split) in [("train", Split::Train), ("test", Split::Test)] {
        let want = &reference["splits"][name];
        let labels = &data
            .select(split, &Protocol::default())
            .unwrap()
            .source
            .labels;
        assert_eq!(labels.len() as u64, want["rows"].as_u64().unwrap());
        let first: Vec<u64> = labels.iter().take(20).map(|&l| u64::from(l)).collect();
        assert_eq!(serde_json::to_value(first).unwrap(), want["first_labels"]);
        compare(name, &look(&data, split), want);
    }
}

fn compare(name: &str, seen: &Seen, want: &Value) {
    let near = |what: String, got: f64, want: &Value, limit: f64| {
        assert!(
            (got - number(want)).abs() < limit,
            "{name}, {what}: {got}, reference {want}"
        );
    };
    for (i, mean) in want["image_means_first10"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
    {
        near(
            format!("mean of image {i}"),
            seen.first[i].iter().sum::<f64>() / 3072.0,
            mean,
            0.4,
        );
    }
    let pixels = want["first_image_rows0_first4pixels"].as_array().unwrap();
    for (i, value) in pixels
        .iter()
        .flat_map(|p| p.as_array().unwrap())
        .enumerate()
    {
        near(format!("value {i}"), seen.first[0][i], value, 3.0);
    }
    for channel in 0..3 {
        near(
            format!("mean of channel {channel}"),
            seen.mean[channel],
            &want["mean"][channel],
            0.002,
        );
        near(
            format!("deviation of channel {channel}"),
            seen.deviation[channel],
            &want["std"][channel],
            0.001,
        );
    }
}
