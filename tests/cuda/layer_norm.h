// Layer normalisation against the textbook in double.

#pragma once

#include "check.h"

template <typename T>
void test_layer_norm() {
    for (auto [rows, channels] : matrices()) {
        size_t count = size_t(rows) * channels;
        const float eps = 1e-2f;
        double centre = whole(0, 1) * 3.0;
        Array<T> x(count, centre - 1, centre + 1), dy(count, -1, 1), y(count), dx(count);
        Array<float> weight(channels, -1, 1), bias(channels, -1, 1), stats(2 * size_t(rows));
        LAUNCH(T, layer_norm_forward, any_grid(), THREADS, x.data(), weight.data(), bias.data(), eps, y.data(), stats.data(),
               rows, channels);
        std::vector<double> want(count), want_stats, want_dx(count), dweight(2 * channels);
        for (unsigned r = 0; r < rows; r++) {
            size_t at = size_t(r) * channels;
            double mean = 0, var = 0, sum = 0, dot = 0;
            for (unsigned c = 0; c < channels; c++) {
                mean += x.at(at + c) / channels;
            }
            for (unsigned c = 0; c < channels; c++) {
                var += std::pow(x.at(at + c) - mean, 2) / channels;
            }
            double inverse = 1 / std::sqrt(var + double(eps));
            want_stats.push_back(mean);
            want_stats.push_back(inverse);
            for (unsigned c = 0; c < channels; c++) {
                double normal = (x.at(at + c) - mean) * inverse;
                want[at + c] = normal * weight.at(c) + bias.at(c);
                sum += dy.at(at + c) * weight.at(c) / channels;
                dot += dy.at(at + c) * weight.at(c) * normal / channels;
                dweight[c] += dy.at(at + c) * normal;
                dweight[channels + c] += dy.at(at + c);
            }
            for (unsigned c = 0; c < channels; c++) {
                double normal = (x.at(at + c) - mean) * inverse;
                want_dx[at + c] = inverse * (dy.at(at + c) * weight.at(c) - sum - normal * dot);
            }
        }
        near(named<T>("layer_norm_forward"), y, want);
        near(named<T>("layer_norm_forward"), stats, want_stats);

        Columns columns(rows, channels);
        Array<float> partials(2 * size_t(columns.parts) * channels), dw(channels), db(channels);
        for (unsigned c = 0; c < channels; c++) {
            dw[c] = db[c] = 0;
        }
        LAUNCH(T, layer_norm_parameter_sums, columns.grid(), THREADS, x.data(), stats.data(), dy.data(), partials.data(), rows,
               channels, columns.rows_per_part);
        LAUNCH_ONE(add_column_totals, totals_grid(2 * channels), WIDE, partials.data(), columns.parts, 2 * channels, channels,
                   1.0f, dw.data(), db.data());
        near(named<T>("layer_norm_parameter_sums"), dw, {dweight.begin(), dweight.begin() + channels});
        near(named<T>("layer_norm_parameter_sums"), db, {dweight.begin() + channels, dweight.end()});

        LAUNCH(T, layer_norm_backward, any_grid(), THREADS, x.data(), stats.data(), weight.data(), dy.data(), dx.data(), rows,
               channels);
        near(named<T>("layer_norm_backward"), dx, want_dx);
        LAUNCH(T, layer_norm_backward, any_grid(), THREADS, x.data(), stats.data(), weight.data(), dy.data(), dy.data(), rows,
               channels);
        expect(named<T>("layer_norm_backward"), dy.equals(dx), "the result in place differs");
    }
}
