#include "scanner/search/search.hpp"

#include <algorithm>
#include <deque>
#include <memory>
#include <tuple>

#include "scanner/search/worker.hpp"

namespace scanmq::search {
namespace {

constexpr std::uint32_t kLowestAtOnce = 64;  // strikes of rank 0 in a unit of runs

class Run {
  public:
    Run(std::span<const Lane> lanes, const Options& options, std::span<Sink* const> sinks,
        const Executor& executor)
        : options_(options), executor_(executor), states_(lanes.size()) {
        for (std::size_t i = 0; i < lanes.size(); ++i) {
            states_[i].lane = &lanes[i];
            states_[i].index = static_cast<std::uint32_t>(i);
            states_[i].tame = is_tame(lanes[i]);
            states_[i].rises = states_[i].tame && needs_proof(lanes[i]) && rises(lanes[i]);
        }
        for (Sink* sink : sinks) workers_.emplace_back(options_, *sink, floor_);
    }

    bool run() {
        std::vector<std::uint32_t> by_halves;
        std::vector<Unit> runs;
        for (LaneState& state : states_) {
            if (options_.prune && state.rises && has_halves(*state.lane)) {
                by_halves.push_back(state.index);
            } else {
                add_runs(state, runs);
            }
        }
        if (!work_off(runs)) return false;
        for (std::size_t i = 0; i < by_halves.size();) {
            const std::size_t first = i;
            std::size_t nodes = 0;
            do {
                nodes += node_count(*states_[by_halves[i]].lane);
                ++i;
            } while (i < by_halves.size() &&
                     nodes + node_count(*states_[by_halves[i]].lane) <= kNodesMax);
            if (!search_halves(std::span(by_halves).subspan(first, i - first))) return false;
        }
        return true;
    }

    [[nodiscard]] Totals totals() const {
        Totals sum;
        sum.tests.resize(options_.tests.size());
        for (const Worker& worker : workers_) sum.add(worker.totals());
        return sum;
    }

  private:
    // Is anything left out by bounds of POP?
    [[nodiscard]] bool needs_proof(const Lane& lane) const noexcept {
        return options_.prune && (options_.tests.empty() || has_halves(lane));
    }
    // Lanes of one expiry come one after the other, over much the same strikes.
    bool rises(const Lane& lane) {
        StrikeSpan span = strike_span(lane);
        if (span.low > span.high) return true;
        if (proven_ && same(*proven_, lane.distribution)) {
            if (span.low >= proven_span_.low && span.high <= proven_span_.high) return true;
            span.low = std::min(span.low, proven_span_.low);
            span.high = std::max(span.high, proven_span_.high);
        }
        if (!probability_rises(lane.distribution, span)) {
            return probability_rises(lane.distribution, strike_span(lane));
        }
        proven_ = lane.distribution;
        proven_span_ = span;
        return true;
    }
    static bool same(const strategy::Distribution& a, const strategy::Distribution& b) {
        const auto parts = [](const strategy::Distribution& d) {
            const market::Smile& s = d.smile();
            return std::tuple(d.forward(), s.a, s.b, s.rho, s.m, s.s);
        };
        return parts(a) == parts(b);
    }

    void add_runs(LaneState& state, std::vector<Unit>& units) {
        const auto size = static_cast<std::uint32_t>(state.lane->rank[0]->size());
        const std::size_t before = units.size();
        for (std::uint32_t i = 0; i < size; i += kLowestAtOnce) {
            const Range lowest{i, std::min(i + kLowestAtOnce, size)};
            units.push_back({.lane = state.index, .lowest = lowest, .row = 0, .estimate = 0.0});
        }
        state.units_left = static_cast<std::uint32_t>(units.size() - before);
        if (state.units_left == 0) lane_done();
    }

