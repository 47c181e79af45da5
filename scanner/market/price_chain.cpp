#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <utility>

#include "common/base/assert.hpp"
#include "scanner/market/calendar.hpp"
#include "scanner/market/contracts.hpp"
#include "scanner/market/early_exercise.hpp"
#include "scanner/market/expiry_smile.hpp"
#include "scanner/market/parity.hpp"
#include "scanner/market/priced_chain.hpp"
#include "scanner/pricing/american_implied_volatility.hpp"
#include "scanner/pricing/portable_math.hpp"

namespace scanmq::market {

namespace {

using pricing::IvStatus;

constexpr double kMillisPerYear = 365.0 * 86'400'000.0;  // ACT/365
constexpr double kRateYears = 1.0;  // where PricedChain::rate is read off the curve

// European parity is a straight line: wide windows only lower the noise. American quotes keep to it
// near the money alone, where early exercise is worth least; once its premium is taken off, further
// out.
constexpr NearMoney kEuropeanMoney{.window = 0.15, .pairs_wanted = 12};
constexpr NearMoney kAmericanMoney{.window = 0.05, .pairs_wanted = 0};
constexpr NearMoney kAdjustedMoney{.window = 0.10, .pairs_wanted = 0};
constexpr std::size_t kEuropeanPairsMax = 25;
constexpr std::size_t kAmericanPairsMax = 9;
constexpr int kAmericanRounds = 5;
// Contracts between two looks at `cancel`: a third of a second where it is dearest, with cash dividends
// a year ahead.
constexpr std::size_t kAmericanPiece = 512;

// A rate fitted to American quotes is believed in this range and to this precision.
constexpr double kAmericanRateMin = -0.01;
constexpr double kAmericanRateMax = 0.15;
constexpr double kAmericanRateDeviationMax = 0.01;
// A source's own rate is used in this range.
constexpr double kVendorRateMin = -0.05;
constexpr double kVendorRateMax = 0.30;

// Volatility indices have a forward per expiry that the spot says nothing of. As shipped: a snapshot is
// priced alike wherever it is, and does not carry a user's table.
bool own_forward(const std::string& root) {
    return ContractTable::shipped().find(root).own_forward;
}

class Pricer {
  public:
    Pricer(std::shared_ptr<const Chain> chain, const PricingOptions& options)
        : chain_(*chain), options_(options), american_(chain->style == ExerciseStyle::american) {
        out_.chain = std::move(chain);
        as_of_ = options.as_of != 0 ? options.as_of : chain_.as_of;
        as_of_date_ = options.as_of != 0 ? new_york_date(options.as_of) : chain_.as_of_date;
    }

    PricedChain price() {
        out_.expiries.resize(chain_.expiries.size());
        pairs_.resize(chain_.expiries.size());
        for (std::size_t e = 0; e < chain_.expiries.size(); ++e) set_times(e);
        take_dividends();
        set_market(kAmericanMoney);
        for (int round = 0; american_ && round < kAmericanRounds && !cancelled(); ++round) {
            take_off_premiums(round);
            set_market(kAdjustedMoney);
        }
        decltype(pairs_)().swap(pairs_);  // what comes takes as much memory
        for (auto& market : out_.expiries) {
            if (counts(market) && std::isnan(market.forward)) {
                market.problem = "no strike near the money with a two-sided call and put";
            }
        }
        price_contracts();
        if (cancelled()) return std::move(out_);
        set_smiles(out_, options_.cancel);
        price_the_rest();
        return std::move(out_);
    }

  private:
    [[nodiscard]] bool cancelled() const noexcept {
        return options_.cancel != nullptr && options_.cancel->load(std::memory_order_relaxed);
    }

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
        } else if (american_ && expiry.end - expiry.call_begin > american_left_) {
            american_left_ = 0;
            market.problem = fmt::format("beyond the {} contracts of American exercise of a chain",
                                         kAmericanContractsMax);
        } else {
            if (american_) american_left_ -= expiry.end - expiry.call_begin;
            find_parity_pairs(chain_, expiry, pairs_[e]);
        }
    }
    // Is it among the contracts that are priced?
    [[nodiscard]] static bool counts(const ExpiryMarket& market) noexcept {
        return market.tradable && market.problem.empty();
    }

