// Directions of queries and keys, and biases between bounds, against their definitions in double.

#pragma once

#include "check.h"

template <typename T>
void test_cosine() {
    for (auto [rows, heads, width] : {std::array{1u, 1u, 1u}, {9u, 2u, 5u}, {40u, 3u, 32u}, {13u, 4u, 70u}}) {
        unsigned channels = heads * width;
        Array<T> qkv(size_t(rows) * 3 * channels, -1, 1), y(size_t(rows) * 2 * channels);
        Array<T> gradient(qkv.size(), -1, 1);
        Array<float> exponents(heads, -1, 2), by_exponents(size_t(rows) * heads);
        // No vector is so short that its direction has few digits, but one that has none. One factor is cut off.
        for (unsigned i = 0; i < rows * 3 * heads; i++) {
            qkv[size_t(i) * width] = narrow<T>(0.5);
        }
        exponents[heads - 1] = 5.0f;
        for (unsigned d = 0; d < width; d++) {
            qkv[d] = narrow<T>(0.0);
        }
        std::vector<double> want(y.size()), want_gradient, want_exponents(by_exponents.size());
        for (size_t i = 0; i < gradient.size(); i++) {
            want_gradient.push_back(gradient.at(i));
        }
        for (unsigned row = 0; row < rows; row++) {
            for (unsigned part = 0; part < 2; part++) {
                for (unsigned head = 0; head < heads; head++) {
                    size_t from = (size_t(row) * 3 + part) * channels + head * width;
                    size_t to = (size_t(row) * 2 + part) * channels + head * width;
                    double square = 0, dot = 0;
                    for (unsigned d = 0; d < width; d++) {
                        square += qkv.at(from + d) * qkv.at(from + d);
                        dot += qkv.at(from + d) * gradient.at(from + d);
                    }
                    double length = std::max(std::sqrt(square), 1e-12);
                    double factor = part ? 1.0 : std::min(std::exp(exponents.at(head)), 100.0);
                    for (unsigned d = 0; d < width; d++) {
                        double x = qkv.at(from + d);
                        want[to + d] = factor * x / length;
                        want_gradient[from + d] = factor * (gradient.at(from + d) - x * dot / square) / length;
                        if (square == 0) {
                            want_gradient[from + d] = factor * gradient.at(from + d) / length;
                        }
                    }
                    if (part == 0) {
                        bool free = exponents.at(head) <= std::log(100.0);
                        want_exponents[size_t(row) * heads + head] = free ? factor * dot / length : 0.0;
                    }
                }
            }
        }
        LAUNCH(T, cosine_directions, any_grid(), THREADS, qkv.data(), exponents.data(), y.data(), rows, heads, width);
        near(named<T>("cosine_directions"), y, want);
        LAUNCH(T, cosine_directions_backward, any_grid(), THREADS, qkv.data(), exponents.data(), gradient.data(),
               by_exponents.data(), rows, heads, width);
        near(named<T>("cosine_directions_backward"), by_exponents, want_exponents);
        // The query without a direction has a gradient of another order, which would hide all others.
        for (unsigned d = 0; d < width; d++) {
            double got = gradient.at(d), expected = want_gradient[d];
            expect(named<T>("cosine_directions_backward"), std::abs(got - expected) <= 0.01 * std::abs(expected), "no direction");
            gradient[d] = narrow<T>(0.0);
            want_gradient[d] = 0.0;
        }
        near(named<T>("cosine_directions_backward"), gradient, want_gradient);
    }
    for (unsigned count : {1u, 7u, 1000u}) {
        Array<T> x(count, -8, 8), dx(count);
        Array<float> biases(count), by(count, -1, 1);
        std::vector<double> want(count), want_dx(count);
        for (unsigned i = 0; i < count; i++) {
            double s = 1 / (1 + std::exp(-x.at(i)));
            want[i] = 16 * s;
            want_dx[i] = by.at(i) * 16 * s * (1 - s);
        }
        LAUNCH(T, cosine_biases, any_grid(), THREADS, x.data(), biases.data(), count);
        near(named<T>("cosine_biases"), biases, want);
        LAUNCH(T, cosine_biases_backward, any_grid(), THREADS, biases.data(), by.data(), dx.data(), count);
        near(named<T>("cosine_biases_backward"), dx, want_dx);
    }
}
