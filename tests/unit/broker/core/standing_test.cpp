// BrokerCore: standing scans: what is set, when they run, what they are held by, what is journalled.

#include "broker/core/restorer.hpp"
#include "tests/unit/broker/core/core_test.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;
using protocol::QueueAction;

BrokerOptions few_scans() {
    BrokerOptions options;
    options.standing_max = 2;
    options.standing_bytes_max = 1'000;
    return options;
}

class StandingTest : public CoreTest {
  protected:
    StandingTest() : CoreTest({}, few_scans()) {
        first = h.put_blob("first");
        second = h.put_blob("second");
        third = h.put_blob("third");
    }
    void move(const std::string& alias, const ContentId& id) {
        producer->send(protocol::AliasSet{alias, id});
        producer->next<protocol::Ok>();
    }
    static protocol::StandingSet scan(const std::string& name, std::uint64_t min_interval_ms = 0) {
        protocol::StandingSet out;
        out.name = name;
        out.queue = "q";
        out.subject = "desk.condors";
        out.payload.bytes = "what to look for";
        out.aliases = {"SPY"};
        out.min_interval_ms = min_interval_ms;
        return out;
    }
    ErrorCode set(protocol::StandingSet message) {
        producer->send(std::move(message));
        if (producer->count<protocol::Ok>() == 0) return producer->error();
        EXPECT_TRUE(producer->inbox.back().after_commit);
        producer->next<protocol::Ok>();
        return ErrorCode::none;
    }
    ErrorCode drop(const std::string& name) {
        producer->send(protocol::StandingDrop{name});
        if (producer->count<protocol::Ok>() == 0) return producer->error();
        producer->next<protocol::Ok>();
        return ErrorCode::none;
    }
    // The inputs of the attempts in the worker's inbox, which it answers.
    std::vector<ContentId> ran(Peer& peer) {
        std::vector<ContentId> out;
        Numbers all;
        while (peer.count<protocol::Deliver>() > 0) {
            for (const auto& attempt : peer.next<protocol::Deliver>().attempts) {
                EXPECT_EQ(attempt.subject, "desk.condors");
                out.push_back(*ContentId::from_bytes(attempt.inputs.substr(0, ContentId::kSize)));
                all.push_back(attempt.counter);
            }
        }
        if (!all.empty()) answer(peer, all, AttemptOutcome::done);
        return out;
    }
    std::string value_of(const std::string& name, const std::string& column) {
        h.op().send(protocol::Query{"standing", ""});
        for (const auto& row : h.op().next<protocol::Answer>().rows) {
            if (value(row, "name") == name) return value(row, column);
        }
        return "no such scan";
    }
    using Ids = std::vector<ContentId>;
    ContentId first, second, third;
};

TEST_F(StandingTest, ItRunsWhenItIsSetAndWithEachMove) {
    Peer& w = worker();
    move("SPY", first);
    EXPECT_EQ(set(scan("desk")), ErrorCode::none);
    EXPECT_EQ(ran(w), Ids{first});
    move("SPY", second);
    EXPECT_EQ(ran(w), Ids{second});
    move("SPY", second);
    move("QQQ", first);
    EXPECT_EQ(ran(w), Ids{}) << "nothing of it moved";
    EXPECT_EQ(value_of("desk", "runs"), "2");
    EXPECT_EQ(value_of("desk", "pending"), "0");
    EXPECT_EQ(value_of("desk", "aliases"), "SPY");
    EXPECT_EQ(value_of("desk", "last_error"), "");
    EXPECT_EQ(h.core.counter("standing_runs"), 2U);
    EXPECT_EQ(ends().size(), 2U);
    EXPECT_EQ(drop("desk"), ErrorCode::none);
    move("SPY", third);
    EXPECT_EQ(ran(w), Ids{});
    EXPECT_EQ(drop("desk"), ErrorCode::unknown_standing);
    EXPECT_EQ(h.handles.size(), 2U) << "the results";
}

