#pragma once
// Priced chains for tests and benchmarks, built by hand or from a seed, without files or a curve
// fit.

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "common/base/rng.hpp"
#include "scanner/market/priced_chain.hpp"
#include "scanner/pricing/black.hpp"

namespace scanmq::testing {

using market::Right;

class PricedChainBuilder {
  public:
    struct Terms {
        std::string root;
        market::YearMonthDay date{20260116};
        int dte{30};
        double forward{100.0};
        double rate{0.04};
        double atm_volatility{0.20};
        bool tradable{true};
        market::Settlement settlement{market::Settlement::pm};
    };
    struct Quote {
        Right right{};
        double strike{};
        double bid{};
        double ask{};
        double iv{market::kMissing};  // NaN: no implied volatility and no Greeks
        std::uint32_t volume{market::kNoCount};
        std::uint32_t open_interest{market::kNoCount};
    };

    explicit PricedChainBuilder(std::string symbol) { chain_->symbol = std::move(symbol); }

    PricedChainBuilder& expiry(const Terms& terms) {
        market::ExpiryMarket market;
        market.years = terms.dte / 365.0;
        market.dte = terms.dte;
        market.rate = terms.rate;
        market.discount = std::exp(-terms.rate * market.years);
        market.forward = terms.forward;
        market.spot = terms.forward * market.discount;
        market.has_own_spot = true;
        market.atm_volatility = terms.atm_volatility;
        market.tradable = terms.tradable;
        priced_.expiries.push_back(market);
        market::Expiry expiry;
        expiry.root = terms.root;
        expiry.date = terms.date;
        expiry.settlement = terms.settlement;
        chain_->expiries.push_back(expiry);
        quotes_.emplace_back();
        return *this;
    }
    // Into the expiry that was added last; any order.
    PricedChainBuilder& quote(const Quote& quote) {
        quotes_.back().push_back(quote);
        return *this;
    }

    [[nodiscard]] market::PricedChain build() {
        for (std::size_t e = 0; e < quotes_.size(); ++e) add_expiry(e);
        priced_.spot = priced_.expiries.empty() ? market::kMissing : priced_.expiries.front().spot;
        priced_.chain = std::move(chain_);
        return std::move(priced_);
    }

  private:
    void add_expiry(std::size_t e) {
        auto& quotes = quotes_[e];
        std::stable_sort(quotes.begin(), quotes.end(), [](const Quote& a, const Quote& b) {
            return a.right != b.right ? a.right < b.right : a.strike < b.strike;
        });
        market::Expiry& expiry = chain_->expiries[e];
        expiry.call_begin = static_cast<std::uint32_t>(chain_->strike.size());
        expiry.put_begin = expiry.call_begin;
        for (const Quote& quote : quotes) {
            if (quote.right == Right::call) ++expiry.put_begin;
            add_contract(e, quote);
        }
        expiry.end = static_cast<std::uint32_t>(chain_->strike.size());
    }
    void add_contract(std::size_t e, const Quote& quote) {
        const market::ExpiryMarket& market = priced_.expiries[e];
        chain_->strike.push_back(quote.strike);
        chain_->bid.push_back(quote.bid);
        chain_->ask.push_back(quote.ask);
        chain_->last.push_back(market::kMissing);
        chain_->vendor_iv.push_back(market::kMissing);
        chain_->vendor_delta.push_back(market::kMissing);
        chain_->volume.push_back(quote.volume);
        chain_->open_interest.push_back(quote.open_interest);
        chain_->expiry.push_back(static_cast<std::uint16_t>(e));
        chain_->right.push_back(quote.right);
        const bool has_iv = quote.iv > 0.0;
        priced_.iv.push_back(quote.iv);
        priced_.iv_status.push_back(has_iv ? pricing::IvStatus::ok
                                           : pricing::IvStatus::below_intrinsic);
        constexpr double kNone = market::kMissing;
        priced_.greeks.push_back(has_iv
                                     ? pricing::bsm_greeks({.spot = market.spot,
                                                            .strike = quote.strike,
                                                            .rate = market.rate,
                                                            .yield = 0.0,
                                                            .years = market.years,
                                                            .volatility = quote.iv},
                                                           quote.right)
                                     : pricing::Greeks{kNone, kNone, kNone, kNone, kNone, kNone});
    }

    std::shared_ptr<market::Chain> chain_ = std::make_shared<market::Chain>();
    market::PricedChain priced_;
    std::vector<std::vector<PricedChainBuilder::Quote>> quotes_;
};

struct RandomChainOptions {
    std::string symbol{"RND"};
    int expiries{3};
    int strikes{12};  // of each expiry
    double forward{100.0};
    double strike_step{2.5};
    double noise{0.02};  // relative, of quotes around the model
};

// A chain with skew, ticks, zero bids, a few crossed and unquoted contracts and missing counts.
// Small integers for sizes and coarse ticks, so that equal scores occur.
inline market::PricedChain random_chain(Rng& rng, const RandomChainOptions& options) {
    PricedChainBuilder builder(options.symbol);
    for (int e = 0; e < options.expiries; ++e) {
        const int dte = 1 + 7 * e + static_cast<int>(rng.below(6));
        const double forward = options.forward * (1.0 + 0.001 * e);
        const double atm = 0.15 + 0.15 * rng.uniform();
        builder.expiry({.root = e % 3 == 2 ? "RNDW" : "RND",
                        .date = 20260101 + 7 * e,
                        .dte = dte,
                        .forward = forward,
                        .atm_volatility = atm,
                        .tradable = rng.below(8) != 0});
        const double years = dte / 365.0;
        const double discount = std::exp(-0.04 * years);
        for (int k = 0; k < options.strikes; ++k) {
            const double strike = options.forward + (k - options.strikes / 2) * options.strike_step;
            const double iv = std::max(0.05, atm - 0.3 * std::log(strike / forward));
            for (const Right right : {Right::call, Right::put}) {
                const double value = pricing::black_price({.forward = forward,
                                                           .strike = strike,
                                                           .volatility = iv,
                                                           .years = years,
                                                           .discount = discount},
                                                          right) *
                                     (1.0 + options.noise * (rng.uniform() - 0.5));
                const double half = 0.02 + 0.02 * value;
                PricedChainBuilder::Quote quote{right, strike};
                quote.bid = std::floor(std::max(0.0, value - half) * 20.0) / 20.0;
                quote.ask = std::ceil((value + half) * 20.0) / 20.0;
                if (rng.below(40) == 0) std::swap(quote.bid, quote.ask);
                if (rng.below(40) == 0) quote.ask = market::kMissing;
                quote.iv = rng.below(20) == 0 ? market::kMissing : iv;
                quote.volume = rng.below(10) == 0 ? market::kNoCount
                                                  : static_cast<std::uint32_t>(rng.below(4) * 100);
                quote.open_interest = static_cast<std::uint32_t>(rng.below(4) * 500);
                builder.quote(quote);
            }
        }
    }
    return builder.build();
}

}  // namespace scanmq::testing
