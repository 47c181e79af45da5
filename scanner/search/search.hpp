#pragma once
// Search: the candidates of many lanes that can be among the best, exactly, and how many there are.
//
// Lanes of two sides (has_halves) are searched by branch and bound, others one run after another in
// vectors; lanes with numbers that vectors cannot be trusted with, one candidate at a time.
// Exact:    every candidate whose scalar score is at least the sink's final floor is offered, and every
//           arbitrage quote. Offers come in no particular order, and in another one each time where
//           several workers search; a sink that keeps the best by a total order gives one answer.
// Threads:  run() on the caller's thread, or on as many as the executor has; the lanes are shared.
// Memory:   kNodesMax nodes, under 30 MiB, beside the lanes; nothing is allocated per candidate.
// See:      docs/SCANNER.md, "Exact search"

#include <atomic>
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "scanner/search/lane.hpp"
#include "scanner/search/metrics_kernel.hpp"
#include "scanner/search/test_kernel.hpp"

namespace scanmq::search {

inline constexpr std::size_t kNodesMax = 150'000;  // of the lanes searched at once
inline constexpr double kNoFloor = -std::numeric_limits<double>::infinity();

// Where candidates go. One for each worker; what it does is rare and may be slow.
class Sink {
  public:
    virtual ~Sink() = default;

    // Candidates with a lower score are of no use. Never falls.
    [[nodiscard]] virtual double floor() const noexcept = 0;
    // A candidate that passed all tests, with a score that may reach the floor: what it scores is for
    // the scalar path to say.
    virtual void offer(std::uint32_t lane, const Place& place) = 0;
    virtual void arbitrage(std::uint32_t lane, const Place& place) = 0;
    // Every metric of the candidates of a block, of tame lanes that ask for them.
    virtual void figures(std::uint32_t /*lane*/, const Block& /*block*/,
                         const MoreFigures& /*more*/) {}
};

struct TestCount {
    std::uint64_t evaluated{};
    std::uint64_t removed{};
    std::uint64_t missing{};  // of the removed
};

struct Totals {
    std::uint64_t candidates{};       // all there are
    std::uint64_t evaluated{};        // looked at one by one; what follows is of these
    std::uint64_t arbitrage_quote{};  // complete also where candidates were pruned
    std::uint64_t no_risk{};
    std::uint64_t no_profit{};
    std::uint64_t unscored{};
    std::uint64_t ranked{};
    std::vector<TestCount> tests;
    std::uint64_t bounds{};  // pairs of nodes that were bounded

    [[nodiscard]] std::uint64_t pruned() const noexcept { return candidates - evaluated; }
    void add(const Totals& other);
};

struct Options {
    bool prune{true};  // false: every candidate is evaluated, all counts are complete
    std::span<const MetricTest> tests{};  // in order; a candidate that fails one sees no further
    const std::atomic<bool>* cancel{};    // may be null; looked at about every 100 microseconds
    std::atomic<std::uint64_t>* lanes_done{};  // may be null
};

// Calls work(0) ... work(n - 1), at once or one after another, and returns when all have returned.
using Executor = std::function<void(std::size_t n, const std::function<void(std::size_t)>& work)>;

// False when cancelled. Adds to totals. Preconditions: 2 to kRanksMax ranks a lane, payoffs bounded.
[[nodiscard]] bool run(std::span<const Lane> lanes, const Options& options, Sink& sink,
                       Totals& totals);
// The same with a worker for each sink. They share the highest of their floors.
[[nodiscard]] bool run(std::span<const Lane> lanes, const Options& options,
                       std::span<Sink* const> sinks, const Executor& executor, Totals& totals);

}  // namespace scanmq::search
