//! Patches of an image as rows of a matrix, and back.

use std::ops::Range;

use super::window::Window;

/// Which columns of the patch matrix are wanted: some taps, of some channels.
#[derive(Clone, Debug)]
pub struct Columns {
    /// Kernel taps, row by row.
    pub taps: Range<usize>,
    pub channels: Range<usize>,
}

impl Columns {
    pub fn len(&self) -> usize {
        self.taps.len() * self.channels.len()
    }
}

/// Writes rows `rows` (output positions over the batch) of the patch matrix into `col`: for each
/// position the taps in turn, for each tap the channels. `x` is `[B, H, W, C]`.
pub fn gather(
    x: &[f32],
    channels: usize,
    window: &Window,
    rows: Range<usize>,
    columns: &Columns,
    col: &mut [f32],
) {
    let run = columns.channels.len();
    let whole = run == channels && window.dilation[1] == 1;
    for (row, patch) in rows.zip(col.chunks_exact_mut(columns.len())) {
        let (sample, oh, ow) = window.locate(row);
        let mut rest = patch;
        for (kh, kws) in kernel_rows(window, &columns.taps) {
            let line;
            (line, rest) = rest.split_at_mut(kws.len() * run);
            let Some(ih) = window.source(0, oh, kh) else {
                line.fill(0.0);
                continue;
            };
            let base = (sample * window.input[0] + ih) * window.input[1];
            let ends = window
                .source(1, ow, kws.start)
                .zip(window.source(1, ow, kws.end - 1));
            if let (true, Some((first, _))) = (whole, ends) {
                let from = (base + first) * channels;
                line.copy_from_slice(&x[from..from + line.len()]);
                continue;
            }
            for (kw, part) in kws.zip(line.chunks_exact_mut(run)) {
                match window.source(1, ow, kw) {
                    Some(iw) => {
                        let from = (base + iw) * channels + columns.channels.start;
                        part.copy_from_slice(&x[from..from + run]);
                    }
                    None => part.fill(0.0),
                }
            }
        }
    }
}

/// Adds rows `rows` of a patch matrix to the images they were taken from. `dx` holds the samples from
/// `first_sample` on.
pub fn scatter_add(
    col: &[f32],
    channels: usize,
    window: &Window,
    rows: Range<usize>,
    columns: &Columns,
    first_sample: usize,
    dx: &mut [f32],
) {
    let run = columns.channels.len();
    for (row, patch) in rows.zip(col.chunks_exact(columns.len())) {
        let (sample, oh, ow) = window.locate(row);
        for (tap, part) in columns.taps.clone().zip(patch.chunks_exact(run)) {
            let (kh, kw) = (tap / window.kernel[1], tap % window.kernel[1]);
            let (Some(ih), Some(iw)) = (window.source(0, oh, kh), window.source(1, ow, kw)) else {
                continue;
            };
            let pixel = ((sample - first_sample) * window.input[0] + ih) * window.input[1] + iw;
            let from = pixel * channels + columns.channels.start;
            for (d, g) in dx[from..from + run].iter_mut().zip(part) {
                *d += g;
            }
        }
    }
}

/// The kernel rows that a range of taps touches, each with its range of columns.
fn kernel_rows(
    window: &Window,
    taps: &Range<usize>,
) -> impl Iterator<Item = (usize, Range<usize>)> {
    let width = window.kernel[1];
    let (start, end) = (taps.start, taps.end);
    (start / width..end.div_ceil(width)).map(move |kh| {
        let from = start.saturating_sub(kh * width);
        let to = (end - kh * width).min(width);
        (kh, from..to)
    })
}
