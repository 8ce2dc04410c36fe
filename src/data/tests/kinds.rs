//! Each kind is recognised and gives its images, labels and class names in order.

use std::collections::BTreeMap;
use std::path::Path;

use image::ImageFormat;

use super::{message, open_path, write};
use crate::data::{DataSet, EvalLoader, Normalisation, Protocol, Split, open};

/// Label, red, green and blue of each image of a split, at a corner.
fn corners(data: &DataSet, split: Split, side: usize) -> Vec<(u32, [u8; 3])> {
    let protocol = Protocol {
        side,
        batch: 4,
        ..Protocol::default()
    };
    let Normalisation { mean, std } = data.normalisation(side);
    let mut found = Vec::new();
    for batch in EvalLoader::new(data, split, &protocol, None).unwrap() {
        let batch = batch.unwrap();
        assert_eq!(batch.pixels.len(), batch.batch * side * side * 3);
        for (image, &label) in batch
            .pixels
            .chunks_exact(side * side * 3)
            .zip(&batch.labels)
        {
            let value = |c: usize| ((image[c] * std[c] + mean[c]) * 255.0).round() as u8;
            found.push((label, [value(0), value(1), value(2)]));
        }
    }
    found
}

fn expected(labels: &[u32]) -> Vec<(u32, [u8; 3])> {
    let tell = |(number, &label): (usize, &u32)| (label, write::colour(label, number as u32));
    labels.iter().enumerate().map(tell).collect()
}

fn expected_grey(labels: &[u8]) -> Vec<(u32, [u8; 3])> {
    labels
        .iter()
        .map(|&label| (u32::from(label), [label * 20; 3]))
        .collect()
}

#[test]
fn cifar_10_batches_are_read_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("cifar-10-batches-bin");
    for batch in 1..=5 {
        write::cifar(
            &inner.join(format!("data_batch_{batch}.bin")),
            &[batch, 0, 9],
            false,
        );
    }
    write::cifar(&inner.join("test_batch.bin"), &[3, 8, 8, 0], false);
    let data = open_path(folder.path()).unwrap();
    assert_eq!(data.kind, "CIFAR-10 (binary)");
    assert_eq!(data.classes[3], "cat");
    assert_eq!(data.native_side(), Some(32));
    assert_eq!(corners(&data, Split::Test, 32), expected(&[3, 8, 8, 0]));
    let labels: Vec<u32> = corners(&data, Split::Train, 32)
        .iter()
        .map(|c| c.0)
        .collect();
    assert_eq!(labels, [1, 0, 9, 2, 0, 9, 3, 0, 9, 4, 0, 9, 5, 0, 9]);
}

#[test]
fn cifar_100_uses_the_fine_label_and_its_names() {
    let folder = tempfile::tempdir().unwrap();
    write::cifar(&folder.path().join("test.bin"), &[7, 20], true);
    let names: Vec<String> = (0..100).map(|i| format!("class {i}\n")).collect();
    write::file(
        &folder.path().join("fine_label_names.txt"),
        names.concat().as_bytes(),
    );
    let data = open_path(folder.path()).unwrap();
    assert_eq!(data.classes[20], "class 20");
    assert_eq!(corners(&data, Split::Test, 32), expected(&[7, 20]));
}

#[test]
fn parquet_files_as_on_the_hub_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["a", "b", "c"];
    let write = |name: &str, labels: &[u32]| {
        let path = folder.path().join("plain_text").join(name);
        write::parquet(
            &path,
            &write::rows(labels, ImageFormat::Png),
            "fine_label",
            &names,
        );
    };
    write("train-00000-of-00002.parquet", &[0, 1, 2, 1, 0]);
    write("train-00001-of-00002.parquet", &[2, 2]);
    write("validation-00000-of-00001.parquet", &[1]);
    write("test-00000-of-00001.parquet", &[2, 1, 0, 2]);
    let data = open_path(folder.path()).unwrap();
    assert_eq!(data.classes, names);
    assert_eq!(data.native_side(), Some(32));
    assert_eq!(corners(&data, Split::Test, 32), expected(&[2, 1, 0, 2]));
    assert_eq!(corners(&data, Split::Val, 32), expected(&[1]));
    let mut both = expected(&[0, 1, 2, 1, 0]);
    both.extend(expected(&[2, 2]));
    assert_eq!(corners(&data, Split::Train, 32), both);
}

#[test]
fn only_the_chosen_rows_of_a_parquet_file_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let labels = [0, 1, 1, 0, 1, 0, 1, 1, 1, 0];
    let path = folder.path().join("train.parquet");
    let mut rows = write::rows(&labels, ImageFormat::Png);
    // A row that two shots do not reach may be broken.
    rows[6].image = Some(b"not an image".to_vec());
    write::parquet(&path, &rows, "label", &[]);
    let data = open_path(folder.path()).unwrap();
    assert_eq!(data.classes, ["0", "1"]);
    let protocol = Protocol {
        shots: Some(2),
        ..Protocol::default()
    };
    let loader = EvalLoader::new(&data, Split::Train, &protocol, None).unwrap();
    let batches: Vec<_> = loader.map(Result::unwrap).collect();
    assert_eq!(batches[0].labels, [0, 1, 1, 0]);
}

#[test]
fn jpeg_bytes_in_parquet_are_read_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.parquet");
    write::parquet(
        &path,
        &write::rows(&[5, 6], ImageFormat::Jpeg),
        "label",
        &[],
    );
    let found = corners(&open_path(&path).unwrap(), Split::Test, 32);
    for ((label, got), (want_label, want)) in found.iter().zip(expected(&[5, 6])) {
        assert_eq!(*label, want_label);
        // JPEG rounds colours.
        assert!(
            got.iter().zip(want).all(|(&g, w)| g.abs_diff(w) <= 4),
            "{got:?} for {want:?}"
        );
    }
}

