#include "broker/core/submit_credit.hpp"

#include <algorithm>

namespace scanmq::broker {

using protocol::any;
using protocol::Credit;
using protocol::excess;
using protocol::lesser;
using protocol::plus;

Credit SubmitCredit::free_room() const noexcept { return excess(excess(room_, used_), granted_); }

void SubmitCredit::reserve(Credit size) noexcept {
    granted_ = plus(granted_, size);
    if (pool_ != nullptr) pool_->granted += pool_->cost(size);
}

void SubmitCredit::unreserve(Credit size) noexcept {
    granted_ = excess(granted_, size);
    if (pool_ != nullptr) pool_->granted = excess(pool_->granted, pool_->cost(size));
}

Credit SubmitCredit::limit(Slot session) const {
    const auto it = links_.find(session);
    return it == links_.end() ? Credit{} : it->second.credit.limit();
}

SubmitCredit::WantResult SubmitCredit::want(Slot session, Credit sent, Credit want, Time now) {
    Link& link = links_[session];
    if (link.holder == kNoSlot) {
        link.holder = holders_.allocate();
        holders_[link.holder] = {.linked = true};
    }
    // No item costs less than its overhead; without items there is nothing to wait for.
    want.bytes = want.items == 0 ? 0
                                 : std::max(want.bytes, protocol::saturating_product(
                                                            want.items, options_.item_bytes_min));
    if (!covers(link.credit.limit(), sent)) return WantResult::over_credit;
    const std::uint64_t unit = want.items == 0 ? 1 : want.bytes / want.items;
    if (unit > room_.bytes) return WantResult::item_too_large;
    // The sender counts more than came here: what was lost on the way does not keep its places.
    unreserve(link.credit.count_lost(sent));
    link.used = now;
    link.unit = {1, unit};
    link.exact = want.items == 1 && want.bytes > options_.window.bytes;
    link.wanted = plus(link.credit.received(), want);
    enqueue(session, link);
    return WantResult::ok;
}

bool SubmitCredit::take(Slot session, Credit size, Time now) {
    const auto it = links_.find(session);
    if (it == links_.end()) return false;
    Link& link = it->second;
    if (!link.credit.receive(size)) return false;
    unreserve(size);
    if (pool_ != nullptr) pool_->taken += pool_->cost(size);
    link.used = now;
    enqueue(session, link);
    return true;
}

Slot SubmitCredit::holder(Slot session) const {
    const auto it = links_.find(session);
    return it == links_.end() ? kNoSlot : it->second.holder;
}

void SubmitCredit::occupy(Slot holder, std::uint64_t bytes) noexcept {
    ++used_.items;
    used_.bytes += bytes;
    if (holder != kNoSlot) ++holders_[holder].places;
}

void SubmitCredit::vacate(Slot holder, std::uint64_t bytes) noexcept {
    used_ = excess(used_, {1, bytes});
    if (holder == kNoSlot) return;
    Holder& record = holders_[holder];
    SCANMQ_ASSERT(record.places > 0);
    if (--record.places == 0 && !record.linked) holders_.free(holder);
}

void SubmitCredit::reclaimed(Slot session, Credit sent) {
    const auto it = links_.find(session);
    if (it == links_.end()) return;
    // Nothing is on its way to it: it said WANT nothing and waited for an answer first.
    unreserve(it->second.credit.reclaimed(sent));
    it->second.asked = false;
    enqueue(session,
            it->second);  // what its WANT still asks for comes after those who wait already
}

void SubmitCredit::drop(Slot session) {
    const auto it = links_.find(session);
    if (it == links_.end()) return;
    unreserve(it->second.credit.unused());
    if (it->second.waiting) {
        if (waiting_.front() == session) head_keeps_turn_ = false;
        waiting_.erase(std::find(waiting_.begin(), waiting_.end(), session));
    }
    Holder& holder = holders_[it->second.holder];
    holder.linked = false;
    if (holder.places == 0) holders_.free(it->second.holder);
    links_.erase(it);
}

Credit SubmitCredit::target(const Link& link) const noexcept {
    if (link.exact) return link.wanted;
    return lesser(link.wanted, plus(link.credit.received(), options_.window));
}

void SubmitCredit::enqueue(Slot session, Link& link) {
    if (link.waiting || !any(excess(target(link), link.credit.limit()))) return;
    link.waiting = true;
    waiting_.push_back(session);
}

// What may be added to the link's limit now; nothing when that would not let one more item through.
Credit SubmitCredit::grantable(const Link& link) const noexcept {
    const Credit need = excess(target(link), link.credit.limit());
    const Credit room = free_room();
    const auto fits = [&](Credit grant) {
        return covers(room, grant) && (pool_ == nullptr || pool_->cost(grant) <= pool_->free());
    };
    if (fits(need)) return need;
    if (link.exact) return {};
    // Places without bytes for them, and bytes without places, would only be kept from others: so many
    // more items of average size as can be sent.
    const Credit unused = link.credit.unused();
    const auto grant_for = [&](std::uint64_t items) {
        return excess(Credit{items, protocol::saturating_product(items, link.unit.bytes)}, unused);
    };
    const std::uint64_t now = std::min(unused.items, unused.bytes / link.unit.bytes);
    // What the need and the queue's room allow is known at once, and mostly memory allows it too.
    const Credit bound = plus(unused, lesser(need, room));
    std::uint64_t least = now;
    std::uint64_t most = std::max(std::min(bound.items, bound.bytes / link.unit.bytes), now);
    if (fits(grant_for(most))) least = most;
    while (least < most) {
        const std::uint64_t middle = least + (most - least + 1) / 2;
        const Credit grant = grant_for(middle);
        if (fits(grant)) {
            least = middle;
        } else {
            most = middle - 1;
        }
    }
    return least > now ? grant_for(least) : Credit{};
}

std::uint64_t SubmitCredit::places_of(const Link& link) const noexcept {
    return holders_[link.holder].places + link.credit.unused().items;
}

void SubmitCredit::choose_head() {
    if (head_keeps_turn_) return;
    std::size_t best = 0;
    std::uint64_t least = ~std::uint64_t{0};
    for (std::size_t i = 0; i < std::min(waiting_.size(), kComparedMax); ++i) {
        const std::uint64_t places = places_of(links_.find(waiting_[i])->second);
        if (places >= least) continue;
        least = places;
        best = i;
    }
    const Slot session = waiting_[best];
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(best));
    waiting_.push_front(session);
}

