// Batch normalisation over the rows of [M, C], with the residual sum and the ReLU that follow it.
//
// Letters: M = B H W rows, C channels, P parts of the rows.
//
// Forward, training: sums -> finalise -> apply; otherwise: from_running -> apply.
//     y = relu(a x + b + residual), a = weight / sigma, b = bias - mean a.
// Backward: gradient_sums -> gradient_finalise -> backward. With g the gradient behind the ReLU,
//     dx = a g + u (x - mean) + v
// where u and v come from the sums of g and of g (x - mean) (Ioffe & Szegedy 2015, section 3, solved
// for x). The processor's kernel folds `u mean` into v; here it stays apart, which is more exact where
// the mean is large, at no cost in bytes.
//
// Threads run along channels (coalesced); the sums are the two stages of columns.cuh (deterministic).

#pragma once

#include "columns.cuh"

// Sums of x less the first row, and of its square: the shift keeps the variance exact where the mean is
// large. `partials` [P, 2, C]; `shift` [C] receives the first row.
template <typename T>
__device__ void batch_norm_sums(
    const T* x, float* shift, float* partials, unsigned rows, unsigned channels, unsigned rows_per_part) {
    column_parts<2>(rows, channels, rows_per_part, partials, [&](auto lanes, unsigned row, unsigned channel, auto& sums) {
        constexpr unsigned N = decltype(lanes)::count;
        Floats<N> origin = load<N>(x + channel);
        Floats<N> v = load<N>(x + size_t(row) * channels + channel);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            float d = v[j] - origin[j];
            sums[0][j] += d;
            sums[1][j] += d * d;
        }
    });
    if (blockIdx.x == 0 && blockIdx.y == 0) {
        for (unsigned c = threadIdx.x; c < channels; c += THREADS) {
            shift[c] = to_float(x[c]);
        }
    }
}

struct BatchNormStatistics {
    float *mean, *inverse, *factor, *offset;
};

// From a channel's moments: what `apply` and the backward pass read.
__device__ inline void keep_statistics(
    unsigned channel, double mean, double var, double eps, const float* weight, const float* bias,
    const BatchNormStatistics& to) {
    double inverse = 1.0 / sqrt(var + eps);
    double factor = double(weight[channel]) * inverse;
    to.mean[channel] = float(mean);
    to.inverse[channel] = float(inverse);
    to.factor[channel] = float(factor);
    to.offset[channel] = float(double(bias[channel]) - mean * factor);
}

__device__ inline float follow(float running, double batch, double momentum) {
    return float((1.0 - momentum) * double(running) + momentum * batch);
}

// Mean, 1 / sigma, factor a, offset b [C] from the partial sums; moves the running moments unless they
// are null (torch keeps the unbiased variance). Grid ceil(C / 32), block WIDE.
extern "C" __global__ void __launch_bounds__(WIDE) batch_norm_finalise(
    const float* partials, const float* shift, unsigned parts, unsigned rows, unsigned channels, double eps,
    double momentum, const float* weight, const float* bias, float* running_mean, float* running_var, float* mean,
    float* inverse, float* factor, float* offset) {
    double totals[2];
    if (!total_of_parts(partials, parts, channels, totals)) {
        return;
    }
    unsigned channel = blockIdx.x * WARP + threadIdx.x % WARP;
    double count = rows;
    double from_shift = totals[0] / count;
    double var = totals[1] / count - from_shift * from_shift;
    // Written so that a NaN stays one.
    var = var < 0.0 ? 0.0 : var;
    double centre = from_shift + double(shift[channel]);
    keep_statistics(channel, centre, var, eps, weight, bias, {mean, inverse, factor, offset});
    if (running_mean) {
        running_mean[channel] = follow(running_mean[channel], centre, momentum);
        running_var[channel] = follow(running_var[channel], var * count / (count - 1.0), momentum);
    }
}

// The same numbers from the running moments. One thread per channel.
extern "C" __global__ void __launch_bounds__(THREADS) batch_norm_from_running(
    const float* running_mean, const float* running_var, unsigned channels, double eps, const float* weight,
    const float* bias, float* mean, float* inverse, float* factor, float* offset) {
    for (unsigned c = first_item(); c < channels; c += item_step()) {
        keep_statistics(c, running_mean[c], running_var[c], eps, weight, bias, {mean, inverse, factor, offset});
    }
}

