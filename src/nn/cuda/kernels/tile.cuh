// Whole parameters from smaller arrays: a block repeated along channels and stretched along positions, a vector
// repeated and bounded.
//
// A thread has a value of the result, neighbours neighbouring ones: writes are coalesced. Reads of a block
// are not, but every value that is fetched is read by some thread near by. Each value is computed by one
// thread alone: nothing depends on the grid.

#pragma once

#include "loops.cuh"

// Passed by value. Fewer than 2^31 values on either side; strides are in values.
struct Tiling {
    // Outputs, inputs, height, width.
    unsigned block[4];
    unsigned strides[4];
    unsigned weight[4];
    // Whether the weight lies as [out, height, width, in] rather than [out, in, height, width].
    unsigned channels_last;
};

// The two places of a block's side that a place of the weight's side lies between, and how near the second
// is: between pixel centres, clamped at the rim (torch's `align_corners=False`).
struct Between {
    unsigned first, second;
    float share;

    __device__ Between(unsigned at, unsigned from, unsigned to) {
        float place = fmaxf((float(at) + 0.5f) * (float(from) / float(to)) - 0.5f, 0.0f);
        first = unsigned(place) < from ? unsigned(place) : from - 1;
        second = first + 1 < from ? first + 1 : first;
        share = place - float(first);
    }
};

// A channel's value at a position of the weight, from that channel of the block.
__device__ inline float stretched(const float* channel, const Tiling& t, unsigned y, unsigned x) {
    unsigned down = t.strides[2], across = t.strides[3];
    if (t.block[2] == t.weight[2] && t.block[3] == t.weight[3]) {
        return channel[size_t(y) * down + size_t(x) * across];
    }
    Between row(y, t.block[2], t.weight[2]), column(x, t.block[3], t.weight[3]);
    const float* upper = channel + size_t(row.first) * down;
    const float* lower = channel + size_t(row.second) * down;
    size_t left = size_t(column.first) * across, right = size_t(column.second) * across;
    float top = upper[left] * (1.0f - column.share) + upper[right] * column.share;
    float bottom = lower[left] * (1.0f - column.share) + lower[right] * column.share;
    return top * (1.0f - row.share) + bottom * row.share;
}

// weight[o][i][y][x] = factor block[o % outputs][i % inputs][y][x].
extern "C" __global__ void __launch_bounds__(THREADS) tile_weight(
    const float* block, Tiling t, float factor, float* weight) {
    unsigned inputs = t.weight[1], positions = t.weight[2] * t.weight[3];
    unsigned per_output = inputs * positions;
    unsigned count = t.weight[0] * per_output;
    for (unsigned at = first_item(); at < count; at += item_step()) {
        unsigned output = at / per_output, rest = at % per_output;
        unsigned input = t.channels_last ? rest % inputs : rest / positions;
        unsigned position = t.channels_last ? rest / inputs : rest % positions;
        const float* channel = block + size_t(output % t.block[0]) * t.strides[0] + size_t(input % t.block[1]) * t.strides[1];
        weight[at] = factor * stretched(channel, t, position / t.weight[3], position % t.weight[3]);
    }
}

// What becomes of a vector's values.
constexpr unsigned AROUND_ONE = 1, AROUND_ZERO = 2;

// vector[i] = values[i % length], bounded to (0, 2) around one, to (-1, 1) around zero, or left as it is.
extern "C" __global__ void __launch_bounds__(THREADS) tile_vector(
    const float* values, unsigned length, unsigned bounds, float* vector, unsigned count) {
    for (unsigned at = first_item(); at < count; at += item_step()) {
        float value = values[at % length];
        if (bounds == AROUND_ONE) {
            value = 2.0f / (1.0f + expf(-0.5f * value));
        } else if (bounds == AROUND_ZERO) {
            value = tanhf(0.2f * value);
        }
        vector[at] = value;
    }
}
