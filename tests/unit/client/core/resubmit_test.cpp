// What becomes of jobs whose frame was refused, or whose broker went away.

#include "core_rig.hpp"

namespace scanmq::client {
namespace {

using protocol::Credit;
using protocol::ErrorCode;
using protocol::JobState;
using protocol::Verdict;

constexpr std::uint64_t kMany = 1'000'000;

class ClientResubmit : public testing::Test {
  protected:
    void SetUp() override {
        p = rig.producer();
        rig.open();
    }
    std::unique_ptr<Sent> submitted(std::string_view payload) {
        EXPECT_TRUE(rig.submit(p, payload).ok());
        rig.tick();
        rig.grant(kMany, kMany);
        return rig.take<protocol::Submit>();
    }
    Id128 id_in(const std::unique_ptr<Sent>& submit, std::size_t job = 0) {
        return rig.message<protocol::Submit>(submit).jobs.at(job).id;
    }
    // The broker was killed and started again.
    void restart() {
        ++rig.epoch;
        rig.sent.clear();
        rig.connected();
        rig.greet();
    }

    CoreRig rig;
    std::uint32_t p = 0;
};

TEST_F(ClientResubmit, ABrokerThatKeptItsStateAnswersDuplicateWithTheState) {
    const auto first = submitted("a");
    ASSERT_TRUE(first);
    const Id128 id = id_in(first);
    restart();
    EXPECT_EQ(rig.core.session().epoch, 2U);
    rig.grant(kMany, kMany);
    const auto again = rig.take<protocol::Submit>();
    ASSERT_TRUE(again);
    EXPECT_EQ(id_in(again), id);
    rig.accept(again, {{0, Verdict::duplicate, JobState::finished, {}, {}}});
    ASSERT_EQ(rig.answers.size(), 1U);
    EXPECT_TRUE(rig.answers[0].taken());
    EXPECT_EQ(rig.answers[0].state, JobState::finished);
}

TEST_F(ClientResubmit, ABrokerThatKeptNothingAcceptsTheSameIdAsNew) {
    const Id128 id = id_in(submitted("a"));
    restart();
    rig.grant(kMany, kMany);
    const auto again = rig.take<protocol::Submit>();
    ASSERT_TRUE(again);
    EXPECT_EQ(id_in(again), id);
    rig.accept(again);
    ASSERT_EQ(rig.answers.size(), 1U);
    EXPECT_EQ(rig.answers[0].verdict, Verdict::accepted);
    EXPECT_EQ(rig.core.stats().resubmitted, 1U);
}

TEST_F(ClientResubmit, WhatAnotherJobsWorkCoversMeanwhileIsTaken) {
    (void)submitted("a");
    restart();
    rig.grant(kMany, kMany);
    rig.accept(rig.take<protocol::Submit>(), {{0, Verdict::coalesced, JobState::queued, {}, {}}});
    ASSERT_EQ(rig.answers.size(), 1U);
    EXPECT_TRUE(rig.answers[0].taken());
}

TEST_F(ClientResubmit, ABrokerWithoutTheQueueRefusesWhatWasUnanswered) {
    (void)submitted("a");
    restart();
    const auto want = rig.take<protocol::Want>();
    ASSERT_TRUE(want);
    rig.error(want, ErrorCode::unknown_queue, "create it");
    ASSERT_EQ(rig.answers.size(), 1U);
    EXPECT_EQ(rig.answers[0].code, ErrorCode::unknown_queue);
    EXPECT_EQ(rig.answer_sentences[0], "create it");
}

TEST_F(ClientResubmit, AnIdTheBrokerFindsTooOldIsSurfaced) {
    (void)submitted("a");
    restart();
    rig.grant(kMany, kMany);
    rig.accept(rig.take<protocol::Submit>(),
               {{0, Verdict::refused, {}, ErrorCode::id_too_old, "use a new id"}});
    ASSERT_EQ(rig.answers.size(), 1U);
    EXPECT_EQ(rig.answers[0].code, ErrorCode::id_too_old);
}

TEST_F(ClientResubmit, ABatchRefusedTwiceIsSurfacedAlthoughOthersWereTakenBetween) {
    auto bad = submitted("bad");
    ASSERT_TRUE(bad);
    rig.error(bad, ErrorCode::over_credit, "first");
    EXPECT_TRUE(rig.answers.empty());
    rig.grant(1, 1000);
    bad = rig.take<protocol::Submit>();
    ASSERT_TRUE(bad);
    rig.accept(submitted("good"));  // the broker gives credit and takes another
    EXPECT_EQ(rig.answers.size(), 1U);
    rig.error(bad, ErrorCode::over_credit, "second");
    ASSERT_EQ(rig.answers.size(), 2U);
    EXPECT_EQ(rig.answers[1].verdict, Verdict::refused);
    EXPECT_EQ(rig.answers[1].code, ErrorCode::over_credit);
    EXPECT_EQ(rig.answer_sentences[1], "second");
    EXPECT_EQ(rig.core.producer_stats(p).waiting + rig.core.producer_stats(p).unanswered, 0U);
}

TEST_F(ClientResubmit, OfABatchRefusedAgainTheNewJobsHaveTheirSecondTry) {
    rig.error(submitted("old"), ErrorCode::over_credit);
    ASSERT_TRUE(rig.submit(p, "new").ok());
    rig.grant(2, 1000);
    const auto both = rig.take<protocol::Submit>();
    ASSERT_TRUE(both);
    ASSERT_EQ(rig.message<protocol::Submit>(both).jobs.size(), 2U);
    rig.error(both, ErrorCode::over_credit, "again");
    ASSERT_EQ(rig.answers.size(), 1U);
    EXPECT_EQ(rig.answers[0].ticket.value, 1U);
    rig.grant(2, 1000);
    rig.accept(rig.take<protocol::Submit>());
    EXPECT_EQ(rig.core.producer_stats(p).accepted, 1U);
}

TEST_F(ClientResubmit, AFrameThatWouldBeRefusedTheSameWayIsNotSentAgain) {
    for (const ErrorCode code : {ErrorCode::malformed, ErrorCode::unknown_queue,
                                 ErrorCode::frame_too_large, ErrorCode::not_permitted}) {
        rig.answers.clear();
        rig.answer_sentences.clear();
        const auto batch = submitted("x");
        ASSERT_TRUE(batch);
        rig.error(batch, code, "says why");
        ASSERT_EQ(rig.answers.size(), 1U);
        EXPECT_EQ(rig.answers[0].code, code);
        EXPECT_EQ(rig.answer_sentences[0], "says why");
        rig.advance(10ms);
        EXPECT_EQ(rig.count<protocol::Submit>(), 0U);
    }
}

TEST_F(ClientResubmit, AFullStoreIsAskedAgainWithGrowingPausesAndShown) {
    ASSERT_TRUE(rig.submit(p, "x").ok());
    rig.tick();
    Duration pause = 100ms;
    for (int i = 0; i < 8; ++i) {
        const auto want = rig.take<protocol::Want>();
        ASSERT_TRUE(want) << i;
        rig.error(want, ErrorCode::store_full, "no room");
        EXPECT_EQ(rig.core.producer_stats(p).held, ErrorCode::store_full);
        EXPECT_EQ(rig.core.stats().holds, static_cast<std::uint64_t>(i) + 1);
        EXPECT_LE(rig.core.next_deadline(), rig.now.time + pause);
        // Nothing before its time; heartbeats keep the session.
        for (Duration left = pause - 1ms; left > 0ms;) {
            const Duration step = std::min<Duration>(left, 1s);
            left -= step;
            rig.advance(step);
            rig.feed(protocol::Heartbeat{0, 0, {}});
        }
        EXPECT_EQ(rig.count<protocol::Want>(), 0U);
        rig.advance(1ms);
        pause = std::min<Duration>(pause * 2, 5s);
    }
    EXPECT_TRUE(rig.answers.empty());
    rig.grant(1, 1000);
    EXPECT_EQ(rig.core.producer_stats(p).held, ErrorCode::none);
    rig.accept(rig.take<protocol::Submit>());
    EXPECT_EQ(rig.core.producer_stats(p).accepted, 1U);
}

TEST_F(ClientResubmit, AfterAPauseTheNextDeadlineLiesAheadWhileTheWantIsOpen) {
    ASSERT_TRUE(rig.submit(p, "x").ok());
    rig.tick();
    rig.error(rig.take<protocol::Want>(), ErrorCode::store_full);
    rig.advance(100ms);
    ASSERT_TRUE(rig.take<protocol::Want>());
    EXPECT_GT(rig.core.next_deadline(), rig.now.time);
}

// Found by the credit property: a grant of the WANT before would pass the limit given back.
TEST_F(ClientResubmit, CreditIsNotReturnedBeforeTheWantOfNothingWasTaken) {
    rig.accept(submitted("x"), {}, {100, 10'000});
    rig.sent.clear();
    const auto pong = [&] {
        const auto ping = rig.take<protocol::Heartbeat>();
        ASSERT_TRUE(ping);
        rig.feed(protocol::Heartbeat{0, rig.message<protocol::Heartbeat>(ping).ping, {}});
    };
    rig.feed(protocol::Reclaim{"q"});
    rig.error(rig.take<protocol::Want>(), ErrorCode::store_full);
    pong();
    EXPECT_EQ(rig.count<protocol::Reclaimed>(), 0U);
    EXPECT_LE(rig.core.next_deadline(), rig.now.time + 100ms);
    rig.sent.clear();
    rig.advance(100ms);
    const auto again = rig.take<protocol::Want>();
    ASSERT_TRUE(again);
    EXPECT_EQ(rig.message<protocol::Want>(again).want, Credit{});
    pong();
    EXPECT_EQ(rig.count<protocol::Reclaimed>(), 1U);
}

TEST_F(ClientResubmit, ABatchTheFullStoreRefusedIsKeptAndSentAgainUnderItsIds) {
    const auto batch = submitted("x");
    ASSERT_TRUE(batch);
    const Id128 id = id_in(batch);
    rig.error(batch, ErrorCode::store_full);
    EXPECT_TRUE(rig.answers.empty());
    EXPECT_EQ(rig.core.producer_stats(p).waiting, 1U);
    EXPECT_EQ(rig.count<protocol::Submit>(), 0U);
    rig.advance(100ms);
    const auto again = rig.take<protocol::Submit>();
    ASSERT_TRUE(again);
    EXPECT_EQ(id_in(again), id);
    rig.accept(again);
    EXPECT_EQ(rig.core.producer_stats(p).accepted, 1U);
}

TEST_F(ClientResubmit, ADrainingQueueRefusesAndItsCountsGoOnWhenItIsResumed) {
    rig.accept(submitted("before"), {}, {1, 100});
    rig.sent.clear();
    rig.feed(protocol::Reclaim{"q"});
    const auto ping = rig.take<protocol::Heartbeat>();
    ASSERT_TRUE(ping);
    ASSERT_TRUE(rig.submit(p, "during").ok());
    rig.sent.clear();
    rig.feed(protocol::Heartbeat{0, rig.message<protocol::Heartbeat>(ping).ping, {}});
    const auto want = rig.take<protocol::Want>();
    ASSERT_TRUE(want);
    rig.error(want, ErrorCode::queue_draining, "resume it");
    ASSERT_EQ(rig.answers.size(), 2U);
    EXPECT_EQ(rig.answers[1].code, ErrorCode::queue_draining);

    ASSERT_TRUE(rig.submit(p, "after").ok());
    rig.tick();
    const auto next = rig.take<protocol::Want>();
    ASSERT_TRUE(next);
    EXPECT_EQ(rig.message<protocol::Want>(next).sent, (Credit{1, 6 + 64}));
    rig.grant(kMany, kMany);
    rig.accept(rig.take<protocol::Submit>(),
               {{0, Verdict::refused, {}, ErrorCode::queue_draining, "resume it"}});
    EXPECT_EQ(rig.answers[2].code, ErrorCode::queue_draining);
}

// --- producers with a journal

TEST_F(ClientResubmit, AJournaledProducerIsToldTheIdsBeforeItsJobsAreSent) {
    ProducerSettings settings;
    settings.journaled = true;
    const auto journaled = rig.producer("j", settings);
    Id128 own;
    own.bytes[15] = 9;
    ASSERT_TRUE(rig.submit(journaled, "a").ok());
    ASSERT_TRUE(rig.submit(journaled, "b", {}, "s", own).ok());
    EXPECT_TRUE(rig.stamps.empty());
    rig.grant(kMany, kMany, "j");
    const auto submit = rig.take<protocol::Submit>();
    ASSERT_TRUE(submit);
    ASSERT_EQ(rig.stamps.size(), 1U);  // an id of the caller's is known already
    EXPECT_EQ(rig.stamps[0].producer, journaled);
    EXPECT_EQ(rig.stamps[0].ticket.value, 1U);
    EXPECT_EQ(rig.stamps[0].id, id_in(submit));
}

TEST_F(ClientResubmit, ARestoredJobIsTakenBeyondTheBufferAndKeepsItsId) {
    ProducerSettings settings;
    settings.journaled = true;
    settings.buffer_items_max = 1;
    const auto journaled = rig.producer("j", settings);
    Id128 id;
    id.bytes[15] = 9;
    for (int i = 0; i < 2; ++i) {
        Job job;
        job.payload = "x";
        job.id = id;
        id.bytes[14] = 1;
        ASSERT_TRUE(rig.core.restore(journaled, job, nullptr, rig.now, rig.effects).ok());
    }
    EXPECT_EQ(rig.submit(journaled, "more").error().kind, ErrorKind::buffer_full);
    rig.grant(kMany, kMany, "j");
    const auto submit = rig.take<protocol::Submit>();
    ASSERT_TRUE(submit);
    EXPECT_EQ(id_in(submit, 1), id);
    EXPECT_TRUE(rig.stamps.empty());
    EXPECT_EQ(rig.core.stats().resubmitted, 2U);
}

TEST_F(ClientResubmit, WhatARemovedJournaledProducerHadNotSentIsNotSent) {
    ProducerSettings settings;
    settings.journaled = true;
    const auto journaled = rig.producer("j", settings);
    ASSERT_TRUE(rig.submit(journaled, "sent").ok());
    rig.grant(1, 1000, "j");
    const auto sent = rig.take<protocol::Submit>();
    ASSERT_TRUE(sent);
    ASSERT_TRUE(rig.submit(journaled, "not sent").ok());
    rig.core.remove_producer(journaled);
    rig.grant(kMany, kMany, "j");
    EXPECT_EQ(rig.count<protocol::Submit>(), 0U);
    rig.connected();
    rig.greet();
    rig.grant(kMany, kMany, "j");
    const auto again = rig.take<protocol::Submit>();
    ASSERT_TRUE(again);
    EXPECT_EQ(rig.message<protocol::Submit>(again).jobs.size(), 1U);
    rig.accept(again);
    EXPECT_EQ(rig.core.link("j")->waiting() + rig.core.link("j")->in_flight(), 0U);
}

}  // namespace
}  // namespace scanmq::client