// y = a x + b, plus `residual` unless it is null, then ReLU if `relu` is 1. y may be x.
template <typename T>
__device__ void batch_norm_apply(
    const T* x, const T* residual, const float* factor, const float* offset, T* y, unsigned rows, unsigned channels,
    int relu) {
    stream_packs<T>(rows, channels, [&](auto lanes, unsigned row, unsigned channel) {
        constexpr unsigned N = decltype(lanes)::count;
        size_t at = size_t(row) * channels + channel;
        Floats<N> v = load<N>(x + at), a = load<N>(factor + channel), b = load<N>(offset + channel);
        Floats<N> r = residual ? load<N>(residual + at) : all<N>(0.0f);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            float sum = v[j] * a[j] + b[j] + r[j];
            // A NaN stays one.
            v[j] = relu && sum < 0.0f ? 0.0f : sum;
        }
        store<N>(y + at, v);
    });
}

// The gradient behind the ReLU: zero where its output is not above zero. No ReLU if y is null.
template <unsigned N, typename T>
__device__ Floats<N> behind_relu(const T* dy, const T* y, size_t at) {
    Floats<N> g = load<N>(dy + at);
    if (y) {
        Floats<N> out = load<N>(y + at);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            g[j] = out[j] > 0.0f ? g[j] : 0.0f;
        }
    }
    return g;
}

// Sums of g and of g (x - mean). `partials` [P, 2, C].
template <typename T>
__device__ void batch_norm_gradient_sums(
    const T* x, const T* dy, const T* y, const float* mean, float* partials, unsigned rows, unsigned channels,
    unsigned rows_per_part) {
    column_parts<2>(rows, channels, rows_per_part, partials, [&](auto lanes, unsigned row, unsigned channel, auto& sums) {
        constexpr unsigned N = decltype(lanes)::count;
        size_t at = size_t(row) * channels + channel;
        Floats<N> v = load<N>(x + at), m = load<N>(mean + channel), g = behind_relu<N>(dy, y, at);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            sums[0][j] += g[j];
            sums[1][j] += g[j] * (v[j] - m[j]);
        }
    });
}

// Adds to the gradients of weight and bias; a, u, v [C] of the input's gradient. Grid ceil(C / 32),
// block WIDE.
extern "C" __global__ void __launch_bounds__(WIDE) batch_norm_gradient_finalise(
    const float* partials, unsigned parts, unsigned rows, unsigned channels, const float* weight, const float* inverse,
    float* dweight, float* dbias, float* a, float* u, float* v) {
    double totals[2];
    if (!total_of_parts(partials, parts, channels, totals)) {
        return;
    }
    unsigned channel = blockIdx.x * WARP + threadIdx.x % WARP;
    double scale = inverse[channel], count = rows;
    double factor = double(weight[channel]) * scale;
    dweight[channel] += float(totals[1] * scale);
    dbias[channel] += float(totals[0]);
    a[channel] = float(factor);
    u[channel] = float(-factor * scale * scale * totals[1] / count);
    v[channel] = float(-factor * totals[0] / count);
}

// dx = a g + u (x - mean) + v; `dresidual` receives g unless it is null. Either may be dy.
template <typename T>
__device__ void batch_norm_backward(
    const T* x, const T* dy, const T* y, const float* mean, const float* a, const float* u, const float* v, T* dx,
    T* dresidual, unsigned rows, unsigned channels) {
    stream_packs<T>(rows, channels, [&](auto lanes, unsigned row, unsigned channel) {
        constexpr unsigned N = decltype(lanes)::count;
        size_t at = size_t(row) * channels + channel;
        Floats<N> g = behind_relu<N>(dy, y, at), in = load<N>(x + at), m = load<N>(mean + channel);
        Floats<N> ga = load<N>(a + channel), xu = load<N>(u + channel), sum = load<N>(v + channel);
#pragma unroll
        for (unsigned j = 0; j < N; j++) {
            sum[j] += ga[j] * g[j] + xu[j] * (in[j] - m[j]);
        }
        store<N>(dx + at, sum);
        if (dresidual) {
            store<N>(dresidual + at, g);
        }
    });
}

EXPORT(batch_norm_sums,
       (const T* x, float* shift, float* partials, unsigned rows, unsigned channels, unsigned rows_per_part),
       (x, shift, partials, rows, channels, rows_per_part))
EXPORT(batch_norm_apply,
       (const T* x, const T* residual, const float* factor, const float* offset, T* y, unsigned rows, unsigned channels,
        int relu),
       (x, residual, factor, offset, y, rows, channels, relu))
EXPORT(batch_norm_gradient_sums,
       (const T* x, const T* dy, const T* y, const float* mean, float* partials, unsigned rows, unsigned channels,
        unsigned rows_per_part),
       (x, dy, y, mean, partials, rows, channels, rows_per_part))
EXPORT(batch_norm_backward,
       (const T* x, const T* dy, const T* y, const float* mean, const float* a, const float* u, const float* v, T* dx,
        T* dresidual, unsigned rows, unsigned channels),
       (x, dy, y, mean, a, u, v, dx, dresidual, rows, channels))
