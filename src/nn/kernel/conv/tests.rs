//! Dense, grouped and depthwise convolutions against one plain loop.

use rand::Rng;

use super::*;
use crate::nn::kernel::depthwise;
use crate::nn::kernel::testing::{assert_near, numbers};
use crate::random;

/// The plain loop: calls `each` with the places in output, input and weight of every product.
fn products(conv: &Conv, batch: usize, mut each: impl FnMut(usize, usize, usize)) {
    let (w, gi, go) = (&conv.window, conv.group_in(), conv.group_out());
    for m in 0..batch * w.positions() {
        let (b, oh, ow) = w.locate(m);
        for o in 0..conv.out_channels {
            for tap in 0..w.taps() {
                let h = oh * w.stride[0] + tap / w.kernel[1] * w.dilation[0];
                let v = ow * w.stride[1] + tap % w.kernel[1] * w.dilation[1];
                let inside = h >= w.padding[0]
                    && v >= w.padding[1]
                    && h - w.padding[0] < w.input[0]
                    && v - w.padding[1] < w.input[1];
                if !inside {
                    continue;
                }
                let pixel = (b * w.input[0] + h - w.padding[0]) * w.input[1] + v - w.padding[1];
                for i in 0..gi {
                    let c = o / go * gi + i;
                    each(
                        m * conv.out_channels + o,
                        pixel * conv.in_channels + c,
                        (o * w.taps() + tap) * gi + i,
                    );
                }
            }
        }
    }
}

struct Case {
    conv: Conv,
    batch: usize,
    x: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    dy: Vec<f32>,
}

impl Case {
    fn new(conv: Conv, batch: usize) -> Self {
        let outputs = batch * conv.window.positions() * conv.out_channels;
        Self {
            conv,
            batch,
            x: numbers("x", batch * conv.window.pixels() * conv.in_channels),
            weight: numbers("w", conv.out_channels * conv.patch()),
            bias: numbers("b", conv.out_channels),
            dy: numbers("dy", outputs),
        }
    }

    /// Output, input gradient and weight gradient by the plain loop, in 64 bits.
    fn expected(&self) -> [Vec<f32>; 3] {
        let zeros = |like: &[f32]| vec![0f64; like.len()];
        let (mut y, mut dx, mut dw) = (zeros(&self.dy), zeros(&self.x), zeros(&self.weight));
        let at = |v: &[f32], i: usize| f64::from(v[i]);
        products(&self.conv, self.batch, |o, i, k| {
            y[o] += at(&self.x, i) * at(&self.weight, k);
            dx[i] += at(&self.dy, o) * at(&self.weight, k);
            dw[k] += at(&self.dy, o) * at(&self.x, i);
        });
        for (i, y) in y.iter_mut().enumerate() {
            *y += at(&self.bias, i % self.conv.out_channels);
        }
        [y, dx, dw].map(|v| v.into_iter().map(|v| v as f32).collect())
    }

    fn check(&self) {
        let [y, dx, dw] = self.expected();
        let conv = &self.conv;
        // What buffers held before must not matter, except for the weight's gradient, which adds up.
        let mut got = vec![f32::NAN; y.len()];
        let epilogue = Epilogue::bias(Some(&self.bias));
        conv.forward(&self.x, &self.weight, &epilogue, &mut got);
        assert_near(&got, &y, 1e-5);
        let mut got = vec![f32::NAN; dx.len()];
        conv.backward_input(&self.dy, &self.weight, &mut got);
        assert_near(&got, &dx, 1e-5);
        for method in [Conv::backward_weight, Conv::weight_by_parts] {
            let mut got = vec![1.0; dw.len()];
            method(conv, &self.x, &self.dy, &mut got);
            got.iter_mut().for_each(|g| *g -= 1.0);
            assert_near(&got, &dw, 1e-5);
        }
        if conv.groups == 1 {
            let mut got = vec![0.0; dw.len()];
            conv.weight_by_columns(&self.x, &self.dy, &mut got);
            assert_near(&got, &dw, 1e-5);
        }
    }

