//! Windows of a grid, within which attention runs: which pixels each holds, and how far apart its
//! tokens lie.

/// How the pixels of a grid are dealt out to square windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Partition {
    /// Height and width of the grid.
    pub grid: [usize; 2],
    /// Side of a window.
    pub window: usize,
    pub deal: Deal,
}

/// Which pixels share a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Deal {
    /// Neighbours, after the grid was padded with zeros at the bottom and on the right to whole
    /// windows and turned cyclically up and to the left by this many pixels (Swin).
    Blocks { shift: [usize; 2] },
    /// Pixels that lie as far apart as there are windows along a side, so that every window sees the
    /// whole grid (MaxViT). The windows must fit the grid.
    Strided,
}

impl Partition {
    /// Blocks, shifted by half a window if asked for: only along sides longer than a window.
    #[must_use]
    pub fn blocks(grid: [usize; 2], window: usize, shift: Shift) -> Self {
        let shift = grid.map(|side| match shift {
            Shift::Half if side > window => window / 2,
            _ => 0,
        });
        Self {
            grid,
            window,
            deal: Deal::Blocks { shift },
        }
    }

    /// Windows of pixels that lie far apart.
    #[must_use]
    pub const fn strided(grid: [usize; 2], window: usize) -> Self {
        Self {
            grid,
            window,
            deal: Deal::Strided,
        }
    }

    /// Windows down and across.
    #[must_use]
    pub fn counts(&self) -> [usize; 2] {
        self.grid.map(|side| side.div_ceil(self.window))
    }

    /// Number of windows.
    #[must_use]
    pub fn windows(&self) -> usize {
        let [down, across] = self.counts();
        down * across
    }

    /// Tokens of a window.
    #[must_use]
    pub const fn tokens(&self) -> usize {
        self.window * self.window
    }

    /// Whether the grid is turned first.
    #[must_use]
    pub fn is_shifted(&self) -> bool {
        self.shift() != [0, 0]
    }

    const fn shift(&self) -> [usize; 2] {
        match self.deal {
            Deal::Blocks { shift } => shift,
            Deal::Strided => [0, 0],
        }
    }

    /// Whether some tokens are padding.
    #[must_use]
    pub fn is_padded(&self) -> bool {
        self.grid.iter().any(|side| side % self.window != 0)
    }

    /// The pixel of every token, windows row by row, tokens row by row within; `None` for padding.
    #[must_use]
    pub fn pixels(&self) -> Vec<Option<usize>> {
        let shift = self.shift();
        self.places()
            .map(|place| {
                let [y, x] =
                    [0, 1].map(|axis| (place[axis] + shift[axis]) % self.padded_side(axis));
                (y < self.grid[0] && x < self.grid[1]).then_some(y * self.grid[1] + x)
            })
            .collect()
    }

    /// The region of every token, in the order of [`Partition::pixels`]: turning the grid brings
    /// opposite edges together in a window, and only tokens of the same region may see each other.
    #[must_use]
    pub fn regions(&self) -> Vec<u8> {
        let shift = self.shift();
        self.places()
            .map(|place| {
                let [y, x] = [0, 1].map(|axis| {
                    let before_end = self.padded_side(axis) - place[axis];
                    u8::from(before_end <= self.window && shift[axis] > 0)
                        + u8::from(before_end <= shift[axis])
                });
                3 * y + x
            })
            .collect()
    }

    fn padded_side(&self, axis: usize) -> usize {
        self.counts()[axis] * self.window
    }

    /// Row and column of every token in the padded and turned grid.
    fn places(&self) -> impl Iterator<Item = [usize; 2]> {
        let (window, tokens, counts) = (self.window, self.tokens(), self.counts());
        (0..self.windows() * tokens).map(move |i| {
            let (w, t) = (i / tokens, i % tokens);
            let windows = [w / counts[1], w % counts[1]];
            let within = [t / window, t % window];
            [0, 1].map(|axis| match self.deal {
                Deal::Blocks { .. } => windows[axis] * window + within[axis],
                Deal::Strided => within[axis] * counts[axis] + windows[axis],
            })
        })
    }
}

