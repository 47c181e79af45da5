// BrokerCore: dead letters: what they keep, retries, drops, and what is journalled of them.

#include "tests/unit/broker/core/core_test.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;
using protocol::DeadAction;
using protocol::QueueAction;

class DeadLettersTest : public CoreTest {
  protected:
    DeadLettersTest() : CoreTest({{"max_attempts", 1}, {"retry_base_ms", 0}}) {
        w = &worker("w one");
    }
    void kill(protocol::Job one, std::string_view sentence = "no") {
        accept(jobs(std::move(one)));
        ASSERT_EQ(given(*w).size(), 1U);
        answer(*w, counters, AttemptOutcome::failed, sentence);
        EXPECT_EQ(end().outcome, FinalOutcome::dead);
    }
    void kill(std::uint64_t number) { kill(job(number)); }
    using Done = std::vector<std::pair<std::uint64_t, Id128>>;
    Done act(DeadAction action, const Numbers& numbers = {}) {
        protocol::DeadLetters message{"q", action, {}};
        for (const std::uint64_t n : numbers) message.jobs.push_back(job_id(n));
        h.op().send(std::move(message));
        Done out;
        for (const auto& one : h.op().next<protocol::DeadDone>().jobs) {
            out.emplace_back(number_of(one.dead), one.retry);
        }
        return out;
    }
    ErrorCode refusal(DeadAction action, const std::string& queue = "q") {
        h.op().send(protocol::DeadLetters{queue, action, {}});
        return h.op().error();
    }
    std::vector<protocol::Row> rows(const std::string& topic, const std::string& key) {
        h.op().send(protocol::Query{topic, key});
        return h.op().next<protocol::Answer>().rows;
    }
    // The producer wants nothing more.
    void give_credit_back(Credit sent) {
        producer->send(protocol::Want{"q", sent, {}});
        producer->send(protocol::Reclaimed{"q", sent});
        EXPECT_EQ(queue_row("granted_jobs"), 0U);
    }
    Peer* w = nullptr;
};

TEST_F(DeadLettersTest, ALetterTellsWhatHappened) {
    alter({{"max_attempts", 3}});
    accept(jobs(job(1, "SPY.condor", "12345")));
    for (int i = 1; i <= 3; ++i) {
        given(*w);
        answer(*w, counters, AttemptOutcome::failed, "failure " + std::to_string(i));
    }
    h.advance(5s);
    const auto list = rows("dead", "q");
    ASSERT_EQ(list.size(), 1U);
    EXPECT_EQ(value(list[0], "id"), job_id(1).hex());
    EXPECT_EQ(value(list[0], "subject"), "SPY.condor");
    EXPECT_EQ(value(list[0], "jobs"), "1");
    EXPECT_EQ(value(list[0], "attempts"), "3");
    EXPECT_EQ(value(list[0], "crashes"), "0");
    EXPECT_EQ(value(list[0], "code"), "attempts_exhausted");
    EXPECT_EQ(value(list[0], "sentence"), "failure 3");
    EXPECT_EQ(value(list[0], "died_ms"), "5000");
    EXPECT_EQ(value(list[0], "payload_bytes"), "5");
    const auto letter = rows("dead_letter", "q/" + job_id(1).hex());
    ASSERT_EQ(letter.size(), 4U);
    EXPECT_EQ(letter[0], list[0]);
    for (std::size_t i = 1; i <= 3; ++i) {
        EXPECT_EQ(value(letter[i], "attempt"), std::to_string(i));
        EXPECT_EQ(value(letter[i], "outcome"), "failed");
        EXPECT_EQ(value(letter[i], "worker"), "w one");
        EXPECT_EQ(value(letter[i], "code"), "scan_failed");
        EXPECT_EQ(value(letter[i], "sentence"), "failure " + std::to_string(i));
        EXPECT_EQ(value(letter[i], "ago_ms"), "5000");
    }
}

