#include "scanner/service/engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "scanner/score/top_k.hpp"
#include "scanner/service/candidate_order.hpp"
#include "scanner/service/candidates.hpp"
#include "scanner/strategy/generator.hpp"

namespace scanmq::service {
namespace {

constexpr double kPoint = 0.01;           // vega is filtered as it is shown
constexpr double kPriceTolerance = 1e-9;  // prices are decimals: closer than this is equal
constexpr double kScoreSlack = 1e-9;      // rounding in an upper bound of a score

using Best = score::TopK<Candidate, CandidateOrder>;

// What stays the same for all candidates of one strategy and one expiry.
struct Lane {
    std::uint32_t expiry{};
    std::uint16_t strategy{};
    const strategy::Strategy* definition{};
    strategy::PayoffShape shape;
    std::array<const RankList*, strategy::kMaxRanks> lists{};
    strategy::TickRule ticks;
    double fees{};
    score::Scale scale;
    strategy::Stance delta{};
    strategy::Stance vega{};
};

class Scan {
  public:
    Scan(const market::PricedChain& chain, const ScanRequest& request, const ScanPlan& plan,
         Counts& counts, const std::atomic<bool>* cancel, std::atomic<std::uint64_t>* steps)
        : chain_(chain),
          request_(request),
          plan_(plan),
          counts_(counts),
          cancel_(cancel),
          steps_(steps),
          legs_(chain, request, plan),
          best_(request.limit, CandidateOrder(chain, plan)),
          arbitrage_(request.limit, CandidateOrder(chain, plan)) {}

    // False when cancelled.
    bool run() {
        for (std::uint32_t e = 0; e < chain_.expiries.size(); ++e) {
            const std::uint64_t before = done_;
            if (!scan_expiry(e)) return false;
            step(plan_.strategies.size() - (done_ - before));  // those it left out
        }
        return true;
    }

    [[nodiscard]] bool cancelled() const noexcept {
        return cancel_ != nullptr && cancel_->load(std::memory_order_relaxed);
    }

    std::vector<Spread> best() { return spreads(best_.take()); }
    std::vector<Spread> arbitrage() { return spreads(arbitrage_.take()); }

  private:
    void step(std::uint64_t n) noexcept {
        done_ += n;
        if (steps_ != nullptr) steps_->fetch_add(n, std::memory_order_relaxed);
    }

    bool scan_expiry(std::uint32_t index) {
        if (cancelled()) return false;
        const market::ExpiryMarket& expiry = chain_.expiries[index];
        const market::Expiry& contracts = chain_.chain->expiries[index];
        const std::uint64_t size = contracts.end - contracts.call_begin;
        counts_.contracts += size;
        if (!expiry.tradable) {
            counts_.contracts_not_tradable += size;
            return true;
        }
        const auto& dte = plan_.filters.dte;
        if (dte && !dte->bounds.contains(expiry.dte)) {
            legs_.count_removed_by_dte(index, counts_);
            return true;
        }
        if (!(expiry.forward > 0.0 && expiry.atm_volatility > 0.0 && expiry.years > 0.0)) {
            counts_.contracts_unpriced += size;
            return true;
        }
        const strategy::Distribution distribution(
            expiry.forward,
            market::Smile::flat(expiry.atm_volatility * expiry.atm_volatility * expiry.years));
        const std::uint64_t before = counts_.legs;
        legs_.load(index, distribution, counts_);
        if (dte) counts_.filters[dte->spec].evaluated += counts_.legs - before;
        for (std::size_t s = 0; s < plan_.strategies.size(); ++s) {
            if (!scan_lane(make_lane(index, s), distribution)) return false;
            step(1);
        }
        return true;
    }

    Lane make_lane(std::uint32_t expiry, std::size_t strategy) {
        const market::ExpiryMarket& market = chain_.expiries[expiry];
        Lane lane;
        lane.expiry = expiry;
        lane.strategy = static_cast<std::uint16_t>(strategy);
        lane.definition = plan_.strategies[strategy];
        lane.shape = strategy::payoff_shape(*lane.definition);
        for (std::size_t r = 0; r < lane.shape.ranks; ++r) {
            lane.lists[r] = &legs_.rank(*lane.definition, r, scratch_[r]);
        }
        lane.ticks = strategy::tick_rule(chain_.chain->expiries[expiry].root);
        lane.fees =
            opening_fees(*lane.definition, request_.fee_per_contract, chain_.chain->multiplier);
        lane.scale = score::scale_of(market.forward, market.atm_volatility, market.years);
        lane.delta = request_.delta_stance.value_or(lane.definition->delta);
        lane.vega = request_.vega_stance.value_or(lane.definition->vega);
        return lane;
    }