    /// The same through the depthwise loops.
    fn check_depthwise(&self) {
        let [y, dx, dw] = self.expected();
        let (window, channels) = (&self.conv.window, self.conv.in_channels);
        let taps = window.taps();
        let mut weight = vec![0.0; self.weight.len()];
        for (i, w) in self.weight.iter().enumerate() {
            weight[i % taps * channels + i / taps] = *w;
        }
        let mut got = vec![f32::NAN; y.len()];
        depthwise::forward(
            window,
            channels,
            &self.x,
            &weight,
            &Epilogue::bias(Some(&self.bias)),
            &mut got,
        );
        assert_near(&got, &y, 1e-5);
        let mut got = vec![f32::NAN; dx.len()];
        depthwise::backward_input(window, channels, &self.dy, &weight, &mut got);
        assert_near(&got, &dx, 1e-5);
        let mut packed = vec![0.0; dw.len()];
        depthwise::backward_weight(window, channels, &self.x, &self.dy, &mut packed);
        let got: Vec<f32> = (0..dw.len())
            .map(|i| packed[i % taps * channels + i / taps])
            .collect();
        assert_near(&got, &dw, 1e-5);
    }
}

fn window(input: [usize; 2], kernel: [usize; 2], stride: [usize; 2]) -> Window {
    padded_window(input, kernel, stride, [0, 0], [1, 1])
}

fn padded_window(
    input: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
) -> Window {
    let output = |axis: usize| {
        let reach = dilation[axis] * (kernel[axis] - 1) + 1;
        (input[axis] + 2 * padding[axis] - reach) / stride[axis] + 1
    };
    Window {
        input,
        output: [output(0), output(1)],
        kernel,
        stride,
        padding,
        dilation,
    }
}

/// A window that fits, with any sizes.
fn any_window(stream: &mut random::Stream) -> Window {
    loop {
        let mut pair = |most: usize| [stream.random_range(1..=most), stream.random_range(1..=most)];
        let (input, kernel, stride, dilation) = (pair(9), pair(4), pair(3), pair(2));
        let padding = pair(3).map(|p| p - 1);
        let fits = (0..2).all(|a| input[a] + 2 * padding[a] > dilation[a] * (kernel[a] - 1));
        if fits {
            return padded_window(input, kernel, stride, padding, dilation);
        }
    }
}

#[test]
fn any_convolution_agrees_with_the_plain_loop_in_three_directions() {
    let mut stream = random::stream(1, "convolutions");
    for _ in 0..120 {
        let groups = [1, 1, 2, 3][stream.random_range(0..4)];
        let conv = Conv {
            window: any_window(&mut stream),
            in_channels: groups * stream.random_range(1..6),
            out_channels: groups * stream.random_range(1..6),
            groups,
        };
        Case::new(conv, stream.random_range(1..4)).check();
    }
}

#[test]
fn any_depthwise_convolution_agrees_with_the_plain_loop() {
    let mut stream = random::stream(2, "depthwise");
    for _ in 0..60 {
        let channels = [1, 3, 16, 35][stream.random_range(0..4)];
        let conv = Conv {
            window: any_window(&mut stream),
            in_channels: channels,
            out_channels: channels,
            groups: channels,
        };
        Case::new(conv, stream.random_range(1..4)).check_depthwise();
    }
}

#[test]
fn several_tiles_blocks_and_parts_agree_with_the_plain_loop() {
    let cases = [
        // Many rows, few channels: several row blocks.
        (window([40, 30], [3, 3], [1, 1]), 3, 5, 3),
        // Few rows, many channels: columns are cut.
        (window([4, 3], [1, 1], [1, 1]), 140, 300, 2),
        (
            padded_window([5, 4], [3, 3], [2, 2], [1, 1], [1, 1]),
            128,
            140,
            2,
        ),
        // A patch so large that a tile is small.
        (window([13, 12], [1, 1], [1, 1]), 40, 8, 9),
    ];
    for (window, in_channels, out_channels, batch) in cases {
        let conv = Conv {
            window,
            in_channels,
            out_channels,
            groups: 1,
        };
        Case::new(conv, batch).check();
    }
}
