// How threads share out work, and how kernels get their names.
//
// Every loop is right for any grid: threads step by the size of the grid. Counters of packs are 32
// bits wide (divisions are slow in 64), so an array has at most 2^31 packs; addresses are 64 bits wide.

#pragma once

#include "values.cuh"

// Threads of a block, unless a kernel's header says otherwise.
constexpr unsigned THREADS = 256;
// Threads of a block that adds up partial sums.
constexpr unsigned WIDE = 1024;

__device__ inline unsigned first_item() { return blockIdx.x * blockDim.x + threadIdx.x; }
__device__ inline unsigned item_step() { return gridDim.x * blockDim.x; }

template <unsigned N, class Body>
__device__ void packs_of(unsigned rows, unsigned channels, Body body) {
    unsigned per_row = channels / N;
    unsigned count = rows * per_row;
    for (unsigned i = first_item(); i < count; i += item_step()) {
        body(Lanes<N>(), i / per_row, i % per_row * N);
    }
}

// Calls `body(lanes, row, channel)` once for every pack of a [rows, channels] array. Neighbouring
// threads have neighbouring packs of one row.
template <class Body>
__device__ void for_each_pack(unsigned rows, unsigned channels, Body body) {
    if (channels % WIDTH == 0) {
        packs_of<WIDTH>(rows, channels, body);
    } else {
        packs_of<1>(rows, channels, body);
    }
}

// The same with packs of 16 bytes of T where the channels allow, for kernels that only stream.
template <typename T, class Body>
__device__ void stream_packs(unsigned rows, unsigned channels, Body body) {
    if (channels % STREAM<T> == 0) {
        packs_of<STREAM<T>>(rows, channels, body);
    } else {
        packs_of<1>(rows, channels, body);
    }
}

// Calls `body(lanes, at)` for a flat array of `count` values: packs of N first, then the few left over.
template <unsigned N, class Body>
__device__ void for_each_value(size_t count, Body body) {
    unsigned packs = count / N;
    for (unsigned i = first_item(); i < packs; i += item_step()) {
        body(Lanes<N>(), size_t(i) * N);
    }
    size_t rest = size_t(packs) * N + first_item();
    if (rest < count) {
        body(Lanes<1>(), rest);
    }
}

namespace for_f32 {
using T = float;
}
namespace for_bf16 {
using T = bf16;
}

// Exports the template `name<T>` as the kernels `name_f32` and `name_bf16`; parameters may speak of T.
#define EXPORT(name, parameters, arguments)                                     \
    namespace for_f32 {                                                         \
    extern "C" __global__ void __launch_bounds__(THREADS) name##_f32 parameters { \
        ::name<T> arguments;                                                    \
    }                                                                           \
    }                                                                           \
    namespace for_bf16 {                                                        \
    extern "C" __global__ void __launch_bounds__(THREADS) name##_bf16 parameters { \
        ::name<T> arguments;                                                    \
    }                                                                           \
    }
