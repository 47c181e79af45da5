#include "scanner/pricing/american.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "common/base/assert.hpp"
#include "scanner/pricing/american_kernel.hpp"
#include "scanner/pricing/american_put.hpp"
#include "scanner/pricing/finite_differences.hpp"
#include "scanner/pricing/portable_math.hpp"

namespace scanmq::pricing {
namespace detail {

Certain certain_exercise(const PutForm& put, double years) noexcept {
    const auto value = [&](double t) {
        return put.strike * portable::exp(-put.rate * t) - put.spot * portable::exp(-put.yield * t);
    };
    Certain best{std::max(value(0.0), 0.0), 0.0};
    const auto offer = [&](double t) {
        if (value(t) > best.value) best = {value(t), t};
    };
    offer(years);
    // Between the ends where r K e^(-rt) = q S e^(-qt).
    const double turn =
        portable::log(put.yield * put.spot / (put.rate * put.strike)) / (put.yield - put.rate);
    if (turn > 0.0 && turn < years) offer(turn);
    return best;
}

}  // namespace detail

namespace {

using detail::is_calm;
using detail::PutBlock;
using detail::PutForm;
using detail::PutValues;
using detail::Regime;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr Greeks kNoGreeks{kNaN, kNaN, kNaN, kNaN, kNaN, kNaN};

double intrinsic(const PutForm& put) noexcept { return std::max(put.strike - put.spot, 0.0); }

// A price that needs no boundary.
double direct_price(const BsmInputs& in, Right right, const PutForm& put, Regime regime,
                    AmericanScheme scheme) noexcept {
    switch (regime) {
        case Regime::exercise:
            return intrinsic(put);
        case Regime::deterministic:
            return detail::certain_exercise(put, in.years).value;
        case Regime::european:
            return bsm_price(in, right);
        case Regime::two_boundaries:
            return detail::difference_greeks(in, {}, right, scheme).price;
        case Regime::bad:
        case Regime::boundary:
            break;
    }
    return kNaN;
}

// Rows that wait for the kernel, and where their results go.
class Batch {
  public:
    Batch(AmericanScheme scheme, bool calm) noexcept
        : tables_(detail::american_tables(scheme, calm)) {}

    [[nodiscard]] bool full() const noexcept { return block_.size == detail::kPutBlock; }
    [[nodiscard]] std::size_t size() const noexcept { return block_.size; }

    void add(const PutForm& put, double volatility, double years) noexcept {
        detail::add_put(block_, put, volatility, years);
    }
    // Results are valid until the next row is added.
    const PutValues& run(bool with_greeks) noexcept {
        if (block_.size > 0) detail::price_puts(tables_, block_, values_, with_greeks);
        block_.size = 0;
        return values_;
    }
    [[nodiscard]] bool due(std::size_t row) const noexcept {
        return block_.log_spot[row] <= values_.boundary[row];
    }
    // Never below exercise, not by a rounding either.
    [[nodiscard]] double price(std::size_t row, const PutForm& put) const noexcept {
        const double least = intrinsic(put);
        return due(row) ? least : std::max(put.strike * values_.price[row], least);
    }

