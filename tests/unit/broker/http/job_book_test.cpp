#include "broker/http/job_book.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scanmq::gateway {
namespace {

using namespace std::chrono_literals;
using protocol::ErrorCode;
using protocol::FinalOutcome;
using protocol::Verdict;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

Id128 id_of(std::uint8_t n) {
    Id128 id;
    id.bytes[15] = n;
    return id;
}

class JobBookTest : public testing::Test {
  protected:
    void make(const BookLimits& limits) { book = JobBook(limits); }
    void add(std::uint8_t n, bool cancel_when_alone = false, Kind kind = Kind::scan) {
        ASSERT_TRUE(book.reserve(1, out));
        NewJob job;
        job.id = id_of(n);
        job.kind = kind;
        job.queue = "scans";
        job.pattern = "*";
        job.symbol = "SPY";
        job.cancel_when_alone = cancel_when_alone;
        book.add(std::move(job), now, out);
    }
    void accept(std::uint8_t n) { book.accepted(id_of(n), Verdict::accepted, now, out); }
    void end(std::uint8_t n, std::string body = "result") {
        Ended ended;
        ended.outcome = FinalOutcome::done;
        ended.body = std::move(body);
        book.end(id_of(n), std::move(ended), now, out);
    }
    bool wait(std::uint8_t n, Waiter waiter, Duration patience) {
        return book.wait(id_of(n), waiter, now + patience);
    }
    // Lets time pass and does what is due on the way.
    void pass(Duration duration) {
        now += duration;
        book.tick(now, out);
        book.trim(now, out);
    }
    std::vector<std::pair<Waiter, WakeReason>> woken() {
        std::vector<std::pair<Waiter, WakeReason>> list;
        for (const Wake& wake : out.wakes) list.emplace_back(wake.waiter, wake.reason);
        out.wakes.clear();
        return list;
    }