TEST_F(StandingTest, OfRunsThatWaitTheNewestIsLeft) {
    move("SPY", first);
    EXPECT_EQ(set(scan("desk")), ErrorCode::none);
    move("SPY", second);
    move("SPY", third);
    EXPECT_EQ(queue_row("waiting"), 1U);
    const auto all = ends();
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].outcome, FinalOutcome::superseded);
    EXPECT_EQ(all[1].outcome, FinalOutcome::superseded);
    Peer& w = worker();
    EXPECT_EQ(ran(w), Ids{third});
    EXPECT_EQ(queue_row("used_bytes"), 0U);
}

TEST_F(StandingTest, AClientsConflateKeyIsNoneOfTheBrokers) {
    move("SPY", first);
    EXPECT_EQ(set(scan("desk")), ErrorCode::none);
    accept(2, {.conflate_key = "desk"});
    EXPECT_EQ(queue_row("waiting"), 2U);
    EXPECT_EQ(ends().size(), 0U);
}

TEST_F(StandingTest, ManyMovesInOneBatchGiveOneRun) {
    Peer& w = worker();
    move("SPY", first);
    EXPECT_EQ(set(scan("desk")), ErrorCode::none);
    ran(w);
    producer->post(protocol::AliasSet{"SPY", second});
    producer->post(protocol::AliasSet{"SPY", first});
    producer->post(protocol::AliasSet{"SPY", third});
    h.flush();
    EXPECT_EQ(ran(w), Ids{third});
    EXPECT_EQ(h.core.counter("standing_skipped"), 2U);
    EXPECT_EQ(value_of("desk", "skipped"), "2");
}

