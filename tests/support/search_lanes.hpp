#pragma once
// Lanes of scanner/search out of priced chains, for tests and benchmarks; and a sink that keeps the best.

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "scanner/market/contract_values.hpp"
#include "scanner/market/priced_chain.hpp"
#include "scanner/score/top_k.hpp"
#include "scanner/search/reference.hpp"
#include "scanner/search/search.hpp"
#include "scanner/strategy/legs.hpp"

namespace scanmq::testing {

using strategy::LegSpec;
using strategy::Side;

// Columns of these rows, sealed. Precondition: strikes rise strictly.
inline void fill(search::Columns& out, const std::vector<search::RankTerms>& rows) {
    using search::Column;
    using search::RankTerms;
    static constexpr std::pair<Column, double RankTerms::*> kFigures[] = {
        {Column::strike, &RankTerms::strike},
        {Column::price, &RankTerms::price},
        {Column::delta, &RankTerms::delta},
        {Column::day_theta, &RankTerms::day_theta},
        {Column::vega, &RankTerms::vega},
        {Column::quoted_spread, &RankTerms::quoted_spread},
        {Column::leg_liquidity, &RankTerms::leg_liquidity},
        {Column::below, &RankTerms::below},
        {Column::expected, &RankTerms::expected},
        {Column::model_value, &RankTerms::model_value},
        {Column::abs_vega, &RankTerms::abs_vega},
    };
    static_assert(std::size(kFigures) == search::kColumns);
    out.resize(rows.size());
    std::vector<double> values(rows.size());
    for (const auto& [column, figure] : kFigures) {
        for (std::size_t i = 0; i < rows.size(); ++i) values[i] = rows[i].*figure;
        out.set(column, values);
    }
    out.seal();
}

// Strategies by their legs, whether or not the engine lists them.
inline constexpr LegSpec kBullPutLegs[] = {{market::Right::put, Side::long_leg, 1, 0},
                                           {market::Right::put, Side::short_leg, 1, 1}};
inline constexpr LegSpec kBearPutLegs[] = {{market::Right::put, Side::short_leg, 1, 0},
                                           {market::Right::put, Side::long_leg, 1, 1}};
inline constexpr LegSpec kBullCallLegs[] = {{market::Right::call, Side::long_leg, 1, 0},
                                            {market::Right::call, Side::short_leg, 1, 1}};
inline constexpr LegSpec kBearCallLegs[] = {{market::Right::call, Side::short_leg, 1, 0},
                                            {market::Right::call, Side::long_leg, 1, 1}};
inline constexpr LegSpec kIronCondorLegs[] = {{market::Right::put, Side::long_leg, 1, 0},
                                              {market::Right::put, Side::short_leg, 1, 1},
                                              {market::Right::call, Side::short_leg, 1, 2},
                                              {market::Right::call, Side::long_leg, 1, 3}};
inline constexpr LegSpec kReverseIronCondorLegs[] = {{market::Right::put, Side::short_leg, 1, 0},
                                                     {market::Right::put, Side::long_leg, 1, 1},
                                                     {market::Right::call, Side::long_leg, 1, 2},
                                                     {market::Right::call, Side::short_leg, 1, 3}};
inline constexpr LegSpec kCallCondorLegs[] = {{market::Right::call, Side::long_leg, 1, 0},
                                              {market::Right::call, Side::short_leg, 1, 1},
                                              {market::Right::call, Side::short_leg, 1, 2},
                                              {market::Right::call, Side::long_leg, 1, 3}};
inline constexpr LegSpec kPutCondorLegs[] = {{market::Right::put, Side::long_leg, 1, 0},
                                             {market::Right::put, Side::short_leg, 1, 1},
                                             {market::Right::put, Side::short_leg, 1, 2},
                                             {market::Right::put, Side::long_leg, 1, 3}};
inline constexpr LegSpec kIronButterflyLegs[] = {{market::Right::put, Side::long_leg, 1, 0},
                                                 {market::Right::call, Side::short_leg, 1, 1},
                                                 {market::Right::put, Side::short_leg, 1, 1},
                                                 {market::Right::call, Side::long_leg, 1, 2}};
inline constexpr LegSpec kCallButterflyLegs[] = {{market::Right::call, Side::long_leg, 1, 0},
                                                 {market::Right::call, Side::short_leg, 2, 1},
                                                 {market::Right::call, Side::long_leg, 1, 2}};

struct LaneOptions {
    strategy::GapList gaps{strategy::every_gap({})};
    strategy::Fill fill{strategy::kNaturalFill};
    double fee_per_contract{strategy::kDefaultFeePerContract};
    score::Weights weights{*score::preset("balanced")};
    score::Stance delta{score::Stance::neutral};
    score::Stance vega{score::Stance::neutral};
    double iv_rank{market::kMissing};
    int dte_max{100'000};
    bool all_bids{};  // long legs need a bid, too
};
// Wings of a condor up to `width`, the body of any size.
inline LaneOptions condor_options(double width) {
    LaneOptions out;
    out.gaps = {strategy::GapBounds{{0.0, width}, strategy::Gap::wing},
                strategy::GapBounds{{}, strategy::Gap::inner},
                strategy::GapBounds{{0.0, width}, strategy::Gap::wing}};
    out.vega = score::Stance::short_stance;
    return out;
}

// Owns what its lanes point at.
class LaneSet {
  public:
    void add(const market::PricedChain& priced, std::span<const LegSpec> legs,
             const LaneOptions& options) {
        for (std::uint32_t e = 0; e < priced.expiries.size(); ++e) {
            const market::ExpiryMarket& expiry = priced.expiries[e];
            if (!expiry.tradable || expiry.dte > options.dte_max) continue;
            if (!(expiry.forward > 0.0 && expiry.atm_volatility > 0.0)) continue;
            add_lane(priced, e, legs, options);
        }
    }
    [[nodiscard]] std::span<search::Lane> lanes() { return lanes_; }
    [[nodiscard]] std::span<const search::Lane> lanes() const { return lanes_; }
    // To change what a lane says.
    [[nodiscard]] search::Columns& new_columns() {
        columns_.push_back(std::make_unique<search::Columns>());
        return *columns_.back();
    }

