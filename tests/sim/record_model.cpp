#include "tests/sim/record_model.hpp"

#include <algorithm>

namespace scanmq::sim {

using namespace broker;

void RecordModel::fail(const Part& part, const std::string& what) const {
    world_->fail("commit record of queue '" + part.name + "': " + what);
}

void RecordModel::apply(PartitionId partition, std::uint64_t previous, std::uint64_t sequence,
                        ByteView changes) {
    std::uint64_t& last = sequences_[partition];
    if (previous != last || sequence <= last) {
        world_->fail("partition " + std::to_string(partition) + ": record " +
                     std::to_string(sequence) + " after " + std::to_string(previous) +
                     ", but the last one was " + std::to_string(last));
    }
    last = sequence;
    if (partition != 0 && !partitions_.contains(partition)) {
        world_->fail("a record of partition " + std::to_string(partition) +
                     ", which was not created");
    }
    ArchiveReader reader(changes);
    while (!reader.at_end()) {
        change::Any any;
        if (!read_change(reader, any)) world_->fail("a commit record that cannot be read");
        std::visit([&](const auto& change) { on(partitions_[partition], change); }, any);
    }
}

const ModelPartition* RecordModel::find(std::string_view queue) const {
    for (const auto& [number, part] : partitions_) {
        if (number != 0 && !part.deleted && part.name == queue) return &part;
    }
    return nullptr;
}

const ModelPartition* RecordModel::find(const Id128& incarnation) const {
    for (const auto& [number, part] : partitions_) {
        if (number != 0 && part.incarnation == incarnation) return &part;
    }
    return nullptr;
}

ModelExecution& RecordModel::execution(Part& part, std::uint64_t number, const char* what) {
    const auto found = part.executions.find(number);
    if (found == part.executions.end()) {
        fail(part, std::string(what) + " of execution " + std::to_string(number) +
                       ", which is not there");
    }
    return found->second;
}

void RecordModel::on(Part& part, const change::Accepted& change) {
    const Id128& id = change.job.id;
    if (part.live.contains(id)) fail(part, "job " + id.hex() + " is accepted and lives already");
    if (part.ended.contains(id)) fail(part, "job " + id.hex() + " is accepted and had ended");
    if (!change.attached) {
        const auto [at, fresh] = part.executions.try_emplace(change.execution);
        if (!fresh) fail(part, "an execution's number is used twice");
        at->second.has_payload = !change.payload.body.bytes.empty();
        at->second.origin = {false, part.version, std::string(change.inputs), change.fingerprint,
                             part.stamp};
        if (at->second.has_payload && !part.deleted) ++bodies_;
    }
    ModelExecution& e = execution(part, change.execution, "a job");
    if (change.attached && e.origin.stamp != part.stamp) {
        fail(part, "job " + id.hex() + " joins what was accepted under scanner version '" +
                       e.origin.version + "' before it moved; now it is '" + part.version + "'");
    }
    e.jobs.push_back(id);
    part.live.emplace(id, change.execution);
    if (!change.job.retry_of.is_zero()) part.retry_of.emplace(id, change.job.retry_of);
    if (change.job.group.is_zero()) return;
    const auto group = part.groups.find(change.job.group);
    if (group == part.groups.end()) fail(part, "a job of a group that is not there");
    if (group->second.sealed) fail(part, "a job of a sealed group");
    ++group->second.submitted;
    part.group_of.emplace(id, change.job.group);
}

void RecordModel::on(Part& part, const change::Started& change) {
    for (const auto& one : change.attempts) {
        ModelExecution& e = execution(part, one.execution, "an attempt");
        if (e.live_counter != 0) {
            fail(part, "execution " + std::to_string(one.execution) + " has attempt " +
                           std::to_string(e.live_counter) + " and gets attempt " +
                           std::to_string(one.counter));
        }
        e.live_counter = one.counter;
        e.origin.ran = true;
        e.origin.version = part.version;
    }
}

void RecordModel::on(Part& part, const change::Released& change) {
    ModelExecution& e = execution(part, change.execution, "the end of an attempt");
    if (e.live_counter == 0) fail(part, "an execution without an attempt is released");
    e.live_counter = 0;
}

// It ends without an attempt, with the result of what was under way when its job came. (What a cache
// answers is of the same version and inputs.)
bool RecordModel::follows_last(const Part& part, const ModelExecution& execution,
                               protocol::FinalOutcome outcome) {
    const ModelOrigin& own = execution.origin;
    return outcome == protocol::FinalOutcome::done && execution.live_counter == 0 &&
           part.last_origin != nullptr && !own.fingerprint.is_zero() &&
           own.fingerprint == part.last_origin->fingerprint && own.stamp == part.last_origin->stamp;
}

void RecordModel::replayed() {
    for (auto& [number, part] : partitions_) part.last_holder.reset();
    replaying_ = false;
}

void RecordModel::on(Part& part, const change::Ended& change) {
    ModelExecution& e = execution(part, change.execution, "an end");
    if (change.first_offset != part.entries.size()) {
        fail(part, "an entry at offset " + std::to_string(change.first_offset) +
                       ", the stream ends at " + std::to_string(part.entries.size()));
    }
    const bool body = !change.body.body.bytes.empty();
    const bool follows = follows_last(part, e, change.outcome);
    // One that follows has the body of what it followed, while the broker lives.
    const bool shares =
        !replaying_ && follows && body && part.last_holder && *part.last_holder >= part.first;
    if (shares) part.entries[*part.last_holder].holds_body = false;
    if (body && !shares && !part.deleted) ++bodies_;
    const auto origin = follows ? part.last_origin : std::make_shared<const ModelOrigin>(e.origin);
    for (const auto& job : change.jobs) {
        const auto found = std::find(e.jobs.begin(), e.jobs.end(), job.id);
        if (found == e.jobs.end()) fail(part, "a job ends that is not of its execution");
        e.jobs.erase(found);
        ModelEntry entry{
            protocol::EntryKind::job, job.id, change.outcome, change.code, {}, false, origin};
        if (const auto group = part.group_of.find(job.id); group != part.group_of.end()) {
            entry.group = group->second;
            part.group_of.erase(group);
            ModelGroup& g = part.groups.at(entry.group);
            ++g.finished;
            ++g.outcomes[change.outcome];
        }
        if (entry.group != job.group) fail(part, "an entry names another group than its job did");
        part.live.erase(job.id);
        part.ended.emplace(job.id, part.entries.size());
        part.entries.push_back(entry);
    }
    if (body) part.entries.back().holds_body = true;
    if (change.outcome == protocol::FinalOutcome::done) {
        part.last_origin = origin;
        part.last_holder.reset();
        if (body) part.last_holder = part.entries.size() - 1;
    }
    if (!change.over) return;
    if (!e.jobs.empty()) fail(part, "an execution is over that has jobs left");
    if (change.dead_letter) {
        part.dead.emplace(change.execution, e.has_payload);
    } else if (e.has_payload && !part.deleted) {
        --bodies_;
    }
    part.executions.erase(change.execution);
}

void RecordModel::on(Part& part, const change::DeadDropped& change) {
    if (part.deleted) return;
    const auto found = part.dead.find(change.execution);
    if (found == part.dead.end()) fail(part, "a dead letter is dropped that is not there");
    if (found->second) --bodies_;
    part.dead.erase(found);
}

void RecordModel::on(Part& part, const change::GroupOpened& change) {
    if (!part.groups.try_emplace(change.group).second) fail(part, "a group is opened twice");
}

void RecordModel::on(Part& part, const change::GroupSealed& change) {
    const auto group = part.groups.find(change.group);
    if (group == part.groups.end()) fail(part, "a group is sealed that is not there");
    if (group->second.sealed) fail(part, "a group is sealed twice");
    if (group->second.submitted != change.count) fail(part, "a group is sealed with a wrong count");
    group->second.sealed = true;
    group->second.count = change.count;
}

void RecordModel::on(Part& part, const change::GroupEnded& change) {
    const auto found = part.groups.find(change.group);
    if (found == part.groups.end()) fail(part, "a group ends that is not there");
    ModelGroup& group = found->second;
    if (group.ended) fail(part, "a group ends twice");
    const bool all = group.sealed && group.finished == group.count;
    if ((change.phase == protocol::GroupPhase::complete) != all) {
        fail(part, "a group of " + std::to_string(group.count) + " jobs ends in phase " +
                       std::to_string(static_cast<int>(change.phase)) + " with " +
                       std::to_string(group.finished) + " jobs finished");
    }
    if (change.offset != part.entries.size()) fail(part, "a completion entry's offset is wrong");
    group.ended = true;
    group.phase = change.phase;
    part.entries.push_back({protocol::EntryKind::group,
                            change.group,
                            all ? protocol::FinalOutcome::done : protocol::FinalOutcome::expired,
                            protocol::ErrorCode::none,
                            change.group,
                            false,
                            {}});
}

void RecordModel::on(Part& part, const change::GroupForgotten& change) {
    if (part.groups.erase(change.group) == 0) fail(part, "a group is forgotten that is not there");
}

void RecordModel::trim(Part& part, std::uint64_t first) {
    for (; part.first < first; ++part.first) {
        if (part.entries[part.first].holds_body && !part.deleted) --bodies_;
    }
}

void RecordModel::on(Part& part, const change::StreamTrimmed& change) {
    if (change.first < part.first || change.first > part.entries.size()) {
        fail(part, "the stream is trimmed to " + std::to_string(change.first));
    }
    trim(part, change.first);
}

void RecordModel::on(Part& part, const change::QueueMarked& change) {
    if (part.version == change.scanner_version) return;
    part.version = change.scanner_version;
    ++part.stamp;
}

void RecordModel::on(Part& part, const change::VersionPinned& change) {
    part.version_pinned = change.pinned;
}

void RecordModel::on(Part& /*broker*/, const change::QueueCreated& change) {
    if (find(change.name) != nullptr) world_->fail("a queue is created that is there");
    ModelPartition& part = partitions_[change.partition];
    if (!part.name.empty()) world_->fail("a partition's number is used twice");
    part.name = change.name;
    part.incarnation = change.incarnation;
}

void RecordModel::on(Part& /*broker*/, const change::QueueDeleted& change) {
    const auto found = partitions_.find(change.partition);
    if (found == partitions_.end() || found->second.deleted) {
        world_->fail("a queue is deleted that is not there");
    }
    Part& part = found->second;
    // Its own record of the same batch, in which the last jobs end, may come behind this one.
    trim(part, part.entries.size());
    for (const auto& [number, execution] : part.executions) {
        if (execution.has_payload) --bodies_;
    }
    for (const auto& [number, has_payload] : part.dead) {
        if (has_payload) --bodies_;
    }
    part.dead.clear();
    part.deleted = true;
}

}  // namespace scanmq::sim
