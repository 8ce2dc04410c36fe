// Attention by cosines (Swin v2): queries and keys become directions before their product and gradients
// come back through them; biases come from a small network.
//
// Letters: M rows (tokens of all sequences), H heads, D channels of a head, C = H D.
//
// A query's direction has the length of its head's factor, so that the product of two directions is the
// score: a cosine times the factor. A warp has a direction, its sums are butterflies over the lanes.

#pragma once

#include "rows.cuh"

// Factors do not grow beyond this.
constexpr float LARGEST_FACTOR = 100.0f;
// Biases lie between zero and this.
constexpr float LARGEST_BIAS = 16.0f;
// Smallest length that is divided by.
constexpr float SHORTEST = 1e-12f;

// Calls `body(row, part, head)` for the queries (part 0) and keys (1) of every row and head.
template <class Body>
__device__ void for_each_direction(unsigned rows, unsigned heads, Body body) {
    for_each_row(rows * 2 * heads, [&](unsigned i) { body(i / (2 * heads), i / heads % 2, i % heads); });
}

// The factor of a head: of its queries alone.
__device__ inline float factor_of(const float* exponents, unsigned part, unsigned head) {
    return part == 0 ? fminf(expf(exponents[head]), LARGEST_FACTOR) : 1.0f;
}

// y [M, 2 C] from qkv [M, 3 C]: queries and keys as directions; exponents [H] are logarithms of factors.
template <typename T>
__device__ void cosine_directions(
    const T* qkv, const float* exponents, T* y, unsigned rows, unsigned heads, unsigned width) {
    unsigned channels = heads * width;
    for_each_direction(rows, heads, [&](unsigned row, unsigned part, unsigned head) {
        size_t first = size_t(part) * channels + size_t(head) * width;
        const T* x = qkv + size_t(row) * 3 * channels + first;
        T* to = y + size_t(row) * 2 * channels + first;
        float square = row_sum<1>(width, [&](unsigned d) { return to_float(x[d]) * to_float(x[d]); });
        float scale = factor_of(exponents, part, head) / fmaxf(sqrtf(square), SHORTEST);
        for (unsigned d = threadIdx.x % WARP; d < width; d += WARP) {
            to[d] = from_float<T>(to_float(x[d]) * scale);
        }
    });
}

// The way back. Of dqkv [M, 3 C], gradients by directions become those by queries and keys, in place; values
// stay as they are. by_exponents [M, H] receives every row's part of the gradient by the exponents: none where
// the factor is cut off.
template <typename T>
__device__ void cosine_directions_backward(
    const T* qkv, const float* exponents, T* dqkv, float* by_exponents, unsigned rows, unsigned heads, unsigned width) {
    unsigned channels = heads * width;
    for_each_direction(rows, heads, [&](unsigned row, unsigned part, unsigned head) {
        size_t first = size_t(row) * 3 * channels + size_t(part) * channels + size_t(head) * width;
        const T* x = qkv + first;
        T* g = dqkv + first;
        float square = row_sum<1>(width, [&](unsigned d) { return to_float(x[d]) * to_float(x[d]); });
        float dot = row_sum<1>(width, [&](unsigned d) { return to_float(x[d]) * to_float(g[d]); });
        float length = sqrtf(square);
        float inverse = 1.0f / fmaxf(length, SHORTEST);
        float factor = factor_of(exponents, part, head);
        // A length below the shortest counts as a constant.
        float along = length > SHORTEST ? dot * inverse * inverse : 0.0f;
        for (unsigned d = threadIdx.x % WARP; d < width; d += WARP) {
            g[d] = from_float<T>((to_float(g[d]) - along * to_float(x[d])) * inverse * factor);
        }
        if (part == 0 && threadIdx.x % WARP == 0) {
            bool free = exponents[head] <= logf(LARGEST_FACTOR);
            by_exponents[size_t(row) * heads + head] = free ? dot * inverse * factor : 0.0f;
        }
    });
}

// The table that attention_bias reads, from what the small network gave. Grid ceil(count / 256).
template <typename T>
__device__ void cosine_biases(const T* x, float* biases, unsigned count) {
    for (unsigned i = first_item(); i < count; i += item_step()) {
        biases[i] = LARGEST_BIAS / (1.0f + expf(-to_float(x[i])));
    }
}

// The gradient of what the small network gave, from that of the table.
template <typename T>
__device__ void cosine_biases_backward(const float* biases, const float* by_biases, T* dx, unsigned count) {
    for (unsigned i = first_item(); i < count; i += item_step()) {
        dx[i] = from_float<T>(by_biases[i] * biases[i] * (1.0f - biases[i] / LARGEST_BIAS));
    }
}

EXPORT(cosine_directions,
       (const T* qkv, const float* exponents, T* y, unsigned rows, unsigned heads, unsigned width),
       (qkv, exponents, y, rows, heads, width))
EXPORT(cosine_directions_backward,
       (const T* qkv, const float* exponents, T* dqkv, float* by_exponents, unsigned rows, unsigned heads, unsigned width),
       (qkv, exponents, dqkv, by_exponents, rows, heads, width))
EXPORT(cosine_biases, (const T* x, float* biases, unsigned count), (x, biases, count))
EXPORT(cosine_biases_backward, (const float* biases, const float* by_biases, T* dx, unsigned count),
       (biases, by_biases, dx, count))
