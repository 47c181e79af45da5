// The reference search of a lane: every candidate on the scalar path.

#include <cmath>
#include <optional>

#include "scanner/service/considered.hpp"

namespace scanmq::service {
namespace {

using filter::SpreadMetric;

enum class Verdict : std::uint8_t {
    arbitrage_quote,
    no_risk,
    no_profit,
    no_value,  // a leg cannot be repriced
    filtered,
    unscored,
    hopeless,  // ranks below the k-th whatever its probability is
    ranked,
};
struct Outcome {
    Verdict verdict{};
    double score{kMissing};
};

// Counts what filters see; a null sink counts nothing.
bool passes(const filter::SpreadFilter& filter, double value, Counts* counts) {
    if (filter.absolute) value = std::fabs(value);
    const filter::Verdict verdict = filter::check(filter.bounds, value);
    if (counts != nullptr) {
        FilterCount& count = counts->filters[filter.spec];
        ++count.evaluated;
        if (verdict != filter::Verdict::pass) ++count.removed;
        if (verdict == filter::Verdict::missing) ++count.missing;
    }
    return verdict == filter::Verdict::pass;
}

template <class Pay>
Outcome judge(Considered& c, const Pay& payoff, const SearchState& state, Counts* counts) {
    const Lane& lane = c.lane;
    take_extremes(c, payoff);
    // Nothing to lose before fees: credit >= width, or debit <= 0.
    if (c.max_loss - lane.fees <= kPriceTolerance) return {Verdict::arbitrage_quote};
    if (!(c.risk > 0.0)) return {Verdict::no_risk};
    if (!(c.gain >= lane.ticks.tick(c.gain) - kPriceTolerance)) return {Verdict::no_profit};
    const auto& filters = state.plan.filters.spreads;
    std::size_t next = 0;
    for (; next < filters.size() && filters[next].metric < SpreadMetric::breakeven_distance;
         ++next) {
        if (!passes(filters[next], plain_metric(filters[next].metric, c), counts)) {
            return {Verdict::filtered};
        }
    }
    score::Inputs in = score_inputs(c);
    score::Components parts;
    if (next == filters.size() && state.prune && state.best.full()) {
        // The score rises with POP, and POP costs a logarithm: try a bound first.
        in.pop = pop_bound(payoff, c.levels);
        parts = score::components(in, lane.scale, lane.delta, lane.vega);
        const double at_most = score::weighted(parts, state.plan.weights);
        if (at_most < state.best.threshold() - kScoreSlack) return {Verdict::hopeless};
    }
    for (; next < filters.size(); ++next) {
        if (!passes(filters[next], payoff_metric(filters[next].metric, c, payoff), counts)) {
            return {Verdict::filtered};
        }
    }
    in.pop = pop_of(payoff, lane, c.levels);
    parts = score::components(in, lane.scale, lane.delta, lane.vega);
    const double score = score::weighted(parts, state.plan.weights);
    if (std::isnan(score)) return {Verdict::unscored};
    return {Verdict::ranked, score};
}

// `later` is asked for candidates of two expiries only; null does for the others.
Outcome judge(Considered& c, LaterLegs* later, const SearchState& state, Counts* counts) {
    const Lane& lane = c.lane;
    if (lane.exercise_pays && exercise_pays(c)) return {Verdict::arbitrage_quote};
    const double cost = c.sum.price + lane.stock + lane.fees;
    if (!lane.between) {
        const strategy::Payoff payoff(lane.shape, c.levels.strike.data(), cost);
        return judge(c, payoff, state, counts);
    }
    std::array<strategy::BackLeg, strategy::kMaxLegs> back{};
    std::size_t count = 0;
    if (!back_legs(c, *later, back, count)) return {Verdict::no_value};
    const strategy::TwoExpiryPayoff payoff(lane.shape, c.levels.strike.data(), {back.data(), count},
                                           *lane.between, *lane.distribution, cost);
    return judge(c, payoff, state, counts);
}

void settle(const Outcome& outcome, const Considered& c, SearchState& state) {
    Counts& counts = state.counts;
    switch (outcome.verdict) {
        case Verdict::arbitrage_quote: {
            ++counts.arbitrage_quote;
            Candidate candidate = candidate_at(c, 0.0);
            candidate.risk = 0.0;
            return state.arbitrage.offer(candidate);
        }
        case Verdict::no_risk:
            ++counts.no_risk;
            return;
        case Verdict::no_profit:
            ++counts.no_profit;
            return;
        case Verdict::no_value:
            ++counts.no_value;
            return;
        case Verdict::filtered:
            return;
        case Verdict::unscored:
            ++counts.unscored;
            return;
        case Verdict::hopeless:
            ++counts.ranked;
            return;
        case Verdict::ranked:
            ++counts.ranked;
            state.best.offer(candidate_at(c, outcome.score));
            return;
    }
}

void search_run(const Lane& lane, LaterLegs& later, const strategy::Generator::Run& run,
                SearchState& state) {
    const std::size_t last = lane.shape.ranks - 1;
    Chosen prefix;
    LanePlace place = run.prefix;
    for (std::size_t r = 0; r < last; ++r) prefix.add(*lane.ranks[r], r, place[r]);
    state.counts.candidates += run.end - run.begin;
    const strategy::LegColumns& columns = *lane.ranks[last];
    Chosen chosen = prefix;
    for (std::uint32_t i = run.begin; i < run.end; ++i) {
        chosen.sum = prefix.sum;
        chosen.add(columns, last, i);
        place[last] = i;
        Considered c{state.chain, lane, chosen.levels, chosen.sum, place};
        settle(judge(c, &later, state, &state.counts), c, state);
    }
}

}  // namespace

bool search_lane(const Lane& lane, SearchState& state) {
    const auto lists = lane.strikes();
    const std::span<const strategy::StrikeList> strikes(lists.data(), lane.rank_count());
    strategy::Generator generator(strikes, lane.gaps);
    strategy::Generator::Run run;
    LaterLegs later(state.chain, lane);
    while (generator.next(run)) {
        search_run(lane, later, run, state);
        if (state.cancelled()) return false;
    }
    return true;
}

std::optional<Candidate> score_candidate(const Lane& lane, const SearchState& state,
                                         const LanePlace& place) {
    const Chosen chosen(lane, place);
    Considered c{state.chain, lane, chosen.levels, chosen.sum, place};
    std::optional<LaterLegs> later;
    if (lane.between) later.emplace(state.chain, lane);
    const Outcome outcome = judge(c, later ? &*later : nullptr, state, nullptr);
    if (outcome.verdict != Verdict::ranked) return std::nullopt;
    return candidate_at(c, outcome.score);
}

}  // namespace scanmq::service
