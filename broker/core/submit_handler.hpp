#pragma once
// SubmitHandler: WANT, RECLAIMED and SUBMIT: credit for producers, and what becomes of each job.
//
// Threads:   broker loop only. Borrows: CoreState (outlives this).
// Invariant: a job sent within credit is never refused for lack of room.
// See:       docs/PROTOCOL.md, sections 7 and 8

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "broker/core/core_state.hpp"

namespace scanmq::broker {

class SubmitHandler {
  public:
    explicit SubmitHandler(CoreState& state) : state_(&state) {}

    void want(Session& session, const protocol::Header& header, const protocol::Want& message);
    void reclaimed(Session& session, const protocol::Header& header,
                   const protocol::Reclaimed& message);
    void submit(Session& session, const protocol::Header& header, const protocol::Submit& message,
                std::span<const BodyIn> bodies);
    // Room may have become free: grants it to who waits, and asks unused credit back when it is short.
    void serve();

  private:
    // Of the SUBMIT under way: what the jobs of one frame often have in common.
    struct Frame {
        Queue* queue = nullptr;
        const Session* session = nullptr;
        Id128 group;
        Slot group_slot = kNoSlot;
        std::string_view subject;  // of the job before
        Slot subject_slot = kNoSlot;
        ByteView inputs;
        Slot inputs_slot = kNoSlot;
        std::uint64_t sentence_bytes = 0;
    };

    void take_job(Frame& frame, const protocol::Job& job, const BodyIn& body, std::uint32_t index,
                  std::vector<protocol::JobVerdict>& exceptions);
    // What stands against the job; the checks in the order of docs/PROTOCOL.md, section 8.
    [[nodiscard]] std::optional<protocol::JobVerdict> check(const Frame& frame,
                                                            const protocol::Job& job,
                                                            const BodyIn& body) const;
    [[nodiscard]] std::optional<protocol::JobVerdict> check_known(const IdWindow::Known& known,
                                                                  const BodyIn& body) const;
    [[nodiscard]] bool too_old(const Session& session, const Id128& id) const;
    [[nodiscard]] std::optional<std::string> missing_blob(const protocol::Job& job) const;
    void accept(Frame& frame, const protocol::Job& job, const BodyIn& body);
    void note_accepted(Queue& queue, const ExecutionRecord& execution, const JobRecord& record,
                       const protocol::Job& job);
    // Grants; a CREDIT to each session but `quiet`, which hears of it otherwise.
    void grant(Queue& queue, Slot quiet);

    CoreState* state_;
    std::vector<SubmitCredit::Grant> grants_;
    std::vector<Slot> asked_;
};

}  // namespace scanmq::broker
