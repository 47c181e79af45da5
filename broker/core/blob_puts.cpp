// BlobCore's puts: from BLOB_PUT over chunks to BLOB_STORED.

#include <algorithm>

#include "broker/core/blob_core.hpp"
#include "common/base/assert.hpp"

namespace scanmq::broker {

using protocol::BlobChunk;
using protocol::BlobPut;
using protocol::BlobReady;
using protocol::BlobStored;
using protocol::Credit;
using protocol::CreditGrant;
using protocol::ErrorCode;
using protocol::Kind;
using protocol::kLimits;
using protocol::Link;
using protocol::SessionId;

namespace {

// Failed puts that a session's late chunks are compared with; the oldest is forgotten first.
constexpr std::size_t kFailedMax = 128;

// What its chunks carry.
std::uint64_t held_bytes(const BlobPut& put) {
    return put.encoding == protocol::BlobEncoding::raw ? put.size : put.stored_size;
}

}  // namespace

Credit BlobCore::window(const Peer& peer) const {
    return plus(peer.in.received(), {options_.window_chunks,
                                     std::uint64_t{options_.window_chunks} * kLimits.chunk_bytes});
}

void BlobCore::on_put(Peer& peer, std::uint64_t seq, const BlobPut& put, Time now,
                      Effects& effects) {
    const auto no = [&](ErrorCode code, std::string sentence) {
        refuse(peer, seq, Kind::blob_put, code, std::move(sentence), effects);
    };
    std::erase(peer.failed, put.id);
    if (put.size == 0) return no(ErrorCode::malformed, "size must be at least 1 byte");
    if (put.size > options_.blob_bytes_max) {
        return no(ErrorCode::over_limit, "blob_bytes_max is " +
                                             std::to_string(options_.blob_bytes_max) +
                                             " bytes, this has " + std::to_string(put.size));
    }
    if (held_bytes(put) == 0 || held_bytes(put) > put.size) {
        return no(ErrorCode::malformed, "stored_size must be at least 1 byte and at most size");
    }
    if (const BlobRecord* const blob = blobs_.find(put.id)) {
        if (blob->bytes != put.size) {
            return no(ErrorCode::blob_mismatch,
                      "the blob of this id has " + std::to_string(blob->bytes) + " bytes");
        }
        blobs_.touch(put.id, now);
        return answer(peer, BlobReady{seq, put.id, true, peer.in.limit()}, effects);
    }
    const auto found = puts_.find(put.id);
    if (found != puts_.end() && owns(peer, found->second)) {
        // The owner begins again.
        found->second.asked.front() = {peer.session, seq, put};
        if (blobs_.find_any(put.id) != nullptr) blobs_.abandon(put.id);
        give_up_memory(put.id, found->second);
        if (!start(put.id, found->second, now, effects)) pass_on(put.id, now, effects);
        return;
    }
    if (peer.puts >= options_.puts_per_session_max) {
        return no(ErrorCode::over_limit, "blob_puts_per_session_max is " +
                                             std::to_string(options_.puts_per_session_max) +
                                             "; wait until one under way has ended");
    }
    Put& under_way = puts_[put.id];
    under_way.asked.push_back({peer.session, seq, put});
    ++peer.puts;
    // Behind another's put the answer comes when that has ended.
    if (under_way.asked.size() == 1 && !start(put.id, under_way, now, effects)) {
        pass_on(put.id, now, effects);
    }
}

bool BlobCore::owns(const Peer& peer, const Put& put) {
    return !put.verifying && put.asked.front().session == peer.session;
}

void BlobCore::give_up_memory(const ContentId& id, Put& put) {
    put_bytes_ -= put.taken;
    put.taken = 0;
    if (put.waiting) std::erase(held_, id);
    put.waiting = false;
}

void BlobCore::start_held(Time now, Effects& effects) {
    while (!held_forms_.empty()) {
        const FormKey key = held_forms_.front();
        if (!fits_memory(blobs_.find(key.id)->bytes)) return;
        held_forms_.pop_front();
        Form& form = forms_.at(key);
        form.waiting = false;
        prepare(key, form, now, effects);
    }
    while (!held_.empty()) {
        const ContentId id = held_.front();
        Put& put = puts_.at(id);
        if (!fits_memory(held_bytes(put.asked.front().put))) return;
        held_.pop_front();
        put.waiting = false;
        if (!start(id, put, now, effects)) pass_on(id, now, effects);
    }
}

std::string BlobCore::why_full(std::uint64_t bytes) const {
    if (blobs_.count() >= blobs_.options().count_max) {
        return "all " + std::to_string(blobs_.count()) +
               " snapshots there may be are in use; wait, or raise snapshots_max";
    }
    return "no room for " + std::to_string(bytes) +
           " bytes beside what is in use; wait, or raise snapshot_bytes_max";
}

bool BlobCore::start(const ContentId& id, Put& put, Time now, Effects& effects) {
    const Asked& owner = put.asked.front();
    const std::uint64_t bytes = held_bytes(owner.put);
    if (!fits_memory(bytes)) {
        put.waiting = true;
        held_.push_back(id);
        ++counts_.held;
        return true;
    }
    Peer* const peer = find(owner.session);
    SCANMQ_ASSERT(peer != nullptr);
    BlobRecord record;
    record.id = id;
    record.bytes = owner.put.size;
    record.type = owner.put.type;
    record.label = owner.put.label;
    record.encoding = owner.put.encoding;
    record.encoded_bytes = bytes;
    std::vector<ContentId> dropped;
    const auto reserved = blobs_.reserve(record, now, dropped);
    for (const ContentId& gone : dropped) effects.push_back(BlobDrop{gone});
    if (!reserved) {
        ++counts_.full;
        refuse(*peer, owner.re, Kind::blob_put, reserved.error(), why_full(bytes), effects);
        return false;
    }
    put.offset = 0;
    put.progress = now;
    put.verifying = false;
    put.taken = bytes;
    put_bytes_ += put.taken;
    peer->in.raise(window(*peer));
    effects.push_back(BlobBegin{id, bytes});
    answer(*peer, BlobReady{owner.re, id, false, peer->in.limit()}, effects);
    return true;
}

void BlobCore::leave_front(Put& put) {
    if (Peer* const peer = find(put.asked.front().session)) --peer->puts;
    put.asked.pop_front();
}

void BlobCore::pass_on(const ContentId& id, Time now, Effects& effects) {
    Put& put = puts_.at(id);
    give_up_memory(id, put);
    if (blobs_.find_any(id) != nullptr) {
        blobs_.abandon(id);
        effects.push_back(BlobDrop{id});
    }
    leave_front(put);
    while (!put.asked.empty()) {
        if (start(id, put, now, effects)) return start_held(now, effects);
        leave_front(put);
    }
    puts_.erase(id);
    start_held(now, effects);
}

void BlobCore::fail_put(Peer& peer, const ContentId& id) {
    ++counts_.puts_failed;
    if (peer.failed.size() == kFailedMax) peer.failed.erase(peer.failed.begin());
    peer.failed.push_back(id);
}

void BlobCore::on_chunk(Peer& peer, std::uint64_t seq, const BlobChunk& chunk, Time now,
                        Effects& effects) {
    const std::uint64_t bytes = chunk.bytes.size();
    // What is taken counts, useful or not: the sender counts it, too.
    if (!peer.in.receive({1, bytes})) {
        return refuse(peer, seq, Kind::blob_chunk, ErrorCode::over_credit,
                      "the chunk passes the blob_in credit of " +
                          std::to_string(peer.in.limit().items) + " chunks and " +
                          std::to_string(peer.in.limit().bytes) + " bytes; wait for CREDIT",
                      effects);
    }
    const auto found = puts_.find(chunk.id);
    if (found != puts_.end() && owns(peer, found->second) && !found->second.waiting) {
        take(peer, seq, chunk, found->second, now, effects);
    } else if (std::find(peer.failed.begin(), peer.failed.end(), chunk.id) == peer.failed.end()) {
        refuse(peer, seq, Kind::blob_chunk, ErrorCode::bad_chunk,
               "no put of this blob is under way; begin with BLOB_PUT", effects);
        fail_put(peer, chunk.id);
    }
    if (2 * peer.in.unused().items < options_.window_chunks) {
        peer.in.raise(window(peer));
        answer(peer, CreditGrant{Link::blob_in, {}, 0, peer.in.limit()}, effects);
    }
}

void BlobCore::take(Peer& peer, std::uint64_t seq, const BlobChunk& chunk, Put& put, Time now,
                    Effects& effects) {
    const std::uint64_t size = held_bytes(put.asked.front().put);
    const std::uint64_t expected = std::min<std::uint64_t>(size - put.offset, kLimits.chunk_bytes);
    if (chunk.offset != put.offset || chunk.bytes.size() != expected) {
        refuse(peer, seq, Kind::blob_chunk, ErrorCode::bad_chunk,
               "expected " + std::to_string(expected) + " bytes at offset " +
                   std::to_string(put.offset) + ", got " + std::to_string(chunk.bytes.size()) +
                   " at " + std::to_string(chunk.offset) + "; begin the put again",
               effects);
        fail_put(peer, chunk.id);
        return pass_on(chunk.id, now, effects);
    }
    effects.push_back(BlobWrite{chunk.id, chunk.offset, chunk.bytes});
    counts_.bytes_in += expected;
    put.offset += expected;
    put.progress = now;
    if (put.offset != size) return;
    put.verifying = true;
    if (written_.empty()) written_since_ = now;
    written_.push_back(chunk.id);
    written_bytes_ += size;
}

void BlobCore::verify_written(Time now, Effects& effects) {
    if (written_.empty()) return;
    if (options_.gather_puts > 1) {
        // While one batch is under way the next gathers.
        if (verifying_ > 0) return;
        const std::size_t coming = puts_.size() - held_.size() - written_.size();
        if (coming > 0 && written_.size() < options_.gather_puts &&
            written_bytes_ < options_.gather_bytes && now - written_since_ < options_.gather_wait) {
            return;
        }
    }
    ++counts_.batches;
    verifying_ += written_.size();
    for (const ContentId& id : written_) effects.push_back(BlobVerify{id});
    written_.clear();
    written_bytes_ = 0;
}

std::optional<Time> BlobCore::gather_until() const noexcept {
    if (written_.empty() || verifying_ > 0) return std::nullopt;
    return written_since_ + options_.gather_wait;
}

void BlobCore::verified(const ContentId& id, BlobVerdict verdict, Time now, Effects& effects) {
    Put& put = puts_.at(id);
    SCANMQ_ASSERT(put.verifying && verifying_ > 0);
    --verifying_;
    const Asked owner = put.asked.front();
    Peer* const peer = find(owner.session);  // may have gone meanwhile
    if (verdict != BlobVerdict::kept) {
        const bool mismatch = verdict == BlobVerdict::mismatch;
        counts_.mismatches += mismatch ? 1 : 0;
        ++counts_.puts_failed;
        if (peer != nullptr && !mismatch) {
            refuse(*peer, owner.re, Kind::blob_put, ErrorCode::store_full,
                   "the broker's disk has no room for the blob; wait, or free space", effects);
        } else if (peer != nullptr) {
            refuse(*peer, owner.re, Kind::blob_put, ErrorCode::blob_mismatch,
                   "the bytes do not hash to " + id.hex() + " (BLAKE2b-256); put again", effects);
        }
        pass_on(id, now, effects);
        return verify_written(now, effects);
    }
    blobs_.stored(id, now);
    ++counts_.puts;
    if (peer != nullptr) answer(*peer, BlobStored{owner.re, id, owner.put.size}, effects);
    leave_front(put);
    while (!put.asked.empty()) {
        const Asked& waiting = put.asked.front();
        Peer& other = *find(waiting.session);
        if (waiting.put.size == owner.put.size) {
            answer(other, BlobReady{waiting.re, id, true, other.in.limit()}, effects);
        } else {
            refuse(other, waiting.re, Kind::blob_put, ErrorCode::blob_mismatch,
                   "the blob of this id has " + std::to_string(owner.put.size) + " bytes", effects);
        }
        leave_front(put);
    }
    give_up_memory(id, put);
    puts_.erase(id);
    start_held(now, effects);
    verify_written(now, effects);
}

void BlobCore::forget_transfers(Peer& peer, Time now, Effects& effects) {
    for (const Get& get : std::exchange(peer.gets, {})) end_get(get, now, effects);
    if (peer.puts == 0) return;
    std::vector<ContentId> owned;
    for (auto& [id, put] : puts_) {
        if (owns(peer, put)) owned.push_back(id);
        // Behind the owner; one being verified is seen to its end, whoever began it.
        const auto gone = std::remove_if(put.asked.begin() + 1, put.asked.end(),
                                         [&](const Asked& a) { return a.session == peer.session; });
        peer.puts -= static_cast<std::uint32_t>(put.asked.end() - gone);
        put.asked.erase(gone, put.asked.end());
    }
    for (const ContentId& id : owned) pass_on(id, now, effects);
}

}  // namespace scanmq::broker
