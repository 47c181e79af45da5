#include "common/protocol/codec.hpp"
#include "common/protocol/encode_fields.hpp"
#include "common/protocol/field_counts.hpp"
#include "common/protocol/writer.hpp"

namespace scanmq::protocol {

namespace {

void settings(Writer& w, const Settings& settings) {
    w.map(settings.size());
    for (const auto& [name, value] : settings) {
        w.str(name);
        w.uint(value);
    }
}

void tokens(Writer& w, const std::vector<Token>& tokens) {
    w.array(tokens.size());
    for (const auto& token : tokens) {
        w.array(2);
        w.uint(token.epoch);
        w.uint(token.counter);
    }
}

template <class Id>
void ids(Writer& w, const std::vector<Id>& ids) {
    w.array(ids.size());
    for (const auto& id : ids) w.id(id);
}

// One overload a kind: the number of fields after the envelope, and the fields.
struct Fields {
    Writer& w;

    void operator()(const Hello& m) const {
        w.str(m.name);
        w.id(m.instance);
        w.bin(m.resume);
        w.sint(m.clock_ms);
        w.str(m.agent);
        if (!m.worker) return w.nil();
        w.array(m.worker->held.empty() ? 3 : 4);
        w.uint(m.worker->threads);
        w.str(m.worker->scanner_version);
        w.array(m.worker->queues.size());
        for (const auto& queue : m.worker->queues) w.str(queue);
        if (m.worker->held.empty()) return;
        w.array(m.worker->held.size());
        for (const auto& held : m.worker->held) {
            w.array(3);
            w.uint(held.token.epoch);
            w.uint(held.token.counter);
            w.boolean(held.started);
        }
    }
    void operator()(const Welcome& m) const {
        w.uint(m.re);
        w.uint(m.session.value);
        w.uint(m.epoch);
        w.uint(m.heartbeat_ms);
        w.uint(m.dead_after_ms);
        w.str(m.blob_endpoint);
        w.bin(m.resume);
        w.sint(m.clock_ms);
        settings(w, m.limits);
        tokens(w, m.adopted);
    }
    void operator()(const Heartbeat& m) const {
        w.uint(m.ping);
        w.uint(m.pong);
        tokens(w, m.running);
        if (!m.cache) return;
        w.map(kCacheFigures.size());
        for (const auto& [name, value] : kCacheFigures) {
            w.str(name);
            w.uint(*m.cache.*value);
        }
    }
    void operator()(const Bye& m) const {
        w.number(m.code);
        w.str(m.sentence);
    }
    void operator()(const Error& m) const {
        w.uint(m.re);
        w.number(m.re_kind);
        w.number(m.code);
        w.str(m.sentence);
    }
    void operator()(const Ok& m) const { w.uint(m.re); }
    void operator()(const CreditGrant& m) const {
        w.number(m.link);
        w.str(m.queue);
        w.uint(m.subscription);
        w.credit(m.limit);
    }
    void operator()(const Want& m) const {
        w.str(m.queue);
        w.credit(m.sent);
        w.credit(m.want);
    }
    void operator()(const Reclaim& m) const { w.str(m.queue); }
    void operator()(const Reclaimed& m) const {
        w.str(m.queue);
        w.credit(m.sent);
    }
    void operator()(const Submit& m) const { encoding::fields(w, m); }
    void operator()(const Accepted& m) const { encoding::fields(w, m); }
    void operator()(const Cancel& m) const {
        w.str(m.queue);
        ids(w, m.jobs);
    }
    void operator()(const Cancelled& m) const {
        w.uint(m.re);
        w.array(m.states.size());
        for (const auto state : m.states) w.number(state);
    }
    void operator()(const Deliver& m) const { encoding::fields(w, m); }
    void operator()(const Done& m) const { encoding::fields(w, m); }
    void operator()(const Revoke& m) const { tokens(w, m.tokens); }
    void operator()(const Progress& m) const {
        w.array(m.reports.size());
        for (const auto& report : m.reports) {
            w.array(5);
            w.uint(report.token.epoch);
            w.uint(report.token.counter);
            w.uint(report.done);
            w.uint(report.total);
            w.str(report.note);
        }
    }
    void operator()(const Subscribe& m) const {
        w.uint(m.subscription);
        w.str(m.queue);
        w.str(m.pattern);
        w.number(m.from);
        w.uint(m.offset);
        w.id(m.incarnation);
        w.str(m.durable_name);
        w.credit(m.limit);
    }
    void operator()(const Subscribed& m) const {
        w.uint(m.re);
        w.uint(m.subscription);
        w.id(m.incarnation);
        w.uint(m.first_offset);
        w.uint(m.next_offset);
        w.uint(m.start_offset);
        w.number(m.status);
    }
    void operator()(const Unsubscribe& m) const {
        w.uint(m.subscription);
        w.boolean(m.forget);
    }
    void operator()(const Ack& m) const {
        w.uint(m.subscription);
        w.uint(m.next_offset);
    }
    void operator()(const Results& m) const { encoding::fields(w, m); }
    void operator()(const GroupOpen& m) const {
        w.str(m.queue);
        w.id(m.group);
    }
    void operator()(const GroupSeal& m) const {
        w.str(m.queue);
        w.id(m.group);
        w.uint(m.count);
    }
    void operator()(const GroupQuery& m) const {
        w.str(m.queue);
        w.id(m.group);
    }
    void operator()(const GroupState& m) const {
        w.uint(m.re);
        w.str(m.queue);
        w.id(m.group);
        w.number(m.phase);
        w.uint(m.count);
        w.uint(m.submitted);
        w.uint(m.finished);
        w.array(m.outcomes.size());
        for (const auto& [outcome, jobs] : m.outcomes) {
            w.array(2);
            w.number(outcome);
            w.uint(jobs);
        }
    }
    void operator()(const QueueCreate& m) const {
        w.str(m.queue);
        settings(w, m.settings);
    }
    void operator()(const QueueAlter& m) const {
        w.str(m.queue);
        settings(w, m.settings);
    }
    void operator()(const QueueDelete& m) const {
        w.str(m.queue);
        w.boolean(m.force);
    }
    void operator()(const QueueControl& m) const {
        w.str(m.queue);
        w.number(m.action);
    }
    void operator()(const DeadLetters& m) const {
        w.str(m.queue);
        w.number(m.action);
        ids(w, m.jobs);
    }
    void operator()(const DeadDone& m) const {
        w.uint(m.re);
        w.array(m.jobs.size());
        for (const auto& one : m.jobs) {
            w.array(2);
            w.id(one.dead);
            w.id(one.retry);
        }
    }
    void operator()(const AliasSet& m) const {
        w.str(m.alias);
        w.id(m.id);
    }
    void operator()(const Backup& m) const { w.str(m.name); }
    void operator()(const BackupDone& m) const {
        w.uint(m.re);
        w.str(m.path);
        w.uint(m.bytes);
    }
    void operator()(const FlowSet& m) const {
        w.str(m.queue);
        w.str(m.flow);
        settings(w, m.limits);
    }
    void operator()(const CacheGet& m) const {
        w.str(m.queue);
        ids(w, m.keys);
    }
    void operator()(const CacheValues& m) const {
        w.uint(m.re);
        w.array(m.values.size());
        for (const auto& one : m.values) {
            w.array(5);
            w.id(one.key);
            w.uint(one.age_ms);
            w.body(one.body());
            w.uint(one.left_ms);
            w.id(one.check);
        }
        w.uint(m.looked);
    }
    void operator()(const CachePut& m) const {
        w.array(m.values.size());
        for (const auto& one : m.values) {
            w.array(5);
            w.id(one.key);
            w.uint(one.age_ms);
            w.uint(one.left_ms);
            w.id(one.check);
            w.bin(one.bytes);
        }
    }
    void operator()(const CacheKept& m) const {
        w.uint(m.re);
        w.uint(m.results);
    }
    void operator()(const CacheDrop& m) const {
        w.str(m.queue);
        ids(w, m.keys);
    }
    void operator()(const CacheDropped& m) const {
        w.uint(m.re);
        w.uint(m.results);
        w.uint(m.asked);
    }
    void operator()(const QueueVersion& m) const {
        w.str(m.queue);
        w.str(m.scanner_version);
    }
    void operator()(const StandingSet& m) const {
        w.str(m.name);
        w.str(m.queue);
        w.str(m.subject);
        w.body(m.payload);
        w.array(m.aliases.size());
        for (const auto& alias : m.aliases) w.str(alias);
        w.uint(m.min_interval_ms);
        encoding::job_options(w, m.options ? *m.options : JobOptions{});
    }
    void operator()(const StandingDrop& m) const { w.str(m.name); }
    void operator()(const Query& m) const {
        w.str(m.topic);
        w.str(m.key);
    }
    void operator()(const Answer& m) const {
        w.uint(m.re);
        w.str(m.topic);
        w.array(m.rows.size());
        for (const auto& row : m.rows) {
            w.map(row.size());
            for (const auto& [key, value] : row) {
                w.str(key);
                if (const auto* number = std::get_if<std::uint64_t>(&value)) {
                    w.uint(*number);
                } else {
                    w.str(std::get<std::string>(value));
                }
            }
        }
    }
    void operator()(const BlobPut& m) const {
        w.id(m.id);
        w.uint(m.size);
        w.number(m.type);
        w.str(m.label);
        w.number(m.encoding);
        w.uint(m.stored_size);
    }
    void operator()(const BlobReady& m) const {
        w.uint(m.re);
        w.id(m.id);
        w.boolean(m.have);
        w.credit(m.limit);
    }
    void operator()(const BlobChunk& m) const {
        w.id(m.id);
        w.uint(m.offset);
        w.bin(m.bytes);
    }
    void operator()(const BlobStored& m) const {
        w.uint(m.re);
        w.id(m.id);
        w.uint(m.size);
    }
    void operator()(const BlobGet& m) const {
        w.id(m.id);
        w.credit(m.limit);
        w.uint(m.accepts);
    }
    void operator()(const BlobInfo& m) const {
        w.uint(m.re);
        w.id(m.id);
        w.uint(m.size);
        w.number(m.type);
        w.str(m.label);
        w.number(m.encoding);
        w.uint(m.stored_size);
    }
};

}  // namespace

void encode(const Header& header, const Message& message, std::string& out) {
    const Kind kind = kind_of(message);
    Writer w(out);
    const auto* const heartbeat = std::get_if<Heartbeat>(&message);
    const bool figures = heartbeat != nullptr && heartbeat->cache;
    w.array(5 + field_count(kind) + (figures ? 1 : 0));
    w.uint(kVersion);
    w.number(kind);
    w.uint(header.roles);
    w.uint(header.session.value);
    w.uint(header.seq);
    std::visit(Fields{w}, message);
}

}  // namespace scanmq::protocol
