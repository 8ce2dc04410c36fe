// Average pooling over [B, H, W, C]: windows of a fixed size, adaptive windows, and the whole image.
//
// Letters: B samples, R pixels of a sample, C channels. Threads run along channels (coalesced). Backward
// passes gather, in a fixed order. For the mean of a whole image a block shares out its pixels; lines
// are added in a fixed order.

#pragma once

#include "columns.cuh"
#include "window.cuh"

template <unsigned N>
__device__ Floats<N> times(Floats<N> sum, float factor) {
#pragma unroll
    for (unsigned j = 0; j < N; j++) {
        sum[j] *= factor;
    }
    return sum;
}

template <unsigned N>
__device__ void add_scaled(Floats<N>& sum, const Floats<N>& v, float factor) {
#pragma unroll
    for (unsigned j = 0; j < N; j++) {
        sum[j] += v[j] * factor;
    }
}

// What a value counts in the mean of output (oh, ow). Padding counts as zeros if `counts` is 1, else not at
// all; what lies beyond it, where a last window is cut short, never counts.
__device__ inline float window_share(const Window& window, int oh, int ow, int counts) {
    int area = 1;
    for (int axis = 0; axis < 2; axis++) {
        int from = window.source(axis, axis == 0 ? oh : ow, 0), to = from + window.kernel[axis];
        int margin = counts ? window.padding[axis] : 0;
        from = from < -margin ? -margin : from;
        to = to > window.input[axis] + margin ? window.input[axis] + margin : to;
        area *= to - from;
    }
    return 1.0f / area;
}

template <typename T>
__device__ void average_pool_forward(
    const T* x, T* y, Window window, unsigned samples, unsigned channels, int counts) {
    unsigned pixels = samples * window.output[0] * window.output[1];
    for_each_pack(pixels, channels, [&](auto lanes, unsigned pixel, unsigned channel) {
        constexpr unsigned N = decltype(lanes)::count;
        Pixel out(pixel, window.output);
        Floats<N> sum = all<N>(0.0f);
        for (int tap = 0; tap < window.taps(); tap++) {
            int ih = window.source(0, out.h, tap / window.kernel[1]);
            int iw = window.source(1, out.w, tap % window.kernel[1]);
            if (window.inside(0, ih) && window.inside(1, iw)) {
                add_scaled(sum, load<N>(x + pixel_at(out.sample, window.input, ih, iw, channels) + channel), 1.0f);
            }
        }
        store<N>(y + size_t(pixel) * channels + channel, times(sum, window_share(window, out.h, out.w, counts)));
    });
}

template <typename T>
__device__ void average_pool_backward(
    const T* dy, T* dx, Window window, unsigned samples, unsigned channels, int counts) {
    unsigned pixels = samples * window.input[0] * window.input[1];
    for_each_pack(pixels, channels, [&](auto lanes, unsigned pixel, unsigned channel) {
        constexpr unsigned N = decltype(lanes)::count;
        Pixel in(pixel, window.input);
        Floats<N> sum = all<N>(0.0f);
        for (int tap = 0; tap < window.taps(); tap++) {
            int oh = window.reader(0, in.h, tap / window.kernel[1]);
            int ow = window.reader(1, in.w, tap % window.kernel[1]);
            if (oh >= 0 && ow >= 0) {
                Floats<N> g = load<N>(dy + pixel_at(in.sample, window.output, oh, ow, channels) + channel);
                add_scaled(sum, g, window_share(window, oh, ow, counts));
            }
        }
        store<N>(dx + size_t(pixel) * channels + channel, sum);
    });
}

// Input and output sides of an adaptive pool, passed by value: four 32-bit integers in this order.
struct Sides {
    int input[2];
    int output[2];

    // The inputs of output `out` are `from(out) .. to(out)`: as even as whole pixels allow.
    __device__ int from(int axis, int out) const { return int(int64_t(out) * input[axis] / output[axis]); }
    __device__ int to(int axis, int out) const {
        return int((int64_t(out + 1) * input[axis] + output[axis] - 1) / output[axis]);
    }
    // The outputs that read input `in` are `first(in) .. last(in)`.
    __device__ int first(int axis, int in) const { return int(int64_t(in) * output[axis] / input[axis]); }
    __device__ int last(int axis, int in) const {
        return int((int64_t(in + 1) * output[axis] + input[axis] - 1) / input[axis]);
    }
    // What a value counts in its mean.
    __device__ float share(int oh, int ow) const {
        return 1.0f / ((to(0, oh) - from(0, oh)) * (to(1, ow) - from(1, ow)));
    }
};