    void take_dividends() {
        for (const auto& dividend : options_.dividends) {
            const double years = static_cast<double>(dividend.ex_moment - as_of_) / kMillisPerYear;
            if (years > 0 && dividend.amount > 0 && std::isfinite(dividend.amount)) {
                out_.dividends.push_back({years, dividend.amount});
            }
        }
        std::sort(out_.dividends.begin(), out_.dividends.end(),
                  [](const auto& a, const auto& b) { return a.years < b.years; });
        if (out_.dividends.size() > pricing::kDividendsMax)
            out_.dividends.resize(pricing::kDividendsMax);
    }

    // Curve, forwards, spot and yields from the pairs as they are now.
    void set_market(NearMoney american_money) {
        curve_ = find_curve(american_ ? american_money : kEuropeanMoney);
        out_.rate = curve_.rate(kRateYears);
        for (std::size_t e = 0; e < chain_.expiries.size(); ++e) set_forward(e);
        set_spot();
        if (!spot_has_pair_) carry_spot();
        for (std::size_t e = 0; e < out_.expiries.size(); ++e) {
            auto& market = out_.expiries[e];
            if (!std::isnan(market.forward)) set_yield(market, chain_.expiries[e]);
        }
    }

    void set_yield(ExpiryMarket& market, const Expiry& expiry) const {
        if (american_) {
            market.yield = implied_yield(market.forward, carried(market));
            return;
        }
        const double yield =
            implied_yield(market.forward, {{out_.spot, market.rate, 0.0, market.years}, {}});
        market.has_own_spot = std::isnan(yield) || own_forward(expiry.root);
        market.yield = market.has_own_spot ? 0.0 : yield;
    }

    RateCurve find_curve(NearMoney near_money) {
        out_.rate_source = RateSource::given;
        if (auto given = RateCurve::through(options_.rate_curve); given.has_points()) return given;
        if (std::isfinite(options_.rate)) return RateCurve::flat(options_.rate);
        std::vector<RateEstimate> estimates;
        for (std::size_t e = 0; e < pairs_.size(); ++e) {
            RateEstimate estimate;
            if (estimate_rate(pairs_[e], rough_forward(pairs_[e]), near_money,
                              out_.expiries[e].years, estimate)) {
                estimates.push_back(estimate);
            }
        }
        out_.rate_source = RateSource::fitted;
        const auto curve = RateCurve::fit(estimates, american_);
        const double rate = curve.rate(kRateYears);
        const bool sensible = !american_ || (rate >= kAmericanRateMin && rate <= kAmericanRateMax &&
                                             curve.level_deviation() <= kAmericanRateDeviationMax);
        if (sensible && !estimates.empty()) return curve;
        if (chain_.vendor_rate >= kVendorRateMin && chain_.vendor_rate <= kVendorRateMax) {
            out_.rate_source = RateSource::vendor;
            return RateCurve::flat(chain_.vendor_rate);
        }
        const auto points = american_ ? known_forwards() : std::vector<ForwardPoint>{};
        out_.rate_source = points.size() < 2 ? RateSource::assumed : RateSource::carried;
        return RateCurve::flat(std::clamp(carry_rate(points), 0.0, kAmericanRateMax));
    }

    // Where quotes do not settle a rate, it is what the forwards grow by, as if nothing but the known
    // dividends were paid; what they fall by is a yield.
    std::vector<ForwardPoint> known_forwards() const {
        std::vector<ForwardPoint> points;
        for (std::size_t e = 0; e < pairs_.size(); ++e) {
            const double forward =
                parity_forward(pairs_[e], rough_forward(pairs_[e]), 1.0, kAmericanPairsMax);
            if (!(forward > 0)) continue;
            const double years = out_.expiries[e].years;
            points.push_back({years, forward + present_value(out_.dividends, 0.0, years)});
        }
        return points;
    }

