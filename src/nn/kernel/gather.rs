//! Rows of channels moved to other places.

use rayon::prelude::*;

use super::rows::rows_per_chunk;

/// Row `r` of every sample of `y` is row `source[r]` of the same sample of `x`, or zeros. Samples of
/// `x` have `x_rows` rows of `channels` values each.
pub fn gather(x: &[f32], x_rows: usize, channels: usize, source: &[Option<usize>], y: &mut [f32]) {
    let rows = rows_per_chunk(channels);
    y.par_chunks_mut(rows * channels)
        .enumerate()
        .for_each(|(chunk, y)| {
            for (i, row) in y.chunks_exact_mut(channels).enumerate() {
                let place = chunk * rows + i;
                let sample = place / source.len();
                match source[place % source.len()] {
                    Some(from) => {
                        let from = (sample * x_rows + from) * channels;
                        row.copy_from_slice(&x[from..from + channels]);
                    }
                    None => row.fill(0.0),
                }
            }
        });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_rearranged_alike() {
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        let mut y = [f32::NAN; 12];
        gather(&x, 2, 2, &[Some(1), None, Some(0)], &mut y);
        assert_eq!(y, [3., 4., 0., 0., 1., 2., 7., 8., 0., 0., 5., 6.]);
    }
}
