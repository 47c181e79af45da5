#include "common/protocol/decode_fields.hpp"

namespace scanmq::protocol::decoding {

namespace {

std::vector<std::string> aliases_of(Reader& r, Record& in) {
    std::vector<std::string> out;
    const auto& limits = r.limits();
    Record list{r.items(in, "aliases", limits.inputs_per_job_max, "inputs_per_job_max")};
    const std::uint32_t count = r.ok() ? list.left : 0;
    for (std::uint32_t i = 0; i < count && r.ok(); ++i) out.push_back(name(r, list, "aliases"));
    return out;
}

std::unique_ptr<JobOptions> job_options(Reader& r, Record& in) {
    const std::uint32_t pairs = r.map(in, "options");
    if (!r.ok() || pairs == 0) return nullptr;
    auto options = std::make_unique<JobOptions>();
    const auto& limits = r.limits();
    for (std::uint32_t i = 0; i < pairs && r.ok(); ++i) {
        const std::uint64_t key = r.key_uint("options");
        Record value = Reader::value();
        switch (key) {
            case 1:
                options->priority =
                    static_cast<std::uint32_t>(r.uint(value, "priority", UINT32_MAX));
                break;
            case 2:
                options->delay_ms = r.uint(value, "delay_ms");
                break;
            case 3:
                options->deadline_ms = r.uint(value, "deadline_ms");
                break;
            case 4:
                options->flow = name(r, value, "flow");
                break;
            case 5:
                options->conflate_key = name(r, value, "conflate_key");
                break;
            case 6: {
                const std::uint32_t headers = r.map(value, "headers");
                for (std::uint32_t h = 0; h < headers && r.ok(); ++h) {
                    std::string header(r.key_str("headers"));
                    Record text = Reader::value();
                    options->headers.emplace_back(
                        std::move(header),
                        r.text(text, "headers", limits.sentence_bytes_max, "sentence_bytes_max"));
                }
                break;
            }
            case 7:
                options->flags = static_cast<std::uint32_t>(r.uint(value, "flags", UINT32_MAX));
                break;
            case 8:
                options->as_of_ns = r.sint(value, "as_of_ns");
                break;
            case 9:
                options->aliases = aliases_of(r, value);
                break;
            default:
                options->unknown_key = key;
                r.skip_value();
        }
    }
    return options;
}

ByteView fingerprint(Reader& r, Record& in) {
    const ByteView raw = r.bin(in, "fingerprint", ContentId::kSize, "its size");
    if (r.ok() && raw.size() != ContentId::kSize)
        r.refuse(ErrorCode::malformed, "fingerprint", "is not 32 bytes");
    return raw;
}

// Of an attempt's options, deadline_ms, as_of_ns, fingerprint and keep_ms: others are a later version's and
// skipped.
void attempt_options(Reader& r, Record& in, Attempt& attempt) {
    const std::uint32_t pairs = r.map(in, "options");
    for (std::uint32_t i = 0; i < pairs && r.ok(); ++i) {
        const std::uint64_t key = r.key_uint("options");
        Record value = Reader::value();
        if (key == 3) {
            attempt.deadline_ms = r.uint(value, "deadline_ms");
        } else if (key == 8) {
            attempt.as_of_ns = r.sint(value, "as_of_ns");
        } else if (key == 10) {
            attempt.fingerprint = fingerprint(r, value);
        } else if (key == 11) {
            attempt.keep_ms = r.uint(value, "keep_ms");
        } else {
            r.skip_value();
        }
    }
}

}  // namespace

Submit submit(Reader& r, Record& in) {
    Submit m;
    m.queue = r.text_view(in, "queue", r.limits().queue_bytes_max, "queue_bytes_max");
    m.group = r.fixed<Id128>(in, "group");
    m.acked_seq = r.uint(in, "acked_seq");
    m.jobs = records<Job>(r, batch(r, in, "jobs"), "job", [&](Record& one) {
        Job job;
        job.id = r.fixed<Id128>(one, "id");
        job.subject = subject(r, one);
        job.payload = r.body(one, "payload");
        if (one.left > 0) job.inputs = inputs(r, one);
        if (one.left > 0) job.options = job_options(r, one);
        return job;
    });
    return m;
}

StandingSet standing_set(Reader& r, Record& in) {
    StandingSet m;
    m.name = name(r, in, "name");
    m.queue = queue(r, in);
    m.subject = subject(r, in);
    m.payload = r.body(in, "payload");
    m.aliases = aliases_of(r, in);
    m.min_interval_ms = r.uint(in, "min_interval_ms");
    if (in.left > 0) m.options = job_options(r, in);
    return m;
}

Accepted accepted(Reader& r, Record& in) {
    Accepted m;
    m.re = r.uint(in, "re");
    m.jobs = static_cast<std::uint32_t>(r.uint(in, "jobs", UINT32_MAX));
    m.exceptions =
        records<JobVerdict>(r, batch(r, in, "exceptions"), "exception", [&](Record& one) {
            JobVerdict v;
            v.index = static_cast<std::uint32_t>(r.uint(one, "index", UINT32_MAX));
            v.verdict = enumeration<Verdict>(r, one, "verdict", 1, 5);
            v.state = enumeration<JobState>(r, one, "state", 0, 3);
            v.code = error_code(r, one, "code");
            v.sentence = sentence(r, one);
            return v;
        });
    m.limit = r.credit(in, "limit");
    return m;
}

Deliver deliver(Reader& r, Record& in) {
    Deliver m;
    m.epoch = r.uint(in, "epoch");
    m.queue = r.text_view(in, "queue", r.limits().queue_bytes_max, "queue_bytes_max");
    m.attempts = records<Attempt>(r, batch(r, in, "attempts"), "attempt", [&](Record& one) {
        Attempt a;
        a.counter = r.uint(one, "counter");
        a.job = r.fixed<Id128>(one, "job");
        a.subject = subject(r, one);
        a.payload = r.body(one, "payload");
        a.inputs = inputs(r, one);
        if (one.left > 0) attempt_options(r, one, a);
        return a;
    });
    return m;
}

Progress progress(Reader& r, Record& in) {
    Progress m;
    m.reports = records<Progress::Report>(r, batch(r, in, "reports"), "report", [&](Record& one) {
        Progress::Report report;
        report.token = token(r, one);
        report.done = r.uint(one, "done");
        report.total = r.uint(one, "total");
        report.note = name(r, one, "note");
        return report;
    });
    return m;
}

Done done(Reader& r, Record& in) {
    Done m;
    m.epoch = r.uint(in, "epoch");
    m.limit = r.credit(in, "limit");
    m.outcomes = records<Outcome>(r, batch(r, in, "outcomes"), "outcome", [&](Record& one) {
        Outcome o;
        o.counter = r.uint(one, "counter");
        o.outcome = enumeration<AttemptOutcome>(r, one, "outcome", 1, 4);
        o.body = r.body(one, "result");
        if (one.left > 0) o.code = error_code(r, one, "code");
        if (one.left > 0)
            o.sentence =
                r.text_view(one, "sentence", r.limits().sentence_bytes_max, "sentence_bytes_max");
        if (one.left > 0) o.age_ms = r.uint(one, "age_ms");
        return o;
    });
    return m;
}

Results results(Reader& r, Record& in) {
    Results m;
    m.subscription = r.uint(in, "subscription");
    m.next_offset = r.uint(in, "next_offset");
    if (!r.nil(in)) {
        Record gap = r.enter(in, "gap");
        const std::uint64_t from = r.uint(gap, "from");
        m.gap = Gap{from, r.uint(gap, "to")};
        r.leave(gap);
    }
    m.entries = records<Entry>(r, batch(r, in, "entries"), "entry", [&](Record& one) {
        Entry e;
        e.offset = r.uint(one, "offset");
        e.kind = enumeration<EntryKind>(r, one, "entry_kind", 1, 2);
        e.id = r.fixed<Id128>(one, "id");
        e.subject = subject(r, one);
        e.outcome = enumeration<FinalOutcome>(r, one, "outcome", 1, 7);
        e.body = r.body(one, "body");
        if (one.left > 0) e.code = error_code(r, one, "code");
        if (one.left > 0)
            e.sentence =
                r.text_view(one, "sentence", r.limits().sentence_bytes_max, "sentence_bytes_max");
        if (one.left > 0) e.group = r.fixed<Id128>(one, "group");
        return e;
    });
    return m;
}

std::vector<CacheValues::One> cache_values(Reader& r, Record& in) {
    return records<CacheValues::One>(r, batch(r, in, "values"), "value", [&](Record& one) {
        CacheValues::One value;
        value.key = r.fixed<ContentId>(one, "hash");
        value.age_ms = r.uint(one, "age_ms");
        const Body body = r.body(one, "body");
        value.bytes = body.bytes;
        value.blob_size = body.blob_size;
        if (one.left > 0) value.left_ms = r.uint(one, "left_ms");
        if (one.left > 0) value.check = r.fixed<Checksum>(one, "check");
        return value;
    });
}

CachePut cache_put(Reader& r, Record& in) {
    return {records<CachePut::One>(r, batch(r, in, "values"), "value", [&](Record& one) {
        CachePut::One value;
        value.key = r.fixed<ContentId>(one, "hash");
        value.age_ms = r.uint(one, "age_ms");
        value.left_ms = r.uint(one, "left_ms");
        value.check = r.fixed<Checksum>(one, "check");
        value.bytes = r.bin(one, "result", r.limits().inline_bytes_max, "inline_bytes_max");
        return value;
    })};
}

}  // namespace scanmq::protocol::decoding
