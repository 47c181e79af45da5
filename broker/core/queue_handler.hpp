#pragma once
// QueueHandler: queues are created, altered, moved to another scanner version and deleted.
//
// Threads:   broker loop only. Borrows: CoreState and the parts it is made with (outlive this).
// Limits:    options.queues_max. Deleting goes in slices of kSlice items, so that a full queue does
//            not stop the broker; its name is free again, and QUEUE_DELETE answered, with the last
//            one.
// See:       docs/PROTOCOL.md, section 10

#include "broker/core/core_state.hpp"
#include "broker/core/ending.hpp"
#include "broker/core/job_control.hpp"
#include "broker/core/leases.hpp"
#include "broker/core/publisher.hpp"
#include "broker/core/stream_writer.hpp"

namespace scanmq::broker {

class QueueHandler {
  public:
    struct Parts {
        Leases& leases;
        Ending& ending;
        JobControl& control;
        Publisher& publisher;
        StreamWriter& writer;
    };
    QueueHandler(CoreState& state, const Parts& parts)
        : state_(&state),
          leases_(&parts.leases),
          ending_(&parts.ending),
          control_(&parts.control),
          publisher_(&parts.publisher),
          writer_(&parts.writer) {}

    void create(Session& session, const protocol::Header& header,
                const protocol::QueueCreate& message);
    void alter(Session& session, const protocol::Header& header,
               const protocol::QueueAlter& message);
    void remove(Session& session, const protocol::Header& header,
                const protocol::QueueDelete& message);
    void set_version(Session& session, const protocol::Header& header,
                     const protocol::QueueVersion& message);
    // Creates it unless it exists. Precondition: name and settings are valid (the shell's configuration).
    void ensure(const std::string& name, const protocol::Settings& settings);
    // Takes the deletions under way one slice further. The queues that are gone are removed by sweep(),
    // after the commits of the call were made.
    void step();
    void sweep();

  private:
    static constexpr std::size_t kSlice = 16'384;

    [[nodiscard]] bool name_taken(const std::string& name) const;
    [[nodiscard]] std::size_t count() const;
    void add(const std::string& name, const QueueSettings& settings);
    void cancel_running(Queue& queue);
    // True when nothing of it is left.
    bool step_one(Queue& queue);

    CoreState* state_;
    Leases* leases_;
    Ending* ending_;
    JobControl* control_;
    Publisher* publisher_;
    StreamWriter* writer_;
    std::size_t deleting_ = 0;
    std::vector<Queue*> gone_;
};

}  // namespace scanmq::broker
