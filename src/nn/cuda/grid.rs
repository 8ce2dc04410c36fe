//! How many blocks a kernel gets: the rules of kernels/README.md.

use crate::nn::device::Precision;

/// Threads of a block.
pub const BLOCK: u32 = 256;
/// Threads of a block that adds up partial sums.
pub const WIDE_BLOCK: u32 = 1024;
/// Threads of a warp.
const WARP: usize = 32;
/// Channels that move as one.
const PACK: usize = 4;
/// Bytes that a thread streams at once.
const WIDEST: usize = 16;
/// Threads step by the size of the grid, so more blocks than this gain nothing.
const MOST: usize = 1 << 20;
/// Blocks that a sum over many rows is shared out over.
const PARTS: usize = 1024;

/// A grid along one axis.
pub fn line(blocks: usize) -> [u32; 3] {
    [blocks.clamp(1, MOST) as u32, 1, 1]
}

/// Every value of an array on its own.
pub fn flat(values: usize, precision: Precision) -> [u32; 3] {
    line((values * precision.bytes()).div_ceil(BLOCK as usize * WIDEST))
}

/// `[rows, channels]` streamed.
pub fn stream(rows: usize, channels: usize, precision: Precision) -> [u32; 3] {
    let pack = WIDEST / precision.bytes();
    line((rows * packs_of(channels, pack)).div_ceil(BLOCK as usize))
}

/// `[rows, channels]` in packs of four channels.
pub fn packs(rows: usize, channels: usize) -> [u32; 3] {
    line((rows * packs_of(channels, PACK)).div_ceil(BLOCK as usize))
}

/// A warp a row.
pub fn rows(rows: usize) -> [u32; 3] {
    line(rows.div_ceil(BLOCK as usize / WARP))
}

/// A thread a value.
pub fn threads(values: usize) -> [u32; 3] {
    line(values.div_ceil(BLOCK as usize))
}

/// The second stage of sums over columns, in blocks of [`WIDE_BLOCK`].
pub fn totals(columns: usize) -> [u32; 3] {
    line(columns.div_ceil(WARP))
}

/// The first stage of sums over the rows of `[rows, channels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    /// Blocks along the channels.
    pub tiles: usize,
    /// Parts that the rows are cut into.
    pub parts: usize,
    pub rows_per_part: usize,
}

impl Columns {
    pub fn new(rows: usize, channels: usize) -> Self {
        let packs = packs_of(channels, PACK);
        let across = packs.next_power_of_two().min(WARP);
        let tiles = packs.div_ceil(across);
        let lines = BLOCK as usize / across;
        let rows_per_part = (4 * lines).max((rows * tiles).div_ceil(PARTS));
        Self {
            tiles,
            parts: rows.div_ceil(rows_per_part),
            rows_per_part,
        }
    }

    pub const fn grid(self) -> [u32; 3] {
        [self.tiles as u32, self.parts as u32, 1]
    }

    /// A block for a tile of every sample rather than for parts of the rows.
    pub fn per_sample(channels: usize, samples: usize) -> [u32; 3] {
        [Self::new(1, channels).tiles as u32, samples as u32, 1]
    }
}

const fn packs_of(channels: usize, pack: usize) -> usize {
    if channels.is_multiple_of(pack) {
        channels / pack
    } else {
        channels
    }
}
