#include "scanner/filter/filter.hpp"

#include <cmath>

#include "scanner/market/chain.hpp"

namespace scanmq::filter {
namespace {

double count_or_missing(std::uint32_t count) {
    return count == market::kNoCount ? market::kMissing : static_cast<double>(count);
}

Verdict at_least(std::optional<double> bound, double value) {
    if (!bound) return Verdict::pass;
    return check(Bounds{.min = *bound}, value);
}

// For differences of decimal prices: 1.05 - 0.95 must not exceed 0.10.
Verdict at_most(std::optional<double> bound, double value) {
    constexpr double kTolerance = 1e-9;
    if (!bound) return Verdict::pass;
    return check(Bounds{.max = *bound + kTolerance}, value);
}

// A failed bound outweighs a missing value: the leg would be removed whatever the value was.
Verdict both(Verdict a, Verdict b) {
    if (a == Verdict::fail || b == Verdict::fail) return Verdict::fail;
    return a == Verdict::pass ? b : a;
}

Verdict run(const DeltaTest& test, const LegQuote& quote) {
    return check(test.bounds, test.absolute ? std::fabs(quote.delta) : quote.delta);
}

Verdict run(const FigureTest& test, const LegQuote& quote) {
    return check(test.bounds, quote.*test.figure);
}

Verdict run(const QuoteTest& test, const LegQuote& quote) {
    const bool zero_bid = !(quote.bid > 0.0);
    const bool locked = !zero_bid && quote.bid == quote.ask;
    const bool passes = (test.locked || !locked) && (test.zero_bid || !zero_bid) &&
                        (test.arbitrage || !quote.outside_bounds);
    return passes ? Verdict::pass : Verdict::fail;
}

Verdict run(const LiquidityTest& test, const LegQuote& quote) {
    const double volume = count_or_missing(quote.volume);
    const double interest = count_or_missing(quote.open_interest);
    const double bid = quote.bid > 0.0 ? quote.bid : 0.0;
    const double spread = quote.ask > 0.0 ? quote.ask - bid : market::kMissing;
    const double mid = 0.5 * (bid + quote.ask);
    Verdict verdict = at_least(test.min_volume, volume);
    verdict = both(verdict, at_least(test.min_open_interest, interest));
    verdict = both(verdict, at_least(test.min_volume_oi,
                                     interest > 0.0 ? volume / interest : market::kMissing));
    verdict = both(verdict, at_most(test.max_spread, spread));
    verdict = both(verdict, at_most(test.max_spread_ratio, spread / mid));
    return both(verdict, at_least(test.min_bid, quote.bid));
}

Verdict event_verdict(const ExpiryFilter& filter, Known before_expiry) {
    if (before_expiry == Known::unknown) {
        return filter.pass_unknown ? Verdict::pass : Verdict::missing;
    }
    return (before_expiry == Known::yes) == filter.wanted ? Verdict::pass : Verdict::fail;
}

}  // namespace

Verdict ExpiryFilter::check(const ExpiryFacts& facts) const noexcept {
    switch (metric) {
        case ExpiryMetric::dte:
        case ExpiryMetric::back_dte:
            return filter::check(bounds, facts.dte);
        case ExpiryMetric::iv_rank:
            return filter::check(bounds, facts.iv_rank);
        case ExpiryMetric::iv_percentile:
            return filter::check(bounds, facts.iv_percentile);
        case ExpiryMetric::settlement:
            return facts.morning == morning ? Verdict::pass : Verdict::fail;
        case ExpiryMetric::earnings:
            return event_verdict(*this, facts.earnings);
        case ExpiryMetric::ex_dividend:
            return event_verdict(*this, facts.ex_dividend);
    }
    return Verdict::fail;
}

Verdict check(const Bounds& bounds, double value) noexcept {
    if (std::isnan(value)) return Verdict::missing;
    return bounds.contains(value) ? Verdict::pass : Verdict::fail;
}

Verdict LegFilter::check(const LegQuote& quote) const noexcept {
    return std::visit([&quote](const auto& kind) { return run(kind, quote); }, test);
}

}  // namespace scanmq::filter
