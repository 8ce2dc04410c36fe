// Depthwise convolution: every channel with its own kernel.
//
// Letters: B samples, C channels, T taps, K kernel side, S stride, P parts of the rows. Images
// [B, H, W, C], weights [T, C] in float.
//
// A thread computes packs of neighbouring channels (coalesced, weights too). `depthwise_forward` and
// `depthwise_backward_input` take any window, a pixel at a time. `depthwise_forward_kKsS` are for the
// usual ones (square kernel of side K, stride S, dilation 1): a thread computes four pixels of a row, so
// that a weight is loaded once for four and an input pixel once for all taps of a kernel row that read
// it. With `flipped` they also give the input's gradient for stride 1, over the reversed window.
//
// Deterministic: the input's gradient gathers, in the order of taps; the weight's gradient is summed in
// two stages over parts of a fixed size.

#pragma once

#include "columns.cuh"
#include "window.cuh"

template <unsigned N>
__device__ void add_product(Floats<N>& sum, const Floats<N>& a, const Floats<N>& b) {
#pragma unroll
    for (unsigned j = 0; j < N; j++) {
        sum[j] += a[j] * b[j];
    }
}

// y = conv(x), plus `bias` unless it is null. Any window.
template <typename T>
__device__ void depthwise_forward(
    const T* x, const float* weight, const float* bias, T* y, Window window, unsigned samples, unsigned channels) {
    unsigned pixels = samples * window.output[0] * window.output[1];
    for_each_pack(pixels, channels, [&](auto lanes, unsigned pixel, unsigned channel) {
        constexpr unsigned N = decltype(lanes)::count;
        Pixel out(pixel, window.output);
        Floats<N> sum = bias ? load<N>(bias + channel) : all<N>(0.0f);
        for (int kh = 0; kh < window.kernel[0]; kh++) {
            int ih = window.source(0, out.h, kh);
            if (!window.inside(0, ih)) {
                continue;
            }
            for (int kw = 0; kw < window.kernel[1]; kw++) {
                int iw = window.source(1, out.w, kw);
                if (window.inside(1, iw)) {
                    size_t at = pixel_at(out.sample, window.input, ih, iw, channels) + channel;
                    size_t tap = size_t(kh * window.kernel[1] + kw) * channels;
                    add_product(sum, load<N>(x + at), load<N>(weight + tap + channel));
                }
            }
        }
        store<N>(y + size_t(pixel) * channels + channel, sum);
    });
}

// dx from dy: every input pixel asks which outputs read it. Any window.
template <typename T>
__device__ void depthwise_backward_input(
    const T* dy, const float* weight, T* dx, Window window, unsigned samples, unsigned channels) {
    unsigned pixels = samples * window.input[0] * window.input[1];
    for_each_pack(pixels, channels, [&](auto lanes, unsigned pixel, unsigned channel) {
        constexpr unsigned N = decltype(lanes)::count;
        Pixel in(pixel, window.input);
        Floats<N> sum = all<N>(0.0f);
        for (int kh = 0; kh < window.kernel[0]; kh++) {
            int oh = window.reader(0, in.h, kh);
            if (oh < 0) {
                continue;
            }
            for (int kw = 0; kw < window.kernel[1]; kw++) {
                int ow = window.reader(1, in.w, kw);
                if (ow >= 0) {
                    size_t at = pixel_at(in.sample, window.output, oh, ow, channels) + channel;
                    size_t tap = size_t(kh * window.kernel[1] + kw) * channels;
                    add_product(sum, load<N>(dy + at), load<N>(weight + tap + channel));
                }
            }
        }
        store<N>(dx + size_t(pixel) * channels + channel, sum);
    });
}

// Pixels of a row that one thread computes.
constexpr int STRIP = 4;

