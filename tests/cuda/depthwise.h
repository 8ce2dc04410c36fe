// Depthwise convolutions against the plain loop.

#pragma once

#include "windows.h"

template <typename T>
void depthwise_case(const Window& w, unsigned samples, unsigned channels) {
    unsigned taps = w.kernel[0] * w.kernel[1];
    size_t inputs = size_t(samples) * in_pixels(w) * channels, outputs = size_t(samples) * out_pixels(w) * channels;
    Array<T> x(inputs, -1, 1), dy(outputs, -1, 1), y(outputs), dx(inputs);
    Array<float> weight(taps * channels, -1, 1), bias(channels, -1, 1), dweight(taps * channels, -1, 1);
    bool with_bias = whole(0, 1);
    std::vector<double> want(outputs), want_dx(inputs), want_dw(dweight.size());
    for (size_t i = 0; i < outputs; i++) {
        want[i] = with_bias ? bias.at(i % channels) : 0.0;
    }
    for (size_t i = 0; i < want_dw.size(); i++) {
        want_dw[i] = dweight.at(i);
    }
    for_each_read(w, samples, channels, [&](size_t out, size_t in, int tap, unsigned c) {
        double factor = weight.at(tap * channels + c);
        want[out] += x.at(in) * factor;
        want_dx[in] += dy.at(out) * factor;
        want_dw[tap * channels + c] += x.at(in) * dy.at(out);
    });
    float* b = with_bias ? bias.data() : nullptr;
    LAUNCH(T, depthwise_forward, any_grid(), THREADS, x.data(), weight.data(), b, y.data(), w, samples, channels);
    near(named<T>("depthwise_forward"), y, want);
    LAUNCH(T, depthwise_backward_input, any_grid(), THREADS, dy.data(), weight.data(), dx.data(), w, samples, channels);
    near(named<T>("depthwise_backward_input"), dx, want_dx);

    Columns columns(samples * w.output[0], channels);
    Array<float> partials(size_t(columns.parts) * taps * channels), again(partials.size());
    dim3 grid(columns.tiles, columns.parts, w.kernel[0] * ((w.kernel[1] + 7) / 8));
    LAUNCH(T, depthwise_weight_sums, grid, THREADS, x.data(), dy.data(), partials.data(), w, samples, channels,
           columns.rows_per_part);
    LAUNCH(T, depthwise_weight_sums, grid, THREADS, x.data(), dy.data(), again.data(), w, samples, channels,
           columns.rows_per_part);
    expect(named<T>("depthwise_weight_sums"), partials.equals(again), "two runs differ");
    LAUNCH_ONE(add_column_totals, totals_grid(taps * channels), WIDE, partials.data(), columns.parts, taps * channels,
               taps * channels, 1.0f, dweight.data(), (float*)nullptr);
    near(named<T>("depthwise_weight_sums"), dweight, want_dw);

    // The kernels for usual windows must agree with the general ones.
    if (w.kernel[0] != w.kernel[1] || w.stride[0] != w.stride[1] || w.dilation[0] != 1 || w.dilation[1] != 1) {
        return;
    }
    int kernel = w.kernel[0], stride = w.stride[0];
    // The window that takes gradients back: the kernel flipped, over the output.
    Window reversed = {{w.output[0], w.output[1]}, {w.input[0], w.input[1]}, {kernel, kernel}, {1, 1},
                       {kernel - 1 - w.padding[0], kernel - 1 - w.padding[1]}, {1, 1}};
#define SQUARE(K, S)                                                                                                          \
    if (kernel == K && stride == S) {                                                                                         \
        Array<T> fast(outputs), fast_dx(inputs);                                                                              \
        LAUNCH(T, depthwise_forward_k##K##s##S, any_grid(), THREADS, x.data(), weight.data(), b, fast.data(), w, samples,     \
               channels, 0);                                                                                                  \
        near(named<T>("depthwise_forward_k" #K "s" #S), fast, want);                                                          \
        if (S == 1) {                                                                                                         \
            LAUNCH(T, depthwise_forward_k##K##s##S, any_grid(), THREADS, dy.data(), weight.data(), (float*)nullptr,           \
                   fast_dx.data(), reversed, samples, channels, 1);                                                           \
            near(named<T>("depthwise_forward_k" #K "s" #S), fast_dx, want_dx);                                                \
        }                                                                                                                     \
    }
    SQUARE(3, 1) SQUARE(3, 2) SQUARE(5, 1) SQUARE(5, 2) SQUARE(7, 1) SQUARE(7, 2)
#undef SQUARE
}

template <typename T>
void test_depthwise() {
    for (int i = 0; i < 10; i++) {
        depthwise_case<T>(random_window(5, 2), whole(1, 3), i % 2 ? whole(1, 40) : 4 * whole(1, 10));
    }
    for (int kernel : {3, 5, 7}) {
        for (int stride : {1, 2}) {
            depthwise_case<T>(square_window(9, 14, kernel, stride, kernel / 2), 2, 24);
            depthwise_case<T>(square_window(8, 7, kernel, stride, whole(0, kernel / 2)), 1, 5);
        }
    }
    // Wider than a group of taps, more channels than a tile, more rows than a part.
    depthwise_case<T>({{5, 13}, {5, 5}, {1, 9}, {1, 1}, {0, 0}, {1, 1}}, 2, 12);
    depthwise_case<T>(square_window(14, 11, 3, 1, 1), 8, 132);
    depthwise_case<T>(square_window(1, 1, 7, 1, 3), 3, 8);
}
