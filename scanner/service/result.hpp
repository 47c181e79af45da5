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

// Would its holder exercise a short American option early?
enum class Assignment : std::uint8_t { none, unlikely, likely };  // none: long, or European

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
    ShownGreeks greeks;        // of one contract held long
    double p_touch{kMissing};  // of a short leg: its strike before the nearer expiry
    Assignment assignment{Assignment::none};
    std::uint32_t volume{market::kNoCount};
    std::uint32_t open_interest{market::kNoCount};
};

struct Spread {
    std::string symbol;
    WallMillis as_of{};  // of its result: which day's chain it is of
    std::string strategy;
    std::vector<SpreadLeg> legs;   // by rising strike
    int stock{};                   // shares held for each share of a contract
    double stock_price{kMissing};  // what a share costs; inside net_price
    double net_price{
        kMissing};           // positive: paid (debit); negative: received (credit); without fees
    double fees{};           // of opening; inside max_profit, max_loss, breakevens, pop and ev
    double width{kMissing};  // the larger wing; NaN without one
    int dte{};
    double back_dte{kMissing};       // of the later expiry
    double max_profit{kMissing};     // infinite where unbounded; null in documents
    double max_loss{kMissing};       // positive; infinite where unbounded
    double gain{kMissing};           // G: max_profit, or the payoff at F e^(+-2v)
    double risk{kMissing};           // R: max_loss, or the margin requirement
    std::vector<double> breakevens;  // rising
    double pop{kMissing};
    double ev{kMissing};
    double p_half_at_expiry{kMissing};  // of half of G or more
    double p_max_loss{kMissing};
    double return_on_risk{kMissing};
    double return_per_day{kMissing};
    double annual_return{kMissing};
    double kelly{kMissing};         // 0 to 0.25
    double margin{kMissing};        // requirement
    double buying_power{kMissing};  // effect on it
    double breakeven_distance{kMissing};
    double move_1sd{kMissing};       // of the nearer expiry
    double move_straddle{kMissing};  // of the nearer expiry
    double skew{kMissing};           // of the nearer expiry
    double term_slope{kMissing};     // of at-the-money volatility to the next expiry, per year
    double iv_edge{kMissing};        // short legs' mean volatility less the long legs'
    double iv_hv{kMissing};          // at the money less realised
    double iv_rank{kMissing};
    double iv_percentile{kMissing};
    ShownGreeks greeks;              // signed sums over the legs
    double score{kMissing};          // NaN for an arbitrage quote
    score::Components components{};  // NaN where one does not apply
    std::string reason;              // a sentence: why the score is what it is
};

struct FilterCount {
    std::string type;
    std::uint64_t evaluated{};
    std::uint64_t removed{};
    std::uint64_t missing{};  // of the removed: those with no value to look at
    std::uint64_t pruned{};   // not looked at: they could not have been kept
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
    std::uint64_t no_value{};         // a leg of the later expiry has no volatility
    std::uint64_t unscored{};         // no component with a weight applies
    std::uint64_t ranked{};
    std::uint64_t pruned{};  // of candidates: left out since none of them could be kept
    std::uint64_t lanes_without_stock{};  // strategies with stock on what cannot be held, by expiry
    std::vector<FilterCount> filters;     // in the order of the request
};

struct Assumptions {
    double fill{};  // 0 natural, 1 mid
    double fee_per_contract{};
    std::string volatility{"smile"};    // mode
    double volatility_value{kMissing};  // of realised and user
    score::Weights weights;
    double rate{kMissing};
    bool rate_is_input{};
    std::string rate_source{
        "assumed"};  // market::RateSource; "several" of merged results that differ
    bool
        forward_is_carried{};  // some expiry's forward is the spot's: no call and put of one strike
    double spot{kMissing};
    bool spot_is_implied{};
    std::string best_per{"spread"};
    double realised_volatility{kMissing};  // from the request's history
    std::uint64_t dividends{};             // of this symbol, still to come
    std::uint64_t events{};
    std::uint64_t ticks{};             // rows of the request in place of shipped ones
    std::uint64_t margins{};           // and of margins
    std::string drift{"forward"};      // the distribution's mean is the expiry's forward
    std::string day_count{"act/365"};  // of every time in years
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
