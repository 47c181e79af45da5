#include "scanner/pricing/cash_dividends.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "common/base/assert.hpp"
#include "scanner/pricing/american_put.hpp"
#include "scanner/pricing/dividend_schedule.hpp"
#include "scanner/pricing/finite_differences.hpp"
#include "scanner/pricing/portable_math.hpp"

namespace scanmq::pricing {
namespace {

using detail::DividendSchedule;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr Greeks kNoGreeks{kNaN, kNaN, kNaN, kNaN, kNaN, kNaN};
constexpr double kRateStep = 1e-4;
constexpr double kVolatilityStep = 1e-2;  // of the volatility

double sign_of(Right right) noexcept { return right == Right::put ? 1.0 : -1.0; }

// On X instead of the spot.
BsmInputs escrowed(const BsmInputs& in, const DividendSchedule& schedule) noexcept {
    BsmInputs out = in;
    out.spot = schedule.usable ? in.spot - schedule.present_value(in.rate) : kNaN;
    return out;
}

bool usable(const BsmInputs& on_x) noexcept {
    return put_regime(detail::put_form(on_x, Right::put), on_x.volatility, on_x.years) !=
           detail::Regime::bad;
}

// No time or no volatility: the best exercise when X grows at r - q for certain, its time and delta.
Greeks certain(const BsmInputs& on_x, const DividendSchedule& schedule, Right right) noexcept {
    const double sign = sign_of(right);
    Greeks best;
    const auto offer = [&](double t, double unpaid) {
        const double given = portable::exp(-on_x.yield * t);
        const double value =
            sign * (on_x.strike * portable::exp(-on_x.rate * t) - on_x.spot * given - unpaid);
        if (value <= best.price) return;
        best = {};
        best.price = value;
        best.delta = -sign * given;
    };
    const double turn = portable::log(on_x.yield * on_x.spot / (on_x.rate * on_x.strike)) /
                        (on_x.yield - on_x.rate);
    double unpaid = 0.0;
    double end = on_x.years;
    const auto interval = [&](double begin) {
        offer(begin, unpaid);
        offer(end, unpaid);
        if (turn > begin && turn < end) offer(turn, unpaid);
        end = begin;
    };
    for (const CashDividend& row : schedule.inside()) {
        interval(row.years);
        unpaid += row.amount * portable::exp(-on_x.rate * row.years);
    }
    interval(0.0);
    return best;
}

Greeks european_on_x(const BsmInputs& on_x, double spot, Right right) noexcept {
    Greeks out = bsm_greeks(on_x, right);
    // At a fixed spot X falls as the dividends' present value grows.
    out.theta -= on_x.rate * (spot - on_x.spot) * out.delta;
    return out;
}

struct Row {
    BsmInputs on_x;
    double spot{};
    Right right{};
};

// Price, delta, gamma and theta of up to a block of rows that share time and dividends.
class Differences {
  public:
    Differences(const DividendSchedule& schedule, double years, AmericanScheme scheme) noexcept
        : schedule_(schedule), scheme_(scheme) {
        block_.years = years;
        block_.dividends = schedule.inside();
        block_.european_control = schedule.size == 0;
    }
    [[nodiscard]] std::size_t size() const noexcept { return block_.size; }
    [[nodiscard]] bool full() const noexcept { return block_.size == detail::kDifferenceBlock; }

    void add(const Row& row) noexcept {
        const std::size_t i = block_.size++;
        rows_[i] = row;
        block_.spot[i] = row.on_x.spot;
        block_.strike[i] = row.on_x.strike;
        block_.rate[i] = row.on_x.rate;
        block_.yield[i] = row.on_x.yield;
        block_.volatility[i] = row.on_x.volatility;
        block_.sign[i] = sign_of(row.right);
        contracts_[i] = {row.on_x, row.right};
    }
    void run() noexcept {
        const std::size_t size = block_.size;
        if (size == 0) return;
        const auto [coarse, fine] = detail::difference_grids(scheme_);
        detail::difference_values(coarse, block_, coarse_);
        detail::difference_values(fine, block_, fine_);
        block_.size = 0;
        if (block_.european_control) return;
        american_prices(std::span(contracts_).first(size), std::span(controls_).first(size),
                        scheme_);
    }
    // Of the rows added before the last run; the Greeks only if asked for.
    [[nodiscard]] Greeks result(std::size_t i, bool with_greeks) const noexcept {
        const Row& row = rows_[i];
        const BsmInputs& in = row.on_x;
        const double exercise = sign_of(row.right) * (in.strike - row.spot);
        Greeks out;
        if (fine_.american[1][i] <= exercise * (1.0 + 1e-13) && exercise > 0.0) {
            out.price = exercise;
            out.delta = -sign_of(row.right);
            return out;
        }
        const double european = bsm_price(in, row.right);
        const double control = block_.european_control ? european : controls_[i];
        const double least = std::max(european, certain(in, schedule_, row.right).price);
        out.price = std::max({control + difference(i).value, least, exercise});
        if (!with_greeks) return out;
        const Greeks exact = block_.european_control ? bsm_greeks(in, row.right)
                                                     : american_greeks(in, row.right, scheme_);
        const Difference rest = difference(i);
        out.delta = exact.delta + rest.slope / in.spot;
        out.gamma = std::max(exact.gamma + (rest.bend - rest.slope) / (in.spot * in.spot), 0.0);
        // At a fixed spot X falls as the dividends' present value grows.
        const double diffusion = in.volatility * in.spot;
        out.theta = in.rate * (out.price - row.spot * out.delta) + in.yield * in.spot * out.delta -
                    0.5 * diffusion * diffusion * out.gamma;
        return out;
    }

