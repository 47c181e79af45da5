#include "scanner/score/score.hpp"

#include "scanner/pricing/portable_math.hpp"

namespace scanmq::score {
namespace {

constexpr std::array<std::string_view, kComponents> kNames = {
    "probability", "risk_reward", "liquidity", "delta",     "theta",
    "vega",        "volatility",  "width",     "time_decay"};

constexpr std::array<std::string_view, 3> kPresets = {"balanced", "conservative", "aggressive"};
// In the order of Component. Conservative moves weight to probability, liquidity and decay,
// aggressive to reward and direction.
constexpr std::array<Weights, kPresets.size()> kPresetWeights = {{
    {{.25, .20, .15, .10, .10, .05, .05, .05, .05}},
    {{.35, .10, .20, .05, .10, .05, .05, .02, .08}},
    {{.10, .35, .10, .20, .05, .05, .05, .08, .02}},
}};

}  // namespace

std::span<const std::string_view> component_names() noexcept { return kNames; }

std::span<const std::string_view> preset_names() noexcept { return kPresets; }

std::optional<Weights> preset(std::string_view name) noexcept {
    for (std::size_t i = 0; i < kPresets.size(); ++i) {
        if (kPresets[i] == name) return kPresetWeights[i];
    }
    return std::nullopt;
}

Scale scale_of(double forward, double atm_volatility, double years) noexcept {
    constexpr double kTradingDays = 252.0;
    const double v = atm_volatility * std::sqrt(years);
    return {forward * v, forward * atm_volatility * std::sqrt(1.0 / kTradingDays),
            forward * portable::exp(-2.0 * v), forward * portable::exp(2.0 * v)};
}

double leg_liquidity(double bid, double ask, std::uint32_t volume,
                     std::uint32_t open_interest) noexcept {
    if (!(ask > 0.0)) return market::kMissing;
    const double low = bid > 0.0 ? bid : 0.0;
    const double mid = 0.5 * (low + ask);
    double sum = 0.6 / (1.0 + (ask - low) / (0.1 * mid));
    double weight = 0.6;
    if (open_interest != market::kNoCount) {
        sum += 0.25 * open_interest / (open_interest + 100.0);
        weight += 0.25;
    }
    if (volume != market::kNoCount) {
        sum += 0.15 * volume / (volume + 50.0);
        weight += 0.15;
    }
    return sum / weight;
}

}  // namespace scanmq::score
