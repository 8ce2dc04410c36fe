//! Matrix products over views into slices, and cutting an output matrix into blocks for threads.

use std::marker::PhantomData;
use std::ops::Range;

use rayon::prelude::*;

pub use super::product::{Packed, multiply, multiply_panels};
use super::product::{Panels, panels_len, with_panels};
use super::simd::{LANES, fma};

/// A matrix that is read: `rows` by `cols` with any strides.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a> View<'a> {
    /// `rows` rows of `cols` values, each `stride` values after the one before.
    ///
    /// # Panics
    /// If the slice is too short.
    pub fn new(data: &'a [f32], rows: usize, cols: usize, stride: usize) -> Self {
        assert!(rows == 0 || cols == 0 || (rows - 1) * stride + cols <= data.len());
        Self {
            data,
            rows,
            cols,
            row_stride: stride,
            col_stride: 1,
        }
    }

    /// Rows without gaps.
    pub fn dense(data: &'a [f32], rows: usize, cols: usize) -> Self {
        Self::new(data, rows, cols, cols)
    }

    /// The same values with rows and columns exchanged.
    pub const fn transposed(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }

    /// Number of rows.
    #[inline(always)]
    pub const fn height(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    #[inline(always)]
    pub const fn width(&self) -> usize {
        self.cols
    }

    /// Values from one row to the next.
    pub const fn row_step(&self) -> usize {
        self.row_stride
    }

    /// Values from one column to the next.
    pub const fn col_step(&self) -> usize {
        self.col_stride
    }

    /// The values from the first row on, if those of a row lie side by side.
    pub fn contiguous_rows(&self) -> Option<&'a [f32]> {
        (self.col_stride == 1).then_some(self.data)
    }

    /// One value.
    pub fn at(&self, row: usize, col: usize) -> f32 {
        self.data[row * self.row_stride + col * self.col_stride]
    }

    /// One value.
    ///
    /// # Safety
    /// There must be such a row and such a column.
    #[inline(always)]
    pub unsafe fn at_unchecked(&self, row: usize, col: usize) -> f32 {
        let at = row * self.row_stride + col * self.col_stride;
        // SAFETY: views were checked against their slices when they were made.
        unsafe { *self.data.get_unchecked(at) }
    }

    /// Has the processor bring rows whose values lie side by side closer: short ones into its first
    /// cache, long ones into the second.
    #[inline(always)]
    pub fn prefetch(&self) {
        #[cfg(target_arch = "x86_64")]
        if self.col_stride == 1 {
            use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
            const LINE: usize = 16;
            const SHORT: usize = 256;
            let short = self.cols <= SHORT;
            for row in 0..self.rows {
                for col in (0..self.cols).step_by(LINE) {
                    let at = self.data[row * self.row_stride + col..].as_ptr();
                    // SAFETY: a prefetch only reads ahead; the address lies in the slice.
                    unsafe {
                        if short {
                            _mm_prefetch::<_MM_HINT_T0>(at.cast());
                        } else {
                            _mm_prefetch::<_MM_HINT_T1>(at.cast());
                        }
                    }
                }
            }
        }
    }

    /// One row, whose values must lie side by side.
    ///
    /// # Panics
    /// If they do not, or there is no such row.
    pub fn row(&self, row: usize) -> &'a [f32] {
        assert!(row < self.rows && self.col_stride == 1);
        &self.data[row * self.row_stride..][..self.cols]
    }

    /// Some of the rows.
    #[inline(always)]
    pub fn rows(self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.rows);
        let from = (range.start * self.row_stride).min(self.data.len());
        Self {
            data: &self.data[from..],
            rows: range.len(),
            ..self
        }
    }

    /// Some of the columns.
    #[inline(always)]
    pub fn cols(self, range: Range<usize>) -> Self {
        self.transposed().rows(range).transposed()
    }
}

/// A matrix that is written: `rows` by `cols`, contiguous columns, rows `stride` apart.
#[derive(Debug)]
pub struct ViewMut<'a> {
    start: *mut f32,
    rows: usize,
    cols: usize,
    stride: usize,
    lifetime: PhantomData<&'a mut [f32]>,
}

// SAFETY: a `ViewMut` is the only way to its values while it lives, like `&mut [f32]`.
unsafe impl Send for ViewMut<'_> {}

impl<'a> ViewMut<'a> {
    /// All of `data` as rows of `cols` values.
    ///
    /// # Panics
    /// If the slice's length is not `rows * cols`.
    pub fn dense(data: &'a mut [f32], rows: usize, cols: usize) -> Self {
        assert_eq!(data.len(), rows * cols);
        Self {
            start: data.as_mut_ptr(),
            rows,
            cols,
            stride: cols,
            lifetime: PhantomData,
        }
    }

    /// Number of rows.
    #[inline(always)]
    pub const fn height(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    #[inline(always)]
    pub const fn width(&self) -> usize {
        self.cols
    }

    /// Some of the columns, for as long as the whole is not used.
    pub fn cols(&mut self, range: Range<usize>) -> ViewMut<'_> {
        self.block(0..self.rows, range)
    }

