#pragma once
// Reference: one candidate of a lane on the scalar path. What the search returns is what this says.
//
// Threads: pure functions.

#include "scanner/search/lane.hpp"

namespace scanmq::search {

// The first gate that a candidate does not pass, in this order; ranked when it passes all.
enum class Gate : std::uint8_t {
    arbitrage_quote,  // nothing to lose before fees: credit >= width, or debit <= 0
    no_risk,          // R <= 0
    no_profit,        // G under one tick
    unscored,         // no component with a weight applies
    ranked,
};

struct Evaluated {
    Gate gate{};
    double net_price{};
    double ev{};
    double score{};  // NaN unless ranked
    score::Inputs inputs;
    score::Components components{};
    strategy::Breakevens breakevens;
};

[[nodiscard]] Evaluated evaluate(const Lane& lane, const Place& place);

// The gate of a candidate with gain G and risk R, but for `unscored`.
[[nodiscard]] inline Gate gate_of(const Lane& lane, double gain, double risk) noexcept {
    if (risk - lane.fees <= kPriceTolerance) return Gate::arbitrage_quote;
    if (!(risk > 0.0)) return Gate::no_risk;
    if (!(gain >= lane.ticks.tick(gain) - kPriceTolerance)) return Gate::no_profit;
    return Gate::ranked;
}

}  // namespace scanmq::search
