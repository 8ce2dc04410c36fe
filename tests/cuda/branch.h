// The end of a residual branch, with and without each of its parts.

#pragma once

#include "check.h"

template <typename T>
void test_branch() {
    for (unsigned parts = 0; parts < 8; parts++) {
        bool with_scale = parts & 1, with_keep = parts & 2, with_residual = parts & 4;
        unsigned samples = whole(1, 5), pixels = whole(1, 60), channels = parts < 4 ? 4 * whole(1, 20) : whole(1, 90);
        unsigned rows = samples * pixels;
        Array<T> h(size_t(rows) * channels, -1, 1), residual(h.size(), -1, 1), dy(h.size(), -1, 1), y(h.size());
        Array<float> scale(channels, -1, 1), keep(samples, 0, 2);
        keep[0] = 0.0f;
        std::vector<double> want(h.size()), dscale(channels);
        for (size_t i = 0; i < h.size(); i++) {
            double kept = with_keep ? keep.at(i / (size_t(pixels) * channels)) : 1.0;
            double s = with_scale ? scale.at(i % channels) : 1.0;
            want[i] = h.at(i) * kept * s + (with_residual ? residual.at(i) : 0.0);
            dscale[i % channels] += h.at(i) * dy.at(i) * kept;
        }
        float* kept = with_keep ? keep.data() : nullptr;
        LAUNCH(T, branch, any_grid(), THREADS, h.data(), with_residual ? residual.data() : nullptr,
               with_scale ? scale.data() : nullptr, kept, y.data(), rows, pixels, channels);
        near(named<T>("branch"), y, want);
        Columns columns(rows, channels);
        Array<float> partials(size_t(columns.parts) * channels), total(channels);
        LAUNCH(T, branch_scale_sums, columns.grid(), THREADS, h.data(), dy.data(), kept, partials.data(), rows, pixels, channels,
               columns.rows_per_part);
        for (unsigned c = 0; c < channels; c++) {
            total[c] = 0;
        }
        LAUNCH_ONE(add_column_totals, totals_grid(channels), WIDE, partials.data(), columns.parts, channels, channels, 1.0f,
                   total.data(), (float*)nullptr);
        near(named<T>("branch_scale_sums"), total, dscale);
    }
}
