// BrokerCore: results that answer later jobs, its own and those of a tier that it asks.

#include "tests/unit/broker/core/core_test.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;

class CacheTest : public CoreTest {
  protected:
    explicit CacheTest(const BrokerOptions& options = {})
        : CoreTest({{"pure", 1}, {"retry_base_ms", 0}}, options) {}
    void run(Peer& w, std::string_view result = "result") {
        given(w);
        w.send(done(counters, AttemptOutcome::done, {}, result));
    }
    // Under what the worker may answer its one attempt with a result that it keeps.
    std::string offered(Peer& w) {
        auto& deliver = w.next<protocol::Deliver>();
        EXPECT_EQ(deliver.attempts.size(), 1U);
        counters = {deliver.attempts[0].counter};
        return std::string(deliver.attempts[0].fingerprint);
    }
};

TEST_F(CacheTest, TheSameWorkAgainIsAnsweredAtOnceAndNoWorkerHearsOfIt) {
    Peer& w = of_version("w");
    EXPECT_EQ(verdict(job(1)), Verdict::accepted);
    run(w, "the result");
    EXPECT_EQ(end().outcome, FinalOutcome::done);
    const auto& answer = offer(jobs(job(2, "QQQ.other")));
    ASSERT_EQ(answer.exceptions.size(), 1U);
    EXPECT_EQ(answer.exceptions[0].verdict, Verdict::cached);
    EXPECT_EQ(answer.exceptions[0].state, JobState::finished);
    EXPECT_EQ(given(w), Numbers{});
    EXPECT_EQ(end(), (End{2, FinalOutcome::done, ErrorCode::none, ""}));
    EXPECT_EQ(changed<change::Ended>().back().body.body.bytes, "the result");
    EXPECT_EQ(queue_row("cached"), 1U);
    EXPECT_EQ(queue_row("done"), 2U);
    EXPECT_EQ(queue_row("used_bytes"), 0U) << "its place is free again";
    EXPECT_EQ(h.cache_row("memory", "hits"), 1U);
    EXPECT_EQ(h.cache_row("memory", "misses"), 1U);
    EXPECT_EQ(h.cache_row("jobs", "cached"), 1U);
}

TEST_F(CacheTest, AKnownIdIsADuplicateBeforeAnythingElse) {
    Peer& w = of_version("w");
    accept(jobs(job(1)));
    run(w);
    EXPECT_EQ(verdict(job(1)), Verdict::duplicate);
}

