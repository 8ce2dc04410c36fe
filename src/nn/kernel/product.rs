//! The matrix product's inner loops: a tile of the output stays in registers while a column of the left
//! operand meets a row of the right one, again and again.
//!
//! The left operand is read where it lies, value by value. The right one is copied into panels first: a few
//! columns of it side by side, row after row, so that its vectors are read one behind the other.
//!
//! Per row of a panel and with AVX-512, 14 values are loaded and 28 vectors multiplied and added: two thirds
//! of the loads that a core can do beside them.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m256, __m512};
use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use super::matmul::{Fill, View, ViewMut, cut};
#[cfg(target_arch = "x86_64")]
use super::simd::{Level, level};
use super::transpose;
use super::vector::Vector;

/// Vectors in a row of a panel.
const VECTORS: usize = 2;
/// Rows of the right operand that are worked through at a time: a panel of them stays in the cache
/// while the left operand's rows pass.
const DEPTH: usize = 512;
/// Values of panels that are copied at a time: 512 KiB, what a core's cache takes.
const HELD: usize = 1 << 17;

thread_local! {
    /// Panels of the product under way on this thread.
    static PANELS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Columns of a panel on this processor.
fn width() -> usize {
    #[cfg(target_arch = "x86_64")]
    match level() {
        Level::Avx512 => return VECTORS * 16,
        Level::Avx2 => return VECTORS * 8,
        Level::Any => {}
    }
    VECTORS * 4
}

/// A matrix in panels, for products with it on the right.
#[derive(Clone, Copy, Debug)]
pub struct Panels<'a> {
    values: &'a [f32],
    depth: usize,
    cols: usize,
}

/// Values that a `depth` by `cols` matrix has in panels.
pub fn panels_len(depth: usize, cols: usize) -> usize {
    depth * cols.next_multiple_of(width())
}

impl<'a> Panels<'a> {
    /// Copies a matrix into panels, which take [`panels_len`] values.
    ///
    /// # Panics
    /// If `values` holds another number of values.
    pub fn pack(matrix: View<'_>, values: &'a mut [f32]) -> Self {
        let (depth, cols, width) = (matrix.height(), matrix.width(), width());
        assert_eq!(values.len(), panels_len(depth, cols));
        for (i, panel) in values.chunks_exact_mut((depth * width).max(1)).enumerate() {
            pack_panel(matrix.cols(cut(cols, width, i)), width, panel);
        }
        Self {
            values,
            depth,
            cols,
        }
    }

    /// [`Panels::pack`] over all threads.
    pub fn pack_parallel(matrix: View<'_>, values: &'a mut [f32]) -> Self {
        let (depth, cols, width) = (matrix.height(), matrix.width(), width());
        assert_eq!(values.len(), panels_len(depth, cols));
        values
            .par_chunks_exact_mut((depth * width).max(1))
            .enumerate()
            .for_each(|(i, panel)| pack_panel(matrix.cols(cut(cols, width, i)), width, panel));
        Self {
            values,
            depth,
            cols,
        }
    }

    /// Some of the columns, from the first one of a panel on.
    ///
    /// # Panics
    /// If another column comes first.
    pub fn cols(self, range: Range<usize>) -> Self {
        assert!(range.start.is_multiple_of(width()) && range.end <= self.cols);
        let from = range.start * self.depth;
        Self {
            values: &self.values[from..],
            cols: range.len(),
            ..self
        }
    }
}

/// A matrix in panels of its own.
#[derive(Clone, Debug)]
pub struct Packed {
    values: Vec<f32>,
    depth: usize,
    cols: usize,
}

impl Packed {
    /// Copies a matrix into panels, over all threads.
    pub fn of(matrix: View<'_>) -> Self {
        let (depth, cols) = (matrix.height(), matrix.width());
        let mut values = vec![0.0; panels_len(depth, cols)];
        Panels::pack_parallel(matrix, &mut values);
        Self {
            values,
            depth,
            cols,
        }
    }

    /// Number of columns.
    pub const fn width(&self) -> usize {
        self.cols
    }

    /// The panels.
    pub fn panels(&self) -> Panels<'_> {
        Panels {
            values: &self.values,
            depth: self.depth,
            cols: self.cols,
        }
    }
}