// The windows of `nn.AdaptiveAvgPool2d`.
template <typename T>
__device__ void adaptive_pool_forward(const T* x, T* y, Sides sides, unsigned samples, unsigned channels) {
    unsigned pixels = samples * sides.output[0] * sides.output[1];
    for_each_pack(pixels, channels, [&](auto lanes, unsigned pixel, unsigned channel) {
        constexpr unsigned N = decltype(lanes)::count;
        Pixel out(pixel, sides.output);
        Floats<N> sum = all<N>(0.0f);
        for (int ih = sides.from(0, out.h); ih < sides.to(0, out.h); ih++) {
            for (int iw = sides.from(1, out.w); iw < sides.to(1, out.w); iw++) {
                add_scaled(sum, load<N>(x + pixel_at(out.sample, sides.input, ih, iw, channels) + channel), 1.0f);
            }
        }
        store<N>(y + size_t(pixel) * channels + channel, times(sum, sides.share(out.h, out.w)));
    });
}

// Also the gradient of the whole image's mean, with an output of one pixel.
template <typename T>
__device__ void adaptive_pool_backward(const T* dy, T* dx, Sides sides, unsigned samples, unsigned channels) {
    unsigned pixels = samples * sides.input[0] * sides.input[1];
    for_each_pack(pixels, channels, [&](auto lanes, unsigned pixel, unsigned channel) {
        constexpr unsigned N = decltype(lanes)::count;
        Pixel in(pixel, sides.input);
        Floats<N> sum = all<N>(0.0f);
        for (int oh = sides.first(0, in.h); oh < sides.last(0, in.h); oh++) {
            for (int ow = sides.first(1, in.w); ow < sides.last(1, in.w); ow++) {
                Floats<N> g = load<N>(dy + pixel_at(in.sample, sides.output, oh, ow, channels) + channel);
                add_scaled(sum, g, sides.share(oh, ow));
            }
        }
        store<N>(dx + size_t(pixel) * channels + channel, sum);
    });
}

template <unsigned N, typename T>
__device__ void global_average_tile(const T* x, T* y, unsigned rows_per_sample, unsigned channels) {
    Tile<N> tile(channels);
    unsigned sample = blockIdx.y;
    unsigned first = sample * rows_per_sample;
    Floats<N> sums[1];
    sum_rows(tile, first, first + rows_per_sample, sums, [&](auto, unsigned row, unsigned channel, auto& sums) {
        add_scaled(sums[0], load<N>(x + size_t(row) * channels + channel), 1.0f);
    });
    if (tile.line == 0 && tile.inside) {
        store<N>(y + size_t(sample) * channels + tile.channel, times(sums[0], 1.0f / rows_per_sample));
    }
}

// The mean of every image: x [B, R, C], y [B, C]. Grid (tiles, B).
template <typename T>
__device__ void global_average_forward(const T* x, T* y, unsigned rows_per_sample, unsigned channels) {
    if (channels % WIDTH == 0) {
        global_average_tile<WIDTH>(x, y, rows_per_sample, channels);
    } else {
        global_average_tile<1>(x, y, rows_per_sample, channels);
    }
}

EXPORT(average_pool_forward, (const T* x, T* y, Window window, unsigned samples, unsigned channels, int counts),
       (x, y, window, samples, channels, counts))
EXPORT(average_pool_backward, (const T* dy, T* dx, Window window, unsigned samples, unsigned channels, int counts),
       (dy, dx, window, samples, channels, counts))
EXPORT(adaptive_pool_forward, (const T* x, T* y, Sides sides, unsigned samples, unsigned channels),
       (x, y, sides, samples, channels))
EXPORT(adaptive_pool_backward, (const T* dy, T* dx, Sides sides, unsigned samples, unsigned channels),
       (dy, dx, sides, samples, channels))
EXPORT(global_average_forward, (const T* x, T* y, unsigned rows_per_sample, unsigned channels),
       (x, y, rows_per_sample, channels))
