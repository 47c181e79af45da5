#pragma once
// CacheHandler: what another tier answers for executions that wait for it; CACHE_GET, CACHE_PUT and
//               CACHE_DROP.
//
// Role:      owned by BrokerCore::Impl; admission (SubmitHandler) begins the look-ups.
// Threads:   broker loop only. Borrows: CoreState, Ending (outlive this).
// See:       docs/PROTOCOL.md, section 8, "Cache"

#include <cstdint>
#include <string>
#include <vector>

#include "broker/core/core_state.hpp"
#include "broker/core/ending.hpp"

namespace scanmq::broker {

class CacheHandler {
  public:
    static constexpr std::size_t kRowsMax = 1'000;

    CacheHandler(CoreState& state, Ending& ending) : state_(&state), ending_(&ending) {}

    void answered(const CacheEvent& event);
    // Executions whose look-up got no answer in time go where they wait.
    void give_up_late();
    // Lets go of a part of what is past its time. When to call it again; Time::max(): nothing is kept.
    [[nodiscard]] Time expire();

    void get(Session& session, const protocol::Header& header, const protocol::CacheGet& message);
    void put(Session& session, const protocol::Header& header, const protocol::CachePut& message);
    void drop(Session& session, const protocol::Header& header, const protocol::CacheDrop& message);

    // Rows of topic cache (the broker's own tier, what it keeps for its peers), and topic cached.
    [[nodiscard]] static protocol::Row own_tier(const CoreState& state);
    [[nodiscard]] static protocol::Row peers(const CoreState& state);
    // What became of jobs that may be answered from a cache, whichever tier it was.
    [[nodiscard]] static protocol::Row jobs(const CoreState& state);
    [[nodiscard]] static std::vector<protocol::Row> cached(const CoreState& state,
                                                           const Queue& queue,
                                                           std::uint64_t& left_out);

  private:
    struct Reply;

    void missed(Slot execution);
    // Each adds what there is under the key. False: the frame is full.
    [[nodiscard]] bool add_own(const ContentId& key, const Queue& queue, Reply& reply);
    [[nodiscard]] bool add_peers(const ContentId& key, Reply& reply);

    CoreState* state_;
    Ending* ending_;
};

}  // namespace scanmq::broker