/// Copies up to `width` columns, filled up with zeros.
fn pack_panel(matrix: View<'_>, width: usize, panel: &mut [f32]) {
    let cols = matrix.width();
    if cols < width {
        panel.fill(0.0);
    }
    if let Some(first) = matrix.contiguous_rows() {
        for (k, row) in panel.chunks_exact_mut(width).enumerate() {
            row[..cols].copy_from_slice(&first[k * matrix.row_step()..][..cols]);
        }
        return;
    }
    let shape = [matrix.height(), cols];
    if let Some(columns) = matrix.transposed().contiguous_rows() {
        return transpose::into_rows(columns, matrix.col_step(), shape, panel, width);
    }
    for (k, row) in panel.chunks_exact_mut(width).enumerate() {
        for (c, value) in row[..cols].iter_mut().enumerate() {
            *value = matrix.at(k, c);
        }
    }
}

/// `out = a b` or `out += a b`, on this thread.
///
/// # Panics
/// If the shapes do not fit.
pub fn multiply(out: &mut ViewMut<'_>, a: View<'_>, b: View<'_>, fill: Fill) {
    assert_eq!((out.width(), a.width()), (b.width(), b.height()));
    let depth = b.height().min(DEPTH);
    let step = (HELD / depth.max(1) / width()).max(1) * width();
    with_panels(panels_len(depth, step.min(b.width())), |memory| {
        for i in 0..b.width().div_ceil(step) {
            let cols = cut(b.width(), step, i);
            let mut fill = fill;
            for k in 0..b.height().div_ceil(DEPTH).max(1) {
                let rows = cut(b.height(), DEPTH, k);
                let length = panels_len(rows.len(), cols.len());
                let b = b.rows(rows.clone()).cols(cols.clone());
                let b = Panels::pack(b, &mut memory[..length]);
                multiply_panels(&mut out.cols(cols.clone()), a.cols(rows), b, fill);
                fill = Fill::Accumulate;
            }
        }
    });
}

/// Calls `work` with memory for panels of this thread.
pub fn with_panels<R>(length: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut panels = PANELS.take();
    if panels.len() < length {
        panels.resize(length, 0.0);
    }
    let result = work(&mut panels[..length]);
    PANELS.replace(panels);
    result
}

/// [`multiply`] by a matrix that lies in panels already.
///
/// # Panics
/// If the shapes do not fit.
pub fn multiply_panels(out: &mut ViewMut<'_>, a: View<'_>, b: Panels<'_>, fill: Fill) {
    assert_eq!((out.height(), out.width()), (a.height(), b.cols));
    assert_eq!(a.width(), b.depth);
    if out.height() == 0 || out.width() == 0 {
        return;
    }
    for k in 0..b.depth.div_ceil(DEPTH).max(1) {
        let job = Job {
            a: a.cols(cut(b.depth, DEPTH, k)),
            b,
            from: k * DEPTH,
            fill: if k == 0 { fill } else { Fill::Accumulate },
        };
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
            fn avx512(job: &Job<'_>, out: &mut ViewMut<'_>) {
                job.run::<__m512, 14>(out);
            }
            #[target_feature(enable = "avx2,fma")]
            fn avx2(job: &Job<'_>, out: &mut ViewMut<'_>) {
                job.run::<__m256, 6>(out);
            }
            match level() {
                // SAFETY: `level` saw these features on this processor.
                Level::Avx512 => unsafe { avx512(&job, out) },
                // SAFETY: as above.
                Level::Avx2 => unsafe { avx2(&job, out) },
                Level::Any => job.run::<[f32; 4], 4>(out),
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        job.run::<[f32; 4], 4>(out);
    }
}

/// Part of a product: all columns of `a` with as many rows of `b`.
struct Job<'a> {
    a: View<'a>,
    b: Panels<'a>,
    /// The first of the rows of `b`.
    from: usize,
    fill: Fill,
}

impl Job<'_> {
    /// In tiles of `TALL` rows, or fewer at the end.
    #[inline(always)]
    fn run<V: Vector, const TALL: usize>(&self, out: &mut ViewMut<'_>) {
        let mut row = 0;
        while row < out.height() {
            row += match out.height() - row {
                n if n >= TALL => self.rows::<V, TALL>(row, out),
                n if n >= 8 && TALL > 8 => self.rows::<V, 8>(row, out),
                n if n >= 4 => self.rows::<V, 4>(row, out),
                n if n >= 2 => self.rows::<V, 2>(row, out),
                _ => self.rows::<V, 1>(row, out),
            };
        }
    }

    /// `M` rows from `row` on, all panels.
    #[inline(always)]
    fn rows<V: Vector, const M: usize>(&self, row: usize, out: &mut ViewMut<'_>) -> usize {
        let a = self.a.rows(row..row + M);
        let next = (row + M).min(self.a.height());
        self.a
            .rows(next..(next + M).min(self.a.height()))
            .prefetch();
        let width = VECTORS * V::LEN;
        let panel = self.b.depth * width;
        for i in 0..self.b.cols.div_ceil(width) {
            let b = &self.b.values[i * panel + self.from * width..];
            let cols = cut(self.b.cols, width, i);
            let wide = cols.len() > V::LEN;
            let mut out = out.block(row..row + M, cols);
            // A last panel whose second vector is empty is not worth two.
            if wide {
                tile::<V, M, VECTORS>(a, b, self.fill, &mut out);
            } else {
                tile::<V, M, 1>(a, b, self.fill, &mut out);
            }
        }
        M
    }
}

