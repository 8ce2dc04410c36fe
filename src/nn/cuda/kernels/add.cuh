// The sum of two arrays, and of rows and a bias. Threads take neighbouring packs (coalesced).

#pragma once

#include "loops.cuh"

// y = a + b; y may be either, so this also adds up the gradients of a value that is used twice.
template <typename T>
__device__ void add(const T* a, const T* b, T* y, size_t count) {
    for_each_value<STREAM<T>>(count, [&](auto lanes, size_t at) {
        constexpr unsigned N = decltype(lanes)::count;
        Floats<N> sum = load<N>(a + at), other = load<N>(b + at);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            sum[j] += other[j];
        }
        store<N>(y + at, sum);
    });
}

// y[m][c] = x[m][c] + bias[c]; y may be x. The bias's gradient is `column_sums`.
template <typename T>
__device__ void bias_add(const T* x, const float* bias, T* y, unsigned rows, unsigned channels) {
    stream_packs<T>(rows, channels, [&](auto lanes, unsigned row, unsigned channel) {
        constexpr unsigned N = decltype(lanes)::count;
        size_t at = size_t(row) * channels + channel;
        Floats<N> v = load<N>(x + at), b = load<N>(bias + channel);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            v[j] += b[j];
        }
        store<N>(y + at, v);
    });
}

// y += x: a gradient that was computed in bfloat16, added to the float one.
extern "C" __global__ void __launch_bounds__(THREADS) add_bf16_to_f32(const bf16* x, float* y, size_t count) {
    for_each_value<STREAM<float>>(count, [&](auto lanes, size_t at) {
        constexpr unsigned N = decltype(lanes)::count;
        Floats<N> sum = load<N>(y + at), other = load<N>(x + at);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            sum[j] += other[j];
        }
        store<N>(y + at, sum);
    });
}

EXPORT(add, (const T* a, const T* b, T* y, size_t count), (a, b, y, count))
EXPORT(bias_add, (const T* x, const float* bias, T* y, unsigned rows, unsigned channels),
       (x, bias, y, rows, channels))
