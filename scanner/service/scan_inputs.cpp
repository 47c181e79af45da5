#include "scanner/service/scan_inputs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "scanner/market/history.hpp"

namespace scanmq::service {
namespace {

constexpr std::size_t kRealisedReturns = 30;  // sessions

// The expiry's smile, flat where no fit was possible.
market::Smile smile_of(const market::ExpiryMarket& expiry) noexcept {
    if (expiry.smile.variance(0.0) > 0.0) return expiry.smile;
    return market::Smile::flat(expiry.atm_volatility * expiry.atm_volatility * expiry.years);
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
    out.implied_30d = market::constant_maturity_volatility(chain);
    for (const History& history : request.histories) {
        if (history.symbol != symbol) continue;
        const std::size_t returns =
            std::min(kRealisedReturns, history.closes.empty() ? 0 : history.closes.size() - 1);
        if (returns >= 2) out.realised = market::realised_volatility(history.closes, returns);
        const auto standing = market::volatility_standing(history.implied_30d, out.implied_30d);
        out.iv_rank = standing.rank;
        out.iv_percentile = standing.percentile;
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
        known = known || event.confirmed;  // another may yet come sooner than it is said to
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

strategy::Distribution distribution_of(const market::ExpiryMarket& expiry,
                                       const VolatilityChoice& choice,
                                       const ScanInputs& inputs) noexcept {
    double volatility = expiry.atm_volatility;
    switch (choice.mode) {
        case VolatilityMode::smile:
            return {expiry.forward, smile_of(expiry)};
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
