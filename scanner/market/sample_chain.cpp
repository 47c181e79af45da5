#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "common/base/rng.hpp"
#include "scanner/market/calendar.hpp"
#include "scanner/market/chain_builder.hpp"
#include "scanner/market/sample_market.hpp"
#include "scanner/pricing/black.hpp"

namespace scanmq::market {

namespace {

// A Friday's expiry, moved to the session before where the exchange is closed.
YearMonthDay listed_date(YearMonthDay friday) {
    return is_session(friday) ? friday : previous_session(friday);
}

YearMonthDay third_friday(YearMonthDay today, int months_ahead) {
    const int month0 = today / 100 % 100 - 1 + months_ahead;
    const YearMonthDay first = make_date(today / 10000 + month0 / 12, month0 % 12 + 1, 1);
    return add_days(first, (5 - weekday(first) + 7) % 7 + 14);
}

// Weekly expiries for half of them (four at most), then monthlies at growing distances.
std::vector<YearMonthDay> expiry_dates(YearMonthDay today, std::size_t count) {
    constexpr std::array kMonthsAhead{2, 3, 4, 6, 9, 12, 15, 18, 24, 27, 30, 36};
    static_assert(kMonthsAhead.size() >= kSampleExpiriesMax);
    const std::size_t weeklies = std::min<std::size_t>((count + 1) / 2, 4);
    std::vector<YearMonthDay> dates;
    YearMonthDay friday = add_days(today, (5 - weekday(today) + 6) % 7 + 1);
    for (; dates.size() < weeklies; friday = add_days(friday, 7)) {
        const auto date = listed_date(friday);
        if (date > today) dates.push_back(date);
    }
    for (std::size_t i = 0; dates.size() < count; ++i) {
        dates.push_back(listed_date(third_friday(today, kMonthsAhead[i])));
    }
    return dates;
}

// Strikes from about 4.5 deviations below to 3.5 above the forward, on the finest customary step
// that keeps to the limit.
std::vector<double> strikes_around(const SampleSurface& surface, double years,
                                   std::size_t strikes_max) {
    constexpr std::array kSteps{0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0};
    const double deviation = std::max(std::sqrt(surface.atm_total_variance(years)), 0.01);
    const double forward = surface.forward(years);
    const double low = forward * std::exp(-4.5 * deviation);
    const double high = forward * std::exp(3.5 * deviation);
    double step = kSteps.back();
    for (const double candidate : kSteps) {
        if ((high - low) / candidate + 1 <= static_cast<double>(strikes_max)) {
            step = candidate;
            break;
        }
    }
    std::vector<double> strikes;
    for (double n = std::max(1.0, std::ceil(low / step)); n * step <= high; ++n) {
        strikes.push_back(n * step);
    }
    return strikes;
}

class ChainMaker {
  public:
    ChainMaker(const SampleMarketOptions& options, std::size_t index)
        : surface_(sample_surface(options, index)),
          // Apart from the surface's own numbers, so that neither shifts the other.
          rng_((options.seed ^ 0x5851f42d4c957f2dULL) * 0x9e3779b97f4a7c15ULL + index) {
        head_.symbol = surface_.symbol;
        head_.source = "sample";
        head_.as_of = options.as_of;
        head_.as_of_date = new_york_date(options.as_of);
        head_.spot = surface_.spot;
        // Quotes are worth what European exercise is worth, so that is what they are declared as.
        head_.style = ExerciseStyle::european;
    }

    Chain make(std::size_t expiries, std::size_t strikes_max) {
        for (const auto date : expiry_dates(head_.as_of_date, expiries))
            add_expiry(date, strikes_max);
        std::uint64_t duplicates = 0;
        return builder_.finish(std::move(head_), duplicates);
    }

  private:
    void add_expiry(YearMonthDay date, std::size_t strikes_max) {
        constexpr double kMillisPerYear = 365.0 * static_cast<double>(kMillisPerDay);
        const auto moment = new_york_moment(date, close_minute(date));
        const double years = static_cast<double>(moment - head_.as_of) / kMillisPerYear;
        const double forward = surface_.forward(years);
        const double deviation = std::sqrt(surface_.atm_total_variance(years));
        const auto expiry = builder_.expiry(surface_.symbol, date, Settlement::pm);
        for (const double strike : strikes_around(surface_, years, strikes_max)) {
            const double moneyness = std::log(strike / forward);
            const double volatility = surface_.volatility(moneyness, years);
            // Interest fades with the distance from the money and from today; round strikes draw it.
            const double distance = moneyness / deviation;
            const double appeal = std::exp(-0.35 * distance * distance) / (1.0 + 2.0 * years) *
                                  (std::fmod(strike, 10.0) == 0.0 ? 2.0 : 1.0);
            for (const auto right : {Right::call, Right::put}) {
                ChainBuilder::Row row;
                row.strike = strike;
                row.right = right;
                row.expiry = expiry;
                const auto greeks = pricing::bsm_greeks(
                    {surface_.spot, strike, surface_.rate, surface_.yield, years, volatility},
                    right);
                set_quote(row, greeks.price);
                row.vendor_iv = std::round(volatility * 1e4) / 1e4;
                row.vendor_delta = std::round(greeks.delta * 1e4) / 1e4;
                const bool in_the_money = (strike < forward) == (right == Right::call);
                set_activity(row, in_the_money ? 0.3 * appeal : appeal);
                builder_.add(row);
            }
        }
    }

    [[nodiscard]] double tick_at(double price) const noexcept {
        return price < 3.0 || surface_.penny_ticks ? 0.01 : 0.05;
    }

    // Rounding outwards, and a half spread that rises slower than the value, keep bids and asks
    // monotone in the strike as the values are.
    void set_quote(ChainBuilder::Row& row, double value) const {
        const double half = surface_.half_spread_base + surface_.half_spread_slope * value;
        constexpr double kTiny = 1e-9;  // a price on a tick stays there
        const double bid = std::max(0.0, value - half);
        const double ask = value + half;
        row.bid = to_cents(std::floor(bid / tick_at(bid) + kTiny) * tick_at(bid));
        row.ask = to_cents(std::max(1.0, std::ceil(ask / tick_at(ask) - kTiny)) * tick_at(ask));
    }

    static double to_cents(double price) { return std::round(price * 100.0) / 100.0; }

    void set_activity(ChainBuilder::Row& row, double appeal) {
        const double interest = surface_.activity * appeal * std::exp(0.7 * rng_.normal());
        const double traded = 0.25 * interest * std::exp(0.9 * rng_.normal());
        row.open_interest = static_cast<std::uint32_t>(std::min(interest, 4e6));
        row.volume = row.ask > 0 ? static_cast<std::uint32_t>(std::min(traded, 4e6)) : 0;
        if (row.volume > 0) {
            const double price = row.bid + rng_.uniform() * (row.ask - row.bid);
            const double tick = tick_at(price);
            row.last = to_cents(std::max(tick, std::round(price / tick) * tick));
        }
    }

    SampleSurface surface_;
    Rng rng_;
    Chain head_;
    ChainBuilder builder_;
};

}  // namespace

Chain sample_chain(const SampleMarketOptions& options, std::size_t index) {
    return ChainMaker(options, index)
        .make(std::clamp<std::size_t>(options.expiries, 1, kSampleExpiriesMax),
              std::clamp<std::size_t>(options.strikes_max, 5, kSampleStrikesMax));
}

}  // namespace scanmq::market
