#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <utility>

#include "common/base/assert.hpp"
#include "scanner/market/calendar.hpp"
#include "scanner/market/expiry_smile.hpp"
#include "scanner/market/parity.hpp"
#include "scanner/market/priced_chain.hpp"

namespace scanmq::market {

namespace {

using pricing::IvStatus;

constexpr double kMillisPerYear = 365.0 * 86'400'000.0;  // ACT/365
constexpr double kSpotTolerance = 0.0005;                // header against parity
constexpr double kRateYears = 1.0;  // where PricedChain::rate is read off the curve

// European parity is a straight line: wide windows only lower the noise. American quotes keep to it
// near the money alone, where early exercise is worth least.
constexpr NearMoney kEuropeanMoney{.window = 0.15, .pairs_wanted = 12};
constexpr NearMoney kAmericanMoney{.window = 0.05, .pairs_wanted = 0};
constexpr std::size_t kEuropeanPairsMax = 25;
constexpr std::size_t kAmericanPairsMax = 9;

// A rate fitted to American quotes is believed in this range and to this precision, else it is
// zero.
constexpr double kAmericanRateMin = -0.01;
constexpr double kAmericanRateMax = 0.15;
constexpr double kAmericanRateDeviationMax = 0.01;

class Pricer {
  public:
    Pricer(std::shared_ptr<const Chain> chain, const PricingOptions& options)
        : chain_(*chain), options_(options) {
        out_.chain = std::move(chain);
        as_of_ = options.as_of != 0 ? options.as_of : chain_.as_of;
        as_of_date_ = options.as_of != 0 ? new_york_date(options.as_of) : chain_.as_of_date;
    }

    PricedChain price() {
        out_.american_as_european = chain_.style == ExerciseStyle::american;
        out_.expiries.resize(chain_.expiries.size());
        pairs_.resize(chain_.expiries.size());
        for (std::size_t e = 0; e < chain_.expiries.size(); ++e) set_times(e);
        const RateCurve curve = find_curve();
        out_.rate = curve.rate(kRateYears);
        for (std::size_t e = 0; e < chain_.expiries.size(); ++e) set_forward(e, curve);
        set_spot();
        decltype(pairs_)().swap(pairs_);  // what comes takes as much memory
        price_contracts();
        set_smiles(out_);
        return std::move(out_);
    }

  private:
    void set_times(std::size_t e) {
        const auto& expiry = chain_.expiries[e];
        auto& market = out_.expiries[e];
        market.years = static_cast<double>(expiry.moment - as_of_) / kMillisPerYear;
        market.dte = days_between(as_of_date_, expiry.date);
        market.tradable = market.years > 0 && as_of_ <= expiry.last_trade;
        if (market.years <= 0) {
            market.problem = "expired";
        } else if (!market.tradable) {
            market.problem = "past its last trade";
        } else {
            find_parity_pairs(chain_, expiry, pairs_[e]);
        }
    }

    RateCurve find_curve() {
        if (!std::isnan(options_.rate)) {
            out_.rate_is_input = true;
            return RateCurve::flat(options_.rate);
        }
        const bool american = chain_.style == ExerciseStyle::american;
        std::vector<RateEstimate> estimates;
        for (std::size_t e = 0; e < pairs_.size(); ++e) {
            RateEstimate estimate;
            if (estimate_rate(pairs_[e], rough_forward(pairs_[e]),
                              american ? kAmericanMoney : kEuropeanMoney, out_.expiries[e].years,
                              estimate)) {
                estimates.push_back(estimate);
            }
        }
        const auto curve = RateCurve::fit(estimates, american);
        if (!american) return curve;
        const double rate = curve.rate(kRateYears);
        const bool sensible = rate >= kAmericanRateMin && rate <= kAmericanRateMax &&
                              curve.level_deviation() <= kAmericanRateDeviationMax;
        return sensible && !estimates.empty() ? curve : RateCurve{};
    }