template <unsigned N, int K, int S, typename T>
__device__ void depthwise_strips(
    const T* x, const float* weight, const float* bias, T* y, const Window& window, unsigned samples, unsigned channels,
    int flipped) {
    constexpr int REACH = (STRIP - 1) * S + K;
    unsigned strips = (window.output[1] + STRIP - 1) / STRIP;
    unsigned rows = samples * window.output[0];
    packs_of<N>(rows * strips, channels, [&](auto, unsigned item, unsigned channel) {
        unsigned row = item / strips;
        unsigned sample = row / window.output[0];
        int oh = row % window.output[0];
        int first = item % strips * STRIP;
        Floats<N> sums[STRIP];
#pragma unroll
        for (int p = 0; p < STRIP; p++) {
            sums[p] = bias ? load<N>(bias + channel) : all<N>(0.0f);
        }
        for (int kh = 0; kh < K; kh++) {
            int ih = oh * S + kh - window.padding[0];
            if (!window.inside(0, ih)) {
                continue;
            }
            Floats<N> line[REACH];
#pragma unroll
            for (int i = 0; i < REACH; i++) {
                int iw = first * S + i - window.padding[1];
                line[i] = window.inside(1, iw)
                    ? load<N>(x + pixel_at(sample, window.input, ih, iw, channels) + channel)
                    : all<N>(0.0f);
            }
#pragma unroll
            for (int kw = 0; kw < K; kw++) {
                int tap = flipped ? K * K - 1 - (kh * K + kw) : kh * K + kw;
                Floats<N> w = load<N>(weight + size_t(tap) * channels + channel);
#pragma unroll
                for (int p = 0; p < STRIP; p++) {
                    add_product(sums[p], line[p * S + kw], w);
                }
            }
        }
#pragma unroll
        for (int p = 0; p < STRIP; p++) {
            if (first + p < window.output[1]) {
                store<N>(y + pixel_at(sample, window.output, oh, first + p, channels) + channel, sums[p]);
            }
        }
    });
}

template <int K, int S, typename T>
__device__ void depthwise_square(
    const T* x, const float* weight, const float* bias, T* y, const Window& window, unsigned samples, unsigned channels,
    int flipped) {
    if (channels % WIDTH == 0) {
        depthwise_strips<WIDTH, K, S>(x, weight, bias, y, window, samples, channels, flipped);
    } else {
        depthwise_strips<1, K, S>(x, weight, bias, y, window, samples, channels, flipped);
    }
}

// A thread keeps the sums of TAPS neighbouring taps of a kernel row.
template <unsigned N, int TAPS, typename T>
__device__ void depthwise_weight_tile(
    const T* x, const T* dy, float* partials, const Window& window, unsigned samples, unsigned channels,
    unsigned rows_per_part) {
    Tile<N> tile(channels);
    int groups = (window.kernel[1] + TAPS - 1) / TAPS;
    int kh = blockIdx.z / groups, first_tap = blockIdx.z % groups * TAPS;
    int count = window.kernel[1] - first_tap < TAPS ? window.kernel[1] - first_tap : TAPS;
    unsigned rows = samples * window.output[0];
    unsigned first = blockIdx.y * rows_per_part;
    unsigned last = rows - first < rows_per_part ? rows : first + rows_per_part;
    // From one output pixel to the next the inputs only move up by one.
    bool slides = window.stride[1] == 1 && window.dilation[1] == 1;
    Floats<N> sums[TAPS], inputs[TAPS];
#pragma unroll
    for (int k = 0; k < TAPS; k++) {
        sums[k] = all<N>(0.0f);
    }
    for (unsigned row = first + tile.line; tile.inside && row < last; row += tile.lines) {
        unsigned sample = row / window.output[0];
        int oh = row % window.output[0];
        int ih = window.source(0, oh, kh);
        if (!window.inside(0, ih)) {
            continue;
        }
        auto input = [&](int ow, int k) {
            int iw = window.source(1, ow, first_tap + k);
            return k < count && window.inside(1, iw)
                ? load<N>(x + pixel_at(sample, window.input, ih, iw, channels) + tile.channel)
                : all<N>(0.0f);
        };
        for (int ow = 0; ow < window.output[1]; ow++) {
            Floats<N> g = load<N>(dy + pixel_at(sample, window.output, oh, ow, channels) + tile.channel);
            bool fresh = ow == 0 || !slides;
#pragma unroll
            for (int k = 0; k < TAPS; k++) {
                // The last of `count` inputs is new; those above it are never used.
                inputs[k] = fresh || k == TAPS - 1 || k == count - 1 ? input(ow, k) : inputs[k + 1 < TAPS ? k + 1 : k];
                add_product(sums[k], inputs[k], g);
            }
        }
    }
    size_t taps = window.taps();
#pragma unroll
    for (int k = 0; k < TAPS; k++) {
        if (k < count) {
            Floats<N> total = total_of_lines(tile, sums[k]);
            size_t tap = kh * window.kernel[1] + first_tap + k;
            if (tile.line == 0 && tile.inside) {
                store<N>(partials + (blockIdx.y * taps + tap) * channels + tile.channel, total);
            }
        }
    }
}

