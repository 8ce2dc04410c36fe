// All parameters of a network as one launch sees them.
//
// The host writes two tables into device memory once: the parameters, and the chunks into which they are
// cut. A block has a chunk, so that a launch is well shared out whatever the tensors' sizes. Chunks have
// a fixed size: sums over them do not depend on the device.

#pragma once

#include "loops.cuh"

// Values of a chunk; the last one of a tensor is shorter.
constexpr unsigned CHUNK = 1 << 14;

// One tensor: five addresses and a length, 48 bytes.
struct Parameter {
    // The master weights.
    float* value;
    float* gradient;
    // SGD: the momentum. AdamW: the mean of the gradient.
    float* first;
    // AdamW: the mean square of the gradient.
    float* second;
    // The weights that the network computes with, or null where those are the master weights.
    bf16* copy;
    uint64_t length;
};

// Where a chunk begins, 16 bytes.
struct Chunk {
    uint64_t first;
    unsigned parameter;
    unsigned padding;
};

// Calls `body(lanes, at)` for the values of a chunk, shared out over the block; packs first.
template <class Body>
__device__ void for_each_of_chunk(const Chunk& chunk, uint64_t length, Body body) {
    uint64_t left = length - chunk.first;
    unsigned count = left < CHUNK ? unsigned(left) : CHUNK;
    unsigned packs = count / WIDTH;
    for (unsigned i = threadIdx.x; i < packs; i += THREADS) {
        body(Lanes<WIDTH>(), size_t(chunk.first) + i * WIDTH);
    }
    unsigned rest = packs * WIDTH + threadIdx.x;
    if (rest < count) {
        body(Lanes<1>(), size_t(chunk.first) + rest);
    }
}
