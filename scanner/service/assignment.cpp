#include "scanner/service/assignment.hpp"

#include <algorithm>
#include <cmath>

#include "scanner/pricing/portable_math.hpp"
#include "scanner/service/leg_book.hpp"

namespace scanmq::service {
namespace {

constexpr double kMillisPerYear = 365.0 * 86'400'000.0;

// The other right's mid at the same strike; NaN where it is not quoted.
double other_side(const market::Chain& chain, const market::Expiry& expiry, std::uint32_t row) {
    const auto right =
        chain.right[row] == market::Right::call ? market::Right::put : market::Right::call;
    const RowRange rows = rows_of(expiry, right);
    const auto begin = chain.strike.begin() + rows.begin;
    const auto end = chain.strike.begin() + rows.end;
    const auto at = std::lower_bound(begin, end, chain.strike[row]);
    if (at == end || *at != chain.strike[row]) return kMissing;
    const auto other = static_cast<std::size_t>(at - chain.strike.begin());
    if (!(chain.ask[other] > 0.0)) return kMissing;
    return 0.5 * (std::max(chain.bid[other], 0.0) + chain.ask[other]);
}

}  // namespace

Assignment assignment_of(const market::PricedChain& priced, const ScanInputs& inputs,
                         std::uint32_t expiry, std::uint32_t row) noexcept {
    const market::Chain& chain = *priced.chain;
    if (chain.style != market::ExerciseStyle::american) return Assignment::none;
    const market::ExpiryMarket& market = priced.expiries[expiry];
    const market::Expiry& contract = chain.expiries[expiry];
    const double strike = chain.strike[row];
    const bool call = chain.right[row] == market::Right::call;
    const double spot = priced.spot > 0.0 ? priced.spot : market.spot;
    const bool in_the_money = call ? spot > strike : spot < strike;
    const double other = other_side(chain, contract, row);
    if (!in_the_money || std::isnan(other)) return Assignment::unlikely;

    // Years from each ex-moment to the expiry.
    const auto left_at = [&contract](WallMillis moment) {
        return static_cast<double>(contract.moment - moment) / kMillisPerYear;
    };
    const auto interest = [&](double years) {
        return strike * (1.0 - portable::exp(-market.rate * years));
    };
    if (!call) {
        double paid = 0.0;
        for (const Dividend& dividend : inputs.dividends) {
            const double left = left_at(dividend.ex_moment);
            if (left >= 0.0) {
                paid += dividend.amount * portable::exp(-market.rate * (market.years - left));
            }
        }
        return interest(market.years) > other + paid ? Assignment::likely : Assignment::unlikely;
    }
    for (std::size_t i = 0; i < inputs.dividends.size(); ++i) {
        const double left = left_at(inputs.dividends[i].ex_moment);
        if (left < 0.0) continue;
        double paid = 0.0;
        for (std::size_t j = i; j < inputs.dividends.size(); ++j) {
            const double later = left_at(inputs.dividends[j].ex_moment);
            if (later >= 0.0) {
                paid += inputs.dividends[j].amount * portable::exp(-market.rate * (left - later));
            }
        }
        if (paid > other + interest(left)) return Assignment::likely;
    }
    return Assignment::unlikely;
}

}  // namespace scanmq::service
