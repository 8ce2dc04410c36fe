// Dropout of single values, and of whole branches (stochastic depth).
//
// Nothing is kept for the backward pass: it runs the same kernel on the gradient, with the same step,
// and the counters of random.cuh give the same mask. `threshold` is the probability times 2^32,
// rounded; `factor` is 1 / (1 - p).

#pragma once

#include "loops.cuh"
#include "random.cuh"

// y = 0 where dropped, factor x elsewhere; y may be x. A thread takes a group of four neighbouring
// values, which share one draw.
template <typename T>
__device__ void dropout(
    const T* x, T* y, size_t count, unsigned threshold, float factor, uint64_t seed, unsigned stream,
    const uint64_t* step) {
    for_each_value<WIDTH>(count, [&](auto lanes, size_t at) {
        constexpr unsigned N = decltype(lanes)::count;
        Draw draw = draw_words(seed, stream, step, unsigned(at / WIDTH));
        Floats<N> v = load<N>(x + at);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            // The rest of the array comes one by one: the word of a value is that of its address.
            unsigned word = N == WIDTH ? draw.words[j] : draw.words[at % WIDTH];
            v[j] = drops(word, threshold) ? 0.0f : v[j] * factor;
        }
        store<N>(y + at, v);
    });
}

// keep[b] = 0 or `factor`, for every sample of a batch. One thread per sample.
extern "C" __global__ void __launch_bounds__(THREADS) stochastic_depth_draw(
    float* keep, unsigned samples, unsigned threshold, float factor, uint64_t seed, unsigned stream,
    const uint64_t* step) {
    for (unsigned b = first_item(); b < samples; b += item_step()) {
        Draw draw = draw_words(seed, stream, step, b / 4);
        keep[b] = drops(draw.words[b % 4], threshold) ? 0.0f : factor;
    }
}

EXPORT(dropout,
       (const T* x, T* y, size_t count, unsigned threshold, float factor, uint64_t seed, unsigned stream,
        const uint64_t* step),
       (x, y, count, threshold, factor, seed, stream, step))
