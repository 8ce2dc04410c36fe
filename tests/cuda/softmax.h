// Softmax of rows against its definition in double.

#pragma once

#include "check.h"

template <typename T>
void test_softmax() {
    for (auto [batch, bias_rows, columns] : {std::array{1u, 1u, 1u}, {2u, 5u, 7u}, {3u, 49u, 49u}, {2u, 3u, 196u}, {1u, 2u, 1000u}}) {
        unsigned rows = batch * bias_rows;
        size_t count = size_t(rows) * columns;
        bool with_bias = columns != 7;
        const float scale = 0.125f;
        Array<T> x(count, -60, 60), dy(count, -1, 1), y(count), dx(count);
        Array<float> bias(size_t(bias_rows) * columns, -2, 2);
        // Attention masks with minus infinity; at least one value of a row is left.
        for (unsigned r = 0; r < bias_rows && columns > 1; r++) {
            bias[size_t(r) * columns + whole(0, columns - 1)] = -INFINITY;
        }
        LAUNCH(T, softmax_forward, any_grid(), THREADS, x.data(), with_bias ? bias.data() : nullptr, bias_rows, scale, y.data(),
               rows, columns);
        LAUNCH(T, softmax_backward, any_grid(), THREADS, y.data(), dy.data(), scale, dx.data(), rows, columns);
        std::vector<double> want(count), want_dx(count);
        for (unsigned r = 0; r < rows; r++) {
            size_t at = size_t(r) * columns;
            double total = 0, dot = 0;
            for (unsigned c = 0; c < columns; c++) {
                double b = with_bias ? bias.at(size_t(r % bias_rows) * columns + c) : 0.0;
                want[at + c] = std::exp(x.at(at + c) * double(scale) + b);
                total += want[at + c];
            }
            for (unsigned c = 0; c < columns; c++) {
                want[at + c] /= total;
                // The backward pass sees the output as it was stored.
                dot += y.at(at + c) * dy.at(at + c);
            }
            for (unsigned c = 0; c < columns; c++) {
                want_dx[at + c] = scale * y.at(at + c) * (dy.at(at + c) - dot);
            }
        }
        near(named<T>("softmax_forward"), y, want);
        near(named<T>("softmax_backward"), dx, want_dx);
    }
}
