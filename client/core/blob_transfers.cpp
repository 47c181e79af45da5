#include "client/core/blob_transfers.hpp"

#include <algorithm>
#include <utility>

namespace scanmq::client {

using protocol::ErrorCode;
using protocol::Kind;
using protocol::Link;

BlobTransfers::BlobTransfers(std::uint32_t chunks_ahead, std::uint64_t accepts, Outbox& outbox)
    : chunks_ahead_(std::max(chunks_ahead, 4U)), accepts_(accepts), outbox_(outbox) {}

void BlobTransfers::put(BlobPutJob put) { puts_.push_back(std::move(put)); }

void BlobTransfers::get(std::uint64_t request, const ContentId& id, Time deadline) {
    gets_.push_back({request, id, deadline, 0, false, {}, 0, 0});
}

bool BlobTransfers::forget(std::uint64_t request) {
    if (std::erase_if(gets_, [&](const Get& get) { return get.request == request; }) > 0) {
        return true;
    }
    for (std::size_t i = 0; i < puts_.size(); ++i) {
        if (puts_[i].request == request) {
            drop_put(i);
            return true;
        }
    }
    return false;
}

void BlobTransfers::drop_put(std::size_t index) {
    puts_.erase(puts_.begin() + static_cast<std::ptrdiff_t>(index));
    if (index > 0) return;
    put_seq_ = 0;
    put_ready_ = false;
    put_restarts_ = 0;
}

void BlobTransfers::opened(const std::string& endpoint, const protocol::Limits& limits,
                           Duration stalled_after, Now now) {
    endpoint_ = endpoint;
    limits_ = limits;
    stalled_after_ = stalled_after;
    open_ = true;
    first_seq_ = outbox_.last_seq(Socket::blob) + 1;
    progress_ = now.time;
    // A connection is bound to the session that used it first.
    if (!fresh_) connected_to_.clear();
}

void BlobTransfers::lost() {
    open_ = false;
    used_ = false;
    put_seq_ = 0;
    put_ready_ = false;
    put_credit_.reset();
    get_credit_.reset();
    for (Get& get : gets_) {
        get.seq = 0;
        get.sized = false;
        get.blob.bytes.clear();
    }
}

bool BlobTransfers::connected(Now now) {
    const bool again = used_ && open_;
    outbox_.act(DropQueued{Socket::blob});
    outbox_.reset(Socket::blob);
    first_seq_ = 1;
    connected_ = true;
    fresh_ = true;
    progress_ = now.time;
    return again;
}

bool BlobTransfers::under_way() const noexcept {
    return put_seq_ != 0 ||
           std::any_of(gets_.begin(), gets_.end(), [](const Get& g) { return g.seq != 0; });
}

void BlobTransfers::pump(bool writable, Now now) {
    if (!open_ || idle()) return;
    if (connected_to_ != endpoint_) {
        connected_to_ = endpoint_;
        connected_ = false;
        fresh_ = true;
        outbox_.reset(Socket::blob);
        outbox_.act(Connect{Socket::blob, endpoint_});
    }
    if (!connected_ || !writable) return;
    if (!under_way()) progress_ = now.time;
    begin_put();
    begin_gets();
    send_chunks();
}

void BlobTransfers::begin_put() {
    if (put_seq_ != 0 || puts_.empty()) return;
    const BlobPutJob& put = puts_.front();
    put_ready_ = false;
    put_offset_ = 0;
    fresh_ = false;
    used_ = true;
    const bool encoded = !put.zstd.empty() && (limits_.blob_encodings & protocol::kTakesZstd) != 0;
    put_bytes_ = encoded ? put.zstd : put.bytes;
    put_seq_ = outbox_.blob(protocol::BlobPut{
        put.id, put.bytes.size(), put.type, put.label,
        encoded ? protocol::BlobEncoding::zstd : protocol::BlobEncoding::raw, put_bytes_.size()});
}

void BlobTransfers::begin_gets() {
    for (Get& get : gets_) {
        if (get.seq != 0) continue;
        get_credit_.raise(window());
        fresh_ = false;
        used_ = true;
        get.seq = outbox_.blob(protocol::BlobGet{get.id, get_credit_.limit(), accepts_});
    }
}

void BlobTransfers::send_chunks() {
    if (!put_ready_ || puts_.empty()) return;
    const BlobPutJob& put = puts_.front();
    while (put_offset_ < put_bytes_.size()) {
        const ByteView bytes = put_bytes_.substr(put_offset_, limits_.chunk_bytes);
        if (!put_credit_.affords({1, bytes.size()})) return;
        put_credit_.send({1, bytes.size()});
        outbox_.blob(protocol::BlobChunk{put.id, put_offset_, bytes});
        put_offset_ += bytes.size();
    }
}

void BlobTransfers::finish_put(Result<ContentId> result) {
    outbox_.notify(PutDone{puts_.front().request, std::move(result)});
    drop_put(0);
}

void BlobTransfers::finish_get(std::size_t index, Result<BlobFetched> result) {
    outbox_.notify(GetDone{gets_[index].request, std::move(result)});
    gets_.erase(gets_.begin() + static_cast<std::ptrdiff_t>(index));
}

void BlobTransfers::on_frame(const protocol::Message& message, Now now) {
    progress_ = now.time;
    if (const auto* ready = std::get_if<protocol::BlobReady>(&message)) {
        on_ready(*ready);
    } else if (const auto* chunk = std::get_if<protocol::BlobChunk>(&message)) {
        on_chunk(*chunk);
    } else if (const auto* credit = std::get_if<protocol::CreditGrant>(&message)) {
        if (credit->link != Link::blob_in) return;
        put_credit_.raise(credit->limit);
    } else if (const auto* stored = std::get_if<protocol::BlobStored>(&message)) {
        on_stored(*stored);
    } else if (const auto* info = std::get_if<protocol::BlobInfo>(&message)) {
        on_info(*info);
    } else if (const auto* error = std::get_if<protocol::Error>(&message)) {
        on_error(*error);
    }
}

void BlobTransfers::on_ready(const protocol::BlobReady& ready) {
    put_credit_.raise(ready.limit);
    if (put_seq_ == 0 || ready.re != put_seq_) return;
    if (ready.have) {
        finish_put(ready.id);
    } else {
        put_ready_ = true;
    }
}

void BlobTransfers::on_stored(const protocol::BlobStored& stored) {
    if (put_seq_ != 0 && stored.re == put_seq_) finish_put(stored.id);
}

void BlobTransfers::on_info(const protocol::BlobInfo& info) {
    for (std::size_t i = 0; i < gets_.size(); ++i) {
        Get& get = gets_[i];
        if (get.seq == 0 || get.seq != info.re) continue;
        if (info.size > limits_.blob_bytes_max) {
            finish_get(i, fail(Error{ErrorKind::invalid, ErrorCode::over_limit,
                                     "the blob is larger than blob_bytes_max"}));
            return;
        }
        const bool raw = info.encoding == protocol::BlobEncoding::raw;
        if (!raw && ((accepts_ & protocol::kTakesZstd) == 0 || info.stored_size == 0 ||
                     info.stored_size > info.size)) {
            finish_get(i, fail(Error{ErrorKind::invalid, ErrorCode::malformed,
                                     "the broker sends the blob in an encoding, or of a size, that "
                                     "it was not asked for"}));
            return;
        }
        get.sized = true;
        get.size = raw ? info.size : info.stored_size;
        get.blob.encoding = info.encoding;
        get.blob.size = info.size;
        get.blob.type = info.type;
        get.blob.label = info.label;
        get.blob.bytes.reserve(get.size);
        return;
    }
}

void BlobTransfers::on_chunk(const protocol::BlobChunk& chunk) {
    if (!get_credit_.receive({1, chunk.bytes.size()})) {
        outbox_.blob(protocol::Error{0, protocol::Kind::blob_chunk, ErrorCode::over_credit,
                                     "the chunk passes the blob_out credit of this client"});
        return;
    }
    for (std::size_t i = gets_.size(); i-- > 0;) {
        Get& get = gets_[i];
        // Not its turn: a chunk of an earlier get of the same blob that was given up.
        if (!get.sized || get.id != chunk.id || get.blob.bytes.size() != chunk.offset) continue;
        if (get.size - chunk.offset < chunk.bytes.size()) continue;
        get.blob.bytes.append(chunk.bytes);
        if (get.blob.bytes.size() < get.size) continue;
        if (get.blob.encoding != protocol::BlobEncoding::raw ||
            content_id(get.blob.bytes) == get.id) {
            finish_get(i, std::move(get.blob));
        } else if (++get.restarts > kRestartsMax) {
            finish_get(i, fail(Error{ErrorKind::refused, ErrorCode::blob_mismatch,
                                     "the bytes received do not hash to the id"}));
        } else {
            get.seq = 0;
            get.sized = false;
            get.blob.bytes.clear();
        }
    }
    grant();
}

void BlobTransfers::grant() {
    if (gets_.empty()) return;
    if (get_credit_.unused().items * 4 > chunks_ahead_) return;
    get_credit_.raise(window());
    outbox_.blob(protocol::CreditGrant{Link::blob_out, {}, 0, get_credit_.limit()});
}

protocol::Credit BlobTransfers::window() const noexcept {
    return plus(get_credit_.received(), {chunks_ahead_, chunks_ahead_ * limits_.chunk_bytes});
}

void BlobTransfers::put_again_or_fail(const protocol::Error& error) {
    const bool again = error.code == ErrorCode::bad_chunk || error.code == ErrorCode::blob_mismatch;
    if (again && ++put_restarts_ <= kRestartsMax) {
        put_seq_ = 0;
        put_ready_ = false;
        return;
    }
    finish_put(fail(Error{ErrorKind::refused, error.code, error.sentence}));
}

void BlobTransfers::on_error(const protocol::Error& error) {
    if (error.code == ErrorCode::shutting_down) return;  // begins again in the next session
    const bool of_put =
        put_seq_ != 0 &&
        (error.re == put_seq_ || (error.re_kind == Kind::blob_chunk && error.re > put_seq_));
    if (of_put) {
        put_again_or_fail(error);
        return;
    }
    for (std::size_t i = 0; i < gets_.size(); ++i) {
        if (gets_[i].seq == 0 || gets_[i].seq != error.re) continue;
        finish_get(i, fail(Error{ErrorKind::refused, error.code, error.sentence}));
        return;
    }
}

void BlobTransfers::tick(Now now) {
    const Error late{ErrorKind::timed_out, ErrorCode::none,
                     "the blob was not transferred within the deadline"};
    for (std::size_t i = gets_.size(); i-- > 0;) {
        if (now.time >= gets_[i].deadline) finish_get(i, fail(late));
    }
    for (std::size_t i = puts_.size(); i-- > 0;) {
        if (now.time < puts_[i].deadline) continue;
        outbox_.notify(PutDone{puts_[i].request, fail(late)});
        drop_put(i);
    }
    if (open_ && connected_ && under_way() && now.time - progress_ >= stalled_after_) {
        connected_to_.clear();  // pump() makes a new connection
        connected_ = false;
    }
}

void BlobTransfers::fail_all(const Error& error) {
    while (!gets_.empty()) finish_get(gets_.size() - 1, fail(error));
    while (!puts_.empty()) finish_put(fail(error));
}

Time BlobTransfers::next_deadline() const noexcept {
    Time next = Time::max();
    for (const Get& get : gets_) next = std::min(next, get.deadline);
    for (const BlobPutJob& put : puts_) next = std::min(next, put.deadline);
    if (open_ && connected_ && under_way()) next = std::min(next, progress_ + stalled_after_);
    return next;
}

}  // namespace scanmq::client
