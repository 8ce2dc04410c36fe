// SGD with momentum and AdamW, over all parameters in one launch.
//
// A block has a chunk of a tensor (see parameters.cuh); its threads take neighbouring packs (coalesced).
// Values do not depend on each other. The numbers of a step lie in device memory, so that a captured
// graph of kernels can be replayed with a new learning rate.
//
// Clipping's factor is applied here. Where the gradient or the loss was not finite nothing changes, and
// the host learns of it whenever it reads the norm.

#pragma once

#include "gradient_norm.cuh"

// 12 bytes.
struct SgdNumbers {
    float lr, momentum, weight_decay;
};

// m = momentum m + g + decay w, w = w - lr m. `norm` may be null: no clipping. Grid: one block per chunk.
extern "C" __global__ void __launch_bounds__(THREADS) sgd_step(
    const Parameter* parameters, const Chunk* chunks, const SgdNumbers* numbers, const GradientNorm* norm) {
    if (norm && !norm->finite) {
        return;
    }
    float clip = norm ? norm->factor : 1.0f;
    SgdNumbers n = *numbers;
    Chunk chunk = chunks[blockIdx.x];
    Parameter p = parameters[chunk.parameter];
    for_each_of_chunk(chunk, p.length, [&](auto lanes, size_t at) {
        constexpr unsigned N = decltype(lanes)::count;
        Floats<N> w = load<N>(p.value + at), g = load<N>(p.gradient + at), m = load<N>(p.first + at);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            m[j] = n.momentum * m[j] + (g[j] * clip + n.weight_decay * w[j]);
            w[j] -= n.lr * m[j];
        }
        store<N>(p.first + at, m);
        store<N>(p.value + at, w);
        if (p.copy) {
            store<N>(p.copy + at, w);
        }
    });
}

// What AdamW's step comes down to, computed by the host in double; 32 bytes. With learning rate lr,
// decay d, step t and torch's betas: shrink = 1 - lr d, rate = lr / (1 - beta1^t), root = sqrt(1 -
// beta2^t), old = beta, new = 1 - beta.
struct AdamWNumbers {
    float rate, root, shrink, eps;
    float old_mean, new_mean, old_square, new_square;
};

// Loshchilov & Hutter 2019, algorithm 2, as torch computes it. `norm` may be null: no clipping. Grid: one
// block per chunk.
extern "C" __global__ void __launch_bounds__(THREADS) adamw_step(
    const Parameter* parameters, const Chunk* chunks, const AdamWNumbers* numbers, const GradientNorm* norm) {
    if (norm && !norm->finite) {
        return;
    }
    float clip = norm ? norm->factor : 1.0f;
    AdamWNumbers n = *numbers;
    Chunk chunk = chunks[blockIdx.x];
    Parameter p = parameters[chunk.parameter];
    for_each_of_chunk(chunk, p.length, [&](auto lanes, size_t at) {
        constexpr unsigned N = decltype(lanes)::count;
        Floats<N> w = load<N>(p.value + at), g = load<N>(p.gradient + at);
        Floats<N> m = load<N>(p.first + at), v = load<N>(p.second + at);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            float clipped = g[j] * clip;
            m[j] = n.old_mean * m[j] + n.new_mean * clipped;
            v[j] = n.old_square * v[j] + n.new_square * clipped * clipped;
            w[j] = w[j] * n.shrink - n.rate * m[j] / (sqrtf(v[j]) / n.root + n.eps);
        }
        store<N>(p.first + at, m);
        store<N>(p.second + at, v);
        store<N>(p.value + at, w);
        if (p.copy) {
            store<N>(p.copy + at, w);
        }
    });
}
