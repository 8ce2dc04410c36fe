// The end of a residual branch: layer scale, stochastic depth and the sum, as far as they are there.
//
// Letters: B samples, R rows (pixels) of a sample, M = B R, C channels, P parts of the rows.
//
// Threads run along channels (coalesced); the gradient of the scale is the two stages of columns.cuh.

#pragma once

#include "columns.cuh"

// keep[b] scale[c] for a pack; either may be null and is then one.
template <unsigned N>
__device__ Floats<N> branch_factor(const float* scale, const float* keep, unsigned sample, unsigned channel) {
    Floats<N> factor = scale ? load<N>(scale + channel) : all<N>(1.0f);
    float kept = keep ? keep[sample] : 1.0f;
#pragma unroll
    for (unsigned j = 0; j < N; j++) {
        factor[j] *= kept;
    }
    return factor;
}

// y = keep scale h, plus `residual` unless it is null. y may be either input. With no residual this is
// also the gradient of the branch: dh = keep scale dy (the residual's gradient is dy itself).
template <typename T>
__device__ void branch(
    const T* h, const T* residual, const float* scale, const float* keep, T* y, unsigned rows, unsigned rows_per_sample,
    unsigned channels) {
    stream_packs<T>(rows, channels, [&](auto lanes, unsigned row, unsigned channel) {
        constexpr unsigned N = decltype(lanes)::count;
        size_t at = size_t(row) * channels + channel;
        Floats<N> v = load<N>(h + at), factor = branch_factor<N>(scale, keep, row / rows_per_sample, channel);
        Floats<N> r = residual ? load<N>(residual + at) : all<N>(0.0f);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            v[j] = v[j] * factor[j] + r[j];
        }
        store<N>(y + at, v);
    });
}

// Stage one of the scale's gradient, the sum of keep h dy over rows; `partials` [P, C]. Stage two is
// `add_column_totals`.
template <typename T>
__device__ void branch_scale_sums(
    const T* h, const T* dy, const float* keep, float* partials, unsigned rows, unsigned rows_per_sample,
    unsigned channels, unsigned rows_per_part) {
    column_parts<1>(rows, channels, rows_per_part, partials, [&](auto lanes, unsigned row, unsigned channel, auto& sums) {
        constexpr unsigned N = decltype(lanes)::count;
        size_t at = size_t(row) * channels + channel;
        float kept = keep ? keep[row / rows_per_sample] : 1.0f;
        Floats<N> v = load<N>(h + at), g = load<N>(dy + at);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            sums[0][j] += v[j] * g[j] * kept;
        }
    });
}

EXPORT(branch,
       (const T* h, const T* residual, const float* scale, const float* keep, T* y, unsigned rows,
        unsigned rows_per_sample, unsigned channels),
       (h, residual, scale, keep, y, rows, rows_per_sample, channels))
EXPORT(branch_scale_sums,
       (const T* h, const T* dy, const float* keep, float* partials, unsigned rows, unsigned rows_per_sample,
        unsigned channels, unsigned rows_per_part),
       (h, dy, keep, partials, rows, rows_per_sample, channels, rows_per_part))
