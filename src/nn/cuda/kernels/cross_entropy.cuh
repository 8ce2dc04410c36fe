// Mean cross-entropy over classes, with label smoothing: loss, right answers, gradient.
//
// Letters: B samples, N classes. With smoothing s the target is 1 - s for the label plus s / N for every
// class, as `nn.CrossEntropyLoss` has it. Sums run in double.
//
// A block has a sample; its threads read neighbouring logits (coalesced) and add up in a fixed order.
// One block then adds the samples, in a fixed order, too.

#pragma once

#include "loops.cuh"
#include "reduce.cuh"

// A logit and its class; the larger of two, and the first of equals.
struct Best {
    float logit;
    unsigned label;
};

__device__ inline Best better(Best a, Best b) {
    bool second = b.logit > a.logit || (b.logit == a.logit && b.label < a.label);
    return second ? b : a;
}

// The best of the block's threads, in every thread.
__device__ inline Best block_best(Best own) {
    __shared__ Best shared[THREADS];
    __syncthreads();
    shared[threadIdx.x] = own;
    for (unsigned half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) {
            shared[threadIdx.x] = better(shared[threadIdx.x], shared[threadIdx.x + half]);
        }
    }
    __syncthreads();
    return shared[0];
}

// `logits`, `gradient` [B, N]; `losses` [B] and `hits` [B] (1 where the first of the largest logits is
// the label's) for `cross_entropy_total`. `gradient` is that of the mean; it may be null or the logits.
// A label outside the classes gives a loss that is no number. Grid B.
template <typename T>
__device__ void cross_entropy(
    const T* logits, const unsigned* labels, float smoothing, double* losses, unsigned* hits, T* gradient,
    unsigned samples, unsigned classes) {
    unsigned sample = blockIdx.x;
    const T* own = logits + size_t(sample) * classes;
    unsigned label = labels[sample];
    Best best = {-INFINITY, classes};
    for (unsigned j = threadIdx.x; j < classes; j += THREADS) {
        best = better(best, {to_float(own[j]), j});
    }
    best = block_best(best);
    double largest = best.logit;
    double total = 0.0, sum = 0.0;
    for (unsigned j = threadIdx.x; j < classes; j += THREADS) {
        double shifted = double(to_float(own[j])) - largest;
        total += exp(shifted);
        sum += shifted;
    }
    total = block_total<THREADS>(total, Add());
    sum = block_total<THREADS>(sum, Add());
    double s = smoothing, n = classes;
    if (threadIdx.x == 0) {
        double right = label < classes ? double(to_float(own[label])) - largest : NAN;
        losses[sample] = log(total) - (1.0 - s) * right - s * sum / n;
        // As on the processor: a first logit that is no number predicts nothing.
        float first = to_float(own[0]);
        hits[sample] = best.label == label && first == first;
    }
    if (!gradient) {
        return;
    }
    // The gradient may lie over the logits, which thread 0 has just read.
    __syncthreads();
    for (unsigned j = threadIdx.x; j < classes; j += THREADS) {
        double shifted = double(to_float(own[j])) - largest;
        double target = s / n + (j == label ? 1.0 - s : 0.0);
        gradient[size_t(sample) * classes + j] = from_float<T>(float((exp(shifted) / total - target) / samples));
    }
}

// The mean of the losses and the number of hits. One block of THREADS threads.
extern "C" __global__ void __launch_bounds__(THREADS) cross_entropy_total(
    const double* losses, const unsigned* hits, unsigned samples, double* loss, unsigned* correct) {
    double sum = 0.0;
    unsigned count = 0;
    for (unsigned b = threadIdx.x; b < samples; b += THREADS) {
        sum += losses[b];
        count += hits[b];
    }
    sum = block_total<THREADS>(sum, Add());
    count = block_total<THREADS>(count, Add());
    if (threadIdx.x == 0) {
        *loss = sum / samples;
        *correct = count;
    }
}

EXPORT(cross_entropy,
       (const T* logits, const unsigned* labels, float smoothing, double* losses, unsigned* hits, T* gradient,
        unsigned samples, unsigned classes),
       (logits, labels, smoothing, losses, hits, gradient, samples, classes))
