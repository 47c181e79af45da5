#include "scanner/market/early_exercise.hpp"

#include <algorithm>
#include <cmath>

#include "scanner/pricing/american_implied_volatility.hpp"
#include "scanner/pricing/black.hpp"
#include "scanner/pricing/portable_math.hpp"

namespace scanmq::market {

double present_value(std::span<const pricing::CashDividend> dividends, double rate,
                     double years) noexcept {
    double value = 0;
    for (const auto& dividend : dividends) {
        if (dividend.years > 0 && dividend.years <= years) {
            value += dividend.amount * portable::exp(-rate * dividend.years);
        }
    }
    return value;
}

double implied_yield(double forward, const CarriedSpot& market) noexcept {
    const auto& terms = market.terms;
    const double spot = terms.spot - present_value(market.dividends, terms.rate, terms.years);
    if (!(spot > 0)) return kMissing;
    return terms.rate - portable::log(forward / spot) / terms.years;
}

void take_off_early_exercise(const CarriedSpot& market, double forward, double window,
                             std::size_t pairs_max, std::vector<ParityPair>& pairs) {
    const auto near = nearest_pairs(pairs, forward, window, pairs_max);
    const std::vector<ParityPair> kept(near.begin(), near.end());
    const std::size_t n = kept.size();
    std::vector<double> price(n);
    std::vector<double> strike(n);
    std::vector<Right> right(n);
    for (std::size_t i = 0; i < n; ++i) {
        const bool call = kept[i].strike >= forward;
        strike[i] = kept[i].strike;
        right[i] = call ? Right::call : Right::put;
        price[i] = call ? kept[i].call : kept[i].call - kept[i].difference;
    }
    std::vector<pricing::IvResult> implied(n);
    pricing::american_implied_volatility(market.terms, market.dividends, price, strike, right,
                                         implied);
    std::vector<double> volatility(n);
    for (std::size_t i = 0; i < n; ++i) volatility[i] = implied[i].volatility;

    const double discount = portable::exp(-market.terms.rate * market.terms.years);
    std::vector<double> premium(n, 0.0);  // the call's less the put's
    std::vector<double> american(n);
    for (const Right side : {Right::call, Right::put}) {
        std::fill(right.begin(), right.end(), side);
        pricing::american_prices(market.terms, market.dividends, strike, volatility, right,
                                 american);
        for (std::size_t i = 0; i < n; ++i) {
            const double european = pricing::black_price(
                {forward, strike[i], volatility[i], market.terms.years, discount}, side);
            premium[i] += (side == Right::call ? 1.0 : -1.0) * (american[i] - european);
        }
    }
    pairs.clear();
    for (std::size_t i = 0; i < n; ++i) {
        if (implied[i].status != pricing::IvStatus::ok || !std::isfinite(premium[i])) continue;
        pairs.push_back(kept[i]);
        pairs.back().difference -= premium[i];
    }
}

double carry_rate(std::span<const ForwardPoint> forwards) noexcept {
    if (forwards.size() < 2) return 0.0;
    double mean_x = 0;
    double mean_y = 0;
    for (const auto& point : forwards) {
        mean_x += point.years;
        mean_y += portable::log(point.forward);
    }
    mean_x /= static_cast<double>(forwards.size());
    mean_y /= static_cast<double>(forwards.size());
    double sxx = 0;
    double sxy = 0;
    for (const auto& point : forwards) {
        const double x = point.years - mean_x;
        sxx += x * x;
        sxy += x * (portable::log(point.forward) - mean_y);
    }
    const double rate = sxy / sxx;
    return std::isfinite(rate) ? rate : 0.0;
}

}  // namespace scanmq::market
