//! What is wrong with a data set is said with the file's name; nothing panics.

use std::fs;
use std::path::Path;

use image::ImageFormat;

use super::{message, open_path, write};
use crate::data::{DataError, EvalLoader, Protocol, Split, TrainLoader};

/// Opens a data set and reads all test images.
fn read(path: &Path) -> Result<usize, DataError> {
    let data = open_path(path)?;
    let mut count = 0;
    for batch in EvalLoader::new(&data, Split::Test, &Protocol::default(), None)? {
        count += batch?.batch;
    }
    Ok(count)
}

#[test]
fn a_folder_without_images_lists_what_was_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    write::file(&folder.path().join("notes.txt"), b"hello");
    let text = message(open_path(folder.path()));
    for word in [
        "data_batch_1.bin",
        "Parquet",
        "idx",
        "train/CLASS/",
        "notes.txt",
    ] {
        assert!(text.contains(word), "{word} is not in: {text}");
    }
}

#[test]
fn the_python_version_of_cifar_is_named() {
    let folder = tempfile::tempdir().unwrap();
    write::file(&folder.path().join("data_batch_1"), b"pickle");
    assert!(message(open_path(folder.path())).contains("binary version"));
}

#[test]
fn a_path_that_does_not_exist_is_said_so() {
    let text = message(open_path(Path::new("no/such/folder")));
    assert!(
        text.contains("no/such/folder") && text.contains("synthetic"),
        "{text}"
    );
}

#[test]
fn a_broken_image_in_a_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..4 {
        let bytes = write::encoded(0, i, 32, 32, ImageFormat::Png);
        write::file(&folder.path().join(format!("test/a/{i}.png")), &bytes);
    }
    write::file(&folder.path().join("test/a/2.png"), b"<html>404</html>");
    assert!(message(read(folder.path())).contains("2.png"));
    // A truncated one as well.
    let whole = write::encoded(0, 2, 32, 32, ImageFormat::Png);
    write::file(
        &folder.path().join("test/a/2.png"),
        &whole[..whole.len() / 2],
    );
    assert!(message(read(folder.path())).contains("2.png"));
}

#[test]
fn an_image_kind_that_cannot_be_read_is_not_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    write::file(
        &folder.path().join("test/a/1.png"),
        &write::encoded(0, 0, 8, 8, ImageFormat::Png),
    );
    write::file(&folder.path().join("test/a/2.webp"), b"RIFF");
    let text = message(open_path(folder.path()));
    assert!(text.contains("2.webp") && text.contains("JPEG"), "{text}");
}

#[test]
fn classes_that_differ_between_parts_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for path in [
        "train/a/1.png",
        "train/b/1.png",
        "test/a/1.png",
        "test/c/1.png",
    ] {
        write::file(
            &folder.path().join(path),
            &write::encoded(0, 0, 8, 8, ImageFormat::Png),
        );
    }
    let text = message(open_path(folder.path()));
    assert!(text.contains("\"c\"") && text.contains("train"), "{text}");
}

#[test]
fn a_broken_image_in_a_parquet_file_is_named_by_its_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.parquet");
    let mut rows = write::rows(&[0, 1, 0, 1, 0], ImageFormat::Png);
    rows[4].image = Some(b"no image".to_vec());
    write::parquet(&path, &rows, "label", &[]);
    let text = message(read(&path));
    assert!(
        text.contains("row 4") && text.contains("test.parquet"),
        "{text}"
    );
    rows[4].image = None;
    write::parquet(&path, &rows, "label", &[]);
    assert!(message(read(&path)).contains("row 4"));
}

#[test]
fn labels_that_name_no_class_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.parquet");
    for label in [Some(-1), None, Some(7), Some(i64::MAX)] {
        let mut rows = write::rows(&[0, 1, 0, 1, 0], ImageFormat::Png);
        rows[3].label = label;
        write::parquet(&path, &rows, "label", &["a", "b"]);
        assert!(message(open_path(&path)).contains("label"));
    }
    let cifar = folder.path().join("test_batch.bin");
    write::cifar(&cifar, &[3, 11], false);
    assert!(message(open_path(&cifar)).contains("label 11"));
}

#[test]
fn a_parquet_file_without_images_lists_its_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.parquet");
    write::parquet(&path, &write::rows(&[0], ImageFormat::Png), "price", &[]);
    let text = message(open_path(&path));
    assert!(
        text.contains("labels") && text.contains("img.bytes, img.path, price"),
        "{text}"
    );
}

#[test]
fn damaged_parquet_files_give_errors_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.parquet");
    write::parquet(
        &path,
        &write::rows(&[0, 1, 2, 1, 0], ImageFormat::Png),
        "label",
        &["a", "b", "c"],
    );
    let whole = fs::read(&path).unwrap();
    assert_eq!(read(&path).unwrap(), 5);
    for length in [0, 1, 4, 8, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(message(read(&path)).contains("test.parquet"));
    }
    for place in (0..whole.len()).step_by(3) {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x55;
        fs::write(&path, &damaged).unwrap();
        // Some bytes do not matter; the rest must be errors.
        let _ = read(&path);
    }
}

#[test]
fn cut_short_batches_and_idx_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let batch = folder.path().join("test_batch.bin");
    write::cifar(&batch, &[1, 2], false);
    let whole = fs::read(&batch).unwrap();
    for length in [0, 10, whole.len() - 1] {
        fs::write(&batch, &whole[..length]).unwrap();
        assert!(message(read(&batch)).contains("test_batch.bin"));
    }
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("t10k-images-idx3-ubyte.gz");
    write::idx(&images, &[2, 28, 28], &[9; 1568]);
    assert!(message(read(folder.path())).contains("labels"));
    write::idx(&folder.path().join("t10k-labels-idx1-ubyte"), &[2], &[1, 2]);
    assert_eq!(read(folder.path()).unwrap(), 2);
    let packed = fs::read(&images).unwrap();
    fs::write(&images, &packed[..packed.len() - 9]).unwrap();
    assert!(message(read(folder.path())).contains("t10k-images"));
    // A header that promises more than there is.
    write::idx(&images, &[2, 1000, 1000], &[9; 1568]);
    assert!(message(read(folder.path())).contains("fewer than"));
    write::idx(&images, &[u32::MAX, 28, 28], &[9; 1568]);
    assert!(message(read(folder.path())).contains("it says"));
}

#[test]
fn impossible_batch_sizes_and_sides_are_refused() {
    let data = open_path(Path::new("synthetic")).unwrap();
    for (side, batch) in [(0, 1), (100_000, 1), (32, 0)] {
        let protocol = Protocol {
            side,
            batch,
            ..Protocol::default()
        };
        assert!(TrainLoader::new(&data, &protocol, 0, 0).is_err());
        assert!(EvalLoader::new(&data, Split::Test, &protocol, None).is_err());
    }
}
