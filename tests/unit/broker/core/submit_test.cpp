// BrokerCore: submission: credit, verdicts job by job, duplicates.

#include <memory>

#include "tests/unit/broker/core/harness.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;
using protocol::Credit;
using protocol::ErrorCode;
using protocol::JobState;
using protocol::Verdict;

class SubmitTest : public ::testing::Test {
  protected:
    explicit SubmitTest(BrokerOptions options = {}) : h(options) {
        h.create_queue("q");
        producer = &h.producer();
        want();
    }
    void want(Credit amount = {10'000, 10 << 20}) {
        producer->send(protocol::Want{"q", sent, amount});
        producer->inbox.clear();
    }
    const protocol::Accepted& send(std::vector<protocol::Job> list, Id128 group = {}) {
        for (const auto& j : list) {
            ++sent.items;
            sent.bytes += 64 + (j.payload.is_blob() ? 0 : j.payload.bytes.size());
        }
        producer->send(submit("q", std::move(list), group));
        return producer->next<protocol::Accepted>();
    }
    // The verdict of one job sent alone.
    protocol::JobVerdict verdict(protocol::Job one, Id128 group = {}) {
        const auto& accepted = send(jobs(std::move(one)), group);
        EXPECT_EQ(accepted.jobs, 1U);
        return accepted.exceptions.empty() ? protocol::JobVerdict{0, Verdict::accepted, {}, {}, {}}
                                           : accepted.exceptions[0];
    }
    ErrorCode refusal(protocol::Job one, Id128 group = {}) {
        const auto before = h.handles.size();
        const auto v = verdict(std::move(one), group);
        EXPECT_EQ(v.verdict, Verdict::refused);
        EXPECT_FALSE(v.sentence.empty());
        EXPECT_EQ(h.handles.size(), before) << "a refused body goes back";
        EXPECT_GE(h.core.counter("refused_" + std::string(to_string(v.code))), 1U);
        return v.code;
    }
    Harness h;
    Peer* producer = nullptr;
    Credit sent;
};

TEST_F(SubmitTest, IsAnsweredWithOneAcceptedAfterTheCommit) {
    producer->send(submit("q", job_range(1, 3)));
    ASSERT_EQ(producer->inbox.size(), 1U);
    EXPECT_TRUE(producer->inbox[0].after_commit);
    const auto& accepted = producer->next<protocol::Accepted>();
    EXPECT_EQ(accepted.re, producer->seq);
    EXPECT_EQ(accepted.jobs, 3U);
    EXPECT_TRUE(accepted.exceptions.empty());
    EXPECT_GE(accepted.limit.items, 10'000U);
    EXPECT_EQ(h.row("queues", "q", "waiting"), 3U);
    EXPECT_TRUE(std::holds_alternative<change::Accepted>(h.changes.back()));
}

TEST_F(SubmitTest, WithoutCreditNothingIsTaken) {
    Peer& other = h.producer("other");
    other.send(submit("q", jobs(job(1))));
    EXPECT_EQ(other.error(), ErrorCode::over_credit);
    EXPECT_TRUE(h.handles.empty());
    EXPECT_EQ(h.row("queues", "q", "waiting"), 0U);
    EXPECT_EQ(h.core.counter("error_over_credit"), 1U);
}

TEST_F(SubmitTest, AnUnknownQueueIsAnErrorOfTheFrame) {
    producer->send(submit("nope", jobs(job(1))));
    EXPECT_EQ(producer->error(), ErrorCode::unknown_queue);
    producer->send(protocol::Want{"nope", {}, {1, 1}});
    EXPECT_EQ(producer->error(), ErrorCode::unknown_queue);
    producer->send(protocol::Reclaimed{"nope", {}});
    EXPECT_EQ(producer->error(), ErrorCode::unknown_queue);
    EXPECT_TRUE(h.handles.empty());
}

TEST_F(SubmitTest, TheSameJobAgainIsADuplicateWithItsState) {
    EXPECT_EQ(verdict(job(1)).verdict, Verdict::accepted);
    EXPECT_EQ(verdict(job(1)).state, JobState::queued);
    Peer& worker = h.worker();
    worker.send(protocol::CreditGrant{protocol::Link::deliver, "", 0, kPlenty});
    EXPECT_EQ(verdict(job(1)).state, JobState::running);
    worker.send(done({worker.next<protocol::Deliver>().attempts[0].counter},
                     protocol::AttemptOutcome::done));
    const auto last = verdict(job(1));
    EXPECT_EQ(last.verdict, Verdict::duplicate);
    EXPECT_EQ(last.state, JobState::finished);
    EXPECT_EQ(h.core.counter("jobs_duplicate"), 3U);
    EXPECT_EQ(h.core.counter("jobs_accepted"), 1U);
}

TEST_F(SubmitTest, TheSameIdTwiceInOneFrameIsADuplicate) {
    const auto& accepted = send(jobs(job(1), job(1)));
    ASSERT_EQ(accepted.exceptions.size(), 1U);
    EXPECT_EQ(accepted.exceptions[0].index, 1U);
    EXPECT_EQ(accepted.exceptions[0].verdict, Verdict::duplicate);
}

TEST_F(SubmitTest, TheSameIdWithOtherContentIsAConflict) {
    verdict(job(1));
    EXPECT_EQ(refusal(job(1, "SPY.vertical", "other")), ErrorCode::id_conflict);
    EXPECT_EQ(refusal(job(1, "QQQ.vertical")), ErrorCode::id_conflict);
}

TEST_F(SubmitTest, FinishedIdsAreForgottenAfterTheWindow) {
    Peer& worker = h.worker();
    worker.send(protocol::CreditGrant{protocol::Link::deliver, "", 0, kPlenty});
    verdict(job(1));
    worker.send(done({worker.next<protocol::Deliver>().attempts[0].counter},
                     protocol::AttemptOutcome::done));
    for (int i = 0; i < 121; ++i) {
        h.advance(5s);
        producer->send(protocol::Heartbeat{});
        worker.send(protocol::Heartbeat{});
    }
    EXPECT_EQ(h.core.counter("ids_forgotten"), 1U);
    // Its id was made before the window now: it cannot be told whether the job was there.
    EXPECT_EQ(refusal(job(1)), ErrorCode::id_too_old);
}

TEST_F(SubmitTest, AnIdsAgeIsSeenByTheClockOfItsProducer) {
    protocol::Job old = job(1);
    old.id = job_id(1, 3'600'000 - 600'001);
    EXPECT_EQ(refusal(std::move(old)), ErrorCode::id_too_old);
    protocol::Job young = job(2);
    young.id = job_id(2, 3'600'000 - 600'000);
    EXPECT_EQ(verdict(std::move(young)).verdict, Verdict::accepted);
    // A producer whose clock is an hour behind.
    producer->clock_ms = 1;
    EXPECT_TRUE(producer->hello());
    sent = {};
    want();
    protocol::Job skewed = job(3);
    skewed.id = job_id(3, 1);
    EXPECT_EQ(verdict(std::move(skewed)).verdict, Verdict::accepted);
    protocol::Job no_time = job(4);
    no_time.id = job_id(4, 0);
    no_time.id.bytes[6] = 0x40;  // not a UUIDv7
    EXPECT_EQ(verdict(std::move(no_time)).verdict, Verdict::accepted);
}

TEST_F(SubmitTest, EachRefusalOfAJobHasItsCodeAndTheOthersCount) {
    protocol::Job no_id = job(1);
    no_id.id = {};
    EXPECT_EQ(refusal(std::move(no_id)), ErrorCode::malformed);
    EXPECT_EQ(refusal(job(2, "SPY.*")), ErrorCode::bad_subject);
    EXPECT_EQ(refusal(job(2, "SPY..x")), ErrorCode::bad_subject);
    protocol::Job delayed = job(3);
    delayed.options = std::make_unique<protocol::JobOptions>();
    delayed.options->headers = {{"a", "b"}};
    const auto v = verdict(std::move(delayed));
    EXPECT_EQ(v.code, ErrorCode::unsupported);
    EXPECT_NE(v.sentence.find("headers"), std::string::npos);
    protocol::Job plain = job(4);
    plain.options = std::make_unique<protocol::JobOptions>();
    EXPECT_EQ(verdict(std::move(plain)).verdict, Verdict::accepted) << "all at their defaults";
    EXPECT_EQ(refusal(job(5), job_id(99)), ErrorCode::unknown_group);

    const auto& accepted = send(jobs(job(10), job(11, "bad subject"), job(12), job(10)));
    ASSERT_EQ(accepted.exceptions.size(), 2U);
    EXPECT_EQ(accepted.exceptions[0].index, 1U);
    EXPECT_EQ(accepted.exceptions[1].index, 3U);
    EXPECT_EQ(h.row("queues", "q", "waiting"), 3U);
}

TEST_F(SubmitTest, SnapshotsMustBeThereAndStayPinned) {
    const ContentId chain = h.put_blob("a chain");
    const ContentId other = h.put_blob("another chain");
    const ContentId missing = content_id("missing");
    const std::string both = std::string(chain.view()) + std::string(other.view());
    const std::string bad = std::string(chain.view()) + std::string(missing.view());
    protocol::Job good = job(1);
    good.inputs = both;
    protocol::Job again = job(2);
    again.inputs = both;
    protocol::Job wrong = job(3);
    wrong.inputs = bad;
    EXPECT_EQ(verdict(std::move(good)).verdict, Verdict::accepted);
    EXPECT_EQ(verdict(std::move(again)).verdict, Verdict::accepted);
    EXPECT_EQ(refusal(std::move(wrong)), ErrorCode::unknown_snapshot);
    EXPECT_GE(h.pins(chain), 1U);
    Peer& worker = h.worker();
    worker.send(protocol::CreditGrant{protocol::Link::deliver, "", 0, kPlenty});
    const auto& deliver = worker.next<protocol::Deliver>();
    EXPECT_EQ(deliver.attempts[1].inputs, both);
    worker.send(done({1}, protocol::AttemptOutcome::done));
    EXPECT_GE(h.pins(other), 1U) << "the second job still refers to it";
    worker.send(done({2}, protocol::AttemptOutcome::done));
    EXPECT_EQ(h.pins(chain), 0U);
    EXPECT_EQ(h.pins(other), 0U);
}

TEST_F(SubmitTest, APayloadThatIsABlobIsPinnedWhileTheJobLives) {
    const ContentId blob = h.put_blob(std::string(1'000, 'x'), protocol::BlobType::body);
    const auto make = [&](std::uint64_t number, std::uint64_t size) {
        protocol::Job j = job(number);
        j.payload.bytes = blob.view();
        j.payload.blob_size = size;
        return j;
    };
    EXPECT_EQ(refusal(make(1, 999)), ErrorCode::unknown_snapshot) << "not its size";
    EXPECT_EQ(verdict(make(2, 1'000)).verdict, Verdict::accepted);
    EXPECT_EQ(h.row("queues", "q", "used_bytes"), 64U) << "a blob costs its overhead only";
    EXPECT_EQ(h.pins(blob), 1U);
    Peer& worker = h.worker();
    worker.send(protocol::CreditGrant{protocol::Link::deliver, "", 0, kPlenty});
    worker.send(done({1}, protocol::AttemptOutcome::rejected));
    EXPECT_EQ(h.pins(blob), 0U);
}

TEST_F(SubmitTest, AcceptedFitsItsFrameWhateverIsRefused) {
    want({20'000, 20 << 20});
    std::vector<protocol::Job> list;
    for (std::uint64_t i = 0; i < 4'096; ++i) list.push_back(job(i + 1, "bad subject"));
    const auto& accepted = send(std::move(list));
    ASSERT_EQ(accepted.exceptions.size(), 4'096U);
    std::size_t bytes = 0;
    for (const auto& e : accepted.exceptions) bytes += 32 + e.sentence.size();
    EXPECT_LT(bytes, protocol::kLimits.frame_bytes_max);
    EXPECT_FALSE(accepted.exceptions.front().sentence.empty());
}

TEST_F(SubmitTest, RoomIsReservedAndFreedByTheJobsEnd) {
    h.create_queue("small", {{"max_jobs", 10}});
    producer->send(protocol::Want{"small", {}, {100, 100'000}});
    EXPECT_EQ(producer->next<protocol::CreditGrant>().limit.items, 10U);
    producer->send(submit("small", job_range(1, 10)));
    EXPECT_EQ(producer->next<protocol::Accepted>().limit.items, 10U);
    Peer& worker = h.worker();
    worker.send(protocol::CreditGrant{protocol::Link::deliver, "", 0, {3, 10'000}});
    worker.send(done({1, 2}, protocol::AttemptOutcome::done));
    EXPECT_EQ(producer->next<protocol::CreditGrant>().limit.items, 12U)
        << "the WANT is still waiting";
    EXPECT_EQ(h.row("queues", "small", "granted_jobs"), 2U);
    producer->send(submit("small", job_range(11, 2)));
    EXPECT_TRUE(producer->next<protocol::Accepted>().exceptions.empty());
    h.disconnect(*producer);
    EXPECT_EQ(h.row("queues", "small", "granted_jobs"), 0U);
    EXPECT_EQ(h.row("queues", "small", "waiting"), 9U) << "jobs stay";
}

TEST_F(SubmitTest, ALargeItemGetsAnExactGrant) {
    producer->send(protocol::Want{"q", sent, {1, 64 << 20}});
    EXPECT_EQ(producer->next<protocol::CreditGrant>().limit.bytes, 64U << 20);
    producer->send(protocol::Want{"q", sent, {1, (1ULL << 30) + 1}});
    EXPECT_EQ(producer->error(), ErrorCode::item_too_large);
    producer->send(protocol::Want{"q", {1'000'000, 0}, {1, 100}});
    EXPECT_EQ(producer->error(), ErrorCode::over_credit);
}

TEST_F(SubmitTest, UnusedCreditIsReclaimedForWhoNeedsIt) {
    h.create_queue("small", {{"max_jobs", 10}});
    producer->send(protocol::Want{"small", {}, {10, 10'000}});
    Peer& other = h.producer("other");
    other.send(protocol::Want{"small", {}, {4, 4'000}});
    EXPECT_EQ(other.count<protocol::CreditGrant>(), 0U);
    EXPECT_EQ(producer->count<protocol::Reclaim>(), 0U);
    h.advance(100ms);
    EXPECT_EQ(producer->next<protocol::Reclaim>().queue, "small");
    producer->post(submit("small", jobs(job(1), job(2))));
    producer->send(protocol::Reclaimed{"small", {2, 142}});
    EXPECT_EQ(other.next<protocol::CreditGrant>().limit.items, 4U);
    producer->send(submit("small", jobs(job(3), job(4), job(5), job(6), job(7))));
    EXPECT_EQ(producer->error(), ErrorCode::over_credit);
    EXPECT_EQ(h.core.counter("reclaims"), 1U);
}

TEST_F(SubmitTest, AJobOverALoweredLimitIsTooLarge) {
    h.op().send(protocol::QueueAlter{"q", {{"max_bytes", 100}}});
    EXPECT_EQ(refusal(job(1, "S", std::string(37, 'x'))), ErrorCode::item_too_large);
    EXPECT_EQ(verdict(job(2, "S", std::string(36, 'x'))).verdict, Verdict::accepted);
}

}  // namespace
}  // namespace scanmq::broker
