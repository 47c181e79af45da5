#include "scanner/market/expiry_smile.hpp"

#include <algorithm>
#include <cmath>

#include "scanner/market/smile_arbitrage.hpp"
#include "scanner/market/smile_fit.hpp"
#include "scanner/pricing/normal.hpp"
#include "scanner/pricing/portable_math.hpp"

namespace scanmq::market {

namespace {

using pricing::IvStatus;

constexpr double kNearMoney = 0.20;  // beyond, "at the money" would be a guess
constexpr double kStraddleShare = 0.85;
constexpr double kFormMiss = 0.0005;                // of volatility at the money; SVI is but a form
constexpr double kTopDensity = 0.3989422804014327;  // n(0); S sqrt(T) n(0) is vega at the money
constexpr double kStraddleNearest = 0.02;           // a straddle farther off is not at the money

// The strikes that a fit has seen.
struct Span {
    double low{kMissing};
    double high{kMissing};
};

class SmileSetter {
  public:
    explicit SmileSetter(PricedChain& priced) : priced_(priced), chain_(*priced.chain) {}

    void run(const std::atomic<bool>* cancel) {
        spans_.resize(priced_.expiries.size());
        for (std::size_t e = 0; e < priced_.expiries.size(); ++e) {
            auto& market = priced_.expiries[e];
            if (cancel != nullptr && cancel->load(std::memory_order_relaxed)) return;
            if (std::isnan(market.forward) || !(market.years > 0)) continue;
            const double flat = flat_volatility(e);
            if (std::isnan(flat)) {
                market.problem = "no implied volatility near the money";
                continue;
            }
            set_smile(e, flat);
            market.move_1sd = priced_.spot * market.atm_volatility * std::sqrt(market.years);
            market.move_straddle = kStraddleShare * straddle(e);
        }
        check_calendars();
    }

  private:
    // The rows that are out of the money and have a volatility, by rising strike.
    template <typename Visit>
    void visit_out_of_the_money(std::size_t e, Visit visit) const {
        const auto& expiry = chain_.expiries[e];
        const double forward = priced_.expiries[e].forward;
        for (std::size_t i = expiry.put_begin; i < expiry.end && chain_.strike[i] < forward; ++i) {
            if (priced_.iv_status[i] == IvStatus::ok) visit(i);
        }
        const auto first = chain_.strike.begin() + expiry.call_begin;
        const auto last = chain_.strike.begin() + expiry.put_begin;
        auto i = static_cast<std::size_t>(std::lower_bound(first, last, forward) -
                                          chain_.strike.begin());
        for (; i < expiry.put_begin; ++i) {
            if (priced_.iv_status[i] == IvStatus::ok) visit(i);
        }
    }

    // Between the nearest out-of-the-money quotes on each side, linearly in the strike; the nearer
    // one alone where a side has none. NaN where none is near.
    [[nodiscard]] double flat_volatility(std::size_t e) const {
        const double forward = priced_.expiries[e].forward;
        const double low = forward * portable::exp(-kNearMoney);
        const double high = forward * portable::exp(kNearMoney);
        constexpr std::size_t kNoRow = ~std::size_t{0};
        std::size_t below = kNoRow;
        std::size_t above = kNoRow;
        visit_out_of_the_money(e, [&](std::size_t i) {
            const double strike = chain_.strike[i];
            if (strike < low || strike > high || !(priced_.iv[i] > 0)) return;
            if (strike < forward) {
                below = i;
            } else if (above == kNoRow) {
                above = i;
            }
        });
        if (below == kNoRow && above == kNoRow) return kMissing;
        if (below == kNoRow) return priced_.iv[above];
        if (above == kNoRow) return priced_.iv[below];
        const double share =
            (forward - chain_.strike[below]) / (chain_.strike[above] - chain_.strike[below]);
        return priced_.iv[below] + share * (priced_.iv[above] - priced_.iv[below]);
    }

