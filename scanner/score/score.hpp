#pragma once
// Score: 0-100 for a spread, on absolute scales, so that lists of many workers merge.
//
// A component that does not apply is NaN and drops out; the remaining weights are renormalised.
// There is no neutral 50. Speed:    inline, on the path of every candidate. Formulas:
// docs/SCAN_REQUEST.md#score.
// Threads:pure functions.

#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "scanner/strategy/definition.hpp"

namespace scanmq::score {

using strategy::Stance;

enum class Component : std::uint8_t {
    probability,
    risk_reward,
    liquidity,
    delta,
    theta,
    vega,
    volatility,
    width,
    time_decay,
};
inline constexpr std::size_t kComponents = 9;

// By component; what documents and requests call them.
[[nodiscard]] std::span<const std::string_view> component_names() noexcept;

struct Weights {
    std::array<double, kComponents> value{};

    [[nodiscard]] double& operator[](Component c) noexcept {
        return value[static_cast<std::size_t>(c)];
    }
    [[nodiscard]] double operator[](Component c) const noexcept {
        return value[static_cast<std::size_t>(c)];
    }
    friend bool operator==(const Weights&, const Weights&) = default;
};

// "balanced", "conservative", "aggressive".
[[nodiscard]] std::span<const std::string_view> preset_names() noexcept;
[[nodiscard]] std::optional<Weights> preset(std::string_view name) noexcept;

using Components = std::array<double, kComponents>;  // each 0-100 or NaN

// What the expiry's market calls a large move.
struct Scale {
    double move{};        // M = F sigma_ATM sqrt(T)
    double daily_move{};  // F sigma_ATM sqrt(1/252)
    double low{};         // F e^(-2v), F e^(2v): where an unbounded payoff is read
    double high{};
};
[[nodiscard]] Scale scale_of(double forward, double atm_volatility, double years) noexcept;

struct Inputs {
    double pop{};            // 0-1
    double gain{};           // G > 0, per share, fees inside
    double risk{};           // R > 0
    double leg_liquidity{};  // smallest leg_liquidity() of the legs
    double quoted_spread{};  // sum of ask - bid; NaN where a leg has no ask
    double fees{};           // of opening, per share
    double delta{};          // net, signed
    double day_theta{};      // net, one day
    double vega{};           // net, per 1.00 of volatility
    double width{};          // the larger wing; NaN without one
    // (value at the reference smile - price paid) / sum of the legs' |vega| per 1.00; NaN: not known.
    double edge{market::kMissing};
};

// e: how much cheaper than the reference smile, in volatility, plus what a history says: .02 (2 rank
// - 1) against the sign of the net vega. rank: NaN without a history.
[[nodiscard]] inline double volatility_edge(double model, double price, double abs_vega,
                                            double vega, double rank) noexcept {
    const double cheap = (model - price) / abs_vega;
    if (rank != rank) return cheap;
    const double against = vega > 0.0 ? -1.0 : (vega < 0.0 ? 1.0 : 0.0);
    return cheap + 0.02 * (2.0 * rank - 1.0) * against;
}

// .6/(1 + spread/(.1 mid)) + .25 OI/(OI + 100) + .15 volume/(volume + 50). A missing count drops
// out and the rest is scaled up; NaN without an ask.
[[nodiscard]] double leg_liquidity(double bid, double ask, std::uint32_t volume,
                                   std::uint32_t open_interest) noexcept;

// sat(x, h) = 100 max(x, 0)/(max(x, 0) + h).
[[nodiscard]] inline double saturating(double x, double half) noexcept {
    const double positive = x < 0.0 ? 0.0 : x;  // keeps NaN
    return 100.0 * positive / (positive + half);
}
// sg(x, h) = 50 (1 + x/(|x| + h)).
[[nodiscard]] inline double signed_saturating(double x, double half) noexcept {
    return 50.0 * (1.0 + x / (std::fabs(x) + half));
}
[[nodiscard]] inline double by_stance(double x, double half, Stance stance) noexcept {
    switch (stance) {
        case Stance::long_stance:
            return signed_saturating(x, half);
        case Stance::short_stance:
            return signed_saturating(-x, half);
        case Stance::neutral:
            break;
    }
    return 100.0 / (1.0 + std::fabs(x) / half);
}

[[nodiscard]] inline double probability_component(double pop) noexcept { return 100.0 * pop; }

// Preconditions: gain > 0, risk > 0.
[[nodiscard]] inline Components components(const Inputs& in, const Scale& scale, Stance delta,
                                           Stance vega) noexcept {
    const double per_risk = 1.0 / in.risk;
    Components out;
    const auto set = [&out](Component c, double v) { out[static_cast<std::size_t>(c)] = v; };
    set(Component::probability, probability_component(in.pop));
    set(Component::risk_reward, saturating(in.gain * per_risk, 0.25));
    set(Component::liquidity,
        100.0 * in.leg_liquidity * in.gain / (in.gain + in.quoted_spread + 2.0 * in.fees));
    set(Component::delta, by_stance(in.delta * scale.daily_move * per_risk, 0.1, delta));
    set(Component::theta, signed_saturating(in.day_theta * per_risk, 0.01));
    set(Component::vega, by_stance(in.vega * 0.01 * per_risk, 0.02, vega));
    set(Component::volatility, signed_saturating(in.edge, 0.01));
    set(Component::width, saturating(in.width / scale.move, 0.25));
    set(Component::time_decay, signed_saturating(in.day_theta / in.gain, 0.02));
    return out;
}

// Mean of the components that apply, by weight; NaN where none with a weight does.
[[nodiscard]] inline double weighted(const Components& components,
                                     const Weights& weights) noexcept {
    double sum = 0.0;
    double weight = 0.0;
    for (std::size_t i = 0; i < kComponents; ++i) {
        const bool applies = components[i] == components[i];
        sum += applies ? weights.value[i] * components[i] : 0.0;
        weight += applies ? weights.value[i] : 0.0;
    }
    return weight > 0.0 ? sum / weight : market::kMissing;
}

}  // namespace scanmq::score
