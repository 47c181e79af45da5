#include "broker/core/group_table.hpp"

#include <algorithm>
#include <string>

namespace scanmq::broker {
namespace {

// The shortest msgpack form of an unsigned integer.
void put_uint(std::string& out, std::uint64_t value) {
    const auto big_endian = [&](int bytes) {
        for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
            out.push_back(static_cast<char>(value >> shift & 0xff));
        }
    };
    if (value < 0x80) {
        big_endian(1);
    } else if (value <= 0xff) {
        out.push_back('\xcc');
        big_endian(1);
    } else if (value <= 0xffff) {
        out.push_back('\xcd');
        big_endian(2);
    } else if (value <= 0xffffffff) {
        out.push_back('\xce');
        big_endian(4);
    } else {
        out.push_back('\xcf');
        big_endian(8);
    }
}

// At most 15 elements.
void put_array(std::string& out, std::size_t elements) {
    SCANMQ_ASSERT(elements < 16);
    out.push_back(static_cast<char>(0x90 | elements));
}

}  // namespace

std::vector<std::pair<protocol::FinalOutcome, std::uint64_t>> Group::outcome_list() const {
    std::vector<std::pair<protocol::FinalOutcome, std::uint64_t>> list;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        if (outcomes[i] != 0)
            list.emplace_back(static_cast<protocol::FinalOutcome>(i), outcomes[i]);
    }
    return list;
}

std::string completion_body(const Group& group) {
    std::string out;
    const auto list = group.outcome_list();
    put_array(out, 3);
    put_uint(out, static_cast<std::uint64_t>(group.phase));
    put_uint(out, group.count);
    put_array(out, list.size());
    for (const auto& [outcome, jobs] : list) {
        put_array(out, 2);
        put_uint(out, static_cast<std::uint64_t>(outcome));
        put_uint(out, jobs);
    }
    return out;
}

Result<Slot, GroupTable::Error> GroupTable::open(const Id128& id, Time now,
                                                 std::vector<Slot>& forgotten) {
    if (ids_.contains(id)) return fail(Error::group_exists);
    if (unsorted_) sort_restored();
    // Room is made by forgetting the groups that ended first; one whose jobs still live has to stay.
    for (std::size_t tries = ended_.size(); ids_.size() >= options_.groups_max && tries > 0;
         --tries) {
        const Due oldest = ended_.front();
        ended_.pop_front();
        if (groups_[oldest.slot].finished == groups_[oldest.slot].submitted) {
            forget(oldest.slot, forgotten);
        } else {
            ended_.push_back({oldest.slot, now + options_.remember});
        }
    }
    if (ids_.size() >= options_.groups_max) return fail(Error::over_limit);
    const Slot slot = groups_.allocate();
    Group& group = groups_[slot];
    group = Group{};
    group.id = id;
    group.phase = protocol::GroupPhase::open;
    group.opened = now;
    link_open(slot);
    ids_.emplace(id, slot);
    return slot;
}

void GroupTable::link_open(Slot slot) {
    Group& group = groups_[slot];
    group.next = kNoSlot;
    group.previous = open_last_;
    (open_last_ == kNoSlot ? open_first_ : groups_[open_last_].next) = slot;
    open_last_ = slot;
}

Slot GroupTable::restore(const Id128& id, const GroupRow& row, Time opened, Time ended) {
    const Slot slot = groups_.allocate();
    Group& group = groups_[slot];
    group = Group{};
    group.id = id;
    group.phase = row.phase;
    group.count = row.count;
    group.submitted = row.submitted;
    group.finished = row.finished;
    group.outcomes = row.outcomes;
    group.generation = row.generation;
    group.opened = opened;
    if (row.phase == protocol::GroupPhase::open) {
        link_open(slot);
    } else if (row.phase != protocol::GroupPhase::sealed) {
        ended_.push_back({slot, ended + options_.remember});
    }
    unsorted_ = true;
    SCANMQ_ASSERT(ids_.emplace(id, slot).second);
    return slot;
}

