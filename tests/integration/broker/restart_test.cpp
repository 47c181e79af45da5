// A broker with a data directory, stopped and started again: real log, real LMDB, real sockets.

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "broker/store/blob_segments.hpp"
#include "tests/integration/broker/harness.hpp"

namespace scanmq::broker {
namespace {

namespace fs = std::filesystem;
using protocol::kOperator;
using protocol::kProducer;
using protocol::kSubscriber;
using protocol::kWorker;
using testing::HasSubstr;

class Restart : public testing::Test {
  protected:
    Restart() {
        fs::remove_all(root);
        fs::create_directories(root);
        options.data = (root / "data").string();
        options.queues = {"scans"};
        // Small, so that a test does not write hundreds of megabytes of zeros.
        options.store.segment_bytes = 8U << 20;
        options.store.reserve_segments = 1;
        options.store.reserve_bytes = 1U << 20;
        options.store.disk_low_bytes = 0;
        options.store.map_bytes = 1ULL << 30;
    }
    ~Restart() override {
        broker.reset();
        fs::remove_all(root);
    }
    void start() {
        broker.reset();
        broker = std::make_unique<TestBroker>(options);
    }
    std::unique_ptr<Peer> peer(protocol::Roles roles) {
        return std::make_unique<Peer>(context, broker->endpoint(), roles);
    }
    std::unique_ptr<Peer> producer() {
        auto out = peer(kProducer | kOperator);
        out->hello("desk");
        return out;
    }
    // Submits under credit; the answer's exceptions.
    std::vector<protocol::JobVerdict> submit(Peer& from, const std::vector<Id128>& jobs,
                                             const Id128& group = {}) {
        from.send(protocol::Want{"scans", sent, {jobs.size(), jobs.size() * 1000}});
        const auto* grant = from.expect<protocol::CreditGrant>();
        if (grant == nullptr) return {};
        protocol::Submit message;
        message.queue = "scans";
        message.group = group;
        for (const Id128& id : jobs) {
            protocol::Job& job = message.jobs.emplace_back();
            job.id = id;
            job.subject = "SPY.vertical";
            job.payload.bytes = "payload";
            sent.bytes += 7 + protocol::kLimits.item_overhead_bytes;
            ++sent.items;
        }
        from.send(message);
        const auto* accepted = from.expect<protocol::Accepted>();
        return accepted == nullptr ? std::vector<protocol::JobVerdict>{} : accepted->exceptions;
    }
    std::vector<Id128> new_ids(int count) {
        std::vector<Id128> out;
        for (int i = 0; i < count; ++i) out.push_back(ids.next(SystemClock().wall_millis()));
        return out;
    }
    // Takes what the broker delivers, until `count` came; the tokens.
    std::vector<protocol::Token> deliveries(Peer& worker, std::size_t count) {
        std::vector<protocol::Token> tokens;
        while (tokens.size() < count) {
            const auto* deliver = worker.expect<protocol::Deliver>();
            if (deliver == nullptr) break;
            for (const protocol::Attempt& attempt : deliver->attempts) {
                EXPECT_EQ(attempt.payload.bytes, "payload");
                tokens.push_back({deliver->epoch, attempt.counter});
            }
        }
        return tokens;
    }
    static void answer(Peer& worker, const std::vector<protocol::Token>& tokens,
                       std::uint64_t limit = 1000) {
        for (const protocol::Token& token : tokens) {
            protocol::Done done;
            done.epoch = token.epoch;
            done.limit = {limit, 1U << 20};
            done.outcomes.push_back(
                {token.counter, protocol::AttemptOutcome::done, {"result", 0}, {}, {}});
            worker.send(done);
        }
    }
    // Every entry of the stream from its begin on, until `count` are there.
    std::vector<protocol::Entry> entries(std::size_t count, Id128* incarnation = nullptr) {
        reader = peer(kSubscriber);
        reader->hello("reader");
        protocol::Subscribe subscribe;
        subscribe.subscription = 1;
        subscribe.queue = "scans";
        subscribe.pattern = ">";
        subscribe.from = protocol::StartFrom::earliest;
        subscribe.limit = {100'000, 64U << 20};
        reader->send(subscribe);
        const auto* subscribed = reader->expect<protocol::Subscribed>();
        if (subscribed == nullptr) return {};
        if (incarnation != nullptr) *incarnation = subscribed->incarnation;
        std::vector<protocol::Entry> out;
        while (out.size() < count) {
            const auto* results = reader->expect<protocol::Results>();
            if (results == nullptr) break;
            for (protocol::Entry entry : results->entries) {
                EXPECT_EQ(entry.offset, out.size());
                entry.body.bytes = texts.emplace_back(entry.body.bytes);
                out.push_back(entry);
            }
        }
        return out;
    }

    fs::path root = fs::path(testing::TempDir()) /
                    ("scanmq_restart_" +
                     std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    ServerOptions options;
    std::unique_ptr<TestBroker> broker;
    transport::Context context;
    std::unique_ptr<Peer> reader;
    std::deque<std::string> texts;
    protocol::Credit sent;
    UuidV7 ids{7};
};

TEST_F(Restart, WhatWasAcceptedRunsAndWhatEndedIsInTheStream) {
    start();
    const std::vector<Id128> before = new_ids(3);
    {
        auto desk = producer();
        EXPECT_TRUE(submit(*desk, before).empty());
        auto worker = peer(kWorker);
        worker->hello("worker", protocol::WorkerInfo{1, "1", {}});
        worker->send(protocol::CreditGrant{protocol::Link::deliver, "", 0, {1, 1U << 20}});
        // No more credit: the others are still waiting when the broker stops.
        answer(*worker, {deliveries(*worker, 1).front()}, 1);
        EXPECT_EQ(entries(1).front().id, before[0]);
    }
    start();
    sent = {};
    auto desk = producer();
    // Submitted again, as a producer does that heard nothing: each is known.
    const auto again = submit(*desk, before);
    ASSERT_EQ(again.size(), 3U);
    EXPECT_EQ(again[0].state, protocol::JobState::finished);
    EXPECT_EQ(again[1].verdict, protocol::Verdict::duplicate);
    auto worker = peer(kWorker);
    worker->hello("worker", protocol::WorkerInfo{1, "1", {}});
    worker->send(protocol::CreditGrant{protocol::Link::deliver, "", 0, {100, 1U << 20}});
    answer(*worker, deliveries(*worker, 2));
    const auto all = entries(3);
    ASSERT_EQ(all.size(), 3U);
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(all[i].id, before[i]);
        EXPECT_EQ(all[i].body.bytes, "result");
    }
}

TEST_F(Restart, AWorkerThatIsBackGoesOnWithWhatItRan) {
    start();
    Id128 instance;
    instance.bytes[0] = 42;
    std::vector<protocol::Token> held;
    {
        auto desk = producer();
        EXPECT_TRUE(submit(*desk, new_ids(2)).empty());
        auto worker = peer(kWorker);
        worker->hello("worker", protocol::WorkerInfo{2, "1", {}}, instance);
        worker->send(protocol::CreditGrant{protocol::Link::deliver, "", 0, {2, 1U << 20}});
        held = deliveries(*worker, 2);
    }
    ASSERT_EQ(held.size(), 2U);
    start();
    auto worker = peer(kWorker);
    // It still has the first; the second never arrived.
    protocol::WorkerInfo info{2, "1", {}};
    info.held = {{held[0], true}};
    const protocol::Welcome welcome = worker->hello("worker", info, instance);
    EXPECT_GT(welcome.epoch, held[0].epoch);
    EXPECT_EQ(welcome.adopted, (std::vector{held[0]}));
    answer(*worker, {held[0]});
    const auto next = deliveries(*worker, 1);
    ASSERT_EQ(next.size(), 1U);
    EXPECT_EQ(next[0].epoch, welcome.epoch);
    answer(*worker, next);
    EXPECT_EQ(entries(2).size(), 2U);
    EXPECT_EQ(worker->counter("attempts_adopted"), 1U);
}

TEST_F(Restart, AStandingScanRunsForWhatMovedBeforeIt) {
    start();
    const auto put = [&](const Peer& owner, const std::string& bytes) {
        Peer blobs(context, broker->blob_endpoint(), kProducer | kOperator);
        blobs.session = owner.session;
        const ContentId id = content_id(bytes);
        blobs.send(protocol::BlobPut{id, bytes.size(), protocol::BlobType::snapshot, "SPY"});
        EXPECT_NE(blobs.expect<protocol::BlobReady>(), nullptr);
        blobs.send(protocol::BlobChunk{id, 0, bytes});
        EXPECT_NE(blobs.expect<protocol::BlobStored>(), nullptr);
        return id;
    };
    const auto runs = [](Peer& desk) {
        desk.send(protocol::Query{"standing", ""});
        const auto* answer = desk.expect<protocol::Answer>();
        if (answer == nullptr || answer->rows.size() != 1) return std::uint64_t{0};
        for (const auto& [name, value] : answer->rows[0]) {
            if (name == "runs") return std::get<std::uint64_t>(value);
        }
        return std::uint64_t{0};
    };
    {
        auto desk = producer();
        const ContentId first = put(*desk, "first");
        const ContentId second = put(*desk, "second");
        desk->send(protocol::AliasSet{"SPY@latest", first});
        EXPECT_NE(desk->expect<protocol::Ok>(), nullptr);
        protocol::StandingSet scan;
        scan.name = "desk";
        scan.queue = "scans";
        scan.subject = "desk";
        scan.payload.bytes = "payload";
        scan.aliases = {"SPY@latest"};
        scan.min_interval_ms = 1'500;
        desk->send(std::move(scan));
        EXPECT_NE(desk->expect<protocol::Ok>(), nullptr);
        EXPECT_EQ(runs(*desk), 1U);
        desk->send(protocol::AliasSet{"SPY@latest", second});  // put off, mostly
        EXPECT_NE(desk->expect<protocol::Ok>(), nullptr);
    }
    start();
    auto desk = producer();
    EXPECT_TRUE(desk->until([&] { return runs(*desk) == 2; }));
    auto worker = peer(kWorker);
    worker->hello("worker", protocol::WorkerInfo{1, "1", {}});
    worker->send(protocol::CreditGrant{protocol::Link::deliver, "", 0, {100, 1U << 20}});
    answer(*worker, deliveries(*worker, 1));
    const auto all = entries(2);
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].outcome, protocol::FinalOutcome::superseded);
    EXPECT_EQ(all[1].outcome, protocol::FinalOutcome::done);
    EXPECT_EQ(all[1].subject, "desk");
    start();
    desk = producer();
    EXPECT_EQ(runs(*desk), 2U) << "nothing moved";
}

TEST_F(Restart, ADirectoryIsOneBrokersAlone) {
    start();
    auto second = BrokerServer::create([this] {
        ServerOptions other = options;
        other.listen = "tcp://127.0.0.1:0";
        return other;
    }());
    ASSERT_FALSE(second.ok());
    EXPECT_THAT(second.error().sentence, HasSubstr(std::to_string(::getpid())));
}

TEST_F(Restart, ANewerStoreIsRefused) {
    start();
    broker.reset();
    std::ofstream(fs::path(options.data) / "VERSION", std::ios::trunc) << "scanmq store 99\n";
    options.listen = "tcp://127.0.0.1:0";
    const auto created = BrokerServer::create(options);
    ASSERT_FALSE(created.ok());
    EXPECT_THAT(created.error().sentence, HasSubstr("newer"));
}

TEST_F(Restart, AFullDiskTakesNoMoreJobsAndCompletesWhatWasAccepted) {
    start();
    const std::vector<Id128> accepted = new_ids(2);
    {
        auto desk = producer();
        EXPECT_TRUE(submit(*desk, accepted).empty());
    }
    options.store.disk_low_bytes = 1ULL << 60;  // no disk has so much free
    start();
    sent = {};
    auto desk = producer();
    desk->send(protocol::Want{"scans", {}, {1, 1000}});
    EXPECT_THAT(desk->expect_error(protocol::ErrorCode::store_full).sentence, HasSubstr("room"));
    auto worker = peer(kWorker);
    worker->hello("worker", protocol::WorkerInfo{1, "1", {}});
    worker->send(protocol::CreditGrant{protocol::Link::deliver, "", 0, {100, 1U << 20}});
    answer(*worker, deliveries(*worker, 2));
    EXPECT_EQ(entries(2).size(), 2U);
}

TEST_F(Restart, ABackupBecomesABrokerWithStreamsOfItsOwn) {
    start();
    const std::vector<Id128> first = new_ids(1);
    const std::vector<Id128> later = new_ids(1);
    auto desk = producer();
    EXPECT_TRUE(submit(*desk, first).empty());
    desk->send(protocol::Backup{"monday"});
    const auto* done = desk->expect<protocol::BackupDone>();
    ASSERT_NE(done, nullptr);
    const std::string path = done->path;
    EXPECT_TRUE(submit(*desk, later).empty());
    desk->send(protocol::Backup{"monday"});
    EXPECT_THAT(desk->expect_error(protocol::ErrorCode::backup_failed).sentence,
                HasSubstr("already"));
    desk->send(protocol::Backup{"../escape"});
    desk->expect_error(protocol::ErrorCode::bad_name);
    Id128 before;
    EXPECT_TRUE(entries(0, &before).empty());
    broker.reset();

    ServerOptions restore = options;
    restore.restore = path;
    restore.data = (root / "restored").string();
    ASSERT_TRUE(restore_backup_of(restore).ok());
    EXPECT_THAT(restore_backup_of(restore).error().sentence, HasSubstr("not empty"));
    options.data = restore.data;
    start();
    sent = {};
    desk = producer();
    const auto known = submit(*desk, first);
    ASSERT_EQ(known.size(), 1U);
    EXPECT_EQ(known[0].verdict, protocol::Verdict::duplicate);
    // What came after the backup is new to it, and its stream is another one.
    EXPECT_TRUE(submit(*desk, later).empty());
    Id128 after;
    EXPECT_TRUE(entries(0, &after).empty());
    EXPECT_NE(after, before);
    // Renewed once: it goes on as that.
    start();
    Id128 kept;
    EXPECT_TRUE(entries(0, &kept).empty());
    EXPECT_EQ(kept, after);
}

// Three blobs fill the store: an alias's, a waiting job's, and one that was used lately.
class RestartWithBlobs : public Restart {
  protected:
    RestartWithBlobs() {
        options.blobs.bytes_max = 170'000;
        options.blobs.grace = std::chrono::hours(1);
    }
    void connect() {
        start();
        desk = producer();
        credit = {};
        blobs = std::make_unique<Peer>(context, broker->blob_endpoint(), kProducer | kOperator);
        blobs->session = desk->session;
    }
    static std::string data(char name) {
        std::string out(50'000, name);
        Rng rng(static_cast<std::uint64_t>(name));
        for (char& c : out) c = static_cast<char>(rng.next());
        return out;
    }
    static ContentId id(char name) { return content_id(data(name)); }
    // Whether there was room.
    bool put(char name) {
        const std::string bytes = data(name);
        blobs->send(protocol::BlobPut{id(name), bytes.size(), protocol::BlobType::snapshot, "SPY"});
        const protocol::Frame* answer = blobs->next();
        if (answer == nullptr) return false;
        if (const auto* error = std::get_if<protocol::Error>(&answer->message)) {
            EXPECT_EQ(error->code, protocol::ErrorCode::snapshots_full) << error->sentence;
            return false;
        }
        if (std::get<protocol::BlobReady>(answer->message).have) return true;
        blobs->send(protocol::BlobChunk{id(name), 0, bytes});
        return blobs->expect<protocol::BlobStored>() != nullptr;
    }
    bool has(char name) {
        credit.items += 1;
        credit.bytes += 50'000;
        blobs->send(protocol::BlobGet{id(name), credit});
        const protocol::Frame* answer = blobs->next();
        if (answer == nullptr || !std::holds_alternative<protocol::BlobInfo>(answer->message)) {
            credit.items -= 1;
            credit.bytes -= 50'000;
            return false;
        }
        const auto* chunk = blobs->expect<protocol::BlobChunk>();
        return chunk != nullptr && chunk->bytes == data(name);
    }
    void set_alias(const ContentId& to) {
        desk->send(protocol::AliasSet{"SPY", to});
        EXPECT_NE(desk->expect<protocol::Ok>(), nullptr);
    }
    Id128 submit_over(char name) {
        desk->send(protocol::Want{"scans", {}, {1, 1000}});
        EXPECT_NE(desk->expect<protocol::CreditGrant>(), nullptr);
        const ContentId input = id(name);
        protocol::Submit message;
        message.queue = "scans";
        protocol::Job& job = message.jobs.emplace_back();
        job.id = new_ids(1)[0];
        job.payload.bytes = "payload";
        job.inputs = input.view();
        const Id128 out = job.id;
        desk->send(message);
        const auto* accepted = desk->expect<protocol::Accepted>();
        EXPECT_TRUE(accepted != nullptr && accepted->exceptions.empty());
        return out;
    }
    // As if it had been used so much earlier than the others.
    void age(char name, std::chrono::hours by) {
        broker.reset();
        PosixFileSystem files;
        auto opened = BlobSegments::open(files, {options.data + "/blobs/sg"});
        ASSERT_TRUE(opened.ok());
        for (const BlobSegments::Found& found : opened->found) {
            if (found.info.id != id(name)) continue;
            opened->segments->used(found.place, found.used - std::chrono::milliseconds(by).count());
        }
    }

    std::unique_ptr<Peer> desk;
    std::unique_ptr<Peer> blobs;
    protocol::Credit credit;
};

TEST_F(RestartWithBlobs, WhatIsPinnedOrWasUsedLatelyIsKept) {
    connect();
    ASSERT_TRUE(put('a') && put('j') && put('l'));
    set_alias(id('a'));
    const Id128 job = submit_over('j');
    EXPECT_FALSE(put('n'));
    connect();
    EXPECT_FALSE(put('n')) << "a restart makes no room";
    EXPECT_EQ(desk->counter("blob_puts_full"), 1U);
    age('l', std::chrono::hours(2));
    connect();
    ASSERT_TRUE(put('n')) << "the grace of what nobody pins is over";
    EXPECT_TRUE(has('a') && has('j') && has('n'));
    EXPECT_FALSE(has('l'));
    for (const char name : {'a', 'j'}) age(name, std::chrono::hours(2));
    connect();
    EXPECT_FALSE(put('m')) << "however long ago they were used, pins hold";
    set_alias({});
    desk->send(protocol::Cancel{"scans", {job}});
    EXPECT_NE(desk->expect<protocol::Cancelled>(), nullptr);
    EXPECT_FALSE(put('m')) << "used just now";
    for (const char name : {'a', 'j'}) age(name, std::chrono::hours(2));
    connect();
    EXPECT_TRUE(put('m'));
}

}  // namespace
}  // namespace scanmq::broker
