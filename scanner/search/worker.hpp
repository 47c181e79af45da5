#pragma once
// Worker: what one thread does in a search: runs of candidates, and rows of branch and bound.
//
// Role:    private to scanner/search.
// Threads: one each; `floor` is shared.

#include <atomic>
#include <optional>

#include "scanner/search/nodes.hpp"
#include "scanner/search/run_kernel.hpp"
#include "scanner/search/search.hpp"

namespace scanmq::search {

// A lane with what is known of it.
struct LaneState {
    const Lane* lane{};
    std::uint32_t index{};
    bool tame{};
    bool rises{};                  // POP's bounds hold; false also where none is needed
    std::optional<Halves> halves;  // while it is searched by them
    std::atomic<std::uint32_t> units_left{};
};

// A low group of a lane, or a range of its lowest strikes.
struct Unit {
    std::uint32_t lane{};  // into the states
    Range lowest;
    std::uint32_t row{};
    double estimate{};
};

class Worker {
  public:
    Worker(const Options& options, Sink& sink, std::atomic<double>& floor)
        : options_(options), sink_(sink), shared_floor_(floor) {
        totals_.tests.resize(options.tests.size());
    }

    // Every candidate whose lowest strike is in the range. False when cancelled, as are those below.
    bool search_runs(const LaneState& state, Range lowest);
    // Every candidate that matters of a low group.
    bool search_row(const LaneState& state, std::uint32_t row);
    // The largest bound of a low group's candidates; below the floor: none matters.
    bool estimate_row(const LaneState& state, std::uint32_t row, double& estimate);

    void count(std::uint64_t candidates) noexcept { totals_.candidates += candidates; }
    [[nodiscard]] const Totals& totals() const noexcept { return totals_; }

  private:
    using Survivors = std::array<std::uint64_t, 1024 / 64>;

    [[nodiscard]] bool cancelled() const noexcept {
        return options_.cancel != nullptr && options_.cancel->load(std::memory_order_relaxed);
    }
    [[nodiscard]] double floor() const noexcept;
    bool bands(const LaneState& state, const Half::Group& low, Range high);
    bool band_pair(const LaneState& state, std::uint32_t low_band, std::uint32_t high_band);
    bool search_pairs(const LaneState& state, Range lowest);
    bool search_odometer(const LaneState& state, Range lowest);
    bool search_bounds(const LaneState& state, std::uint32_t row);
    void run(const LaneState& state, Place& place, Range last);
    [[nodiscard]] Figures figures(const LaneState& state) const noexcept;
    void flush(const LaneState& state);
    void consume(const LaneState& state);
    void one(const LaneState& state, const Place& place);
    bool passes(const MetricTest& test, TestCount& count, double value);
    std::uint64_t apply_tests(const LaneState& state, std::uint64_t alive);

    const Options& options_;
    Sink& sink_;
    std::atomic<double>& shared_floor_;
    Totals totals_;
    MoreFigures more_;
    Block block_;  // of one lane; empty between the calls above
};

}  // namespace scanmq::search
