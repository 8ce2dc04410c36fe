//! A window that slides over an image: sizes and positions, shared by convolutions and pools.

/// Sizes of a sliding window, per sample. Pairs are `[height, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    pub input: [usize; 2],
    pub output: [usize; 2],
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 2],
    pub dilation: [usize; 2],
}

impl Window {
    /// Pixels of one output image.
    pub const fn positions(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Pixels of one input image.
    pub const fn pixels(&self) -> usize {
        self.input[0] * self.input[1]
    }

    /// Number of kernel taps.
    pub const fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Whether the output's pixels are the input's, one by one.
    pub fn is_pointwise(&self) -> bool {
        self.taps() == 1 && self.stride == [1, 1] && self.padding == [0, 0]
    }

    /// The input coordinate that `tap` of output coordinate `out` reads along `axis` (0 height,
    /// 1 width), unless it is padding.
    #[inline(always)]
    pub fn source(&self, axis: usize, out: usize, tap: usize) -> Option<usize> {
        let padded = out * self.stride[axis] + tap * self.dilation[axis];
        // Below the image wraps to a huge number, so one comparison covers both sides.
        let at = padded.wrapping_sub(self.padding[axis]);
        (at < self.input[axis]).then_some(at)
    }

    /// Sample, row and column of an output position counted over the batch.
    #[inline(always)]
    pub const fn locate(&self, position: usize) -> (usize, usize, usize) {
        let [h, w] = self.output;
        (position / (h * w), position / w % h, position % w)
    }

    /// The window that takes output gradients back to the input, for stride 1: the same kernel
    /// flipped, sliding over the output. None where that is no convolution (padding beyond reach).
    pub fn reversed(&self) -> Option<Self> {
        let reach = |axis: usize| self.dilation[axis] * (self.kernel[axis] - 1);
        let padding = |axis: usize| reach(axis).checked_sub(self.padding[axis]);
        (self.stride == [1, 1]).then_some(())?;
        Some(Self {
            input: self.output,
            output: self.input,
            padding: [padding(0)?, padding(1)?],
            ..*self
        })
    }
}
