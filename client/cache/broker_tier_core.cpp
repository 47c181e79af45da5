#include "client/cache/broker_tier_core.hpp"

#include <algorithm>
#include <chrono>
#include <memory>

#include "common/base/assert.hpp"
#include "common/base/text.hpp"
#include "common/cache/value_check.hpp"

namespace scanmq::client {

using cache::TierPut;
using cache::TierValue;

namespace {

constexpr std::size_t kSaidBytesMax = 300;  // of a broker's sentence, in a log line
constexpr std::uint64_t kKeyBytes = ContentId::kSize + 2;
// A time that a broker tells counts as no more: a year.
constexpr std::uint64_t kTimeMsMax = 366ULL * 24 * 3'600 * 1'000;

protocol::Roles roles_of(bool writes) {
    // A reader needs no role of its own: results are what subscribers read.
    return writes ? protocol::kCache : protocol::kSubscriber;
}

std::uint64_t millis(Duration duration) {
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(duration).count();
    return ms < 0 ? 0 : static_cast<std::uint64_t>(ms);
}

}  // namespace

BrokerTierCore::BrokerTierCore(const BrokerTierOptions& options)
    : options_(options),
      outbox_(roles_of(options.writes)),
      session_({{options.endpoint},
                options.name,
                options.agent,
                options.instance,
                options.connect_timeout},
               outbox_),
      breaker_(options.breaker),
      log_(options.log_every),
      write_window_(options.writes_max, options.write_bytes_max) {
    SCANMQ_ASSERT(options.keys_per_frame_max > 0 && options.gets_max > 0);
    options_.keys_per_frame_max =
        std::min(options_.keys_per_frame_max, protocol::kLimits.items_per_frame_max);
}

void BrokerTierCore::start(Now now, Effects& effects) {
    outbox_.bind(effects);
    closed_since_ = now.time;
    session_.start(now);
}

void BrokerTierCore::close(Effects& effects) {
    outbox_.bind(effects);
    session_.close();
    ready_.clear();
}

void BrokerTierCore::connected(Now now, Effects& effects) {
    outbox_.bind(effects);
    linked_ = true;
    apply(session_.connected(now), now);
}

// The session may be taken up again only by a new connection: nobody answers what is under way.
void BrokerTierCore::disconnected(Now now, Effects& effects) {
    outbox_.bind(effects);
    if (!std::exchange(linked_, false) || !session_.open()) return;
    fail_all("the connection was lost", now);
}

void BrokerTierCore::apply(SessionState::Change change, Now now) {
    if (change == SessionState::Change::lost) {
        const std::string& why = session_.info().last_sentence;
        fail_all("the session was lost: " + to_printable(why, kSaidBytesMax), now);
    } else if (change == SessionState::Change::opened) {
        ++stats_.connects;
        breaker_.probe_ended(true, now.time);  // as good as a probe
        if (log_.over()) lines_.emplace_back("connected");
    }
}

void BrokerTierCore::on_frame(const protocol::Frame& frame, Now now, Effects& effects) {
    outbox_.bind(effects);
    if (const auto* error = std::get_if<protocol::Error>(&frame.message)) {
        session_.heard(now.time);
        return on_error(*error, now);
    }
    if (const auto* welcome = std::get_if<protocol::Welcome>(&frame.message)) {
        return apply(session_.on_welcome(*welcome, now), now);
    }
    if (!session_.open() || frame.header.session != outbox_.session()) return;  // of an old one
    session_.heard(now.time);
    on_main(frame.message, now);
}

void BrokerTierCore::on_main(const protocol::Message& message, Now now) {
    if (const auto* values = std::get_if<protocol::CacheValues>(&message)) {
        on_values(*values, now);
    } else if (const auto* kept = std::get_if<protocol::CacheKept>(&message)) {
        on_written(kept->re, kept->results);
    } else if (const auto* dropped = std::get_if<protocol::CacheDropped>(&message)) {
        on_written(dropped->re, 0);
    } else if (const auto* heartbeat = std::get_if<protocol::Heartbeat>(&message)) {
        if (heartbeat->pong != probe_ || !std::exchange(probe_deadline_, {})) return;
        breaker_.probe_ended(true, now.time);
    } else if (const auto* bye = std::get_if<protocol::Bye>(&message)) {
        apply(session_.on_bye(*bye, now), now);
    }
}

void BrokerTierCore::on_error(const protocol::Error& error, Now now) {
    const std::string said = std::string(protocol::to_string(error.code)) + ": " +
                             to_printable(error.sentence, kSaidBytesMax);
    if (session_.is_hello(error.re) || error.code == protocol::ErrorCode::unknown_session) {
        if (session_.is_hello(error.re)) {
            ++stats_.refused;
            trouble("refused, " + said, now.time);
        }
        return apply(session_.on_error(error, now), now);
    }
    if (const auto write = writes_.find(error.re); write != writes_.end()) {
        stats_.put_errors += write->second.values;
        write_window_.give_back(write->second.bytes);
        writes_.erase(write);
        return trouble("values were not kept, " + said, now.time);
    }
    const auto asked = asked_.find(error.re);
    if (asked == asked_.end()) return;
    const std::vector<ContentId> keys = std::move(asked->second);
    asked_.erase(asked);
    for (const ContentId& key : keys) settle(key, error.re, std::nullopt, true, now);
    trouble("values cannot be read, " + said, now.time);
    ask_waiting();
}

void BrokerTierCore::get(std::vector<ContentId> keys, Time deadline, cache::Tier::GetDone done,
                         Now now, Effects& effects) {
    outbox_.bind(effects);
    stats_.gets += keys.size();
    deadline = std::min(deadline, now.time + options_.timeout);
    const bool room = keys.size() <= options_.keys_waiting_max - waiting_;
    if (keys.empty() || !may_send() || deadline <= now.time || !room) {
        auto& counted = !may_send() ? stats_.held : (room ? stats_.timeouts : stats_.overflow);
        counted += keys.size();
        stats_.misses += keys.size();
        ready_.emplace_back(std::move(done), cache::Tier::Values(keys.size()));
        return;
    }
    waiting_ += keys.size();
    Request request;
    request.values.resize(keys.size());
    request.parts = keys.size();
    request.keys = std::move(keys);
    request.deadline = deadline;
    request.done = std::move(done);
    const std::uint64_t id = requests_.add(std::move(request));
    const std::vector<ContentId>& asked = requests_.find(id)->keys;
    for (std::size_t i = 0; i < asked.size(); ++i) {
        LookUp& look_up = look_ups_[asked[i]];
        if (look_up.waiters.empty()) {
            queue_.push_back(asked[i]);
        } else {
            ++stats_.coalesced;
        }
        look_up.waiters.push_back({id, i});
    }
    ask_waiting();
    // Keys that nobody waits for any more are passed over when their turn comes; that may be late.
    if (queue_.size() > 2ULL * options_.keys_waiting_max) {
        std::erase_if(queue_, [&](const ContentId& key) {
            const auto found = look_ups_.find(key);
            return found == look_ups_.end() || found->second.asked != 0;
        });
    }
}

// What waits goes into as few frames as the window allows: the longer the answers take, the fuller they are.
void BrokerTierCore::ask_waiting() {
    while (ready() && !queue_.empty() && asked_.size() < options_.gets_max) {
        std::vector<ContentId> keys;
        while (!queue_.empty() && keys.size() < options_.keys_per_frame_max) {
            const ContentId key = queue_.front();
            queue_.pop_front();
            const auto found = look_ups_.find(key);
            if (found == look_ups_.end() || found->second.asked != 0) continue;
            // Its seq is the next one.
            found->second.asked = outbox_.last_seq(Socket::main) + 1;
            keys.push_back(key);
        }
        if (keys.empty()) return;
        const std::uint64_t seq = outbox_.main(protocol::CacheGet{{}, keys});
        asked_.emplace(seq, std::move(keys));
    }
}

std::optional<TierValue> BrokerTierCore::believed(const protocol::CacheValues::One& one, Now now) {
    if (one.blob_size != 0 || one.left_ms == 0) return std::nullopt;
    if (one.bytes.size() > options_.value_bytes_max ||
        cache::value_check(one.key, one.bytes) != one.check) {
        ++stats_.unreadable;
        return std::nullopt;
    }
    const auto age = static_cast<WallMillis>(std::min(one.age_ms, kTimeMsMax));
    return TierValue{std::make_shared<const std::string>(one.bytes), now.wall - age,
                     std::chrono::milliseconds(std::min(one.left_ms, kTimeMsMax))};
}

void BrokerTierCore::on_values(const protocol::CacheValues& values, Now now) {
    const auto found = asked_.find(values.re);
    if (found == asked_.end()) return;
    const std::vector<ContentId> keys = std::move(found->second);
    asked_.erase(found);
    // They come in the order asked for; what does not, was not asked for.
    const std::size_t looked = std::min<std::size_t>(values.looked, keys.size());
    bool wrong = looked == 0;
    bool timely = false;
    std::size_t next = 0;
    for (std::size_t i = 0; i < looked; ++i) {
        std::optional<TierValue> value;
        if (next < values.values.size() && values.values[next].key == keys[i]) {
            value = believed(values.values[next++], now);
        }
        timely |= settle(keys[i], values.re, value, false, now);
    }
    wrong |= next != values.values.size();
    for (std::size_t i = keys.size(); i > looked; --i) {
        const auto look_up = look_ups_.find(keys[i - 1]);
        if (look_up == look_ups_.end() || look_up->second.asked != values.re) continue;
        if (wrong) {
            settle(keys[i - 1], values.re, std::nullopt, true, now);
            continue;
        }
        look_up->second.asked = 0;
        queue_.push_front(keys[i - 1]);
    }
    if (wrong) {
        trouble("it answers what was not asked for", now.time);
    } else if (timely) {
        breaker_.succeeded();
    }
    ask_waiting();
}

bool BrokerTierCore::settle(const ContentId& key, std::uint64_t asked,
                            const std::optional<TierValue>& value, bool failed, Now now) {
    const auto found = look_ups_.find(key);
    if (found == look_ups_.end() || found->second.asked != asked) {
        if (!failed) ++stats_.late;
        return false;
    }
    const std::vector<Waiter> waiters = std::move(found->second.waiters);
    look_ups_.erase(found);
    for (const Waiter& waiter : waiters) {
        Request& request = *requests_.find(waiter.request);
        request.values[waiter.at] = value;
        if (failed) {
            ++stats_.errors;
            request.failed = true;
        }
        if (--request.parts > 0) continue;
        Request ended = requests_.take(waiter.request);
        if (ended.failed) breaker_.failed(now.time);
        finish(std::move(ended));
    }
    return true;
}

// A put or drop of a key that is being looked up: the answer that is on its way is old.
void BrokerTierCore::settle_known(const ContentId& key, const std::optional<TierValue>& value,
                                  Now now) {
    const auto found = look_ups_.find(key);
    if (found != look_ups_.end()) settle(key, found->second.asked, value, false, now);
}

void BrokerTierCore::finish(Request request) {
    waiting_ -= request.keys.size();
    for (const auto& value : request.values) ++(value ? stats_.hits : stats_.misses);
    ready_.emplace_back(std::move(request.done), std::move(request.values));
}

// It waits for none of its keys any more.
void BrokerTierCore::detach(std::uint64_t request, const Request& of) {
    for (const ContentId& key : of.keys) {
        const auto found = look_ups_.find(key);
        if (found == look_ups_.end()) continue;
        auto& waiters = found->second.waiters;
        std::erase_if(waiters, [&](const Waiter& one) { return one.request == request; });
        if (waiters.empty()) look_ups_.erase(found);
    }
}

void BrokerTierCore::put(const std::vector<TierPut>& items, Time deadline, Now now,
                         Effects& effects) {
    outbox_.bind(effects);
    stats_.puts += items.size();
    if (!options_.writes) {
        stats_.rejected += items.size();
        return;
    }
    if (!may_send() || deadline <= now.time) {
        stats_.held += items.size();
        return;
    }
    Putting putting;
    for (const TierPut& item : items) {
        const std::string& body = *item.value.body;
        if (body.size() > options_.value_bytes_max || item.ttl <= Duration::zero()) {
            ++stats_.rejected;
            continue;
        }
        settle_known(item.key, item.value, now);
        const bool full = putting.bytes + body.size() > options_.put_frame_bytes ||
                          putting.frame.values.size() >= options_.keys_per_frame_max;
        if (full) send_put(putting);
        const WallMillis age = std::max<WallMillis>(now.wall - item.value.made, 0);
        putting.frame.values.push_back({item.key, static_cast<std::uint64_t>(age), millis(item.ttl),
                                        cache::value_check(item.key, body), body});
        putting.bytes += body.size() + kKeyBytes;
    }
    send_put(putting);
}

void BrokerTierCore::send_put(Putting& putting) {
    const std::uint64_t values = putting.frame.values.size();
    if (values == 0) return;
    if (write_window_.take(putting.bytes)) {
        const std::uint64_t seq = outbox_.main(std::move(putting.frame));
        writes_.emplace(seq, Write{values, putting.bytes});
    } else {
        stats_.overflow += values;
    }
    putting = {};
}

void BrokerTierCore::erase(const std::vector<ContentId>& keys, Now now, Effects& effects) {
    outbox_.bind(effects);
    stats_.erases += keys.size();
    if (!options_.writes) {
        stats_.rejected += keys.size();
        return;
    }
    if (!may_send()) {
        stats_.held += keys.size();
        return;
    }
    for (std::size_t begin = 0; begin < keys.size(); begin += options_.keys_per_frame_max) {
        const std::size_t count =
            std::min<std::size_t>(options_.keys_per_frame_max, keys.size() - begin);
        const auto first = keys.begin() + static_cast<std::ptrdiff_t>(begin);
        std::vector<ContentId> part(first, first + static_cast<std::ptrdiff_t>(count));
        for (const ContentId& key : part) settle_known(key, std::nullopt, now);
        if (!write_window_.take(count * kKeyBytes)) {
            stats_.overflow += count;
            continue;
        }
        const std::uint64_t seq = outbox_.main(protocol::CacheDrop{{}, std::move(part)});
        writes_.emplace(seq, Write{0, count * kKeyBytes});
    }
}

void BrokerTierCore::on_written(std::uint64_t re, std::uint64_t results) {
    const auto found = writes_.find(re);
    if (found == writes_.end()) return;
    const Write write = found->second;
    writes_.erase(found);
    write_window_.give_back(write.bytes);
    stats_.rejected += write.values - std::min(write.values, results);
}

void BrokerTierCore::fail_all(const std::string& problem, Now now) {
    closed_since_ = now.time;
    std::vector<std::pair<ContentId, std::uint64_t>> open;
    open.reserve(look_ups_.size());
    for (const auto& [key, look_up] : look_ups_) open.emplace_back(key, look_up.asked);
    for (const auto& [key, asked] : open) settle(key, asked, std::nullopt, true, now);
    queue_.clear();
    asked_.clear();
    for (const auto& [seq, write] : writes_) {
        stats_.put_errors += write.values;
        write_window_.give_back(write.bytes);
    }
    writes_.clear();
    probe_deadline_.reset();
    breaker_.probe_ended(false, now.time);
    trouble(problem, now.time);
}

void BrokerTierCore::tick(Now now, Effects& effects) {
    outbox_.bind(effects);
    apply(session_.tick(now), now);
    while (const auto overdue = requests_.overdue(now.time)) {
        Request request = requests_.take(*overdue);
        for (const auto& value : request.values) stats_.timeouts += value ? 0 : 1;
        detach(*overdue, request);
        breaker_.failed(now.time);
        finish(std::move(request));
    }
    if (probe_deadline_ && *probe_deadline_ <= now.time) {
        probe_deadline_.reset();
        breaker_.probe_ended(false, now.time);
    }
    if (ready() && breaker_.probe_due(now.time)) probe(now.time);
    if (!ready() && now.time - closed_since_ >= options_.connect_timeout) {
        trouble("no broker answers there", now.time);
    }
    ask_waiting();
}

void BrokerTierCore::probe(Time now) {
    probe_ = session_.ping();
    probe_deadline_ = now + options_.timeout;
}

std::optional<Time> BrokerTierCore::next_deadline() const {
    Time first = session_.next_deadline();
    const auto consider = [&](std::optional<Time> time) {
        first = std::min(first, time.value_or(first));
    };
    consider(requests_.next_deadline());
    consider(probe_deadline_);
    if (ready()) consider(breaker_.next_deadline());
    return first == Time::max() ? std::nullopt : std::optional(first);
}

void BrokerTierCore::trouble(const std::string& problem, Time now) {
    if (log_.trouble(now)) lines_.push_back(problem);
}

cache::TierStats BrokerTierCore::stats() const {
    cache::TierStats out = stats_;
    out.waiting = waiting_;
    out.breaker_opened = breaker_.opened();
    out.connected = ready();
    out.breaker_open = !breaker_.allows();
    return out;
}

}  // namespace scanmq::client
