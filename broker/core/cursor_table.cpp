#include "broker/core/cursor_table.hpp"

#include <algorithm>
#include <utility>

#include "common/base/assert.hpp"

namespace scanmq::broker {

Cursor* CursorTable::find(std::string_view name) {
    const auto it = cursors_.find(name);
    return it == cursors_.end() ? nullptr : &it->second;
}

Result<Cursor*, CursorTable::Error> CursorTable::create(std::string_view name) {
    if (cursors_.size() >= cursors_max_) {
        if (lapsed_.empty()) return fail(Error::over_limit);
        forget(**lapsed_.begin());
    }
    const auto [it, added] = cursors_.try_emplace(std::string(name));
    SCANMQ_ASSERT(added);
    Cursor& cursor = it->second;
    cursor.name = name;
    cursor.number_ = ++numbers_;
    return &cursor;
}

void CursorTable::hold(Cursor& cursor, Subscription& subscription, std::string pattern,
                       std::uint64_t offset) {
    SCANMQ_ASSERT(cursor.holder == nullptr);
    unlist(cursor);
    // What is known of the entries after its offset is known of this pattern only.
    const bool known = cursor.listed_ && cursor.pattern == pattern;
    need_from(cursor, known ? std::max(cursor.needed_from_, offset) : offset);
    cursor.holder = &subscription;
    cursor.pattern = std::move(pattern);
    cursor.next_offset = offset;
    cursor.lapsed = false;
    change(cursor);
}

void CursorTable::leave(Cursor& cursor, Time now) {
    SCANMQ_ASSERT(cursor.holder != nullptr);
    cursor.holder = nullptr;
    cursor.since = now;
    idle_.insert(&cursor);
    change(cursor);
}

bool CursorTable::move(Cursor& cursor, std::uint64_t next_offset) {
    if (next_offset <= cursor.next_offset) return false;
    cursor.next_offset = next_offset;
    skip(cursor, next_offset);
    change(cursor);
    return true;
}

void CursorTable::forget(Cursor& cursor) {
    unlist(cursor);
    unneed(cursor);
    if (cursor.changed_) std::erase(changed_, &cursor);
    if (cursor.told_) forgotten_.push_back(cursor.name);
    cursors_.erase(cursors_.find(cursor.name));
}

void CursorTable::clear() {
    idle_.clear();
    lapsed_.clear();
    needs_.clear();
    changed_.clear();
    forgotten_.clear();
    cursors_.clear();
}

CursorTable::Expired CursorTable::expire(Time now, Duration ttl, std::size_t budget) {
    Expired out;
    // What lapses now is kept for a whole ttl from now on.
    while (out.forgotten < budget && !lapsed_.empty() && (*lapsed_.begin())->since + ttl <= now) {
        forget(**lapsed_.begin());
        ++out.forgotten;
    }
    while (out.lapsed < budget && !idle_.empty() && (*idle_.begin())->since + ttl <= now) {
        Cursor& cursor = **idle_.begin();
        unlist(cursor);
        unneed(cursor);
        cursor.lapsed = true;
        cursor.since = now;
        lapsed_.insert(&cursor);
        change(cursor);
        ++out.lapsed;
    }
    return out;
}

Time CursorTable::next_expiry(Duration ttl) const noexcept {
    Time next = Time::max();
    if (!idle_.empty()) next = (*idle_.begin())->since + ttl;
    if (!lapsed_.empty()) next = std::min(next, (*lapsed_.begin())->since + ttl);
    return next;
}

void CursorTable::restore(std::string_view name, const CursorRow& row, Time used) {
    const auto [it, added] = cursors_.try_emplace(std::string(name));
    SCANMQ_ASSERT(added);
    Cursor& cursor = it->second;
    cursor.name = name;
    cursor.number_ = ++numbers_;
    cursor.pattern = row.pattern;
    cursor.next_offset = row.next_offset;
    cursor.since = used;
    cursor.lapsed = row.lapsed;
    cursor.told_ = true;
    (cursor.lapsed ? lapsed_ : idle_).insert(&cursor);
    if (!cursor.lapsed) need_from(cursor, cursor.next_offset);
}

void CursorTable::clear_changes() {
    for (Cursor* const cursor : changed_) {
        cursor->changed_ = false;
        cursor->told_ = true;
    }
    changed_.clear();
    forgotten_.clear();
}

void CursorTable::change(Cursor& cursor) {
    if (cursor.changed_) return;
    cursor.changed_ = true;
    changed_.push_back(&cursor);
}

void CursorTable::skip(Cursor& cursor, std::uint64_t offset) {
    if (cursor.listed_ && offset > cursor.needed_from_) need_from(cursor, offset);
}

void CursorTable::need_from(Cursor& cursor, std::uint64_t offset) {
    if (!cursor.listed_) {
        cursor.needed_from_ = offset;
        cursor.listed_ = needs_.insert(&cursor).second;
        return;
    }
    auto node = needs_.extract(&cursor);
    cursor.needed_from_ = offset;
    needs_.insert(std::move(node));
}

void CursorTable::unneed(Cursor& cursor) {
    if (!cursor.listed_) return;
    needs_.erase(&cursor);
    cursor.listed_ = false;
}

void CursorTable::unlist(Cursor& cursor) {
    if (cursor.holder != nullptr) return;
    (cursor.lapsed ? lapsed_ : idle_).erase(&cursor);
}

}  // namespace scanmq::broker
