//! Windows of a grid, and patches side by side.
//!
//! Letters: `H`, `W` height and width of the grid, `C` channels, `w` side of a window, `D`, `A` windows
//! down and across.

use super::sketch::{Sketch, Value};
use crate::arch::{Deal, Partition, Shape};

impl Sketch<'_> {
    /// `[N, H, W, C]` to `[N, D A, w w, C]`.
    pub fn partition(&mut self, partition: &Partition, channels: usize, x: &Value) -> Value {
        let Partition { window: w, .. } = *partition;
        let [down, across] = partition.counts();
        let x = self.pad_to_windows(partition, x);
        let x = match partition.deal {
            Deal::Blocks { shift } => {
                let x = self.turn(partition, shift, &x);
                let x = self.reshape(&x, &[0, down, w, across, w, channels]);
                self.transpose(&x, &[0, 1, 3, 2, 4, 5])
            }
            Deal::Strided => {
                let x = self.reshape(&x, &[0, w, down, w, across, channels]);
                self.transpose(&x, &[0, 2, 4, 1, 3, 5])
            }
        };
        self.reshape(&x, &[0, partition.windows(), partition.tokens(), channels])
    }

    /// `[N, D A, w w, C]` back to `[N, H, W, C]`.
    pub fn reassemble(&mut self, partition: &Partition, channels: usize, x: &Value) -> Value {
        let Partition { window: w, .. } = *partition;
        let counts @ [down, across] = partition.counts();
        let order = match partition.deal {
            Deal::Blocks { .. } => [0, 1, 3, 2, 4, 5],
            Deal::Strided => [0, 3, 1, 4, 2, 5],
        };
        let x = self.reshape(x, &[0, down, across, w, w, channels]);
        let x = self.transpose(&x, &order);
        let x = self.reshape(&x, &[0, down * w, across * w, channels]);
        let x = match partition.deal {
            Deal::Blocks { shift } => {
                let back = [0, 1].map(|axis| (counts[axis] * w - shift[axis]) % (counts[axis] * w));
                self.turn(partition, back, &x)
            }
            Deal::Strided => x,
        };
        if !partition.is_padded() {
            return x;
        }
        let [height, width] = partition.grid;
        self.slice(&x, &[[1, 0, height, 1], [2, 0, width, 1]])
    }

    /// Zeros at the bottom and on the right up to whole windows.
    fn pad_to_windows(&mut self, partition: &Partition, x: &Value) -> Value {
        if !partition.is_padded() {
            return x.clone();
        }
        let counts = partition.counts();
        let missing = [0, 1].map(|axis| counts[axis] * partition.window - partition.grid[axis]);
        self.pad(x, &[0, 0, 0, 0, 0, missing[0], missing[1], 0])
    }

    /// The padded grid turned cyclically up and to the left by so many pixels.
    fn turn(&mut self, partition: &Partition, pixels: [usize; 2], x: &Value) -> Value {
        let counts = partition.counts();
        let mut x = x.clone();
        for (axis, pixels) in pixels.into_iter().enumerate() {
            if pixels == 0 {
                continue;
            }
            let side = counts[axis] * partition.window;
            let first = self.slice(&x, &[[axis + 1, pixels, side, 1]]);
            let last = self.slice(&x, &[[axis + 1, 0, pixels, 1]]);
            x = self.join(&[first, last], axis + 1);
        }
        x
    }

    /// `[N, H, W, C]` to `[N, H / 2, W / 2, 4 C]`: rows, then columns of each square.
    pub fn merge_patches(&mut self, input: Shape, x: &Value) -> Value {
        let [height, width] = input.side().unwrap_or([1, 1]);
        let x = match [height % 2, width % 2] {
            [0, 0] => x.clone(),
            [bottom, right] => self.pad(x, &[0, 0, 0, 0, 0, bottom, right, 0]),
        };
        let even = [height, width].map(|side| side.next_multiple_of(2));
        let corners = [[0, 0], [1, 0], [0, 1], [1, 1]]
            .map(|[row, column]| self.slice(&x, &[[1, row, even[0], 2], [2, column, even[1], 2]]));
        self.join(&corners, 3)
    }
}
