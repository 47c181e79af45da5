// iv/...: implied volatilities per second on one core. Items are inversions.

#include <benchmark/benchmark.h>

#include <cmath>
#include <random>
#include <vector>

#include "scanner/pricing/black.hpp"
#include "scanner/pricing/implied_volatility.hpp"

namespace {

using scanmq::market::Right;
using namespace scanmq::pricing;

struct Quote {
    double price;
    double forward;
    double strike;
    double years;
    double discount;
    Right right;
};

Quote quote(double forward, double strike, double years, double volatility, Right right) {
    const double discount = std::exp(-0.04 * years);
    const double price = black_price({.forward = forward,
                                      .strike = strike,
                                      .volatility = volatility,
                                      .years = years,
                                      .discount = discount},
                                     right);
    return {price, forward, strike, years, discount, right};
}

// |ln(K/F)| <= 3 and 0 < v <= 3, uniform; out of the money, price no subnormal.
std::vector<Quote> wide_mix() {
    std::mt19937_64 random(1);
    std::uniform_real_distribution<double> moneyness(-3.0, 3.0);
    std::uniform_real_distribution<double> deviation(0.0, 3.0);
    std::vector<Quote> quotes;
    while (quotes.size() < 8192) {
        const double x = moneyness(random);
        const double v = deviation(random);
        const Quote made =
            quote(100.0, 100.0 * std::exp(x), 1.0, v, x > 0.0 ? Right::call : Right::put);
        if (made.price > 1e-300) quotes.push_back(made);
    }
    return quotes;
}

// An index chain in file order: expiries from a day to two years, strikes by 5 from half to one and
// a half times the forward, both rights, a skewed smile; the quotes that are worth at least a cent.
std::vector<Quote> chain_mix() {
    std::vector<Quote> quotes;
    const double forward = 4500.0;
    for (const int days : {1, 2, 5, 9, 16, 30, 44, 72, 100, 191, 282, 464, 730}) {
        const double years = days / 365.0;
        for (const Right right : {Right::call, Right::put}) {
            for (double strike = 2250.0; strike <= 6750.0; strike += 5.0) {
                const double x = std::log(strike / forward);
                const double z = x / std::sqrt(years + 0.05);
                const double volatility = 0.16 - 0.08 * z + 0.06 * z * z;
                const Quote made = quote(forward, strike, years, volatility, right);
                const double intrinsic =
                    made.discount * (right == Right::call ? forward - strike : strike - forward);
                if (made.price > std::fmax(intrinsic, 0.0) + 0.01) quotes.push_back(made);
            }
        }
    }
    return quotes;
}

void invert(benchmark::State& state, const std::vector<Quote>& quotes) {
    for (auto _ : state) {
        double sum = 0.0;
        for (const Quote& q : quotes) {
            sum += implied_volatility(q.price, q.forward, q.strike, q.years, q.discount, q.right)
                       .volatility;
        }
        benchmark::DoNotOptimize(sum);
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(quotes.size()));
}

// The same quotes as columns.
struct Columns {
    explicit Columns(const std::vector<Quote>& quotes)
        : volatility(quotes.size()), status(quotes.size()) {
        for (const Quote& q : quotes) {
            price.push_back(q.price);
            forward.push_back(q.forward);
            strike.push_back(q.strike);
            years.push_back(q.years);
            discount.push_back(q.discount);
            right.push_back(q.right);
        }
    }
    std::vector<double> price, forward, strike, years, discount;
    std::vector<Right> right;
    std::vector<double> volatility;
    std::vector<IvStatus> status;
};

void invert_columns(benchmark::State& state, const std::vector<Quote>& quotes) {
    Columns c(quotes);
    for (auto _ : state) {
        implied_volatility(IvColumns{c.price, c.forward, c.strike, c.years, c.discount, c.right},
                           c.volatility, c.status);
        benchmark::DoNotOptimize(c.volatility.data());
        benchmark::ClobberMemory();
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(quotes.size()));
}

void wide_columns(benchmark::State& state) { invert_columns(state, wide_mix()); }
void chain_columns(benchmark::State& state) { invert_columns(state, chain_mix()); }
BENCHMARK(wide_columns)->Name("iv/wide_mix_columns");
BENCHMARK(chain_columns)->Name("iv/chain_mix_columns");

void wide(benchmark::State& state) { invert(state, wide_mix()); }
void chain(benchmark::State& state) { invert(state, chain_mix()); }
BENCHMARK(wide)->Name("iv/wide_mix");
BENCHMARK(chain)->Name("iv/chain_mix");

}  // namespace
