//! Channels moved about in channels-last rows: side by side, apart, and shuffled.

use std::ops::Range;

use rayon::prelude::*;

use super::rows::rows_per_chunk;

/// Writes `part`, `[M, columns.len()]`, into these columns of `whole`, `[M, channels]`.
pub fn place(part: &[f32], columns: &Range<usize>, channels: usize, whole: &mut [f32]) {
    let rows = rows_per_chunk(channels);
    whole
        .par_chunks_mut(rows * channels)
        .zip(part.par_chunks(rows * columns.len()))
        .for_each(|(whole, part)| {
            let pairs = whole.chunks_exact_mut(channels);
            for (whole, part) in pairs.zip(part.chunks_exact(columns.len())) {
                whole[columns.clone()].copy_from_slice(part);
            }
        });
}

/// Reads `part` from these columns of `whole`: the inverse of [`place`].
pub fn take(whole: &[f32], columns: &Range<usize>, channels: usize, part: &mut [f32]) {
    let rows = rows_per_chunk(channels);
    part.par_chunks_mut(rows * columns.len())
        .zip(whole.par_chunks(rows * channels))
        .for_each(|(part, whole)| {
            let pairs = part.chunks_exact_mut(columns.len());
            for (part, whole) in pairs.zip(whole.chunks_exact(channels)) {
                part.copy_from_slice(&whole[columns.clone()]);
            }
        });
}

/// Transposes every row of `x`, seen as a `[groups, members]` matrix.
pub fn transpose_rows(x: &[f32], groups: usize, members: usize, y: &mut [f32]) {
    let channels = groups * members;
    let chunk = rows_per_chunk(channels) * channels;
    y.par_chunks_mut(chunk)
        .zip(x.par_chunks(chunk))
        .for_each(|(y, x)| {
            for (y, x) in y.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
                for (i, y) in y.chunks_exact_mut(groups).enumerate() {
                    for (g, y) in y.iter_mut().enumerate() {
                        *y = x[g * members + i];
                    }
                }
            }
        });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::kernel::testing::numbers;

    #[test]
    fn parts_come_to_their_columns_and_back() {
        let (m, channels) = (9000, 7);
        let parts = [0..3, 3..4, 4..7];
        let given: Vec<Vec<f32>> = parts
            .iter()
            .map(|p| numbers(&format!("{p:?}"), m * p.len()))
            .collect();
        let mut whole = vec![f32::NAN; m * channels];
        for (part, columns) in given.iter().zip(&parts) {
            place(part, columns, channels, &mut whole);
        }
        for (part, columns) in given.iter().zip(&parts) {
            for (row, part) in whole.chunks(channels).zip(part.chunks(columns.len())) {
                assert_eq!(&row[columns.clone()], part);
            }
            let mut back = vec![f32::NAN; part.len()];
            take(&whole, columns, channels, &mut back);
            assert_eq!(&back, part);
        }
    }

    #[test]
    fn shuffled_channels_are_dealt_out_and_collected_again() {
        let x = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        let mut y = [0.0; 6];
        transpose_rows(&x, 2, 3, &mut y);
        assert_eq!(y, [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        let mut back = [0.0; 6];
        transpose_rows(&y, 3, 2, &mut back);
        assert_eq!(back, x);
    }
}
