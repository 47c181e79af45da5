#pragma once
// Publisher: subscriptions, and the RESULTS that go to them as far as their credit reaches.
//
// Threads:   broker loop only. Borrows: CoreState (outlives this).
// Limits:    options.subscriptions_per_session_max; one call looks at kScanMax entries of a
//            subscription and sends kBytesMax of them: the rest follows in the next one.
// See:       docs/PROTOCOL.md, sections 7 and 9

#include "broker/core/core_state.hpp"

namespace scanmq::broker {

class Publisher {
  public:
    explicit Publisher(CoreState& state) : state_(&state) {}

    void subscribe(Session& session, const protocol::Header& header,
                   const protocol::Subscribe& message);
    void unsubscribe(Session& session, const protocol::Header& header,
                     const protocol::Unsubscribe& message);
    // CREDIT of link results.
    void raise_limit(Session& session, const protocol::Header& header,
                     const protocol::CreditGrant& message);
    // Sends what is new to every subscription that has credit.
    void publish();
    // Tells the session's subscriptions how far they have come without a match.
    void tell_progress(Session& session);

    // The session is about to close.
    void drop(Session& session);
    // The queue is about to go: what credit allows is sent, then each subscription ends with unknown_queue.
    void end_all(Queue& queue);

  private:
    static constexpr std::uint64_t kScanMax = 16'384;
    static constexpr std::uint64_t kBytesMax = 4U << 20;
    // A subscription that nothing matches is told of its progress this often, in entries.
    static constexpr std::uint64_t kTellEvery = 4'096;

    // True when there is more to do for it.
    bool publish_one(Queue& queue, Subscription& subscription);
    void send_batch(Queue& queue, Subscription& subscription);

    CoreState* state_;
    Subscription::Batch batch_;
};

}  // namespace scanmq::broker
