#include "scanner/score/explain.hpp"

#include <fmt/format.h>

namespace scanmq::score {
namespace {

// In the order of Component.
constexpr std::array<std::string_view, kComponents> kMeanings = {
    "the chance of a profit",       "gain for the risk",
    "quotes one can trade at",      "the direction it leans",
    "what a day pays for the risk", "its stance on volatility",
    "price against the smile",      "width of the wings",
    "what a day pays of the gain"};

}  // namespace

std::string explain(const Components& components, const Weights& weights) {
    double total = 0.0;
    for (std::size_t i = 0; i < kComponents; ++i) {
        if (!std::isnan(components[i])) total += weights.value[i];
    }
    if (!(total > 0.0)) return {};
    std::size_t strongest = kComponents;
    std::size_t weakest = kComponents;
    const auto gained = [&](std::size_t i) { return weights.value[i] / total * components[i]; };
    const auto lost = [&](std::size_t i) {
        return weights.value[i] / total * (100.0 - components[i]);
    };
    for (std::size_t i = 0; i < kComponents; ++i) {
        if (std::isnan(components[i]) || !(weights.value[i] > 0.0)) continue;
        if (strongest == kComponents || gained(i) > gained(strongest)) strongest = i;
    }
    for (std::size_t i = 0; i < kComponents; ++i) {
        if (std::isnan(components[i]) || !(weights.value[i] > 0.0) || i == strongest) continue;
        if (weakest == kComponents || lost(i) > lost(weakest)) weakest = i;
    }
    const double score = weighted(components, weights);
    const std::string best =
        fmt::format("Score {:.1f}: strongest in {} ({} {:.1f} of 100, {:.1f} points)", score,
                    kMeanings[strongest], component_names()[strongest], components[strongest],
                    gained(strongest));
    if (weakest == kComponents) return best + ", by which alone it is judged.";
    return best + fmt::format(", weakest in {} ({} {:.1f} of 100, {:.1f} points short).",
                              kMeanings[weakest], component_names()[weakest], components[weakest],
                              lost(weakest));
}

}  // namespace scanmq::score
