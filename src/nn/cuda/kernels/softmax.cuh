// Softmax of the rows of [M, N], as attention uses it: y = softmax(scale x + bias).
//
// Letters: M rows, N columns, K rows of the bias. Row m takes row m % K of `bias` [K, N]: K is heads
// times positions for a relative position bias, and the batch runs slowest.
//
// A warp has a row: lanes read neighbouring packs (coalesced), the largest value and the sum are
// butterflies over the lanes, in a fixed order. The row is read more than once, but only the first time
// from memory.

#pragma once

#include "rows.cuh"

template <unsigned N, typename T>
__device__ Floats<N> softmax_logits(const T* x, const float* bias, float scale, unsigned column) {
    Floats<N> v = load<N>(x + column);
    Floats<N> b = bias ? load<N>(bias + column) : all<N>(0.0f);
#pragma unroll
    for (unsigned j = 0; j < N; j++) {
        v[j] = v[j] * scale + b[j];
    }
    return v;
}

template <unsigned N, typename T>
__device__ void softmax_row(const T* x, const float* bias, float scale, T* y, unsigned columns) {
    unsigned start = threadIdx.x % WARP * N;
    float largest = -INFINITY;
    for (unsigned c = start; c < columns; c += WARP * N) {
        Floats<N> v = softmax_logits<N>(x, bias, scale, c);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            largest = Larger()(largest, v[j]);
        }
    }
    largest = warp_total(largest, Larger());
    float total = 0.0f;
    for (unsigned c = start; c < columns; c += WARP * N) {
        Floats<N> v = softmax_logits<N>(x, bias, scale, c);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            total += expf(v[j] - largest);
        }
    }
    total = warp_total(total, Add());
    for (unsigned c = start; c < columns; c += WARP * N) {
        Floats<N> v = softmax_logits<N>(x, bias, scale, c);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            v[j] = expf(v[j] - largest) / total;
        }
        store<N>(y + c, v);
    }
}

// `bias` may be null. y must not be x.
template <typename T>
__device__ void softmax_forward(
    const T* x, const float* bias, unsigned bias_rows, float scale, T* y, unsigned rows, unsigned columns) {
    for_each_row(rows, [&](unsigned row) {
        size_t at = size_t(row) * columns;
        const float* own = bias ? bias + size_t(row % bias_rows) * columns : bias;
        if (columns % WIDTH == 0) {
            softmax_row<WIDTH>(x + at, own, scale, y + at, columns);
        } else {
            softmax_row<1>(x + at, own, scale, y + at, columns);
        }
    });
}

template <unsigned N, typename T>
__device__ void softmax_row_gradient(const T* y, const T* dy, float scale, T* dx, unsigned columns) {
    unsigned start = threadIdx.x % WARP * N;
    float dot = 0.0f;
    for (unsigned c = start; c < columns; c += WARP * N) {
        Floats<N> v = load<N>(y + c), g = load<N>(dy + c);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            dot += v[j] * g[j];
        }
    }
    dot = warp_total(dot, Add());
    for (unsigned c = start; c < columns; c += WARP * N) {
        Floats<N> v = load<N>(y + c), g = load<N>(dy + c);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            v[j] = scale * v[j] * (g[j] - dot);
        }
        store<N>(dx + c, v);
    }
}

// dx = scale y (dy - sum of y dy), from the output; dx may be dy. The bias's gradient is the sum of dx
// over the batch, divided by `scale`: `column_sums` over [M / K, K N], then `add_column_totals`.
template <typename T>
__device__ void softmax_backward(const T* y, const T* dy, float scale, T* dx, unsigned rows, unsigned columns) {
    for_each_row(rows, [&](unsigned row) {
        size_t at = size_t(row) * columns;
        if (columns % WIDTH == 0) {
            softmax_row_gradient<WIDTH>(y + at, dy + at, scale, dx + at, columns);
        } else {
            softmax_row_gradient<1>(y + at, dy + at, scale, dx + at, columns);
        }
    });
}

EXPORT(softmax_forward,
       (const T* x, const float* bias, unsigned bias_rows, float scale, T* y, unsigned rows, unsigned columns),
       (x, bias, bias_rows, scale, y, rows, columns))
EXPORT(softmax_backward, (const T* y, const T* dy, float scale, T* dx, unsigned rows, unsigned columns),
       (y, dy, scale, dx, rows, columns))
