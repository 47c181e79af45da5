#pragma once
// WorkerHarness: a WorkerCore in virtual time, with the other side of the wire played by the test.
//
// Frames are moved through the core as values; bodies are the test's own strings.

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "worker/core/worker_core.hpp"

namespace scanmq::worker::test {

using protocol::AttemptOutcome;
using protocol::Credit;
using protocol::ErrorCode;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

class WorkerHarness {
  public:
    explicit WorkerHarness(WorkerOptions options = {}) : core(options, now) {}

    static WorkerOptions with_threads(std::uint32_t threads) {
        WorkerOptions options;
        options.threads = threads;
        return options;
    }

    // A RECLAIM is answered at once, unless a test turns that off.
    bool answers_reclaim = true;

    void event(const Event& event) { events({event}); }
    void events(const std::vector<Event>& batch) {
        effects.clear();
        core.handle(batch, now, effects);
        note_effects();
        if (reclaim_asked && answers_reclaim) answer_reclaim();
    }
    // As the broker does: what it has sent is the limit. Keeps the effects of before beside its own.
    void answer_reclaim() {
        reclaim_asked = false;
        limit = delivered;
        Effects before = std::move(effects);
        effects = {};
        protocol::Frame frame;
        frame.header = {protocol::kBroker, core.session(), ++broker_seq};
        frame.message = protocol::Reclaimed{{}, delivered};
        const Event event = FrameEvent{&frame};
        core.handle({&event, 1}, now, effects);
        note_effects();
        std::move(effects.sends.begin(), effects.sends.end(), std::back_inserter(before.sends));
        before.starts.insert(before.starts.end(), effects.starts.begin(), effects.starts.end());
        effects = std::move(before);
    }
    void frame(protocol::Message message, std::uint64_t session = kSession) {
        protocol::Frame frame;
        frame.header = {protocol::kBroker, {session}, ++broker_seq};
        frame.message = std::move(message);
        event(FrameEvent{&frame});
    }
    // Passes time, ticking whenever the core asked for it.
    void advance(Duration by) {
        const Time end = now + by;
        effects.clear();
        while (core.next_deadline() && *core.next_deadline() <= end) {
            now = std::max(now, *core.next_deadline());
            core.tick(now, effects);
        }
        now = end;
        note_effects();
        if (reclaim_asked && answers_reclaim) answer_reclaim();
    }

    static protocol::Welcome welcome(std::uint64_t session = kSession) {
        protocol::Welcome welcome;
        welcome.session = {session};
        welcome.epoch = kEpoch;
        welcome.heartbeat_ms = 2500;
        welcome.dead_after_ms = 7500;
        welcome.blob_endpoint = "tcp://127.0.0.1:9";
        welcome.resume = "resume";
        return welcome;
    }
    void open() {
        event(ConnectedEvent{});
        now += milliseconds(1);
        frame(welcome(), 0);
        ASSERT_EQ(core.phase(), WorkerCore::Phase::open);
    }
    // DELIVER of n attempts without inputs, counters rising from the last.
    void deliver(std::size_t n, std::string_view payload = "payload") {
        protocol::Deliver deliver{kEpoch, "scans", {}};
        for (std::size_t i = 0; i < n; ++i) {
            deliver.attempts.push_back({++counter, {}, "SPY", {payload, 0}, {}});
        }
        delivered.items += n;
        delivered.bytes += n * (payload.size() + protocol::kLimits.item_overhead_bytes);
        frame(std::move(deliver), core.session().value);
    }
    // The session is over, and the next begins: HELLO lists what is held, WELCOME adopts `adopted`.
    // Returns what HELLO listed.
    std::vector<protocol::WorkerInfo::Held> lose_and_greet(std::vector<protocol::Token> adopted,
                                                           std::uint64_t session = kSession + 1,
                                                           std::uint64_t epoch = kEpoch) {
        if (core.phase() == WorkerCore::Phase::open) event(DisconnectedEvent{});
        event(ConnectedEvent{});
        const auto hello = sent<protocol::Hello>();
        EXPECT_EQ(hello.size(), 1U);
        auto next = welcome(session);
        next.adopted = std::move(adopted);
        next.epoch = epoch;
        frame(std::move(next), 0);
        return hello.at(0).worker->held;
    }
    void tell_result(AttemptId attempt, std::string_view body,
                     AttemptOutcome outcome = AttemptOutcome::done) {
        event(FinishedEvent{attempt, outcome, body, ErrorCode::none, {}, seconds(1)});
    }
    // Finishes the oldest n started attempts, in one batch.
    void finish(std::size_t n, Duration service, std::string_view body = "result") {
        std::vector<Event> batch;
        for (std::size_t i = 0; i < n; ++i) {
            ASSERT_FALSE(started.empty());
            batch.push_back(FinishedEvent{
                started.front(), AttemptOutcome::done, body, ErrorCode::none, {}, service});
            started.pop_front();
        }
        events(batch);
    }

    template <class M>
    std::vector<M> sent() const {
        std::vector<M> out;
        for (const Send& send : effects.sends) {
            if (const M* message = std::get_if<M>(&send.message)) out.push_back(*message);
        }
        return out;
    }
    std::vector<protocol::Outcome> outcomes() const {
        std::vector<protocol::Outcome> out;
        for (const protocol::Done& done : sent<protocol::Done>()) {
            out.insert(out.end(), done.outcomes.begin(), done.outcomes.end());
        }
        return out;
    }

    static constexpr std::uint64_t kSession = 71;
    static constexpr std::uint64_t kEpoch = 5;

    Time now{seconds(1000)};
    WorkerCore core;
    Effects effects;                // of the last call
    std::deque<AttemptId> started;  // by the core, not finished yet
    std::vector<Taken> taken;       // ids only: the frames are gone
    Credit limit;                   // last announced to the broker
    Credit delivered;               // in this session
    bool reclaim_asked = false;
    std::uint64_t counter = 0;
    std::uint64_t broker_seq = 0;

  private:
    void raise(Credit to) {
        limit = {std::max(limit.items, to.items), std::max(limit.bytes, to.bytes)};
    }
    void note_effects() {
        started.insert(started.end(), effects.starts.begin(), effects.starts.end());
        taken.insert(taken.end(), effects.taken.begin(), effects.taken.end());
        for (const Send& send : effects.sends) {
            if (std::holds_alternative<protocol::Hello>(send.message)) limit = delivered = {};
            if (std::holds_alternative<protocol::Reclaim>(send.message)) reclaim_asked = true;
            if (const auto* done = std::get_if<protocol::Done>(&send.message)) raise(done->limit);
            if (const auto* credit = std::get_if<protocol::CreditGrant>(&send.message))
                raise(credit->limit);
        }
    }
};

}  // namespace scanmq::worker::test
