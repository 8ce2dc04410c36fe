// Random windows, and loops over what they read.

#pragma once

#include "check.h"

inline int output_side(int input, int kernel, int stride, int padding, int dilation) {
    return (input + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
}

// Fills in the output's sides; false if the kernel does not fit.
inline bool close(Window& w) {
    for (int axis : {0, 1}) {
        if (w.input[axis] + 2 * w.padding[axis] < w.dilation[axis] * (w.kernel[axis] - 1) + 1) {
            return false;
        }
        w.output[axis] = output_side(w.input[axis], w.kernel[axis], w.stride[axis], w.padding[axis], w.dilation[axis]);
    }
    return true;
}

inline Window random_window(int largest_kernel, int largest_dilation) {
    for (;;) {
        Window w;
        for (int axis : {0, 1}) {
            w.input[axis] = whole(1, 15);
            w.kernel[axis] = whole(1, largest_kernel);
            w.stride[axis] = whole(1, 3);
            w.padding[axis] = whole(0, w.kernel[axis] / 2);
            w.dilation[axis] = whole(1, largest_dilation);
        }
        if (close(w)) {
            return w;
        }
    }
}

inline Window square_window(int height, int width, int kernel, int stride, int padding) {
    Window w = {{height, width}, {0, 0}, {kernel, kernel}, {stride, stride}, {padding, padding}, {1, 1}};
    close(w);
    return w;
}

inline unsigned in_pixels(const Window& w) { return w.input[0] * w.input[1]; }
inline unsigned out_pixels(const Window& w) { return w.output[0] * w.output[1]; }

// Calls `body(output value, input value, tap, channel)` for everything that a window reads.
template <class Body>
void for_each_read(const Window& w, unsigned samples, unsigned channels, Body body) {
    for (unsigned b = 0; b < samples; b++) {
        for (int oh = 0; oh < w.output[0]; oh++) {
            for (int ow = 0; ow < w.output[1]; ow++) {
                for (int kh = 0; kh < w.kernel[0]; kh++) {
                    for (int kw = 0; kw < w.kernel[1]; kw++) {
                        int ih = oh * w.stride[0] + kh * w.dilation[0] - w.padding[0];
                        int iw = ow * w.stride[1] + kw * w.dilation[1] - w.padding[1];
                        if (ih < 0 || iw < 0 || ih >= w.input[0] || iw >= w.input[1]) {
                            continue;
                        }
                        size_t out = ((size_t(b) * w.output[0] + oh) * w.output[1] + ow) * channels;
                        size_t in = ((size_t(b) * w.input[0] + ih) * w.input[1] + iw) * channels;
                        for (unsigned c = 0; c < channels; c++) {
                            body(out + c, in + c, kh * w.kernel[1] + kw, c);
                        }
                    }
                }
            }
        }
    }
}
