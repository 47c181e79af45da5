#include "tests/unit/broker/core/harness.hpp"

#include <algorithm>
#include <cstring>

#include "tests/support/rows.hpp"

namespace scanmq::broker::testing {

using protocol::Message;

Peer::Peer(Harness& owner, protocol::Roles peer_roles, std::string peer_name, std::uint64_t number)
    : harness(&owner), roles(peer_roles), name(std::move(peer_name)) {
    instance.bytes[0] = static_cast<std::uint8_t>(number);
    instance.bytes[1] = static_cast<std::uint8_t>(number >> 8);
    connection = {++owner.connections_};
}

bool Peer::hello(protocol::WorkerInfo info) {
    protocol::Hello message;
    message.name = name;
    message.instance = instance;
    message.clock_ms = clock_ms;
    if ((roles & protocol::kWorker) != 0) message.worker = std::move(info);
    adopted.clear();
    session = {};
    seq = 0;
    broker_seq = 0;
    inbox.clear();
    send(std::move(message));
    if (count<protocol::Welcome>() == 0) return false;
    const auto& welcome = next<protocol::Welcome>();
    session = welcome.session;
    adopted = welcome.adopted;
    return true;
}

void Peer::post(Message message) { harness->post(*this, std::move(message)); }

void Peer::send(Message message) {
    post(std::move(message));
    harness->flush();
}

namespace {
BrokerOptions with_test_defaults(BrokerOptions options) {
    if (options.seed == 0) options.seed = 42;
    if (options.epoch == 0) options.epoch = 7;
    return options;
}
}  // namespace

Harness::Harness(BrokerOptions options, BlobTable::Options blob_options)
    : blobs(blob_options), core(with_test_defaults(options), blobs, source) {}

Harness::~Harness() = default;

Peer& Harness::peer(protocol::Roles roles, const std::string& name) {
    return peers_.emplace_back(*this, roles, name, peers_.size() + 1);
}

Peer& Harness::producer(const std::string& name) {
    Peer& p = peer(protocol::kProducer, name);
    EXPECT_TRUE(p.hello());
    return p;
}

Peer& Harness::worker(protocol::WorkerInfo info, const std::string& name) {
    Peer& p = peer(protocol::kWorker, name);
    EXPECT_TRUE(p.hello(std::move(info)));
    return p;
}

Peer& Harness::subscriber(const std::string& name) {
    Peer& p = peer(protocol::kSubscriber, name);
    EXPECT_TRUE(p.hello());
    return p;
}

Peer& Harness::op() {
    if (op_ == nullptr) op_ = &peer(protocol::kOperator, "operator");
    if (!core.session_open(op_->session)) {
        EXPECT_TRUE(op_->hello());
    }
    return *op_;
}

void Harness::create_queue(const std::string& queue, const protocol::Settings& settings) {
    op().send(protocol::QueueCreate{queue, settings});
    op().next<protocol::Ok>();
}

BodyHandle Harness::add_body(const protocol::Body& body) {
    if (body.bytes.empty()) return {};
    const BodyHandle handle{++handles_given_};
    handles.insert(handle.value);
    bodies_[handle.value] = body.bytes;
    return handle;
}

void Harness::add_bodies(Posted& posted) {
    const auto add = [&](const protocol::Body& body, std::string_view digest_of) {
        BodyIn in;
        in.handle = add_body(body);
        in.digest = std::hash<std::string_view>{}(digest_of);
        posted.bodies.push_back(in);
    };
    if (const auto* submitted = std::get_if<protocol::Submit>(&posted.frame.message)) {
        for (const protocol::Job& j : submitted->jobs) {
            add(j.payload, std::string(j.subject) + "|" + std::string(j.payload.bytes) + "|" +
                               std::string(j.inputs));
        }
    } else if (const auto* answered = std::get_if<protocol::Done>(&posted.frame.message)) {
        for (const protocol::Outcome& o : answered->outcomes) add(o.body, o.body.bytes);
    }
}

void Harness::post(Peer& peer, Message message) {
    Posted& posted = posted_.emplace_back();
    posted.from = peer.connection;
    posted.frame.header = {peer.roles, peer.session, ++peer.seq};
    posted.frame.message = std::move(message);
    add_bodies(posted);
}

void Harness::flush() {
    std::vector<Event> events;
    for (const Posted& posted : posted_) {
        events.emplace_back(FrameEvent{posted.from, &posted.frame, posted.bodies});
    }
    core.handle(events, now, effects);
    posted_.clear();
    collect();
}

void Harness::disconnect(Peer& peer) {
    const std::vector<Event> events{DisconnectEvent{peer.connection}};
    core.handle(events, now, effects);
    collect();
    gone_.insert(peer.connection.value);
    peer.connection = {++connections_};
}

void Harness::silence(Peer& peer, std::initializer_list<Peer*> others) {
    for (int i = 0; i < 20 && core.session_open(peer.session); ++i) {
        for (Peer* other : others) other->send(protocol::Heartbeat{});
        if (op_ != nullptr && core.session_open(op_->session)) op_->send(protocol::Heartbeat{});
        advance(1s);
    }
    EXPECT_FALSE(core.session_open(peer.session));
}

void Harness::bad_frame(Peer& peer, protocol::DecodeError error) {
    const std::vector<Event> events{BadFrameEvent{peer.connection, &error}};
    core.handle(events, now, effects);
    collect();
}

void Harness::answer_cache(std::uint64_t look_up, std::string_view body, Duration age) {
    CacheEvent event{look_up, !body.empty(), {}, static_cast<std::uint32_t>(body.size()), age};
    if (event.found) {
        event.body = BodyHandle{++handles_given_};
        handles.insert(event.body.value);
        bodies_[event.body.value] = body;
    }
    const std::vector<Event> events{event};
    core.handle(events, now, effects);
    collect();
}

void Harness::advance(Duration by) {
    now += by;
    tick();
}

void Harness::tick() {
    for (auto due = core.next_deadline(); due && *due <= now; due = core.next_deadline()) {
        core.tick(now, effects);
        collect();
    }
}

std::string_view Harness::keep(std::string_view text) { return arena_.emplace_back(text); }

void Harness::own_views(Message& message) {
    if (auto* deliver = std::get_if<protocol::Deliver>(&message)) {
        deliver->queue = keep(deliver->queue);
        for (protocol::Attempt& attempt : deliver->attempts) {
            attempt.subject = keep(attempt.subject);
            attempt.inputs = keep(attempt.inputs);
        }
    } else if (auto* results = std::get_if<protocol::Results>(&message)) {
        for (protocol::Entry& entry : results->entries) {
            entry.subject = keep(entry.subject);
            entry.sentence = keep(entry.sentence);
            entry.body.bytes = keep(entry.body.bytes);
        }
    }
}

void Harness::collect() {
    for (Send& sent : effects.sends) {
        if (gone_.contains(sent.to.value)) continue;
        const auto to = std::find_if(peers_.begin(), peers_.end(),
                                     [&](const Peer& p) { return p.connection == sent.to; });
        ASSERT_NE(to, peers_.end());
        if (const auto* welcome = std::get_if<protocol::Welcome>(&sent.message)) {
            to->session = welcome->session;
            to->broker_seq = 0;
        }
        if (sent.header.session.value != 0) {
            EXPECT_EQ(sent.header.session, to->session);
            EXPECT_EQ(sent.header.seq, ++to->broker_seq);
        }
        EXPECT_EQ(sent.header.roles, protocol::kBroker);
        for (const BodyHandle body : sent.bodies) {
            EXPECT_TRUE(body.value == 0 || handles.contains(body.value))
                << "a body that was released";
        }
        own_views(sent.message);
        to->inbox.push_back(
            {sent.header, std::move(sent.message), std::move(sent.bodies), sent.after_commit});
    }
    for (CommitRecord& record : effects.commits) {
        EXPECT_EQ(record.previous, committed_[record.partition]);
        EXPECT_EQ(record.sequence, record.previous + 1);
        EXPECT_FALSE(record.bytes.empty());
        committed_[record.partition] = record.sequence;
        std::string& bytes = records_.emplace_back();
        assemble(
            record,
            [&](BodyHandle body) {
                return protocol::Body{bodies_.at(body.value), 0};
            },
            bytes);
        EXPECT_LE(bytes.size(), kRecordBytesMax);
        records.push_back(changes.size());
        ArchiveReader reader(bytes);
        while (!reader.at_end()) {
            ASSERT_TRUE(read_change(reader, changes.emplace_back()));
            partitions.push_back(record.partition);
        }
    }
    for (const CacheKeep& one : effects.cache_keeps) {
        EXPECT_TRUE(handles.contains(one.body.value)) << "a body that was released";
    }
    asks.insert(asks.end(), effects.cache_asks.begin(), effects.cache_asks.end());
    keeps.insert(keeps.end(), effects.cache_keeps.begin(), effects.cache_keeps.end());
    drops.insert(drops.end(), effects.cache_drops.begin(), effects.cache_drops.end());
    for (const BodyHandle body : effects.releases) {
        EXPECT_EQ(handles.erase(body.value), 1U) << "body " << body.value << " released twice";
        bodies_.erase(body.value);
    }
    effects.clear();
}

ContentId Harness::put_blob(const std::string& bytes, protocol::BlobType type) {
    BlobRecord record;
    record.id = content_id(bytes);
    record.bytes = bytes.size();
    record.type = type;
    record.label = "blob " + std::to_string(++blobs_put_);
    std::vector<ContentId> dropped;
    EXPECT_TRUE(blobs.reserve(record, now, dropped));
    blobs.stored(record.id, now);
    return record.id;
}

std::uint64_t Harness::row(const std::string& topic, const std::string& key,
                           const std::string& column) {
    op().send(protocol::Query{topic, key});
    const auto& answer = op().next<protocol::Answer>();
    if (answer.rows.size() != 1) {
        ADD_FAILURE() << answer.rows.size() << " rows";
        return 0;
    }
    if (const auto found = tests::figure(answer.rows.front(), column)) return *found;
    ADD_FAILURE() << "no column " << column;
    return 0;
}

std::uint64_t Harness::cache_row(const std::string& tier, const std::string& column) {
    op().send(protocol::Query{"cache", ""});
    for (const protocol::Row& row : op().next<protocol::Answer>().rows) {
        if (tests::column(row, "tier") != tier) continue;
        if (const auto found = tests::figure(row, column)) return *found;
        ADD_FAILURE() << "no column " << column;
        return 0;
    }
    ADD_FAILURE() << "no row of tier " << tier;
    return 0;
}

Id128 job_id(std::uint64_t number, WallMillis ms) {
    Id128 id;
    for (std::size_t i = 0; i < 6; ++i)
        id.bytes[i] = static_cast<std::uint8_t>(ms >> (8 * (5 - i)));
    id.bytes[6] = 0x70;
    id.bytes[8] = 0x80;
    for (std::size_t i = 0; i < 7; ++i)
        id.bytes[9 + i] = static_cast<std::uint8_t>(number >> (8 * i));
    return id;
}

protocol::Job job(std::uint64_t number, std::string_view subject, std::string_view payload) {
    protocol::Job out;
    out.id = job_id(number);
    out.subject = subject;
    out.payload.bytes = payload;
    return out;
}

protocol::Submit submit(std::string_view queue, std::vector<protocol::Job> list, Id128 group) {
    protocol::Submit out;
    out.queue = queue;
    out.group = group;
    out.jobs = std::move(list);
    return out;
}

std::vector<protocol::Job> job_range(std::uint64_t first, std::uint64_t count) {
    std::vector<protocol::Job> out;
    for (std::uint64_t i = 0; i < count; ++i) out.push_back(job(first + i));
    return out;
}

protocol::Done done(std::vector<std::uint64_t> counters, protocol::AttemptOutcome outcome,
                    protocol::Credit limit, std::string_view body, std::string_view sentence) {
    protocol::Done out;
    out.epoch = 7;
    out.limit = limit;
    for (const std::uint64_t counter : counters) {
        protocol::Outcome& o = out.outcomes.emplace_back();
        o.counter = counter;
        o.outcome = outcome;
        o.body.bytes = body;
        o.sentence = sentence;
        if (outcome == protocol::AttemptOutcome::failed) o.code = protocol::ErrorCode::scan_failed;
        if (outcome == protocol::AttemptOutcome::rejected)
            o.code = protocol::ErrorCode::bad_payload;
    }
    return out;
}

}  // namespace scanmq::broker::testing