    void set_forward(std::size_t e, const RateCurve& curve) {
        auto& market = out_.expiries[e];
        if (market.years > 0) {
            market.rate = curve.rate(market.years);
            market.discount = std::exp(-market.rate * market.years);
        }
        if (!market.tradable) return;
        const auto& pairs = pairs_[e];
        const bool american = chain_.style == ExerciseStyle::american;
        const double forward = parity_forward(pairs, rough_forward(pairs), market.discount,
                                              american ? kAmericanPairsMax : kEuropeanPairsMax);
        if (!(forward > 0)) {
            market.problem = "no strike near the money with a two-sided call and put";
            return;
        }
        market.forward = forward;
        market.spot = forward * market.discount;
    }

    void set_spot() {
        out_.spot = chain_.spot;
        for (const auto& market : out_.expiries) {
            if (std::isnan(market.spot)) continue;
            // The nearest expiry's: what dividends take off until then is least.
            const bool agrees = std::fabs(chain_.spot / market.spot - 1.0) <= kSpotTolerance;
            if (!agrees) {  // also where the header has none
                out_.spot = market.spot;
                out_.spot_is_implied = true;
            }
            return;
        }
    }

    void price_contracts() {
        const auto count = chain_.size();
        constexpr pricing::Greeks kNone{kMissing, kMissing, kMissing, kMissing, kMissing, kMissing};
        out_.iv.assign(count, kMissing);
        out_.iv_status.resize(count);
        out_.greeks.assign(count, kNone);
        for (std::size_t e = 0; e < chain_.expiries.size(); ++e) {
            const auto& expiry = chain_.expiries[e];
            const auto& market = out_.expiries[e];
            imply(expiry, market);
            if (std::isnan(market.spot)) continue;
            const auto size = expiry.end - expiry.call_begin;
            const auto greeks = std::span(out_.greeks).subspan(expiry.call_begin, size);
            pricing::bsm_greeks({market.spot, market.rate, 0.0, market.years},
                                std::span(chain_.strike).subspan(expiry.call_begin, size),
                                std::span(std::as_const(out_.iv)).subspan(expiry.call_begin, size),
                                std::span(chain_.right).subspan(expiry.call_begin, size), greeks);
            for (std::size_t i = 0; i < size; ++i) {
                if (out_.iv_status[expiry.call_begin + i] != IvStatus::ok) greeks[i] = kNone;
            }
        }
    }

    [[nodiscard]] IvStatus quote_status(std::size_t i, const ExpiryMarket& market) const noexcept {
        if (market.years <= 0) return IvStatus::expired;
        if (!market.tradable) return IvStatus::not_tradable;
        if (!(chain_.bid[i] > 0)) return IvStatus::no_bid;
        if (!(chain_.ask[i] > 0)) return IvStatus::no_ask;
        if (chain_.bid[i] > chain_.ask[i]) return IvStatus::crossed;
        if (std::isnan(market.forward)) return IvStatus::no_forward;
        return IvStatus::ok;
    }

    void imply(const Expiry& expiry, const ExpiryMarket& market) {
        const auto begin = expiry.call_begin;
        const auto size = expiry.end - begin;
        std::vector<double> mid(size, kMissing);
        std::vector<IvStatus> implied(size);
        for (std::size_t i = 0; i < size; ++i) {
            out_.iv_status[begin + i] = quote_status(begin + i, market);
            if (out_.iv_status[begin + i] == IvStatus::ok) {
                mid[i] = 0.5 * (chain_.bid[begin + i] + chain_.ask[begin + i]);
            }
        }
        if (std::isnan(market.forward)) return;
        pricing::implied_volatility({market.forward, market.years, market.discount}, mid,
                                    std::span(chain_.strike).subspan(begin, size),
                                    std::span(chain_.right).subspan(begin, size),
                                    std::span(out_.iv).subspan(begin, size), implied);
        for (std::size_t i = 0; i < size; ++i) {
            auto& status = out_.iv_status[begin + i];
            if (status == IvStatus::ok) status = implied[i];
        }
    }

    const Chain& chain_;
    PricingOptions options_;
    WallMillis as_of_{};
    YearMonthDay as_of_date_{};
    PricedChain out_;
    std::vector<std::vector<ParityPair>> pairs_;  // by expiry; empty where it is not tradable
};

}  // namespace

PricedChain price_chain(std::shared_ptr<const Chain> chain, const PricingOptions& options) {
    SCANMQ_ASSERT(chain != nullptr);
    return Pricer(std::move(chain), options).price();
}

}  // namespace scanmq::market
