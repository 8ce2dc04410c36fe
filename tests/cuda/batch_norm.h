// Batch normalisation: every stage of forward and backward against the textbook in double.

#pragma once

#include "check.h"

template <typename T>
void batch_norm_case(unsigned rows, unsigned channels, bool relu, bool with_residual, double centre) {
    size_t count = size_t(rows) * channels;
    const double eps = 1e-5, momentum = 0.1;
    Array<T> x(count, centre - 1, centre + 1), residual(count, -1, 1), dy(count, -1, 1), y(count), dx(count), dr(count);
    Array<float> weight(channels, 0.5, 2), bias(channels, -1, 1), running_mean(channels, -1, 1), running_var(channels, 0.5, 1);
    Array<float> mean(channels), inverse(channels), factor(channels), offset(channels), shift(channels);
    // The mean, rounded to float, and `a x + b`, which cancels it, have errors in proportion to it.
    double cancelled = SINGLE * std::max(1.0, std::abs(centre));
    Columns columns(rows, channels);
    Array<float> partials(2 * size_t(columns.parts) * channels), again(partials.size());

    // The textbook.
    std::vector<double> m(channels), var(channels), run_m(channels), run_v(channels), want(count), g(count);
    std::vector<double> dweight(channels), dbias(channels), want_dx(count), means_g(channels), means_gn(channels);
    for (unsigned c = 0; c < channels; c++) {
        for (unsigned r = 0; r < rows; r++) {
            m[c] += x.at(size_t(r) * channels + c) / rows;
        }
        for (unsigned r = 0; r < rows; r++) {
            var[c] += std::pow(x.at(size_t(r) * channels + c) - m[c], 2) / rows;
        }
        run_m[c] = (1 - momentum) * running_mean.at(c) + momentum * m[c];
        run_v[c] = (1 - momentum) * running_var.at(c) + momentum * var[c] * rows / (rows - 1.0);
    }

    LAUNCH(T, batch_norm_sums, columns.grid(), THREADS, x.data(), shift.data(), partials.data(), rows, channels, columns.rows_per_part);
    LAUNCH(T, batch_norm_sums, columns.grid(), THREADS, x.data(), shift.data(), again.data(), rows, channels, columns.rows_per_part);
    expect(named<T>("batch_norm_sums"), partials.equals(again), "two runs differ");
    LAUNCH_ONE(batch_norm_finalise, totals_grid(channels), WIDE, partials.data(), shift.data(), columns.parts, rows, channels,
               eps, momentum, weight.data(), bias.data(), running_mean.data(), running_var.data(), mean.data(), inverse.data(),
               factor.data(), offset.data());
    std::vector<double> want_inverse(channels), want_factor(channels), want_offset(channels);
    for (unsigned c = 0; c < channels; c++) {
        want_inverse[c] = 1 / std::sqrt(var[c] + eps);
        want_factor[c] = weight.at(c) * want_inverse[c];
        want_offset[c] = bias.at(c) - m[c] * want_factor[c];
    }
    near("batch_norm_finalise", mean, m);
    near("batch_norm_finalise", inverse, want_inverse);
    near("batch_norm_finalise", factor, want_factor);
    near("batch_norm_finalise", offset, want_offset);
    near("batch_norm_finalise", running_mean, run_m);
    near("batch_norm_finalise", running_var, run_v);

    LAUNCH(T, batch_norm_apply, any_grid(), THREADS, x.data(), with_residual ? residual.data() : nullptr, factor.data(),
           offset.data(), y.data(), rows, channels, int(relu));
    for (size_t i = 0; i < count; i++) {
        unsigned c = i % channels;
        double sum = (x.at(i) - m[c]) * want_factor[c] + bias.at(c) + (with_residual ? residual.at(i) : 0.0);
        want[i] = relu ? std::max(sum, 0.0) : sum;
    }
    near(named<T>("batch_norm_apply"), y, want, cancelled);

    // Behind the ReLU that the kernel computed: near zero the textbook's might differ.
    for (size_t i = 0; i < count; i++) {
        unsigned c = i % channels;
        g[i] = relu && !(y.at(i) > 0) ? 0.0 : dy.at(i);
        double normal = (x.at(i) - m[c]) * want_inverse[c];
        dbias[c] += g[i];
        dweight[c] += g[i] * normal;
    }
    for (size_t i = 0; i < count; i++) {
        unsigned c = i % channels;
        double normal = (x.at(i) - m[c]) * want_inverse[c];
        want_dx[i] = want_factor[c] * (g[i] - dbias[c] / rows - normal * dweight[c] / rows);
    }
    T* out = relu ? y.data() : nullptr;
    LAUNCH(T, batch_norm_gradient_sums, columns.grid(), THREADS, x.data(), dy.data(), out, mean.data(), partials.data(), rows,
           channels, columns.rows_per_part);
    LAUNCH(T, batch_norm_gradient_sums, columns.grid(), THREADS, x.data(), dy.data(), out, mean.data(), again.data(), rows,
           channels, columns.rows_per_part);
    expect(named<T>("batch_norm_gradient_sums"), partials.equals(again), "two runs differ");
    Array<float> dw(channels, -1, 1), db(channels, -1, 1), a(channels), u(channels), v(channels);
    for (unsigned c = 0; c < channels; c++) {
        dweight[c] += dw.at(c);
        dbias[c] += db.at(c);
    }
    LAUNCH_ONE(batch_norm_gradient_finalise, totals_grid(channels), WIDE, partials.data(), columns.parts, rows, channels,
               weight.data(), inverse.data(), dw.data(), db.data(), a.data(), u.data(), v.data());
    near("batch_norm_gradient_finalise", dw, dweight, cancelled);
    near("batch_norm_gradient_finalise", db, dbias);
    LAUNCH(T, batch_norm_backward, any_grid(), THREADS, x.data(), dy.data(), out, mean.data(), a.data(), u.data(), v.data(),
           dx.data(), with_residual ? dr.data() : nullptr, rows, channels);
    // With few rows the three terms, each up to the factor, all but cancel.
    double terms = *std::max_element(want_factor.begin(), want_factor.end());
    near(named<T>("batch_norm_backward"), dx, want_dx, cancelled * std::max(1.0, terms));
    if (with_residual) {
        near(named<T>("batch_norm_backward"), dr, g);
    }
    // In place, as the executor runs it.
    LAUNCH(T, batch_norm_backward, any_grid(), THREADS, x.data(), dy.data(), out, mean.data(), a.data(), u.data(), v.data(),
           dy.data(), (T*)nullptr, rows, channels);
    expect(named<T>("batch_norm_backward"), dy.equals(dx), "the result in place differs");
}