TEST_F(StandingTest, NoMoreOftenThanItsIntervalAndTheNewestInTheEnd) {
    Peer& w = worker();
    move("SPY", first);
    EXPECT_EQ(set(scan("desk", 1'000)), ErrorCode::none);
    EXPECT_EQ(ran(w), Ids{first});
    h.advance(100ms);
    move("SPY", second);
    move("SPY", third);
    EXPECT_EQ(ran(w), Ids{});
    EXPECT_EQ(value_of("desk", "pending"), "1");
    pass(899ms, {&w});
    EXPECT_EQ(ran(w), Ids{});
    pass(1ms, {&w});
    EXPECT_EQ(ran(w), Ids{third});
    EXPECT_EQ(value_of("desk", "pending"), "0");
    pass(5s, {&w});
    EXPECT_EQ(ran(w), Ids{});
}

TEST_F(StandingTest, ItWaitsForAllItsAliases) {
    Peer& w = worker();
    protocol::StandingSet both = scan("desk");
    both.aliases = {"SPY", "QQQ"};
    EXPECT_EQ(set(std::move(both)), ErrorCode::none) << "an alias may be set later";
    move("SPY", first);
    EXPECT_EQ(ran(w), Ids{});
    EXPECT_EQ(value_of("desk", "last_error"), "no alias 'QQQ'; it runs when it is set");
    EXPECT_EQ(value_of("desk", "pending"), "0");
    move("QQQ", second);
    EXPECT_EQ(ran(w), Ids{first});
    move("QQQ", {});
    EXPECT_EQ(ran(w), Ids{}) << "one was removed";
    move("QQQ", third);
    EXPECT_EQ(ran(w), Ids{first});
}

TEST_F(StandingTest, WithoutRoomItWaitsAndAsksForUnusedCredit) {
    Peer& w = worker("worker", {0, 0});
    alter({{"max_jobs", 16'001}});
    move("SPY", first);
    EXPECT_EQ(set(scan("desk")), ErrorCode::none) << "one place was left";
    move("SPY", second);
    EXPECT_EQ(value_of("desk", "pending"), "1");
    EXPECT_EQ(value_of("desk", "last_error"), "queue 'q' has no room");
    EXPECT_EQ(h.core.counter("standing_held"), 1U);
    EXPECT_EQ(queue_row("waiting"), 1U);
    move("SPY", third);
    EXPECT_EQ(h.core.counter("standing_held"), 1U) << "it is held once";
    pass(200ms, {&w});
    EXPECT_EQ(producer->count<protocol::Reclaim>(), 1U);
    producer->send(protocol::Want{"q", {0, 0}, {}});
    producer->send(protocol::Reclaimed{"q", {0, 0}});
    EXPECT_EQ(value_of("desk", "pending"), "0");
    grant(w, kPlenty);
    EXPECT_EQ(ran(w), Ids{third});
}

TEST_F(StandingTest, ADrainingQueueHoldsItUntilItIsResumed) {
    Peer& w = worker();
    move("SPY", first);
    control(QueueAction::drain);
    EXPECT_EQ(set(scan("desk")), ErrorCode::none);
    move("SPY", second);
    EXPECT_EQ(ran(w), Ids{});
    EXPECT_EQ(value_of("desk", "last_error"), "queue 'q' takes no more jobs; resume it");
    control(QueueAction::resume);
    EXPECT_EQ(ran(w), Ids{second});
    h.core.set_store_full(true);
    move("SPY", third);
    EXPECT_EQ(ran(w), Ids{});
    h.core.set_store_full(false);
    heartbeat(w);
    EXPECT_EQ(ran(w), Ids{third});
}

TEST_F(StandingTest, AJobOfTheSameWorkIsDoneOnce) {
    alter({{"pure", 1}});
    move("SPY", first);
    protocol::Job same = job(1, "other", "what to look for");
    same.inputs = first.view();
    accept(jobs(std::move(same)));
    EXPECT_EQ(set(scan("desk")), ErrorCode::none);
    EXPECT_EQ(queue_row("waiting"), 1U);
    EXPECT_EQ(queue_row("coalesced"), 1U);
    EXPECT_EQ(h.handles.size(), 1U);
    Peer& w = worker();
    given(w);
    answer(w, counters, AttemptOutcome::done);
    EXPECT_EQ(ends().size(), 2U);
}

TEST_F(StandingTest, APayloadThatIsABlobStaysWhileTheScanDoes) {
    const ContentId blob = h.put_blob("a large request", protocol::BlobType::body);
    protocol::StandingSet large = scan("desk");
    large.payload = {blob.view(), 15};
    EXPECT_EQ(set(scan("other")), ErrorCode::none);
    protocol::StandingSet wrong = scan("desk");
    wrong.payload = {blob.view(), 14};
    EXPECT_EQ(set(std::move(wrong)), ErrorCode::unknown_snapshot);
    EXPECT_EQ(set(std::move(large)), ErrorCode::none);
    EXPECT_EQ(h.pins(blob), 1U);
    move("SPY", first);
    EXPECT_EQ(h.pins(blob), 2U) << "its run, too";
    Peer& w = worker();
    EXPECT_EQ(ran(w).size(), 2U);
    EXPECT_EQ(h.pins(blob), 1U);
    EXPECT_EQ(set(scan("desk")), ErrorCode::none);
    EXPECT_EQ(h.pins(blob), 0U);
}

TEST_F(StandingTest, WhatIsWrongIsRefused) {
    const auto with = [](const auto& change) {
        protocol::StandingSet out = scan("desk");
        out.options = std::make_unique<JobOptions>();
        change(out);
        return out;
    };
    using Set = protocol::StandingSet;
    EXPECT_EQ(set(with([](Set& s) { s.name = ""; })), ErrorCode::bad_name);
    EXPECT_EQ(set(with([](Set& s) { s.queue = "none"; })), ErrorCode::unknown_queue);
    EXPECT_EQ(set(with([](Set& s) { s.subject = "a..b"; })), ErrorCode::bad_subject);
    EXPECT_EQ(set(with([](Set& s) { s.aliases.clear(); })), ErrorCode::bad_option);
    EXPECT_EQ(set(with([](Set& s) { s.aliases = {""}; })), ErrorCode::bad_name);
    EXPECT_EQ(set(with([](Set& s) { s.options->priority = 10; })), ErrorCode::bad_option);
    EXPECT_EQ(set(with([](Set& s) { s.options->delay_ms = 1; })), ErrorCode::bad_option);
    EXPECT_EQ(set(with([](Set& s) { s.options->conflate_key = "k"; })), ErrorCode::bad_option);
    EXPECT_EQ(set(with([](Set& s) { s.options->as_of_ns = 1; })), ErrorCode::bad_option);
    EXPECT_EQ(set(with([](Set& s) { s.options->aliases = {"a"}; })), ErrorCode::bad_option);
    EXPECT_EQ(set(with([](Set& s) { s.min_interval_ms = ~0ULL; })), ErrorCode::bad_option);
    EXPECT_EQ(set(with([](Set& s) { s.options->unknown_key = 99; })), ErrorCode::unsupported);
    EXPECT_EQ(set(with([](Set& s) { s.options->priority = 9; })), ErrorCode::none);
    EXPECT_EQ(set(scan("two")), ErrorCode::none);
    EXPECT_EQ(set(scan("three")), ErrorCode::over_limit) << "standing_max";
    const std::string large(990, 'x');
    EXPECT_EQ(set(with([&](Set& s) { s.payload.bytes = large; })), ErrorCode::over_limit);
    EXPECT_EQ(drop("two"), ErrorCode::none);
    EXPECT_EQ(set(with([&](Set& s) { s.payload.bytes = large; })), ErrorCode::none)
        << "the former one's bytes are free";
    alter({{"max_bytes", 1'000}});
    EXPECT_EQ(set(with([&](Set& s) { s.payload.bytes = large; })), ErrorCode::item_too_large);
    subscriber->send(protocol::StandingDrop{"desk"});
    EXPECT_EQ(subscriber->error(), ErrorCode::not_permitted);
}

TEST_F(StandingTest, ItGoesWithItsQueue) {
    h.create_queue("other");
    move("SPY", first);
    EXPECT_EQ(set(scan("desk")), ErrorCode::none);
    protocol::StandingSet there = scan("there");
    there.queue = "other";
    EXPECT_EQ(set(std::move(there)), ErrorCode::none);
    h.op().send(protocol::QueueDelete{"q", true});
    h.tick();
    EXPECT_EQ(value_of("desk", "runs"), "no such scan");
    EXPECT_EQ(value_of("there", "runs"), "1");
    EXPECT_EQ(h.core.counter("standing_dropped"), 1U);
    move("SPY", second);
}

TEST_F(StandingTest, ARunIsJournalledBehindItsJob) {
    move("SPY", first);
    forget_changes();
    EXPECT_EQ(set(scan("desk", 50)), ErrorCode::none);
    ASSERT_EQ(h.changes.size(), 3U);
    const auto& made = std::get<change::StandingSet>(h.changes[0]);
    EXPECT_EQ(made.name, "desk");
    EXPECT_EQ(made.row.payload, "what to look for");
    ASSERT_EQ(made.row.inputs.size(), 1U);
    EXPECT_EQ(made.row.inputs[0].alias, "SPY");
    EXPECT_EQ(made.row.flow, "producer");
    EXPECT_EQ(made.run.generation, 0U);
    const auto& accepted = std::get<change::Accepted>(h.changes[1]);
    EXPECT_EQ(accepted.inputs, first.view());
    EXPECT_EQ(accepted.payload.body.bytes, "what to look for");
    EXPECT_EQ(accepted.job.id.bytes[6] & 0xf0, 0x70) << "a UUIDv7";
    const auto& ran_at = std::get<change::StandingRan>(h.changes[2]);
    EXPECT_EQ(ran_at.run.generation, 1U);
    EXPECT_EQ(ran_at.run.runs, 1U);
    EXPECT_GT(ran_at.run.at, 0);
    forget_changes();
    EXPECT_EQ(set(scan("desk", 50)), ErrorCode::none) << "the same again changes nothing";
    EXPECT_TRUE(h.changes.empty());
    h.create_queue("other");
    forget_changes();
    protocol::StandingSet elsewhere = scan("desk");
    elsewhere.queue = "other";
    EXPECT_EQ(set(std::move(elsewhere)), ErrorCode::none);
    EXPECT_EQ(changed<change::StandingDropped>().size(), 1U);
    EXPECT_EQ(changed<change::StandingSet>().size(), 1U);
    EXPECT_EQ(drop("desk"), ErrorCode::none);
    EXPECT_EQ(changed<change::StandingDropped>().size(), 2U);
}

// A core that takes rows back, with an operator to ask it and a worker.
class StandingRestartTest : public StandingTest {
  protected:
    // SPY as of `moved`; the scan saw `seen`, `ago` before.
    void restart(std::uint64_t moved, std::uint64_t seen, Duration ago,
                 std::uint64_t min_interval_ms = 1'000) {
        Restorer& restorer = core.restore(h.now);
        for (const PartitionId partition : {1U, 2U}) {
            QueueRow row;
            row.name = partition == 1 ? "q" : "other";
            ASSERT_TRUE(restorer.queue(partition, row));
        }
        restorer.alias("SPY", {first, moved, {}});
        StandingRow row;
        row.subject = "desk.condors";
        row.payload = "payload";
        row.inputs = {{"SPY"}};
        row.min_interval_ms = min_interval_ms;
        row.flow = "desk";
        row.priority = 5;
        row.set_at = 20;
        const auto at =
            std::chrono::duration_cast<std::chrono::milliseconds>((h.now - ago).time_since_epoch());
        const StandingRunRow run{seen, at.count(), 4};
        ASSERT_TRUE(restorer.standing(1, "desk", row, run));
        // A crash left the row of an older one in another queue.
        row.set_at = 10;
        ASSERT_TRUE(restorer.standing(2, "desk", row, {}));
        core.restored(1, 2);
    }
    // Accepted jobs, and dropped rows, of what is due up to now.
    std::pair<std::size_t, std::size_t> step() {
        Effects effects;
        std::pair<std::size_t, std::size_t> out;
        while (core.next_deadline() && *core.next_deadline() <= h.now) {
            core.tick(h.now, effects);
        }
        for (const CommitRecord& record : effects.commits) {
            std::string bytes;
            assemble(
                record,
                [](BodyHandle) {
                    return protocol::Body{"payload", 0};
                },
                bytes);
            ArchiveReader reader(bytes);
            change::Any any;
            while (!reader.at_end()) {
                EXPECT_TRUE(read_change(reader, any));
                out.first += std::holds_alternative<change::Accepted>(any) ? 1 : 0;
                if (std::holds_alternative<change::StandingDropped>(any)) {
                    EXPECT_EQ(record.partition, 2U);
                    ++out.second;
                }
            }
        }
        return out;
    }
    BrokerCore core{few_scans(), h.blobs, h.source};
};

using Pair = std::pair<std::size_t, std::size_t>;

TEST_F(StandingRestartTest, WhatMovedSinceTheLastRunRunsOnceAndKeepsTheRate) {
    restart(7, 6, 400ms);
    EXPECT_EQ(step(), (Pair{0, 1}));
    h.now += 599ms;
    EXPECT_EQ(step(), (Pair{0, 0}));
    h.now += 1ms;
    EXPECT_EQ(step(), (Pair{1, 0}));
    h.now += 5s;
    EXPECT_EQ(step(), (Pair{0, 0}));
}

TEST_F(StandingRestartTest, WhatSawTheNewestDoesNotRunAgain) {
    restart(7, 7, 5s);
    EXPECT_EQ(step(), (Pair{0, 1}));
    h.now += 5s;
    EXPECT_EQ(step(), (Pair{0, 0}));
}

}  // namespace
}  // namespace scanmq::broker
