// Cross-entropy against its definition in double.

#pragma once

#include "check.h"

template <typename T>
void test_cross_entropy() {
    for (auto [samples, classes] : {std::pair{1u, 1u}, {5u, 2u}, {7u, 10u}, {300u, 33u}, {9u, 1000u}}) {
        size_t count = size_t(samples) * classes;
        const float smoothing = classes == 10 ? 0.0f : 0.1f;
        Array<T> logits(count, -9, 9), gradient(count);
        Array<unsigned> labels(samples), hits(samples), correct(1);
        Array<double> losses(samples), loss(1);
        for (unsigned b = 0; b < samples; b++) {
            labels[b] = whole(0, classes - 1);
            // Every third sample's label ties with another class, before or behind it, at the top.
            if (b % 3 == 0) {
                logits[size_t(b) * classes + labels[b]] = narrow<T>(10);
                logits[size_t(b) * classes + whole(0, classes - 1)] = narrow<T>(10);
            }
        }
        LAUNCH(T, cross_entropy, dim3(samples), THREADS, logits.data(), labels.data(), smoothing, losses.data(), hits.data(),
               gradient.data(), samples, classes);
        LAUNCH_ONE(cross_entropy_total, dim3(1), THREADS, losses.data(), hits.data(), samples, loss.data(), correct.data());
        std::vector<double> want_losses(samples), want_gradient(count), want_hits(samples);
        double want_loss = 0, want_correct = 0;
        for (unsigned b = 0; b < samples; b++) {
            size_t at = size_t(b) * classes, best = 0;
            double total = 0;
            for (unsigned c = 0; c < classes; c++) {
                total += std::exp(logits.at(at + c));
                best = logits.at(at + c) > logits.at(at + best) ? c : best;
            }
            for (unsigned c = 0; c < classes; c++) {
                double target = double(smoothing) / classes + (c == labels[b] ? 1 - double(smoothing) : 0);
                want_losses[b] -= target * (logits.at(at + c) - std::log(total));
                want_gradient[at + c] = (std::exp(logits.at(at + c)) / total - target) / samples;
            }
            want_hits[b] = best == labels[b];
            want_loss += want_losses[b] / samples;
            want_correct += want_hits[b];
        }
        // Sums in double.
        near(named<T>("cross_entropy"), losses, want_losses, 1e-12);
        near(named<T>("cross_entropy"), hits, want_hits, 0.0);
        near(named<T>("cross_entropy"), gradient, want_gradient, 1e-7);
        near("cross_entropy_total", loss, {want_loss}, 1e-12);
        near("cross_entropy_total", correct, {want_correct}, 0.0);
        // Over the logits, as a training step may run it.
        LAUNCH(T, cross_entropy, dim3(samples), THREADS, logits.data(), labels.data(), smoothing, losses.data(), hits.data(),
               logits.data(), samples, classes);
        expect(named<T>("cross_entropy"), logits.equals(gradient), "the result in place differs");
        near(named<T>("cross_entropy"), losses, want_losses, 1e-12);
        // Labels that are no class.
        labels[0] = classes;
        LAUNCH(T, cross_entropy, dim3(samples), THREADS, logits.data(), labels.data(), smoothing, losses.data(), hits.data(),
               (T*)nullptr, samples, classes);
        expect(named<T>("cross_entropy"), std::isnan(losses[0]) && hits[0] == 0, "a label outside the classes goes unnoticed");
    }
}