    Time now{1h};
    BookEffects out;
    JobBook book{BookLimits{}};
};

TEST_F(JobBookTest, WakesEverybodyWhoWaitsWhenTheJobEnds) {
    add(1);
    accept(1);
    ASSERT_TRUE(wait(1, 10, 5s));
    ASSERT_TRUE(wait(1, 11, 9s));
    end(1);
    EXPECT_THAT(woken(), ElementsAre(Pair(10, WakeReason::ended), Pair(11, WakeReason::ended)));
    ASSERT_NE(book.find(id_of(1)), nullptr);
    EXPECT_EQ(book.find(id_of(1))->ended.body, "result");
    EXPECT_EQ(book.waits(), 0U);
    pass(10s);
    EXPECT_THAT(woken(), IsEmpty());
}

TEST_F(JobBookTest, TimesOutOnlyAfterTheBrokerHasAnswered) {
    add(1);
    ASSERT_TRUE(wait(1, 10, 100ms));
    pass(200ms);
    EXPECT_THAT(woken(), IsEmpty()) << "nobody knows yet whether the job is taken";
    accept(1);
    EXPECT_THAT(woken(), ElementsAre(Pair(10, WakeReason::timed_out)));
    add(2);
    accept(2);
    ASSERT_TRUE(wait(2, 11, 100ms));
    pass(99ms);
    EXPECT_THAT(woken(), IsEmpty());
    EXPECT_EQ(book.next_deadline(), now + 1ms);
    pass(1ms);
    EXPECT_THAT(woken(), ElementsAre(Pair(11, WakeReason::timed_out)));
}

TEST_F(JobBookTest, GivesUpASubmissionWithoutRoomAndCancelsItWhenItIsTakenLater) {
    add(1);
    ASSERT_TRUE(wait(1, 10, 5s));
    pass(BookLimits{}.submit_wait);
    EXPECT_THAT(woken(), ElementsAre(Pair(10, WakeReason::no_room)));
    EXPECT_EQ(book.counts().no_room, 1U);
    EXPECT_THAT(out.cancels, IsEmpty());
    accept(1);
    EXPECT_THAT(out.cancels, ElementsAre(Pair("scans", id_of(1))));
}

TEST_F(JobBookTest, ARepeatedRequestTakesUpASubmissionThatWasGivenUp) {
    add(1);
    ASSERT_TRUE(wait(1, 10, 5s));
    pass(1s);
    woken();
    book.touch(id_of(1), now);
    ASSERT_TRUE(wait(1, 11, 5s));
    pass(500ms);
    accept(1);
    EXPECT_THAT(out.cancels, IsEmpty());
    end(1);
    EXPECT_THAT(woken(), ElementsAre(Pair(11, WakeReason::ended)));
}

TEST_F(JobBookTest, CancelsAJobWhenTheLastWhoWaitsForItLeaves) {
    add(1, true);
    accept(1);
    ASSERT_TRUE(wait(1, 10, 5s));
    ASSERT_TRUE(wait(1, 11, 5s));
    book.leave(10, now, out);
    EXPECT_THAT(out.cancels, IsEmpty());
    book.leave(11, now, out);
    EXPECT_THAT(out.cancels, ElementsAre(Pair("scans", id_of(1))));
    EXPECT_EQ(book.counts().clients_gone, 2U);
    book.leave(11, now, out);
    EXPECT_EQ(book.counts().clients_gone, 2U);
}

TEST_F(JobBookTest, LeavesAJobAloneWhoseIdWasHandedOut) {
    add(1, true);
    accept(1);
    ASSERT_TRUE(wait(1, 10, 1s));
    pass(1s);
    EXPECT_THAT(woken(), SizeIs(1));
    ASSERT_TRUE(wait(1, 11, 1s));  // its client came back
    book.leave(11, now, out);
    EXPECT_THAT(out.cancels, IsEmpty());
}

TEST_F(JobBookTest, CancelsLateWhatWasBeingSubmittedWhenItsClientLeft) {
    add(1, true);
    ASSERT_TRUE(wait(1, 10, 5s));
    book.leave(10, now, out);
    EXPECT_THAT(out.cancels, IsEmpty());
    accept(1);
    EXPECT_THAT(out.cancels, SizeIs(1));
    add(2);
    book.abandon(id_of(2));
    accept(2);
    EXPECT_THAT(out.cancels, SizeIs(2));
}

TEST_F(JobBookTest, RefusesWaitsBeyondTheLimit) {
    BookLimits limits;
    limits.waits_max = 2;
    make(limits);
    add(1);
    EXPECT_TRUE(wait(1, 10, 1s));
    EXPECT_TRUE(wait(1, 11, 1s));
    EXPECT_FALSE(wait(1, 12, 1s));
    EXPECT_EQ(book.counts().waits_refused, 1U);
    book.leave(10, now, out);
    EXPECT_TRUE(wait(1, 13, 1s));
}

TEST_F(JobBookTest, ForgetsTheOldestEndedFirstThenWhatNobodyWaitsForButNeverWhatIsWaitedFor) {
    BookLimits limits;
    limits.jobs_max = 3;
    make(limits);
    add(1);
    accept(1);  // nobody waits
    add(2);
    accept(2);
    ASSERT_TRUE(wait(2, 10, 1min));
    add(3);
    end(3);
    add(4);
    EXPECT_EQ(book.find(id_of(3)), nullptr);
    ASSERT_NE(book.find(id_of(1)), nullptr);
    add(5);
    EXPECT_EQ(book.find(id_of(1)), nullptr);
    EXPECT_FALSE(book.reserve(1, out)) << "2 is waited for, 4 and 5 are being submitted";
    EXPECT_EQ(book.counts().jobs_refused, 1U);
    EXPECT_EQ(book.counts().forgotten, 2U);
    EXPECT_EQ(book.jobs(), 3U);
}

TEST_F(JobBookTest, KeepsResultsForAWhileAndWithinTheirBytes) {
    BookLimits limits;
    limits.kept_bytes_max = 3000;
    make(limits);
    add(1);
    end(1, std::string(1000, 'x'));
    pass(1min);
    add(2);
    end(2, std::string(1000, 'x'));
    EXPECT_GT(book.kept_bytes(), 3000U);
    ASSERT_NE(book.find(id_of(1)), nullptr) << "whoever waited is told first";
    book.trim(now, out);
    EXPECT_EQ(book.find(id_of(1)), nullptr);
    EXPECT_LE(book.kept_bytes(), 3000U);
    pass(limits.keep_for - 1s);
    ASSERT_NE(book.find(id_of(2)), nullptr);
    book.touch(id_of(2), now);  // somebody asked: another while
    pass(limits.keep_for - 1s);
    ASSERT_NE(book.find(id_of(2)), nullptr);
    pass(1s);
    EXPECT_EQ(book.jobs(), 0U);
    EXPECT_EQ(book.kept_bytes(), 0U);
    EXPECT_EQ(book.counts().expired, 1U);
    EXPECT_EQ(book.next_deadline(), Time::max());
}

TEST_F(JobBookTest, EndsEachWatchOnceHoweverTheJobGoes) {
    add(1);
    end(1);
    add(2);
    accept(2);
    add(3);
    Ended refused;
    refused.refused = true;
    refused.code = ErrorCode::unknown_alias;
    book.end(id_of(3), refused, now, out);
    EXPECT_THAT(out.watches_begun, SizeIs(3));
    EXPECT_THAT(out.watches_ended, SizeIs(2));
    pass(BookLimits{}.keep_for);
    EXPECT_EQ(book.jobs(), 0U);
    EXPECT_THAT(out.watches_ended, SizeIs(3));
    EXPECT_EQ(book.counts().refused, 1U);
}

TEST_F(JobBookTest, ASecondEndChangesNothing) {
    add(1);
    accept(1);
    end(1, "first");
    end(1, "second");
    EXPECT_EQ(book.find(id_of(1))->ended.body, "first");
    EXPECT_EQ(book.counts().ended, 1U);
    end(9);
    EXPECT_EQ(book.counts().ended, 1U);
}

class BatchTest : public JobBookTest {
  protected:
    void open(std::uint8_t n, std::uint32_t symbols) {
        ASSERT_TRUE(book.reserve(symbols + 1, out));
        NewJob batch;
        batch.id = id_of(n);
        batch.kind = Kind::batch;
        batch.queue = "scans";
        book.add_batch(std::move(batch), symbols, 50, now);
    }
    void member(std::uint8_t n, std::uint8_t batch) {
        NewJob job;
        job.id = id_of(n);
        job.kind = Kind::member;
        job.queue = "scans";
        job.pattern = "*";
        job.symbol = "S" + std::to_string(n);
        job.batch = id_of(batch);
        book.add(std::move(job), now, out);
    }
};

TEST_F(BatchTest, EndsWithTheLastOfItsJobsAndCountsFailures) {
    open(1, 3);
    for (std::uint8_t n = 2; n <= 4; ++n) member(n, 1);
    for (std::uint8_t n = 2; n <= 4; ++n) accept(n);
    EXPECT_THAT(out.seals, SizeIs(1));
    EXPECT_EQ(out.seals[0].taken, 3U);
    ASSERT_TRUE(wait(1, 10, 1min));
    Ended dead;
    dead.outcome = FinalOutcome::dead;
    dead.code = ErrorCode::worker_lost;
    book.end(id_of(2), dead, now, out);
    end(3, "not a result");
    EXPECT_THAT(woken(), IsEmpty());
    EXPECT_EQ(book.find(id_of(1))->result->ended(), 2U);
    EXPECT_EQ(book.find(id_of(3)), nullptr) << "a batch's jobs go into it";
    book.end(id_of(4), dead, now, out);
    EXPECT_THAT(woken(), ElementsAre(Pair(10, WakeReason::ended)));
    const Track* batch = book.find(id_of(1));
    ASSERT_THAT(batch->result->failures(), SizeIs(3));
    EXPECT_EQ(batch->result->failures()[0].code, "worker_lost");
    EXPECT_EQ(batch->result->failures()[1].code, "invalid_result");
    EXPECT_EQ(batch->stage, Stage::ended);
    EXPECT_THAT(out.watches_ended, SizeIs(3));
}

TEST_F(BatchTest, IsSealedWithWhatWasTakenWhenTheLastAnswerCame) {
    open(1, 3);
    member(2, 1);
    member(3, 1);
    book.refuse_member(id_of(1), "S4", "queue_full", "no room", now, out);
    accept(2);
    EXPECT_THAT(out.seals, IsEmpty());
    Ended refused;
    refused.refused = true;
    refused.code = ErrorCode::unknown_alias;
    book.end(id_of(3), refused, now, out);
    ASSERT_THAT(out.seals, SizeIs(1));
    EXPECT_EQ(out.seals[0].taken, 1U);
    end(2, "");
    EXPECT_EQ(book.find(id_of(1))->stage, Stage::ended);
}

TEST_F(BatchTest, IsForgottenWithItsJobs) {
    open(1, 2);
    member(2, 1);
    member(3, 1);
    accept(2);
    pass(BookLimits{}.keep_for);
    EXPECT_EQ(book.jobs(), 0U);
    EXPECT_THAT(out.watches_ended, SizeIs(2));
    accept(3);
    end(2);
    EXPECT_EQ(book.counts().ended, 0U);
}

TEST_F(BatchTest, ItsJobsWaitForRoomAsLongAsItTakes) {
    open(1, 1);
    member(2, 1);
    pass(1min);
    accept(2);
    EXPECT_THAT(out.cancels, IsEmpty());
    EXPECT_EQ(book.counts().no_room, 0U);
}

}  // namespace
}  // namespace scanmq::gateway
