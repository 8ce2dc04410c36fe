// What attention adds to its scores, for softmax.cuh, and where tokens come from and go to.
//
// Letters: H heads, N tokens of a sequence, W windows, B samples, C channels. Pairs are query, key.
//
// Every value is computed by one thread, sums in the order of pairs: nothing depends on the grid.

#pragma once

#include "loops.cuh"

// What is taken off a score between regions, as Swin has it.
constexpr float APART = 100.0f;

// out [W, H, N, N]: a bias for every offset, table [offset, H], less between regions [W, N]. Either may be
// null; without regions W is 1. Grid ceil(W H N N / 256).
extern "C" __global__ void __launch_bounds__(THREADS) attention_bias(
    const float* table, const unsigned* offsets, const unsigned* regions, float* out, unsigned windows, unsigned heads,
    unsigned tokens) {
    unsigned pairs = tokens * tokens;
    for (unsigned i = first_item(); i < windows * heads * pairs; i += item_step()) {
        unsigned pair = i % pairs, head = i / pairs % heads, window = i / (pairs * heads);
        float bias = table ? table[size_t(offsets[pair]) * heads + head] : 0.0f;
        if (regions) {
            const unsigned* own = regions + size_t(window) * tokens;
            bias -= own[pair / tokens] == own[pair % tokens] ? 0.0f : APART;
        }
        out[i] = bias;
    }
}

// Adds the gradient of the table from that of the pairs, [H, N, N]. Grid ceil(count H / 256), a thread an
// offset and head.
extern "C" __global__ void __launch_bounds__(THREADS) attention_bias_gradient(
    const float* pairs, const unsigned* offsets, float* table, unsigned count, unsigned heads, unsigned tokens) {
    unsigned squares = tokens * tokens;
    for (unsigned i = first_item(); i < count * heads; i += item_step()) {
        unsigned offset = i / heads, head = i % heads;
        double sum = 0.0;
        for (unsigned pair = 0; pair < squares; pair++) {
            if (offsets[pair] == offset) {
                sum += pairs[size_t(head) * squares + pair];
            }
        }
        table[i] += float(sum);
    }
}

// Row r of every sample of y is row `source[r]` of that sample of x; zeros where that is NOWHERE.
constexpr unsigned NOWHERE = 0xffffffffu;

template <typename T>
__device__ void gather(
    const T* x, const unsigned* source, T* y, unsigned samples, unsigned x_rows, unsigned y_rows, unsigned channels) {
    stream_packs<T>(samples * y_rows, channels, [&](auto lanes, unsigned row, unsigned channel) {
        constexpr unsigned N = decltype(lanes)::count;
        unsigned from = source[row % y_rows];
        size_t at = (size_t(row / y_rows) * x_rows + from) * channels + channel;
        store<N>(y + size_t(row) * channels + channel, from == NOWHERE ? all<N>(0.0f) : load<N>(x + at));
    });
}

// y [B, N + 1, C]: a learnt token before those of every sample of x [B, N, C].
template <typename T>
__device__ void class_token(const T* x, const float* token, T* y, unsigned samples, unsigned tokens, unsigned channels) {
    unsigned rows = tokens + 1;
    stream_packs<T>(samples * rows, channels, [&](auto lanes, unsigned row, unsigned channel) {
        constexpr unsigned N = decltype(lanes)::count;
        size_t at = (size_t(row / rows) * tokens + row % rows - 1) * channels + channel;
        store<N>(y + size_t(row) * channels + channel, row % rows ? load<N>(x + at) : load<N>(token + channel));
    });
}

EXPORT(gather,
       (const T* x, const unsigned* source, T* y, unsigned samples, unsigned x_rows, unsigned y_rows, unsigned channels),
       (x, source, y, samples, x_rows, y_rows, channels))
EXPORT(class_token, (const T* x, const float* token, T* y, unsigned samples, unsigned tokens, unsigned channels),
       (x, token, y, samples, tokens, channels))
