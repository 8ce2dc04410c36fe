// Column sums, the gate, and moments against plain loops.

#pragma once

#include "check.h"

template <typename T>
void test_column_sums() {
    for (auto [rows, channels] : matrices()) {
        Array<T> x(size_t(rows) * channels, -1, 1);
        Columns columns(rows, channels);
        if (whole(0, 1)) {
            // Any other cut is right, too.
            columns.rows_per_part = whole(1, rows);
            columns.parts = (rows + columns.rows_per_part - 1) / columns.rows_per_part;
        }
        Array<float> partials(size_t(columns.parts) * channels), again(partials.size());
        LAUNCH(T, column_sums, columns.grid(), THREADS, x.data(), partials.data(), rows, channels, columns.rows_per_part);
        LAUNCH(T, column_sums, columns.grid(), THREADS, x.data(), again.data(), rows, channels, columns.rows_per_part);
        expect(named<T>("column_sums"), partials.equals(again), "two runs differ");
        std::vector<double> parts(partials.size(), 0.0), want(channels);
        unsigned split = whole(0, channels);
        Array<float> first(split, -1, 1), second(channels - split, -1, 1);
        for (unsigned c = 0; c < channels; c++) {
            want[c] = c < split ? first.at(c) : second.at(c - split);
        }
        for (unsigned r = 0; r < rows; r++) {
            for (unsigned c = 0; c < channels; c++) {
                parts[size_t(r / columns.rows_per_part) * channels + c] += x.at(size_t(r) * channels + c);
                want[c] += 0.5 * x.at(size_t(r) * channels + c);
            }
        }
        near(named<T>("column_sums"), partials, parts);
        LAUNCH_ONE(add_column_totals, totals_grid(channels), WIDE, partials.data(), columns.parts, channels, split, 0.5f,
                   first.data(), second.data());
        near("add_column_totals", first, {want.begin(), want.begin() + split});
        near("add_column_totals", second, {want.begin() + split, want.end()});
    }
}

template <typename T>
void test_gate() {
    for (auto [samples, pixels, channels] : {std::array{1u, 1u, 1u}, {3u, 49u, 20u}, {2u, 300u, 7u}, {5u, 16u, 300u}}) {
        size_t count = size_t(samples) * pixels * channels;
        Array<T> x(count, -1, 1), dy(count, -1, 1), factors(samples * channels, 0, 1), y(count), dgate(samples * channels);
        LAUNCH(T, gate, any_grid(), THREADS, x.data(), factors.data(), y.data(), samples * pixels, pixels, channels);
        dim3 grid(Columns(pixels, channels).tiles, samples);
        LAUNCH(T, gate_gradient, grid, THREADS, x.data(), dy.data(), dgate.data(), pixels, channels);
        std::vector<double> want_y(count), want_gate(samples * channels, 0.0);
        for (size_t i = 0; i < count; i++) {
            size_t factor = i / (pixels * channels) * channels + i % channels;
            want_y[i] = x.at(i) * factors.at(factor);
            want_gate[factor] += x.at(i) * dy.at(i);
        }
        near(named<T>("gate"), y, want_y);
        near(named<T>("gate_gradient"), dgate, want_gate);
    }
}
