#include "scanner/service/vector_search.hpp"

#include <algorithm>

#include "scanner/service/considered.hpp"

namespace scanmq::service {
namespace {

using filter::SpreadMetric;
using search::Metric;
using search::MetricTest;

// How vectors judge a filter; nothing where they cannot. Divisions and products as plain_metric() and
// payoff_metric() have them.
std::optional<MetricTest> test_of(const filter::SpreadFilter& filter, double days) {
    MetricTest test{.metric = Metric::risk,
                    .per = std::nullopt,
                    .divisor = 1.0,
                    .factor = 1.0,
                    .absolute = filter.absolute,
                    .bounds = filter.bounds};
    switch (filter.metric) {
        case SpreadMetric::theta:
            test.metric = Metric::day_theta;
            return test;
        case SpreadMetric::vega:
            test.metric = Metric::vega;
            test.factor = kPoint;
            return test;
        case SpreadMetric::net_delta:
            test.metric = Metric::delta;
            return test;
        case SpreadMetric::net_price:
            test.metric = Metric::net_price;
            return test;
        case SpreadMetric::max_risk:
            return test;
        case SpreadMetric::risk_reward:
            test.metric = Metric::gain;
            test.per = Metric::risk;
            return test;
        case SpreadMetric::credit_width:
            test.metric = Metric::net_price;
            test.per = Metric::width;
            test.factor = -1.0;
            return test;
        case SpreadMetric::return_per_day:
            test.metric = Metric::gain;
            test.per = Metric::risk;
            test.divisor = days;
            return test;
        case SpreadMetric::annual_return:
            test.metric = Metric::gain;
            test.per = Metric::risk;
            test.divisor = days;
            test.factor = 365.0;
            return test;
        case SpreadMetric::pop:
            test.metric = Metric::pop;
            return test;
        case SpreadMetric::ev:
            test.metric = Metric::ev;
            return test;
        case SpreadMetric::ev_risk:
            test.metric = Metric::ev;
            test.per = Metric::risk;
            return test;
        default:
            return std::nullopt;
    }
}

bool per_day(SpreadMetric metric) noexcept {
    return metric == SpreadMetric::return_per_day || metric == SpreadMetric::annual_return;
}

bool is_one_plain_leg(const strategy::Strategy& strategy, std::size_t rank) noexcept {
    const auto here = [rank](const strategy::LegSpec& leg) { return leg.rank == rank; };
    return std::ranges::count_if(strategy.legs, here) == 1 &&
           std::ranges::find_if(strategy.legs, here)->ratio == 1;
}

class KeepBest final : public search::Sink {
  public:
    KeepBest(const std::vector<Lane>& lanes, SearchState& state, const MetricsObserver* metrics)
        : lanes_(lanes), state_(state), metrics_(metrics) {}

    [[nodiscard]] double floor() const noexcept override {
        return state_.best.full() ? state_.best.threshold() : search::kNoFloor;
    }
    void offer(std::uint32_t lane, const search::Place& place) override {
        const auto candidate = score_candidate(lanes_[lane], state_, place);
        if (candidate) state_.best.offer(*candidate);
    }
    void arbitrage(std::uint32_t lane, const search::Place& place) override {
        const Levels levels;
        const Sums sum;
        const Considered c{state_.chain, lanes_[lane], levels, sum, place};
        Candidate candidate = candidate_at(c, 0.0);
        candidate.risk = 0.0;
        state_.arbitrage.offer(candidate);
    }
    void figures(std::uint32_t lane, const search::Block& block,
                 const search::MoreFigures& more) override {
        (*metrics_)(lanes_[lane], block, more);
    }

