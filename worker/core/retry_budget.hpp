#pragma once
// RetryBudget: retries are a share of requests, so that they cannot multiply the load on a target in
// trouble.
//
// Role:      owned by RemoteCalls, one per target. Each request pays a share of a retry in, each retry
//            takes one out; what is saved up is bounded.

#include <algorithm>

namespace scanmq::worker {

class RetryBudget {
  public:
    struct Options {
        double share = 0.1;  // retries per request
        double start = 3.0;  // so that the first failure of a quiet target may be retried
        double saved_max = 20.0;
    };

    explicit RetryBudget(const Options& options) noexcept
        : options_(options), saved_(std::min(options.start, options.saved_max)) {}

    void on_request() noexcept { saved_ = std::min(options_.saved_max, saved_ + options_.share); }
    // False: there is none left, and nothing was taken.
    [[nodiscard]] bool try_retry() noexcept {
        if (saved_ < 1.0) return false;
        saved_ -= 1.0;
        return true;
    }
    [[nodiscard]] double saved() const noexcept { return saved_; }

  private:
    Options options_;
    double saved_;
};

}  // namespace scanmq::worker
