#include "core_rig.hpp"

namespace scanmq::client {
namespace {

using protocol::Credit;
using protocol::ErrorCode;
using protocol::Verdict;

constexpr std::uint64_t kMany = 1'000'000;

protocol::JobVerdict verdict(std::uint32_t index, Verdict v, ErrorCode code = {},
                             std::string sentence = {}) {
    return {index, v, v == Verdict::duplicate ? protocol::JobState::running : protocol::JobState{},
            code, std::move(sentence)};
}

TEST(ClientSubmit, AsksForCreditThenSendsOneBatch) {
    CoreRig rig;
    const auto p = rig.producer();
    rig.open();
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(rig.submit(p, "payload").ok());
    rig.tick();
    const auto want = rig.take<protocol::Want>();
    ASSERT_TRUE(want);
    EXPECT_EQ(rig.message<protocol::Want>(want).sent, Credit{});
    EXPECT_GE(rig.message<protocol::Want>(want).want.items, 3U);
    EXPECT_GE(rig.message<protocol::Want>(want).want.bytes, 3 * (7U + 64U));
    EXPECT_EQ(rig.count<protocol::Submit>(), 0U);

    rig.grant(3, 3 * (7 + 64));
    const auto submit = rig.take<protocol::Submit>();
    ASSERT_TRUE(submit);
    const auto& message = rig.message<protocol::Submit>(submit);
    ASSERT_EQ(message.jobs.size(), 3U);
    EXPECT_EQ(message.queue, "q");
    EXPECT_EQ(message.jobs[0].subject, "s.t");
    EXPECT_EQ(message.jobs[0].payload.bytes, "payload");
    EXPECT_LT(message.jobs[0].id, message.jobs[1].id);
    rig.accept(submit);
    ASSERT_EQ(rig.answers.size(), 3U);
    EXPECT_EQ(rig.answers[2].ticket.value, 3U);
    EXPECT_EQ(rig.answers[2].id, message.jobs[2].id);
    EXPECT_EQ(rig.core.producer_stats(p).accepted, 3U);
    EXPECT_EQ(rig.core.producer_stats(p).buffered_bytes, 0U);
}

TEST(ClientSubmit, ActiveProducerAsksAheadSoThatTheNextJobNeedsNoRoundTrip) {
    CoreRig rig;
    const auto p = rig.producer();
    rig.open();
    ASSERT_TRUE(rig.submit(p, "one").ok());
    rig.tick();
    const auto want = rig.take<protocol::Want>();
    ASSERT_TRUE(want);
    const Credit asked = rig.message<protocol::Want>(want).want;
    EXPECT_GT(asked.items, 1U);
    rig.grant(asked.items, asked.bytes);
    rig.accept(rig.take<protocol::Submit>());
    ASSERT_TRUE(rig.submit(p, "two").ok());
    rig.tick();
    EXPECT_EQ(rig.count<protocol::Submit>(), 1U);
}

TEST(ClientSubmit, IdsAreStampedWhenJobsTakeCreditAndKeptWhenGiven) {
    CoreRig rig;
    const auto p = rig.producer();
    rig.open();
    Id128 own;
    own.bytes[15] = 9;
    ASSERT_TRUE(rig.submit(p, "a").ok());
    ASSERT_TRUE(rig.submit(p, "b", {}, "s", own).ok());
    rig.feed(protocol::Heartbeat{0, 1, {}});
    rig.advance(2s);
    const WallMillis sent_at = rig.now.wall;
    rig.grant(kMany, kMany);
    const auto submit = rig.take<protocol::Submit>();
    ASSERT_TRUE(submit);
    const auto& jobs = rig.message<protocol::Submit>(submit).jobs;
    WallMillis stamped = 0;
    for (int i = 0; i < 6; ++i)
        stamped = stamped << 8 | jobs[0].id.bytes[static_cast<std::size_t>(i)];
    EXPECT_EQ(stamped, sent_at);
    EXPECT_EQ(jobs[1].id, own);
}

TEST(ClientSubmit, BatchesGrowWhileTheBrokerIsBusyAndFlushSendsAtOnce) {
    CoreRig rig;
    const auto p = rig.producer("q", {}, {100, 1U << 20, 2});
    rig.open();
    ASSERT_TRUE(rig.submit(p, "0").ok());
    rig.tick();
    rig.grant(kMany, kMany * 100);
    for (int i = 1; i < 10; ++i) {
        ASSERT_TRUE(rig.submit(p, "x").ok());
        rig.tick();
    }
    EXPECT_EQ(rig.count<protocol::Submit>(), 2U);  // then the broker is busy
    for (int i = 10; i < 102; ++i) {
        ASSERT_TRUE(rig.submit(p, "x").ok());
        rig.tick();
    }
    EXPECT_EQ(rig.count<protocol::Submit>(), 3U);  // a full one leaves
    rig.sent.clear();
    ASSERT_TRUE(rig.submit(p, "last").ok());
    rig.core.flush(p, rig.now, rig.effects);
    rig.settle();
    EXPECT_EQ(rig.count<protocol::Submit>(), 1U);
}

TEST(ClientSubmit, NothingIsFormedWhileTheSocketIsFull) {
    CoreRig rig;
    const auto p = rig.producer();
    rig.open();
    ASSERT_TRUE(rig.submit(p, "x").ok());
    rig.core.set_writable(Socket::main, false);
    rig.grant(kMany, kMany);
    EXPECT_EQ(rig.count<protocol::Submit>(), 0U);
    rig.core.set_writable(Socket::main, true);
    rig.tick();
    EXPECT_EQ(rig.count<protocol::Submit>(), 1U);
}

TEST(ClientSubmit, AGroupsJobsHaveABatchOfTheirOwn) {
    CoreRig rig;
    const auto p = rig.producer();
    rig.open();
    Id128 group;
    group.bytes[0] = 1;
    ASSERT_TRUE(rig.submit(p, "a").ok());
    ASSERT_TRUE(rig.submit(p, "b", group).ok());
    ASSERT_TRUE(rig.submit(p, "c", group).ok());
    rig.grant(kMany, kMany);
    const auto first = rig.take<protocol::Submit>();
    const auto second = rig.take<protocol::Submit>();
    ASSERT_TRUE(first && second);
    EXPECT_TRUE(rig.message<protocol::Submit>(first).group.is_zero());
    EXPECT_EQ(rig.message<protocol::Submit>(second).group, group);
    EXPECT_EQ(rig.message<protocol::Submit>(second).jobs.size(), 2U);
}

TEST(ClientSubmit, BatchesKeepTheFrameLimit) {
    CoreRig rig;
    const auto p = rig.producer("q", {}, {4096, 100U << 20, 64});
    rig.open();
    const std::string payload(200'000, 'x');
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(rig.submit(p, payload).ok());
    rig.grant(kMany, 100U << 20);
    std::size_t jobs = 0;
    while (const auto submit = rig.take<protocol::Submit>()) {
        EXPECT_LE(submit->bytes.size(), protocol::kLimits.frame_bytes_max);
        jobs += rig.message<protocol::Submit>(submit).jobs.size();
    }
    EXPECT_EQ(jobs, 20U);
}

TEST(ClientSubmit, ReconnectResubmitsExactlyTheUnansweredWithTheSameIds) {
    CoreRig rig;
    const auto p = rig.producer("q", {}, {2, 1U << 20, 64});
    rig.open();
    for (const char* payload : {"a", "b", "c", "d", "e"}) ASSERT_TRUE(rig.submit(p, payload).ok());
    rig.grant(4, kMany);
    const auto first = rig.take<protocol::Submit>();
    const auto second = rig.take<protocol::Submit>();
    ASSERT_TRUE(first && second);
    const Id128 c = rig.message<protocol::Submit>(second).jobs[0].id;
    const Id128 d = rig.message<protocol::Submit>(second).jobs[1].id;
    rig.accept(first, {}, {4, kMany});

    rig.sent.clear();
    rig.connected();
    rig.greet();
    EXPECT_EQ(rig.count<protocol::Submit>(), 0U);  // credit begins from nothing
    rig.grant(kMany, kMany);
    const auto again = rig.take<protocol::Submit>();
    const auto rest = rig.take<protocol::Submit>();
    ASSERT_TRUE(again && rest);
    ASSERT_EQ(rig.message<protocol::Submit>(again).jobs.size(), 2U);
    EXPECT_EQ(rig.message<protocol::Submit>(again).jobs[0].id, c);
    EXPECT_EQ(rig.message<protocol::Submit>(again).jobs[0].payload.bytes, "c");
    EXPECT_EQ(rig.message<protocol::Submit>(again).jobs[1].id, d);
    EXPECT_EQ(rig.message<protocol::Submit>(rest).jobs.at(0).payload.bytes, "e");
    EXPECT_FALSE(rig.take<protocol::Submit>());
    EXPECT_EQ(rig.core.stats().resubmitted, 2U);

    rig.accept(again, {verdict(0, Verdict::duplicate), verdict(1, Verdict::duplicate)});
    rig.accept(rest);
    EXPECT_EQ(rig.answers.size(), 5U);
    EXPECT_TRUE(rig.answers[2].taken());
    EXPECT_EQ(rig.answers[2].state, protocol::JobState::running);
    EXPECT_EQ(rig.core.producer_stats(p).accepted, 5U);
    EXPECT_EQ(rig.core.producer_stats(p).duplicates, 2U);
}

TEST(ClientSubmit, RefusedJobsAreSurfacedWithCodeAndSentence) {
    CoreRig rig;
    const auto p = rig.producer();
    rig.open();
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(rig.submit(p, "x").ok());
    rig.grant(kMany, kMany);
    rig.accept(rig.take<protocol::Submit>(),
               {verdict(2, Verdict::refused, ErrorCode::id_conflict, "other content"),
                verdict(0, Verdict::refused, ErrorCode::unknown_snapshot, "put it"),
                verdict(77, Verdict::refused, ErrorCode::id_conflict, "no such job")});
    ASSERT_EQ(rig.answers.size(), 3U);
    EXPECT_EQ(rig.answers[0].code, ErrorCode::unknown_snapshot);
    EXPECT_EQ(rig.answer_sentences[0], "put it");
    EXPECT_TRUE(rig.answers[1].taken());
    EXPECT_EQ(rig.answers[2].code, ErrorCode::id_conflict);
    EXPECT_EQ(rig.answer_sentences[2], "other content");
    EXPECT_EQ(rig.core.producer_stats(p).refused, 2U);
}

TEST(ClientSubmit, AnErrorForAFrameRefusesItsJobsOnly) {
    CoreRig rig;
    const auto p = rig.producer("q", {}, {1, 1U << 20, 64});
    rig.open();
    ASSERT_TRUE(rig.submit(p, "a").ok());
    ASSERT_TRUE(rig.submit(p, "b").ok());
    rig.grant(kMany, kMany);
    const auto first = rig.take<protocol::Submit>();
    rig.error(first, ErrorCode::unknown_group, "open it");
    ASSERT_EQ(rig.answers.size(), 1U);
    EXPECT_EQ(rig.answers[0].code, ErrorCode::unknown_group);
    rig.accept(rig.take<protocol::Submit>());
    EXPECT_EQ(rig.core.producer_stats(p).accepted, 1U);
}

TEST(ClientSubmit, UnknownQueueRefusesWhatWaits) {
    CoreRig rig;
    const auto p = rig.producer();
    rig.open();
    ASSERT_TRUE(rig.submit(p, "a").ok());
    ASSERT_TRUE(rig.submit(p, "b").ok());
    rig.tick();
    rig.error(rig.take<protocol::Want>(), ErrorCode::unknown_queue, "create it");
    ASSERT_EQ(rig.answers.size(), 2U);
    EXPECT_EQ(rig.answers[1].code, ErrorCode::unknown_queue);
    // The queue may be there later: the next job asks again.
    ASSERT_TRUE(rig.submit(p, "c").ok());
    rig.tick();
    EXPECT_EQ(rig.count<protocol::Want>(), 1U);
}

TEST(ClientSubmit, AQueueMadeAnewIsAskedFromNothing) {
    CoreRig rig;
    const auto p = rig.producer("q", {}, {1, 1U << 20, 64});
    rig.open();
    for (const char* payload : {"a", "b", "c"}) ASSERT_TRUE(rig.submit(p, payload).ok());
    rig.grant(2, kMany);
    const auto a = rig.take<protocol::Submit>();
    const auto b = rig.take<protocol::Submit>();
    ASSERT_TRUE(a && b);
    std::unique_ptr<Sent> want;
    while (auto next = rig.take<protocol::Want>()) want = std::move(next);
    ASSERT_TRUE(want);
    rig.error(want, ErrorCode::over_credit, "more was sent than was granted");
    const auto anew = rig.take<protocol::Want>();
    ASSERT_TRUE(anew);
    EXPECT_EQ(rig.message<protocol::Want>(anew).sent, Credit{});
    rig.accept(a, {}, {2, kMany});  // from before: its limit means nothing now
    EXPECT_EQ(rig.count<protocol::Submit>(), 0U);
    rig.error(b, ErrorCode::unknown_queue);
    EXPECT_EQ(rig.answers.size(), 2U);
    rig.grant(1, 1000);
    EXPECT_EQ(rig.count<protocol::Submit>(), 1U);
}

TEST(ClientSubmit, JobsSentUnderADeletedQueuesCreditAreSentAgainOnce) {
    CoreRig rig;
    const auto p = rig.producer("q", {}, {1, 1U << 20, 64});
    rig.open();
    for (const char* payload : {"a", "b", "c"}) ASSERT_TRUE(rig.submit(p, payload).ok());
    rig.grant(kMany, kMany);
    const auto a = rig.take<protocol::Submit>();
    const auto b = rig.take<protocol::Submit>();
    const auto c = rig.take<protocol::Submit>();
    ASSERT_TRUE(a && b && c);
    rig.error(a, ErrorCode::over_credit);
    rig.error(b, ErrorCode::over_credit);
    rig.error(c, ErrorCode::over_credit);
    EXPECT_TRUE(rig.answers.empty());
    EXPECT_EQ(rig.count<protocol::Submit>(), 0U);
    rig.grant(3, 1000);
    const auto again = rig.take<protocol::Submit>();
    ASSERT_TRUE(again);
    EXPECT_EQ(rig.count<protocol::Submit>(), 2U);
    // A broker that refuses what it has just granted is not argued with.
    rig.error(again, ErrorCode::over_credit, "a defect");
    ASSERT_EQ(rig.answers.size(), 1U);
    EXPECT_EQ(rig.answers[0].code, ErrorCode::over_credit);
}

TEST(ClientSubmit, AStoppingBrokersRefusalLosesNothing) {
    CoreRig rig;
    const auto p = rig.producer();
    rig.open();
    ASSERT_TRUE(rig.submit(p, "a").ok());
    rig.grant(kMany, kMany);
    rig.error(rig.take<protocol::Submit>(), ErrorCode::shutting_down);
    rig.feed(protocol::Bye{ErrorCode::shutting_down, "stopping"});
    EXPECT_TRUE(rig.answers.empty());
    rig.open();
    rig.grant(kMany, kMany);
    rig.accept(rig.take<protocol::Submit>());
    EXPECT_EQ(rig.core.producer_stats(p).accepted, 1U);
}

TEST(ClientSubmit, AnItemLargerThanTheGrantsIsWantedExactly) {
    CoreRig rig;
    const auto p = rig.producer();
    rig.open();
    const std::string large(100'000, 'L');
    ASSERT_TRUE(rig.submit(p, large).ok());
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(rig.submit(p, "small").ok());
    rig.tick();
    ASSERT_TRUE(rig.take<protocol::Want>());
    rig.grant(10, 4096);  // all the window there is
    EXPECT_EQ(rig.count<protocol::Submit>(), 0U);
    const auto exact = rig.take<protocol::Want>();
    ASSERT_TRUE(exact);
    EXPECT_EQ(rig.message<protocol::Want>(exact).want, (Credit{1, 100'000 + 64}));
    rig.grant(10, 100'064);
    const auto submit = rig.take<protocol::Submit>();
    ASSERT_TRUE(submit);
    EXPECT_EQ(rig.message<protocol::Submit>(submit).jobs.size(), 1U);
}

TEST(ClientSubmit, AnItemTheQueueCannotHoldFailsAloneTheOthersGoOn) {
    CoreRig rig;
    const auto p = rig.producer();
    rig.open();
    ASSERT_TRUE(rig.submit(p, std::string(5'000, 'L')).ok());
    ASSERT_TRUE(rig.submit(p, "small").ok());
    rig.tick();
    rig.error(rig.take<protocol::Want>(), ErrorCode::item_too_large);  // which one is not said
    EXPECT_TRUE(rig.answers.empty());
    const auto exact = rig.take<protocol::Want>();
    ASSERT_TRUE(exact);
    EXPECT_EQ(rig.message<protocol::Want>(exact).want.items, 1U);
    rig.error(exact, ErrorCode::item_too_large, "over max_bytes");
    ASSERT_EQ(rig.answers.size(), 1U);
    EXPECT_EQ(rig.answers[0].ticket.value, 1U);
    EXPECT_EQ(rig.answers[0].code, ErrorCode::item_too_large);
    rig.grant(kMany, kMany);
    const auto submit = rig.take<protocol::Submit>();
    ASSERT_TRUE(submit);
    EXPECT_EQ(rig.message<protocol::Submit>(submit).jobs.at(0).payload.bytes, "small");
}

TEST(ClientSubmit, ReclaimGivesBackWhatIsUnused) {
    CoreRig rig;
    const auto p = rig.producer();
    rig.open();
    ASSERT_TRUE(rig.submit(p, "x").ok());
    rig.grant(100, 100'000);
    const auto submit = rig.take<protocol::Submit>();
    ASSERT_TRUE(submit);
    rig.sent.clear();
    rig.feed(protocol::Reclaim{"q"});
    const auto nothing = rig.take<protocol::Want>();
    ASSERT_TRUE(nothing);
    EXPECT_EQ(rig.message<protocol::Want>(nothing).want, Credit{});
    const auto ping = rig.take<protocol::Heartbeat>();
    ASSERT_TRUE(ping);
    EXPECT_EQ(rig.count<protocol::Reclaimed>(), 0U);
    rig.grant(120, 120'000);  // was on its way
    rig.feed(protocol::Heartbeat{0, rig.message<protocol::Heartbeat>(ping).ping, {}});
    const auto reclaimed = rig.take<protocol::Reclaimed>();
    ASSERT_TRUE(reclaimed);
    EXPECT_EQ(rig.message<protocol::Reclaimed>(reclaimed).sent, (Credit{1, 65}));
    EXPECT_EQ(rig.core.link("q")->limit(), (Credit{1, 65}));
    // The answer to what was sent before tells the limit of before.
    rig.accept(submit, {}, {120, 120'000});
    EXPECT_EQ(rig.core.link("q")->limit(), (Credit{1, 65}));
    ASSERT_TRUE(rig.submit(p, "y").ok());
    rig.tick();
    EXPECT_EQ(rig.count<protocol::Submit>(), 0U);
    EXPECT_GE(rig.count<protocol::Want>(), 1U);
}

TEST(ClientSubmit, AnIdleProducerHoldsNoCredit) {
    CoreRig rig;
    const auto p = rig.producer();
    rig.open();
    ASSERT_TRUE(rig.submit(p, "x").ok());
    rig.grant(100, 100'000);
    rig.accept(rig.take<protocol::Submit>(), {}, {100, 100'000});
    rig.sent.clear();
    rig.advance(1s);
    const auto ping = rig.take<protocol::Heartbeat>();
    ASSERT_TRUE(ping);
    rig.feed(protocol::Heartbeat{0, rig.message<protocol::Heartbeat>(ping).ping, {}});
    ASSERT_TRUE(rig.take<protocol::Reclaimed>());
    EXPECT_EQ(rig.core.link("q")->limit(), rig.core.link("q")->sent());
    rig.sent.clear();
    rig.advance(1s);
    EXPECT_TRUE(rig.sent.empty() || rig.count<protocol::Want>() == 0);
}

TEST(ClientSubmit, AckedSeqNeverPassesAnUnansweredSubmit) {
    CoreRig rig;
    const auto p = rig.producer("q", {}, {1, 1U << 20, 64});
    const auto other = rig.producer("r", {}, {1, 1U << 20, 64});
    rig.open();
    ASSERT_TRUE(rig.submit(p, "a").ok());
    ASSERT_TRUE(rig.submit(other, "b").ok());
    rig.grant(kMany, kMany);
    rig.grant(kMany, kMany, "r");
    const auto a = rig.take<protocol::Submit>();
    const auto b = rig.take<protocol::Submit>();
    ASSERT_TRUE(a && b);
    EXPECT_LT(rig.message<protocol::Submit>(b).acked_seq, a->frame.header.seq);
    rig.accept(b);
    ASSERT_TRUE(rig.submit(other, "c").ok());
    rig.tick();
    const auto c = rig.take<protocol::Submit>();
    ASSERT_TRUE(c);
    EXPECT_EQ(rig.message<protocol::Submit>(c).acked_seq, a->frame.header.seq - 1);
    rig.accept(a);
    ASSERT_TRUE(rig.submit(other, "d").ok());
    rig.tick();
    const auto d = rig.take<protocol::Submit>();
    ASSERT_TRUE(d);
    EXPECT_EQ(rig.message<protocol::Submit>(d).acked_seq, c->frame.header.seq - 1);
}

TEST(ClientSubmit, TheBufferIsBoundedAndFreedByAnswers) {
    CoreRig rig;
    ProducerSettings settings;
    settings.buffer_items_max = 2;
    const auto p = rig.producer("q", settings);
    rig.open();
    ASSERT_TRUE(rig.submit(p, "a").ok());
    ASSERT_TRUE(rig.submit(p, "b").ok());
    const auto full = rig.submit(p, "c");
    ASSERT_FALSE(full.ok());
    EXPECT_EQ(full.error().kind, ErrorKind::buffer_full);
    rig.grant(kMany, kMany);
    EXPECT_FALSE(rig.submit(p, "c").ok());  // sent, but not answered
    rig.accept(rig.take<protocol::Submit>());
    EXPECT_TRUE(rig.submit(p, "c").ok());
}

TEST(ClientSubmit, RulesOfAJobAreCheckedBeforeItIsTaken) {
    CoreRig rig;
    const auto p = rig.producer();
    EXPECT_EQ(rig.submit(p, "x", {}, "a..b").error().code, ErrorCode::bad_subject);
    Job job;
    job.inputs = "no multiple of 32";
    const auto refused = rig.core.submit(p, job, nullptr, rig.now, rig.effects);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, ErrorCode::over_limit);
    const auto bad = rig.producer("no queue's name");
    EXPECT_EQ(rig.submit(bad, "x").error().code, ErrorCode::bad_name);
    EXPECT_EQ(rig.core.producer_stats(p).submitted, 0U);
}

TEST(ClientSubmit, ALargePayloadIsPutBeforeItsJobIsSent) {
    CoreRig rig;
    const auto p = rig.producer();
    rig.open();
    const std::string large(300'000, 'B');
    const ContentId id = content_id(large);
    ASSERT_TRUE(rig.submit(p, large).ok());
    rig.grant(kMany, kMany);
    EXPECT_EQ(rig.count<protocol::Submit>(), 0U);
    ASSERT_EQ(rig.connects.back().socket, Socket::blob);
    rig.connected(Socket::blob);
    const auto put = rig.take<protocol::BlobPut>();
    ASSERT_TRUE(put);
    EXPECT_EQ(rig.message<protocol::BlobPut>(put).id, id);
    rig.feed(protocol::BlobReady{put->frame.header.seq, id, true, {}}, Socket::blob);
    const auto submit = rig.take<protocol::Submit>();
    ASSERT_TRUE(submit);
    const auto& job = rig.message<protocol::Submit>(submit).jobs.at(0);
    EXPECT_TRUE(job.payload.is_blob());
    EXPECT_EQ(job.payload.blob_size, large.size());
    EXPECT_EQ(job.payload.bytes, id.view());

    // Dropped meanwhile: put again, submitted again under the same id.
    const Id128 job_id = job.id;
    rig.accept(submit, {verdict(0, Verdict::refused, ErrorCode::unknown_snapshot, "gone")});
    EXPECT_TRUE(rig.answers.empty());
    const auto again = rig.take<protocol::BlobPut>();
    ASSERT_TRUE(again);
    rig.feed(protocol::BlobReady{again->frame.header.seq, id, true, {}}, Socket::blob);
    const auto second = rig.take<protocol::Submit>();
    ASSERT_TRUE(second);
    EXPECT_EQ(rig.message<protocol::Submit>(second).jobs.at(0).id, job_id);
    rig.accept(second);
    EXPECT_EQ(rig.answers.size(), 1U);
}

TEST(ClientSubmit, AJobWhosePayloadCannotBePutIsRefused) {
    CoreRig rig;
    const auto p = rig.producer();
    rig.open();
    ASSERT_TRUE(rig.submit(p, std::string(300'000, 'B')).ok());
    rig.connected(Socket::blob);
    rig.error(rig.take<protocol::BlobPut>(), ErrorCode::snapshots_full, "no room");
    ASSERT_EQ(rig.answers.size(), 1U);
    EXPECT_EQ(rig.answers[0].code, ErrorCode::snapshots_full);
    EXPECT_EQ(rig.core.producer_stats(p).waiting, 0U);
}

}  // namespace
}  // namespace scanmq::client
