// The counter's numbers against the authors' known answers; dropout's promises.

#pragma once

#include "check.h"

inline void test_philox() {
    struct Answer {
        unsigned counter[4];
        uint64_t key;
        unsigned words[4];
    };
    // `kat_vectors` of Random123, philox4x32 with 10 rounds.
    const Answer answers[] = {
        {{0, 0, 0, 0}, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, ~uint64_t(0), {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (const Answer& answer : answers) {
        Draw draw = philox(answer.counter, answer.key);
        expect("philox", memcmp(draw.words, answer.words, sizeof answer.words) == 0, "not the published numbers");
    }
}

template <typename T>
void test_dropout() {
    for (size_t count : {size_t(1), size_t(1023), size_t(40001)}) {
        const double p = 0.3;
        unsigned threshold = unsigned(p * 4294967296.0);
        float factor = float(1 / (1 - p));
        Array<uint64_t> step(1);
        step[0] = 5;
        Array<T> x(count, 0.5, 1), y(count), again(count);
        LAUNCH(T, dropout, dim3(2), THREADS, x.data(), y.data(), count, threshold, factor, uint64_t(9), 3u, step.data());
        LAUNCH(T, dropout, dim3(5), THREADS, x.data(), again.data(), count, threshold, factor, uint64_t(9), 3u, step.data());
        expect(named<T>("dropout"), again.equals(y), "another grid draws other numbers");
        std::vector<double> want(count);
        size_t dropped = 0;
        for (size_t i = 0; i < count; i++) {
            const unsigned counter[4] = {unsigned(i / 4), 3, 5, 0};
            bool gone = philox(counter, 9).words[i % 4] < threshold;
            want[i] = gone ? 0.0 : x.at(i) * factor;
            dropped += gone;
        }
        near(named<T>("dropout"), y, want);
        if (count > 10000) {
            // Five standard deviations.
            double sigma = std::sqrt(p * (1 - p) * count);
            expect(named<T>("dropout"), std::abs(dropped - p * count) < 5 * sigma, "not the share that was asked for");
            step[0] = 6;
            LAUNCH(T, dropout, dim3(5), THREADS, x.data(), again.data(), count, threshold, factor, uint64_t(9), 3u, step.data());
            expect(named<T>("dropout"), !again.equals(y), "the next step draws the same");
        }
    }
}

inline void test_stochastic_depth() {
    const unsigned samples = 701, threshold = 1u << 30;
    Array<uint64_t> step(1);
    step[0] = uint64_t(1) << 33;
    Array<float> keep(samples);
    LAUNCH_ONE(stochastic_depth_draw, dim3(2), THREADS, keep.data(), samples, threshold, 1.25f, uint64_t(4), 8u, step.data());
    std::vector<double> want;
    for (unsigned b = 0; b < samples; b++) {
        const unsigned counter[4] = {b / 4, 8, 0, 2};
        want.push_back(philox(counter, 4).words[b % 4] < threshold ? 0.0 : 1.25);
    }
    near("stochastic_depth_draw", keep, want, 0.0);
}