  private:
    // Option less control and its derivatives by ln X, the two grids extrapolated (Richardson).
    struct Difference {
        double value{};
        double slope{};
        double bend{};
    };
    static Difference on_grid(const detail::DifferenceValues& values, std::size_t i) noexcept {
        const auto at = [&](std::size_t n) { return values.american[n][i] - values.control[n][i]; };
        const double step = values.step[i];
        return {at(1), (at(2) - at(0)) / (2.0 * step),
                (at(2) - 2.0 * at(1) + at(0)) / (step * step)};
    }
    [[nodiscard]] Difference difference(std::size_t i) const noexcept {
        const Difference coarse = on_grid(coarse_, i);
        const Difference fine = on_grid(fine_, i);
        const auto limit = [](double from, double to) { return to + (to - from) / 3.0; };
        return {limit(coarse.value, fine.value), limit(coarse.slope, fine.slope),
                limit(coarse.bend, fine.bend)};
    }

    const DividendSchedule& schedule_;
    AmericanScheme scheme_;
    detail::DifferenceBlock block_{};
    detail::DifferenceValues coarse_{};
    detail::DifferenceValues fine_{};
    std::array<Row, detail::kDifferenceBlock> rows_{};
    std::array<AmericanContract, detail::kDifferenceBlock> contracts_{};
    std::array<double, detail::kDifferenceBlock> controls_{};
};

template <class Contract>
void price_rows(std::size_t count, const DividendSchedule& schedule, double years,
                const Contract& contract, std::span<double> out, AmericanScheme scheme) noexcept {
    Differences differences(schedule, years, scheme);
    std::array<std::size_t, detail::kDifferenceBlock> target{};
    const auto flush = [&] {
        const std::size_t size = differences.size();
        differences.run();
        for (std::size_t i = 0; i < size; ++i) out[target[i]] = differences.result(i, false).price;
    };
    for (std::size_t i = 0; i < count; ++i) {
        const AmericanContract row = contract(i);
        const BsmInputs on_x = escrowed(row.in, schedule);
        if (!usable(on_x)) {
            out[i] = kNaN;
            continue;
        }
        if (on_x.volatility * std::sqrt(years) < detail::kDeviationMin) {
            out[i] = certain(on_x, schedule, row.right).price;
            continue;
        }
        target[differences.size()] = i;
        differences.add({on_x, row.in.spot, row.right});
        if (differences.full()) flush();
    }
    flush();
}

template <class Contract>
void greeks_rows(std::size_t count, const DividendSchedule& schedule, double years,
                 const Contract& contract, std::span<Greeks> out, AmericanScheme scheme) noexcept {
    // Each contract and its four neighbours in volatility and rate.
    constexpr std::size_t kChunk = detail::kDifferenceBlock / 5;
    Differences differences(schedule, years, scheme);
    std::array<std::size_t, kChunk> target{};
    std::array<double, kChunk> step{};
    std::size_t waiting = 0;
    const auto flush = [&] {
        differences.run();
        for (std::size_t i = 0; i < waiting; ++i) {
            const auto price = [&](std::size_t n) {
                return differences.result(5 * i + n, false).price;
            };
            Greeks& greeks = out[target[i]];
            greeks = differences.result(5 * i, true);
            greeks.vega = (price(1) - price(2)) / (2.0 * step[i]);
            greeks.rho = (price(3) - price(4)) / (2.0 * kRateStep);
        }
        waiting = 0;
    };
    for (std::size_t i = 0; i < count; ++i) {
        const AmericanContract row = contract(i);
        const BsmInputs on_x = escrowed(row.in, schedule);
        if (!usable(on_x)) {
            out[i] = kNoGreeks;
            continue;
        }
        if (on_x.volatility * std::sqrt(years) < detail::kDeviationMin) {
            out[i] = certain(on_x, schedule, row.right);
            continue;
        }
        target[waiting] = i;
        step[waiting] = kVolatilityStep * on_x.volatility;
        differences.add({on_x, row.in.spot, row.right});
        for (const double change : {step[waiting], -step[waiting]}) {
            BsmInputs moved = on_x;
            moved.volatility += change;
            differences.add({moved, row.in.spot, row.right});
        }
        for (const double change : {kRateStep, -kRateStep}) {
            BsmInputs moved = row.in;
            moved.rate += change;
            differences.add({escrowed(moved, schedule), row.in.spot, row.right});
        }
        if (++waiting == kChunk) flush();
    }
    flush();
}

}  // namespace

detail::DifferenceGrids detail::difference_grids(AmericanScheme scheme) noexcept {
    if (scheme == AmericanScheme::fast) return {{100, 64, 4.5, 2.0}, {200, 64, 4.5, 2.0}};
    return {{240, 240, 5.5, 2.0}, {480, 240, 5.5, 2.0}};
}

Greeks detail::difference_greeks(const BsmInputs& in, std::span<const CashDividend> dividends,
                                 Right right, AmericanScheme scheme) noexcept {
    const DividendSchedule schedule(dividends, in.years);
    Greeks out;
    greeks_rows(
        1, schedule, in.years,
        [&](std::size_t) {
            return AmericanContract{in, right};
        },
        {&out, 1}, scheme);
    return out;
}

double escrowed_spot(const BsmExpiry& common, std::span<const CashDividend> dividends) noexcept {
    const BsmInputs in = contract_of(common, 1.0, 1.0, Right::call).in;
    const double x = escrowed(in, DividendSchedule(dividends, common.years)).spot;
    return x > 0.0 ? x : kNaN;
}

Greeks european_greeks(const BsmInputs& in, std::span<const CashDividend> dividends,
                       Right right) noexcept {
    const DividendSchedule schedule(dividends, in.years);
    const BsmInputs on_x = escrowed(in, schedule);
    if (!usable(on_x)) return kNoGreeks;
    Greeks out = european_on_x(on_x, in.spot, right);
    for (const CashDividend& row : schedule.inside()) {
        out.rho += out.delta * row.years * row.amount * portable::exp(-in.rate * row.years);
    }
    return out;
}

double american_price(const BsmInputs& in, std::span<const CashDividend> dividends, Right right,
                      AmericanScheme scheme) noexcept {
    const DividendSchedule schedule(dividends, in.years);
    if (schedule.usable && schedule.size == 0) return american_price(in, right, scheme);
    double out = kNaN;
    price_rows(
        1, schedule, in.years,
        [&](std::size_t) {
            return AmericanContract{in, right};
        },
        {&out, 1}, scheme);
    return out;
}

Greeks american_greeks(const BsmInputs& in, std::span<const CashDividend> dividends, Right right,
                       AmericanScheme scheme) noexcept {
    const DividendSchedule schedule(dividends, in.years);
    if (schedule.usable && schedule.size == 0) return american_greeks(in, right, scheme);
    return detail::difference_greeks(in, dividends, right, scheme);
}

void american_prices(const BsmExpiry& common, std::span<const CashDividend> dividends,
                     std::span<const double> strike, std::span<const double> volatility,
                     std::span<const Right> right, std::span<double> out,
                     AmericanScheme scheme) noexcept {
    const DividendSchedule schedule(dividends, common.years);
    if (schedule.usable && schedule.size == 0) {
        american_prices(common, strike, volatility, right, out, scheme);
        return;
    }
    SCANMQ_ASSERT(strike.size() == out.size() && volatility.size() == out.size() &&
                  right.size() == out.size());
    price_rows(
        out.size(), schedule, common.years,
        [&](std::size_t i) { return contract_of(common, strike[i], volatility[i], right[i]); }, out,
        scheme);
}

void american_greeks(const BsmExpiry& common, std::span<const CashDividend> dividends,
                     std::span<const double> strike, std::span<const double> volatility,
                     std::span<const Right> right, std::span<Greeks> out,
                     AmericanScheme scheme) noexcept {
    const DividendSchedule schedule(dividends, common.years);
    if (schedule.usable && schedule.size == 0) {
        american_greeks(common, strike, volatility, right, out, scheme);
        return;
    }
    SCANMQ_ASSERT(strike.size() == out.size() && volatility.size() == out.size() &&
                  right.size() == out.size());
    greeks_rows(
        out.size(), schedule, common.years,
        [&](std::size_t i) { return contract_of(common, strike[i], volatility[i], right[i]); }, out,
        scheme);
}

}  // namespace scanmq::pricing
