#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "common/base/assert.hpp"
#include "common/base/rng.hpp"
#include "scanner/market/sample_market.hpp"

namespace scanmq::market {

namespace {

struct KnownName {
    std::string_view symbol;
    double spot;
    double volatility;
    bool fund;  // an exchange-traded fund: tighter quotes
};

// Round figures of mid-2024; the sample only has to look familiar.
constexpr std::array kKnownNames{
    KnownName{"SPY", 541, 0.12, true},    KnownName{"QQQ", 471, 0.16, true},
    KnownName{"AAPL", 213, 0.25, false},  KnownName{"MSFT", 441, 0.21, false},
    KnownName{"NVDA", 125, 0.48, false},  KnownName{"AMZN", 187, 0.28, false},
    KnownName{"TSLA", 177, 0.55, false},  KnownName{"META", 508, 0.33, false},
    KnownName{"GOOGL", 178, 0.26, false}, KnownName{"IWM", 204, 0.19, true},
    KnownName{"AMD", 160, 0.44, false},   KnownName{"NFLX", 651, 0.34, false},
    KnownName{"JPM", 194, 0.19, false},   KnownName{"XOM", 111, 0.21, false},
    KnownName{"BAC", 39, 0.23, false},    KnownName{"DIS", 101, 0.26, false},
    KnownName{"GLD", 215, 0.14, true},    KnownName{"TLT", 93, 0.15, true},
    KnownName{"COIN", 251, 0.70, false},  KnownName{"PLTR", 24, 0.50, false},
    KnownName{"INTC", 31, 0.34, false},   KnownName{"F", 12, 0.33, false},
    KnownName{"KO", 63, 0.13, false},     KnownName{"WMT", 67, 0.16, false},
    KnownName{"BA", 182, 0.30, false},    KnownName{"XLF", 41, 0.14, true},
    KnownName{"EEM", 43, 0.17, true},     KnownName{"UBER", 70, 0.37, false},
    KnownName{"CRM", 231, 0.30, false},   KnownName{"ORCL", 139, 0.28, false},
    KnownName{"COST", 853, 0.20, false},  KnownName{"PFE", 28, 0.25, false},
    KnownName{"CSCO", 46, 0.19, false},   KnownName{"MU", 141, 0.46, false},
    KnownName{"PYPL", 65, 0.35, false},   KnownName{"BABA", 79, 0.34, false},
    KnownName{"T", 18, 0.21, false},      KnownName{"GE", 160, 0.28, false},
    KnownName{"HYG", 77, 0.06, true},     KnownName{"SLV", 27, 0.30, true},
};

// Letters of the made-up tickers.
constexpr std::string_view kConsonants = "BCDGHLMNPRSTVWXZ";
constexpr std::string_view kVowels = "AEOY";

// The g-th made-up ticker: consonant-vowel-consonant-consonant, then with five letters.
std::string made_up_symbol(std::size_t g) {
    constexpr std::size_t kFourLetters = 16 * 4 * 16 * 16;
    constexpr std::size_t kFiveLetters = 16 * 4 * 16 * 4 * 16;
    static_assert(kFourLetters + kFiveLetters + kKnownNames.size() >= kSampleSymbolsMax);
    const bool four = g < kFourLetters;
    // An odd factor makes a permutation modulo a power of two, so neighbours look unlike each other.
    std::size_t code = four ? (g * 10'007 + 4'321) % kFourLetters
                            : ((g - kFourLetters) * 40'009 + 12'345) % kFiveLetters;
    std::string symbol;
    const std::string_view pattern = four ? "cvcc" : "cvcvc";
    for (const char kind : pattern) {
        const auto letters = kind == 'c' ? kConsonants : kVowels;
        symbol.push_back(letters[code % letters.size()]);
        code /= letters.size();
    }
    const auto known = [&](const KnownName& name) { return name.symbol == symbol; };
    if (std::any_of(kKnownNames.begin(), kKnownNames.end(), known)) symbol.push_back('Q');
    return symbol;
}

// Uniform in [low, high).
double between(Rng& rng, double low, double high) { return low + (high - low) * rng.uniform(); }

}  // namespace

double SampleSurface::forward(double years) const noexcept {
    return spot * std::exp((rate - yield) * years);
}

double SampleSurface::atm_total_variance(double years) const noexcept {
    const double pull = -std::expm1(-reversion * years) / reversion;
    return variance_far * years + (variance_now - variance_far) * pull;
}

double SampleSurface::atm_volatility(double years) const noexcept {
    return std::sqrt(atm_total_variance(years) / years);
}

double SampleSurface::volatility(double moneyness, double years) const noexcept {
    const double theta = atm_total_variance(years);
    const double phi = smile / std::sqrt(theta * (1.0 + theta));
    const double x = phi * moneyness + correlation;
    const double total =
        0.5 * theta *
        (1.0 + correlation * phi * moneyness + std::sqrt(x * x + 1.0 - correlation * correlation));
    return std::sqrt(total / years);
}

std::string sample_symbol(std::size_t index) {
    SCANMQ_ASSERT(index < kSampleSymbolsMax);
    if (index < kKnownNames.size()) return std::string(kKnownNames[index].symbol);
    return made_up_symbol(index - kKnownNames.size());
}

SampleSurface sample_surface(const SampleMarketOptions& options, std::size_t index) {
    Rng rng(options.seed * 0x9e3779b97f4a7c15ULL + index);
    SampleSurface surface;
    surface.symbol = sample_symbol(index);
    surface.rate = options.rate;
    double volatility = 0;
    double tightness = 0;  // 0: narrow quotes, 1: wide
    if (index < kKnownNames.size()) {
        const auto& name = kKnownNames[index];
        surface.spot = name.spot * between(rng, 0.95, 1.05);
        volatility = name.volatility * between(rng, 0.9, 1.1);
        tightness = name.fund ? 0.0 : 0.15;
        surface.penny_ticks = name.symbol == "SPY" || name.symbol == "QQQ" || name.symbol == "IWM";
        surface.activity = 20'000;
    } else {
        surface.spot = std::clamp(60.0 * std::exp(0.9 * rng.normal()), 5.0, 900.0);
        // Cheap shares move more.
        volatility = between(rng, 0.18, 0.50) + 1.2 / std::sqrt(surface.spot + 20.0);
        tightness = between(rng, 0.3, 1.0);
        surface.activity = 1'500 * std::exp(1.2 * rng.normal());
    }
    surface.spot = std::round(surface.spot * 100.0) / 100.0;
    surface.yield = rng.uniform() < 0.4 ? 0.0 : between(rng, 0.002, 0.03);
    surface.variance_far = volatility * volatility * between(rng, 0.95, 1.25);
    surface.variance_now = volatility * volatility * between(rng, 0.7, 1.15);
    surface.reversion = between(rng, 1.5, 5.0);
    surface.correlation = -between(rng, 0.25, 0.7);
    surface.smile = between(rng, 0.45, 0.85);
    surface.half_spread_base = 0.004 + 0.026 * tightness;
    surface.half_spread_slope = 0.004 + 0.03 * tightness;
    return surface;
}

}  // namespace scanmq::market
