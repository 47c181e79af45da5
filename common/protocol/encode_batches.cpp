#include "common/protocol/encode_fields.hpp"

namespace scanmq::protocol::encoding {

void job_options(Writer& w, const JobOptions& o) {
    const bool set[] = {o.priority != JobOptions::kDefaultPriority,
                        o.delay_ms != 0,
                        o.deadline_ms != 0,
                        !o.flow.empty(),
                        !o.conflate_key.empty(),
                        !o.headers.empty(),
                        o.flags != 0,
                        o.as_of_ns.has_value(),
                        !o.aliases.empty()};
    std::size_t count = 0;
    for (const bool one : set) count += one ? 1 : 0;
    w.map(count);
    const auto key = [&](std::uint64_t number) {
        if (set[number - 1]) w.uint(number);
        return set[number - 1];
    };
    if (key(1)) w.uint(o.priority);
    if (key(2)) w.uint(o.delay_ms);
    if (key(3)) w.uint(o.deadline_ms);
    if (key(4)) w.str(o.flow);
    if (key(5)) w.str(o.conflate_key);
    if (key(6)) {
        w.map(o.headers.size());
        for (const auto& [name, value] : o.headers) {
            w.str(name);
            w.str(value);
        }
    }
    if (key(7)) w.uint(o.flags);
    if (key(8)) w.sint(*o.as_of_ns);
    if (key(9)) {
        w.array(o.aliases.size());
        for (const auto& alias : o.aliases) w.str(alias);
    }
}

void fields(Writer& w, const Submit& m) {
    w.str(m.queue);
    w.id(m.group);
    w.uint(m.acked_seq);
    w.array(m.jobs.size());
    for (const auto& job : m.jobs) {
        w.array(job.options ? 5 : job.inputs.empty() ? 3 : 4);
        w.id(job.id);
        w.str(job.subject);
        w.body(job.payload);
        if (job.options || !job.inputs.empty()) w.bin(job.inputs);
        if (job.options) job_options(w, *job.options);
    }
}

void fields(Writer& w, const Accepted& m) {
    w.uint(m.re);
    w.uint(m.jobs);
    w.array(m.exceptions.size());
    for (const auto& v : m.exceptions) {
        w.array(5);
        w.uint(v.index);
        w.number(v.verdict);
        w.number(v.state);
        w.number(v.code);
        w.str(v.sentence);
    }
    w.credit(m.limit);
}

void fields(Writer& w, const Deliver& m) {
    w.uint(m.epoch);
    w.str(m.queue);
    w.array(m.attempts.size());
    for (const auto& a : m.attempts) {
        const std::size_t options = (a.deadline_ms != 0 ? 1U : 0U) + (a.as_of_ns ? 1U : 0U) +
                                    (a.fingerprint.empty() ? 0U : 1U) + (a.keep_ms != 0 ? 1U : 0U);
        w.array(options > 0 ? 6 : 5);
        w.uint(a.counter);
        w.id(a.job);
        w.str(a.subject);
        w.body(a.payload);
        w.bin(a.inputs);
        if (options == 0) continue;
        w.map(options);
        if (a.deadline_ms != 0) {
            w.uint(3);
            w.uint(a.deadline_ms);
        }
        if (a.as_of_ns) {
            w.uint(8);
            w.sint(*a.as_of_ns);
        }
        if (!a.fingerprint.empty()) {
            w.uint(10);
            w.bin(a.fingerprint);
        }
        if (a.keep_ms != 0) {
            w.uint(11);
            w.uint(a.keep_ms);
        }
    }
}

void fields(Writer& w, const Done& m) {
    w.uint(m.epoch);
    w.credit(m.limit);
    w.array(m.outcomes.size());
    for (const auto& o : m.outcomes) {
        const bool plain = o.code == ErrorCode::none && o.sentence.empty() && o.age_ms == 0;
        w.array(plain ? 3 : o.age_ms == 0 ? 5 : 6);
        w.uint(o.counter);
        w.number(o.outcome);
        w.body(o.body);
        if (plain) continue;
        w.number(o.code);
        w.str(o.sentence);
        if (o.age_ms != 0) w.uint(o.age_ms);
    }
}

void fields(Writer& w, const Results& m) {
    w.uint(m.subscription);
    w.uint(m.next_offset);
    if (m.gap) {
        w.array(2);
        w.uint(m.gap->from);
        w.uint(m.gap->to);
    } else {
        w.nil();
    }
    w.array(m.entries.size());
    for (const auto& e : m.entries) {
        const bool error = e.code != ErrorCode::none || !e.sentence.empty();
        const bool group = !e.group.is_zero();
        w.array(group ? 9 : error ? 8 : 6);
        w.uint(e.offset);
        w.number(e.kind);
        w.id(e.id);
        w.str(e.subject);
        w.number(e.outcome);
        w.body(e.body);
        if (!error && !group) continue;
        w.number(e.code);
        w.str(e.sentence);
        if (group) w.id(e.group);
    }
}

}  // namespace scanmq::protocol::encoding
