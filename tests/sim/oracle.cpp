#include "tests/sim/oracle.hpp"

#include <algorithm>

namespace scanmq::sim {

using protocol::ErrorCode;
using protocol::FinalOutcome;

namespace {

std::string name_of(FinalOutcome outcome) { return std::to_string(static_cast<int>(outcome)); }

// A completion entry's body: [phase, count, [[outcome, jobs]...]], all small uints of msgpack.
class CompletionReader {
  public:
    explicit CompletionReader(ByteView bytes) : rest_(bytes) {}
    std::uint64_t uint() {
        const std::uint64_t head = byte();
        if (head < 0x80) return head;
        std::uint64_t value = 0;
        for (std::uint64_t n = head >= 0xcc && head <= 0xcf ? 1U << (head - 0xcc) : 0; n > 0; --n) {
            value = value << 8 | byte();
        }
        return value;
    }
    std::uint64_t array() { return byte() & 0x0f; }

  private:
    std::uint64_t byte() {
        if (rest_.empty()) return 0;
        const auto out = static_cast<unsigned char>(rest_.front());
        rest_.remove_prefix(1);
        return out;
    }
    ByteView rest_;
};

}  // namespace

void Oracle::sent(const std::string& queue, const protocol::Job& job, const Id128& group) {
    ++counts_.sent;
    const auto [at, fresh] = jobs_[queue].try_emplace(job.id);
    if (!fresh) return;
    at->second.payload = std::string(job.payload.bytes);
    at->second.subject = std::string(job.subject);
    at->second.group = group;
    at->second.first_sent = world_.now();
    at->second.inputs = std::string(job.inputs);
    if (job.options) at->second.aliases = job.options->aliases;
    at->second.fresh = job.options && (job.options->flags & protocol::JobOptions::kFresh) != 0;
    at->second.has_deadline = job.options && job.options->deadline_ms != 0;
    at->second.conflates = job.options && !job.options->conflate_key.empty();
    at->second.sheddable =
        job.options && (job.options->flags & protocol::JobOptions::kSheddable) != 0;
}

void Oracle::acknowledged(const std::string& queue, const Id128& id) {
    const auto found = jobs_[queue].find(id);
    if (found == jobs_[queue].end()) {
        world_.fail("job " + id.hex() + " of '" + queue + "' is acknowledged but was not sent");
    }
    ++counts_.acknowledged;
    found->second.acknowledged = true;
    if (excused(queue, found->second)) return;
    const ModelPartition* part = model_.find(queue);
    if (part == nullptr || (!part->live.contains(id) && !part->ended.contains(id))) {
        world_.fail("job " + id.hex() + " of '" + queue +
                    "' is acknowledged but no commit record has it");
    }
}

void Oracle::refused(const std::string& queue, const Id128& id, ErrorCode code,
                     std::string_view sentence) {
    ++counts_.refused;
    switch (code) {
        case ErrorCode::unknown_queue:
        case ErrorCode::queue_draining:
        case ErrorCode::over_credit:
        case ErrorCode::unknown_group:
        case ErrorCode::group_sealed:
        case ErrorCode::id_too_old:
        case ErrorCode::item_too_large:
        case ErrorCode::store_full:
            return;
        case ErrorCode::unknown_alias:
        case ErrorCode::unknown_snapshot:
            if (options_.aliases != 0) return;
            break;
        case ErrorCode::queue_full:
            if (options_.overload == 1) return;
            break;
        default:
            break;
    }
    world_.fail("job " + id.hex() + " of '" + queue + "' is refused: " +
                std::string(protocol::to_string(code)) + ": " + std::string(sentence));
}

void Oracle::deletes(const std::string& queue) { deleted_[queue] = world_.now(); }

void Oracle::cancels(const std::string& queue, const Id128& id) {
    const auto found = jobs_[queue].find(id);
    if (found != jobs_[queue].end()) found->second.cancelled = true;
}

bool Oracle::deleted_since(const std::string& queue, Time at) const {
    const auto found = deleted_.find(queue);
    return found != deleted_.end() && found->second >= at;
}

bool Oracle::group_over(const std::string& queue, const Id128& group) const {
    const ModelPartition* part = model_.find(queue);
    if (part == nullptr) return true;
    const auto found = part->groups.find(group);
    return found == part->groups.end() || found->second.ended;
}

bool Oracle::excused(const std::string& queue, const JobInfo& job) const {
    return deleted_since(queue, job.first_sent);
}

void Oracle::appended(std::span<const broker::CommitRecord> records, broker::LogPosition last,
                      const broker::BodyStore& bodies, Time broker_now) {
    broker::LogPosition position = last - records.size();
    const auto view = [&](broker::BodyHandle handle) { return bodies.view(handle); };
    // Which of a batch's records came first in it is not told.
    scans_.begin_batch();
    for (const broker::CommitRecord& record : records) {
        if (record.partition != 0) continue;
        scratch_.clear();
        broker::assemble(record, view, scratch_);
        scans_.apply_broker(scratch_);
    }
    for (const broker::CommitRecord& record : records) {
        scratch_.clear();
        broker::assemble(record, view, scratch_);
        world_.note(scratch_);
        model_.apply(record.partition, record.previous, record.sequence, scratch_);
        flows_.apply(record.partition, scratch_, world_.now());
        if (record.partition != 0) {
            const std::string& queue = name_of_queue(record.partition);
            scans_.apply(record.partition, queue, scratch_, broker_now, jobs_[queue]);
        }
        if (options_.durable) {
            records_.push_back({++position, record.partition, record.previous, record.sequence,
                                scratch_, world_.now()});
        }
    }
}

void Oracle::durable(broker::LogPosition position) {
    if (position < durable_) {
        world_.fail("the log was durable up to " + std::to_string(durable_) + " and is now up to " +
                    std::to_string(position));
    }
    durable_ = position;
}

void Oracle::recovered(broker::LogPosition position) {
    ++counts_.recoveries;
    if (position < durable_) {
        world_.fail("the broker recovers records up to " + std::to_string(position) +
                    ", but those up to " + std::to_string(durable_) + " were durable");
    }
    const auto end = std::find_if(records_.begin(), records_.end(),
                                  [&](const Record& r) { return r.position > position; });
    counts_.lost_records += static_cast<std::uint64_t>(records_.end() - end);
    records_.erase(end, records_.end());
    durable_ = position;
    model_.clear();
    flows_.clear();
    scans_.clear();
    for (const Record& r : records_) {
        model_.apply(r.partition, r.previous, r.sequence, r.changes);
        flows_.apply(r.partition, r.changes, r.at);
        const std::string& queue = name_of_queue(r.partition);
        scans_.replay(r.partition, queue, r.changes, jobs_[queue]);
    }
    check_acknowledged(false);
    model_.replayed();
    scans_.replayed();
    check_versions();
    check_told();
    for (const auto& [incarnation, entries] : seen_) {
        const ModelPartition* part = model_.find(incarnation);
        if (part == nullptr) world_.fail("entries were seen of a stream that a crash took away");
        for (const auto& [offset, entry] : entries) {
            if (offset >= part->entries.size() || part->entries[offset].id != entry.id) {
                world_.fail("the entry at offset " + std::to_string(offset) + " of '" + part->name +
                            "' was seen, and a crash took it away");
            }
        }
    }
}

void Oracle::check_outcome(const std::string& queue, const JobInfo& job, const Id128& id,
                           FinalOutcome outcome, ErrorCode code) const {
    const Behaviour behaviour = behaviour_of(job.payload);
    bool right = true;
    switch (outcome) {
        case FinalOutcome::done:
            right = behaviour != Behaviour::poison && behaviour != Behaviour::rejected &&
                    behaviour != Behaviour::fails_always;
            break;
        case FinalOutcome::rejected:
            right = behaviour == Behaviour::rejected;
            break;
        case FinalOutcome::dead:
            if (code == ErrorCode::attempts_exhausted) {
                // A target in trouble may fail any job; a poison fails by itself there, what hangs or
                // takes long is timed out, and scans that fail open the breaker for all.
                const FaultOptions& f = options_.faults;
                const bool trouble =
                    options_.remote &&
                    (f.target_fault_every > Duration{} || f.poison_share > 0.0 ||
                     f.fail_share > 0.0 || f.wedge_share > 0.0 || f.slow_share > 0.0);
                right = behaviour == Behaviour::fails_always || trouble ||
                        (behaviour == Behaviour::fails_once && options_.max_attempts == 1);
            } else {
                right = code == ErrorCode::worker_lost || code == ErrorCode::max_run_exceeded;
            }
            break;
        case FinalOutcome::cancelled:
            right = job.cancelled || purged_.contains(queue) || excused(queue, job);
            break;
        case FinalOutcome::expired:
            right = job.has_deadline;
            break;
        case FinalOutcome::superseded:
            right = job.conflates;
            break;
        case FinalOutcome::shed:
            right = job.sheddable && options_.overload == 2 && code == ErrorCode::overloaded;
            break;
    }
    if (!right) {
        world_.fail("job " + id.hex() + " with payload '" + job.payload.substr(0, 12) +
                    "' ended with outcome " + name_of(outcome));
    }
}

void Oracle::check_completion(const ModelPartition& part, const protocol::Entry& entry) const {
    const auto found = part.groups.find(entry.id);
    if (found == part.groups.end()) return;  // forgotten
    const ModelGroup& group = found->second;
    CompletionReader body(entry.body.bytes);
    body.array();
    const std::uint64_t phase = body.uint();
    const std::uint64_t count = body.uint();
    std::map<FinalOutcome, std::uint64_t> outcomes;
    for (std::uint64_t n = body.array(); n > 0; --n) {
        body.array();
        const auto outcome = static_cast<FinalOutcome>(body.uint());
        outcomes[outcome] = body.uint();
    }
    const bool complete = group.phase == protocol::GroupPhase::complete;
    if (phase != static_cast<std::uint64_t>(group.phase) || (complete && count != group.count) ||
        (complete && outcomes != group.outcomes)) {
        std::string tells = "phase " + std::to_string(phase) + ", count " + std::to_string(count);
        for (const auto& [outcome, jobs] : outcomes) {
            tells += ", " + name_of(outcome) + " " + std::to_string(jobs);
        }
        std::string has = "phase " + std::to_string(static_cast<std::uint64_t>(group.phase)) +
                          ", count " + std::to_string(group.count);
        for (const auto& [outcome, jobs] : group.outcomes) {
            has += ", " + name_of(outcome) + " " + std::to_string(jobs);
        }
        world_.fail("the completion entry of group " + entry.id.hex() +
                    " tells other counts than its jobs have: " + tells + "; not " + has);
    }
}

void Oracle::seen(const std::string& who, const std::string& queue, const Id128& incarnation,
                  const protocol::Entry& entry) {
    ++counts_.entries;
    const std::string what =
        who + " sees at offset " + std::to_string(entry.offset) + " of '" + queue + "' ";
    const ModelPartition* part = model_.find(incarnation);
    if (part == nullptr) world_.fail(what + "an entry of a stream that was never made");
    const std::uint64_t body = std::hash<ByteView>{}(entry.body.bytes);
    const auto [at, fresh] =
        seen_[incarnation].try_emplace(entry.offset, Seen{entry.id, entry.outcome, body});
    if (!fresh) {
        const Seen& before = at->second;
        if (before.id != entry.id || before.outcome != entry.outcome || before.body != body) {
            world_.fail(what + "another entry than was seen there before");
        }
    }
    if (entry.offset >= part->entries.size()) world_.fail(what + "what was not committed");
    const ModelEntry& expected = part->entries[entry.offset];
    if (expected.id != entry.id || expected.kind != entry.kind ||
        expected.outcome != entry.outcome || expected.code != entry.code ||
        expected.group != entry.group) {
        world_.fail(what + "another entry than was committed");
    }
    if (entry.kind == protocol::EntryKind::group) return check_completion(*part, entry);
    Id128 first = entry.id;
    while (part->retry_of.contains(first)) first = part->retry_of.at(first);
    const auto job = jobs_[queue].find(first);
    if (job == jobs_[queue].end()) world_.fail(what + "a job that was never sent");
    if (entry.subject != job->second.subject) world_.fail(what + "a wrong subject");
    check_outcome(queue, job->second, entry.id, entry.outcome, entry.code);
    const auto number =
        std::find_if(model_.partitions().begin(), model_.partitions().end(),
                     [&](const auto& one) { return one.second.incarnation == incarnation; });
    const std::uint64_t* const stale = scans_.stale_body(number->first, entry.offset);
    if ((entry.code == ErrorCode::stale) != (stale != nullptr)) {
        world_.fail(what + "a result that is stale for one and not for another");
    }
    if (stale != nullptr) {
        if (*stale != body) world_.fail(what + "another stale result than was committed");
    } else if (entry.outcome == FinalOutcome::done) {
        check_result(what, job->second.payload, *expected.origin, entry.body.bytes);
    }
}

void Oracle::check_acknowledged(bool in_the_end) const {
    for (const auto& [queue, jobs] : jobs_) {
        const ModelPartition* part = model_.find(queue);
        for (const auto& [id, job] : jobs) {
            if (!job.acknowledged || excused(queue, job)) continue;
            const bool ended = part != nullptr && part->ended.contains(id);
            const bool lives = part != nullptr && part->live.contains(id);
            if (ended || (lives && !in_the_end)) continue;
            world_.fail("job " + id.hex() + " of '" + queue + "' was acknowledged and " +
                        (lives ? "has no final entry" : "is gone"));
        }
    }
}

void Oracle::check_all() { check_acknowledged(true); }

std::string Oracle::unfinished() const {
    std::string out;
    for (const auto& [number, part] : model_.partitions()) {
        if (number == 0 || part.deleted) continue;
        if (!part.executions.empty()) {
            out += "  queue '" + part.name + "': " + std::to_string(part.executions.size()) +
                   " executions live, ";
            const auto& [id, first] = *part.executions.begin();
            out += "one is " + std::to_string(id) + ", attempt " +
                   std::to_string(first.live_counter) + ", job " + first.jobs.front().hex();
            const std::string* payload = payload_of(part.name, first.jobs.front());
            if (payload != nullptr) out += ", payload " + payload->substr(0, 12);
            out += "\n";
        }
        const auto open = std::count_if(part.groups.begin(), part.groups.end(),
                                        [](const auto& g) { return !g.second.ended; });
        if (open != 0) {
            out += "  queue '" + part.name + "': " + std::to_string(open) + " groups not ended\n";
        }
    }
    return out + scans_.behind();
}

const std::string& Oracle::name_of_queue(broker::PartitionId partition) const {
    static const std::string kNone;
    const auto found = model_.partitions().find(partition);
    return found == model_.partitions().end() ? kNone : found->second.name;
}

std::string Oracle::subject_of(const std::string& queue, const ModelPartition& part,
                               const Id128& id) const {
    Id128 first = id;
    while (part.retry_of.contains(first)) first = part.retry_of.at(first);
    const auto jobs = jobs_.find(queue);
    const auto job = jobs->second.find(first);
    return job == jobs->second.end() ? std::string() : job->second.subject;
}

const std::string* Oracle::payload_of(const std::string& queue, const Id128& id) const {
    const auto jobs = jobs_.find(queue);
    if (jobs == jobs_.end()) return nullptr;
    const auto job = jobs->second.find(id);
    return job == jobs->second.end() ? nullptr : &job->second.payload;
}

}  // namespace scanmq::sim