void SubmitCredit::serve(Time now, std::vector<Grant>& grants) {
    const std::size_t first = grants.size();
    while (!waiting_.empty()) {
        choose_head();
        head_keeps_turn_ = false;
        const Slot session = waiting_.front();
        Link& link = links_.find(session)->second;
        // What it gives back is not yet known: a grant now would cross with its RECLAIMED, which puts it in
        // line again.
        const bool crosses = link.asked;
        // The last: the room was made smaller than one item. It must not stop those behind it.
        if (crosses || !any(excess(target(link), link.credit.limit())) ||
            link.unit.bytes > room_.bytes) {
            link.waiting = false;
            waiting_.pop_front();
            continue;
        }
        const Credit grant = grantable(link);
        if (!any(grant)) {
            head_keeps_turn_ = true;
            break;
        }
        link.credit.raise(plus(link.credit.limit(), grant));
        reserve(grant);
        link.used = now;
        waiting_.pop_front();
        link.waiting = false;
        enqueue(session, link);
        const auto same =
            std::find_if(grants.begin() + static_cast<std::ptrdiff_t>(first), grants.end(),
                         [&](const Grant& g) { return g.session == session; });
        if (same != grants.end()) {
            same->limit = link.credit.limit();
        } else {
            grants.push_back({session, link.credit.limit()});
        }
    }
}

Time SubmitCredit::reclaim(Time now, std::vector<Slot>& sessions, bool is_wanted) {
    if (waiting_.empty() && !is_wanted) return Time::max();
    Time next = Time::max();
    for (auto& [session, link] : links_) {
        if (link.asked || !any(link.credit.unused())) continue;
        if (!waiting_.empty() && session == waiting_.front()) continue;
        if (now - link.used >= options_.reclaim_idle) {
            link.asked = true;
            sessions.push_back(session);
        } else {
            next = std::min(next, link.used + options_.reclaim_idle);
        }
    }
    std::sort(sessions.begin(), sessions.end());
    return next;
}

}  // namespace scanmq::broker
