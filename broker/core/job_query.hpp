#pragma once
// JobQuery: where one job is and why, and the dead letters.
//
// Threads: broker loop only. Borrows: CoreState (outlives this).
// Limits:  kAheadMost executions are looked at to say how many go before a job.
// See:     docs/PROTOCOL.md, section 11

#include <string>
#include <string_view>
#include <vector>

#include "broker/core/core_state.hpp"

namespace scanmq::broker {

class JobQuery {
  public:
    struct Refusal {
        protocol::ErrorCode code{};
        std::string sentence;
    };
    using Rows = std::vector<protocol::Row>;

    explicit JobQuery(const CoreState& state) : state_(&state) {}

    [[nodiscard]] static bool knows(std::string_view topic) noexcept;
    // Errors: unknown_queue, unknown_job, malformed (the key).
    [[nodiscard]] Result<Rows, Refusal> rows(std::string_view topic, std::string_view key) const;

  private:
    static constexpr std::uint64_t kAheadMost = 100'000;

    [[nodiscard]] protocol::Row job(const Queue& queue, Slot job) const;
    void add_place(const Queue& queue, Slot execution, protocol::Row& row) const;
    [[nodiscard]] Rows explain(const Queue& queue, Slot job) const;
    void explain_flow(const Queue& queue, Slot execution, Rows& rows) const;
    void explain_stream(const Queue& queue, Slot execution, Rows& rows) const;
    void explain_waiting(const Queue& queue, Slot execution, Rows& rows) const;
    [[nodiscard]] protocol::Row dead(const DeadLetter& letter) const;
    [[nodiscard]] Rows dead_letter(const DeadLetter& letter) const;

    const CoreState* state_;
};

}  // namespace scanmq::broker