void GroupTable::sort_restored() {
    unsorted_ = false;
    std::stable_sort(ended_.begin(), ended_.end(),
                     [](const Due& a, const Due& b) { return a.at < b.at; });
    std::vector<Slot> open;
    for (Slot slot = open_first_; slot != kNoSlot; slot = groups_[slot].next) open.push_back(slot);
    std::stable_sort(open.begin(), open.end(),
                     [&](Slot a, Slot b) { return groups_[a].opened < groups_[b].opened; });
    open_first_ = open_last_ = kNoSlot;
    for (const Slot slot : open) link_open(slot);
}

std::vector<std::uint64_t> GroupTable::open_generations() const {
    std::vector<std::uint64_t> out;
    for (Slot slot = open_first_; slot != kNoSlot; slot = groups_[slot].next) {
        out.push_back(groups_[slot].generation);
    }
    return out;
}

Slot GroupTable::find(const Id128& id) const {
    const auto it = ids_.find(id);
    return it == ids_.end() ? kNoSlot : it->second;
}

void GroupTable::unlink_open(Slot slot) {
    Group& group = groups_[slot];
    (group.previous == kNoSlot ? open_first_ : groups_[group.previous].next) = group.next;
    (group.next == kNoSlot ? open_last_ : groups_[group.next].previous) = group.previous;
    group.next = group.previous = kNoSlot;
}

void GroupTable::end(Slot slot, protocol::GroupPhase phase, Time now) {
    groups_[slot].phase = phase;
    ended_.push_back({slot, now + options_.remember});
}

Result<bool, GroupTable::Error> GroupTable::seal(const Id128& id, std::uint64_t count, Time now) {
    const Slot slot = find(id);
    if (slot == kNoSlot) return fail(Error::unknown_group);
    Group& group = groups_[slot];
    if (group.phase != protocol::GroupPhase::open) return fail(Error::group_sealed);
    if (count != group.submitted) return fail(Error::group_count);
    group.phase = protocol::GroupPhase::sealed;
    group.count = count;
    unlink_open(slot);
    if (group.finished != count) return false;
    end(slot, protocol::GroupPhase::complete, now);
    return true;
}

bool GroupTable::finished(Slot slot, protocol::FinalOutcome outcome, Time now) {
    Group& group = groups_[slot];
    ++group.finished;
    ++group.outcomes[static_cast<std::size_t>(outcome)];
    if (group.phase != protocol::GroupPhase::sealed || group.finished != group.count) return false;
    end(slot, protocol::GroupPhase::complete, now);
    return true;
}

void GroupTable::forget(Slot slot, std::vector<Slot>& forgotten) {
    forgotten.push_back(groups_[slot].text);
    ids_.erase(groups_[slot].id);
    groups_.free(slot);
}

void GroupTable::expire(Time now, std::size_t budget, std::vector<Slot>& incomplete,
                        std::vector<Slot>& forgotten) {
    if (unsorted_) sort_restored();
    for (std::size_t i = 0; i < budget && open_first_ != kNoSlot; ++i) {
        const Slot slot = open_first_;
        if (groups_[slot].opened + options_.ttl > now) break;
        unlink_open(slot);
        end(slot, protocol::GroupPhase::incomplete, now);
        incomplete.push_back(slot);
    }
    for (std::size_t i = 0; i < budget && !ended_.empty() && ended_.front().at <= now; ++i) {
        const Due due = ended_.front();
        ended_.pop_front();
        if (groups_[due.slot].finished == groups_[due.slot].submitted) {
            forget(due.slot, forgotten);
        } else {
            ended_.push_back({due.slot, now + options_.remember});
        }
    }
}

Time GroupTable::next_expiry() const noexcept {
    if (unsorted_) return Time::min();
    Time next = Time::max();
    if (open_first_ != kNoSlot) next = groups_[open_first_].opened + options_.ttl;
    if (!ended_.empty()) next = std::min(next, ended_.front().at);
    return next;
}

void GroupTable::clear(std::vector<Slot>& forgotten) {
    for (const auto& [id, slot] : ids_) {
        forgotten.push_back(groups_[slot].text);
        groups_.free(slot);
    }
    ids_.clear();
    open_first_ = open_last_ = kNoSlot;
    ended_.clear();
    unsorted_ = false;
}

}  // namespace scanmq::broker
