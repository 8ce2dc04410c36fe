// The gate of squeeze-and-excitation (Hu et al. 2018): every channel of a sample times one number.
//
// Letters: B samples, R rows (pixels) of a sample, C channels. Images [B, R, C], gates [B, C].
//
// Threads run along channels (coalesced). The gate's gradient sums a sample's pixels in one block, lines
// in a fixed order.

#pragma once

#include "columns.cuh"

// y = x gate; y may be x. With dy in the place of x this is the input's gradient.
template <typename T>
__device__ void gate(const T* x, const T* factors, T* y, unsigned rows, unsigned rows_per_sample, unsigned channels) {
    stream_packs<T>(rows, channels, [&](auto lanes, unsigned row, unsigned channel) {
        constexpr unsigned N = decltype(lanes)::count;
        size_t at = size_t(row) * channels + channel;
        Floats<N> v = load<N>(x + at);
        Floats<N> f = load<N>(factors + size_t(row / rows_per_sample) * channels + channel);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            v[j] *= f[j];
        }
        store<N>(y + at, v);
    });
}

template <unsigned N, typename T>
__device__ void gate_gradient_tile(const T* x, const T* dy, T* dgate, unsigned rows_per_sample, unsigned channels) {
    Tile<N> tile(channels);
    unsigned sample = blockIdx.y;
    unsigned first = sample * rows_per_sample;
    Floats<N> sums[1];
    sum_rows(tile, first, first + rows_per_sample, sums, [&](auto, unsigned row, unsigned channel, auto& sums) {
        size_t at = size_t(row) * channels + channel;
        Floats<N> v = load<N>(x + at), g = load<N>(dy + at);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            sums[0][j] += v[j] * g[j];
        }
    });
    if (tile.line == 0 && tile.inside) {
        store<N>(dgate + size_t(sample) * channels + tile.channel, sums[0]);
    }
}

// dgate[b][c] = sum of x dy over the pixels. Grid (tiles, B).
template <typename T>
__device__ void gate_gradient(const T* x, const T* dy, T* dgate, unsigned rows_per_sample, unsigned channels) {
    if (channels % WIDTH == 0) {
        gate_gradient_tile<WIDTH>(x, dy, dgate, rows_per_sample, channels);
    } else {
        gate_gradient_tile<1>(x, dy, dgate, rows_per_sample, channels);
    }
}

EXPORT(gate, (const T* x, const T* factors, T* y, unsigned rows, unsigned rows_per_sample, unsigned channels),
       (x, factors, y, rows, rows_per_sample, channels))
EXPORT(gate_gradient, (const T* x, const T* dy, T* dgate, unsigned rows_per_sample, unsigned channels),
       (x, dy, dgate, rows_per_sample, channels))
