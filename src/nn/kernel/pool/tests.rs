use super::*;
use crate::nn::kernel::testing::{assert_near, numbers};

const C: usize = 3;

fn window(
    input: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
) -> Window {
    let output = |a: usize| (input[a] + 2 * padding[a] - kernel[a]) / stride[a] + 1;
    let output = [output(0), output(1)];
    of_output(input, output, kernel, stride, padding)
}

fn of_output(
    input: [usize; 2],
    output: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
) -> Window {
    Window {
        input,
        output,
        kernel,
        stride,
        padding,
        dilation: [1, 1],
    }
}

const BATCH: usize = 2;

fn windows() -> Vec<Window> {
    vec![
        window([8, 8], [2, 2], [2, 2], [0, 0]),
        window([9, 6], [3, 3], [2, 2], [1, 1]),
        window([5, 7], [3, 2], [1, 3], [1, 0]),
        // The last windows reach beyond image and padding.
        of_output([6, 5], [3, 3], [3, 3], [2, 2], [0, 0]),
        of_output([6, 7], [4, 4], [3, 3], [2, 2], [1, 1]),
    ]
}

/// Calls `each` with every output value's place and the places of the inputs in its window.
fn plain(w: &Window, mut each: impl FnMut(usize, Vec<usize>)) {
    for m in 0..BATCH * w.positions() {
        let (b, oh, ow) = w.locate(m);
        for c in 0..C {
            let mut inputs = Vec::new();
            for h in 0..w.input[0] {
                for v in 0..w.input[1] {
                    let within = |at: usize, out: usize, a: usize| {
                        (out * w.stride[a]..out * w.stride[a] + w.kernel[a])
                            .contains(&(at + w.padding[a]))
                    };
                    if within(h, oh, 0) && within(v, ow, 1) {
                        inputs.push(((b * w.input[0] + h) * w.input[1] + v) * C + c);
                    }
                }
            }
            each(m * C + c, inputs);
        }
    }
}

#[test]
fn max_pooling_agrees_with_the_plain_loop() {
    for w in windows() {
        let x = numbers("x", BATCH * w.pixels() * C);
        let outputs = BATCH * w.positions() * C;
        let dy = numbers("dy", outputs);
        let (mut y, mut dx) = (vec![0.0; outputs], vec![0.0; x.len()]);
        plain(&w, |o, inputs| {
            let best = inputs
                .into_iter()
                .reduce(|a, b| if x[b] > x[a] { b } else { a })
                .unwrap();
            y[o] = x[best];
            dx[best] += dy[o];
        });
        let (mut got, mut taps) = (vec![f32::NAN; outputs], vec![0; outputs]);
        max_forward(&w, C, &x, &mut got, &mut taps);
        assert_eq!(got, y);
        let mut got = vec![f32::NAN; x.len()];
        max_backward(&w, C, &dy, &taps, &mut got);
        assert_near(&got, &dx, 1e-6);
    }
}

#[test]
fn the_first_of_equal_maxima_takes_the_whole_gradient() {
    let w = window([2, 2], [2, 2], [1, 1], [0, 0]);
    let (mut y, mut taps, mut dx) = ([0.0], [0], [9.0; 4]);
    max_forward(&w, 1, &[1.0, 5.0, 5.0, 5.0], &mut y, &mut taps);
    max_backward(&w, 1, &[2.0], &taps, &mut dx);
    assert_eq!((y, dx), ([5.0], [0.0, 2.0, 0.0, 0.0]));
}

#[test]
fn negative_images_are_not_beaten_by_their_padding_and_nan_is_not_lost() {
    let w = window([1, 1], [3, 3], [1, 1], [1, 1]);
    let (mut y, mut taps) = ([0.0], [0]);
    max_forward(&w, 1, &[-7.0], &mut y, &mut taps);
    assert_eq!(y, [-7.0]);
    let w = window([1, 2], [1, 2], [1, 1], [0, 0]);
    max_forward(&w, 1, &[f32::NAN, 1.0], &mut y, &mut taps);
    assert!(y[0].is_nan());
}

/// How many places of a window lie within image and padding.
fn padded_area(w: &Window, output: usize) -> usize {
    let (_, oh, ow) = w.locate(output / C);
    let length = |axis: usize, out: usize| {
        let from = out * w.stride[axis];
        let end = w.input[axis] + 2 * w.padding[axis];
        (from..from + w.kernel[axis]).filter(|i| *i < end).count()
    };
    length(0, oh) * length(1, ow)
}

#[test]
fn average_pooling_counts_padding_as_zeros_or_not_at_all() {
    for (w, padding) in windows()
        .into_iter()
        .flat_map(|w| [(w, Padding::Counts), (w, Padding::Ignored)])
    {
        let x = numbers("x", BATCH * w.pixels() * C);
        let outputs = BATCH * w.positions() * C;
        let dy = numbers("dy", outputs);
        let (mut y, mut dx) = (vec![0.0; outputs], vec![0.0; x.len()]);
        plain(&w, |o, inputs| {
            let count = match padding {
                Padding::Counts => padded_area(&w, o),
                Padding::Ignored => inputs.len(),
            };
            let share = 1.0 / count as f32;
            for i in inputs {
                y[o] += x[i] * share;
                dx[i] += dy[o] * share;
            }
        });
        let averages = Averages::fixed(&w, padding);
        let mut got = vec![f32::NAN; outputs];
        averages.forward(C, &x, &mut got);
        assert_near(&got, &y, 1e-6);
        let mut got = vec![f32::NAN; x.len()];
        averages.backward(C, &dy, &mut got);
        assert_near(&got, &dx, 1e-6);
    }
}

#[test]
fn adaptive_windows_are_those_of_pytorch() {
    let averages = Averages::adaptive([7, 2], [3, 4]);
    let pixels = |spans: &[Span]| -> Vec<_> { spans.iter().map(|s| s.pixels.clone()).collect() };
    assert_eq!(pixels(&averages.rows), [0..3, 2..5, 4..7]);
    assert_eq!(pixels(&averages.cols), [0..1, 0..1, 1..2, 1..2]);
    let x = numbers("x", 14);
    let mut y = vec![f32::NAN; 12];
    averages.forward(1, &x, &mut y);
    assert!((y[5] - (x[4] + x[6] + x[8]) / 3.0).abs() < 1e-6);
    // Every gradient is shared out whole.
    let mut dx = vec![f32::NAN; 14];
    averages.backward(1, &[1.0; 12], &mut dx);
    assert!((dx.iter().sum::<f32>() - 12.0).abs() < 1e-5);
}
