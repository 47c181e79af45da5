#include "tests/sim/scan_model.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "broker/core/names.hpp"

namespace scanmq::sim {

using namespace broker;
using protocol::ErrorCode;
using protocol::FinalOutcome;

void ScanModel::fail(const Context& in, const std::string& what) const {
    world_->fail("queue '" + in.queue + "': " + what);
}

void ScanModel::clear() {
    moves_ = before_ = recovered_ = 0;
    by_generation_.clear();
    aliases_.clear();
    parts_.clear();
    standing_.clear();
}

void ScanModel::apply_broker(ByteView changes) {
    ArchiveReader reader(changes);
    while (!reader.at_end()) {
        change::Any any;
        if (!read_change(reader, any)) return;
        if (const auto* moved = std::get_if<change::AliasMoved>(&any)) {
            move(std::string(moved->alias), moved->id, moved->generation);
        } else if (const auto* gone = std::get_if<change::QueueDeleted>(&any)) {
            std::erase_if(standing_,
                          [&](const auto& one) { return one.first.first == gone->partition; });
            parts_[gone->partition].gone = true;
            parts_[gone->partition].executions.clear();
        }
    }
}

void ScanModel::replay(PartitionId partition, const std::string& queue, ByteView changes,
                       Jobs& jobs) {
    checking_ = false;
    if (partition == 0) {
        apply_broker(changes);
    } else {
        apply(partition, queue, changes, Time{}, jobs);
    }
    checking_ = true;
}

void ScanModel::replayed() {
    recovered_ = moves_;
    by_generation_.clear();
    // What was kept is gone with the process.
    for (auto& [number, part] : parts_) {
        part.made.clear();
        for (auto& [group, seen] : part.groups) seen = std::min(seen, moves_);
        // Of an earlier version, each is run by itself now: which of them were of one, no row tells.
        for (auto& [execution, e] : part.executions) e.shared = e.shared && e.stamp == part.stamp;
    }
    for (auto& [key, scan] : standing_) {
        scan.seen = std::min(scan.seen, moves_);
        scan.restored = true;
        scan.last_run.reset();
    }
}

void ScanModel::apply(PartitionId partition, const std::string& queue, ByteView changes, Time at,
                      Jobs& jobs) {
    Context in{partition, queue, parts_[partition], at, jobs};
    ArchiveReader reader(changes);
    while (!reader.at_end()) {
        change::Any any;
        if (!read_change(reader, any)) return;
        std::visit([&](const auto& change) { on(in, change); }, any);
    }
    // Its own records of the batch in which it went come behind that.
    if (in.part.gone) {
        in.part.executions.clear();
        std::erase_if(standing_, [&](const auto& one) { return one.first.first == partition; });
    }
    for (const std::uint64_t number : in.twice) {
        // What was answered at once is no scan.
        if (!in.part.executions.contains(number)) continue;
        fail(in, "execution " + std::to_string(number) +
                     " does the same as one that was under way when its job came");
    }
}

void ScanModel::move(const std::string& alias, const ContentId& id, std::uint64_t generation) {
    auto& versions = aliases_[alias];
    // One that is gone is told so once more, later.
    const ContentId now = versions.empty() ? ContentId{} : versions.rbegin()->second;
    if (id.is_zero() && now.is_zero()) return;
    versions[++moves_] = id;
    by_generation_[generation] = moves_;
}

std::uint64_t ScanModel::moves_of(std::uint64_t generation) const {
    const auto after = by_generation_.upper_bound(generation);
    return after == by_generation_.begin() ? recovered_ : std::prev(after)->second;
}

std::optional<std::string> ScanModel::resolve(const std::vector<std::string>& aliases,
                                              std::uint64_t moves) const {
    std::string out;
    for (const std::string& name : aliases) {
        const auto versions = aliases_.find(name);
        if (versions == aliases_.end()) return std::nullopt;
        const auto after = versions->second.upper_bound(moves);
        if (after == versions->second.begin()) return std::nullopt;
        const ContentId& id = std::prev(after)->second;
        if (id.is_zero()) return std::nullopt;
        out.append(id.view());
    }
    return out;
}

bool ScanModel::resolves(const std::vector<std::string>& aliases, ByteView inputs) const {
    for (std::uint64_t at = before_; at <= moves_; ++at) {
        const auto named = resolve(aliases, at);
        if (named && *named == inputs) return true;
    }
    return false;
}

void ScanModel::check_inputs(const Context& in, const JobInfo& job, const Id128& group,
                             const std::string& inputs) const {
    if (!checking_) return;
    if (!inputs.starts_with(job.inputs)) fail(in, "a job is accepted with other inputs than its");
    const ByteView rest = ByteView(inputs).substr(job.inputs.size());
    if (group.is_zero()) {
        if (!resolves(job.aliases, rest)) {
            fail(in, "a job is accepted with inputs that its aliases did not name together");
        }
        return;
    }
    const std::uint64_t at = in.part.groups.at(group);
    const auto named = resolve(job.aliases, at);
    if (!named || *named != rest) {
        fail(in, "a job of group " + group.hex() +
                     " is accepted with other inputs than its aliases "
                     "named at generation " +
                     std::to_string(at));
    }
}

std::string ScanModel::request_key(const JobInfo& job, const std::string& version) {
    std::string out = version + '\n' + job.payload + '\n' + job.inputs;
    for (const std::string& alias : job.aliases) out.append("\n").append(alias);
    return out;
}

JobInfo ScanModel::own_job(Context& in, const change::Accepted& change,
                           const Execution& execution) {
    JobInfo job;
    job.payload = execution.payload;
    job.subject = change.job.subject;
    const std::string_view key = change.job.conflate_key;
    if (key.starts_with(kOwnConflateKey)) {
        const auto found = standing_.find({in.number, std::string(key.substr(1))});
        if (found == standing_.end()) {
            if (checking_) fail(in, "a run of a standing scan that is not there");
            return job;
        }
        const Standing& scan = found->second;
        if (checking_ && (scan.payload != job.payload || scan.subject != job.subject)) {
            fail(in, "a run of standing scan '" + found->first.second + "' is not what was set");
        }
        job.aliases = scan.aliases;
        job.conflates = true;
        job.has_deadline = scan.has_deadline;
        check_inputs(in, job, {}, execution.inputs);
        return job;
    }
    const auto served = std::find_if(in.served.begin(), in.served.end(), [&](const Served& one) {
        return one.payload == job.payload && one.subject == job.subject &&
               one.resolved == execution.inputs;
    });
    if (served == in.served.end()) {
        if (checking_) fail(in, "a job of the broker's own that nothing asked for");
        return job;
    }
    if (checking_ && served->age_ms > options_->stale_ms) {
        fail(in, "a result that is " + std::to_string(served->age_ms) +
                     " ms old is served while it is refreshed; stale_ms is " +
                     std::to_string(options_->stale_ms));
    }
    job.aliases = served->aliases;
    job.inputs = served->inputs;
    in.served.erase(served);
    return job;
}

void ScanModel::on(Context& in, const change::Accepted& change) {
    const Id128& id = change.job.id;
    if (!change.attached) {
        Execution& e = in.part.executions[change.execution];
        e = {};
        e.inputs = change.inputs;
        e.fingerprint = change.fingerprint;
        e.stamp = in.part.stamp;
        e.version = in.part.version;
        e.payload = change.payload.body.bytes;
        e.shared = !change.fingerprint.is_zero() && change.job.retry_of.is_zero();
    }
    Execution& e = in.part.executions[change.execution];
    ++e.jobs;
    if (!change.job.retry_of.is_zero()) {
        in.part.retry_of[id] = change.job.retry_of;
        Id128 first = id;
        while (in.part.retry_of.contains(first)) first = in.part.retry_of.at(first);
        const auto job = in.jobs.find(first);
        if (job != in.jobs.end() && !job->second.aliases.empty()) {
            e.requests.push_back(request_key(job->second, in.part.version));
        }
        return;
    }
    auto job = in.jobs.find(id);
    const bool own = job == in.jobs.end();
    if (own) {
        job = in.jobs.emplace(id, own_job(in, change, e)).first;
        if (checking_) job->second.first_sent = world_->now();
    }
    const JobInfo& info = job->second;
    if (!own) check_inputs(in, info, change.job.group, e.inputs);
    if (!info.aliases.empty()) e.requests.push_back(request_key(info, in.part.version));
    if (change.attached || !e.shared) return;
    for (auto& [number, other] : in.part.executions) {
        // What a fresh job could not join, nobody joins any more.
        if (info.fresh && number != change.execution && other.fingerprint == e.fingerprint) {
            other.shared = false;
        }
    }
    // A lossless stream has no room for all that might join: what it leaves out follows.
    if (!checking_ || options_->lossless != 0) return;
    if (does_twice(in, change.execution, e)) in.twice.push_back(change.execution);
}

// Of several that do the same, the newest takes further jobs until it is full; the others follow the
// oldest.
bool ScanModel::does_twice(const Context& in, std::uint64_t number,
                           const Execution& execution) const {
    const Execution* newest = nullptr;
    std::uint64_t newest_number = 0;
    for (const auto& [other_number, other] : in.part.executions) {
        if (other_number == number || !other.shared || other.stamp != execution.stamp ||
            other.fingerprint != execution.fingerprint || other_number < newest_number) {
            continue;
        }
        newest = &other;
        newest_number = other_number;
    }
    return newest != nullptr && newest->jobs < options_->jobs_per_execution_max;
}

void ScanModel::on(Context& in, const change::Started& change) {
    for (const auto& one : change.attempts) {
        const auto found = in.part.executions.find(one.execution);
        if (found == in.part.executions.end()) continue;
        Execution& e = found->second;
        e.runs = true;
        if (!checking_ || !e.shared) continue;
        for (const auto& [number, other] : in.part.executions) {
            if (number == one.execution || !other.runs || !other.shared || other.stamp != e.stamp ||
                other.fingerprint != e.fingerprint) {
                continue;
            }
            fail(in, "execution " + std::to_string(one.execution) + " is run while execution " +
                         std::to_string(number) + " is, which does the same");
        }
    }
}

void ScanModel::on(Context& in, const change::Released& change) {
    const auto found = in.part.executions.find(change.execution);
    if (found != in.part.executions.end()) found->second.runs = false;
}

void ScanModel::check_stale(Context& in, const Execution& execution, const JobInfo& job,
                            const change::Ended& change) {
    const std::uint64_t body = std::hash<ByteView>{}(change.body.body.bytes);
    // All its jobs have it.
    for (std::size_t i = 0; i < change.jobs.size(); ++i) {
        in.part.stale[change.first_offset + i] = body;
        const auto one = in.jobs.find(change.jobs[i].id);
        if (checking_ && one != in.jobs.end() && one->second.fresh) {
            fail(in, "a job that is to be fresh gets an older result");
        }
    }
    std::uint64_t told = 0;
    std::from_chars(change.sentence.data(), change.sentence.data() + change.sentence.size(), told);
    in.served.push_back(
        {job.subject, job.payload, job.inputs, execution.inputs, job.aliases, told});
    if (!checking_) return;
    const std::uint64_t most = std::max(options_->stale_ms, options_->degraded_ms);
    if (told > most) {
        fail(in, "a result is served that is " + std::to_string(told) +
                     " ms old; at most it may be " + std::to_string(most));
    }
    for (const Made& made : in.part.made[request_key(job, execution.version)]) {
        const auto age =
            std::chrono::duration_cast<std::chrono::milliseconds>(in.at - made.at).count();
        if (made.body == body && static_cast<std::uint64_t>(age) == told) return;
    }
    fail(in, "a result is served that is said to be " + std::to_string(told) +
                 " ms old, and the request had no such one then");
}

void ScanModel::on(Context& in, const change::Ended& change) {
    const auto found = in.part.executions.find(change.execution);
    if (found == in.part.executions.end()) return;
    Execution& e = found->second;
    if (change.outcome == FinalOutcome::done && !change.jobs.empty()) {
        const auto job = in.jobs.find(change.jobs.front().id);
        if (change.code == ErrorCode::stale && job != in.jobs.end()) {
            check_stale(in, e, job->second, change);
        } else if (checking_ && !e.fingerprint.is_zero()) {
            const std::uint64_t body = std::hash<ByteView>{}(change.body.body.bytes);
            for (const std::string& key : e.requests) in.part.made[key].push_back({in.at, body});
        }
    }
    e.jobs -= static_cast<std::uint32_t>(change.jobs.size());
    if (change.over) in.part.executions.erase(found);
}

void ScanModel::on(Context& in, const change::GroupOpened& change) {
    if (checking_) seen_by_group_[change.group] = moves_of(change.generation);
    const std::uint64_t seen = seen_by_group_.at(change.group);
    if (checking_ && seen < before_) {
        fail(in, "group " + change.group.hex() + " is opened at generation " +
                     std::to_string(change.generation) + ", and aliases had moved since");
    }
    in.part.groups[change.group] = seen;
}

void ScanModel::on(Context& in, const change::QueueMarked& change) {
    if (in.part.version == change.scanner_version) return;
    in.part.version = change.scanner_version;
    ++in.part.stamp;
}

void ScanModel::on(Context& in, const change::StandingSet& change) {
    Standing scan;
    scan.queue = in.queue;
    scan.subject = change.row.subject;
    scan.payload = change.row.payload;
    for (const auto& input : change.row.inputs) scan.aliases.emplace_back(input.alias);
    scan.min_interval = std::chrono::milliseconds(change.row.min_interval_ms);
    scan.has_deadline = change.row.deadline_ms != 0;
    scan.runs = change.run.runs;
    for (const auto& [key, former] : standing_) {
        if (key.second == change.name) scan.last_run = former.last_run;
    }
    standing_[{in.number, std::string(change.name)}] = std::move(scan);
}

void ScanModel::on(Context& in, const change::StandingRan& change) {
    const auto found = standing_.find({in.number, std::string(change.name)});
    if (found == standing_.end()) {
        if (checking_) fail(in, "a standing scan ran that is not there");
        return;
    }
    Standing& scan = found->second;
    if (checking_) {
        const auto what = [&] { return "standing scan '" + found->first.second + "' "; };
        if (change.run.runs != scan.runs + 1) fail(in, what() + "miscounts its runs");
        if (scan.last_run && in.at - *scan.last_run < scan.min_interval) {
            fail(in, what() + "runs before its interval is over");
        }
        const bool due =
            scan.due || scan.restored ||
            std::ranges::any_of(scan.aliases, [&](const std::string& alias) {
                const auto versions = aliases_.find(alias);
                return versions != aliases_.end() && versions->second.rbegin()->first > scan.seen;
            });
        if (!due) fail(in, what() + "runs, and nothing moved since its last run");
        scan.last_run = in.at;
        scan.restored = false;
    }
    scan.due = false;
    scan.runs = change.run.runs;
    auto& seen = seen_by_run_[{found->first, scan.runs}];
    if (checking_) seen = moves_of(change.run.generation);
    scan.seen = seen;
}

void ScanModel::on(Context& in, const change::StandingDropped& change) {
    standing_.erase({in.number, std::string(change.name)});
}

const std::uint64_t* ScanModel::stale_body(PartitionId partition, std::uint64_t offset) const {
    const auto part = parts_.find(partition);
    if (part == parts_.end()) return nullptr;
    const auto found = part->second.stale.find(offset);
    return found == part->second.stale.end() ? nullptr : &found->second;
}

std::optional<ContentId> ScanModel::alias(const std::string& name) const {
    const auto id = resolve({name}, moves_);
    return id ? ContentId::from_bytes(*id) : std::nullopt;
}

std::string ScanModel::behind() const {
    for (const auto& [key, scan] : standing_) {
        if (!resolve(scan.aliases, moves_)) continue;  // it waits for an alias
        const bool seen =
            !scan.due && std::ranges::all_of(scan.aliases, [&](const std::string& alias) {
                return aliases_.at(alias).rbegin()->first <= scan.seen;
            });
        if (!seen) {
            return "  standing scan '" + key.second + "' of '" + scan.queue + "' ran " +
                   std::to_string(scan.runs) + " times, and has not seen the newest\n";
        }
    }
    return {};
}

std::vector<ContentId> ScanModel::needed() const {
    std::vector<ContentId> out;
    for (const auto& [name, versions] : aliases_) {
        if (const auto id = alias(name)) out.push_back(*id);
    }
    for (const auto& [number, part] : parts_) {
        for (const auto& [execution, e] : part.executions) {
            for (std::size_t i = 0; i + ContentId::kSize <= e.inputs.size();
                 i += ContentId::kSize) {
                out.push_back(
                    *ContentId::from_bytes(ByteView(e.inputs).substr(i, ContentId::kSize)));
            }
        }
    }
    return out;
}

}  // namespace scanmq::sim
