//! Columns into rows, a square of values at a time.

/// Side of a square.
const SIDE: usize = 8;

/// Writes the first `rows` values of each of `cols` columns, which begin `step` values apart in `columns`,
/// as rows that begin `width` values apart in `out`.
///
/// # Panics
/// If a slice is too short.
pub fn into_rows(
    columns: &[f32],
    step: usize,
    [rows, cols]: [usize; 2],
    out: &mut [f32],
    width: usize,
) {
    if rows == 0 || cols == 0 {
        return;
    }
    assert!((cols - 1) * step + rows <= columns.len());
    assert!((rows - 1) * width + cols <= out.len());
    let [even_rows, even_cols] = squares(columns, step, [rows, cols], out, width);
    for col in 0..cols {
        let first = if col < even_cols { even_rows } else { 0 };
        for row in first..rows {
            out[row * width + col] = columns[col * step + row];
        }
    }
}

/// Turns what makes whole squares, if there are instructions for it: so many rows and columns.
fn squares(
    columns: &[f32],
    step: usize,
    shape: [usize; 2],
    out: &mut [f32],
    width: usize,
) -> [usize; 2] {
    #[cfg(target_arch = "x86_64")]
    if super::simd::level() != super::simd::Level::Any {
        let [rows, cols] = shape.map(|n| n / SIDE * SIDE);
        for row in (0..rows).step_by(SIDE) {
            for col in (0..cols).step_by(SIDE) {
                // SAFETY: the processor has AVX2, and the square lies in both slices.
                unsafe {
                    let from = columns.as_ptr().add(col * step + row);
                    let to = out.as_mut_ptr().add(row * width + col);
                    square(from, step, to, width);
                }
            }
        }
        return [rows, cols];
    }
    [0, 0]
}

/// Transposes a square whose rows are `step` values apart into one whose rows are `width` values apart.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn square(from: *const f32, step: usize, to: *mut f32, width: usize) {
    use std::arch::x86_64::{
        __m256, _mm256_loadu_ps, _mm256_permute2f128_ps, _mm256_shuffle_ps, _mm256_storeu_ps,
        _mm256_unpackhi_ps, _mm256_unpacklo_ps,
    };
    // SAFETY: the caller's promise.
    let rows: [__m256; SIDE] =
        std::array::from_fn(|i| unsafe { _mm256_loadu_ps(from.add(i * step)) });
    // Pairs, then fours within each half, then the halves.
    let pairs: [__m256; SIDE] = std::array::from_fn(|i| {
        let (a, b) = (rows[i / 2 * 2], rows[i / 2 * 2 + 1]);
        if i % 2 == 0 {
            _mm256_unpacklo_ps(a, b)
        } else {
            _mm256_unpackhi_ps(a, b)
        }
    });
    let fours: [__m256; SIDE] = std::array::from_fn(|i| {
        let (a, b) = (
            pairs[i / 4 * 4 + i % 4 / 2],
            pairs[i / 4 * 4 + i % 4 / 2 + 2],
        );
        if i % 2 == 0 {
            _mm256_shuffle_ps::<0x44>(a, b)
        } else {
            _mm256_shuffle_ps::<0xee>(a, b)
        }
    });
    for i in 0..SIDE / 2 {
        let (a, b) = (fours[i], fours[i + SIDE / 2]);
        // SAFETY: the caller's promise.
        unsafe {
            _mm256_storeu_ps(to.add(i * width), _mm256_permute2f128_ps::<0x20>(a, b));
            _mm256_storeu_ps(
                to.add((i + 4) * width),
                _mm256_permute2f128_ps::<0x31>(a, b),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_moves_and_the_gaps_stay() {
        for (rows, cols, step, width) in
            [(19, 26, 23, 32), (8, 8, 8, 8), (3, 20, 5, 21), (1, 1, 1, 1)]
        {
            let columns: Vec<f32> = (0..cols * step).map(|i| i as f32).collect();
            let mut out = vec![-1.0; rows * width];
            into_rows(&columns, step, [rows, cols], &mut out, width);
            for (i, value) in out.iter().enumerate() {
                let (row, col) = (i / width, i % width);
                let expected = if col < cols {
                    columns[col * step + row]
                } else {
                    -1.0
                };
                assert_eq!(*value, expected, "{row} {col}");
            }
        }
    }
}