// Most taps that a thread sums, and as many as the commonest kernel has in a row.
constexpr int MOST_TAPS = 8, FEW_TAPS = 3;

// Stage one of the weight's gradient over rows of output pixels; `partials` [P, T, C]. Stage two is
// `add_column_totals` over T C columns. Grid (tiles, parts, kernel height * ceil(kernel width / 8)).
template <typename T>
__device__ void depthwise_weight_sums(
    const T* x, const T* dy, float* partials, Window window, unsigned samples, unsigned channels,
    unsigned rows_per_part) {
    if (channels % WIDTH != 0) {
        depthwise_weight_tile<1, MOST_TAPS>(x, dy, partials, window, samples, channels, rows_per_part);
    } else if (window.kernel[1] <= FEW_TAPS) {
        depthwise_weight_tile<WIDTH, FEW_TAPS>(x, dy, partials, window, samples, channels, rows_per_part);
    } else {
        depthwise_weight_tile<WIDTH, MOST_TAPS>(x, dy, partials, window, samples, channels, rows_per_part);
    }
}

EXPORT(depthwise_forward,
       (const T* x, const float* weight, const float* bias, T* y, Window window, unsigned samples, unsigned channels),
       (x, weight, bias, y, window, samples, channels))
EXPORT(depthwise_backward_input,
       (const T* dy, const float* weight, T* dx, Window window, unsigned samples, unsigned channels),
       (dy, weight, dx, window, samples, channels))
EXPORT(depthwise_weight_sums,
       (const T* x, const T* dy, float* partials, Window window, unsigned samples, unsigned channels,
        unsigned rows_per_part),
       (x, dy, partials, window, samples, channels, rows_per_part))

#define EXPORT_SQUARE(K, S)                                                                               \
    template <typename T>                                                                                 \
    __device__ void depthwise_forward_k##K##s##S(                                                         \
        const T* x, const float* weight, const float* bias, T* y, const Window& window, unsigned samples, \
        unsigned channels, int flipped) {                                                                 \
        depthwise_square<K, S>(x, weight, bias, y, window, samples, channels, flipped);                   \
    }                                                                                                     \
    EXPORT(depthwise_forward_k##K##s##S,                                                                  \
           (const T* x, const float* weight, const float* bias, T* y, Window window, unsigned samples,    \
            unsigned channels, int flipped),                                                              \
           (x, weight, bias, y, window, samples, channels, flipped))

EXPORT_SQUARE(3, 1)
EXPORT_SQUARE(3, 2)
EXPORT_SQUARE(5, 1)
EXPORT_SQUARE(5, 2)
EXPORT_SQUARE(7, 1)
EXPORT_SQUARE(7, 2)