TEST_F(DeadLettersTest, TheNewestSixteenAttemptsAreKept) {
    alter({{"max_attempts", 20}});
    accept(1);
    for (int i = 1; i <= 20; ++i) {
        given(*w);
        answer(*w, counters, AttemptOutcome::failed, "failure " + std::to_string(i));
    }
    const auto letter = rows("dead_letter", "q/" + job_id(1).hex());
    ASSERT_EQ(letter.size(), 17U);
    EXPECT_EQ(value(letter[1], "sentence"), "failure 5");
    EXPECT_EQ(value(letter[16], "sentence"), "failure 20");
}

TEST_F(DeadLettersTest, ARetryIsANewJobThatNamesTheOldOne) {
    const ContentId chain = h.put_blob("chain");
    protocol::Job one = job_with(1, {.priority = 8, .as_of_ns = 77});
    one.inputs = chain.view();
    kill(std::move(one));
    EXPECT_EQ(h.pins(chain), 1U);
    grant(*w, {0, 0});
    forget_changes();
    h.records.clear();
    const Done done_list = act(DeadAction::retry, {1});
    ASSERT_EQ(done_list.size(), 1U);
    EXPECT_EQ(done_list[0].first, 1U);
    const Id128 id = done_list[0].second;
    EXPECT_EQ(id.bytes[6] & 0xf0, 0x70) << "a UUIDv7";
    // It ran at once.
    auto& attempt = w->next<protocol::Deliver>().attempts.at(0);
    EXPECT_EQ(attempt.job, id);
    EXPECT_EQ(attempt.subject, "SPY.vertical");
    EXPECT_EQ(attempt.inputs, chain.view());
    EXPECT_EQ(attempt.as_of_ns, 77);
    EXPECT_EQ(queue_row("dead_letters"), 0U);
    h.op().send(protocol::Query{"job", "q/" + id.hex()});
    const auto row = h.op().next<protocol::Answer>().rows.at(0);
    EXPECT_EQ(value(row, "retry_of"), job_id(1).hex());
    EXPECT_EQ(value(row, "priority"), "8");
    EXPECT_EQ(value(row, "attempts"), "0");
    // Acceptance and drop are in one record, in this order.
    ASSERT_GE(h.changes.size(), 2U);
    const auto& accepted = std::get<change::Accepted>(h.changes[0]);
    EXPECT_EQ(accepted.job.id, id);
    EXPECT_EQ(accepted.job.retry_of, job_id(1));
    EXPECT_EQ(accepted.execution, 2U);
    EXPECT_EQ(accepted.payload.body.bytes, "payload");
    EXPECT_EQ(accepted.inputs, chain.view());
    EXPECT_EQ(accepted.as_of_ns, 77);
    EXPECT_EQ(std::get<change::DeadDropped>(h.changes[1]).execution, 1U);
    EXPECT_EQ(h.records.size(), 1U);
    answer(*w, {attempt.counter}, AttemptOutcome::done);
    EXPECT_EQ(end().outcome, FinalOutcome::done);
    EXPECT_EQ(h.pins(chain), 0U);
    EXPECT_EQ(h.handles.size(), 1U) << "the result";
    EXPECT_EQ(queue_row("used_bytes"), 0U);
    EXPECT_EQ(h.core.counter("dead_letters_retried"), 1U);
}

TEST_F(DeadLettersTest, ARetryThatDiesAgainLeavesALetterOfItsOwn) {
    kill(1);
    const Id128 second = act(DeadAction::retry)[0].second;
    given(*w);
    answer(*w, counters, AttemptOutcome::failed, "again");
    ends();
    const auto list = rows("dead", "q");
    ASSERT_EQ(list.size(), 1U);
    EXPECT_EQ(value(list[0], "id"), second.hex());
    EXPECT_EQ(value(list[0], "attempts"), "1");
}

