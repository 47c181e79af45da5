// Streams in time: when entries were appended, subscribing from then, retention by age and bytes.

#include "broker/core/stream.hpp"
#include "tests/unit/broker/core/streams_fixture.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;
using protocol::AttemptOutcome;
using protocol::Credit;
using protocol::StartFrom;

class StreamTest : public ::testing::Test {
  protected:
    void append(WallMillis at) { stream.append(StreamEntry{}, at); }
    Stream stream{job_id(1)};
    static constexpr WallMillis kToday = 1'800'000'000'000;
    static constexpr WallMillis kDay = 86'400'000;
};

TEST_F(StreamTest, KnowsWhenEachEntryWasAppended) {
    for (const WallMillis at : {0, 5, 5, 17}) append(kToday + at);
    EXPECT_EQ(stream.time_of(0), kToday);
    EXPECT_EQ(stream.time_of(2), kToday + 5);
    EXPECT_EQ(stream.time_of(3), kToday + 17);
}

TEST_F(StreamTest, TimesNeverFall) {
    append(kToday);
    append(kToday - 1'000);
    append(kToday + 1);
    EXPECT_EQ(stream.time_of(1), kToday);
    EXPECT_EQ(stream.time_of(2), kToday + 1);
}

TEST_F(StreamTest, FindsTheFirstEntrySinceAMoment) {
    EXPECT_EQ(stream.first_since(0), 0U);
    for (const WallMillis at : {10, 20, 20, 30}) append(kToday + at);
    EXPECT_EQ(stream.first_since(0), 0U);
    EXPECT_EQ(stream.first_since(kToday + 10), 0U);
    EXPECT_EQ(stream.first_since(kToday + 11), 1U);
    EXPECT_EQ(stream.first_since(kToday + 20), 1U);
    EXPECT_EQ(stream.first_since(kToday + 21), 3U);
    EXPECT_EQ(stream.first_since(kToday + 31), 4U) << "none yet: the next one";
    stream.drop_oldest();
    stream.drop_oldest();
    EXPECT_EQ(stream.first_since(0), 2U);
}

TEST_F(StreamTest, YearsBetweenEntriesAreKeptToTheMillisecond) {
    const std::vector<WallMillis> times{kToday,
                                        kToday + 49 * kDay,
                                        kToday + 49 * kDay + 1,
                                        kToday + 200 * kDay + 123,
                                        kToday + 200 * kDay + 124,
                                        kToday + 4'000 * kDay + 7};
    for (const WallMillis at : times) append(at);
    for (std::uint64_t dropped = 0; dropped < times.size(); ++dropped) {
        for (std::uint64_t i = dropped; i < times.size(); ++i) {
            EXPECT_EQ(stream.time_of(i), times[i]);
            EXPECT_EQ(stream.first_since(times[i]), i);
        }
        stream.drop_oldest();
    }
    append(kToday + 4'000 * kDay + 8);
    EXPECT_EQ(stream.time_of(6), kToday + 4'000 * kDay + 8) << "after it was empty";
}

TEST_F(StreamTest, GoesOnAtAnyOffset) {
    stream.begin_at(5'000'000'001, job_id(2));
    EXPECT_EQ(stream.first(), 5'000'000'001U);
    EXPECT_EQ(stream.next(), 5'000'000'001U);
    for (int i = 0; i < 3'000; ++i) append(kToday + i);
    EXPECT_EQ(stream.time_of(5'000'000'001 + 2'999), kToday + 2'999);
    for (int i = 0; i < 2'999; ++i) stream.drop_oldest();
    EXPECT_EQ(stream.first_since(0), 5'000'003'000U);
    EXPECT_EQ(stream.incarnation(), job_id(2));
}

class RetentionTest : public StreamsTest {
  protected:
    RetentionTest() : StreamsTest({}, {{"stream_max_age_ms", 60'000}}) {}
    std::uint64_t first() { return h.row("queues", "q", "stream_first"); }
    // So many jobs at once, done.
    void run_many(std::uint64_t from, std::uint64_t count) {
        const std::uint64_t end = from + count;
        for (; from < end; from += 4'000) {
            std::vector<protocol::Job> list = job_range(from, std::min(end - from, 4'000UL));
            producer->send(submit("q", std::move(list)));
            while (worker->count<protocol::Deliver>() > 0) {
                std::vector<std::uint64_t> counters;
                for (const auto& a : worker->next<protocol::Deliver>().attempts) {
                    counters.push_back(a.counter);
                }
                worker->send(done(counters, AttemptOutcome::done));
            }
            worker->kept.clear();
            producer->inbox.clear();
        }
    }
    std::vector<std::uint64_t> trimmed() {
        std::vector<std::uint64_t> out;
        for (const change::Any& any : h.changes) {
            if (const auto* one = std::get_if<change::StreamTrimmed>(&any)) {
                out.push_back(one->first);
            }
        }
        h.changes.clear();
        return out;
    }
};

TEST_F(RetentionTest, EntriesGoWhenTheyAreTooOldTheNewestToo) {
    run(1);
    pass(20s);
    run(2);
    h.changes.clear();
    pass(39s);
    EXPECT_EQ(first(), 0U);
    EXPECT_EQ(trimmed(), Offsets{});
    pass(1s);
    EXPECT_EQ(first(), 1U);
    EXPECT_EQ(trimmed(), Offsets{1});
    EXPECT_EQ(h.handles.size(), 1U) << "its body went back";
    pass(20s);
    EXPECT_EQ(first(), 2U);
    EXPECT_EQ(trimmed(), Offsets{2});
    EXPECT_EQ(h.row("queues", "q", "stream_bytes"), 0U);
    EXPECT_EQ(h.core.counter("entries_aged"), 2U);
    EXPECT_EQ(h.core.counter("entries_dropped"), 2U);
    run(3);
    pass(61s);
    EXPECT_EQ(first(), 3U) << "the first entry of an empty stream is seen to as well";
}

TEST_F(RetentionTest, AnIdleBrokerSleepsUntilAnEntryIsTooOld) {
    run(1);
    for (Peer* const peer : {producer, worker, subscriber}) h.disconnect(*peer);
    h.disconnect(h.op());
    h.tick();
    ASSERT_TRUE(h.core.next_deadline().has_value());
    const Time due = h.now + 60s;
    EXPECT_EQ(*h.core.next_deadline(), due);
    h.advance(60s);
    EXPECT_EQ(h.core.counter("entries_aged"), 1U);
}

TEST_F(RetentionTest, AnAgeOfZeroIsNoLimit) {
    h.op().send(protocol::QueueAlter{"q", {{"stream_max_age_ms", 0}}});
    run(1);
    h.advance(24h * 365);
    EXPECT_EQ(first(), 0U);
}

TEST_F(RetentionTest, ALowerAgeHoldsAtOnce) {
    run(1);
    pass(10s);
    h.op().send(protocol::QueueAlter{"q", {{"stream_max_age_ms", 5'000}}});
    h.tick();
    EXPECT_EQ(first(), 1U);
}

TEST_F(RetentionTest, MuchThatIsTooOldGoesInSlices) {
    run_many(1, 40'000);
    h.now += 60s;
    h.core.tick(h.now, h.effects);
    EXPECT_EQ(h.core.counter("entries_aged"), 16'384U);
    EXPECT_EQ(*h.core.next_deadline(), h.now);
    h.tick();
    EXPECT_EQ(h.core.counter("entries_aged"), 40'000U);
    EXPECT_TRUE(h.handles.empty());
}

TEST_F(RetentionTest, ALowerSizeHoldsAtOnceAndGoesInSlices) {
    run_many(1, 40'000);
    h.op().send(protocol::QueueAlter{"q", {{"stream_max_bytes", 700}}});
    EXPECT_EQ(h.core.counter("entries_dropped"), 16'384U);
    EXPECT_EQ(*h.core.next_deadline(), h.now);
    trimmed();
    h.tick();
    EXPECT_EQ(trimmed().back(), 39'990U);
    EXPECT_EQ(h.row("queues", "q", "stream_bytes"), 700U);
    EXPECT_EQ(h.core.counter("entries_aged"), 0U);
}

TEST_F(RetentionTest, WhoHasCreditIsSentABatchLargerThanTheStream) {
    h.op().send(protocol::QueueAlter{"q", {{"stream_max_bytes", 140}}});
    subscribe(1, ">", StartFrom::latest);
    run_many(1, 50);
    EXPECT_EQ(offsets().size(), 50U);
    EXPECT_TRUE(gaps.empty());
    EXPECT_EQ(first(), 48U);
}

TEST_F(RetentionTest, AReaderBehindIsToldWhatAgeTook) {
    subscribe(1, ">", StartFrom::latest, {1, 1'000});
    for (std::uint64_t i = 1; i <= 3; ++i) run(i);
    pass(30s);
    run(4);
    pass(31s);
    EXPECT_EQ(offsets(), Offsets{0});
    subscriber->send(protocol::CreditGrant{protocol::Link::results, "", 1, kPlenty});
    EXPECT_EQ(offsets(), Offsets{3});
    EXPECT_EQ(gaps, (std::vector<std::pair<std::uint64_t, std::uint64_t>>{{1, 3}}));
}

TEST_F(RetentionTest, SubscribesFromAMoment) {
    const auto ms = [](Time time) {
        return static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count());
    };
    const std::uint64_t begin = ms(h.now);
    run(1);
    pass(10s);
    run(2);
    run(3);
    pass(10s);
    run(4);
    EXPECT_EQ(subscribe(1, ">", StartFrom::time, kPlenty, 0).start_offset, 0U);
    EXPECT_EQ(subscribe(2, ">", StartFrom::time, kPlenty, begin + 10'000).start_offset, 1U);
    EXPECT_EQ(offsets(2), (Offsets{1, 2, 3}));
    EXPECT_EQ(subscribe(3, ">", StartFrom::time, kPlenty, begin + 10'001).start_offset, 3U);
    EXPECT_EQ(subscribe(4, ">", StartFrom::time, kPlenty, begin + 3'600'000).start_offset, 4U)
        << "in the future: latest";
    EXPECT_EQ(subscribe(5, ">", StartFrom::time, kPlenty, ~0ULL).start_offset, 4U);
    pass(45s);
    EXPECT_EQ(subscribe(6, ">", StartFrom::time, kPlenty, begin).start_offset, 1U)
        << "what is gone since then is no gap";
}

}  // namespace
}  // namespace scanmq::broker
