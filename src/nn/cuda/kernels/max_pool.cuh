// Max pooling over windows of [B, H, W, C].
//
// Letters: B samples, C channels. Threads run along channels (coalesced). The forward pass notes which
// tap won, the first of equals, as PyTorch; padding never wins, a NaN always does. The backward pass
// gathers: every input pixel asks the outputs that could have read it whether it won, in the order of
// taps, so no two threads add to one place.

#pragma once

#include "window.cuh"

// y [B, OH, OW, C], `taps` likewise. Minus infinity for a window that lies in the padding.
template <typename T>
__device__ void max_pool_forward(
    const T* x, T* y, uint16_t* taps, Window window, unsigned samples, unsigned channels) {
    unsigned pixels = samples * window.output[0] * window.output[1];
    for_each_pack(pixels, channels, [&](auto lanes, unsigned pixel, unsigned channel) {
        constexpr unsigned N = decltype(lanes)::count;
        Pixel out(pixel, window.output);
        Floats<N> best = all<N>(-INFINITY);
        Pack<uint16_t, N> winner;
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            winner.values[j] = 0;
        }
        bool first = true;
        for (int tap = 0; tap < window.taps(); tap++) {
            int ih = window.source(0, out.h, tap / window.kernel[1]);
            int iw = window.source(1, out.w, tap % window.kernel[1]);
            if (!window.inside(0, ih) || !window.inside(1, iw)) {
                continue;
            }
            Floats<N> v = load<N>(x + pixel_at(out.sample, window.input, ih, iw, channels) + channel);
#pragma unroll
            for (unsigned j = 0; j < N; j++) {
                if (first || v[j] > best[j] || v[j] != v[j]) {
                    best[j] = v[j];
                    winner.values[j] = uint16_t(tap);
                }
            }
            first = false;
        }
        size_t at = size_t(pixel) * channels + channel;
        store<N>(y + at, best);
        *reinterpret_cast<Pack<uint16_t, N>*>(taps + at) = winner;
    });
}

// dx [B, H, W, C]: every value receives the gradients of the windows that it won.
template <typename T>
__device__ void max_pool_backward(
    const T* dy, const uint16_t* taps, T* dx, Window window, unsigned samples, unsigned channels) {
    unsigned pixels = samples * window.input[0] * window.input[1];
    for_each_pack(pixels, channels, [&](auto lanes, unsigned pixel, unsigned channel) {
        constexpr unsigned N = decltype(lanes)::count;
        Pixel in(pixel, window.input);
        Floats<N> sum = all<N>(0.0f);
        for (int tap = 0; tap < window.taps(); tap++) {
            int oh = window.reader(0, in.h, tap / window.kernel[1]);
            int ow = window.reader(1, in.w, tap % window.kernel[1]);
            if (oh < 0 || ow < 0) {
                continue;
            }
            size_t at = pixel_at(in.sample, window.output, oh, ow, channels) + channel;
            Floats<N> g = load<N>(dy + at);
            Pack<uint16_t, N> winner = *reinterpret_cast<const Pack<uint16_t, N>*>(taps + at);
#pragma unroll
            for (unsigned j = 0; j < N; j++) {
                sum[j] += winner.values[j] == tap ? g[j] : 0.0f;
            }
        }
        store<N>(dx + size_t(pixel) * channels + channel, sum);
    });
}

EXPORT(max_pool_forward,
       (const T* x, T* y, uint16_t* taps, Window window, unsigned samples, unsigned channels),
       (x, y, taps, window, samples, channels))
EXPORT(max_pool_backward,
       (const T* dy, const uint16_t* taps, T* dx, Window window, unsigned samples, unsigned channels),
       (dy, taps, dx, window, samples, channels))
