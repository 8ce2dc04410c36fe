// The gradient's norm and the optimisers over a network of several tensors, against plain loops.

#pragma once

#include <memory>

#include "check.h"

// Tensors of awkward lengths, some with a copy in bfloat16, and their tables.
struct Network {
    std::vector<std::unique_ptr<Array<float>>> value, gradient, first, second;
    std::vector<std::unique_ptr<Array<bf16>>> copy;
    std::vector<uint64_t> lengths = {1, 3, 64, CHUNK - 1, CHUNK, 2 * CHUNK + 6, 1001};
    Array<Parameter> parameters{lengths.size()};
    std::unique_ptr<Array<Chunk>> chunks;

    explicit Network(double gradients) {
        std::vector<Chunk> cut;
        for (unsigned i = 0; i < lengths.size(); i++) {
            uint64_t n = lengths[i];
            value.push_back(std::make_unique<Array<float>>(n, -1, 1));
            gradient.push_back(std::make_unique<Array<float>>(n, -gradients, gradients));
            first.push_back(std::make_unique<Array<float>>(n, -1, 1));
            second.push_back(std::make_unique<Array<float>>(n, 0, 1));
            copy.push_back(std::make_unique<Array<bf16>>(n));
            parameters[i] = {value[i]->data(), gradient[i]->data(), first[i]->data(), second[i]->data(),
                             i % 2 ? copy[i]->data() : nullptr, n};
            for (uint64_t at = 0; at < n; at += CHUNK) {
                cut.push_back({at, i, 0});
            }
        }
        chunks = std::make_unique<Array<Chunk>>(cut.size());
        std::copy(cut.begin(), cut.end(), chunks->data());
    }

    dim3 grid() const { return dim3(chunks->size()); }
};

static_assert(sizeof(Parameter) == 48 && sizeof(Chunk) == 16 && sizeof(GradientNorm) == 16, "as the README says");
static_assert(sizeof(SgdNumbers) == 12 && sizeof(AdamWNumbers) == 32 && sizeof(Window) == 48, "as the README says");

inline void norm_of(Network& network, double max_norm, const double* loss, Array<GradientNorm>& result) {
    Array<double> partials(network.chunks->size());
    LAUNCH_ONE(gradient_norm_sums, network.grid(), THREADS, network.parameters.data(), network.chunks->data(), partials.data());
    LAUNCH_ONE(gradient_norm_finalise, dim3(1), WIDE, partials.data(), unsigned(partials.size()), max_norm, loss, result.data());
}

inline void test_gradient_norm() {
    Array<GradientNorm> norm(1);
    Network network(0.5);
    double square = 0;
    for (auto& gradient : network.gradient) {
        for (size_t i = 0; i < gradient->size(); i++) {
            square += std::pow(gradient->at(i), 2);
        }
    }
    double want = std::sqrt(square);
    norm_of(network, INFINITY, nullptr, norm);
    expect("gradient_norm_sums", std::abs(norm[0].norm - want) < 1e-12 * want, "not the norm");
    expect("gradient_norm_finalise", norm[0].factor == 1.0f && norm[0].finite == 1, "clips where nothing is to be clipped");
    norm_of(network, 5.0, nullptr, norm);
    expect("gradient_norm_finalise", std::abs(norm[0].factor - 5.0 / want) < 1e-6 && norm[0].finite == 1, "not the factor");
    Array<double> loss(1);
    loss[0] = std::nan("");
    norm_of(network, 5.0, loss.data(), norm);
    expect("gradient_norm_finalise", norm[0].finite == 0, "a loss that is no number goes unnoticed");
    loss[0] = 1.0;
    (*network.gradient[5])[CHUNK + 77] = INFINITY;
    norm_of(network, 5.0, loss.data(), norm);
    expect("gradient_norm_finalise", norm[0].finite == 0 && norm[0].factor == 1.0f, "an infinite gradient goes unnoticed");
}

// Runs a step, compares it with `rule(w, g, m, v)` value by value, and sees that a bad step does nothing.
inline void optimiser_case(
    const char* kernel, bool has_square, std::function<void(Network&, GradientNorm*)> step,
    std::function<void(double&, double, double&, double&)> rule) {
    for (double factor : {0.0, 0.25}) {
        Network network(0.5);
        Array<GradientNorm> norm(1);
        norm[0] = {1.0, float(factor), 1};
        std::vector<std::vector<double>> w(network.lengths.size()), m(w), v(w);
        for (size_t i = 0; i < network.lengths.size(); i++) {
            for (size_t j = 0; j < network.lengths[i]; j++) {
                w[i].push_back(network.value[i]->at(j));
                m[i].push_back(network.first[i]->at(j));
                v[i].push_back(network.second[i]->at(j));
                rule(w[i][j], network.gradient[i]->at(j) * (factor ? factor : 1.0), m[i][j], v[i][j]);
            }
        }
        step(network, factor ? norm.data() : nullptr);
        for (size_t i = 0; i < network.lengths.size(); i++) {
            near(kernel, *network.value[i], w[i], 1e-6);
            near(kernel, *network.first[i], m[i], 1e-6);
            if (has_square) {
                near(kernel, *network.second[i], v[i], 1e-6);
            }
            if (i % 2) {
                near(kernel, *network.copy[i], w[i], 1e-6);
            }
        }
        norm[0].finite = 0;
        Array<float> before(network.lengths[5]);
        before.copy(*network.value[5]);
        step(network, norm.data());
        expect(kernel, before.equals(*network.value[5]), "a gradient that is not finite changes weights");
    }
}

inline void test_optimisers() {
    const float lr = 0.1f, momentum = 0.9f, decay = 0.01f;
    Array<SgdNumbers> sgd(1);
    sgd[0] = {lr, momentum, decay};
    optimiser_case(
        "sgd_step", false,
        [&](Network& n, GradientNorm* norm) {
            LAUNCH_ONE(sgd_step, n.grid(), THREADS, n.parameters.data(), n.chunks->data(), sgd.data(), norm);
        },
        [&](double& w, double g, double& m, double&) {
            m = double(momentum) * m + g + double(decay) * w;
            w -= double(lr) * m;
        });

    // torch's AdamW at step 3, written out.
    const double rate = 0.01, weight_decay = 0.05, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, t = 3;
    Array<AdamWNumbers> adamw(1);
    adamw[0] = {float(rate / (1 - std::pow(beta1, t))), float(std::sqrt(1 - std::pow(beta2, t))), float(1 - rate * weight_decay),
                float(eps), float(beta1), float(1 - beta1), float(beta2), float(1 - beta2)};
    optimiser_case(
        "adamw_step", true,
        [&](Network& n, GradientNorm* norm) {
            LAUNCH_ONE(adamw_step, n.grid(), THREADS, n.parameters.data(), n.chunks->data(), adamw.data(), norm);
        },
        [&](double& w, double g, double& m, double& v) {
            w -= rate * weight_decay * w;
            m = beta1 * m + (1 - beta1) * g;
            v = beta2 * v + (1 - beta2) * g * g;
            double mean = m / (1 - std::pow(beta1, t)), square = v / (1 - std::pow(beta2, t));
            w -= rate * mean / (std::sqrt(square) + eps);
        });
}
