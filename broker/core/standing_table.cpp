#include "broker/core/standing_table.hpp"

#include <algorithm>
#include <chrono>

#include "common/base/assert.hpp"

namespace scanmq::broker {

StandingScan* StandingTable::find(std::string_view name) {
    const auto found = scans_.find(name);
    return found == scans_.end() ? nullptr : &found->second;
}

StandingScan& StandingTable::set(std::string_view name, StandingJob job, WallMillis set_at,
                                 Time now) {
    const auto [at, added] = scans_.try_emplace(std::string(name));
    StandingScan& scan = at->second;
    if (added) {
        scan.name = name;
    } else {
        withdraw(scan);
        unindex(scan);
    }
    scan.job = std::move(job);
    scan.set_at = set_at;
    scan.generation = 0;
    scan.problem.clear();
    index(scan);
    make_due(scan, now);
    return scan;
}

void StandingTable::drop(const StandingScan& scan) {
    const auto found = scans_.find(scan.name);
    SCANMQ_ASSERT(found != scans_.end() && &found->second == &scan);
    withdraw(found->second);
    unindex(scan);
    scans_.erase(found);
}

std::uint64_t StandingTable::moved(std::string_view alias, Time now) {
    const auto users = users_.find(alias);
    if (users == users_.end()) return 0;
    std::uint64_t skipped = 0;
    for (const auto& [number, scan] : users->second) {
        if (scan->is_pending()) {
            ++scan->skipped;
            ++skipped;
        } else {
            make_due(*scan, now);
        }
    }
    return skipped;
}

StandingScan* StandingTable::due(Time now) const {
    return next_due() <= now ? due_.begin()->second : nullptr;
}

void StandingTable::ran(StandingScan& scan, std::uint64_t generation, Time now) {
    withdraw(scan);
    scan.last_run = now;
    scan.generation = generation;
    ++scan.runs;
    scan.problem.clear();
}

void StandingTable::hold(StandingScan& scan, std::string problem) {
    withdraw(scan);
    scan.state = StandingScan::State::held;
    scan.problem = std::move(problem);
    held_[scan.job.queue].emplace(scan.number, &scan);
}

void StandingTable::give_up(StandingScan& scan, std::string problem) {
    withdraw(scan);
    scan.problem = std::move(problem);
}

std::vector<std::string> StandingTable::held_queues() const {
    std::vector<std::string> queues;
    queues.reserve(held_.size());
    for (const auto& [queue, scans] : held_) queues.push_back(queue);
    return queues;
}

StandingScan* StandingTable::held(std::string_view queue) const {
    const auto found = held_.find(queue);
    return found == held_.end() ? nullptr : found->second.begin()->second;
}

void StandingTable::restore(StandingScan scan) {
    const auto [at, added] = scans_.try_emplace(scan.name);
    SCANMQ_ASSERT(added);
    at->second = std::move(scan);
    at->second.state = StandingScan::State::idle;
    index(at->second);
}

void StandingTable::settle(const AliasTable& aliases, Time now) {
    for (auto& [name, scan] : scans_) {
        const bool moved =
            std::ranges::any_of(scan.job.aliases, [&, &scan = scan](const std::string& alias) {
                const Alias* const known = aliases.find(alias);
                return known != nullptr && known->generation > scan.generation;
            });
        if (moved && !scan.is_pending()) make_due(scan, now);
    }
}

void StandingTable::index(StandingScan& scan) {
    scan.number = ++last_number_;
    bytes_ += scan.job.bytes();
    for (const std::string& alias : scan.job.aliases) users_[alias].emplace(scan.number, &scan);
}

void StandingTable::unindex(const StandingScan& scan) {
    bytes_ -= scan.job.bytes();
    for (const std::string& alias : scan.job.aliases) {
        const auto users = users_.find(alias);
        if (users == users_.end()) continue;  // the alias is named twice
        users->second.erase(scan.number);
        if (users->second.empty()) users_.erase(users);
    }
}

void StandingTable::make_due(StandingScan& scan, Time now) {
    scan.state = StandingScan::State::due;
    scan.at = now;
    if (scan.last_run != Time{}) {
        const auto interval = std::chrono::milliseconds(scan.job.min_interval_ms);
        scan.at = std::max(now, scan.last_run + interval);
    }
    due_.emplace(std::pair{scan.at, scan.number}, &scan);
}

void StandingTable::withdraw(StandingScan& scan) {
    if (scan.state == StandingScan::State::due) {
        due_.erase({scan.at, scan.number});
    } else if (scan.state == StandingScan::State::held) {
        const auto queue = held_.find(scan.job.queue);
        queue->second.erase(scan.number);
        if (queue->second.empty()) held_.erase(queue);
    }
    scan.state = StandingScan::State::idle;
}

}  // namespace scanmq::broker
