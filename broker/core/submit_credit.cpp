#include "broker/core/submit_credit.hpp"

#include <algorithm>

namespace scanmq::broker {
namespace {

using protocol::Credit;

// Peers name any number: sums stop at the largest one instead of wrapping.
std::uint64_t sum(std::uint64_t a, std::uint64_t b) noexcept {
    return a + b < a ? ~std::uint64_t{0} : a + b;
}
std::uint64_t times(std::uint64_t a, std::uint64_t b) noexcept {
    return b != 0 && a > ~std::uint64_t{0} / b ? ~std::uint64_t{0} : a * b;
}
std::uint64_t minus(std::uint64_t a, std::uint64_t b) noexcept { return a > b ? a - b : 0; }
Credit minus(Credit a, Credit b) noexcept {
    return {minus(a.items, b.items), minus(a.bytes, b.bytes)};
}
Credit lesser(Credit a, Credit b) noexcept {
    return {std::min(a.items, b.items), std::min(a.bytes, b.bytes)};
}
bool any(Credit a) noexcept { return a.items != 0 || a.bytes != 0; }

}  // namespace

Credit SubmitCredit::free_room() const noexcept { return minus(minus(room_, used_), granted_); }

Credit SubmitCredit::limit(Slot session) const {
    const auto it = links_.find(session);
    return it == links_.end() ? Credit{} : it->second.limit;
}

SubmitCredit::WantResult SubmitCredit::want(Slot session, Credit sent, Credit want, Time now) {
    Link& link = links_[session];
    // No item costs less than its overhead; without items there is nothing to wait for.
    want.bytes =
        want.items == 0 ? 0 : std::max(want.bytes, times(want.items, options_.item_bytes_min));
    if (sent.items > link.limit.items || sent.bytes > link.limit.bytes)
        return WantResult::over_credit;
    const std::uint64_t unit = want.items == 0 ? 1 : want.bytes / want.items;
    if (unit > room_.bytes) return WantResult::item_too_large;
    // The sender counts more than came here: what was lost on the way does not keep its places.
    const Credit lost = minus(sent, link.sent);
    link.sent.items += lost.items;
    link.sent.bytes += lost.bytes;
    granted_ = minus(granted_, lost);
    link.used = now;
    link.unit = {1, unit};
    link.exact = want.items == 1 && want.bytes > options_.window.bytes;
    link.wanted = {sum(link.sent.items, want.items), sum(link.sent.bytes, want.bytes)};
    enqueue(session, link);
    return WantResult::ok;
}

bool SubmitCredit::take(Slot session, Credit size, Time now) {
    const auto it = links_.find(session);
    if (it == links_.end()) return false;
    Link& link = it->second;
    if (size.items > link.limit.items - link.sent.items ||
        size.bytes > link.limit.bytes - link.sent.bytes) {
        return false;
    }
    link.sent.items += size.items;
    link.sent.bytes += size.bytes;
    granted_ = minus(granted_, size);
    link.used = now;
    enqueue(session, link);
    return true;
}

void SubmitCredit::occupy(std::uint64_t bytes) noexcept {
    ++used_.items;
    used_.bytes += bytes;
}

void SubmitCredit::vacate(std::uint64_t bytes) noexcept { used_ = minus(used_, {1, bytes}); }

void SubmitCredit::give_back(Link& link, Credit sent) noexcept {
    const Credit unused = minus(link.limit, link.sent);
    granted_ = minus(granted_, unused);
    const Credit counted = lesser(sent, link.limit);
    link.sent = {std::max(link.sent.items, counted.items),
                 std::max(link.sent.bytes, counted.bytes)};
    link.limit = link.sent;
}

void SubmitCredit::reclaimed(Slot session, Credit sent) {
    const auto it = links_.find(session);
    if (it == links_.end()) return;
    give_back(it->second, sent);
    it->second.asked = false;
    enqueue(session,
            it->second);  // what its WANT still asks for comes after those who wait already
}

void SubmitCredit::drop(Slot session) {
    const auto it = links_.find(session);
    if (it == links_.end()) return;
    give_back(it->second, it->second.sent);
    if (it->second.waiting) waiting_.erase(std::find(waiting_.begin(), waiting_.end(), session));
    links_.erase(it);
}

Credit SubmitCredit::target(const Link& link) const noexcept {
    if (link.exact) return link.wanted;
    return lesser(link.wanted, {sum(link.sent.items, options_.window.items),
                                sum(link.sent.bytes, options_.window.bytes)});
}

void SubmitCredit::enqueue(Slot session, Link& link) {
    if (link.waiting || !any(minus(target(link), link.limit))) return;
    link.waiting = true;
    waiting_.push_back(session);
}

// What may be added to the link's limit now; nothing when that would not let one more item through.
Credit SubmitCredit::grantable(const Link& link) const noexcept {
    const Credit need = minus(target(link), link.limit);
    const Credit room = free_room();
    Credit grant = lesser(need, room);
    if (grant == need) return grant;
    if (link.exact) return {};
    const Credit unused = minus(link.limit, link.sent);
    // Places without bytes for them would only be kept from others: whole items of average size.
    const std::uint64_t items_by_bytes = (unused.bytes + grant.bytes) / link.unit.bytes;
    const std::uint64_t items = std::min(unused.items + grant.items, items_by_bytes);
    if (items == 0) return {};
    if (grant.bytes < need.bytes) grant.items = std::min(grant.items, minus(items, unused.items));
    return grant;
}

void SubmitCredit::serve(Time now, std::vector<Grant>& grants) {
    const std::size_t first = grants.size();
    while (!waiting_.empty()) {
        const Slot session = waiting_.front();
        Link& link = links_.find(session)->second;
        // What it gives back is not yet known: a grant now would cross with its RECLAIMED, which puts it in
        // line again.
        const bool crosses = link.asked;
        // The last: the room was made smaller than one item. It must not stop those behind it.
        if (crosses || !any(minus(target(link), link.limit)) || link.unit.bytes > room_.bytes) {
            link.waiting = false;
            waiting_.pop_front();
            continue;
        }
        const Credit grant = grantable(link);
        if (!any(grant)) break;
        link.limit.items += grant.items;
        link.limit.bytes += grant.bytes;
        granted_.items += grant.items;
        granted_.bytes += grant.bytes;
        link.used = now;
        waiting_.pop_front();
        link.waiting = false;
        enqueue(session, link);
        const auto same =
            std::find_if(grants.begin() + static_cast<std::ptrdiff_t>(first), grants.end(),
                         [&](const Grant& g) { return g.session == session; });
        if (same != grants.end()) {
            same->limit = link.limit;
        } else {
            grants.push_back({session, link.limit});
        }
    }
}

Time SubmitCredit::reclaim(Time now, std::vector<Slot>& sessions) {
    if (waiting_.empty()) return Time::max();
    Time next = Time::max();
    for (auto& [session, link] : links_) {
        if (session == waiting_.front() || link.asked || !any(minus(link.limit, link.sent)))
            continue;
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
