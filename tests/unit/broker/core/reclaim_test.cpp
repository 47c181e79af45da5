// BrokerCore: RECLAIM on the deliver link: a worker that takes nothing for a while.

#include <algorithm>
#include <deque>

#include "common/protocol/credit.hpp"
#include "tests/unit/broker/core/core_test.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;
using protocol::Reclaim;
using protocol::Reclaimed;

class ReclaimTest : public CoreTest {
  protected:
    static Credit reclaim(Peer& peer) {
        peer.send(Reclaim{});
        return peer.next<Reclaimed>().sent;
    }
    std::string explain(std::uint64_t number, const std::string& column) {
        h.op().send(protocol::Query{"explain", "q/" + job_id(number).hex()});
        return value(h.op().next<protocol::Answer>().rows.at(0), column);
    }
    static constexpr std::uint64_t kJobBytes = 64 + 7;  // overhead, "payload"
};

TEST_F(ReclaimTest, TheAnswerCountsWhatWasDeliveredAndNothingFollows) {
    Peer& w = worker("w", {10, 100'000});
    accept(1);
    accept(2);
    EXPECT_EQ(given(w), (Numbers{1, 2}));
    EXPECT_EQ(reclaim(w), (Credit{2, 2 * kJobBytes}));
    accept(3);
    EXPECT_EQ(given(w), Numbers{});
    EXPECT_EQ(h.core.counter("worker_reclaims"), 1U);
    EXPECT_EQ(explain(3, "reason"), "no_credit");
    EXPECT_NE(explain(3, "sentence").find("gave their credit back"), std::string::npos);
}

TEST_F(ReclaimTest, ADoneThatTellsNoMoreDoesNotStartItAgain) {
    Peer& w = worker("w", {10, 100'000});
    accept(jobs(job(1), job(2)));
    given(w);
    const std::uint64_t first = counters.at(0);
    EXPECT_EQ(reclaim(w), (Credit{2, 2 * kJobBytes}));
    accept(3);
    w.send(done({first}, AttemptOutcome::done, {2, 2 * kJobBytes}));
    EXPECT_EQ(given(w), Numbers{});
    EXPECT_EQ(ends().size(), 1U);
    w.send(done({first}, AttemptOutcome::done, {3, 3 * kJobBytes}));
    EXPECT_EQ(given(w), Numbers{3}) << "even a stale DONE tells a limit";
}

TEST_F(ReclaimTest, CreditStartsItAgain) {
    Peer& w = worker("w", {10, 100'000});
    accept(1);
    given(w);
    EXPECT_EQ(reclaim(w), (Credit{1, kJobBytes}));
    accept(2);
    accept(3);
    grant(w, {2, 2 * kJobBytes});
    EXPECT_EQ(given(w), Numbers{2});
    EXPECT_EQ(explain(3, "sentence").find("gave their credit back"), std::string::npos);
    grant(w, {10, 100'000});
    EXPECT_EQ(given(w), Numbers{3});
}

TEST_F(ReclaimTest, OthersGetWhatItDoesNotTake) {
    Peer& away = worker("away", {10, 100'000});
    EXPECT_EQ(reclaim(away), Credit{});
    accept(1);
    EXPECT_EQ(given(away), Numbers{});
    EXPECT_EQ(given(worker("there", {10, 100'000})), Numbers{1});
}

TEST_F(ReclaimTest, InOneBatchTheAnswerGoesBeforeWhatIsDeliveredAfterwards) {
    Peer& w = worker("w", {1, 100'000});
    accept(jobs(job(1), job(2), job(3)));
    EXPECT_EQ(given(w), Numbers{1});
    w.post(protocol::CreditGrant{protocol::Link::deliver, "", 0, {3, 100'000}});
    w.post(Reclaim{});
    w.post(protocol::CreditGrant{protocol::Link::deliver, "", 0, {2, 100'000}});
    h.flush();
    ASSERT_EQ(w.inbox.size(), 2U);
    EXPECT_TRUE(std::holds_alternative<Reclaimed>(w.inbox.front().message));
    EXPECT_EQ(w.next<Reclaimed>().sent, (Credit{1, kJobBytes}));
    EXPECT_EQ(given(w), Numbers{2});
}

TEST_F(ReclaimTest, WhatRunsAloneDoesNotWaitForAWorkerThatIsAway) {
    Peer& away = worker("away", {10, 100'000});
    accept(1);
    given(away);
    EXPECT_EQ(reclaim(away), (Credit{1, kJobBytes}));
    Peer& victim = worker("victim", {10, 100'000});
    accept(2);
    EXPECT_EQ(given(victim), Numbers{2});
    heartbeat(victim, counters);
    lose(victim, {&away});
    EXPECT_EQ(given(away), Numbers{});
    EXPECT_EQ(given(worker("there", {10, 100'000})), Numbers{2});
}

TEST_F(ReclaimTest, OnlyWorkersAndOnlyOfTheirOwnLink) {
    Peer& w = worker();
    w.send(Reclaim{"q"});
    EXPECT_EQ(w.error(), ErrorCode::malformed);
    producer->send(Reclaim{});
    EXPECT_EQ(producer->error(), ErrorCode::not_permitted);
}

// The worker's half by the same rule, frames of both sides under way in any interleaving.
TEST_F(ReclaimTest, NoInterleavingPassesTheCreditOrLosesIt) {
    Rng rng(5);
    Peer& w = worker("w", {});
    protocol::CreditReceiver link;
    std::uint64_t number = 0;
    Numbers open;
    const auto hear = [&] {
        while (!w.inbox.empty()) {
            if (std::holds_alternative<Reclaimed>(w.inbox.front().message)) {
                const Credit sent = w.next<Reclaimed>().sent;
                EXPECT_EQ(sent, link.received());
                static_cast<void>(link.reclaimed(sent));
            } else if (std::holds_alternative<protocol::Deliver>(w.inbox.front().message)) {
                const auto& attempts = w.next<protocol::Deliver>().attempts;
                EXPECT_TRUE(link.receive({attempts.size(), attempts.size() * kJobBytes}));
                for (const auto& attempt : attempts) open.push_back(attempt.counter);
            } else {
                FAIL() << "an unexpected frame";
            }
        }
    };
    for (int step = 0; step < 3'000; ++step) {
        switch (rng.below(6)) {
            case 0:
            case 1:
                accept(jobs(job(++number)));
                producer->send(protocol::Want{"q", {number, number * kJobBytes}, {100, 100'000}});
                break;
            case 2:
                link.raise(plus(link.received(), {rng.below(5), rng.below(5) * kJobBytes}));
                w.post(protocol::CreditGrant{protocol::Link::deliver, "", 0, link.told()});
                break;
            case 3:
                if (open.empty()) break;
                link.raise(plus(link.received(), {1, kJobBytes}));
                w.post(done({open.back()}, AttemptOutcome::done, link.told()));
                open.pop_back();
                break;
            case 4:
                if (rng.below(4) != 0 || w.count<Reclaimed>() > 0) break;
                link.ask_back();
                w.post(Reclaim{});
                h.flush();
                break;
            default:
                h.flush();
                // Some of what was sent is heard later than what is said next.
                if (rng.below(2) == 0) hear();
        }
    }
    h.flush();
    hear();
    // All that waits comes when there is credit for it.
    link.raise(plus(link.received(), {number, number * kJobBytes}));
    grant(w, link.limit());
    hear();
    EXPECT_EQ(link.received().items, number);
}

}  // namespace
}  // namespace scanmq::broker
