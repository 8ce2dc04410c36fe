// A warp has a row: its lanes read neighbouring packs of it.

#pragma once

#include "loops.cuh"
#include "reduce.cuh"

// Calls `body(row)` for every row of the caller's warp.
template <class Body>
__device__ void for_each_row(unsigned rows, Body body) {
    for (unsigned row = first_item() / WARP; row < rows; row += item_step() / WARP) {
        body(row);
    }
}

// The warp's sum of `term(pack)` over the packs of a row.
template <unsigned N, class Term>
__device__ float row_sum(unsigned channels, Term term) {
    float sum = 0.0f;
    for (unsigned c = threadIdx.x % WARP * N; c < channels; c += WARP * N) {
        sum += term(c);
    }
    return warp_total(sum, Add());
}
