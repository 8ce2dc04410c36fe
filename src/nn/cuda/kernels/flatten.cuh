// Images to vectors in PyTorch's order: every sample's matrix [R, Q] transposed to [Q, R].
//
// Letters: B samples, R rows, Q columns. Forward: R pixels, Q channels; backward: the other way round.
//
// A block moves squares of 32 by 32 values through shared memory, so that both reading and writing run
// along neighbouring addresses; the odd width keeps a column of the square in 32 different banks.
// Grid (any), block THREADS. Values are only moved.

#pragma once

#include "loops.cuh"

template <typename T>
__device__ void transpose(const T* x, T* y, unsigned samples, unsigned rows, unsigned cols) {
    constexpr unsigned SIDE = 32;
    __shared__ T square[SIDE][SIDE + 1];
    unsigned across = threadIdx.x % SIDE, line = threadIdx.x / SIDE;
    constexpr unsigned LINES = THREADS / SIDE;
    unsigned wide = (cols + SIDE - 1) / SIDE, high = (rows + SIDE - 1) / SIDE;
    for (unsigned i = blockIdx.x; i < samples * high * wide; i += gridDim.x) {
        size_t sample = size_t(i / (high * wide)) * rows * cols;
        unsigned top = i / wide % high * SIDE, left = i % wide * SIDE;
        // The last square may still be being written out.
        __syncthreads();
        for (unsigned r = line; r < SIDE; r += LINES) {
            if (top + r < rows && left + across < cols) {
                square[r][across] = x[sample + size_t(top + r) * cols + left + across];
            }
        }
        __syncthreads();
        for (unsigned q = line; q < SIDE; q += LINES) {
            if (left + q < cols && top + across < rows) {
                y[sample + size_t(left + q) * rows + top + across] = square[across][q];
            }
        }
    }
}

EXPORT(transpose, (const T* x, T* y, unsigned samples, unsigned rows, unsigned cols), (x, y, samples, rows, cols))
