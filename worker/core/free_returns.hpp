#pragma once
// FreeReturns: how often a job may come back from a broken target without a charge.
//
// Role:      owned by RemoteCalls. An attempt that ends because its target is down goes back `returned`,
//            which charges nothing. So that none circles for ever, each return costs its job points here,
//            and one that has none left ends `failed`, which counts towards max_attempts; after that it
//            has all its points again. A return after the request had left and was never answered
//            costs all of them: that job may be what brought the target down.
// Points:    1 for a call that never reached the target, 4 for one that was answered with a failure (it
//            may be the job's own), all for one that was never answered.
// Bound:     a job ends `failed` at the latest at its eleventh return (points_max + 1), or at the second
//            after which it was never answered. With w workers, t targets each and max_attempts m it
//            is dead after at most 11 x w x t x m returns.
// Limits:    jobs_max jobs are remembered, the one heard of longest ago is forgotten first. Held jobs
//            return to the front of their queue, so that those which circle are the ones remembered.

#include <cstdint>
#include <list>
#include <unordered_map>

namespace scanmq::worker {

class FreeReturns {
  public:
    struct Options {
        std::uint32_t points_max = 10;
        std::uint32_t jobs_max = 4096;
    };

    static constexpr std::uint32_t kUnreached = 1;
    static constexpr std::uint32_t kAnswered = 4;
    static constexpr std::uint32_t kUnanswered = ~std::uint32_t{0};

    explicit FreeReturns(const Options& options) : options_(options) {}

    // True: this job may go back without a charge, which was noted. False: it has to be charged.
    [[nodiscard]] bool try_return(std::uint64_t job, std::uint32_t points);
    // It ended otherwise.
    void forget(std::uint64_t job);

    [[nodiscard]] std::size_t size() const noexcept { return jobs_.size(); }
    [[nodiscard]] std::uint64_t forgotten() const noexcept { return forgotten_; }

  private:
    struct Used {
        std::uint64_t job{};
        std::uint32_t points{};
    };
    using Order = std::list<Used>;  // heard of last first

    Options options_;
    Order order_;
    std::unordered_map<std::uint64_t, Order::iterator> jobs_;
    std::uint64_t forgotten_ = 0;
};

}  // namespace scanmq::worker