    bool scan_lane(const Lane& lane, const strategy::Distribution& distribution) {
        const auto& width = plan_.filters.width;
        strategy::WidthBounds bounds;
        if (width) bounds = {std::max(width->bounds.min, 0.0), width->bounds.max};
        std::array<strategy::StrikeList, strategy::kMaxRanks> strikes;
        for (std::size_t r = 0; r < lane.shape.ranks; ++r) strikes[r] = lane.lists[r]->strikes;
        strategy::Generator generator({strikes.data(), lane.shape.ranks}, bounds);
        const std::uint64_t before = counts_.candidates;
        strategy::Generator::Run run;
        bool stopped = false;
        while (!stopped && generator.next(run)) {
            if (lane.shape.ranks == 2) {
                scan_run<2>(lane, run, distribution);
            } else {
                scan_run<0>(lane, run, distribution);
            }
            stopped = cancelled();
        }
        if (width) {
            FilterCount& count = counts_.filters[width->spec];
            count.removed += generator.out_of_bounds();
            count.evaluated += generator.out_of_bounds() + counts_.candidates - before;
        }
        return !stopped;
    }

    // Strikes and P(S_T < strike) of a candidate, by rank.
    struct Levels {
        std::array<double, strategy::kMaxRanks> strike{};
        std::array<double, strategy::kMaxRanks> below{};
    };
    // What a candidate's ranks add up to.
    struct Sums {
        double price{};
        double delta{};
        double day_theta{};
        double vega{};
        double quoted_spread{};
        double leg_liquidity{std::numeric_limits<double>::infinity()};
        double width{};  // the larger distance between neighbouring ranks

        [[nodiscard]] Sums with(const RankTerms& terms, double distance) const noexcept {
            return {price + terms.price,
                    delta + terms.delta,
                    day_theta + terms.day_theta,
                    vega + terms.vega,
                    quoted_spread + terms.quoted_spread,
                    std::min(leg_liquidity, terms.leg_liquidity),
                    std::max(width, distance)};
        }
    };

    // Ranks: of the strategy, where that is worth a loop compiled for it, else 0.
    template <std::size_t Ranks>
    void scan_run(const Lane& lane, const strategy::Generator::Run& run,
                  const strategy::Distribution& distribution) {
        strategy::PayoffShape shape = lane.shape;
        if constexpr (Ranks > 0) shape.ranks = Ranks;
        const std::size_t last = shape.ranks - 1;
        Levels levels;
        Sums prefix;
        for (std::size_t r = 0; r < last; ++r) {
            const RankTerms& terms = lane.lists[r]->terms[run.prefix[r]];
            levels.strike[r] = terms.strike;
            levels.below[r] = terms.below;
            prefix = prefix.with(terms, r > 0 ? terms.strike - levels.strike[r - 1] : 0.0);
        }
        counts_.candidates += run.end - run.begin;
        const double* before = last > 0 ? &levels.strike[last - 1] : nullptr;
        for (std::uint32_t i = run.begin; i < run.end; ++i) {
            const RankTerms& terms = lane.lists[last]->terms[i];
            levels.strike[last] = terms.strike;
            levels.below[last] = terms.below;
            const double distance = before != nullptr ? terms.strike - *before : 0.0;
            consider(lane, shape, levels, prefix.with(terms, distance), run, i, distribution);
        }
    }

    [[gnu::always_inline]] inline void consider(const Lane& lane,
                                                const strategy::PayoffShape& shape,
                                                const Levels& levels, const Sums& sum,
                                                const strategy::Generator::Run& run,
                                                std::uint32_t last,
                                                const strategy::Distribution& distribution) {
        const strategy::Payoff payoff(shape, levels.strike.data(), sum.price + lane.fees);
        score::Inputs in;
        in.gain = payoff.max_profit();
        in.risk = payoff.max_loss();
        // Nothing to lose before fees: credit >= width, or debit <= 0.
        if (in.risk - lane.fees <= kPriceTolerance) {
            ++counts_.arbitrage_quote;
            arbitrage_.offer(candidate(lane, run, last, 0.0, 0.0));
            return;
        }
        if (!(in.risk > 0.0)) {
            ++counts_.no_risk;
            return;
        }
        if (!(in.gain >= lane.ticks.tick(in.gain) - kPriceTolerance)) {
            ++counts_.no_profit;
            return;
        }
        const auto& filters = plan_.filters;
        if (filters.theta && !passes(*filters.theta, sum.day_theta)) return;
        if (filters.vega && !passes(*filters.vega, kPoint * sum.vega)) return;
        in.leg_liquidity = sum.leg_liquidity;
        in.quoted_spread = sum.quoted_spread;
        in.fees = lane.fees;
        in.delta = sum.delta;
        in.day_theta = sum.day_theta;
        in.vega = sum.vega;
        in.width = sum.width;
        // The score rises with POP, and POP costs a logarithm: try a bound first.
        in.pop = payoff.profit_probability_bound(levels.below.data());
        score::Components parts = score::components(in, lane.scale, lane.delta, lane.vega);
        const double at_most = score::weighted(parts, plan_.weights);
        const bool hopeless = best_.full() && at_most < best_.worst().score - kScoreSlack;
        if (hopeless && !filters.pop) {
            ++counts_.ranked;
            return;
        }
        in.pop = payoff.profit_probability(distribution, levels.below.data());
        if (filters.pop && !passes(*filters.pop, in.pop)) return;
        parts[static_cast<std::size_t>(score::Component::probability)] =
            score::probability_component(in.pop);
        const double score = score::weighted(parts, plan_.weights);
        if (std::isnan(score)) {
            ++counts_.unscored;
            return;
        }
        ++counts_.ranked;
        if (!hopeless) best_.offer(candidate(lane, run, last, score, in.risk));
    }

