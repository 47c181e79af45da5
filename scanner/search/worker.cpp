#include "scanner/search/worker.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "scanner/search/bound_kernel.hpp"
#include "scanner/search/reference.hpp"

namespace scanmq::search {
namespace {

double metric_of(const Evaluated& from, Metric metric) noexcept {
    switch (metric) {
        case Metric::net_price:
            return from.net_price;
        case Metric::gain:
            return from.inputs.gain;
        case Metric::risk:
            return from.inputs.risk;
        case Metric::width:
            return from.inputs.width;
        case Metric::pop:
            return from.inputs.pop;
        case Metric::ev:
            return from.ev;
        case Metric::delta:
            return from.inputs.delta;
        case Metric::day_theta:
            return from.inputs.day_theta;
        case Metric::vega:
            return from.inputs.vega;
        case Metric::quoted_spread:
            return from.inputs.quoted_spread;
        case Metric::leg_liquidity:
            return from.inputs.leg_liquidity;
    }
    return market::kMissing;
}

// In the order of the scalar path's operations.
double tested_value(const MetricTest& test, const Evaluated& from) {
    double value = metric_of(from, test.metric);
    if (test.per) value /= metric_of(from, *test.per);
    value = value / test.divisor * test.factor;
    return test.absolute ? std::fabs(value) : value;
}

}  // namespace

double Worker::floor() const noexcept {
    const double own = sink_.floor();
    double shared = shared_floor_.load(std::memory_order_relaxed);
    while (own > shared &&
           !shared_floor_.compare_exchange_weak(shared, own, std::memory_order_relaxed)) {
    }
    return std::max(own, shared);
}

bool Worker::search_runs(const LaneState& state, Range lowest) {
    const bool all = state.lane->ranks() == 2 && state.lane->has_free_gaps()
                         ? search_pairs(state, lowest)
                         : search_odometer(state, lowest);
    flush(state);
    return all;
}

// Two ranks: both ends of the run rise with the lower strike.
bool Worker::search_pairs(const LaneState& state, Range lowest) {
    const Lane& lane = *state.lane;
    const auto low = lane.rank[0]->strikes();
    const auto high = lane.rank[1]->strikes();
    const strategy::WidthBounds& bounds = lane.gaps[0].bounds;
    Range range = lowest.size() > 0 ? range_above(high, low[lowest.begin], bounds) : Range{};
    const auto count = static_cast<std::uint32_t>(high.size());
    Place place{};
    for (place[0] = lowest.begin; place[0] < lowest.end; ++place[0]) {
        if (cancelled()) return false;
        const double strike = low[place[0]];
        while (range.begin < count && !starts_at(high[range.begin], strike, bounds)) ++range.begin;
        range.end = std::max(range.end, range.begin);
        while (range.end < count && !ends_before(high[range.end], strike, bounds)) ++range.end;
        run(state, place, range);
    }
    return true;
}

bool Worker::search_odometer(const LaneState& state, Range lowest) {
    const Lane& lane = *state.lane;
    std::array<strategy::StrikeList, kRanksMax> lists;
    for (std::size_t r = 0; r < lane.ranks(); ++r) lists[r] = lane.rank[r]->strikes();
    lists[0] = lists[0].subspan(lowest.begin, lowest.size());
    strategy::Generator generator({lists.data(), lane.ranks()}, lane.gaps);
    strategy::Generator::Run next;
    while (generator.next(next)) {
        if (cancelled()) return false;
        Place place{};
        std::copy_n(next.prefix.begin(), lane.ranks() - 1, place.begin());
        place[0] += lowest.begin;
        run(state, place, {next.begin, next.end});
    }
    return true;
}

void Worker::run(const LaneState& state, Place& place, Range last) {
    const Lane& lane = *state.lane;
    totals_.evaluated += last.size();
    if (!state.halves) totals_.candidates += last.size();
    if (!state.tame) {
        for (std::uint32_t i = last.begin; i < last.end; ++i) {
            place[lane.ranks() - 1] = i;
            one(state, place);
        }
        return;
    }
    if (last.size() == 0) return;
    const Prefix prefix = make_prefix(lane, place);
    std::uint32_t& at = place[lane.ranks() - 1];
    for (at = last.begin; at < last.end;) {
        const std::uint32_t n = std::min(block_.room(), last.end - at);
        gather(lane, prefix, place, n, figures(state), block_);
        at += n;
        if (block_.room() == 0) flush(state);
    }
}

Figures Worker::figures(const LaneState& state) const noexcept {
    const bool all = !state.rises || !options_.prune || !options_.tests.empty() ||
                     state.lane->metrics != nullptr;
    return all ? Figures::all : Figures::hits;
}

void Worker::flush(const LaneState& state) {
    if (block_.size == 0) return;
    score_block(*state.lane, floor(), figures(state), block_);
    if (state.lane->metrics != nullptr) {
        more_metrics(*state.lane, block_, more_);
        sink_.figures(state.index, block_, more_);
    }
    consume(state);
    block_.clear();
}

void Worker::consume(const LaneState& state) {
    const std::size_t last = state.lane->ranks() - 1;
    const auto each = [&](std::uint64_t bits, auto&& act) {
        for (; bits != 0; bits &= bits - 1) {
            act(block_.place(static_cast<std::uint32_t>(std::countr_zero(bits)), last));
        }
    };
    totals_.arbitrage_quote += static_cast<std::uint64_t>(std::popcount(block_.arbitrage));
    totals_.no_risk += static_cast<std::uint64_t>(std::popcount(block_.no_risk));
    totals_.no_profit += static_cast<std::uint64_t>(std::popcount(block_.no_profit));
    each(block_.arbitrage, [&](const Place& place) { sink_.arbitrage(state.index, place); });

    // The few whose probabilities vectors do not get right.
    std::uint64_t alive =
        block_.valid() & ~(block_.arbitrage | block_.no_risk | block_.no_profit | block_.coarse);
    each(block_.coarse, [&](const Place& place) { one(state, place); });
    if (!options_.tests.empty()) alive = apply_tests(state, alive);
    const std::uint64_t unscored = block_.unscored & alive;
    totals_.unscored += static_cast<std::uint64_t>(std::popcount(unscored));
    totals_.ranked += static_cast<std::uint64_t>(std::popcount(alive & ~unscored));
    each(block_.hits & alive & ~unscored,
         [&](const Place& place) { sink_.offer(state.index, place); });
}

void Worker::one(const LaneState& state, const Place& place) {
    const Evaluated evaluated = evaluate(*state.lane, place);
    switch (evaluated.gate) {
        case Gate::arbitrage_quote:
            ++totals_.arbitrage_quote;
            sink_.arbitrage(state.index, place);
            return;
        case Gate::no_risk:
            ++totals_.no_risk;
            return;
        case Gate::no_profit:
            ++totals_.no_profit;
            return;
        case Gate::unscored:
        case Gate::ranked:
            break;
    }
    for (std::size_t t = 0; t < options_.tests.size(); ++t) {
        const double value = tested_value(options_.tests[t], evaluated);
        if (!passes(options_.tests[t], totals_.tests[t], value)) return;
    }
    if (evaluated.gate == Gate::unscored) {
        ++totals_.unscored;
        return;
    }
    ++totals_.ranked;
    if (!(evaluated.score < floor())) sink_.offer(state.index, place);
}

bool Worker::passes(const MetricTest& test, TestCount& count, double value) {
    ++count.evaluated;
    const filter::Verdict verdict = filter::check(test.bounds, value);
    if (verdict == filter::Verdict::pass) return true;
    ++count.removed;
    if (verdict == filter::Verdict::missing) ++count.missing;
    return false;
}

std::uint64_t Worker::apply_tests(const LaneState& state, std::uint64_t alive) {
    const std::size_t last = state.lane->ranks() - 1;
    for (std::size_t t = 0; t < options_.tests.size() && alive != 0; ++t) {
        const MetricTest& test = options_.tests[t];
        TestCount& count = totals_.tests[t];
        const TestResult result = judge_block(test, block_);
        const std::uint64_t near = result.near & alive;
        const std::uint64_t clear = alive & ~near;
        const std::uint64_t removed = clear & ~result.passed;
        count.evaluated += static_cast<std::uint64_t>(std::popcount(clear));
        count.removed += static_cast<std::uint64_t>(std::popcount(removed));
        count.missing += static_cast<std::uint64_t>(std::popcount(removed & result.missing));
        alive &= ~removed;
        for (std::uint64_t bits = near; bits != 0; bits &= bits - 1) {
            const auto slot = static_cast<std::uint32_t>(std::countr_zero(bits));
            const Evaluated exact = evaluate(*state.lane, block_.place(slot, last));
            if (!passes(test, count, tested_value(test, exact))) {
                alive &= ~(std::uint64_t{1} << slot);
            }
        }
    }
    return alive;
}

bool Worker::estimate_row(const LaneState& state, std::uint32_t row, double& estimate) {
    const Halves& halves = *state.halves;
    const Half::Group& group = halves.low.groups[row];
    const auto node = halves.low.group_nodes.at(row);
    const Range high =
        range_above(halves.high.inner_strikes, state.lane->rank[1]->strikes()[group.inner],
                    state.lane->gaps[1].bounds);
    Survivors survivors;
    estimate = kNoFloor;
    for (std::uint32_t i = high.begin; i < high.end; i += kBoundsAtOnce) {
        if (cancelled()) return false;
        const std::uint32_t n = std::min(kBoundsAtOnce, high.end - i);
        totals_.bounds += n;
        estimate =
            std::max(estimate, bound_pairs(*state.lane, halves, node, halves.high.group_nodes, i, n,
                                           kNoFloor, survivors.data()));
    }
    return true;
}

bool Worker::search_row(const LaneState& state, std::uint32_t row) {
    const bool all = search_bounds(state, row);
    flush(state);
    return all;
}

bool Worker::search_bounds(const LaneState& state, std::uint32_t row) {
    const Halves& halves = *state.halves;
    const Half::Group& group = halves.low.groups[row];
    const auto node = halves.low.group_nodes.at(row);
    const auto& high_groups = halves.high.groups;
    const Range high =
        range_above(halves.high.inner_strikes, state.lane->rank[1]->strikes()[group.inner],
                    state.lane->gaps[1].bounds);
    Survivors survivors;
    const auto survives = [&survivors](std::uint32_t i) {
        return (survivors[i / 64] >> (i % 64) & 1) != 0;
    };
    for (std::uint32_t at = high.begin; at < high.end; at += kBoundsAtOnce) {
        if (cancelled()) return false;
        const std::uint32_t n = std::min(kBoundsAtOnce, high.end - at);
        totals_.bounds += n;
        bound_pairs(*state.lane, halves, node, halves.high.group_nodes, at, n, floor(),
                    survivors.data());
        for (std::uint32_t i = 0; i < n; ++i) {
            if (!survives(i)) continue;
            const std::uint32_t first = i;
            while (i + 1 < n && survives(i + 1)) ++i;
            const Range bands_of_run{high_groups[at + first].bands.begin,
                                     high_groups[at + i].bands.end};
            if (!bands(state, group, bands_of_run)) return false;
        }
    }
    return true;
}

bool Worker::bands(const LaneState& state, const Half::Group& low, Range high) {
    const Halves& halves = *state.halves;
    Survivors survivors;
    for (std::uint32_t b = low.bands.begin; b < low.bands.end; ++b) {
        const auto node = halves.low.band_nodes.at(b);
        for (std::uint32_t at = high.begin; at < high.end; at += kBoundsAtOnce) {
            if (cancelled()) return false;
            const std::uint32_t n = std::min(kBoundsAtOnce, high.end - at);
            totals_.bounds += n;
            bound_pairs(*state.lane, halves, node, halves.high.band_nodes, at, n, floor(),
                        survivors.data());
            for (std::uint32_t word = 0; word < (n + 63) / 64; ++word) {
                for (std::uint64_t bits = survivors[word]; bits != 0; bits &= bits - 1) {
                    const auto bit = static_cast<std::uint32_t>(std::countr_zero(bits));
                    if (!band_pair(state, b, at + 64 * word + bit)) return false;
                }
            }
        }
    }
    return true;
}

bool Worker::band_pair(const LaneState& state, std::uint32_t low_band, std::uint32_t high_band) {
    const Halves& halves = *state.halves;
    const Range outer = halves.low.band_outer[low_band];
    Place place{};
    place[1] = halves.low.band_inner[low_band];
    place[2] = halves.high.band_inner[high_band];
    for (place[0] = outer.begin; place[0] < outer.end; ++place[0]) {
        if (cancelled()) return false;
        run(state, place, halves.high.band_outer[high_band]);
    }
    return true;
}

}  // namespace scanmq::search