  private:
    void add_lane(const market::PricedChain& priced, std::uint32_t e, std::span<const LegSpec> legs,
                  const LaneOptions& options) {
        const market::ExpiryMarket& expiry = priced.expiries[e];
        const strategy::Strategy definition{"test", legs};
        search::Lane lane;
        lane.shape = strategy::payoff_shape(definition);
        lane.gaps = options.gaps;
        double contracts = 0.0;
        for (const LegSpec& leg : legs) contracts += leg.ratio;
        lane.fees = contracts * options.fee_per_contract / priced.chain->multiplier;
        lane.ticks = strategy::tick_rule(priced.chain->expiries[e].root);
        lane.scale = score::scale_of(expiry.forward, expiry.atm_volatility, expiry.years);
        lane.delta = options.delta;
        lane.vega = options.vega;
        lane.weights = options.weights;
        lane.iv_rank = options.iv_rank;
        market::Smile smile = expiry.smile;
        if (!(smile.variance(0.0) > 0.0)) {  // chains built by hand have none
            smile =
                market::Smile::flat(expiry.atm_volatility * expiry.atm_volatility * expiry.years);
        }
        lane.distribution = strategy::Distribution(expiry.forward, smile);
        for (std::size_t r = 0; r < lane.shape.ranks; ++r) {
            search::Columns& columns = new_columns();
            fill(columns, rank_terms(priced, e, legs, r, options, lane));
            lane.rank[r] = &columns;
        }
        lanes_.push_back(lane);
    }

    static std::vector<search::RankTerms> rank_terms(const market::PricedChain& priced,
                                                     std::uint32_t e, std::span<const LegSpec> legs,
                                                     std::size_t rank, const LaneOptions& options,
                                                     const search::Lane& lane) {
        std::vector<search::RankTerms> out;
        std::vector<const LegSpec*> here;
        for (const LegSpec& leg : legs) {
            if (leg.rank == rank) here.push_back(&leg);
        }
        const market::Expiry& contracts = priced.chain->expiries[e];
        const auto rows = [&](const LegSpec& leg) {
            return leg.right == market::Right::call
                       ? std::pair(contracts.call_begin, contracts.put_begin)
                       : std::pair(contracts.put_begin, contracts.end);
        };
        const auto [begin, end] = rows(*here[0]);
        for (std::uint32_t row = begin; row < end; ++row) {
            search::RankTerms sum;
            sum.strike = priced.chain->strike[row];
            sum.leg_liquidity = std::numeric_limits<double>::infinity();
            bool usable = true;
            for (const LegSpec* leg : here) {
                const auto [from, to] = rows(*leg);
                std::uint32_t at = from;
                while (at < to && priced.chain->strike[at] != sum.strike) ++at;
                usable = usable && at < to && add_leg(priced, e, at, *leg, options, lane, sum);
            }
            if (usable) out.push_back(sum);
        }
        return out;
    }