/// Whether blocks are shifted against those of the layer before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    None,
    Half,
}

/// The offsets between two tokens of a square window: `(2 side - 1)^2` of them, row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Offsets {
    /// Side of the window.
    pub window: usize,
}

impl Offsets {
    /// Offsets along one axis.
    #[must_use]
    pub const fn side(&self) -> usize {
        2 * self.window - 1
    }

    /// Number of different offsets.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.side() * self.side()
    }

    /// Never: a token has an offset to itself.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Which offset the first token of a pair has from the second, for all pairs: `[N, N]` for `N`
    /// tokens.
    #[must_use]
    pub fn of_pairs(&self) -> Vec<usize> {
        let w = self.window;
        let place = |t: usize| [t / w, t % w];
        let pairs = (0..w.pow(4)).map(|i| (place(i / (w * w)), place(i % (w * w))));
        pairs
            .map(|([y, x], [v, u])| (y + w - 1 - v) * self.side() + x + w - 1 - u)
            .collect()
    }

    /// [`Offsets::of_pairs`] as it is stored.
    #[must_use]
    pub fn indices_of_pairs(&self) -> Vec<i64> {
        self.of_pairs().into_iter().map(|i| i as i64).collect()
    }

    /// Rows and columns of all offsets, `[(2 side - 1)^2, 2]`, on Swin v2's logarithmic scale: the
    /// largest is `log2(9) / 3`, with its sign.
    #[must_use]
    pub fn coordinates(&self) -> Vec<f32> {
        let reach = (self.window - 1).max(1) as f32;
        let scaled = |i: usize| {
            let offset = (i as f32 - (self.window - 1) as f32) / reach * 8.0;
            (offset.abs() + 1.0).log2().copysign(offset) / 3.0
        };
        let side = self.side();
        (0..self.len())
            .flat_map(|i| [scaled(i / side), scaled(i % side)])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_lies_in_exactly_one_window() {
        for partition in [
            Partition::blocks([4, 6], 3, Shift::None),
            Partition::blocks([5, 7], 3, Shift::Half),
            Partition::blocks([3, 8], 3, Shift::Half),
            Partition::strided([6, 9], 3),
        ] {
            let mut pixels: Vec<usize> = partition.pixels().into_iter().flatten().collect();
            pixels.sort_unstable();
            let [height, width] = partition.grid;
            assert_eq!(pixels, (0..height * width).collect::<Vec<_>>());
        }
    }

    #[test]
    fn strided_windows_see_the_whole_grid() {
        let partition = Partition::strided([4, 6], 2);
        let pixels: Vec<usize> = partition.pixels().into_iter().flatten().collect();
        assert_eq!(partition.counts(), [2, 3]);
        assert_eq!(pixels[..8], [0, 3, 12, 15, 1, 4, 13, 16]);
        assert_eq!(pixels[20..], [8, 11, 20, 23]);
    }

    #[test]
    fn a_shifted_grid_has_nine_regions_and_a_single_window_none() {
        let partition = Partition::blocks([4, 4], 2, Shift::Half);
        let regions = partition.regions();
        // The windows at the corners: top left, top right, bottom left, bottom right.
        assert_eq!(regions[..4], [0, 0, 0, 0]);
        assert_eq!(regions[4..8], [1, 2, 1, 2]);
        assert_eq!(regions[8..12], [3, 3, 6, 6]);
        assert_eq!(regions[12..], [4, 5, 7, 8]);
        let single = Partition::blocks([2, 2], 2, Shift::Half);
        assert!(!single.is_shifted());
        assert_eq!(single.regions(), [0; 4]);
    }

    #[test]
    fn offsets_are_counted_from_the_most_negative_one() {
        let offsets = Offsets { window: 2 };
        let expected = [4, 3, 1, 0, 5, 4, 2, 1, 7, 6, 4, 3, 8, 7, 5, 4];
        assert_eq!(offsets.of_pairs(), expected);
        let edge = 9f32.log2() / 3.0;
        let coordinates = offsets.coordinates();
        assert_eq!(coordinates[..4], [-edge, -edge, -edge, 0.0]);
        assert_eq!(coordinates[16..], [edge, edge]);
    }
}
