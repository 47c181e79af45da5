#pragma once
// Publisher: subscriptions, durable or not, and the RESULTS that go to them as far as their credit
//            reaches.
//
// Threads:   broker loop only. Borrows: CoreState (outlives this).
// Invariant: a cursor is held by at most one subscription, and moves only to what that was sent.
// Limits:    options.subscriptions_per_session_max, cursors_per_queue_max; one call looks at
//            kScanMax entries of a subscription and sends kBytesMax of them: the rest follows in the
//            next one.
// See:       docs/PROTOCOL.md, sections 7 and 9

#include "broker/core/core_state.hpp"

namespace scanmq::broker {

class Publisher {
  public:
    explicit Publisher(CoreState& state) : state_(&state) {}

    // These four are in subscriptions.cpp.
    void subscribe(Session& session, const protocol::Header& header,
                   const protocol::Subscribe& message);
    void unsubscribe(Session& session, const protocol::Header& header,
                     const protocol::Unsubscribe& message);
    void ack(Session& session, const protocol::Header& header, const protocol::Ack& message);
    // CREDIT of link results.
    void raise_limit(Session& session, const protocol::Header& header,
                     const protocol::CreditGrant& message);
    // Sends what is new to every subscription that has credit.
    void publish();
    // Tells the session's subscriptions how far they have come without a match.
    void tell_progress(Session& session);

    // Durable names whose time is over lapse, lapsed ones are forgotten. When it has to be called
    // again; Time::max(): when a cursor is left. subscriptions.cpp
    Time expire(Queue& queue);

    // The session is about to close. subscriptions.cpp
    void drop(Session& session);
    // The queue is about to go: what credit allows is sent, then each subscription ends with
    // unknown_queue, and no cursor is left.
    void end_all(Queue& queue);

    // After a restart: takes a durable subscription's cursor back. subscriptions.cpp
    void restore(Queue& queue, std::string_view name, const CursorRow& row);

  private:
    static constexpr std::uint64_t kScanMax = 16'384;
    static constexpr std::uint64_t kBytesMax = 4U << 20;
    // A subscription that nothing matches is told of its progress this often, in entries.
    static constexpr std::uint64_t kTellEvery = 4'096;
    // So many cursors of a queue lapse in one call.
    static constexpr std::size_t kLapseMax = 1'024;

    // A number this session does not know: nullptr, and it was told.
    [[nodiscard]] Subscription* find(Session& session, const protocol::Header& header,
                                     protocol::Kind kind, std::uint64_t number);
    // Another subscription takes the cursor: the one that holds it ends.
    void take_over(const Cursor& cursor);
    // Ends it; its cursor stays behind, idle.
    void end(Session& session, Subscription& subscription);

    // True when there is more to do for it.
    bool publish_one(Queue& queue, Subscription& subscription);
    void send_batch(Queue& queue, Subscription& subscription);

    CoreState* state_;
    Subscription::Batch batch_;
    std::uint64_t pass_bytes_ = 0;  // of results sent in the publish() under way
};

}  // namespace scanmq::broker
