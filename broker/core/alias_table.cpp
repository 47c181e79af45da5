#include "broker/core/alias_table.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/base/assert.hpp"

namespace scanmq::broker {

Result<bool, AliasTable::Error> AliasTable::set(std::string_view name, const ContentId& id,
                                                Time now) {
    auto it = aliases_.find(name);
    const ContentId former = it == aliases_.end() ? ContentId{} : it->second.id;
    if (former == id) {
        if (!id.is_zero()) blobs_->touch(id, now);
        return false;
    }
    if (!id.is_zero()) {
        if (blobs_->find(id) == nullptr) return fail(Error::unknown_blob);
        if (it == aliases_.end()) {
            if (aliases_.size() >= options_.aliases_max) return fail(Error::over_limit);
            it = aliases_.try_emplace(std::string(name)).first;
            it->second.name = name;
        }
        blobs_->pin(id, now);
        ++set_;
    }
    Alias& alias = it->second;
    ++generation_;
    if (!former.is_zero()) {
        --set_;
        retire(alias, now);
    }
    alias.id = id;
    alias.generation = generation_;
    forget_if_empty(alias);
    return true;
}

const Alias* AliasTable::find(std::string_view name) const {
    const auto it = aliases_.find(name);
    return it == aliases_.end() ? nullptr : &it->second;
}

const ContentId* AliasTable::resolve(std::string_view name, std::uint64_t generation) const {
    const Alias* const found = find(name);
    if (found == nullptr) return nullptr;
    const Alias& alias = *found;
    if (generation >= alias.generation) return alias.id.is_zero() ? nullptr : &alias.id;
    const auto later = std::upper_bound(
        alias.history.begin(), alias.history.end(), generation,
        [](std::uint64_t g, const Alias::Former& version) { return g < version.generation; });
    if (later == alias.history.begin()) return nullptr;
    const Alias::Former& version = *std::prev(later);
    return generation < version.until ? &version.id : nullptr;
}

void AliasTable::hold(std::uint64_t generation) {
    ++holders_[generation].count;
    generation_ = std::max(generation_, generation);
}

void AliasTable::release(std::uint64_t generation, Time now) {
    const auto it = holders_.find(generation);
    SCANMQ_ASSERT(it != holders_.end());
    if (--it->second.count > 0) return;
    Versions versions = std::move(it->second.versions);
    // What the holder before it does not need either goes; the rest is kept with that one.
    const auto before = it == holders_.begin() ? holders_.end() : std::prev(it);
    holders_.erase(it);
    auto gone = before == holders_.end() ? versions.begin() : versions.upper_bound(before->first);
    while (gone != versions.end()) {
        Alias& alias = *gone->second;
        drop(alias, gone->first, now);
        gone = versions.erase(gone);
        forget_if_empty(alias);
    }
    if (versions.empty()) return;
    Versions& kept = before->second.versions;
    // The smaller into the larger: each version moves O(log n) times.
    if (kept.size() < versions.size()) kept.swap(versions);
    kept.merge(versions);
}

std::size_t AliasTable::restore(std::string_view name, const AliasRow& row, Time now) {
    Alias alias;
    alias.name = name;
    alias.generation = row.generation;
    generation_ = std::max(generation_, row.generation);
    std::size_t missing = 0;
    const auto take = [&](const ContentId& id) {
        if (id.is_zero()) return false;
        const bool there = blobs_->find(id) != nullptr;
        if (there) {
            blobs_->pin(id, now);
        } else {
            ++missing;
        }
        return there;
    };
    if (take(row.id)) {
        alias.id = row.id;
        ++set_;
    }
    for (const AliasRow::Former& version : row.history) {
        if (take(version.id)) {
            alias.history.push_back({version.id, version.generation, version.until});
        }
    }
    const bool added = aliases_.emplace(alias.name, std::move(alias)).second;
    SCANMQ_ASSERT(added);
    return missing;
}

void AliasTable::settle(Time now) {
    for (auto it = aliases_.begin(); it != aliases_.end();) {
        Alias& alias = it->second;
        ++it;  // forget_if_empty() may take it
        std::erase_if(alias.history, [&](const Alias::Former& version) {
            if (keep(alias, version)) return false;
            blobs_->unpin(version.id, now);
            return true;
        });
        forget_if_empty(alias);
    }
}

bool AliasTable::keep(Alias& alias, const Alias::Former& version) {
    const auto after = holders_.lower_bound(version.until);
    if (after == holders_.begin()) return false;
    const auto last = std::prev(after);
    if (last->first < version.generation) return false;
    last->second.versions.emplace(version.generation, &alias);
    return true;
}

void AliasTable::retire(Alias& alias, Time now) {
    const Alias::Former version{alias.id, alias.generation, generation_};
    if (!keep(alias, version)) {
        blobs_->unpin(alias.id, now);
        return;
    }
    alias.history.push_back(version);
    while (alias.history.size() > options_.history_max) drop_oldest(alias, now);
}

void AliasTable::drop_oldest(Alias& alias, Time now) {
    const Alias::Former oldest = alias.history.front();
    const auto last = std::prev(holders_.lower_bound(oldest.until));
    last->second.versions.erase(oldest.generation);
    drop(alias, oldest.generation, now);
    ++history_dropped_;
}

void AliasTable::drop(Alias& alias, std::uint64_t version_generation, Time now) {
    const auto it = std::find_if(
        alias.history.begin(), alias.history.end(),
        [&](const Alias::Former& version) { return version.generation == version_generation; });
    SCANMQ_ASSERT(it != alias.history.end());
    blobs_->unpin(it->id, now);
    alias.history.erase(it);
}

void AliasTable::forget_if_empty(Alias& alias) {
    if (!alias.id.is_zero() || !alias.history.empty()) return;
    gone_.push_back(alias.name);
    aliases_.erase(aliases_.find(alias.name));
}

}  // namespace scanmq::broker
