#pragma once
// NoopScanner: does nothing, for measuring what the system around it costs. The result is the job's
//              payload, or a fixed number of zero bytes.
//
// Threads: stateless after construction.

#include <optional>

#include "worker/scanners/scanner.hpp"

namespace scanmq::worker {

class NoopScanner final : public Scanner {
  public:
    // result_bytes: the size of every result; nullopt: the payload is given back.
    explicit NoopScanner(std::optional<std::size_t> result_bytes = std::nullopt) {
        if (result_bytes) result_.emplace(*result_bytes, '\0');
    }

    [[nodiscard]] std::string version() const override { return "noop/1"; }
    [[nodiscard]] bool reads_inputs() const override { return false; }
    [[nodiscard]] bool on_loop() const override { return true; }
    void run(const Task& task, Outcome& out) const noexcept override {
        out.body = result_ ? ByteView(*result_) : task.payload;
    }

  private:
    std::optional<std::string> result_;
};

}  // namespace scanmq::worker