/// The product of `M` rows and the first `N` vectors of a panel, into as many columns as `out` has.
#[expect(
    clippy::needless_range_loop,
    reason = "behind iterators, the compiler no longer keeps the sums in registers: twice as slow"
)]
#[inline(always)]
fn tile<V: Vector, const M: usize, const N: usize>(
    a: View<'_>,
    b: &[f32],
    fill: Fill,
    out: &mut ViewMut<'_>,
) {
    let depth = a.width();
    assert!(a.height() == M && out.height() == M && out.width() <= N * V::LEN);
    assert!(depth * VECTORS * V::LEN <= b.len());
    // SAFETY (all of this function): `a` has `M` rows of `depth` values, `b` holds `depth` rows of a
    // panel, and the processor has the vectors that the caller chose.
    unsafe {
        let mut sums = [[V::splat(0.0); N]; M];
        let mut row = b.as_ptr();
        for k in 0..depth {
            let mut vectors = [V::splat(0.0); N];
            for n in 0..N {
                vectors[n] = V::load(row.add(n * V::LEN));
            }
            row = row.add(VECTORS * V::LEN);
            for m in 0..M {
                let value = V::splat(a.at_unchecked(m, k));
                for n in 0..N {
                    sums[m][n] = value.mul_add(vectors[n], sums[m][n]);
                }
            }
        }
        for m in 0..M {
            let out = out.row(m);
            if out.len() == N * V::LEN {
                for n in 0..N {
                    put(sums[m][n], fill, out.as_mut_ptr().add(n * V::LEN));
                }
            } else {
                let mut whole = [0.0; MOST_WIDTH];
                whole[..out.len()].copy_from_slice(out);
                for n in 0..N {
                    put(sums[m][n], fill, whole.as_mut_ptr().add(n * V::LEN));
                }
                out.copy_from_slice(&whole[..out.len()]);
            }
        }
    }
}

/// Columns of the widest panel.
const MOST_WIDTH: usize = VECTORS * 16;

/// # Safety
/// As [`Vector::store`].
#[inline(always)]
unsafe fn put<V: Vector>(sum: V, fill: Fill, at: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        match fill {
            Fill::Overwrite => sum.store(at),
            Fill::Accumulate => V::load(at).add(sum).store(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;
    use crate::nn::kernel::testing::{assert_near, numbers};
    use crate::random;

    #[test]
    fn any_product_is_that_of_the_plain_loop() {
        let mut stream = random::stream(1, "products");
        for round in 0..60 {
            let mut size = |most: usize| stream.random_range(1..=most);
            let (m, n, k) = match round % 3 {
                0 => (size(40), size(80), size(40)),
                1 => (size(5), size(400), size(1200)),
                _ => (size(100), size(20), size(600)),
            };
            let (a, b) = (numbers("a", m * k), numbers("b", k * n));
            let [turn_a, turn_b] = [size(2) == 1, size(2) == 1];
            let view = |values, rows, cols, turn| {
                if turn {
                    View::dense(values, cols, rows).transposed()
                } else {
                    View::dense(values, rows, cols)
                }
            };
            let (a, b) = (view(&a, m, k, turn_a), view(&b, k, n, turn_b));
            let mut expected = vec![0.0; m * n];
            for (i, value) in expected.iter_mut().enumerate() {
                let term = |k| f64::from(a.at(i / n, k)) * f64::from(b.at(k, i % n));
                *value = (0..k).map(term).sum::<f64>() as f32;
            }
            let mut got = vec![f32::NAN; m * n];
            let mut out = ViewMut::dense(&mut got, m, n);
            multiply(&mut out, a, b, Fill::Overwrite);
            assert_near(&got, &expected, 1e-5);

            let mut memory = vec![f32::NAN; panels_len(k, n)];
            let panels = Panels::pack_parallel(b, &mut memory);
            let mut out = ViewMut::dense(&mut got, m, n);
            multiply_panels(&mut out, a, panels, Fill::Accumulate);
            let twice: Vec<f32> = expected.iter().map(|v| 2.0 * v).collect();
            assert_near(&got, &twice, 1e-5);
        }
    }
}
