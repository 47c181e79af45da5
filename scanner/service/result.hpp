#pragma once
// ScanResult: the answer to a ScanRequest. The text form is docs/SCAN_REQUEST.md.
//
// Units:   prices per share; Greeks as shown: theta over one day, vega and rho per point (0.01).
//          NaN where a value does not exist; encoded as null.
// Threads: values.

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "common/base/time.hpp"
#include "scanner/market/chain.hpp"
#include "scanner/score/score.hpp"
#include "scanner/strategy/definition.hpp"

namespace scanmq::service {

using market::kMissing;

struct ShownGreeks {
    double delta{kMissing};
    double gamma{kMissing};
    double theta_day{kMissing};   // change of value over one day
    double vega_point{kMissing};  // per 0.01 of volatility
    double rho_point{kMissing};   // per 0.01 of rate
};

struct SpreadLeg {
    std::string root;
    market::YearMonthDay expiry{};
    market::Settlement settlement{market::Settlement::pm};
    double strike{};
    market::Right right{};
    strategy::Side side{};
    std::uint32_t ratio{1};
    double bid{kMissing};
    double ask{kMissing};
    double last{kMissing};  // of the last trade
    double fill{kMissing};  // the price the leg is assumed to trade at
    double iv{kMissing};
    ShownGreeks greeks;  // of one contract held long
    std::uint32_t volume{market::kNoCount};
    std::uint32_t open_interest{market::kNoCount};
};

struct Spread {
    std::string symbol;
    std::string strategy;
    std::vector<SpreadLeg> legs;  // by rising strike
    double net_price{
        kMissing};  // positive: paid (debit); negative: received (credit); without fees
    double fees{};  // of opening; inside max_profit, max_loss, breakevens, pop and ev
    double width{kMissing};
    int dte{};
    double max_profit{kMissing};
    double max_loss{kMissing};       // positive
    std::vector<double> breakevens;  // rising
    double pop{kMissing};
    double ev{kMissing};
    ShownGreeks greeks;              // signed sums over the legs
    double score{kMissing};          // NaN for an arbitrage quote
    score::Components components{};  // NaN where one does not apply
};

struct FilterCount {
    std::string type;
    std::uint64_t evaluated{};
    std::uint64_t removed{};
    std::uint64_t missing{};  // of the removed: those with no value to look at
};

// A leg is a contract on one side; a candidate is a spread within the width bounds.
struct Counts {
    std::uint64_t contracts{};
    std::uint64_t contracts_not_tradable{};  // expired or past their last trade
    std::uint64_t contracts_unpriced{};      // of an expiry without a forward or a volatility
    std::uint64_t legs{};                    // quoted on the side wanted
    std::uint64_t legs_unquoted{};           // no bid to sell at or no ask to buy at
    std::uint64_t legs_crossed{};            // bid above ask
    std::uint64_t candidates{};
    std::uint64_t arbitrage_quote{};  // credit >= width or debit <= 0
    std::uint64_t no_risk{};          // R <= 0
    std::uint64_t no_profit{};        // G under one tick
    std::uint64_t unscored{};         // no component with a weight applies
    std::uint64_t ranked{};
    std::vector<FilterCount> filters;  // in the order of the request
};

struct Assumptions {
    double fill{};  // 0 natural, 1 mid
    double fee_per_contract{};
    std::string volatility{"flat"};
    score::Weights weights;
    double rate{kMissing};
    bool rate_is_input{};
    double spot{kMissing};
    bool spot_is_implied{};
    bool american_as_european{};
};

struct ScanSource {
    std::string symbol;
    WallMillis as_of{};
    std::string snapshot;
};

struct ScanResult {
    std::string symbol;  // empty for a merged result of several symbols
    WallMillis as_of{};
    std::string snapshot;  // content id of the chain in hexadecimal; set by the caller
    std::string engine;    // kEngineVersion of the engine that made it
    Assumptions assumptions;
    Counts counts;
    std::vector<Spread> spreads;      // best first
    std::vector<Spread> arbitrage;    // listed apart, in order of contract, at most `limit`
    std::vector<ScanSource> sources;  // of a merged result: what it was merged from
};

}  // namespace scanmq::service