    // Best first: the floor is high before the many that cannot reach it are looked at.
    bool search_halves(std::span<const std::uint32_t> lanes) {
        std::vector<std::vector<Unit>> rows(lanes.size());
        const bool went_on = for_each(lanes.size(), [&](Worker& worker, std::size_t i) {
            return prepare(states_[lanes[i]], worker, rows[i]);
        });
        if (!went_on) return false;
        std::vector<Unit> units;
        for (const auto& of_lane : rows) units.insert(units.end(), of_lane.begin(), of_lane.end());
        std::ranges::sort(units, [](const Unit& a, const Unit& b) {
            return std::tuple(-a.estimate, a.lane, a.row) < std::tuple(-b.estimate, b.lane, b.row);
        });
        const bool all = work_off(units);
        for (const std::uint32_t lane : lanes) states_[lane].halves.reset();
        return all;
    }

    bool prepare(LaneState& state, Worker& worker, std::vector<Unit>& rows) {
        worker.count(count_candidates(*state.lane));
        state.halves = make_halves(*state.lane);
        const auto size = static_cast<std::uint32_t>(state.halves->low.groups.size());
        for (std::uint32_t row = 0; row < size; ++row) {
            Unit unit{.lane = state.index, .lowest = {}, .row = row, .estimate = 0.0};
            if (!worker.estimate_row(state, row, unit.estimate)) return false;
            if (unit.estimate != unit.estimate) unit.estimate = 0.0;  // a total order needs numbers
            rows.push_back(unit);
        }
        state.units_left = size;
        if (size == 0) lane_done();
        return true;
    }

    bool work_off(const std::vector<Unit>& units) {
        return for_each(units.size(), [&](Worker& worker, std::size_t i) {
            const Unit& unit = units[i];
            LaneState& state = states_[unit.lane];
            const bool all = state.halves ? worker.search_row(state, unit.row)
                                          : worker.search_runs(state, unit.lowest);
            if (all && state.units_left.fetch_sub(1) == 1) lane_done();
            return all;
        });
    }

    // Each worker takes the next until there is none, or one was cut short.
    template <class Act>
    bool for_each(std::size_t count, const Act& act) {
        std::atomic<std::size_t> next{0};
        std::atomic<bool> all{true};
        executor_(workers_.size(), [&](std::size_t w) {
            while (all.load(std::memory_order_relaxed)) {
                const std::size_t i = next.fetch_add(1, std::memory_order_relaxed);
                if (i >= count) return;
                if (!act(workers_[w], i)) all.store(false, std::memory_order_relaxed);
            }
        });
        return all.load();
    }

    void lane_done() noexcept {
        if (options_.lanes_done != nullptr) {
            options_.lanes_done->fetch_add(1, std::memory_order_relaxed);
        }
    }

    const Options& options_;
    const Executor& executor_;
    std::vector<LaneState> states_;
    std::deque<Worker> workers_;
    std::optional<strategy::Distribution> proven_;  // whose probability rises over proven_span_
    StrikeSpan proven_span_;
    std::atomic<double> floor_{kNoFloor};
};

}  // namespace

void Totals::add(const Totals& other) {
    candidates += other.candidates;
    evaluated += other.evaluated;
    arbitrage_quote += other.arbitrage_quote;
    no_risk += other.no_risk;
    no_profit += other.no_profit;
    unscored += other.unscored;
    ranked += other.ranked;
    bounds += other.bounds;
    if (tests.size() < other.tests.size()) tests.resize(other.tests.size());
    for (std::size_t i = 0; i < other.tests.size(); ++i) {
        tests[i].evaluated += other.tests[i].evaluated;
        tests[i].removed += other.tests[i].removed;
        tests[i].missing += other.tests[i].missing;
    }
}

bool run(std::span<const Lane> lanes, const Options& options, std::span<Sink* const> sinks,
         const Executor& executor, Totals& totals) {
    Run search(lanes, options, sinks, executor);
    const bool all = search.run();
    totals.add(search.totals());
    return all;
}

bool run(std::span<const Lane> lanes, const Options& options, Sink& sink, Totals& totals) {
    Sink* const only = &sink;
    const Executor here = [](std::size_t n, const std::function<void(std::size_t)>& work) {
        for (std::size_t i = 0; i < n; ++i) work(i);
    };
    return run(lanes, options, std::span(&only, 1), here, totals);
}

}  // namespace scanmq::search