template <typename T>
void test_batch_norm() {
    for (auto [rows, channels] : matrices()) {
        if (rows > 1) {
            batch_norm_case<T>(rows, channels, whole(0, 1), whole(0, 1), 0);
        }
    }
    batch_norm_case<T>(900, 12, true, true, 0);
    // Mean a hundred times sigma: sums that are not shifted lose the variance.
    if (std::is_same_v<T, float>) {
        batch_norm_case<T>(900, 12, false, false, 100);
    }
}

inline void test_batch_norm_from_running() {
    for (unsigned channels : {1u, 31u, 600u}) {
        const double eps = 1e-3;
        Array<float> running_mean(channels, -1, 1), running_var(channels, 0, 1), weight(channels, 0, 1), bias(channels, -1, 1);
        Array<float> mean(channels), inverse(channels), factor(channels), offset(channels);
        LAUNCH_ONE(batch_norm_from_running, any_grid(), THREADS, running_mean.data(), running_var.data(), channels, eps,
                   weight.data(), bias.data(), mean.data(), inverse.data(), factor.data(), offset.data());
        std::vector<double> want_inverse, want_factor, want_offset, want_mean;
        for (unsigned c = 0; c < channels; c++) {
            want_mean.push_back(running_mean.at(c));
            want_inverse.push_back(1 / std::sqrt(running_var.at(c) + eps));
            want_factor.push_back(weight.at(c) * want_inverse[c]);
            want_offset.push_back(bias.at(c) - running_mean.at(c) * want_factor[c]);
        }
        near("batch_norm_from_running", mean, want_mean);
        near("batch_norm_from_running", inverse, want_inverse);
        near("batch_norm_from_running", factor, want_factor);
        near("batch_norm_from_running", offset, want_offset);
    }
}