TEST_F(DeadLettersTest, ADropReleasesWhatWasKept) {
    const ContentId blob = h.put_blob("a large payload", protocol::BlobType::body);
    protocol::Job one = job(1);
    one.payload = {blob.view(), 15};
    kill(std::move(one));
    kill(2);
    EXPECT_EQ(h.pins(blob), 1U);
    EXPECT_EQ(h.handles.size(), 2U);
    forget_changes();
    EXPECT_EQ(act(DeadAction::drop, {1, 99, 1}), (Done{{1, Id128{}}}));
    ASSERT_EQ(h.changes.size(), 1U);
    EXPECT_EQ(std::get<change::DeadDropped>(h.changes[0]).execution, 1U);
    EXPECT_EQ(h.pins(blob), 0U);
    EXPECT_EQ(act(DeadAction::drop).size(), 1U);
    EXPECT_TRUE(h.handles.empty());
    EXPECT_EQ(h.core.counter("dead_letters_dropped"), 2U);
    EXPECT_EQ(act(DeadAction::drop), Done{});
    EXPECT_EQ(act(DeadAction::retry), Done{});
}

TEST_F(DeadLettersTest, ARetryOfABlobPayloadKeepsItsPin) {
    const ContentId blob = h.put_blob("a large payload", protocol::BlobType::body);
    protocol::Job one = job(1);
    one.payload = {blob.view(), 15};
    kill(std::move(one));
    act(DeadAction::retry);
    EXPECT_EQ(h.pins(blob), 1U);
    given(*w);
    answer(*w, counters, AttemptOutcome::done);
    EXPECT_EQ(h.pins(blob), 0U);
}

TEST_F(DeadLettersTest, BeyondDeadMaxTheOldestGoes) {
    alter({{"dead_max", 2}});
    kill(1);
    kill(2);
    forget_changes();
    kill(3);
    const auto dropped = changed<change::DeadDropped>();
    ASSERT_EQ(dropped.size(), 1U);
    EXPECT_EQ(dropped[0].execution, 1U);
    EXPECT_EQ(queue_row("dead_letters"), 2U);
    EXPECT_EQ(h.handles.size(), 2U);
    EXPECT_EQ(h.core.counter("dead_letters_pushed_out"), 1U);
}

TEST_F(DeadLettersTest, WithDeadMaxZeroNothingIsKept) {
    alter({{"dead_max", 0}});
    forget_changes();
    kill(1);
    EXPECT_FALSE(changed<change::Ended>().at(0).dead_letter);
    EXPECT_FALSE(changed<change::Ended>().at(0).has_attempt);
    EXPECT_TRUE(h.handles.empty());
    EXPECT_EQ(queue_row("dead_letters"), 0U);
    EXPECT_EQ(queue_row("dead"), 1U);
}

