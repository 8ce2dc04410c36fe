// Random numbers from a counter: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as
// 1, 2, 3").
//
// A number is a function of the run's seed (the key), the layer's stream, the step and its own index,
// and of nothing else: any grid draws the same, the backward pass draws again what the forward pass
// drew, and a resumed run repeats itself. The step lies in device memory, so that a captured graph of
// kernels draws anew at every replay.

#pragma once

#include "values.cuh"

struct Draw {
    unsigned words[4];
};

// Four words for a counter of 128 bits and a key of 64.
__device__ inline Draw philox(const unsigned (&counter)[4], uint64_t key) {
    // The paper's multipliers and Weyl steps.
    constexpr unsigned FIRST = 0xd2511f53u, SECOND = 0xcd9e8d57u;
    constexpr unsigned GOLDEN = 0x9e3779b9u, ROOT3 = 0xbb67ae85u;
    constexpr int ROUNDS = 10;
    unsigned c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    unsigned low = unsigned(key), high = unsigned(key >> 32);
    for (int round = 0; round < ROUNDS; round++) {
        unsigned high0 = __umulhi(FIRST, c0), low0 = FIRST * c0;
        unsigned high1 = __umulhi(SECOND, c2), low1 = SECOND * c2;
        c0 = high1 ^ c1 ^ low;
        c1 = low1;
        c2 = high0 ^ c3 ^ high;
        c3 = low0;
        low += GOLDEN;
        high += ROOT3;
    }
    return {{c0, c1, c2, c3}};
}

// The four words of a group of four values.
__device__ inline Draw draw_words(uint64_t seed, unsigned stream, const uint64_t* step, unsigned group) {
    unsigned counter[4] = {group, stream, unsigned(*step), unsigned(*step >> 32)};
    return philox(counter, seed);
}

// Whether to drop where the probability is `threshold` / 2^32.
__device__ inline bool drops(unsigned word, unsigned threshold) { return word < threshold; }
