// Channels moved about: parts of rows copied (concatenation, split) and the channel shuffle.
//
// Letters: M rows, C channels, G groups. Threads run along channels (coalesced); values are only moved.

#pragma once

#include "loops.cuh"

template <unsigned N, typename T>
__device__ void copy_packs(
    const T* x, unsigned x_channels, unsigned x_first, T* y, unsigned y_channels, unsigned y_first, unsigned rows,
    unsigned count) {
    packs_of<N>(rows, count, [&](auto, unsigned row, unsigned channel) {
        size_t from = size_t(row) * x_channels + x_first + channel;
        size_t to = size_t(row) * y_channels + y_first + channel;
        *reinterpret_cast<Pack<T, N>*>(y + to) = *reinterpret_cast<const Pack<T, N>*>(x + from);
    });
}

// Copies channels `x_first .. x_first + count` of every row of x to channels `y_first ..` of y. One call
// for every input concatenates; one for every output splits.
template <typename T>
__device__ void copy_channels(
    const T* x, unsigned x_channels, unsigned x_first, T* y, unsigned y_channels, unsigned y_first, unsigned rows,
    unsigned count) {
    if ((x_channels | x_first | y_channels | y_first | count) % STREAM<T> == 0) {
        copy_packs<STREAM<T>>(x, x_channels, x_first, y, y_channels, y_first, rows, count);
    } else {
        copy_packs<1>(x, x_channels, x_first, y, y_channels, y_first, rows, count);
    }
}

// Channel i (C / G) + j of x becomes channel j G + i of y (Zhang et al. 2018, ShuffleNet). The gradient
// is the shuffle with C / G groups. Writes are coalesced, reads fall into the same cache lines.
template <typename T>
__device__ void channel_shuffle(const T* x, T* y, unsigned rows, unsigned channels, unsigned groups) {
    unsigned per_group = channels / groups;
    packs_of<1>(rows, channels, [&](auto, unsigned row, unsigned channel) {
        unsigned from = channel % groups * per_group + channel / groups;
        y[size_t(row) * channels + channel] = x[size_t(row) * channels + from];
    });
}

EXPORT(copy_channels,
       (const T* x, unsigned x_channels, unsigned x_first, T* y, unsigned y_channels, unsigned y_first, unsigned rows,
        unsigned count),
       (x, x_channels, x_first, y, y_channels, y_first, rows, count))
EXPORT(channel_shuffle, (const T* x, T* y, unsigned rows, unsigned channels, unsigned groups),
       (x, y, rows, channels, groups))
