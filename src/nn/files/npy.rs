//! NumPy's format for one array: a magic word, a header in Python's words, raw little-endian values.

use std::path::Path;

use super::element::write_floats;
use super::{FileError, write_aside};

/// The format's first bytes, with version 1.0.
const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
/// The values begin at a multiple of so many bytes.
const ALIGNMENT: usize = 64;

/// Writes a matrix of 32-bit floats, row by row; `numpy.load` reads it.
///
/// The file is complete or absent: see [`write_aside`].
///
/// # Errors
/// [`FileError::Write`] if it cannot be written.
///
/// # Panics
/// If the number of values does not match the shape.
pub fn write_npy(
    path: impl AsRef<Path>,
    shape: [usize; 2],
    values: &[f32],
) -> Result<(), FileError> {
    let [rows, columns] = shape;
    assert_eq!(rows * columns, values.len());
    let header = header(shape);
    write_aside(path, |out| {
        out.write_all(MAGIC)?;
        out.write_all(&(header.len() as u16).to_le_bytes())?;
        out.write_all(header.as_bytes())?;
        write_floats(values, out)
    })
}

/// The array's description, filled up with spaces; it ends its line.
fn header([rows, columns]: [usize; 2]) -> String {
    let mut text =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    // Before it stand the magic word and two bytes of its length, behind it a line end.
    let taken = MAGIC.len() + 2 + text.len() + 1;
    let space = taken.next_multiple_of(ALIGNMENT) - taken;
    text.extend(std::iter::repeat_n(' ', space));
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candle_reads_the_same_matrix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let values: Vec<f32> = (0..6).map(|i| i as f32 - 2.5).collect();
        write_npy(&path, [3, 2], &values).unwrap();
        let read = candle_core::Tensor::read_npy(&path).unwrap();
        assert_eq!(read.dims(), [3, 2]);
        assert_eq!(
            read.flatten_all().unwrap().to_vec1::<f32>().unwrap(),
            values
        );
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!((bytes.len() - 24) % ALIGNMENT, 0);
    }
}