  private:
    const std::vector<Lane>& lanes_;
    SearchState& state_;
    const MetricsObserver* metrics_;
};

}  // namespace

VectorSearch::VectorSearch(const market::PricedChain& chain, const ScanRequest& request,
                           const ScanPlan& plan, const MetricsObserver* metrics)
    : plan_(plan),
      metrics_(metrics),
      prune_(!request.exact_count && metrics == nullptr),
      metric_book_(chain) {
    for (const filter::SpreadFilter& filter : plan.filters.spreads) {
        // Days differ between lanes, tests do not.
        filters_in_vectors_ =
            filters_in_vectors_ && test_of(filter, 1.0) && !per_day(filter.metric);
    }
}

bool VectorSearch::takes(const Lane& lane) const noexcept {
    return filters_in_vectors_ && !lane.between && !lane.exercise_pays && lane.shares == 0.0 &&
           lane.rank_count() >= 2 && lane.shape.first_slope == 0.0 && lane.shape.last_slope == 0.0;
}

const search::Columns& VectorSearch::columns_of(const strategy::LegColumns& legs) {
    const auto known = known_.find(&legs);
    if (known != known_.end()) return *known->second;
    search::Columns& out = columns_.emplace_back();
    out.resize(legs.size());
    out.set(search::Column::strike, legs.strike);
    out.set(search::Column::price, legs.price);
    out.set(search::Column::delta, legs.delta);
    out.set(search::Column::day_theta, legs.day_theta);
    out.set(search::Column::vega, legs.vega);
    out.set(search::Column::quoted_spread, legs.quoted_spread);
    out.set(search::Column::leg_liquidity, legs.liquidity);
    out.set(search::Column::below, legs.below);
    out.set(search::Column::expected, legs.expected);
    out.set(search::Column::model_value, legs.model);
    out.set(search::Column::abs_vega, legs.abs_vega);
    out.seal();
    known_.emplace(&legs, &out);
    return out;
}

void VectorSearch::add(const Lane& lane) {
    Lane& kept = lanes_.emplace_back(lane);
    search::Lane searched;
    for (std::size_t r = 0; r < kept.rank_count(); ++r) {
        // What was put together for this lane is gone with the next one.
        if (!is_one_plain_leg(*kept.definition, r)) {
            kept.ranks[r] = &own_legs_.emplace_back(*kept.ranks[r]);
        }
        searched.rank[r] = &columns_of(*kept.ranks[r]);
    }
    searched.shape = kept.shape;
    searched.gaps = kept.gaps;
    searched.fees = kept.fees;
    searched.ticks = kept.ticks;
    searched.scale = kept.scale;
    searched.delta = kept.delta;
    searched.vega = kept.vega;
    searched.weights = plan_.weights;
    searched.iv_rank = kept.iv_rank;
    searched.distribution = *kept.distribution;
    if (metrics_ != nullptr) searched.metrics = &metric_book_.of(kept);
    searched_.push_back(searched);
}

bool VectorSearch::run(SearchState& state, std::atomic<std::uint64_t>* steps) {
    std::vector<MetricTest> tests;
    for (const filter::SpreadFilter& filter : plan_.filters.spreads) {
        if (const auto test = test_of(filter, 1.0)) tests.push_back(*test);
    }
    KeepBest sink(lanes_, state, metrics_);
    search::Totals totals;
    const search::Options options{
        .prune = prune_, .tests = tests, .cancel = state.cancel, .lanes_done = steps};
    const bool all = search::run(searched_, options, sink, totals);
    count(totals, state.counts);
    return all;
}

void VectorSearch::count(const search::Totals& totals, Counts& counts) const {
    counts.candidates += totals.candidates;
    counts.arbitrage_quote += totals.arbitrage_quote;
    counts.no_risk += totals.no_risk;
    counts.no_profit += totals.no_profit;
    counts.unscored += totals.unscored;
    counts.ranked += totals.ranked;
    counts.pruned += totals.pruned();
    for (std::size_t t = 0; t < totals.tests.size(); ++t) {
        FilterCount& filter = counts.filters[plan_.filters.spreads[t].spec];
        filter.evaluated += totals.tests[t].evaluated;
        filter.removed += totals.tests[t].removed;
        filter.missing += totals.tests[t].missing;
        filter.pruned += totals.pruned();
    }
}

}  // namespace scanmq::service
