#pragma once
// GroupHandler: GROUP_OPEN, GROUP_SEAL, GROUP_QUERY, and groups that were never sealed.
//
// Threads: broker loop only. Borrows: CoreState, StreamWriter (outlive this).
// See:     docs/PROTOCOL.md, section 9

#include "broker/core/core_state.hpp"
#include "broker/core/stream_writer.hpp"

namespace scanmq::broker {

class GroupHandler {
  public:
    GroupHandler(CoreState& state, StreamWriter& writer) : state_(&state), writer_(&writer) {}

    void open(Session& session, const protocol::Header& header, const protocol::GroupOpen& message);
    void seal(Session& session, const protocol::Header& header, const protocol::GroupSeal& message);
    void query(Session& session, const protocol::Header& header,
               const protocol::GroupQuery& message);
    // Ends and forgets groups whose time is over, at most `budget`.
    void expire(Queue& queue, std::size_t budget);
    // After a restart: takes a group back, with a hold on its generation while it is open.
    void restore(Queue& queue, const Id128& group, const GroupRow& row);

  private:
    void answer(Session& session, const protocol::Header& header, const Queue& queue,
                const Group& group);
    // The groups of forgotten_, which are gone from the table.
    void forget(Queue& queue);

    CoreState* state_;
    StreamWriter* writer_;
    std::vector<Slot> forgotten_;
};

}  // namespace scanmq::broker
