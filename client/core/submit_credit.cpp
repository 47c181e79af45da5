// SubmitLink's half that asks for credit and gives it back.

#include <algorithm>

#include "client/core/submit_link.hpp"

namespace scanmq::client {

using protocol::Credit;

namespace {

constexpr Duration kPeriod = std::chrono::milliseconds(100);
// A producer that submitted nothing for so long holds no credit.
constexpr Duration kIdle = std::chrono::seconds(1);
// A WANT that was not granted is repeated; it replaces itself, so this only guards against silence.
constexpr Duration kAskAgain = std::chrono::seconds(1);
constexpr std::uint64_t kAheadMin = 16;

}  // namespace

void SubmitLink::count_submission(Now now, std::uint64_t bytes) {
    if (now.time >= period_end_) {
        last_period_ = now.time - period_end_ < kPeriod ? period_ : Period{};
        period_ = {};
        period_end_ = now.time + kPeriod;
    }
    ++period_.items;
    period_.bytes += bytes;
    last_job_ = now.time;
}

Credit SubmitLink::ahead(Now now) const noexcept {
    if (now.time - last_job_ >= kIdle || (period_.items == 0 && last_period_.items == 0)) return {};
    const Period& busier = period_.items > last_period_.items ? period_ : last_period_;
    const std::uint64_t items = std::max(busier.items, kAheadMin);
    return {items, items * (busier.bytes / busier.items)};
}

bool SubmitLink::ask(const protocol::Limits& limits, Now now) {
    overhead_ = limits.item_overhead_bytes;
    if (now.time >= hold_until_) hold_until_ = {};
    if (returning_) return false;
    if (return_again_ && now.time >= hold_until_) return true;
    const Credit available = credit_.available();
    if (waiting_.empty() && now.time - last_job_ >= kIdle) {
        return in_flight_.empty() && any(available);
    }
    if (now.time < hold_until_) return false;
    // A refusal would come back at once, and again.
    if (refused_ && waiting_.empty()) return false;
    const Credit more = ahead(now);
    const Credit target{waiting_.size() + more.items, waiting_cost_ + more.bytes};
    const Credit sent = credit_.sent();
    const bool moved = sent != want_sent_;
    if (!waiting_.empty() && !fits(waiting_.front())) {
        const bool again = now.time - want_at_ >= kAskAgain;
        if (want_seq_ != 0 && !want_answered_ && !moved && !again) return false;
        // Granted, yet the head still does not fit: it is larger than what grants give.
        const bool short_of_bytes =
            want_seq_ != 0 && want_answered_ && !moved && available.items > 0;
        if (must_be_exact_ || short_of_bytes || (want_exact_ && !moved)) {
            want({1, cost(waiting_.front())}, true, now);
        } else {
            want(target, false, now);
        }
        return false;
    }
    const Credit seen{window_.items == 0 ? target.items : window_.items,
                      window_.bytes == 0 ? target.bytes : window_.bytes};
    const bool low = available.items * 2 < std::min(target.items, seen.items) ||
                     available.bytes * 2 < std::min(target.bytes, seen.bytes);
    if (!low) return false;
    // An open WANT is renewed only when much was sent since.
    if (want_seq_ != 0 && !want_answered_ && (sent.items - want_sent_.items) * 4 < seen.items &&
        (sent.bytes - want_sent_.bytes) * 4 < seen.bytes) {
        return false;
    }
    want(target, false, now);
    return false;
}

void SubmitLink::want(const Credit& amount, bool exact, Now now) {
    want_seq_ = outbox_.main(protocol::Want{queue_, credit_.sent(), amount});
    want_sent_ = credit_.sent();
    want_at_ = now.time;
    want_answered_ = false;
    want_exact_ = exact;
    must_be_exact_ = false;
}

void SubmitLink::raise(const Credit& limit) {
    release_hold();
    if (!credit_.raise(limit)) return;
    want_answered_ = true;
    window_ = greater(window_, credit_.available());
}

void SubmitLink::on_credit(const Credit& limit) { raise(limit); }

bool SubmitLink::begin_return(bool asked, Now now) {
    if (returning_) {
        return_asked_ = return_asked_ || asked;
        return false;
    }
    want({}, false, now);
    returning_ = true;
    return_asked_ = asked || return_again_;
    return_again_ = false;
    return_ping_ = 0;
    return true;
}

void SubmitLink::on_pong(std::uint64_t pong) {
    if (!returning_ || return_ping_ == 0 || pong < return_ping_) return;
    returning_ = false;
    want_seq_ = 0;
    want_answered_ = true;
    want_exact_ = false;
    if (!return_asked_ && !waiting_.empty()) return;  // wanted again meanwhile
    reclaimed_seq_ = outbox_.main(protocol::Reclaimed{queue_, credit_.give_back()});
}

Time SubmitLink::next_deadline() const noexcept {
    if ((!waiting_.empty() || return_again_) && hold_until_ != Time{}) return hold_until_;
    if (!waiting_.empty()) return fits(waiting_.front()) ? Time::max() : want_at_ + kAskAgain;
    return any(credit_.available()) && in_flight_.empty() && !returning_ ? last_job_ + kIdle
                                                                         : Time::max();
}

}  // namespace scanmq::client