TEST_F(DeadLettersTest, ARetryNeedsRoomThatWasNotGrantedToOthers) {
    for (std::uint64_t n = 1; n <= 3; ++n) kill(n);
    w->send(protocol::Bye{});
    alter({{"max_jobs", 15'997}});
    EXPECT_EQ(refusal(DeadAction::retry), ErrorCode::queue_full) << "all is granted to a producer";
    EXPECT_EQ(h.core.counter("error_queue_full"), 1U);
    give_credit_back({3, 213});
    alter({{"max_jobs", 2}});
    EXPECT_EQ(act(DeadAction::retry).size(), 2U) << "as far as there is room";
    EXPECT_EQ(queue_row("dead_letters"), 1U);
    EXPECT_EQ(refusal(DeadAction::retry), ErrorCode::queue_full);
    EXPECT_EQ(queue_row("dead_letters"), 1U) << "it is kept";
    alter({{"max_jobs", 3}});
    EXPECT_EQ(act(DeadAction::retry).size(), 1U);
}

TEST_F(DeadLettersTest, ARetryNeedsRoomInBytesToo) {
    const std::string large(1'000, 'x');
    kill(job(1, "S", large));
    give_credit_back({1, 1'064});
    alter({{"max_bytes", 1'063}});
    EXPECT_EQ(refusal(DeadAction::retry), ErrorCode::queue_full);
    alter({{"max_bytes", 1'064}});
    EXPECT_EQ(act(DeadAction::retry).size(), 1U);
}

TEST_F(DeadLettersTest, ADrainingQueueTakesNoRetriesButDrops) {
    kill(1);
    kill(2);
    control(QueueAction::drain);
    EXPECT_EQ(refusal(DeadAction::retry), ErrorCode::queue_draining);
    EXPECT_EQ(act(DeadAction::drop, {2}).size(), 1U);
    control(QueueAction::resume);
    EXPECT_EQ(act(DeadAction::retry).size(), 1U);
}

TEST_F(DeadLettersTest, AllMeansAtMostOneFrameful) {
    alter({{"max_attempts", 1}});
    for (std::uint64_t first = 1; first <= 5'000; first += 1'000) {
        accept(job_range(first, 1'000));
        given(*w);
        answer(*w, counters, AttemptOutcome::failed, "no");
    }
    EXPECT_EQ(queue_row("dead_letters"), 5'000U);
    EXPECT_EQ(act(DeadAction::drop).size(), 4'096U);
    EXPECT_EQ(act(DeadAction::drop).size(), 904U);
}

TEST_F(DeadLettersTest, AnIdThatIsUsedAgainHasTwoLettersAndBothCanBeReached) {
    kill(1);
    pass(11min, {w});  // the id is forgotten
    producer->clock_ms = 0;
    protocol::Job again = job(1);
    alter({{"max_jobs", 1'000'000}});
    // The id is old by now; its producer's clock says otherwise.
    Peer& p = h.peer(protocol::kProducer, "behind");
    p.clock_ms = 3'600'000;
    ASSERT_TRUE(p.hello());
    p.send(protocol::Want{"q", {}, {10, 10'000}});
    p.send(submit("q", jobs(std::move(again))));
    EXPECT_TRUE(p.next<protocol::Accepted>().exceptions.empty());
    given(*w);
    answer(*w, counters, AttemptOutcome::failed, "no");
    EXPECT_EQ(queue_row("dead_letters"), 2U);
    EXPECT_EQ(act(DeadAction::drop, {1}).size(), 1U);
    EXPECT_EQ(act(DeadAction::drop, {1}).size(), 1U);
    EXPECT_EQ(queue_row("dead_letters"), 0U);
}

TEST_F(DeadLettersTest, DeletingTheQueueReleasesItsLetters) {
    kill(1);
    h.op().send(protocol::QueueDelete{"q", false});
    h.op().next<protocol::Ok>();
    EXPECT_TRUE(h.handles.empty());
}

TEST_F(DeadLettersTest, UnknownQueuesLettersAndRolesAreRefused) {
    EXPECT_EQ(refusal(DeadAction::drop, "nowhere"), ErrorCode::unknown_queue);
    for (Peer* peer : {producer, subscriber, w}) {
        peer->send(protocol::DeadLetters{"q", DeadAction::drop, {}});
        EXPECT_EQ(peer->error(), ErrorCode::not_permitted);
    }
    const auto query = [&](const std::string& topic, const std::string& key) {
        subscriber->send(protocol::Query{topic, key});
        return subscriber->error();
    };
    EXPECT_EQ(query("dead", "nowhere"), ErrorCode::unknown_queue);
    EXPECT_EQ(query("dead_letter", "q/" + job_id(1).hex()), ErrorCode::unknown_job);
    EXPECT_EQ(query("dead_letter", "q"), ErrorCode::malformed);
    EXPECT_EQ(query("dead_letter", "q/12"), ErrorCode::malformed);
    EXPECT_EQ(query("dead_letter", "r/" + job_id(1).hex()), ErrorCode::unknown_queue);
}

}  // namespace
}  // namespace scanmq::broker
