// Parameters from smaller arrays, index by index.

#pragma once

#include "check.h"

// A side's two nearest places and the second one's share, in double.
inline std::pair<std::array<unsigned, 2>, double> neighbours(unsigned at, unsigned from, unsigned to) {
    double place = std::max((at + 0.5) * (double(from) / to) - 0.5, 0.0);
    unsigned first = std::min(unsigned(place), from - 1);
    return {{first, std::min(first + 1, from - 1)}, place - first};
}

inline void test_tile_weight() {
    struct Shape {
        std::array<unsigned, 4> block, weight;
    };
    const Shape shapes[] = {
        {{1, 1, 1, 1}, {1, 1, 1, 1}}, {{2, 3, 3, 3}, {5, 7, 3, 3}},   {{4, 8, 1, 5}, {3, 2, 1, 5}},
        {{3, 2, 4, 5}, {3, 2, 9, 7}}, {{1, 6, 3, 3}, {1, 20, 8, 8}}, {{7, 5, 2, 2}, {40, 33, 2, 3}},
    };
    for (const Shape& shape : shapes) {
        auto [outputs, inputs, height, width] = shape.block;
        size_t values = size_t(outputs) * inputs * height * width;
        size_t count = size_t(shape.weight[0]) * shape.weight[1] * shape.weight[2] * shape.weight[3];
        // Positions outermost, as decoders lay blocks out, and innermost.
        const std::array<unsigned, 4> orders[] = {
            {inputs, 1, width * outputs * inputs, outputs * inputs}, {inputs * height * width, height * width, width, 1}};
        for (const auto& strides : orders) {
            for (unsigned channels_last : {0u, 1u}) {
                Array<float> block(values, -1, 1), weight(count);
                Tiling t;
                for (unsigned side = 0; side < 4; side++) {
                    t.block[side] = shape.block[side];
                    t.strides[side] = strides[side];
                    t.weight[side] = shape.weight[side];
                }
                t.channels_last = channels_last;
                LAUNCH_ONE(tile_weight, any_grid(), THREADS, block.data(), t, 0.5f, weight.data());
                std::vector<double> want;
                auto value = [&](unsigned o, unsigned i, unsigned y, unsigned x) {
                    auto [rows, down] = neighbours(y, height, shape.weight[2]);
                    auto [columns, right] = neighbours(x, width, shape.weight[3]);
                    double sum = 0;
                    for (unsigned r = 0; r < 2; r++) {
                        for (unsigned c = 0; c < 2; c++) {
                            double share = (r ? down : 1 - down) * (c ? right : 1 - right);
                            sum += share * block.at(o % outputs * strides[0] + i % inputs * strides[1] + rows[r] * strides[2] +
                                                    columns[c] * strides[3]);
                        }
                    }
                    return 0.5 * sum;
                };
                for (unsigned o = 0; o < shape.weight[0]; o++) {
                    // Channels within positions, or positions within channels.
                    for (unsigned a = 0; a < (channels_last ? shape.weight[2] * shape.weight[3] : shape.weight[1]); a++) {
                        for (unsigned b = 0; b < (channels_last ? shape.weight[1] : shape.weight[2] * shape.weight[3]); b++) {
                            unsigned input = channels_last ? b : a, position = channels_last ? a : b;
                            want.push_back(value(o, input, position / shape.weight[3], position % shape.weight[3]));
                        }
                    }
                }
                near("tile_weight", weight, want);
            }
        }
    }
}

inline void test_tile_vector() {
    for (auto [length, count] : {std::array{1u, 1u}, {7u, 3u}, {5u, 23u}, {64u, 1000u}}) {
        for (unsigned bounds : {0u, AROUND_ONE, AROUND_ZERO}) {
            Array<float> values(length, -30, 30), vector(count);
            LAUNCH_ONE(tile_vector, any_grid(), THREADS, values.data(), length, bounds, vector.data(), count);
            std::vector<double> want;
            for (unsigned i = 0; i < count; i++) {
                double v = values.at(i % length);
                want.push_back(bounds == AROUND_ONE ? 2 / (1 + std::exp(-0.5 * v)) : bounds == AROUND_ZERO ? std::tanh(0.2 * v) : v);
            }
            near("tile_vector", vector, want);
        }
    }
}
