#pragma once
// StandingHandler: STANDING_SET, STANDING_DROP, and the jobs of standing scans that are due.
//
// Role:      what is due is StandingTable's; a run is a job of the broker's own (SubmitHandler).
//            Its rows are the queue's: they go with it, and stand behind the jobs in its records.
// Threads:   broker loop only. Borrows: CoreState, SubmitHandler, BodySource (outlive this).
// Limits:    options.standing_max, standing_bytes_max; kSlice runs in a step, the rest in the next.
// See:       docs/PROTOCOL.md, section 9, "Standing scans"

#include <optional>
#include <string>

#include "broker/core/core_state.hpp"
#include "broker/core/submit_handler.hpp"

namespace scanmq::broker {

class StandingHandler {
  public:
    StandingHandler(CoreState& state, SubmitHandler& submits, BodySource& bodies)
        : state_(&state), submits_(&submits), bodies_(&bodies) {}

    void set(Session& session, const protocol::Header& header,
             const protocol::StandingSet& message);
    void drop(Session& session, const protocol::Header& header,
              const protocol::StandingDrop& message);
    // Makes the jobs of what is due, and of what is held where there is room now. To be called before
    // room is granted to producers: nothing is granted to a scan that waits for some.
    void step() {
        if (state_->standing.any_pending() || state_->standing.any_stale()) step_all();
        state_->schedule(state_->standing.next_due());
    }

  private:
    static constexpr std::size_t kSlice = 1'024;

    struct Refusal {
        protocol::ErrorCode code{};
        std::string sentence;
    };
    [[nodiscard]] std::optional<Refusal> check(const Queue& queue,
                                               const protocol::StandingSet& message) const;
    [[nodiscard]] std::optional<Refusal> check_limits(const protocol::StandingSet& message) const;
    void step_all();
    void step_held(std::size_t& left);
    // Or holds it for lack of room, or lets it wait for its aliases.
    void run(StandingScan& scan);

    CoreState* state_;
    SubmitHandler* submits_;
    BodySource* bodies_;
};

// The queue goes, and its standing scans with it; how many they were.
std::uint64_t drop_standing(CoreState& state, const Queue& queue);

}  // namespace scanmq::broker
