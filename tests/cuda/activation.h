// Activations and their slopes against their definitions in double.

#pragma once

#include "check.h"

template <typename T>
void activation_case(
    const char* forward_name, const char* backward_name, std::function<double(double)> value, std::function<double(double)> slope,
    std::function<void(dim3, Array<T>&, Array<T>&)> forward, std::function<void(dim3, Array<T>&, Array<T>&, Array<T>&)> backward) {
    for (size_t count : {size_t(1), size_t(6), size_t(259), size_t(5001)}) {
        Array<T> x(count, -8, 8), dy(count, -1, 1), y(count), dx(count);
        // Corners and extremes.
        const double special[] = {0.0, 6.0, -3.0, 3.0, -20.0, 20.0};
        for (size_t i = 0; i < count && count > 6; i += 7) {
            x[i] = narrow<T>(special[i / 7 % 6]);
        }
        std::vector<double> want(count), want_dx(count);
        for (size_t i = 0; i < count; i++) {
            want[i] = value(x.at(i));
            want_dx[i] = dy.at(i) * slope(x.at(i));
        }
        forward(any_grid(), x, y);
        backward(any_grid(), x, dy, dx);
        // A few rounding errors of the largest value, which is 20 at most.
        near(named<T>(forward_name), y, want, 3e-7);
        near(named<T>(backward_name), dx, want_dx, 1e-6);
    }
}

#define TEST_ACTIVATION(T, name, value, slope)                                                                        \
    activation_case<T>(                                                                                               \
        #name "_forward", #name "_backward", value, slope,                                                            \
        [](dim3 grid, Array<T>& x, Array<T>& y) { LAUNCH(T, name##_forward, grid, THREADS, x.data(), y.data(), x.size()); }, \
        [](dim3 grid, Array<T>& x, Array<T>& dy, Array<T>& dx) {                                                      \
            LAUNCH(T, name##_backward, grid, THREADS, x.data(), dy.data(), dx.data(), x.size());                      \
        })

template <typename T>
void test_activations() {
    auto clamp = [](double x, double from, double to) { return std::min(std::max(x, from), to); };
    auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
    auto below = [](double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); };
    auto density = [](double x) { return std::exp(-x * x / 2) / std::sqrt(2 * M_PI); };
    auto inside = [](double x, double from, double to) { return x > from && x < to ? 1.0 : 0.0; };
    TEST_ACTIVATION(T, relu, [](double x) { return std::max(x, 0.0); }, [](double x) { return x > 0 ? 1.0 : 0.0; });
    TEST_ACTIVATION(T, relu6, [=](double x) { return clamp(x, 0, 6); }, [=](double x) { return inside(x, 0, 6); });
    TEST_ACTIVATION(T, gelu, [=](double x) { return x * below(x); }, [=](double x) { return below(x) + x * density(x); });
    TEST_ACTIVATION(T, silu, [=](double x) { return x * sigmoid(x); },
                    [=](double x) { return sigmoid(x) * (1 + x * sigmoid(-x)); });
    TEST_ACTIVATION(T, sigmoid, sigmoid, [=](double x) { return sigmoid(x) * sigmoid(-x); });
    TEST_ACTIVATION(T, hard_sigmoid, [=](double x) { return clamp(x + 3, 0, 6) / 6; },
                    [=](double x) { return inside(x, -3, 3) / 6; });
    TEST_ACTIVATION(T, hard_swish, [=](double x) { return x * clamp(x + 3, 0, 6) / 6; },
                    [=](double x) { return x <= -3 ? 0.0 : x >= 3 ? 1.0 : x / 3 + 0.5; });
    TEST_ACTIVATION(T, tanh, [](double x) { return std::tanh(x); },
                    [](double x) { return 1 - std::tanh(x) * std::tanh(x); });

    // What is no number stays none; the infinite ends stay right.
    const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
    Array<T> x(3), y(3);
    x[0] = narrow<T>(nan), x[1] = narrow<T>(-inf), x[2] = narrow<T>(inf);
    LAUNCH(T, relu_forward, dim3(1), THREADS, x.data(), y.data(), size_t(3));
    near(named<T>("relu_forward"), y, {nan, 0.0, inf});
    LAUNCH(T, relu6_forward, dim3(1), THREADS, x.data(), y.data(), size_t(3));
    near(named<T>("relu6_forward"), y, {nan, 0.0, 6.0});
    LAUNCH(T, gelu_forward, dim3(1), THREADS, x.data(), y.data(), size_t(3));
    near(named<T>("gelu_forward"), y, {nan, 0.0, inf});
    LAUNCH(T, sigmoid_forward, dim3(1), THREADS, x.data(), y.data(), size_t(3));
    near(named<T>("sigmoid_forward"), y, {nan, 0.0, 1.0});
}
