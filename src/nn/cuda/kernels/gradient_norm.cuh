// The norm of all gradients together, and what clipping multiplies them by.
//
// Two stages: a block squares and adds one chunk, one block adds the chunks; in double, in a fixed order.
// The result stays in device memory, where the optimiser reads it: nothing waits for the host.

#pragma once

#include "parameters.cuh"
#include "reduce.cuh"

// 16 bytes.
struct GradientNorm {
    double norm;
    // For the gradients: 1, or less where the norm was above the limit.
    float factor;
    // 1 if the norm and the loss are finite; otherwise the optimiser leaves everything as it is.
    int finite;
};

// `partials` [chunks]. Grid: one block per chunk.
extern "C" __global__ void __launch_bounds__(THREADS) gradient_norm_sums(
    const Parameter* parameters, const Chunk* chunks, double* partials) {
    Chunk chunk = chunks[blockIdx.x];
    const Parameter& parameter = parameters[chunk.parameter];
    const float* gradient = parameter.gradient;
    double sum = 0.0;
    for_each_of_chunk(chunk, parameter.length, [&](auto lanes, size_t at) {
        constexpr unsigned N = decltype(lanes)::count;
        Floats<N> g = load<N>(gradient + at);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            sum += double(g[j]) * double(g[j]);
        }
    });
    sum = block_total<THREADS>(sum, Add());
    if (threadIdx.x == 0) {
        partials[blockIdx.x] = sum;
    }
}

// `max_norm` may be infinite; `loss` may be null. One block of WIDE threads.
extern "C" __global__ void __launch_bounds__(WIDE) gradient_norm_finalise(
    const double* partials, unsigned chunks, double max_norm, const double* loss, GradientNorm* result) {
    double sum = 0.0;
    for (unsigned i = threadIdx.x; i < chunks; i += WIDE) {
        sum += partials[i];
    }
    sum = block_total<WIDE>(sum, Add());
    if (threadIdx.x != 0) {
        return;
    }
    // Keeps the quotient finite for a gradient of zero; torch's value.
    constexpr double EPS = 1e-6;
    double norm = sqrt(sum);
    bool finite = isfinite(norm) && (!loss || isfinite(*loss));
    double factor = max_norm / (norm + EPS);
    result->norm = norm;
    result->factor = finite && factor < 1.0 ? float(factor) : 1.0f;
    result->finite = finite;
}
