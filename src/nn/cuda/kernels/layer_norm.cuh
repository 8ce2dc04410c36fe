// Layer normalisation over the channels of every row of [M, C].
//
// Letters: M rows, C channels, P parts of the rows.
//
// A warp has a row: its lanes read neighbouring packs of channels (coalesced). The row is read more
// than once, but only the first time from memory; later it is in the first-level cache. Sums of a row
// are a butterfly over the lanes, the gradients of weight and bias are the two stages of columns.cuh:
// both in a fixed order.

#pragma once

#include "columns.cuh"
#include "rows.cuh"

template <unsigned N, typename T>
__device__ void layer_norm_row(
    const T* x, const float* weight, const float* bias, float eps, T* y, float* stats, unsigned channels) {
    float mean = row_sum<N>(channels, [&](unsigned c) {
        Floats<N> v = load<N>(x + c);
        float sum = 0.0f;
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            sum += v[j];
        }
        return sum;
    }) / float(channels);
    float var = row_sum<N>(channels, [&](unsigned c) {
        Floats<N> v = load<N>(x + c);
        float sum = 0.0f;
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            sum += (v[j] - mean) * (v[j] - mean);
        }
        return sum;
    }) / float(channels);
    float inverse = 1.0f / sqrtf(var + eps);
    for (unsigned c = threadIdx.x % WARP * N; c < channels; c += WARP * N) {
        Floats<N> v = load<N>(x + c), w = load<N>(weight + c), b = load<N>(bias + c);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            v[j] = (v[j] - mean) * inverse * w[j] + b[j];
        }
        store<N>(y + c, v);
    }
    if (threadIdx.x % WARP == 0) {
        stats[0] = mean;
        stats[1] = inverse;
    }
}

// y = (x - mean) / sigma * weight + bias; `stats` [M, 2] receives mean and 1 / sigma of every row.
template <typename T>
__device__ void layer_norm_forward(
    const T* x, const float* weight, const float* bias, float eps, T* y, float* stats, unsigned rows,
    unsigned channels) {
    for_each_row(rows, [&](unsigned row) {
        size_t at = size_t(row) * channels;
        if (channels % WIDTH == 0) {
            layer_norm_row<WIDTH>(x + at, weight, bias, eps, y + at, stats + 2 * size_t(row), channels);
        } else {
            layer_norm_row<1>(x + at, weight, bias, eps, y + at, stats + 2 * size_t(row), channels);
        }
    });
}

template <unsigned N, typename T>
__device__ void layer_norm_row_gradient(
    const T* x, const float* stats, const float* weight, const T* dy, T* dx, unsigned channels) {
    float mean = stats[0], inverse = stats[1];
    float sum = 0.0f, dot = 0.0f;
    for (unsigned c = threadIdx.x % WARP * N; c < channels; c += WARP * N) {
        Floats<N> v = load<N>(x + c), w = load<N>(weight + c), g = load<N>(dy + c);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            float scaled = g[j] * w[j];
            sum += scaled;
            dot += scaled * ((v[j] - mean) * inverse);
        }
    }
    sum = warp_total(sum, Add()) / float(channels);
    dot = warp_total(dot, Add()) / float(channels);
    for (unsigned c = threadIdx.x % WARP * N; c < channels; c += WARP * N) {
        Floats<N> v = load<N>(x + c), w = load<N>(weight + c), g = load<N>(dy + c);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            float normal = (v[j] - mean) * inverse;
            g[j] = inverse * (g[j] * w[j] - sum - normal * dot);
        }
        store<N>(dx + c, g);
    }
}

// dx from dy: the mean of dy * weight and its projection on the output are taken off. dx may be dy.
template <typename T>
__device__ void layer_norm_backward(
    const T* x, const float* stats, const float* weight, const T* dy, T* dx, unsigned rows, unsigned channels) {
    for_each_row(rows, [&](unsigned row) {
        size_t at = size_t(row) * channels;
        const float* own = stats + 2 * size_t(row);
        if (channels % WIDTH == 0) {
            layer_norm_row_gradient<WIDTH>(x + at, own, weight, dy + at, dx + at, channels);
        } else {
            layer_norm_row_gradient<1>(x + at, own, weight, dy + at, dx + at, channels);
        }
    });
}

// Stage one of the gradients of weight and bias, `partials` [P, 2, C]; stage two is
// `add_column_totals` over 2 C columns.
template <typename T>
__device__ void layer_norm_parameter_sums(
    const T* x, const float* stats, const T* dy, float* partials, unsigned rows, unsigned channels,
    unsigned rows_per_part) {
    column_parts<2>(rows, channels, rows_per_part, partials, [&](auto lanes, unsigned row, unsigned channel, auto& sums) {
        constexpr unsigned N = decltype(lanes)::count;
        size_t at = size_t(row) * channels + channel;
        float mean = stats[2 * size_t(row)], inverse = stats[2 * size_t(row) + 1];
        Floats<N> v = load<N>(x + at), g = load<N>(dy + at);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            sums[0][j] += g[j] * ((v[j] - mean) * inverse);
            sums[1][j] += g[j];
        }
    });
}

EXPORT(layer_norm_forward,
       (const T* x, const float* weight, const float* bias, float eps, T* y, float* stats, unsigned rows,
        unsigned channels),
       (x, weight, bias, eps, y, stats, rows, channels))
EXPORT(layer_norm_backward,
       (const T* x, const float* stats, const float* weight, const T* dy, T* dx, unsigned rows, unsigned channels),
       (x, stats, weight, dy, dx, rows, channels))
EXPORT(layer_norm_parameter_sums,
       (const T* x, const float* stats, const T* dy, float* partials, unsigned rows, unsigned channels,
        unsigned rows_per_part),
       (x, stats, dy, partials, rows, channels, rows_per_part))
