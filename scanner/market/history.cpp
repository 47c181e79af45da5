#include "scanner/market/history.hpp"

#include <algorithm>
#include <cmath>

#include "scanner/pricing/portable_math.hpp"

namespace scanmq::market {

VolatilityStanding volatility_standing(std::span<const double> closes, double today) noexcept {
    VolatilityStanding out;
    const auto year = closes.last(std::min(closes.size(), kHistoryCloses));
    double low = HUGE_VAL;
    double high = 0;
    double below = 0;
    for (const double close : year) {
        if (!(close > 0) || !std::isfinite(close)) continue;
        ++out.closes_used;
        low = std::min(low, close);
        high = std::max(high, close);
        below += close < today ? 1.0 : close == today ? 0.5 : 0.0;
    }
    if (out.closes_used < kHistoryClosesMin || !(today > 0) || !std::isfinite(today)) return out;
    if (high > low) out.rank = std::clamp((today - low) / (high - low), 0.0, 1.0);
    out.percentile = below / out.closes_used;
    return out;
}

double realised_volatility(std::span<const double> closes, std::size_t returns) noexcept {
    if (returns < 2 || closes.size() <= returns) return kMissing;
    const auto used = closes.last(returns + 1);
    const auto n = static_cast<double>(returns);
    // Around the mean return, which is known without a pass: the ends decide it.
    const double mean = portable::log(used.back() / used.front()) / n;
    double sum = 0;
    for (std::size_t i = 0; i <= returns; ++i) {
        if (!(used[i] > 0) || !std::isfinite(used[i])) return kMissing;
        if (i == 0) continue;
        const double miss = portable::log(used[i] / used[i - 1]) - mean;
        sum += miss * miss;
    }
    return std::sqrt(sum / (n - 1.0) * kSessionsPerYear);
}

double constant_maturity_volatility(const PricedChain& chain, double days) noexcept {
    const double years = days / 365.0;
    if (!(years > 0)) return kMissing;
    const ExpiryMarket* before = nullptr;
    const ExpiryMarket* after = nullptr;
    for (const auto& expiry : chain.expiries) {
        if (!expiry.tradable || !(expiry.atm_volatility > 0)) continue;
        if (expiry.years <= years) {
            before = &expiry;
        } else if (after == nullptr || expiry.years < after->years) {
            after = &expiry;
        }
    }
    if (before != nullptr && after != nullptr) {
        const auto variance = [](const ExpiryMarket& expiry) {
            return expiry.atm_volatility * expiry.atm_volatility * expiry.years;
        };
        const double share = (years - before->years) / (after->years - before->years);
        return std::sqrt(((1.0 - share) * variance(*before) + share * variance(*after)) / years);
    }
    constexpr double kFactor = 2.0;
    if (before != nullptr && before->years * kFactor >= years) return before->atm_volatility;
    if (after != nullptr && after->years <= years * kFactor) return after->atm_volatility;
    return kMissing;
}

}  // namespace scanmq::market
