// Sums over the rows of [M, C], channel by channel, in two stages.
//
// Letters: M rows, C channels, P parts of the rows, S sums per channel.
//
// Stage one: a block takes a tile of up to 32 packs of channels (across) and one part of the rows
// (down). Lanes across read neighbouring packs; the lines of the block share the rows of the part.
// Sums run in float within a part. Stage two adds the parts in double.
//
// Deterministic: parts have a fixed number of rows that the caller derives from the shape, every part
// writes a place of its own, and lines and parts are added in a fixed order. No atomics.

#pragma once

#include "loops.cuh"
#include "reduce.cuh"

// Where a thread of a tile stands.
template <unsigned N>
struct Tile {
    unsigned across, lane, line, lines, channel;
    bool inside;

    __device__ explicit Tile(unsigned channels) {
        unsigned packs = channels / N;
        across = 1;
        while (across < packs && across < WARP) {
            across *= 2;
        }
        lane = threadIdx.x % across;
        line = threadIdx.x / across;
        lines = THREADS / across;
        unsigned pack = blockIdx.x * across + lane;
        channel = pack * N;
        inside = pack < packs;
    }
};

// Adds `sums` of all lines of the tile; the total is in line 0.
template <unsigned N>
__device__ Floats<N> total_of_lines(const Tile<N>& tile, Floats<N> sums) {
    __shared__ float shared[N][THREADS];
    __syncthreads();
#pragma unroll
    for (unsigned j = 0; j < N; j++) {
        shared[j][threadIdx.x] = sums[j];
    }
    for (unsigned half = tile.lines / 2; half > 0; half /= 2) {
        __syncthreads();
        if (tile.line < half) {
#pragma unroll
            for (unsigned j = 0; j < N; j++) {
                shared[j][threadIdx.x] += shared[j][threadIdx.x + half * tile.across];
            }
        }
    }
#pragma unroll
    for (unsigned j = 0; j < N; j++) {
        sums[j] = shared[j][threadIdx.x];
    }
    return sums;
}

// The S sums of rows `first..last` for the tile's channels; `term(lanes, row, channel, sums)` adds one
// row. Valid in line 0.
template <unsigned N, unsigned S, class Term>
__device__ void sum_rows(const Tile<N>& tile, unsigned first, unsigned last, Floats<N> (&sums)[S], Term term) {
#pragma unroll
    for (unsigned s = 0; s < S; s++) {
        sums[s] = all<N>(0.0f);
    }
    if (tile.inside) {
#pragma unroll 4
        for (unsigned row = first + tile.line; row < last; row += tile.lines) {
            term(Lanes<N>(), row, tile.channel, sums);
        }
    }
#pragma unroll
    for (unsigned s = 0; s < S; s++) {
        sums[s] = total_of_lines(tile, sums[s]);
    }
}

template <unsigned N, unsigned S, class Term>
__device__ void column_part(unsigned rows, unsigned channels, unsigned rows_per_part, float* partials, Term term) {
    Tile<N> tile(channels);
    unsigned part = blockIdx.y;
    unsigned first = part * rows_per_part;
    unsigned last = rows - first < rows_per_part ? rows : first + rows_per_part;
    Floats<N> sums[S];
    sum_rows(tile, first, last, sums, term);
    if (tile.line == 0 && tile.inside) {
#pragma unroll
        for (unsigned s = 0; s < S; s++) {
            store<N>(partials + (size_t(part) * S + s) * channels + tile.channel, sums[s]);
        }
    }
}

// Stage one. Grid (tiles, parts); `partials` becomes [P, S, C].
template <unsigned S, class Term>
__device__ void column_parts(unsigned rows, unsigned channels, unsigned rows_per_part, float* partials, Term term) {
    if (channels % WIDTH == 0) {
        column_part<WIDTH, S>(rows, channels, rows_per_part, partials, term);
    } else {
        column_part<1, S>(rows, channels, rows_per_part, partials, term);
    }
}

// Stage two for the caller's channel, `blockIdx.x * 32 + threadIdx.x % 32`: adds the P parts of S sums
// in double. Blocks of WIDE threads: 32 channels across, 32 lines that share the parts. True in the one
// thread per channel that has the totals.
template <unsigned S>
__device__ bool total_of_parts(const float* partials, unsigned parts, unsigned channels, double (&totals)[S]) {
    __shared__ double shared[WIDE];
    unsigned channel = blockIdx.x * WARP + threadIdx.x % WARP;
    unsigned line = threadIdx.x / WARP;
    constexpr unsigned LINES = WIDE / WARP;
#pragma unroll
    for (unsigned s = 0; s < S; s++) {
        double sum = 0.0;
        for (unsigned part = line; part < parts && channel < channels; part += LINES) {
            sum += partials[(size_t(part) * S + s) * channels + channel];
        }
        __syncthreads();
        shared[threadIdx.x] = sum;
        for (unsigned half = LINES / 2; half > 0; half /= 2) {
            __syncthreads();
            if (line < half) {
                shared[threadIdx.x] += shared[threadIdx.x + half * WARP];
            }
        }
        totals[s] = shared[threadIdx.x];
    }
    return line == 0 && channel < channels;
}

// Stage one of the sum of every column of `x` [M, C]: a bias's gradient.
template <typename T>
__device__ void column_sums(const T* x, float* partials, unsigned rows, unsigned channels, unsigned rows_per_part) {
    column_parts<1>(rows, channels, rows_per_part, partials, [&](auto lanes, unsigned row, unsigned channel, auto& sums) {
        constexpr unsigned N = decltype(lanes)::count;
        Floats<N> v = load<N>(x + size_t(row) * channels + channel);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            sums[0][j] += v[j];
        }
    });
}

// Stage two: adds `factor` times the sums over the parts to gradients. `partials` is [P, C + D]; the
// first C columns go to `first`, the other D to `second`. Grid ceil((C + D) / 32), block WIDE.
extern "C" __global__ void __launch_bounds__(WIDE) add_column_totals(
    const float* partials, unsigned parts, unsigned columns, unsigned columns_of_first, float factor, float* first,
    float* second) {
    double totals[1];
    if (!total_of_parts(partials, parts, columns, totals)) {
        return;
    }
    unsigned column = blockIdx.x * WARP + threadIdx.x % WARP;
    float* gradient = column < columns_of_first ? first + column : second + (column - columns_of_first);
    *gradient += float(factor * totals[0]);
}

EXPORT(column_sums, (const T* x, float* partials, unsigned rows, unsigned channels, unsigned rows_per_part),
       (x, partials, rows, channels, rows_per_part))
