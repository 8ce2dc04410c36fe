// Sums within a warp and within a block, always in the same order.

#pragma once

#include "values.cuh"

constexpr unsigned WARP = 32;

struct Add {
    template <typename V>
    __device__ V operator()(V a, V b) const { return a + b; }
};

struct Larger {
    template <typename V>
    __device__ V operator()(V a, V b) const { return a < b ? b : a; }
};

// The total of all 32 lanes, in every lane: a butterfly, whose order is fixed.
template <class Join, typename V>
__device__ V warp_total(V value, Join join) {
#pragma unroll
    for (unsigned mask = WARP / 2; mask > 0; mask /= 2) {
        value = join(value, __shfl_xor_sync(0xffffffffu, value, mask));
    }
    return value;
}

// The total of a block of COUNT threads (a multiple of 32), in every thread.
template <unsigned COUNT, class Join, typename V>
__device__ V block_total(V value, Join join) {
    __shared__ V warps[COUNT / WARP];
    value = warp_total(value, join);
    // The last total may still be being read.
    __syncthreads();
    if (threadIdx.x % WARP == 0) {
        warps[threadIdx.x / WARP] = value;
    }
    __syncthreads();
    V total = warps[0];
    for (unsigned i = 1; i < COUNT / WARP; i++) {
        total = join(total, warps[i]);
    }
    return total;
}
