#include "client/core/blob_transfers.hpp"

#include <algorithm>
#include <utility>

namespace scanmq::client {

using protocol::ErrorCode;
using protocol::Link;

BlobTransfers::BlobTransfers(std::uint32_t chunks_ahead, std::uint64_t accepts, Outbox& outbox)
    : chunks_ahead_(std::max(chunks_ahead, 4U)), accepts_(accepts), outbox_(outbox) {}

void BlobTransfers::put(BlobPutJob put) { puts_.push_back({.job = std::move(put)}); }

void BlobTransfers::get(std::uint64_t request, const ContentId& id, Time deadline) {
    gets_.push_back({request, id, deadline, 0, false, {}, 0, 0});
}

bool BlobTransfers::forget(std::uint64_t request) {
    if (std::erase_if(gets_, [&](const Get& get) { return get.request == request; }) > 0) {
        return true;
    }
    return std::erase_if(puts_, [&](const Put& put) { return put.job.request == request; }) > 0;
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
    for (Put& put : puts_) put.begin_again();
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
    return (!puts_.empty() && puts_.front().seq != 0) ||
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
    begin_puts();
    begin_gets();
    send_chunks();
}

void BlobTransfers::begin_puts() {
    std::size_t under_way = 0;
    for (const Put& put : puts_) under_way += put.seq != 0 ? 1 : 0;
    for (std::size_t i = 0; i < puts_ahead(); ++i) {
        Put& put = puts_[i];
        if (put.alone && (put.seq != 0 || under_way > 0)) return;
        if (put.seq != 0) continue;
        // One put of one blob at a time: the second begins when the first has ended.
        const auto until = puts_.begin() + static_cast<std::ptrdiff_t>(i);
        if (std::any_of(puts_.begin(), until,
                        [&](const Put& other) { return other.job.id == put.job.id; })) {
            continue;
        }
        begin(put);
        ++under_way;
        if (put.alone) return;
    }
}

void BlobTransfers::begin(Put& put) {
    put.ready = false;
    put.offset = 0;
    put.first_chunk_seq = put.last_chunk_seq = 0;
    fresh_ = false;
    used_ = true;
    const BlobPutJob& job = put.job;
    const bool encoded = !job.zstd.empty() && (limits_.blob_encodings & protocol::kTakesZstd) != 0;
    put.bytes = encoded ? job.zstd : job.bytes;
    put.seq = outbox_.blob(protocol::BlobPut{
        job.id, job.bytes.size(), job.type, job.label,
        encoded ? protocol::BlobEncoding::zstd : protocol::BlobEncoding::raw, put.bytes.size()});
}

void BlobTransfers::begin_gets() {
    const auto ahead = std::min<std::size_t>(gets_.size(), limits_.blob_gets_per_session_max);
    for (std::size_t i = 0; i < ahead; ++i) {
        Get& get = gets_[i];
        if (get.seq != 0) continue;
        get_credit_.raise(window());
        fresh_ = false;
        used_ = true;
        get.seq = outbox_.blob(protocol::BlobGet{get.id, get_credit_.limit(), accepts_});
    }
}

void BlobTransfers::send_chunks() {
    for (std::size_t i = 0; i < puts_ahead(); ++i) {
        Put& put = puts_[i];
        if (put.seq == 0 || !put.ready) continue;
        while (put.offset < put.bytes.size()) {
            const ByteView bytes = put.bytes.substr(put.offset, limits_.chunk_bytes);
            if (!put_credit_.affords({1, bytes.size()})) return;
            put_credit_.send({1, bytes.size()});
            put.last_chunk_seq = outbox_.blob(protocol::BlobChunk{put.job.id, put.offset, bytes});
            if (put.offset == 0) put.first_chunk_seq = put.last_chunk_seq;
            put.offset += bytes.size();
        }
    }
}

void BlobTransfers::finish_put(std::size_t index, Result<ContentId> result) {
    outbox_.notify(PutDone{puts_[index].job.request, std::move(result)});
    puts_.erase(puts_.begin() + static_cast<std::ptrdiff_t>(index));
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
    const std::size_t index = put_of(ready.re);
    if (index == puts_.size()) return;
    if (ready.have) {
        finish_put(index, ready.id);
    } else {
        puts_[index].ready = true;
    }
}

void BlobTransfers::on_stored(const protocol::BlobStored& stored) {
    const std::size_t index = put_of(stored.re);
    if (index != puts_.size()) finish_put(index, stored.id);
}

// Of the frame that `re` names, its BLOB_PUT or a chunk; puts_.size(): none that is under way.
std::size_t BlobTransfers::put_of(std::uint64_t re) const noexcept {
    for (std::size_t i = 0; i < puts_.size(); ++i) {
        const Put& put = puts_[i];
        if (put.seq == 0) continue;
        const bool chunk =
            put.first_chunk_seq != 0 && re >= put.first_chunk_seq && re <= put.last_chunk_seq;
        if (re == put.seq || chunk) return i;
    }
    return puts_.size();
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

void BlobTransfers::put_again_or_fail(std::size_t index, const protocol::Error& error) {
    Put& put = puts_[index];
    const bool again = error.code == ErrorCode::bad_chunk || error.code == ErrorCode::blob_mismatch;
    if (again && ++put.restarts <= kRestartsMax) {
        begin(put);
        return;
    }
    // What is under way takes room that it may give up to the next one when it has ended.
    const bool beside = std::any_of(puts_.begin(), puts_.end(), [&](const Put& other) {
        return &other != &put && other.seq != 0;
    });
    if (error.code == ErrorCode::snapshots_full && beside && !put.alone) {
        put.alone = true;
        put.begin_again();
        return;
    }
    finish_put(index, fail(Error{ErrorKind::refused, error.code, error.sentence}));
}

void BlobTransfers::on_error(const protocol::Error& error) {
    if (error.code == ErrorCode::shutting_down) return;  // begins again in the next session
    const std::size_t index = put_of(error.re);
    if (index != puts_.size()) {
        put_again_or_fail(index, error);
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
        if (now.time >= puts_[i].job.deadline) finish_put(i, fail(late));
    }
    if (open_ && connected_ && under_way() && now.time - progress_ >= stalled_after_) {
        connected_to_.clear();  // pump() makes a new connection
        connected_ = false;
    }
}

void BlobTransfers::fail_all(const Error& error) {
    while (!gets_.empty()) finish_get(gets_.size() - 1, fail(error));
    while (!puts_.empty()) finish_put(puts_.size() - 1, fail(error));
}

Time BlobTransfers::next_deadline() const noexcept {
    Time next = Time::max();
    for (const Get& get : gets_) next = std::min(next, get.deadline);
    for (const Put& put : puts_) next = std::min(next, put.job.deadline);
    if (open_ && connected_ && under_way()) next = std::min(next, progress_ + stalled_after_);
    return next;
}

}  // namespace scanmq::client
