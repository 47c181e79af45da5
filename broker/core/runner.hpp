#pragma once
// Runner: attempts given, answered, lost, and what becomes of their executions.
//
// Threads:   broker loop only. Borrows: CoreState, Leases, Ending (outlive this).
// Budgets:   failures are charged to max_attempts, crashes to max_crashes; what was only handed back
//            charges nothing.
// See:       docs/PROTOCOL.md, section 8

#include <span>
#include <string_view>
#include <vector>

#include "broker/core/core_state.hpp"
#include "broker/core/ending.hpp"
#include "broker/core/leases.hpp"
#include "broker/core/shedding.hpp"

namespace scanmq::broker {

class Runner {
  public:
    Runner(CoreState& state, Leases& leases, Ending& ending)
        : state_(&state), leases_(&leases), ending_(&ending), shedding_(state, ending) {}

    // Gives waiting executions to workers with credit, queue by queue in turns. dispatcher.cpp
    void dispatch();
    // DONE of a worker's session.
    void done(Session& session, const protocol::Header& header, const protocol::Done& message,
              std::span<const BodyIn> bodies);
    // The worker says how much it takes: DONE's limit and CREDIT.
    void raise_limit(Session& session, protocol::Credit limit);
    // RECLAIM: it takes nothing more until it says so again.
    void give_back(Session& session);
    void progress(Session& session, const protocol::Progress& message);

    // lost.cpp: attempts that end without an answer.
    // The session is about to close, and its worker with it: `crashed` unless it said BYE.
    void lose(Session& session, bool crashed);
    // The same worker is back under another session (null: after a restart): what it still has goes
    // on, the rest runs again and is not charged. Returns the tokens that go on.
    [[nodiscard]] std::vector<protocol::Token> adopt(
        Session* former, Session& session, const std::vector<protocol::WorkerInfo::Held>& held);
    // Takes back attempts that ran longer than max_run, at most `budget`, and what was left by workers
    // that did not come back. True: there is more to do.
    bool expire(std::size_t budget);

  private:
    // Brings near what ending the first kPrefetchMax of these will touch.
    static constexpr std::size_t kPrefetchMax = 64;
    void prefetch(std::span<const protocol::Outcome> outcomes) const;
    void answer(Worker& worker, Slot execution, bool alone, const protocol::Outcome& outcome,
                BodyHandle body);
    void answer_done(const Worker& worker, Slot execution, const protocol::Outcome& outcome,
                     BodyHandle body);
    // It failed: again after a while, unless its attempts are used up.
    void failed(Slot execution, std::uint64_t counter, std::string_view worker,
                protocol::ErrorCode code, std::string_view sentence);
    // Its worker was lost with it: again and alone, unless its budget is used up.
    void crashed(Slot execution, std::string_view worker, protocol::ErrorCode code,
                 std::string_view sentence);
    // It goes to the front of where it waits, at the next requeue(), and into the journal unless
    // that was told already.
    void put_back(Slot execution, std::uint64_t counter, bool told = false);
    void requeue();
    void wait(Slot execution, Time retry_due, bool front);
    void journal(Slot execution, const AttemptNote* note);
    // The queue may be failing.
    void note_failure(const ExecutionRecord& execution) const;
    [[nodiscard]] AttemptNote note(protocol::AttemptOutcome outcome, protocol::ErrorCode code,
                                   bool charged_crash, std::string_view worker,
                                   std::string_view sentence);

    // dispatcher.cpp
    std::size_t dispatch_from(Queue& queue);
    std::size_t dispatch_aside(Queue& queue);
    void make_way(Queue& queue);
    // What the queue earns in a turn, in microseconds.
    [[nodiscard]] std::int64_t grant_of(const Queue& queue) const;
    bool pay_debts();
    [[nodiscard]] static bool may_deliver(const Queue& queue);
    [[nodiscard]] std::uint64_t bytes_of(Slot execution) const;
    [[nodiscard]] Worker* pick(const Queue& queue, Slot execution, std::uint64_t bytes,
                               bool versioned) const;
    // Microseconds that an attempt of the flow will take.
    [[nodiscard]] std::uint32_t estimate(Queue& queue, Slot flow, std::uint64_t bytes) const;
    // True: gave one.
    bool dispatch_alone(Queue& queue, LaneKind kind);
    void free_reserved();
    [[nodiscard]] Worker* reserve(Queue& queue, std::uint64_t bytes, bool versioned);
    void deliver(Queue& queue, Worker& worker, Slot execution, bool alone);
    [[nodiscard]] std::uint64_t deadline_ms(const ExecutionRecord& execution) const;
    [[nodiscard]] bool may_be_kept(const Queue& queue, const Worker& worker, Slot slot) const;
    void forget_conflated(Queue& queue, Slot execution);
    protocol::Deliver& open_batch(Queue& queue, Worker& worker, std::size_t encoded_bytes);
    void note_started(Worker& worker);

    CoreState* state_;
    Leases* leases_;
    Ending* ending_;
    Shedding shedding_;
    struct PutBack {
        std::uint64_t counter{};
        Slot execution = kNoSlot;
        bool told = false;
    };
    std::vector<PutBack> put_back_;
    std::vector<Worker*> started_by_;  // in the dispatch under way
    std::uint64_t pass_ = 0;
    std::uint64_t outgoing_ = 0;   // bytes that this pass may still send
    std::uint64_t allowed_ = 0;    // attempts whose results there is memory for
    std::uint64_t pass_luck_ = 1;  // changes whenever another worker may take what none took before
    std::uint16_t reserved_for_ = 0;  // the queue whose large execution a worker is kept free for
};

}  // namespace scanmq::broker
