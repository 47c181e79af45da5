#include "scanner/service/scan_inputs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace scanmq::service {
namespace {

constexpr double kSessions = 252.0;     // a year
constexpr std::size_t kLookBack = 252;  // sessions that rank and percentile look back
constexpr std::size_t kRealisedReturns = 30;

// Close to close, mean taken off, annualised; NaN with fewer than two returns.
double realised_volatility(const std::vector<double>& closes) {
    const std::size_t returns = std::min(kRealisedReturns, closes.empty() ? 0 : closes.size() - 1);
    if (returns < 2) return market::kMissing;
    double sum = 0.0;
    double squares = 0.0;
    for (std::size_t i = closes.size() - returns; i < closes.size(); ++i) {
        const double change = std::log(closes[i] / closes[i - 1]);
        sum += change;
        squares += change * change;
    }
    const auto n = static_cast<double>(returns);
    return std::sqrt(std::max(squares - sum * sum / n, 0.0) / (n - 1.0) * kSessions);
}

// Total variance is linear in time between the expiries around 30 days.
double implied_30d(const market::PricedChain& chain) {
    constexpr double kTarget = 30.0 / 365.0;
    const market::ExpiryMarket* before = nullptr;
    const market::ExpiryMarket* after = nullptr;
    for (const market::ExpiryMarket& each : chain.expiries) {
        if (!each.tradable || !(each.atm_volatility > 0.0) || !(each.years > 0.0)) continue;
        if (each.years <= kTarget && (before == nullptr || each.years > before->years)) {
            before = &each;
        }
        if (each.years >= kTarget && (after == nullptr || each.years < after->years)) {
            after = &each;
        }
    }
    if (before == nullptr || after == nullptr) {
        const market::ExpiryMarket* only = before != nullptr ? before : after;
        return only != nullptr ? only->atm_volatility : market::kMissing;
    }
    const auto variance = [](const market::ExpiryMarket& e) {
        return e.atm_volatility * e.atm_volatility * e.years;
    };
    const double span = after->years - before->years;
    const double part = span > 0.0 ? (kTarget - before->years) / span : 0.0;
    const double total = variance(*before) + part * (variance(*after) - variance(*before));
    return std::sqrt(total / (span > 0.0 ? kTarget : before->years));
}

void rank_and_percentile(const std::vector<double>& past, ScanInputs& out) {
    const std::size_t days = std::min(kLookBack, past.size());
    if (days == 0 || std::isnan(out.implied_30d)) return;
    const auto first = past.end() - static_cast<std::ptrdiff_t>(days);
    const auto [low, high] = std::minmax_element(first, past.end());
    double below = 0.0;
    for (auto each = first; each != past.end(); ++each) {
        below += *each < out.implied_30d ? 1.0 : (*each == out.implied_30d ? 0.5 : 0.0);
    }
    out.iv_percentile = below / static_cast<double>(days);
    if (*high > *low) {
        out.iv_rank = std::clamp((out.implied_30d - *low) / (*high - *low), 0.0, 1.0);
    }
}

}  // namespace

Result<ScanInputs, Error> scan_inputs(const market::PricedChain& chain,
                                      const ScanRequest& request) {
    ScanInputs out;
    const std::string& symbol = chain.chain->symbol;
    const WallMillis now = request.as_of.value_or(chain.chain->as_of);
    for (const Event& event : request.events) {
        if (event.symbol == symbol && event.moment > now) out.events.push_back(event);
    }
    for (const Dividend& dividend : request.dividends) {
        const bool ours = dividend.symbol.empty() || dividend.symbol == symbol;
        if (ours && dividend.ex_moment > now) out.dividends.push_back(dividend);
    }
    std::ranges::sort(out.dividends, {}, &Dividend::ex_moment);
    out.implied_30d = implied_30d(chain);
    for (const History& history : request.histories) {
        if (history.symbol != symbol) continue;
        out.realised = realised_volatility(history.closes);
        rank_and_percentile(history.implied_30d, out);
    }
    const VolatilityChoice& volatility = request.volatility;
    if (volatility.mode == VolatilityMode::realised && !volatility.value && !(out.realised > 0.0)) {
        return fail(Error{ErrorCode::invalid_request,
                          fmt::format("volatility mode \"realised\" needs closes of {} in "
                                      "\"histories\", three at least, or a \"value\"",
                                      symbol)});
    }
    return out;
}

filter::Known event_before(const ScanInputs& inputs, EventKind kind, WallMillis moment) noexcept {
    bool known = false;
    for (const Event& event : inputs.events) {
        if (event.kind != kind) continue;
        if (event.moment <= moment) return filter::Known::yes;
        known = true;
    }
    if (kind == EventKind::ex_dividend) {
        for (const Dividend& dividend : inputs.dividends) {
            if (dividend.ex_moment <= moment) return filter::Known::yes;
            known = true;
        }
    }
    // The next one comes later; with none at all, nobody said.
    return known ? filter::Known::no : filter::Known::unknown;
}

market::Smile reference_smile(const market::ExpiryMarket& expiry) noexcept {
    if (expiry.smile.variance(0.0) > 0.0) return expiry.smile;
    return market::Smile::flat(expiry.atm_volatility * expiry.atm_volatility * expiry.years);
}

strategy::Distribution distribution_of(const market::ExpiryMarket& expiry,
                                       const VolatilityChoice& choice,
                                       const ScanInputs& inputs) noexcept {
    double volatility = expiry.atm_volatility;
    switch (choice.mode) {
        case VolatilityMode::smile:
            return {expiry.forward, reference_smile(expiry)};
        case VolatilityMode::flat:
            break;
        case VolatilityMode::realised:
            volatility = choice.value.value_or(inputs.realised);
            break;
        case VolatilityMode::user:
            volatility = choice.value.value_or(volatility);
            break;
    }
    return {expiry.forward, market::Smile::flat(volatility * volatility * expiry.years)};
}

}  // namespace scanmq::service
