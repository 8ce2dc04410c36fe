// Values in memory and in registers: activations are float or bfloat16, arithmetic is in float.
//
// A pack is a few neighbouring channels that one thread moves with one load, so that a warp reads whole
// cache lines: WIDTH of them, or 16 bytes in kernels that only stream (a thread has one load under way
// there, so it should be a large one). Where the channels do not divide into packs, the same code runs
// with packs of one value. Arrays must start at multiples of 16 bytes.

#pragma once

#ifdef __CUDACC__
#include <cuda_bf16.h>
#else
#include "shim/cuda_on_cpu.h"
#endif

#include <math.h>
#include <stddef.h>
#include <stdint.h>

using bf16 = __nv_bfloat16;

// Values in a pack.
constexpr unsigned WIDTH = 4;
// Bytes of the widest load.
constexpr unsigned WIDEST = 16;
// Values in a pack of a kernel that streams activations of type T.
template <typename T>
constexpr unsigned STREAM = WIDEST / sizeof(T);

// Says at compile time how many values a pack has.
template <unsigned N>
struct Lanes {
    static constexpr unsigned count = N;
};

// A pack in registers.
template <unsigned N>
struct Floats {
    float values[N];

    __device__ float& operator[](unsigned i) { return values[i]; }
    __device__ float operator[](unsigned i) const { return values[i]; }
};

// A pack in memory; the alignment makes it one load (two where eight parameters go with eight values).
template <typename T, unsigned N>
struct alignas(sizeof(T) * N < WIDEST ? sizeof(T) * N : WIDEST) Pack {
    T values[N];
};

__device__ inline float to_float(float value) { return value; }
__device__ inline float to_float(bf16 value) { return __bfloat162float(value); }

template <typename T>
__device__ T from_float(float value);
template <>
__device__ inline float from_float<float>(float value) { return value; }
template <>
__device__ inline bf16 from_float<bf16>(float value) { return __float2bfloat16(value); }

template <unsigned N, typename T>
__device__ Floats<N> load(const T* from) {
    Pack<T, N> pack = *reinterpret_cast<const Pack<T, N>*>(from);
    Floats<N> result;
#pragma unroll
    for (unsigned j = 0; j < N; j++) {
        result[j] = to_float(pack.values[j]);
    }
    return result;
}

template <unsigned N, typename T>
__device__ void store(T* to, const Floats<N>& from) {
    Pack<T, N> pack;
#pragma unroll
    for (unsigned j = 0; j < N; j++) {
        pack.values[j] = from_float<T>(from[j]);
    }
    *reinterpret_cast<Pack<T, N>*>(to) = pack;
}

template <unsigned N>
__device__ Floats<N> all(float value) {
    Floats<N> result;
#pragma unroll
    for (unsigned j = 0; j < N; j++) {
        result[j] = value;
    }
    return result;
}