    void set_forward(std::size_t e) {
        auto& market = out_.expiries[e];
        if (market.years > 0) {
            market.rate = curve_.rate(market.years);
            market.discount = portable::exp(-market.rate * market.years);
        }
        if (!market.tradable) return;
        const auto& pairs = pairs_[e];
        const double forward = parity_forward(pairs, rough_forward(pairs), market.discount,
                                              american_ ? kAmericanPairsMax : kEuropeanPairsMax);
        if (!(forward > 0)) {
            market.forward = market.spot = kMissing;
            return;
        }
        market.forward = forward;
        market.spot = forward * market.discount;
    }

    // A chain of one side has no pairs: its forwards are the spot's, if that is known.
    void carry_spot() {
        if (!(out_.spot > 0) || !std::isfinite(out_.spot)) return;
        for (auto& market : out_.expiries) {
            const double value =
                out_.spot - present_value(out_.dividends, market.rate, market.years);
            if (!counts(market) || !(value > 0)) continue;
            market.spot = value;
            market.forward = value / market.discount;
            market.forward_is_carried = true;
        }
    }

    void set_spot() {
        spot_has_pair_ = std::any_of(out_.expiries.begin(), out_.expiries.end(),
                                     [](const auto& m) { return !std::isnan(m.spot); });
        if (options_.spot > 0 && std::isfinite(options_.spot)) {
            out_.spot = options_.spot;
            return;
        }
        out_.spot = chain_.spot;
        out_.spot_is_implied = false;
        for (const auto& market : out_.expiries) {
            if (std::isnan(market.spot)) continue;
            // The nearest expiry's: what unknown dividends take off until then is least.
            const double implied =
                market.spot + present_value(out_.dividends, market.rate, market.years);
            const bool agrees = std::fabs(chain_.spot / implied - 1.0) <= kSpotTolerance;
            if (!agrees) {  // also where the header has none
                out_.spot = implied;
                out_.spot_is_implied = true;
            }
            return;
        }
    }

    [[nodiscard]] CarriedSpot carried(const ExpiryMarket& market) const noexcept {
        return {{out_.spot, market.rate, market.yield, market.years}, out_.dividends};
    }

    // Always from the quotes as they are, with the market that the round before has found.
    void take_off_premiums(int round) {
        for (std::size_t e = 0; e < chain_.expiries.size() && !cancelled(); ++e) {
            const auto& market = out_.expiries[e];
            if (pairs_[e].empty() || std::isnan(market.forward) || std::isnan(market.yield))
                continue;
            if (round > 0) find_parity_pairs(chain_, chain_.expiries[e], pairs_[e]);
            take_off_early_exercise(carried(market), market.forward, kAdjustedMoney.window,
                                    kEuropeanPairsMax, pairs_[e]);
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
            if (cancelled()) return;
            imply(expiry, market);
            if (std::isnan(market.spot)) continue;
            const auto rows = [&](auto& column) {
                return std::span(column).subspan(expiry.call_begin, expiry.end - expiry.call_begin);
            };
            find_greeks(market, rows(chain_.strike), rows(std::as_const(out_.iv)),
                        rows(chain_.right), rows(out_.greeks));
        }
    }

    // take(first, size) of so many contracts of American exercise at once, until it is cancelled.
    template <class Take>
    void in_pieces(std::size_t count, const Take& take) const {
        for (std::size_t at = 0; at < count && !cancelled(); at += kAmericanPiece) {
            take(at, std::min(kAmericanPiece, count - at));
        }
    }

    void find_greeks(const ExpiryMarket& market, std::span<const double> strike,
                     std::span<const double> volatility, std::span<const Right> right,
                     std::span<pricing::Greeks> out) const {
        constexpr pricing::Greeks kNone{kMissing, kMissing, kMissing, kMissing, kMissing, kMissing};
        if (american_) {
            const auto [terms, dividends] = carried(market);
            in_pieces(out.size(), [&](std::size_t at, std::size_t size) {
                pricing::american_greeks(terms, dividends, strike.subspan(at, size),
                                         volatility.subspan(at, size), right.subspan(at, size),
                                         out.subspan(at, size));
            });
        } else {
            pricing::bsm_greeks(european_terms(out_, market), strike, volatility, right, out);
        }
        for (std::size_t i = 0; i < out.size(); ++i) {
            if (std::isnan(volatility[i])) out[i] = kNone;
        }
    }