  private:
    const detail::AmericanTables& tables_;
    PutBlock block_{};
    PutValues values_{};
};

enum class Take : unsigned char { all, usual, calm };
bool takes(Take take, const BsmInputs& in) noexcept {
    return take == Take::all || (take == Take::calm) == is_calm(in);
}

// contract(i) gives row i.
template <class Contract>
void price_some(std::size_t rows, const Contract& contract, std::span<double> out, Take take,
                bool calm, AmericanScheme scheme) noexcept {
    Batch batch(scheme, calm);
    std::array<std::size_t, detail::kPutBlock> target{};
    std::array<PutForm, detail::kPutBlock> form{};
    const auto flush = [&] {
        const std::size_t size = batch.size();
        batch.run(false);
        for (std::size_t i = 0; i < size; ++i) out[target[i]] = batch.price(i, form[i]);
    };
    for (std::size_t i = 0; i < rows; ++i) {
        const AmericanContract& row = contract(i);
        if (!takes(take, row.in)) continue;
        const PutForm put = detail::put_form(row.in, row.right);
        const Regime regime = detail::put_regime(put, row.in.volatility, row.in.years);
        if (regime != Regime::boundary) {
            out[i] = direct_price(row.in, row.right, put, regime, scheme);
            continue;
        }
        target[batch.size()] = i;
        form[batch.size()] = put;
        batch.add(put, row.in.volatility, row.in.years);
        if (batch.full()) flush();
    }
    flush();
}

template <class Contract>
void price_rows(std::size_t rows, const Contract& contract, std::span<double> out,
                AmericanScheme scheme) noexcept {
    price_some(rows, contract, out, Take::usual, false, scheme);
    price_some(rows, contract, out, Take::calm, true, scheme);
}

// The differences' steps: the scheme is smooth in both, so that they may be small.
double volatility_step(const BsmInputs& in) noexcept { return 1e-3 * in.volatility; }
constexpr double kRateStep = 1e-5;

// Greeks where exercise is due now, or at a certain time.
Greeks certain_greeks(const BsmInputs& in, Right right, const PutForm& put) noexcept {
    const detail::Certain best = detail::certain_exercise(put, in.years);
    if (best.years == in.years) return bsm_greeks(in, right);
    const bool is_put = right == Right::put;
    if (best.value <= 0.0) return {};
    const double paid = portable::exp(-in.yield * best.years);
    Greeks out;
    out.price = best.value;
    out.delta = is_put ? -paid : paid;
    if (best.years > 0.0) {
        // The time moves with the spot: dt/dS = 1/(S (q - r)).
        out.gamma = std::fabs(in.yield * paid / (in.spot * (in.yield - in.rate)));
        out.rho =
            (is_put ? -1.0 : 1.0) * best.years * in.strike * portable::exp(-in.rate * best.years);
    }
    return out;
}

// From the kernel's values of P(S', K', r', q'): for calls S' = K and K' = S.
Greeks from_kernel(const BsmInputs& in, Right right, const Batch& batch, const PutValues& values,
                   std::size_t row) noexcept {
    Greeks out;
    out.price = batch.price(row, detail::put_form(in, right));
    if (batch.due(row)) {
        out.delta = right == Right::put ? -1.0 : 1.0;
        return out;
    }
    if (right == Right::put) {
        out.delta = values.delta[row];
        out.gamma = values.gamma[row] / in.strike;
    } else {
        const double ratio = in.strike / in.spot;
        out.delta = values.price[row] - ratio * values.delta[row];
        out.gamma = ratio * ratio * values.gamma[row] / in.spot;
    }
    const double diffusion = in.volatility * in.spot;
    out.theta = in.rate * out.price - (in.rate - in.yield) * in.spot * out.delta -
                0.5 * diffusion * diffusion * out.gamma;
    return out;
}

template <class Contract>
void greeks_some(std::size_t rows, const Contract& contract, std::span<Greeks> out, Take take,
                 bool calm, AmericanScheme scheme) noexcept {
    // Each contract of a chunk once with delta and gamma, then its four neighbours.
    constexpr std::size_t kChunk = detail::kPutBlock / 4;
    Batch batch(scheme, calm);
    std::array<AmericanContract, kChunk> waiting{};
    std::array<std::size_t, kChunk> target{};
    std::array<AmericanContract, 4 * kChunk> neighbours;
    std::array<double, 4 * kChunk> prices;
    const auto flush = [&] {
        const std::size_t size = batch.size();
        if (size == 0) return;
        const PutValues& values = batch.run(true);
        for (std::size_t i = 0; i < size; ++i) {
            const auto& [in, right] = waiting[i];
            out[target[i]] = from_kernel(in, right, batch, values, i);
            for (std::size_t n = 0; n < 4; ++n) neighbours[4 * i + n] = waiting[i];
            neighbours[4 * i].in.volatility += volatility_step(in);
            neighbours[4 * i + 1].in.volatility -= volatility_step(in);
            neighbours[4 * i + 2].in.rate += kRateStep;
            neighbours[4 * i + 3].in.rate -= kRateStep;
        }
        // All by one equation: a change of it is no derivative.
        price_some(
            4 * size, [&](std::size_t i) -> const AmericanContract& { return neighbours[i]; },
            std::span(prices).first(4 * size), Take::all, calm, scheme);
        for (std::size_t i = 0; i < size; ++i) {
            Greeks& greeks = out[target[i]];
            greeks.vega =
                (prices[4 * i] - prices[4 * i + 1]) / (2.0 * volatility_step(waiting[i].in));
            greeks.rho = (prices[4 * i + 2] - prices[4 * i + 3]) / (2.0 * kRateStep);
        }
    };
    for (std::size_t i = 0; i < rows; ++i) {
        const AmericanContract& row = contract(i);
        if (!takes(take, row.in)) continue;
        const PutForm put = detail::put_form(row.in, row.right);
        switch (detail::put_regime(put, row.in.volatility, row.in.years)) {
            case Regime::bad:
                out[i] = kNoGreeks;
                break;
            case Regime::exercise:
            case Regime::deterministic:
                out[i] = certain_greeks(row.in, row.right, put);
                break;
            case Regime::european:
                out[i] = bsm_greeks(row.in, row.right);
                break;
            case Regime::two_boundaries:
                out[i] = detail::difference_greeks(row.in, {}, row.right, scheme);
                break;
            case Regime::boundary:
                waiting[batch.size()] = row;
                target[batch.size()] = i;
                batch.add(put, row.in.volatility, row.in.years);
                if (batch.size() == kChunk) flush();
                break;
        }
    }
    flush();
}

template <class Contract>
void greeks_rows(std::size_t rows, const Contract& contract, std::span<Greeks> out,
                 AmericanScheme scheme) noexcept {
    greeks_some(rows, contract, out, Take::usual, false, scheme);
    greeks_some(rows, contract, out, Take::calm, true, scheme);
}

}  // namespace

double american_price(const BsmInputs& in, Right right, AmericanScheme scheme) noexcept {
    double out = kNaN;
    price_rows(
        1,
        [&](std::size_t) {
            return AmericanContract{in, right};
        },
        {&out, 1}, scheme);
    return out;
}

Greeks american_greeks(const BsmInputs& in, Right right, AmericanScheme scheme) noexcept {
    Greeks out;
    greeks_rows(
        1,
        [&](std::size_t) {
            return AmericanContract{in, right};
        },
        {&out, 1}, scheme);
    return out;
}

void american_prices(std::span<const AmericanContract> contracts, std::span<double> out,
                     AmericanScheme scheme) noexcept {
    SCANMQ_ASSERT(contracts.size() == out.size());
    price_rows(
        contracts.size(), [&](std::size_t i) -> const AmericanContract& { return contracts[i]; },
        out, scheme);
}

void american_prices(const BsmExpiry& common, std::span<const double> strike,
                     std::span<const double> volatility, std::span<const Right> right,
                     std::span<double> out, AmericanScheme scheme) noexcept {
    SCANMQ_ASSERT(strike.size() == out.size() && volatility.size() == out.size() &&
                  right.size() == out.size());
    price_rows(
        out.size(),
        [&](std::size_t i) { return contract_of(common, strike[i], volatility[i], right[i]); }, out,
        scheme);
}

void american_greeks(const BsmExpiry& common, std::span<const double> strike,
                     std::span<const double> volatility, std::span<const Right> right,
                     std::span<Greeks> out, AmericanScheme scheme) noexcept {
    SCANMQ_ASSERT(strike.size() == out.size() && volatility.size() == out.size() &&
                  right.size() == out.size());
    greeks_rows(
        out.size(),
        [&](std::size_t i) { return contract_of(common, strike[i], volatility[i], right[i]); }, out,
        scheme);
}

double exercise_boundary(const BsmInputs& in, Right right, AmericanScheme scheme) noexcept {
    const PutForm put = detail::put_form(in, right);
    const bool is_put = right == Right::put;
    switch (detail::put_regime(put, in.volatility, in.years)) {
        case Regime::bad:
        case Regime::two_boundaries:
            return kNaN;
        case Regime::exercise:
            return in.strike;
        case Regime::european:
            return is_put ? 0.0 : std::numeric_limits<double>::infinity();
        case Regime::deterministic: {
            // Now, unless what exercise pays, r K - q S, is negative there.
            const bool never = put.rate <= 0.0 && put.yield >= put.rate;
            const double ratio = never ? 0.0 : put.yield > put.rate ? put.rate / put.yield : 1.0;
            return is_put ? in.strike * ratio : in.strike / ratio;
        }
        case Regime::boundary:
            break;
    }
    Batch batch(scheme, is_calm(in));
    batch.add(put, in.volatility, in.years);
    const double ratio = portable::exp(batch.run(false).boundary[0]);
    return is_put ? in.strike * ratio : in.strike / ratio;
}

}  // namespace scanmq::pricing