TEST_F(CacheTest, AResultIsForgottenWhenItsTimeIsOver) {
    alter({{"cache_ttl_ms", 1'000}});
    Peer& w = of_version("w");
    accept(jobs(job(1)));
    run(w);
    h.advance(899ms);  // at most a tenth of its time is taken off
    EXPECT_EQ(verdict(job(2)), Verdict::cached);
    h.advance(101ms);
    EXPECT_EQ(verdict(job(3)), Verdict::accepted);
}

TEST_F(CacheTest, NothingIsKeptWhereTheQueueSaysSo) {
    alter({{"cache_ttl_ms", 0}});
    Peer& w = of_version("w");
    accept(jobs(job(1)));
    run(w);
    EXPECT_EQ(verdict(job(2)), Verdict::accepted);
}

TEST_F(CacheTest, OnlyPureJobsAreAnsweredAndKept) {
    Peer& w = of_version("w");
    accept(1, {.flags = JobOptions::kNotPure});
    run(w);
    EXPECT_EQ(verdict(job(2)), Verdict::accepted);
    run(w);
    EXPECT_EQ(verdict(job_with(3, {.flags = JobOptions::kNotPure})), Verdict::accepted);
}

TEST_F(CacheTest, AFreshJobRunsAndItsResultIsKept) {
    Peer& w = of_version("w");
    accept(jobs(job(1)));
    run(w, "old");
    EXPECT_EQ(verdict(job_with(2, {.flags = JobOptions::kFresh})), Verdict::accepted);
    run(w, "new");
    EXPECT_EQ(verdict(job(3)), Verdict::cached);
    EXPECT_EQ(changed<change::Ended>().back().body.body.bytes, "new");
}

TEST_F(CacheTest, ADelayedJobIsNotLookedUp) {
    Peer& w = of_version("w");
    accept(jobs(job(1)));
    run(w);
    EXPECT_EQ(verdict(job_with(2, {.delay_ms = 1'000})), Verdict::accepted);
}

TEST_F(CacheTest, FailuresAndRefusalsAreNotKept) {
    Peer& w = of_version("w");
    accept(jobs(job(1)));
    given(w);
    answer(w, counters, AttemptOutcome::rejected, "no");
    EXPECT_EQ(verdict(job(2)), Verdict::accepted);
}

TEST_F(CacheTest, AResultOfAnotherVersionThanTheQueuesIsNotKept) {
    Peer& old = of_version("old", "1");
    accept(jobs(job(1)));
    given(old);
    const Numbers attempt = counters;
    // Meanwhile the queue moves on.
    Peer& fresh = of_version("new", "2");
    old.send(protocol::CreditGrant{protocol::Link::deliver, "", 0, kPlenty});
    h.op().send(protocol::Query{"queues", "q"});
    h.op().next<protocol::Answer>();
    answer(old, attempt, AttemptOutcome::done);
    old.send(protocol::Bye{});
    EXPECT_EQ(verdict(job(2)), Verdict::accepted) << "another version, another fingerprint";
    run(fresh);
    EXPECT_EQ(verdict(job(3)), Verdict::cached);
}

TEST_F(CacheTest, WithoutAVersionNothingIsKept) {
    Peer& a = of_version("a", "");
    accept(jobs(job(1)));
    run(a);
    EXPECT_EQ(verdict(job(2)), Verdict::accepted);
}

TEST_F(CacheTest, AResultWhoseEntriesAreGoneCannotBeReadAnyMore) {
    Peer& w = of_version("w");
    accept(jobs(job(1)));
    run(w);
    // Its entry is dropped: one of other work is the newest.
    alter({{"stream_max_bytes", 0}});
    accept(1'000, {}, "other work");
    run(w);
    EXPECT_EQ(verdict(job(2)), Verdict::accepted);
    EXPECT_EQ(h.cache_row("memory", "unreadable"), 1U);
}

TEST_F(CacheTest, AnAnswerKeepsTheResultReadable) {
    alter({{"stream_max_bytes", 160}});  // two entries
    Peer& w = of_version("w");
    accept(jobs(job(1)));
    run(w);
    for (std::uint64_t n = 2; n < 10; ++n) EXPECT_EQ(verdict(job(n)), Verdict::cached) << n;
}

TEST_F(CacheTest, ALosslessStreamWithoutRoomAnswersNothing) {
    constexpr std::uint64_t kRoom = 4U << 20;  // places of what is granted take a quarter
    alter({{"lossless", 1}, {"stream_max_bytes", kRoom}, {"max_result_bytes", 70'000}});
    subscriber->send(protocol::Subscribe{2, "q", ">", {}, 0, {}, "durable", kPlenty});
    Peer& w = of_version("w");
    accept(jobs(job(1)));
    run(w, std::string(65'536, 'x'));
    std::uint64_t n = 2;
    while (n < 200 && verdict(job(n)) == Verdict::cached) ++n;
    EXPECT_GT(n, 10U);
    EXPECT_LT(n, 64U) << "results that nobody acknowledged fill it";
    EXPECT_LE(queue_row("stream_bytes"), kRoom);
}

TEST_F(CacheTest, AnAnsweredJobIsOfItsGroup) {
    Peer& w = of_version("w");
    accept(jobs(job(1)));
    run(w);
    producer->send(protocol::GroupOpen{"q", job_id(900)});
    producer->next<protocol::GroupState>();
    EXPECT_EQ(offer(jobs(job(2)), job_id(900)).exceptions.at(0).verdict, Verdict::cached);
    producer->send(protocol::GroupSeal{"q", job_id(900), 1});
    EXPECT_EQ(producer->next<protocol::GroupState>().phase, protocol::GroupPhase::complete);
}

TEST_F(CacheTest, AnAnsweredJobTakesThePlaceOfAnOlderOneOfItsKey) {
    Peer& w = of_version("w");
    accept(jobs(job(1)));
    run(w);
    ends();
    alter({});
    control(protocol::QueueAction::pause);
    accept(2, {.conflate_key = "k"}, "other work");
    EXPECT_EQ(verdict(job_with(3, {.conflate_key = "k"})), Verdict::cached);
    const auto all = ends();
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].outcome, FinalOutcome::superseded);
    EXPECT_EQ(all[1].outcome, FinalOutcome::done);
}

TEST_F(CacheTest, GetAndDropByFingerprint) {
    Peer& w = of_version("w");
    accept(jobs(job(1)));
    run(w, "the result");
    h.op().send(protocol::Query{"cached", "q"});
    const auto row = h.op().next<protocol::Answer>().rows.at(0);
    EXPECT_EQ(value(row, "bytes"), "10");
    ContentId key;
    const std::string hex = value(row, "fingerprint");
    for (std::size_t i = 0; i < ContentId::kSize; ++i) {
        key.bytes[i] = static_cast<std::uint8_t>(std::stoul(hex.substr(2 * i, 2), nullptr, 16));
    }
    h.op().send(protocol::CacheGet{"q", {ContentId{}, key}});
    const auto& values = h.op().next<protocol::CacheValues>();
    ASSERT_EQ(values.values.size(), 1U) << "what is not there is left out";
    EXPECT_EQ(values.values[0].key, key);
    EXPECT_EQ(h.cache_row("memory", "hits"), 0U) << "an operator's look is no job's";
    EXPECT_EQ(h.cache_row("memory", "misses"), 1U) << "of the job";
    h.op().send(protocol::CacheDrop{"q", {key}});
    const auto dropped = h.op().next<protocol::CacheDropped>();
    EXPECT_EQ(dropped.results, 1U);
    EXPECT_EQ(dropped.asked, 0U) << "no tier is shared";
    EXPECT_EQ(verdict(job(2)), Verdict::accepted);
}

TEST_F(CacheTest, DropsAllOfAQueueOrAll) {
    Peer& w = of_version("w");
    accept(jobs(job(1)));
    run(w);
    accept(2, {}, "other work");
    run(w);
    h.create_queue("r", {{"pure", 1}});
    h.op().send(protocol::CacheDrop{"r", {}});
    EXPECT_EQ(h.op().next<protocol::CacheDropped>().results, 0U);
    h.op().send(protocol::CacheDrop{"q", {}});
    EXPECT_EQ(h.op().next<protocol::CacheDropped>().results, 2U);
    h.op().send(protocol::CacheDrop{"", {}});
    EXPECT_EQ(h.op().next<protocol::CacheDropped>().results, 0U);
    h.op().send(protocol::CacheDrop{"nowhere", {}});
    EXPECT_EQ(h.op().error(), ErrorCode::unknown_queue);
}

TEST_F(CacheTest, AQueueMadeAgainKnowsNothingOfTheOldOne) {
    Peer& w = of_version("w");
    accept(jobs(job(1)));
    run(w);
    h.op().send(protocol::QueueDelete{"q", true});
    h.op().next<protocol::Ok>();
    h.create_queue("q", {{"pure", 1}});
    producer->send(protocol::Want{"q", {}, {10, 1'000}});
    EXPECT_EQ(verdict(job(2)), Verdict::accepted);
}

// ---- what workers are told

TEST_F(CacheTest, APureAttemptCarriesItsFingerprint) {
    Peer& w = of_version("w");
    accept(jobs(job(1)));
    const std::string first = offered(w);
    EXPECT_EQ(first.size(), ContentId::kSize);
    answer(w, counters, AttemptOutcome::failed);
    h.advance(1ms);
    EXPECT_EQ(offered(w), first) << "the next attempt, too";
    answer(w, counters, AttemptOutcome::done);
    accept(2, {}, "other work");
    EXPECT_NE(offered(w), first);
}

TEST_F(CacheTest, WhatIsNotKeptCarriesNoFingerprint) {
    Peer& w = of_version("w");
    accept(1, {.flags = JobOptions::kNotPure});
    EXPECT_EQ(offered(w), "");
    alter({{"cache_ttl_ms", 0}});
    accept(2);
    EXPECT_EQ(offered(w), "");
}

TEST_F(CacheTest, WithoutAVersionNoFingerprintIsSent) {
    Peer& w = of_version("w", "");
    accept(1);
    EXPECT_EQ(offered(w), "");
}

TEST_F(CacheTest, AFingerprintOfAnEarlierVersionIsNotSent) {
    Peer& old = of_version("old", "1");
    accept(1);
    const std::string first = offered(old);
    old.send(protocol::Bye{});
    Peer& w = of_version("new", "2");
    h.advance(1ms);
    const std::string now = offered(w);
    EXPECT_NE(now, first);
    EXPECT_EQ(now, "") << "its result is not one of version 2's work";
}

TEST_F(CacheTest, AFreshJobsAttemptCarriesNoFingerprint) {
    Peer& w = of_version("w");
    accept(1, {.flags = JobOptions::kFresh});
    EXPECT_EQ(offered(w), "");
}

TEST_F(CacheTest, AFreshJobMakesTheWholeExecutionFresh) {
    accept(1);
    EXPECT_EQ(verdict(job_with(2, {.flags = JobOptions::kFresh})), Verdict::coalesced);
    Peer& w = of_version("w");
    EXPECT_EQ(offered(w), "");
}

TEST_F(CacheTest, AFreshJobDoesNotJoinWhatAWorkerMayAnswerWithoutRunning) {
    Peer& w = of_version("w");
    accept(1);
    EXPECT_EQ(offered(w).size(), ContentId::kSize);
    EXPECT_EQ(verdict(job_with(2, {.flags = JobOptions::kFresh})), Verdict::accepted);
    EXPECT_EQ(offered(w), "");
    EXPECT_EQ(verdict(job_with(3, {.flags = JobOptions::kFresh})), Verdict::coalesced)
        << "that one really runs";
    EXPECT_EQ(verdict(job(4)), Verdict::coalesced);
}

// ---- a tier that is asked

class SharedCacheTest : public CacheTest {
  protected:
    SharedCacheTest() : CacheTest(shared_tier(2)) { w = &of_version("w"); }
    Peer* w = nullptr;
};

TEST_F(SharedCacheTest, WhatTheTierHasEndsTheJob) {
    EXPECT_EQ(verdict(job(1)), Verdict::accepted);
    ASSERT_EQ(h.asks.size(), 1U);
    EXPECT_EQ(given(*w), Numbers{}) << "not before the tier had its say";
    EXPECT_EQ(job_row(1, "state"), "queued");
    h.answer_cache(h.asks[0].look_up, "from afar");
    EXPECT_EQ(end(), (End{1, FinalOutcome::done, ErrorCode::none, ""}));
    EXPECT_EQ(changed<change::Ended>().back().body.body.bytes, "from afar");
    EXPECT_EQ(queue_row("cached"), 1U);
    EXPECT_EQ(verdict(job(2)), Verdict::cached) << "and is the broker's own now";
    EXPECT_TRUE(h.keeps.empty()) << "the tier has it already";
}

TEST_F(SharedCacheTest, WhatItHasNotRunsAndIsKeptThere) {
    accept(jobs(job(1)));
    h.answer_cache(h.asks.at(0).look_up, "");
    run(*w);
    EXPECT_EQ(end().outcome, FinalOutcome::done);
    ASSERT_EQ(h.keeps.size(), 1U);
    EXPECT_EQ(h.keeps[0].fingerprint, h.asks[0].fingerprint);
    EXPECT_EQ(h.keeps[0].ttl, Duration(300s));
}

TEST_F(SharedCacheTest, WhenTheVersionMovesMeanwhileWhatItHasIsNoAnswer) {
    accept(jobs(job(1)));
    h.op().send(protocol::QueueVersion{"q", "2"});
    h.op().next<protocol::Ok>();
    h.answer_cache(h.asks.at(0).look_up, "of version 1");
    EXPECT_TRUE(ends().empty());
    EXPECT_EQ(given(*w), Numbers{});
    Peer& v = of_version("v", "2");
    EXPECT_EQ(given(v), Numbers{1}) << "what waits runs with the new version";
}

TEST_F(SharedCacheTest, AResultThatAWorkerKeptIsAsOldAsItSays) {
    alter({{"cache_ttl_ms", 10'000}});
    accept(jobs(job(1)));
    h.answer_cache(h.asks.at(0).look_up, "");
    auto& deliver = w->next<protocol::Deliver>();
    EXPECT_EQ(deliver.attempts.at(0).keep_ms, 10'000U);
    protocol::Done kept = done({deliver.attempts.at(0).counter}, AttemptOutcome::done);
    kept.outcomes[0].age_ms = 4'000;
    w->send(std::move(kept));
    ASSERT_EQ(h.keeps.size(), 1U);
    EXPECT_EQ(h.keeps[0].ttl, 6s) << "what is left";
    EXPECT_EQ(h.keeps[0].age, 4s);
    h.op().send(protocol::Query{"cached", "q"});
    EXPECT_EQ(value(h.op().next<protocol::Answer>().rows.at(0), "age_ms"), "4000");
    pass(6s, {w});
    EXPECT_EQ(verdict(job(2)), Verdict::accepted) << "its time is over";
    h.answer_cache(h.asks.at(1).look_up, "");
    given(*w);
    protocol::Done old = done(counters, AttemptOutcome::done);
    old.outcomes[0].age_ms = ~std::uint64_t{0};
    w->send(std::move(old));
    EXPECT_EQ(ends().back().outcome, FinalOutcome::done) << "a fingerprint is exact";
    EXPECT_EQ(h.keeps.size(), 1U) << "but it is not kept again";
}

TEST_F(SharedCacheTest, ATierThatDoesNotAnswerIsNotWaitedFor) {
    accept(jobs(job(1)));
    h.advance(19ms);
    EXPECT_EQ(given(*w), Numbers{});
    h.advance(1ms);
    EXPECT_EQ(given(*w), Numbers{1});
    EXPECT_EQ(h.core.counter("cache_late"), 1U);
    h.answer_cache(h.asks[0].look_up, "late");
    EXPECT_EQ(h.core.counter("cache_ignored"), 1U);
    answer(*w, counters, AttemptOutcome::done);
    EXPECT_EQ(ends().size(), 1U);
}

TEST_F(SharedCacheTest, ASecondAnswerAndOneForNothingAreIgnored) {
    accept(jobs(job(1)));
    const std::uint64_t look_up = h.asks.at(0).look_up;
    h.answer_cache(look_up + 1, "nobody asked");
    h.answer_cache(0, "nobody asked");
    h.answer_cache(look_up, "first");
    h.answer_cache(look_up, "second");
    EXPECT_EQ(ends().size(), 1U);
    EXPECT_EQ(h.core.counter("cache_ignored"), 3U);
}

TEST_F(SharedCacheTest, ADuplicateOfWhatIsLookedForJoinsIt) {
    accept(jobs(job(1)));
    EXPECT_EQ(verdict(job(2)), Verdict::coalesced);
    EXPECT_EQ(h.asks.size(), 1U) << "asked once";
    h.answer_cache(h.asks[0].look_up, "for both");
    EXPECT_EQ(ends().size(), 2U);
    EXPECT_EQ(queue_row("cached"), 2U);
}

TEST_F(SharedCacheTest, AFreshJobDoesNotJoinALookUp) {
    accept(jobs(job(1)));
    EXPECT_EQ(verdict(job_with(2, {.flags = JobOptions::kFresh})), Verdict::accepted);
    EXPECT_EQ(given(*w), Numbers{2});
    h.answer_cache(h.asks.at(0).look_up, "from afar");
    EXPECT_EQ(end().number, 1U);
    answer(*w, counters, AttemptOutcome::done);
    EXPECT_EQ(end().number, 2U);
}

TEST_F(SharedCacheTest, CancelledWhileItIsLookedFor) {
    accept(jobs(job(1)));
    EXPECT_EQ(cancel({1}), Numbers{1});
    EXPECT_EQ(end().outcome, FinalOutcome::cancelled);
    h.answer_cache(h.asks[0].look_up, "too late");
    EXPECT_EQ(ends().size(), 0U);
    h.advance(1s);
    EXPECT_EQ(given(*w), Numbers{});
}

TEST_F(SharedCacheTest, ExpiredWhileItIsLookedFor) {
    accept(1, {.deadline_ms = 5});
    h.advance(5ms);
    EXPECT_EQ(end().outcome, FinalOutcome::expired);
    h.advance(20ms);
    EXPECT_EQ(given(*w), Numbers{});
}

TEST_F(SharedCacheTest, SupersededWhileItIsLookedFor) {
    accept(1, {.conflate_key = "k"}, "a");
    accept(2, {.conflate_key = "k"}, "b");
    EXPECT_EQ(end(), (End{1, FinalOutcome::superseded, ErrorCode::superseded,
                          "a newer job of its conflate key took its place"}));
    h.answer_cache(h.asks.at(0).look_up, "for the first");
    h.answer_cache(h.asks.at(1).look_up, "");
    EXPECT_EQ(given(*w), Numbers{2});
}

TEST_F(SharedCacheTest, PurgedWhileItIsLookedFor) {
    accept(jobs(job(1)));
    control(protocol::QueueAction::purge);
    h.tick();
    EXPECT_EQ(end().code, ErrorCode::purged);
    h.answer_cache(h.asks[0].look_up, "too late");
    EXPECT_EQ(ends().size(), 0U);
}

TEST_F(SharedCacheTest, AJobOfHigherPriorityLiftsWhatItJoins) {
    control(protocol::QueueAction::pause);
    accept(1, {}, "first");
    accept(2, {}, "second");
    EXPECT_EQ(verdict(job_with(3, {.priority = 9}, "second")), Verdict::coalesced);
    for (const CacheAsk& ask : std::vector(h.asks)) h.answer_cache(ask.look_up, "");
    control(protocol::QueueAction::resume);
    EXPECT_EQ(given(*w), (Numbers{2, 1}));
}

TEST_F(SharedCacheTest, BeyondTheLimitOfLookUpsJobsAreNotLookedUp) {
    accept(1, {}, "a");
    accept(2, {}, "b");
    accept(3, {}, "c");
    EXPECT_EQ(h.asks.size(), 2U);
    EXPECT_EQ(given(*w), Numbers{3});
    EXPECT_EQ(h.core.counter("cache_skipped"), 1U);
}

TEST_F(SharedCacheTest, AResultOfTheTierThatIsTooOldOrTooLargeIsNone) {
    alter({{"cache_ttl_ms", 1'000}, {"max_result_bytes", 8}});
    accept(1, {}, "a");
    h.answer_cache(h.asks.at(0).look_up, "old", 1s);
    accept(2, {}, "b");
    h.answer_cache(h.asks.at(1).look_up, "too large");
    EXPECT_EQ(given(*w), (Numbers{1, 2}));
}

TEST_F(SharedCacheTest, AResultOfTheTierIsItsRequestsNewest) {
    alter({{"stale_ms", 60'000}});
    const auto about = [&](std::uint64_t number, const std::string& chain) {
        producer->send(protocol::AliasSet{"SPY@latest", h.put_blob(chain)});
        producer->next<protocol::Ok>();
        protocol::Job out = job_with(number, {});
        out.options->aliases = {"SPY@latest"};
        return out;
    };
    accept(jobs(about(1, "first")));
    h.answer_cache(h.asks.at(0).look_up, "of the first");
    ends();
    EXPECT_EQ(verdict(about(2, "second")), Verdict::cached);
    EXPECT_EQ(end().code, ErrorCode::stale);
}

TEST_F(SharedCacheTest, ExplainSaysThatItIsLookedFor) {
    accept(jobs(job(1)));
    h.op().send(protocol::Query{"explain", "q/" + job_id(1).hex()});
    EXPECT_EQ(value(h.op().next<protocol::Answer>().rows.at(0), "reason"), "looking");
}

TEST_F(SharedCacheTest, ANamedResultIsDroppedThereToo) {
    h.op().send(protocol::CacheDrop{"q", {content_id("x")}});
    const auto named = h.op().next<protocol::CacheDropped>();
    EXPECT_EQ(named.results, 0U);
    EXPECT_EQ(named.asked, 1U);
    EXPECT_EQ(h.drops, std::vector{content_id("x")});
    h.op().send(protocol::CacheDrop{"q", {}});
    EXPECT_EQ(h.op().next<protocol::CacheDropped>().asked, 0U) << "it knows no names";
}

// ---- older results

class StaleTest : public CacheTest {
  protected:
    StaleTest() {
        w = &of_version("w");
        first = h.put_blob("first");
        second = h.put_blob("second");
        move(first);
    }
    void move(const ContentId& to) {
        producer->send(protocol::AliasSet{"SPY@latest", to});
        producer->next<protocol::Ok>();
    }
    static protocol::Job about(std::uint64_t number, std::uint32_t flags = 0) {
        protocol::Job out = job_with(number, {.flags = flags});
        out.options->aliases = {"SPY@latest"};
        return out;
    }
    Peer* w = nullptr;
    ContentId first, second;
};

TEST_F(StaleTest, AnOlderResultIsServedOnceWhileANewOneIsMade) {
    alter({{"stale_ms", 60'000}});
    accept(jobs(about(1)));
    run(*w, "of the first");
    ends();
    move(second);
    h.advance(1'500ms);
    EXPECT_EQ(verdict(about(2)), Verdict::cached);
    const End old = end();
    EXPECT_EQ(old.number, 2U);
    EXPECT_EQ(old.outcome, FinalOutcome::done);
    EXPECT_EQ(old.code, ErrorCode::stale);
    EXPECT_EQ(old.sentence.substr(0, old.sentence.find(' ')), "1500");
    EXPECT_EQ(h.core.counter("refreshes"), 1U);
    EXPECT_EQ(h.cache_row("memory", "hits"), 0U)
        << "each job is one look-up, and its own result was not there";
    EXPECT_EQ(h.cache_row("memory", "misses"), 3U)
        << "and so is the refresh, a job of the broker's own";
    EXPECT_EQ(h.cache_row("jobs", "stale"), 1U);
    EXPECT_EQ(h.cache_row("jobs", "refreshes"), 1U);
    // A stampede: all the others wait for the one refresh.
    for (std::uint64_t n = 3; n < 10; ++n) EXPECT_EQ(verdict(about(n)), Verdict::coalesced) << n;
    EXPECT_EQ(given(*w).size(), 1U);
    w->send(done(counters, AttemptOutcome::done, {}, "of the second"));
    const auto all = ends();
    EXPECT_EQ(all.size(), 8U) << "theirs, and the refresh's";
    for (const End& one : all) EXPECT_EQ(one.code, ErrorCode::none);
    EXPECT_EQ(verdict(about(20)), Verdict::cached);
    EXPECT_EQ(end().code, ErrorCode::none);
}

TEST_F(StaleTest, ThePayloadOfARefreshIsTheJobsAndGoesWithIt) {
    alter({{"stale_ms", 60'000}});
    accept(jobs(about(1)));
    run(*w);
    move(second);
    EXPECT_EQ(verdict(about(2)), Verdict::cached);
    const auto accepted = changed<change::Accepted>();
    ASSERT_EQ(accepted.size(), 3U);
    EXPECT_EQ(accepted[2].payload.body.bytes, "payload");
    EXPECT_EQ(accepted[2].inputs, second.view());
    run(*w);
    h.op().send(protocol::CacheDrop{"", {}});
    alter({{"stream_max_bytes", 0}});
    EXPECT_LE(h.handles.size(), 1U) << "all but the newest entry's body went back";
}

TEST_F(StaleTest, TooOldIsNotServed) {
    alter({{"stale_ms", 1'000}});
    accept(jobs(about(1)));
    run(*w);
    move(second);
    h.advance(1'001ms);
    EXPECT_EQ(verdict(about(2)), Verdict::accepted);
}

TEST_F(StaleTest, AQueueThatDoesNotAllowItServesNone) {
    accept(jobs(about(1)));
    run(*w);
    move(second);
    EXPECT_EQ(verdict(about(2)), Verdict::accepted);
}

TEST_F(StaleTest, AFreshJobTakesNone) {
    alter({{"stale_ms", 60'000}, {"degraded_ms", 60'000}});
    accept(jobs(about(1)));
    run(*w);
    move(second);
    EXPECT_EQ(verdict(about(2, JobOptions::kFresh)), Verdict::accepted);
}

TEST_F(StaleTest, ARefreshWithoutRoomIsLeftOut) {
    alter({{"stale_ms", 60'000}});
    accept(jobs(about(1)));
    run(*w);
    move(second);
    // What is granted is reserved: only a job within credit fits.
    alter({{"max_jobs", 1}});
    EXPECT_EQ(verdict(about(2)), Verdict::cached);
    EXPECT_EQ(h.core.counter("refreshes"), 0U);
    EXPECT_EQ(queue_row("used_bytes"), 0U);
}

TEST_F(StaleTest, WhileNobodyTakesItsJobsADegradedQueueServesOlderResults) {
    alter({{"degraded_ms", 60'000}});
    accept(jobs(about(1)));
    run(*w);
    ends();
    move(second);
    EXPECT_EQ(verdict(about(2)), Verdict::accepted) << "there is a worker";
    w->send(protocol::Reclaim{""});
    move(first);
    move(second);
    EXPECT_EQ(verdict(about(3)), Verdict::cached) << "even while the work is under way";
    EXPECT_EQ(end().code, ErrorCode::stale);
    EXPECT_EQ(h.core.counter("refreshes"), 0U);
    EXPECT_EQ(verdict(about(4, JobOptions::kFresh)), Verdict::accepted) << "it is run";
}

TEST_F(StaleTest, AnOlderExecutionThatEndsLaterIsNotTheNewest) {
    alter({{"stale_ms", 60'000}});
    accept(jobs(about(1)));
    given(*w);
    const Numbers slow = counters;
    move(second);
    accept(jobs(about(2)));
    run(*w, "of the second");
    w->send(done(slow, AttemptOutcome::done, {}, "of the first"));
    const ContentId third = h.put_blob("third");
    move(third);
    EXPECT_EQ(verdict(about(3)), Verdict::cached);
    EXPECT_EQ(changed<change::Ended>().back().body.body.bytes, "of the second");
}

}  // namespace
}  // namespace scanmq::broker