    /// Some rows of some columns, for as long as the whole is not used.
    ///
    /// # Panics
    /// If they are not there.
    #[inline(always)]
    pub fn block(&mut self, rows: Range<usize>, cols: Range<usize>) -> ViewMut<'_> {
        assert!(rows.start <= rows.end && rows.end <= self.rows);
        assert!(cols.start <= cols.end && cols.end <= self.cols);
        let from = if rows.is_empty() {
            0
        } else {
            rows.start * self.stride + cols.start
        };
        ViewMut {
            // SAFETY: the first value lies in the view, unless there is none.
            start: unsafe { self.start.add(from) },
            rows: rows.len(),
            cols: cols.len(),
            stride: self.stride,
            lifetime: PhantomData,
        }
    }

    /// All values, where no gaps lie between the rows.
    pub fn contiguous(&mut self) -> Option<&mut [f32]> {
        // SAFETY: without gaps, all `rows * cols` values belong to this view alone.
        (self.stride == self.cols)
            .then(|| unsafe { std::slice::from_raw_parts_mut(self.start, self.rows * self.cols) })
    }

    /// One row.
    #[inline(always)]
    pub fn row(&mut self, row: usize) -> &mut [f32] {
        assert!(row < self.rows);
        // SAFETY: `row` is in range, its `cols` values belong to this view alone.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(row * self.stride), self.cols) }
    }
}

/// What happens to the values that an output held before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    Overwrite,
    Accumulate,
}

/// How an output matrix is cut into blocks, one task each.
#[derive(Clone, Copy, Debug)]
pub struct Blocks {
    pub rows: usize,
    pub cols: usize,
}

/// Fewest rows of a block whose matrix product is worth a task.
const FEW_ROWS: usize = 256;
/// Row blocks below which columns are cut, too.
const FEW_BLOCKS: usize = 8;
/// Columns of a block when they are cut.
const COLS: usize = 128;

impl Blocks {
    /// Blocks for an `rows` by `cols` output with at most `most_rows` rows each.
    pub fn of(rows: usize, cols: usize, most_rows: usize) -> Self {
        let block_rows = rows.div_ceil(FEW_BLOCKS).max(FEW_ROWS).min(most_rows);
        let cut = rows.div_ceil(block_rows) < FEW_BLOCKS && cols > COLS;
        Self {
            rows: block_rows,
            cols: if cut { COLS } else { cols.max(1) },
        }
    }
}

/// Calls `work` for each block of a row-major `rows` by `cols` matrix, in parallel, with the block's
/// rows, columns and values.
///
/// # Panics
/// If the slice's length is not `rows * cols`.
pub fn for_each_block(
    out: &mut [f32],
    [rows, cols]: [usize; 2],
    blocks: Blocks,
    work: impl Fn(Range<usize>, Range<usize>, ViewMut<'_>) + Sync,
) {
    assert_eq!(out.len(), rows * cols);
    let across = cols.div_ceil(blocks.cols);
    let count = rows.div_ceil(blocks.rows) * across;
    let whole = Shared(out.as_mut_ptr());
    (0..count).into_par_iter().for_each(|i| {
        let r = cut(rows, blocks.rows, i / across);
        let c = cut(cols, blocks.cols, i % across);
        let view = ViewMut {
            // SAFETY: `r` and `c` lie in the matrix, blocks do not overlap, and `out` stays borrowed
            // until all tasks are done.
            start: unsafe { whole.get().add(r.start * cols + c.start) },
            rows: r.len(),
            cols: c.len(),
            stride: cols,
            lifetime: PhantomData,
        };
        work(r, c, view);
    });
}

/// The `i`th range of `0..length` cut every `step`.
#[inline(always)]
pub fn cut(length: usize, step: usize, i: usize) -> Range<usize> {
    (i * step).min(length)..((i + 1) * step).min(length)
}

/// `out = a b` over all threads; `out` is row-major without gaps.
pub fn multiply_parallel(out: &mut [f32], a: View<'_>, b: View<'_>, fill: Fill) {
    let shape = [a.rows, b.cols];
    let blocks = Blocks::of(a.rows, b.cols, 4096);
    with_panels(panels_len(b.rows, b.cols), |memory| {
        let panels = Panels::pack_parallel(b, memory);
        for_each_block(out, shape, blocks, |r, c, mut view| {
            multiply_panels(&mut view, a.rows(r), panels.cols(c), fill);
        });
    });
}

/// `out += a b` over all threads, where `a` is matrices of `height` rows each, one below the other: as many
/// as `out`, row-major without gaps, has room for.
///
/// # Panics
/// If the shapes do not fit.
pub fn multiply_stacked<'a>(
    out: &mut [f32],
    height: usize,
    a: impl Fn(usize) -> View<'a> + Sync,
    b: View<'_>,
) {
    with_panels(panels_len(b.rows, b.cols), |memory| {
        let panels = Panels::pack_parallel(b, memory);
        let parts = out.par_chunks_exact_mut((height * b.cols).max(1));
        parts.enumerate().for_each(|(i, out)| {
            let mut out = ViewMut::dense(out, height, b.cols);
            multiply_panels(&mut out, a(i), panels, Fill::Accumulate);
        });
    });
}

