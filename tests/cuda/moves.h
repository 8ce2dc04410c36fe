// Kernels that move values or add two: casts, sums, bias, transposition, channels.

#pragma once

#include "check.h"

inline void test_casts() {
    for (size_t count : {size_t(1), size_t(7), size_t(4099)}) {
        Array<float> x(count, -1e3, 1e3), back(count);
        Array<bf16> y(count);
        std::vector<double> want(count);
        for (size_t i = 0; i < count; i++) {
            // The nearest value of 8 bits, ties to even, by the processor's own rounding.
            int exponent;
            double digits = std::frexp(x.at(i), &exponent);
            want[i] = std::ldexp(std::nearbyint(digits * 256), exponent - 8);
        }
        LAUNCH_ONE(cast_f32_to_bf16, any_grid(), THREADS, x.data(), y.data(), count);
        LAUNCH_ONE(cast_bf16_to_f32, any_grid(), THREADS, y.data(), back.data(), count);
        near("cast_bf16_to_f32", back, want, 0.0);
        bool exact = true;
        for (size_t i = 0; i < count; i++) {
            exact = exact && y.at(i) == want[i];
        }
        expect("cast_f32_to_bf16", exact, "a value is not the nearest");
    }
}

template <typename T>
void test_add() {
    for (size_t count : {size_t(1), size_t(7), size_t(3001)}) {
        Array<T> a(count, -1, 1), b(count, -1, 1), y(count);
        std::vector<double> want(count);
        for (size_t i = 0; i < count; i++) {
            want[i] = a.at(i) + b.at(i);
        }
        LAUNCH(T, add, any_grid(), THREADS, a.data(), b.data(), y.data(), count);
        near(named<T>("add"), y, want);
        LAUNCH(T, add, any_grid(), THREADS, a.data(), b.data(), a.data(), count);
        expect(named<T>("add"), a.equals(y), "the result in place differs");
    }
    for (auto [rows, channels] : matrices()) {
        Array<T> x(size_t(rows) * channels, -1, 1), y(x.size());
        Array<float> bias(channels, -1, 1);
        std::vector<double> want(x.size());
        for (size_t i = 0; i < x.size(); i++) {
            want[i] = x.at(i) + bias.at(i % channels);
        }
        LAUNCH(T, bias_add, any_grid(), THREADS, x.data(), bias.data(), y.data(), rows, channels);
        near(named<T>("bias_add"), y, want);
    }
}

template <typename T>
void test_transpose() {
    for (auto [samples, rows, cols] : {std::array{1u, 1u, 1u}, {3u, 49u, 20u}, {2u, 33u, 64u}, {4u, 5u, 131u}}) {
        Array<T> x(size_t(samples) * rows * cols, -1, 1), y(x.size()), back(x.size());
        std::vector<double> want(x.size());
        for (unsigned b = 0; b < samples; b++) {
            for (unsigned r = 0; r < rows; r++) {
                for (unsigned q = 0; q < cols; q++) {
                    want[(size_t(b) * cols + q) * rows + r] = x.at((size_t(b) * rows + r) * cols + q);
                }
            }
        }
        LAUNCH(T, transpose, any_grid(), THREADS, x.data(), y.data(), samples, rows, cols);
        LAUNCH(T, transpose, any_grid(), THREADS, y.data(), back.data(), samples, cols, rows);
        near(named<T>("transpose"), y, want, 0.0);
        expect(named<T>("transpose"), back.equals(x), "the way back differs");
    }
}

template <typename T>
void test_channels() {
    for (auto [rows, one, two] : {std::array{1u, 1u, 1u}, {90u, 16u, 8u}, {33u, 5u, 12u}, {300u, 64u, 3u}}) {
        unsigned both = one + two;
        Array<T> a(size_t(rows) * one, -1, 1), b(size_t(rows) * two, -1, 1), y(size_t(rows) * both), back(b.size());
        LAUNCH(T, copy_channels, any_grid(), THREADS, a.data(), one, 0u, y.data(), both, 0u, rows, one);
        LAUNCH(T, copy_channels, any_grid(), THREADS, b.data(), two, 0u, y.data(), both, one, rows, two);
        std::vector<double> want;
        for (unsigned r = 0; r < rows; r++) {
            for (unsigned c = 0; c < both; c++) {
                want.push_back(c < one ? a.at(size_t(r) * one + c) : b.at(size_t(r) * two + c - one));
            }
        }
        near(named<T>("copy_channels"), y, want, 0.0);
        LAUNCH(T, copy_channels, any_grid(), THREADS, y.data(), both, one, back.data(), two, 0u, rows, two);
        expect(named<T>("copy_channels"), back.equals(b), "the split differs");
    }
    // A piece that begins in the middle of a pack.
    const unsigned wide = 32, first = 5, count = 16;
    Array<T> x(33 * wide, -1, 1), piece(33 * count);
    LAUNCH(T, copy_channels, any_grid(), THREADS, x.data(), wide, first, piece.data(), count, 0u, 33u, count);
    std::vector<double> want;
    for (unsigned i = 0; i < 33 * count; i++) {
        want.push_back(x.at(i / count * wide + first + i % count));
    }
    near(named<T>("copy_channels"), piece, want, 0.0);
    for (auto [rows, groups, per_group] : {std::array{1u, 1u, 1u}, {70u, 3u, 8u}, {9u, 4u, 25u}}) {
        unsigned channels = groups * per_group;
        Array<T> x(size_t(rows) * channels, -1, 1), y(x.size()), back(x.size());
        LAUNCH(T, channel_shuffle, any_grid(), THREADS, x.data(), y.data(), rows, channels, groups);
        std::vector<double> want(x.size());
        for (unsigned r = 0; r < rows; r++) {
            for (unsigned i = 0; i < groups; i++) {
                for (unsigned j = 0; j < per_group; j++) {
                    want[size_t(r) * channels + j * groups + i] = x.at(size_t(r) * channels + i * per_group + j);
                }
            }
        }
        near(named<T>("channel_shuffle"), y, want, 0.0);
        LAUNCH(T, channel_shuffle, any_grid(), THREADS, y.data(), back.data(), rows, channels, per_group);
        expect(named<T>("channel_shuffle"), back.equals(x), "the way back differs");
    }
}
