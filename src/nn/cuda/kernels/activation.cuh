// Activations, value by value: ReLU, ReLU6, GELU, SiLU, sigmoid, hard sigmoid, hard swish, tanh.
//
// Threads take neighbouring packs of a flat array (coalesced); no value depends on another, so the
// order of threads does not matter.
//
// Each is a struct with `value(x)` and `slope(x)`. Slopes at corners are torch's: zero at 0 for ReLU,
// at 0 and 6 for ReLU6, at -3 and 3 for the hard sigmoid; 0 at -3 and 1 at 3 for the hard swish.

#pragma once

#include "loops.cuh"

// A NaN stays one. The slope may be asked at the output instead of the input: only the sign counts.
struct Relu {
    __device__ static float value(float x) { return x < 0.0f ? 0.0f : x; }
    __device__ static float slope(float x) { return x > 0.0f ? 1.0f : 0.0f; }
};

// Here, too, the slope is the same at the output.
struct Relu6 {
    __device__ static float value(float x) { return x < 0.0f ? 0.0f : x > 6.0f ? 6.0f : x; }
    __device__ static float slope(float x) { return x > 0.0f && x < 6.0f ? 1.0f : 0.0f; }
};

// x Phi(x) with the normal distribution function, the exact GELU.
struct Gelu {
    // The complementary error function keeps the digits of the tail below.
    __device__ static float below(float x) { return 0.5f * erfcf(x * -0.70710678f); }
    // Minus infinity times zero would be no number; Phi is zero in float long before.
    __device__ static float value(float x) { return x < -15.0f ? 0.0f : x * below(x); }
    __device__ static float slope(float x) {
        float density = 0.39894228f * expf(-0.5f * x * x);
        // The product of a huge x and a density of zero.
        return x > 15.0f ? 1.0f : x < -15.0f ? 0.0f : below(x) + x * density;
    }
};

struct Sigmoid {
    // For very negative x the exponential is infinite and the quotient zero, as it should be.
    __device__ static float value(float x) { return 1.0f / (1.0f + expf(-x)); }
    __device__ static float slope(float x) {
        float s = value(x);
        return s * value(-x);
    }
};

// x sigmoid(x), also called swish.
struct Silu {
    __device__ static float value(float x) { return x / (1.0f + expf(-x)); }
    __device__ static float slope(float x) {
        float s = Sigmoid::value(x);
        return s * (1.0f + x * Sigmoid::value(-x));
    }
};

// relu6(x + 3) / 6.
struct HardSigmoid {
    __device__ static float value(float x) { return Relu6::value(x + 3.0f) * (1.0f / 6.0f); }
    __device__ static float slope(float x) { return x > -3.0f && x < 3.0f ? 1.0f / 6.0f : 0.0f; }
};

// x relu6(x + 3) / 6.
struct HardSwish {
    __device__ static float value(float x) { return x * HardSigmoid::value(x); }
    __device__ static float slope(float x) {
        return x <= -3.0f ? 0.0f : x >= 3.0f ? 1.0f : x * (1.0f / 3.0f) + 0.5f;
    }
};

struct Tanh {
    __device__ static float value(float x) { return tanhf(x); }
    __device__ static float slope(float x) {
        float t = tanhf(x);
        return 1.0f - t * t;
    }
};

// y = f(x); y may be x.
template <class F, typename T>
__device__ void activate(const T* x, T* y, size_t count) {
    for_each_value<STREAM<T>>(count, [&](auto lanes, size_t at) {
        constexpr unsigned N = decltype(lanes)::count;
        Floats<N> v = load<N>(x + at);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            v[j] = F::value(v[j]);
        }
        store<N>(y + at, v);
    });
}

// dx = dy f'(x); dx may be dy. A dropped gradient is zero even where dy is not finite, as a mask.
template <class F, typename T>
__device__ void activate_backward(const T* x, const T* dy, T* dx, size_t count) {
    for_each_value<STREAM<T>>(count, [&](auto lanes, size_t at) {
        constexpr unsigned N = decltype(lanes)::count;
        Floats<N> v = load<N>(x + at), g = load<N>(dy + at);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            float slope = F::slope(v[j]);
            g[j] = slope == 0.0f ? 0.0f : g[j] * slope;
        }
        store<N>(dx + at, g);
    });
}

// The kernels name_forward(x, y, count) and name_backward(x, dy, dx, count).
#define EXPORT_ACTIVATION(name, F)                                        \
    template <typename T>                                                 \
    __device__ void name##_forward(const T* x, T* y, size_t count) {      \
        activate<F>(x, y, count);                                         \
    }                                                                     \
    template <typename T>                                                 \
    __device__ void name##_backward(const T* x, const T* dy, T* dx, size_t count) { \
        activate_backward<F>(x, dy, dx, count);                           \
    }                                                                     \
    EXPORT(name##_forward, (const T* x, T* y, size_t count), (x, y, count)) \
    EXPORT(name##_backward, (const T* x, const T* dy, T* dx, size_t count), (x, dy, dx, count))

EXPORT_ACTIVATION(relu, Relu)
EXPORT_ACTIVATION(relu6, Relu6)
EXPORT_ACTIVATION(gelu, Gelu)
EXPORT_ACTIVATION(silu, Silu)
EXPORT_ACTIVATION(sigmoid, Sigmoid)
EXPORT_ACTIVATION(hard_sigmoid, HardSigmoid)
EXPORT_ACTIVATION(hard_swish, HardSwish)
EXPORT_ACTIVATION(tanh, Tanh)
