#pragma once
// NoopScanner: does nothing, for measuring what the system around it costs; or nothing for a while,
//              with faults, for testing that system. The result is the job's payload, or a fixed
//              number of zero bytes.
//
// Threads:  its only state is a count of runs. With a service time it runs on the worker's threads,
//           which sleep meanwhile; without one on the loop.
// Errors:   failed: as often as fail_rate says, or cancelled while it slept. A payload that holds
//           the poison ends the process (std::abort), after the service time.
// Progress: in milliseconds of the service time.

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "common/base/time.hpp"
#include "worker/scanners/scanner.hpp"

namespace scanmq::worker {

class NoopScanner final : public Scanner {
  public:
    struct Options {
        std::optional<std::size_t> result_bytes{};  // of every result; nullopt: the payload's
        Duration service{};                         // how long each run takes
        double fail_rate = 0.0;                     // share of the runs that fail, 0 to 1
        std::string poison{};                       // empty: none
        std::uint64_t seed = 0;                     // of which runs fail
    };

    NoopScanner() = default;
    explicit NoopScanner(Options options);

    [[nodiscard]] std::string version() const override { return "noop/1"; }
    [[nodiscard]] bool reads_inputs() const override { return false; }
    [[nodiscard]] bool on_loop() const override { return options_.service <= Duration{}; }
    void run(const Task& task, Outcome& out) const noexcept override;

  private:
    // False: cancelled.
    [[nodiscard]] bool sleep(const Task& task) const noexcept;
    [[nodiscard]] bool fails() const noexcept;

    Options options_;
    std::string result_;
    mutable std::atomic<std::uint64_t> runs_{0};
};

}  // namespace scanmq::worker