    void set_smile(std::size_t e, double flat) {
        auto& market = priced_.expiries[e];
        fitter_.clear();
        auto& span = spans_[e];
        // In price, everywhere: half the spread, and what the form itself may miss.
        const double at_the_money = market.spot * std::sqrt(market.years) * kTopDensity;
        const double miss = kFormMiss * at_the_money;
        visit_out_of_the_money(e, [&](std::size_t i) {
            const double k = portable::log(chain_.strike[i] / market.forward);
            const double spread = chain_.ask[i] - chain_.bid[i];
            fitter_.add(k, priced_.iv[i], (0.5 * spread + miss) / priced_.greeks[i].vega);
            if (std::isnan(span.low)) span.low = k;
            span.high = k;
        });
        const SmileFit fit = fitter_.fit(market.years);
        auto& report = market.smile_report;
        report.status = fit.status;
        report.quotes_used = fit.quotes_used;
        report.rms_error = fit.rms_error;
        report.arbitrage_free = true;
        if (fit.status == SmileStatus::fitted || fit.status == SmileStatus::repaired) {
            market.smile = fit.smile;
            market.atm_volatility = fit.smile.volatility(0.0, market.years);
            constexpr double kWing = 0.25;
            market.skew =
                fit.smile.volatility(strike_of_delta(fit.smile, 1.0 - kWing), market.years) -
                fit.smile.volatility(strike_of_delta(fit.smile, kWing), market.years);
        } else {
            market.smile = Smile::flat(flat * flat * market.years);
            market.atm_volatility = flat;
        }
    }

    // The mid of call plus put at the strike nearest to the forward that has both.
    [[nodiscard]] double straddle(std::size_t e) const {
        const auto& expiry = chain_.expiries[e];
        const double forward = priced_.expiries[e].forward;
        const auto quoted = [&](std::size_t i) {
            return chain_.bid[i] > 0 && chain_.ask[i] >= chain_.bid[i];
        };
        double nearest = kStraddleNearest * forward;
        double value = kMissing;
        std::size_t call = expiry.call_begin;
        for (std::size_t put = expiry.put_begin; put < expiry.end; ++put) {
            const double strike = chain_.strike[put];
            while (call < expiry.put_begin && chain_.strike[call] < strike) ++call;
            const double distance = std::fabs(strike - forward);
            if (call == expiry.put_begin || chain_.strike[call] != strike || distance > nearest ||
                !quoted(call) || !quoted(put)) {
                continue;
            }
            nearest = distance;
            value = 0.5 * (chain_.bid[call] + chain_.ask[call] + chain_.bid[put] + chain_.ask[put]);
        }
        return value;
    }

    // Each smile against the one before it, where both have seen quotes.
    void check_calendars() {
        const ExpiryMarket* before = nullptr;
        Span seen;
        for (std::size_t e = 0; e < priced_.expiries.size(); ++e) {
            auto& market = priced_.expiries[e];
            if (std::isnan(market.atm_volatility)) continue;
            const Span& own = spans_[e];
            if (before != nullptr) {
                const double low = std::max(seen.low, own.low);
                const double high = std::min(seen.high, own.high);
                auto& report = market.smile_report;
                if (low <= high) {
                    report.calendar_gap = calendar_fall(before->smile, market.smile, low, high);
                }
                report.calendar_free = report.calendar_gap <= 0;
                report.atm_variance_falls = market.smile.variance(0) < before->smile.variance(0);
            }
            before = &market;
            seen = own;
        }
    }

    PricedChain& priced_;
    const Chain& chain_;
    SmileFitter fitter_;
    std::vector<Span> spans_;
};

}  // namespace

double strike_of_delta(const Smile& smile, double delta) noexcept {
    // d1(k) = -k/v + v/2 falls with k; bisection, then it is exact to a rounding.
    const double target = pricing::normal_inverse_cdf(delta);
    const auto over = [&](double k) {
        const double v = std::sqrt(smile.variance(k));
        return -k / v + 0.5 * v > target;
    };
    const double reach = 20.0 * std::sqrt(smile.variance(0.0));
    double low = -reach;
    double high = reach;
    if (!over(low) || over(high)) return kMissing;
    constexpr int kRounds = 40;
    for (int i = 0; i < kRounds; ++i) {
        const double middle = 0.5 * (low + high);
        (over(middle) ? low : high) = middle;
    }
    return 0.5 * (low + high);
}

void set_smiles(PricedChain& priced, const std::atomic<bool>* cancel) {
    SmileSetter(priced).run(cancel);
}

}  // namespace scanmq::market
