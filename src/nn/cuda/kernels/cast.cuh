// Float to bfloat16 and back. Threads take neighbouring packs of a flat array (coalesced).

#pragma once

#include "loops.cuh"

template <typename From, typename To>
__device__ void cast(const From* x, To* y, size_t count) {
    for_each_value<STREAM<bf16>>(count, [&](auto lanes, size_t at) {
        constexpr unsigned N = decltype(lanes)::count;
        store<N>(y + at, load<N>(x + at));
    });
}

// Rounds to the nearest, ties to even.
extern "C" __global__ void __launch_bounds__(THREADS) cast_f32_to_bf16(const float* x, bf16* y, size_t count) {
    cast(x, y, count);
}

// Exact.
extern "C" __global__ void __launch_bounds__(THREADS) cast_bf16_to_f32(const bf16* x, float* y, size_t count) {
    cast(x, y, count);
}
