#include "scanner/market/contract_values.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "scanner/pricing/portable_math.hpp"

namespace scanmq::market {
namespace {

constexpr double kDay = 1.0 / 365.0;

// Contracts of one expiry.
struct Contracts {
    std::vector<double> strike;
    std::vector<Right> right;
};

// Values `elapsed` years from now, at these volatilities.
void values(const PricedChain& priced, const ExpiryMarket& market, double elapsed,
            const Contracts& contracts, std::span<const double> volatility, std::span<double> out) {
    const double years = market.years - elapsed;
    if (priced.chain->style == ExerciseStyle::american) {
        std::vector<pricing::CashDividend> dividends;
        for (const pricing::CashDividend& one : priced.dividends) {
            if (one.years > elapsed) dividends.push_back({one.years - elapsed, one.amount});
        }
        pricing::american_prices({priced.spot, market.rate, market.yield, years}, dividends,
                                 contracts.strike, volatility, contracts.right, out);
        return;
    }
    std::vector<pricing::Greeks> greeks(out.size());
    pricing::BsmExpiry terms = european_terms(priced, market);
    terms.years = years;
    pricing::bsm_greeks(terms, contracts.strike, volatility, contracts.right, greeks);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = greeks[i].price;
}

}  // namespace

void contract_values(const PricedChain& priced, std::uint32_t expiry,
                     std::span<const std::uint32_t> rows, std::span<ContractValues> out) {
    const Chain& chain = *priced.chain;
    const ExpiryMarket& market = priced.expiries[expiry];
    std::ranges::fill(out, ContractValues{});
    if (!(market.forward > 0.0) || !(market.years > 0.0)) return;
    Contracts contracts{std::vector<double>(out.size()), std::vector<Right>(out.size())};
    std::vector<double> volatility(out.size());
    std::vector<double> value(out.size());
    for (std::size_t i = 0; i < out.size(); ++i) {
        contracts.strike[i] = chain.strike[rows[i]];
        contracts.right[i] = chain.right[rows[i]];
        volatility[i] = greeks_volatility(priced, expiry, rows[i]);
    }
    if (market.years > kDay) {
        values(priced, market, kDay, contracts, volatility, value);
    } else {
        const double spot = chain.style == ExerciseStyle::american
                                ? priced.spot
                                : european_terms(priced, market).spot;
        for (std::size_t i = 0; i < out.size(); ++i) {
            const double inside = contracts.right[i] == Right::call ? spot - contracts.strike[i]
                                                                    : contracts.strike[i] - spot;
            value[i] = std::max(inside, 0.0);
        }
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
        if (volatility[i] > 0.0) out[i].day_theta = value[i] - priced.greeks[rows[i]].price;
    }
    if (market.smile.b == 0.0 || !(market.smile.variance(0.0) > 0.0)) return;
    for (std::size_t i = 0; i < out.size(); ++i) {
        volatility[i] = market.smile.volatility(portable::log(contracts.strike[i] / market.forward),
                                                market.years);
    }
    values(priced, market, 0.0, contracts, volatility, value);
    for (std::size_t i = 0; i < out.size(); ++i) out[i].model = value[i];
}

ContractValues contract_values(const PricedChain& priced, std::uint32_t expiry, std::uint32_t row) {
    ContractValues out;
    contract_values(priced, expiry, std::span(&row, 1), std::span(&out, 1));
    return out;
}

}  // namespace scanmq::market