    static bool add_leg(const market::PricedChain& priced, std::uint32_t e, std::uint32_t row,
                        const LegSpec& leg, const LaneOptions& options, const search::Lane& lane,
                        search::RankTerms& sum) {
        const market::Chain& chain = *priced.chain;
        const double bid = chain.bid[row];
        const double ask = chain.ask[row];
        if (!strategy::tradable_sides(bid, ask).on(leg.side)) return false;
        if (options.all_bids && !(bid > 0.0)) return false;
        const strategy::TickRule ticks = strategy::tick_rule(chain.expiries[e].root);
        const double quantity = strategy::sign(leg.side) * leg.ratio;
        const pricing::Greeks& greeks = priced.greeks[row];
        const strategy::Distribution& d = lane.distribution;
        const double strike = chain.strike[row];
        const double below = d.below(strike);
        const double put = strike * below - d.mean_below(strike);
        const double value = leg.right == market::Right::put ? put : put + d.forward() - strike;
        sum.price += quantity * (leg.side == Side::long_leg
                                     ? strategy::buy_price(bid, ask, options.fill, ticks)
                                     : strategy::sell_price(bid, ask, options.fill, ticks));
        sum.delta += quantity * greeks.delta;
        sum.vega += quantity * greeks.vega;
        sum.abs_vega += leg.ratio * std::fabs(greeks.vega);
        sum.day_theta += quantity * market::contract_values(priced, e, row).day_theta;
        sum.quoted_spread += leg.ratio * strategy::quoted_spread(bid, ask);
        sum.leg_liquidity =
            std::min(sum.leg_liquidity,
                     score::leg_liquidity(bid, ask, chain.volume[row], chain.open_interest[row]));
        sum.below = below;
        sum.expected += quantity * value;
        sum.model_value += quantity * priced.expiries[e].discount * value;
        return true;
    }

    std::vector<std::unique_ptr<search::Columns>> columns_;
    std::vector<search::Lane> lanes_;
};

// The k best by (score, smaller risk, lane, strikes), each scored on the scalar path.
class BestSink final : public search::Sink {
  public:
    struct Found {
        double score{};
        double risk{};
        std::uint32_t lane{};
        search::Place place{};

        friend bool operator==(const Found&, const Found&) = default;
    };
    struct Order {
        bool operator()(const Found& a, const Found& b) const {
            return std::tuple(-a.score, a.risk, a.lane, a.place) <
                   std::tuple(-b.score, b.risk, b.lane, b.place);
        }
    };
    using Top = score::TopK<Found, Order>;

    BestSink(std::span<const search::Lane> lanes, std::size_t k)
        : lanes_(lanes), best_(k, Order{}), arbitrage_(k, Order{}) {}

    [[nodiscard]] double floor() const noexcept override {
        return best_.full() ? best_.worst().score : search::kNoFloor;
    }
    void offer(std::uint32_t lane, const search::Place& place) override {
        ++offers_;
        const search::Evaluated e = search::evaluate(lanes_[lane], place);
        if (e.gate == search::Gate::ranked) best_.offer({e.score, e.inputs.risk, lane, place});
    }
    void arbitrage(std::uint32_t lane, const search::Place& place) override {
        arbitrage_.offer({0.0, 0.0, lane, place});
    }
    [[nodiscard]] std::vector<Found> best() { return best_.take(); }
    [[nodiscard]] std::vector<Found> arbitrages() { return arbitrage_.take(); }
    [[nodiscard]] std::uint64_t offers() const noexcept { return offers_; }

  private:
    std::span<const search::Lane> lanes_;
    Top best_;
    Top arbitrage_;
    std::uint64_t offers_ = 0;
};

}  // namespace scanmq::testing
