#include "broker/server/outbox.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace scanmq::broker {

using transport::SendStatus;

void Outbox::send(std::uint32_t to, const protocol::Header& header, ByteView frame,
                  LogPosition needs) {
    if (needs > durable_ || (!queues_.empty() && queues_.contains(to))) {
        return enqueue(to, header, frame, needs);
    }
    switch (router_.send(to, frame)) {
        case SendStatus::sent:
            return sent(frame.size());
        case SendStatus::full:
            stuck_ = true;
            return enqueue(to, header, frame, needs);
        case SendStatus::unreachable:
            ++counts_.unreachable;
            lost_.push_back(to);
            return;
    }
}

void Outbox::enqueue(std::uint32_t to, const protocol::Header& header, ByteView frame,
                     LogPosition needs) {
    if (queues_.empty()) retry_in_ = kRetryMin;
    Queue& queue = queues_[to];
    if (queue.muted) return;
    if (queue.bytes + frame.size() > bytes_per_peer_) {
        return overflow(to, header, queue, "outgoing_bytes_max", bytes_per_peer_);
    }
    ++counts_.queued;
    queue.frames.push_back({std::string(frame), needs});
    queue.bytes += frame.size();
    queue.header = header;
    queued_bytes_ += frame.size();
    if (!queue.slow && queue.bytes > bytes_per_peer_ / 4) {
        queue.slow = true;
        ++counts_.slow;
        slow_.push_back({to, true});
    }
    // Those that read nothing must not take up what the others need.
    if (crowded()) overflow_longest(true);
    if (queued_bytes_ > bytes_max_) overflow_longest(false);
}

bool Outbox::overflow_longest(bool full) {
    auto longest = queues_.end();
    const Time deaf = std::chrono::steady_clock::now() - kDeafAfter;
    for (auto it = queues_.begin(); it != queues_.end(); ++it) {
        if (it->second.muted ||
            (full && (it->second.full_since == Time{} || it->second.full_since > deaf)))
            continue;
        if (longest == queues_.end() || it->second.bytes > longest->second.bytes) longest = it;
    }
    if (longest == queues_.end()) return false;
    overflow(longest->first, longest->second.header, longest->second,
             "the share of memory_max for slow peers", bytes_max_);
    return true;
}

void Outbox::overflow(std::uint32_t to, const protocol::Header& header, Queue& queue,
                      const char* limit, std::uint64_t bytes) {
    ++counts_.overflows;
    spdlog::warn("a peer is given up, it does not read what it asked for: {} is {} bytes", limit,
                 bytes);
    queued_bytes_ -= queue.bytes;
    queue.frames.clear();
    queue.muted = true;
    std::string bye;
    protocol::encode(
        header,
        protocol::Bye{protocol::ErrorCode::over_limit,
                      std::string(limit) + " is " + std::to_string(bytes) +
                          ": this peer granted more than it reads; grant less, HELLO again"},
        bye);
    queue.bytes = bye.size();
    queued_bytes_ += queue.bytes;
    queue.frames.push_back({std::move(bye), 0});
    lost_.push_back(to);
}

void Outbox::sent(std::size_t bytes) {
    ++counts_.frames;
    counts_.bytes += bytes;
}

bool Outbox::drain(std::uint32_t to, Queue& queue, bool& progress) {
    while (!queue.frames.empty() && queue.frames.front().needs <= durable_) {
        const std::string& frame = queue.frames.front().frame;
        const SendStatus status = router_.send(to, frame);
        if (status == SendStatus::full) {
            stuck_ = true;
            if (queue.full_since == Time{}) queue.full_since = std::chrono::steady_clock::now();
            return false;
        }
        queue.full_since = {};
        if (status == SendStatus::unreachable) {
            ++counts_.unreachable;
            lost_.push_back(to);
            queued_bytes_ -= queue.bytes;
            if (queue.slow) no_longer_slow(to, queue);
            return true;
        }
        sent(frame.size());
        queue.bytes -= frame.size();
        queued_bytes_ -= frame.size();
        queue.frames.pop_front();
        progress = true;
        if (queue.slow && queue.bytes <= bytes_per_peer_ / 8) no_longer_slow(to, queue);
    }
    return queue.frames.empty();
}

bool Outbox::flush() {
    bool progress = false;
    stuck_ = false;
    for (auto it = queues_.begin(); it != queues_.end();) {
        it = drain(it->first, it->second, progress) ? queues_.erase(it) : std::next(it);
    }
    // While their share is full nothing more is queued: nobody else would find those that read nothing.
    while (crowded() && overflow_longest(true)) {
    }
    // No event tells that one peer of a ROUTER can be sent to again.
    retry_in_ = progress || !stuck_ ? kRetryMin : std::min(2 * retry_in_, kRetryMax);
    return progress;
}

bool Outbox::muted(std::uint32_t peer) const {
    if (queues_.empty()) return false;
    const auto found = queues_.find(peer);
    return found != queues_.end() && found->second.muted;
}

void Outbox::no_longer_slow(std::uint32_t to, Queue& queue) {
    queue.slow = false;
    slow_.push_back({to, false});
}

std::vector<Outbox::Slow> Outbox::take_slow() { return std::exchange(slow_, {}); }

std::vector<std::uint32_t> Outbox::take_lost() { return std::exchange(lost_, {}); }

}  // namespace scanmq::broker