multiversion! {
    /// `out += a x` for a vector `x`, on this thread; the values of a row of `a` must lie side by side.
    pub fn multiply_vector<FMA>(out: &mut [f32], a: View<'_>, x: &[f32]) {
        assert_eq!((out.len(), x.len()), (a.rows, a.cols));
        let (vectors, rest) = x.as_chunks::<LANES>();
        for (r, out) in out.iter_mut().enumerate() {
            let mut sums = [0.0; LANES];
            let (row, row_rest) = a.row(r).as_chunks::<LANES>();
            for (v, x) in row.iter().zip(vectors) {
                for j in 0..LANES {
                    sums[j] = fma::<FMA>(v[j], x[j], sums[j]);
                }
            }
            for ((sum, v), x) in sums.iter_mut().zip(row_rest).zip(rest) {
                *sum = fma::<FMA>(*v, *x, *sum);
            }
            *out += sums.iter().sum::<f32>();
        }
    }
}

/// A pointer that tasks may share because each goes to its own part.
struct Shared(*mut f32);

// SAFETY: only `for_each_block` uses it, and its blocks do not overlap.
unsafe impl Sync for Shared {}

impl Shared {
    const fn get(&self) -> *mut f32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::kernel::testing::{assert_near, numbers};

    fn reference(a: View<'_>, b: View<'_>) -> Vec<f32> {
        let at = |v: View<'_>, r: usize, c: usize| v.data[r * v.row_stride + c * v.col_stride];
        let cell = |r, c| {
            (0..a.cols)
                .map(|k| f64::from(at(a, r, k)) * f64::from(at(b, k, c)))
                .sum::<f64>() as f32
        };
        (0..a.rows)
            .flat_map(|r| (0..b.cols).map(move |c| (r, c)))
            .map(|(r, c)| cell(r, c))
            .collect()
    }

    #[test]
    fn products_of_views_are_those_of_the_plain_loop() {
        for (m, n, k) in [(1, 1, 1), (3, 300, 7), (600, 5, 33), (257, 129, 64)] {
            let (a, b) = (numbers("a", m * k), numbers("b", n * k));
            let a = View::dense(&a, m, k);
            let b = View::dense(&b, n, k).transposed();
            let mut out = vec![0.0; m * n];
            multiply_parallel(&mut out, a, b, Fill::Overwrite);
            let expected = reference(a, b);
            assert_near(&out, &expected, 1e-5);
            multiply_parallel(&mut out, a, b, Fill::Accumulate);
            let twice: Vec<f32> = expected.iter().map(|v| 2.0 * v).collect();
            assert_near(&out, &twice, 1e-5);
        }
    }

    #[test]
    fn matrices_below_each_other_are_one_matrix() {
        let (height, parts, n, k) = (3, 5, 40, 9);
        let (a, b) = (numbers("a", 2 * parts * height * k), numbers("b", k * n));
        let b = View::dense(&b, k, n);
        // Every other three rows of a larger matrix.
        let part = |i: usize| View::dense(&a[2 * i * height * k..][..height * k], height, k);
        let mut out = vec![1.0; parts * height * n];
        multiply_stacked(&mut out, height, part, b);
        for (i, out) in out.chunks_exact(height * n).enumerate() {
            let expected: Vec<f32> = reference(part(i), b).iter().map(|v| v + 1.0).collect();
            assert_near(out, &expected, 1e-5);
        }
    }

    #[test]
    fn a_vector_is_a_matrix_of_one_column() {
        for (m, k) in [(1, 1), (5, 7), (3, 16), (20, 67)] {
            // Rows with a gap between them.
            let (a, x) = (numbers("a", m * (k + 2)), numbers("x", k));
            let a = View::new(&a, m, k, k + 2);
            let mut out = vec![1.0; m];
            multiply_vector(&mut out, a, &x);
            let column = reference(a, View::dense(&x, k, 1));
            let expected: Vec<f32> = column.iter().map(|v| v + 1.0).collect();
            assert_near(&out, &expected, 1e-5);
        }
    }

    #[test]
    fn a_block_of_columns_leaves_its_neighbours_alone() {
        let mut out = vec![9.0; 6];
        let a = View::dense(&[1.0, 2.0], 2, 1);
        let mut whole = ViewMut::dense(&mut out, 2, 3);
        multiply(
            &mut whole.cols(1..2),
            a,
            View::dense(&[3.0], 1, 1),
            Fill::Overwrite,
        );
        assert_eq!(out, [9.0, 3.0, 9.0, 9.0, 6.0, 9.0]);
    }
}