    // Greeks of the quotes that tell no volatility, at the smile's.
    void price_the_rest() {
        std::vector<std::uint32_t> rows;
        std::vector<double> strike;
        std::vector<double> volatility;
        std::vector<Right> right;
        std::vector<pricing::Greeks> greeks;
        for (std::uint32_t e = 0; e < chain_.expiries.size() && !cancelled(); ++e) {
            rows.clear(), strike.clear(), volatility.clear(), right.clear();
            for (auto i = chain_.expiries[e].call_begin; i < chain_.expiries[e].end; ++i) {
                if (out_.iv_status[i] == IvStatus::ok) continue;
                const double at = greeks_volatility(out_, e, i);
                if (std::isnan(at)) continue;
                rows.push_back(i);
                strike.push_back(chain_.strike[i]);
                volatility.push_back(at);
                right.push_back(chain_.right[i]);
            }
            greeks.resize(rows.size());
            if (!rows.empty()) find_greeks(out_.expiries[e], strike, volatility, right, greeks);
            for (std::size_t i = 0; i < rows.size(); ++i) out_.greeks[rows[i]] = greeks[i];
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
        const auto strike = std::span(chain_.strike).subspan(begin, size);
        const auto right = std::span(chain_.right).subspan(begin, size);
        if (american_) {
            imply_american(market, mid, strike, right, begin);
            return;
        }
        pricing::implied_volatility({market.forward, market.years, market.discount}, mid, strike,
                                    right, std::span(out_.iv).subspan(begin, size), implied);
        for (std::size_t i = 0; i < size; ++i) {
            auto& status = out_.iv_status[begin + i];
            if (status == IvStatus::ok) status = implied[i];
        }
    }

    void imply_american(const ExpiryMarket& market, std::span<const double> mid,
                        std::span<const double> strike, std::span<const Right> right,
                        std::size_t begin) {
        const auto [terms, dividends] = carried(market);
        std::array<pricing::IvResult, kAmericanPiece> room;
        in_pieces(mid.size(), [&](std::size_t at, std::size_t size) {
            const auto implied = std::span(room).first(size);
            pricing::american_implied_volatility(terms, dividends, mid.subspan(at, size),
                                                 strike.subspan(at, size), right.subspan(at, size),
                                                 implied);
            for (std::size_t i = 0; i < size; ++i) {
                auto& status = out_.iv_status[begin + at + i];
                if (status != IvStatus::ok) continue;
                status = implied[i].status;
                if (status == IvStatus::ok) out_.iv[begin + at + i] = implied[i].volatility;
            }
        });
    }

    const Chain& chain_;
    const PricingOptions& options_;
    bool american_;
    std::uint32_t american_left_ = kAmericanContractsMax;
    bool spot_has_pair_{};  // some expiry has a forward by parity
    WallMillis as_of_{};
    YearMonthDay as_of_date_{};
    PricedChain out_;
    RateCurve curve_;
    std::vector<std::vector<ParityPair>> pairs_;  // by expiry; empty where it is not tradable
};

}  // namespace

const char* to_string(RateSource source) noexcept {
    constexpr std::array<const char*, 5> kNames{"given", "fitted", "vendor", "carried", "assumed"};
    return kNames[static_cast<std::size_t>(source)];
}

double greeks_volatility(const PricedChain& priced, std::uint32_t expiry,
                         std::uint32_t row) noexcept {
    if (priced.iv_status[row] == IvStatus::ok) return priced.iv[row];
    const ExpiryMarket& market = priced.expiries[expiry];
    if (!market.tradable || !(market.forward > 0.0)) return kMissing;
    const double variance =
        market.smile.variance(portable::log(priced.chain->strike[row] / market.forward));
    return variance > 0.0 ? std::sqrt(variance / market.years) : kMissing;
}

PricedChain price_chain(std::shared_ptr<const Chain> chain, const PricingOptions& options) {
    SCANMQ_ASSERT(chain != nullptr);
    return Pricer(std::move(chain), options).price();
}

}  // namespace scanmq::market