fn write_class(folder: &Path, class: &str, images: &[(&str, u32, u32)]) {
    for (name, label, number) in images {
        let bytes = write::encoded(*label, *number, 32, 32, ImageFormat::Png);
        write::file(&folder.join(class).join(name), &bytes);
    }
}

#[test]
fn image_folders_are_sorted_by_class_and_name_whatever_the_ending() {
    let folder = tempfile::tempdir().unwrap();
    for part in ["train", "test"] {
        let part = folder.path().join(part);
        write_class(&part, "b", &[("2.PNG", 1, 1), ("10.png", 1, 0)]);
        write_class(&part, "a", &[("x.JPG", 0, 5)]);
        write::file(&part.join("a/notes.txt"), b"not an image, and no matter");
        write::file(&part.join("LICENSE"), b"neither");
        write::file(&part.join("a/.hidden.png"), b"nor this");
    }
    let data = open_path(folder.path()).unwrap();
    assert_eq!(data.classes, ["a", "b"]);
    let want = [
        (0, write::colour(0, 5)),
        (1, write::colour(1, 0)),
        (1, write::colour(1, 1)),
    ];
    assert_eq!(corners(&data, Split::Test, 32), want);
    assert_eq!(corners(&data, Split::Train, 32), want);
}

#[test]
fn plain_class_folders_serve_for_evaluation_and_say_why_not_for_training() {
    let folder = tempfile::tempdir().unwrap();
    write_class(folder.path(), "cat", &[("1.png", 0, 1)]);
    write_class(folder.path(), "dog", &[("1.png", 1, 2)]);
    let data = open_path(folder.path()).unwrap();
    assert!(!data.trains());
    assert_eq!(corners(&data, Split::Test, 32).len(), 2);
    let text = message(data.len(Split::Train, &Protocol::default()));
    assert!(
        text.contains("no training images") && text.contains("train/"),
        "{text}"
    );
}

#[test]
fn pictures_of_any_size_are_brought_to_the_side_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    for (i, (width, height)) in [(40, 20), (21, 64), (7, 7)].into_iter().enumerate() {
        let bytes = write::encoded(0, i as u32, width, height, ImageFormat::Png);
        write::file(&folder.path().join(format!("test/a/{i}.png")), &bytes);
    }
    let bytes = write::encoded(1, 3, 50, 50, ImageFormat::Png);
    write::file(&folder.path().join("test/b/0.png"), &bytes);
    let data = open_path(folder.path()).unwrap();
    assert_eq!(data.native_side(), None);
    assert_eq!(corners(&data, Split::Test, 24), expected(&[0, 0, 0, 1]));
}

#[test]
fn a_val_folder_beside_train_is_the_test_part_where_there_is_no_other() {
    let folder = tempfile::tempdir().unwrap();
    for part in ["train", "val"] {
        let number = if part == "val" { 9 } else { 1 };
        let names: Vec<String> = (0..10).map(|i| format!("{i}.png")).collect();
        let images: Vec<(&str, u32, u32)> = names.iter().map(|n| (n.as_str(), 0, number)).collect();
        write_class(&folder.path().join(part), "a", &images);
    }
    let data = open_path(folder.path()).unwrap();
    assert_eq!(corners(&data, Split::Test, 32)[0].1, write::colour(0, 9));
    // Then validation comes out of the training images.
    let protocol = Protocol {
        val: true,
        ..Protocol::default()
    };
    assert_eq!(data.len(Split::Val, &protocol).unwrap(), 1);
    assert_eq!(data.len(Split::Train, &protocol).unwrap(), 9);
}

#[test]
fn idx_files_plain_or_packed_give_grey_in_three_channels() {
    for ending in ["", ".gz"] {
        let folder = tempfile::tempdir().unwrap();
        let labels = [7u8, 2, 1];
        let pixels: Vec<u8> = labels.iter().flat_map(|&l| [l * 20; 28 * 28]).collect();
        let path = |name: &str| folder.path().join(format!("{name}{ending}"));
        write::idx(&path("t10k-images-idx3-ubyte"), &[3, 28, 28], &pixels);
        write::idx(&path("t10k-labels-idx1-ubyte"), &[3], &labels);
        let data = open_path(folder.path()).unwrap();
        assert_eq!(data.classes.len(), 10);
        assert_eq!(data.native_side(), Some(28));
        assert_eq!(corners(&data, Split::Test, 28), expected_grey(&labels));
        assert_eq!(corners(&data, Split::Test, 32), expected_grey(&labels));
        let text = message(data.len(Split::Train, &Protocol::default()));
        assert!(text.contains("no training images"), "{text}");
        let by_file = open_path(&path("t10k-images-idx3-ubyte")).unwrap();
        assert_eq!(by_file.len(Split::Test, &Protocol::default()).unwrap(), 3);
    }
}

#[test]
fn names_from_the_config_file_lead_to_their_folder() {
    let folder = tempfile::tempdir().unwrap();
    write_class(folder.path(), "cat", &[("1.png", 0, 1)]);
    let named = BTreeMap::from([("pets".to_owned(), folder.path().to_owned())]);
    assert_eq!(open("pets", &named).unwrap().name, "pets");
    let text = message(open("pet", &named));
    assert!(text.contains("\"pet\"") && text.contains("pets"), "{text}");
}