    bool passes(const filter::RangeFilter& filter, double value) {
        FilterCount& count = counts_.filters[filter.spec];
        ++count.evaluated;
        const filter::Verdict verdict = filter::check(filter.bounds, value);
        if (verdict == filter::Verdict::pass) return true;
        ++count.removed;
        if (verdict == filter::Verdict::missing) ++count.missing;
        return false;
    }

    static Candidate candidate(const Lane& lane, const strategy::Generator::Run& run,
                               std::uint32_t last, double score, double risk) {
        Candidate out{.score = score,
                      .risk = risk,
                      .expiry = lane.expiry,
                      .strategy = lane.strategy,
                      .row = {}};
        std::size_t within = 0;
        for (std::size_t i = 0; i < lane.definition->legs.size(); ++i) {
            const std::size_t rank = lane.definition->legs[i].rank;
            within = i > 0 && lane.definition->legs[i - 1].rank == rank ? within + 1 : 0;
            const std::uint32_t at = rank + 1 == lane.shape.ranks ? last : run.prefix[rank];
            out.row[i] = lane.lists[rank]->terms[at].row[within];
        }
        return out;
    }

    std::vector<Spread> spreads(const std::vector<Candidate>& candidates) const {
        std::vector<Spread> out;
        out.reserve(candidates.size());
        for (const Candidate& each : candidates) {
            if (cancelled()) break;
            out.push_back(build_spread(chain_, request_, plan_, each));
        }
        return out;
    }

    const market::PricedChain& chain_;
    const ScanRequest& request_;
    const ScanPlan& plan_;
    Counts& counts_;
    const std::atomic<bool>* cancel_;
    std::atomic<std::uint64_t>* steps_;
    std::uint64_t done_ = 0;  // steps
    ExpiryLegs legs_;
    Best best_;
    Best arbitrage_;
    std::array<RankList, strategy::kMaxRanks> scratch_;
};

}  // namespace

Result<ScanResult, Error> scan(const market::PricedChain& chain, const ScanRequest& request,
                               const std::atomic<bool>* cancel, std::atomic<std::uint64_t>* steps) {
    const auto plan = make_plan(request);
    if (!plan) return fail(plan.error());
    if (!request.symbol.empty() && request.symbol != chain.chain->symbol) {
        return fail(Error{ErrorCode::symbol_mismatch,
                          fmt::format("the request is for {}, the chain is of {}", request.symbol,
                                      chain.chain->symbol)});
    }
    ScanResult result;
    result.symbol = chain.chain->symbol;
    result.as_of = request.as_of.value_or(chain.chain->as_of);
    result.engine = kEngineVersion;
    result.assumptions = {.fill = request.fill.toward_mid,
                          .fee_per_contract = request.fee_per_contract,
                          .volatility = "flat",
                          .weights = plan->weights,
                          .rate = chain.rate,
                          .rate_is_input = chain.rate_is_input,
                          .spot = chain.spot,
                          .spot_is_implied = chain.spot_is_implied,
                          .american_as_european = chain.american_as_european};
    for (const filter::FilterSpec& spec : request.filters) {
        result.counts.filters.push_back({.type = spec.type});
    }
    Scan run(chain, request, *plan, result.counts, cancel, steps);
    if (run.run()) {
        result.spreads = run.best();
        result.arbitrage = run.arbitrage();
    }
    if (run.cancelled()) return fail(Error{ErrorCode::cancelled, "the scan was cancelled"});
    return result;
}

std::uint64_t scan_steps(const market::Chain& chain, const ScanRequest& request) {
    const auto plan = make_plan(request);
    return plan ? chain.expiries.size() * plan->strategies.size() : 0;
}

}  // namespace scanmq::service
