//! Fully connected layers over the channels of every position: a convolution of one pixel.

use super::conv::{Conv2d, Method};
use crate::arch::Linear;
use crate::nn::kernel::conv::Conv;
use crate::nn::kernel::window::Window;
use crate::nn::network::TensorIndex;

/// A linear layer over `positions` positions of a sample.
pub fn linear(linear: &Linear, positions: usize, weight: TensorIndex) -> Conv2d {
    let window = Window {
        input: [positions, 1],
        output: [positions, 1],
        kernel: [1, 1],
        stride: [1, 1],
        padding: [0, 0],
        dilation: [1, 1],
    };
    let conv = Conv {
        window,
        in_channels: linear.in_features,
        out_channels: linear.out_features,
        groups: 1,
    };
    Conv2d {
        method: Method::Patches(conv),
        weight,
        bias: linear.bias.then_some(weight + 1),
        measured: false,
    }
}
