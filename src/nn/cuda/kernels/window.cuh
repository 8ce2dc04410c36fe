// A window that slides over an image: sizes and positions, as in the processor's kernels.

#pragma once

#include "loops.cuh"

// Sizes per sample; pairs are height, width. Passed to kernels by value: twelve 32-bit integers in this
// order.
struct Window {
    int input[2];
    int output[2];
    int kernel[2];
    int stride[2];
    int padding[2];
    int dilation[2];

    __device__ int taps() const { return kernel[0] * kernel[1]; }

    // The input coordinate that `tap` of output coordinate `out` reads; outside the image if padding.
    __device__ int source(int axis, int out, int tap) const {
        return out * stride[axis] + tap * dilation[axis] - padding[axis];
    }

    __device__ bool inside(int axis, int at) const { return at >= 0 && at < input[axis]; }

    // The output coordinate whose `tap` reads input coordinate `in`; -1 if there is none.
    __device__ int reader(int axis, int in, int tap) const {
        int distance = in + padding[axis] - tap * dilation[axis];
        if (distance < 0 || distance % stride[axis] != 0) {
            return -1;
        }
        int out = distance / stride[axis];
        return out < output[axis] ? out : -1;
    }
};

// Where a pixel, counted over the batch, stands.
struct Pixel {
    unsigned sample;
    int h, w;

    __device__ Pixel(unsigned pixel, const int (&sides)[2])
        : sample(pixel / unsigned(sides[0] * sides[1])),
          h(int(pixel / unsigned(sides[1]) % unsigned(sides[0]))),
          w(int(pixel % unsigned(sides[1]))) {}
};

// The address of a pixel's first channel.
__device__ inline size_t pixel_at(unsigned sample, const int (&sides)[2], int h, int w, unsigned channels) {
    return ((size_t(sample) * sides[0] + h) * sides[1] + w) * channels;
}
