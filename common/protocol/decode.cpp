#include <fmt/format.h>

#include <algorithm>

#include "common/protocol/codec.hpp"
#include "common/protocol/decode_fields.hpp"
#include "common/protocol/reader.hpp"
#include "common/protocol/tape.hpp"

namespace scanmq::protocol {

using namespace decoding;

namespace {

Hello hello(Reader& r, Record& in) {
    Hello m;
    m.name = name(r, in, "name");
    m.instance = r.fixed<Id128>(in, "instance");
    m.resume = std::string(r.bin(in, "resume", 64, "64 bytes"));
    m.clock_ms = r.sint(in, "clock_ms");
    m.agent = name(r, in, "agent");
    if (in.left > 0 && !r.nil(in)) {
        Record worker = r.enter(in, "worker");
        WorkerInfo info;
        info.threads = static_cast<std::uint32_t>(r.uint(worker, "threads", 65'536));
        info.scanner_version = name(r, worker, "scanner_version");
        Record queues{r.items(worker, "queues", 1024, "1024 queues")};
        const std::uint32_t count = queues.left;
        for (std::uint32_t i = 0; i < count && r.ok(); ++i) info.queues.push_back(queue(r, queues));
        if (worker.left > 0) {
            info.held =
                records<WorkerInfo::Held>(r, batch(r, worker, "held"), "held", [&](Record& one) {
                    const Token held = token(r, one);
                    return WorkerInfo::Held{held, r.boolean(one, "started")};
                });
        }
        r.leave(worker);
        m.worker = std::move(info);
    }
    return m;
}

Welcome welcome(Reader& r, Record& in) {
    Welcome m;
    m.re = r.uint(in, "re");
    m.session.value = r.uint(in, "session");
    m.epoch = r.uint(in, "epoch");
    m.heartbeat_ms = static_cast<std::uint32_t>(r.uint(in, "heartbeat_ms", UINT32_MAX));
    m.dead_after_ms = static_cast<std::uint32_t>(r.uint(in, "dead_after_ms", UINT32_MAX));
    m.blob_endpoint =
        r.text(in, "blob_endpoint", r.limits().sentence_bytes_max, "sentence_bytes_max");
    m.resume = std::string(r.bin(in, "resume", 64, "64 bytes"));
    m.clock_ms = r.sint(in, "clock_ms");
    const std::uint32_t pairs = r.map(in, "limits");
    for (std::uint32_t i = 0; i < pairs && r.ok(); ++i) {
        std::string key(r.key_str("limits"));
        if (r.peek() != LexemeType::uint) {
            r.skip_value();  // a later version's
            continue;
        }
        Record value = Reader::value();
        m.limits.emplace_back(std::move(key), r.uint(value, "limits"));
    }
    if (in.left > 0) m.adopted = tokens(r, in, "adopted");
    return m;
}

CacheFigures cache_figures(Reader& r, Record& in) {
    CacheFigures out;
    const std::uint32_t pairs = r.map(in, "cache");
    for (std::uint32_t i = 0; i < pairs && r.ok(); ++i) {
        const std::string_view key = r.key_str("cache");
        const auto* const known =
            std::find_if(kCacheFigures.begin(), kCacheFigures.end(),
                         [&](const auto& figure) { return figure.first == key; });
        if (known == kCacheFigures.end()) {
            r.skip_value();  // a later version's
            continue;
        }
        Record value = Reader::value();
        out.*(known->second) = r.uint(value, "cache");
    }
    return out;
}

Heartbeat heartbeat(Reader& r, Record& in) {
    Heartbeat m;
    m.ping = r.uint(in, "ping");
    m.pong = r.uint(in, "pong");
    m.running = tokens(r, in, "running");
    if (in.left > 0) m.cache = cache_figures(r, in);
    return m;
}

CreditGrant credit_grant(Reader& r, Record& in) {
    CreditGrant m;
    m.link = enumeration<Link>(r, in, "link", 1, 5);
    m.queue = queue(r, in);
    m.subscription = r.uint(in, "subscription");
    m.limit = r.credit(in, "limit");
    return m;
}

Want want(Reader& r, Record& in) {
    Want m;
    m.queue = queue(r, in);
    m.sent = r.credit(in, "sent");
    m.want = r.credit(in, "want");
    return m;
}

Subscribe subscribe(Reader& r, Record& in) {
    Subscribe m;
    m.subscription = r.uint(in, "subscription");
    m.queue = queue(r, in);
    m.pattern = r.text(in, "pattern", r.limits().subject_bytes_max, "subject_bytes_max");
    m.from = enumeration<StartFrom>(r, in, "from", 0, 3);
    m.offset = r.uint(in, "offset");
    m.incarnation = r.fixed<Id128>(in, "incarnation");
    m.durable_name = name(r, in, "durable_name");
    m.limit = r.credit(in, "limit");
    return m;
}

Subscribed subscribed(Reader& r, Record& in) {
    Subscribed m;
    m.re = r.uint(in, "re");
    m.subscription = r.uint(in, "subscription");
    m.incarnation = r.fixed<Id128>(in, "incarnation");
    m.first_offset = r.uint(in, "first_offset");
    m.next_offset = r.uint(in, "next_offset");
    m.start_offset = r.uint(in, "start_offset");
    if (in.left > 0) m.status = enumeration<SubscriptionStatus>(r, in, "status", 0, 2);
    return m;
}

// GROUP_OPEN and GROUP_QUERY.
template <class M>
M group_name(Reader& r, Record& in) {
    M m;
    m.queue = queue(r, in);
    m.group = r.fixed<Id128>(in, "group");
    return m;
}

GroupSeal group_seal(Reader& r, Record& in) {
    auto m = group_name<GroupSeal>(r, in);
    m.count = r.uint(in, "count");
    return m;
}

GroupState group_state(Reader& r, Record& in) {
    GroupState m;
    m.re = r.uint(in, "re");
    m.queue = queue(r, in);
    m.group = r.fixed<Id128>(in, "group");
    m.phase = enumeration<GroupPhase>(r, in, "phase", 1, 4);
    m.count = r.uint(in, "count");
    m.submitted = r.uint(in, "submitted");
    m.finished = r.uint(in, "finished");
    m.outcomes = records<std::pair<FinalOutcome, std::uint64_t>>(
        r, batch(r, in, "outcomes"), "outcome", [&](Record& one) {
            const auto outcome = enumeration<FinalOutcome>(r, one, "outcome", 1, 7);
            return std::pair{outcome, r.uint(one, "jobs")};
        });
    return m;
}

Settings settings(Reader& r, Record& in, const char* field) {
    Settings out;
    const std::uint32_t pairs = r.map(in, field);
    for (std::uint32_t i = 0; i < pairs && r.ok(); ++i) {
        std::string key(r.key_str(field));
        Record value = Reader::value();
        out.emplace_back(std::move(key), r.uint(value, field));
    }
    return out;
}

// QUEUE_CREATE and QUEUE_ALTER.
template <class M>
M queue_settings(Reader& r, Record& in) {
    M m;
    m.queue = queue(r, in);
    m.settings = settings(r, in, "settings");
    return m;
}

Answer answer(Reader& r, Record& in) {
    Answer m;
    m.re = r.uint(in, "re");
    m.topic = name(r, in, "topic");
    Record rows{batch(r, in, "rows")};
    const std::uint32_t count = rows.left;
    for (std::uint32_t i = 0; i < count && r.ok(); ++i) {
        const std::uint32_t pairs = r.map(rows, "row");
        Row row;
        for (std::uint32_t p = 0; p < pairs && r.ok(); ++p) {
            std::string key(r.key_str("row"));
            Record value = Reader::value();
            if (r.peek() == LexemeType::uint) {
                row.emplace_back(std::move(key), r.uint(value, "row"));
            } else {
                row.emplace_back(std::move(key), r.text(value, "row", r.limits().sentence_bytes_max,
                                                        "sentence_bytes_max"));
            }
        }
        m.rows.push_back(std::move(row));
    }
    return m;
}

// Of BLOB_PUT and BLOB_INFO; those of earlier peers end before it.
template <class M>
void encoding(Reader& r, Record& in, M& m) {
    if (in.left > 0) m.encoding = enumeration<BlobEncoding>(r, in, "encoding", 0, 1);
    if (in.left > 0) m.stored_size = r.uint(in, "stored_size");
}

BlobPut blob_put(Reader& r, Record& in) {
    BlobPut m;
    m.id = r.fixed<ContentId>(in, "hash");
    m.size = r.uint(in, "size");
    m.type = enumeration<BlobType>(r, in, "type", 1, 2);
    m.label = name(r, in, "label");
    encoding(r, in, m);
    return m;
}

BlobChunk blob_chunk(Reader& r, Record& in) {
    BlobChunk m;
    m.id = r.fixed<ContentId>(in, "hash");
    m.offset = r.uint(in, "offset");
    m.bytes = r.bin(in, "bytes", r.limits().chunk_bytes, "chunk_bytes");
    return m;
}

Message message(Kind kind, Reader& r, Record& in) {
    switch (kind) {
        case Kind::hello:
            return hello(r, in);
        case Kind::welcome:
            return welcome(r, in);
        case Kind::heartbeat:
            return heartbeat(r, in);
        case Kind::bye: {
            const ErrorCode code = error_code(r, in, "code");
            return Bye{code, sentence(r, in)};
        }
        case Kind::error: {
            Error m;
            m.re = r.uint(in, "re");
            m.re_kind = static_cast<Kind>(r.uint(in, "re_kind", UINT8_MAX));
            m.code = error_code(r, in, "code");
            m.sentence = sentence(r, in);
            return m;
        }
        case Kind::ok:
            return Ok{r.uint(in, "re")};
        case Kind::credit:
            return credit_grant(r, in);
        case Kind::want:
            return want(r, in);
        case Kind::reclaim:
            return Reclaim{queue(r, in)};
        case Kind::reclaimed: {
            std::string q = queue(r, in);
            return Reclaimed{std::move(q), r.credit(in, "sent")};
        }
        case Kind::submit:
            return submit(r, in);
        case Kind::accepted:
            return accepted(r, in);
        case Kind::cancel: {
            std::string q = queue(r, in);
            return Cancel{std::move(q), ids(r, in, "jobs")};
        }
        case Kind::cancelled: {
            const std::uint64_t re = r.uint(in, "re");
            return Cancelled{re, elements<JobState>(r, in, "states", [&](Record& list) {
                                 return enumeration<JobState>(r, list, "state", 0, 3);
                             })};
        }
        case Kind::deliver:
            return deliver(r, in);
        case Kind::done:
            return done(r, in);
        case Kind::revoke:
            return Revoke{tokens(r, in, "tokens")};
        case Kind::progress:
            return progress(r, in);
        case Kind::subscribe:
            return subscribe(r, in);
        case Kind::subscribed:
            return subscribed(r, in);
        case Kind::unsubscribe: {
            const std::uint64_t subscription = r.uint(in, "subscription");
            return Unsubscribe{subscription, in.left > 0 && r.boolean(in, "forget")};
        }
        case Kind::ack: {
            const std::uint64_t subscription = r.uint(in, "subscription");
            return Ack{subscription, r.uint(in, "next_offset")};
        }
        case Kind::results:
            return results(r, in);
        case Kind::group_open:
            return group_name<GroupOpen>(r, in);
        case Kind::group_seal:
            return group_seal(r, in);
        case Kind::group_query:
            return group_name<GroupQuery>(r, in);
        case Kind::group_state:
            return group_state(r, in);
        case Kind::queue_create:
            return queue_settings<QueueCreate>(r, in);
        case Kind::queue_alter:
            return queue_settings<QueueAlter>(r, in);
        case Kind::queue_delete: {
            std::string q = queue(r, in);
            return QueueDelete{std::move(q), r.boolean(in, "force")};
        }
        case Kind::queue_control: {
            std::string q = queue(r, in);
            return QueueControl{std::move(q), enumeration<QueueAction>(r, in, "action", 1, 4)};
        }
        case Kind::dead_letters: {
            DeadLetters m;
            m.queue = queue(r, in);
            m.action = enumeration<DeadAction>(r, in, "action", 1, 2);
            m.jobs = ids(r, in, "jobs");
            return m;
        }
        case Kind::dead_done: {
            const std::uint64_t re = r.uint(in, "re");
            return DeadDone{
                re, records<DeadDone::One>(r, batch(r, in, "jobs"), "job", [&](Record& one) {
                    const auto dead = r.fixed<Id128>(one, "dead");
                    return DeadDone::One{dead, r.fixed<Id128>(one, "retry")};
                })};
        }
        case Kind::alias_set: {
            std::string alias = name(r, in, "alias");
            return AliasSet{std::move(alias), r.fixed<ContentId>(in, "hash")};
        }
        case Kind::backup:
            return Backup{name(r, in, "name")};
        case Kind::backup_done: {
            BackupDone m;
            m.re = r.uint(in, "re");
            m.path = r.text(in, "path", r.limits().sentence_bytes_max, "sentence_bytes_max");
            m.bytes = r.uint(in, "bytes");
            return m;
        }
        case Kind::flow_set: {
            FlowSet m;
            m.queue = queue(r, in);
            m.flow = name(r, in, "flow");
            m.limits = settings(r, in, "limits");
            return m;
        }
        case Kind::queue_version: {
            std::string name_of = queue(r, in);
            return QueueVersion{std::move(name_of), name(r, in, "scanner_version")};
        }
        case Kind::standing_set:
            return standing_set(r, in);
        case Kind::standing_drop:
            return StandingDrop{name(r, in, "name")};
        case Kind::query: {
            std::string topic = name(r, in, "topic");
            return Query{std::move(topic), name(r, in, "key")};
        }
        case Kind::answer:
            return answer(r, in);
        case Kind::cache_get: {
            std::string q = queue(r, in);
            return CacheGet{std::move(q), ids<ContentId>(r, in, "keys")};
        }
        case Kind::cache_values: {
            CacheValues m;
            m.re = r.uint(in, "re");
            m.values = cache_values(r, in);
            if (in.left > 0) m.looked = r.uint(in, "looked");
            return m;
        }
        case Kind::cache_put:
            return cache_put(r, in);
        case Kind::cache_kept: {
            const std::uint64_t re = r.uint(in, "re");
            return CacheKept{re, r.uint(in, "results")};
        }
        case Kind::cache_drop: {
            std::string q = queue(r, in);
            return CacheDrop{std::move(q), ids<ContentId>(r, in, "keys")};
        }
        case Kind::cache_dropped: {
            const std::uint64_t re = r.uint(in, "re");
            const std::uint64_t results = r.uint(in, "results");
            return CacheDropped{re, results, in.left > 0 ? r.uint(in, "asked") : 0};
        }
        case Kind::blob_put:
            return blob_put(r, in);
        case Kind::blob_ready: {
            BlobReady m;
            m.re = r.uint(in, "re");
            m.id = r.fixed<ContentId>(in, "hash");
            m.have = r.boolean(in, "have");
            m.limit = r.credit(in, "limit");
            return m;
        }
        case Kind::blob_chunk:
            return blob_chunk(r, in);
        case Kind::blob_stored: {
            BlobStored m;
            m.re = r.uint(in, "re");
            m.id = r.fixed<ContentId>(in, "hash");
            m.size = r.uint(in, "size");
            return m;
        }
        case Kind::blob_get: {
            const auto id = r.fixed<ContentId>(in, "hash");
            BlobGet m{id, r.credit(in, "limit")};
            if (in.left > 0) m.accepts = r.uint(in, "accepts");
            return m;
        }
        case Kind::blob_info: {
            BlobInfo m;
            m.re = r.uint(in, "re");
            m.id = r.fixed<ContentId>(in, "hash");
            m.size = r.uint(in, "size");
            m.type = enumeration<BlobType>(r, in, "type", 1, 2);
            m.label = name(r, in, "label");
            encoding(r, in, m);
            return m;
        }
    }
    r.refuse(ErrorCode::unknown_kind, "kind",
             fmt::format("{} is not in version 1", static_cast<int>(kind)));
    return Ok{};
}

}  // namespace

Decoder::Decoder(const Limits& limits) : limits_(limits), tape_(std::make_unique<Tape>(limits)) {}
Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;

Result<Frame, DecodeError> Decoder::decode(ByteView bytes) {
    DecodeError error;
    if (bytes.size() > limits_.frame_bytes_max) {
        error.code = ErrorCode::frame_too_large;
        error.sentence = fmt::format(
            "a frame of {} bytes is over frame_bytes_max ({}): send smaller batches, put large "
            "bodies as blobs",
            bytes.size(), limits_.frame_bytes_max);
        return fail(std::move(error));
    }
    if (!tape_->parse(bytes)) {
        error.code = tape_->error_code();
        error.sentence = tape_->error();
        return fail(std::move(error));
    }
    Reader r(*tape_, limits_);
    Frame frame;
    Record in = r.root();
    const std::uint64_t version = r.uint(in, "version");
    if (r.ok() && version != kVersion)
        r.refuse(ErrorCode::unsupported_version, "version",
                 fmt::format("is {}; this side speaks {}", version, kVersion));
    const std::uint64_t kind = r.uint(in, "kind", UINT8_MAX);
    frame.header.roles = static_cast<Roles>(r.uint(in, "roles", kAllRoles));
    frame.header.session.value = r.uint(in, "session");
    frame.header.seq = r.uint(in, "seq");
    if (r.ok()) {
        error.header = frame.header;
        error.kind = static_cast<Kind>(kind);
        frame.message = message(error.kind, r, in);
        r.leave(in);
    }
    if (r.ok()) return frame;
    error.code = r.code();
    error.sentence = kind != 0 && to_string(error.kind) != "?"
                         ? fmt::format("{}: {}", to_string(error.kind), r.sentence())
                         : r.sentence();
    return fail(std::move(error));
}

}  // namespace scanmq::protocol
