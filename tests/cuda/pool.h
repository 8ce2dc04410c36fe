// Pools against the plain loop, ties and NaN included.

#pragma once

#include "windows.h"

template <typename T>
void max_pool_case(const Window& w, unsigned samples, unsigned channels) {
    size_t inputs = size_t(samples) * in_pixels(w) * channels, outputs = size_t(samples) * out_pixels(w) * channels;
    Array<T> x(inputs), dy(outputs, -1, 1), y(outputs), dx(inputs);
    // Few different values: many ties. One value in fifty is no number.
    for (size_t i = 0; i < inputs; i++) {
        x[i] = narrow<T>(whole(0, 49) == 0 ? std::nan("") : double(whole(0, 4)) - 2);
    }
    Array<uint16_t> taps(outputs);
    std::vector<double> want(outputs, -INFINITY), want_taps(outputs, 0.0), want_dx(inputs, 0.0);
    std::vector<size_t> winner(outputs, inputs);
    for_each_read(w, samples, channels, [&](size_t out, size_t in, int tap, unsigned) {
        if (winner[out] == inputs || x.at(in) > want[out] || std::isnan(x.at(in))) {
            want[out] = x.at(in);
            want_taps[out] = tap;
            winner[out] = in;
        }
    });
    for (size_t i = 0; i < outputs; i++) {
        if (winner[i] < inputs) {
            want_dx[winner[i]] += dy.at(i);
        }
    }
    LAUNCH(T, max_pool_forward, any_grid(), THREADS, x.data(), y.data(), taps.data(), w, samples, channels);
    near(named<T>("max_pool_forward"), y, want, 0.0);
    near(named<T>("max_pool_forward"), taps, want_taps, 0.0);
    LAUNCH(T, max_pool_backward, any_grid(), THREADS, dy.data(), taps.data(), dx.data(), w, samples, channels);
    near(named<T>("max_pool_backward"), dx, want_dx);
}

template <typename T>
void average_pool_case(const Window& w, unsigned samples, unsigned channels, int counts) {
    size_t inputs = size_t(samples) * in_pixels(w) * channels, outputs = size_t(samples) * out_pixels(w) * channels;
    Array<T> x(inputs, -1, 1), dy(outputs, -1, 1), y(outputs), dx(inputs);
    std::vector<double> want(outputs), want_dx(inputs);
    // Taps along an axis that lie in the image, or in the padding where that counts.
    auto counted = [&](int axis, int out) {
        int count = 0, margin = counts ? w.padding[axis] : 0;
        for (int tap = 0; tap < w.kernel[axis]; tap++) {
            int at = out * w.stride[axis] + tap - w.padding[axis];
            count += at >= -margin && at < w.input[axis] + margin;
        }
        return count;
    };
    for_each_read(w, samples, channels, [&](size_t out, size_t in, int, unsigned) {
        int pixel = out / channels % out_pixels(w);
        double share = 1.0 / (counted(0, pixel / w.output[1]) * counted(1, pixel % w.output[1]));
        want[out] += x.at(in) * share;
        want_dx[in] += dy.at(out) * share;
    });
    LAUNCH(T, average_pool_forward, any_grid(), THREADS, x.data(), y.data(), w, samples, channels, counts);
    LAUNCH(T, average_pool_backward, any_grid(), THREADS, dy.data(), dx.data(), w, samples, channels, counts);
    near(named<T>("average_pool_forward"), y, want);
    near(named<T>("average_pool_backward"), dx, want_dx);
}

template <typename T>
void adaptive_pool_case(const Sides& sides, unsigned samples, unsigned channels) {
    const int* in = sides.input;
    const int* to = sides.output;
    size_t inputs = size_t(samples) * in[0] * in[1] * channels, outputs = size_t(samples) * to[0] * to[1] * channels;
    Array<T> x(inputs, -1, 1), dy(outputs, -1, 1), y(outputs), dx(inputs);
    std::vector<double> want(outputs), want_dx(inputs);
    auto from = [&](int axis, int out) { return int(std::floor(double(out) * in[axis] / to[axis])); };
    auto until = [&](int axis, int out) { return int(std::ceil(double(out + 1) * in[axis] / to[axis])); };
    for (unsigned b = 0; b < samples; b++) {
        for (int oh = 0; oh < to[0]; oh++) {
            for (int ow = 0; ow < to[1]; ow++) {
                double share = 1.0 / ((until(0, oh) - from(0, oh)) * (until(1, ow) - from(1, ow)));
                for (int ih = from(0, oh); ih < until(0, oh); ih++) {
                    for (int iw = from(1, ow); iw < until(1, ow); iw++) {
                        for (unsigned c = 0; c < channels; c++) {
                            size_t i = ((size_t(b) * in[0] + ih) * in[1] + iw) * channels + c;
                            size_t o = ((size_t(b) * to[0] + oh) * to[1] + ow) * channels + c;
                            want[o] += x.at(i) * share;
                            want_dx[i] += dy.at(o) * share;
                        }
                    }
                }
            }
        }
    }
    LAUNCH(T, adaptive_pool_forward, any_grid(), THREADS, x.data(), y.data(), sides, samples, channels);
    LAUNCH(T, adaptive_pool_backward, any_grid(), THREADS, dy.data(), dx.data(), sides, samples, channels);
    near(named<T>("adaptive_pool_forward"), y, want);
    near(named<T>("adaptive_pool_backward"), dx, want_dx);
    if (to[0] == 1 && to[1] == 1) {
        Array<T> mean(outputs);
        unsigned pixels = in[0] * in[1];
        dim3 grid(Columns(pixels, channels).tiles, samples);
        LAUNCH(T, global_average_forward, grid, THREADS, x.data(), mean.data(), pixels, channels);
        near(named<T>("global_average_forward"), mean, want);
    }
}

template <typename T>
void test_pools() {
    for (int i = 0; i < 10; i++) {
        unsigned channels = i % 2 ? whole(1, 40) : 4 * whole(1, 10);
        max_pool_case<T>(random_window(4, 2), whole(1, 3), channels);
        average_pool_case<T>(random_window(4, 1), whole(1, 3), channels, i / 2 % 2);
        int in[2] = {int(whole(1, 15)), int(whole(1, 15))};
        adaptive_pool_case<T>({{in[0], in[1]}, {int(whole(1, 8)), int(whole(1, 8))}}, whole(1, 3), channels);
        adaptive_pool_case<T>({{in[0], in[1]}, {1, 1}}, whole(1, 3), channels);
    }
    max_pool_case<T>(square_window(16, 15, 3, 2, 1), 2, 64);
    average_pool_case<T>(square_window(8, 8, 2, 2, 0), 2, 64, 1);
    // The last windows reach beyond the image: the output is a pixel wider than whole strides make it.
    Window beyond = square_window(8, 4, 3, 2, 0);
    beyond.output[0]++;
    beyond.output[1]++;
    average_pool_case<T>(beyond, 2, 8, 0);
    average_pool_case<T>(beyond, 2, 8, 1);
    adaptive_pool_case<T>({{20, 31}, {1, 1}}, 2, 200);
}
