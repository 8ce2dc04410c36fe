//! The order of a tensor's values: PyTorch's in files, the executor's in memory.

use crate::arch::{Conv2d, Op};

/// How a tensor lies in the executor's memory, seen from PyTorch's layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// As in PyTorch.
    Same,
    /// `[O, I, T]` in PyTorch, `[O, T, I]` here: patches of channels-last images are contiguous.
    ChannelsLast { inner: usize, taps: usize },
    /// `[C, T]` in PyTorch, `[T, C]` here: all channels of a tap side by side.
    Depthwise { taps: usize },
}

/// Whether the direct loop for depthwise convolutions runs this one.
pub const fn is_depthwise(conv: &Conv2d) -> bool {
    conv.is_depthwise() && conv.out_channels == conv.in_channels
}

impl Packing {
    /// How the weight, or the position embedding, of a module with this op lies in memory.
    pub fn of_weight(op: &Op) -> Self {
        let conv = match op {
            Op::Conv2d(conv) => conv,
            Op::PositionMap { channels, side } => {
                return Self::ChannelsLast {
                    inner: *channels,
                    taps: side[0] * side[1],
                };
            }
            _ => return Self::Same,
        };
        let taps = conv.kernel[0] * conv.kernel[1];
        if is_depthwise(conv) {
            return Self::Depthwise { taps };
        }
        Self::ChannelsLast {
            inner: conv.in_channels / conv.groups,
            taps,
        }
    }

    /// From PyTorch's order to the executor's.
    pub fn pack(self, torch: &[f32], packed: &mut [f32]) {
        self.each(torch.len(), |from, to| packed[to] = torch[from]);
    }

    /// From the executor's order to PyTorch's.
    pub fn unpack(self, packed: &[f32], torch: &mut [f32]) {
        self.each(packed.len(), |to, from| torch[to] = packed[from]);
    }

    /// Calls `pair` with every value's place in PyTorch's order and in the executor's.
    fn each(self, length: usize, mut pair: impl FnMut(usize, usize)) {
        // A matrix transposed `length / (rows * cols)` times.
        let (rows, cols) = match self {
            Self::Same => (1, length),
            Self::ChannelsLast { inner, taps } => (inner, taps),
            Self::Depthwise { taps } => (length / taps.max(1), taps),
        };
        for block in (0..length).step_by((rows * cols).max(1)) {
            for r in 0..rows {
                for c in 0..cols {
                    pair(block + r * cols + c, block + c * rows + r);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_moves_the_channels_last_and_back() {
        let torch: Vec<f32> = (0..12).map(|i| i as f32).collect();
        let mut packed = vec![0.0; 12];
        let packing = Packing::ChannelsLast { inner: 2, taps: 3 };
        packing.pack(&torch, &mut packed);
        let expected = [0., 3., 1., 4., 2., 5., 6., 9., 7., 10., 8., 11.];
        assert_eq!(packed, expected);
        let mut back = vec![0.0; 12];
        packing.unpack(&packed, &mut back);
        assert_eq!(back, torch);

        Packing::Depthwise { taps: 3 }.pack(&torch, &mut packed);
        assert_eq!(packed, [0., 3., 6., 9., 1., 4., 7., 10., 2., 5., 8., 11.]);
    }
}
