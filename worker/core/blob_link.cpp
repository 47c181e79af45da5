#include "worker/core/blob_link.hpp"

#include <algorithm>

namespace scanmq::worker {

namespace {

using protocol::ErrorCode;
using protocol::Link;

}  // namespace

void BlobLink::open(protocol::SessionId session, const protocol::Limits& limits, Time now) {
    close();
    session_ = session;
    limits_ = limits;
    disconnected_at_ = now;
}

void BlobLink::close() {
    session_ = {};
    connected_ = false;
    seq_ = 0;
    in_.reset();
    out_.reset();
    puts_.clear();
    for (auto get = active_.rbegin(); get != active_.rend(); ++get) waiting_.push_front(get->id);
    active_.clear();
}

void BlobLink::connected(Time now, BlobEffects& effects) {
    if (session_.value == 0) return;
    connected_ = true;
    // What was granted may have been used up by chunks that were lost with the old connection.
    in_.write_off();
    for (auto get = active_.rbegin(); get != active_.rend(); ++get) waiting_.push_front(get->id);
    active_.clear();
    if (!puts_.empty()) {
        puts_.front().seq = 0;
        puts_.front().ready = false;
        puts_.front().offset = 0;
    }
    begin_gets(now, effects);
    begin_put(now, effects);
}

void BlobLink::disconnected(Time now) {
    if (!connected_) return;
    connected_ = false;
    disconnected_at_ = now;
}

void BlobLink::get(const ContentId& id, Time now, BlobEffects& effects) {
    waiting_.push_back(id);
    begin_gets(now, effects);
}

void BlobLink::put(AttemptId attempt, const ContentId& id, ByteView bytes, Time now,
                   BlobEffects& effects) {
    if (session_.value == 0) return;
    puts_.push_back({attempt, id, bytes, 0, false, 0, now});
    begin_put(now, effects);
}

void BlobLink::begin_gets(Time now, BlobEffects& effects) {
    while (connected_ && active_.size() < options_.gets_max && !waiting_.empty()) {
        Get get;
        get.id = waiting_.front();
        get.progress = now;
        waiting_.pop_front();
        send(protocol::BlobGet{get.id, grant(), protocol::kTakesZstd}, effects);
        get.seq = seq_;
        active_.push_back(std::move(get));
    }
}

void BlobLink::begin_put(Time now, BlobEffects& effects) {
    if (!connected_ || puts_.empty() || puts_.front().seq != 0) return;
    Put& put = puts_.front();
    put.progress = now;
    send(protocol::BlobPut{put.id, put.bytes.size(), protocol::BlobType::body, {}}, effects);
    put.seq = seq_;
}

void BlobLink::on_frame(const protocol::Frame& frame, Time now, BlobEffects& effects) {
    if (const auto* error = std::get_if<protocol::Error>(&frame.message)) {
        return on_error(*error, now, effects);
    }
    if (!connected_ || frame.header.session != session_) return;
    if (const auto* chunk = std::get_if<protocol::BlobChunk>(&frame.message)) {
        return on_chunk(*chunk, now, effects);
    }
    if (const auto* info = std::get_if<protocol::BlobInfo>(&frame.message)) {
        return on_info(*info, now, effects);
    }
    if (const auto* ready = std::get_if<protocol::BlobReady>(&frame.message)) {
        return on_ready(*ready, now, effects);
    }
    if (const auto* credit = std::get_if<protocol::CreditGrant>(&frame.message)) {
        if (credit->link != Link::blob_in) return;
        out_.raise(credit->limit);
        return send_chunks(now, effects);
    }
    if (const auto* stored = std::get_if<protocol::BlobStored>(&frame.message)) {
        if (!puts_.empty() && puts_.front().id == stored->id)
            finish_put(ErrorCode::none, {}, now, effects);
    }
}

void BlobLink::on_info(const protocol::BlobInfo& info, Time now, BlobEffects& effects) {
    const auto get =
        std::find_if(active_.begin(), active_.end(), [&](const Get& g) { return g.id == info.id; });
    if (get == active_.end() || get->size.has_value()) return;
    const auto index = static_cast<std::size_t>(get - active_.begin());
    if (info.size > limits_.blob_bytes_max) {
        return fail_get(index, ErrorCode::over_limit,
                        "blob " + info.id.hex() + " is over blob_bytes_max", false, now, effects);
    }
    get->encoding = info.encoding;
    get->raw_size = info.size;
    const bool raw = info.encoding == protocol::BlobEncoding::raw;
    if (!raw && (info.stored_size == 0 || info.stored_size > info.size)) {
        return fail_get(index, ErrorCode::malformed,
                        "stored_size of blob " + info.id.hex() + " is not within its size", false,
                        now, effects);
    }
    get->size = raw ? info.size : info.stored_size;
    get->bytes.reserve(*get->size);
    get->progress = now;
    if (info.size == 0) finish_get(index, now, effects);
}

void BlobLink::on_chunk(const protocol::BlobChunk& chunk, Time now, BlobEffects& effects) {
    if (!in_.receive({1, chunk.bytes.size()})) {
        send(protocol::Error{0, protocol::Kind::blob_chunk, ErrorCode::over_credit,
                             "chunks beyond the credit of this worker"},
             effects);
        disconnected(now);
        effects.reconnect = true;
        return;
    }
    const auto get = std::find_if(active_.begin(), active_.end(),
                                  [&](const Get& g) { return g.id == chunk.id; });
    if (get != active_.end()) {
        const auto index = static_cast<std::size_t>(get - active_.begin());
        if (!get->size || chunk.offset != get->bytes.size() ||
            chunk.bytes.size() > *get->size - get->bytes.size()) {
            fail_get(index, ErrorCode::bad_chunk,
                     "a chunk of " + chunk.id.hex() + " is out of order", true, now, effects);
        } else {
            get->bytes.append(chunk.bytes);
            if (get->encoding == protocol::BlobEncoding::raw) get->hasher.update(chunk.bytes);
            get->progress = now;
            if (get->bytes.size() == *get->size) finish_get(index, now, effects);
        }
    }
    if (!active_.empty() && in_.unused().items < options_.window_chunks / 2) {
        send(protocol::CreditGrant{Link::blob_out, {}, 0, grant()}, effects);
    }
}

void BlobLink::finish_get(std::size_t index, Time now, BlobEffects& effects) {
    Get& get = active_[index];
    if (get.encoding == protocol::BlobEncoding::raw && get.hasher.finish() != get.id) {
        return fail_get(index, ErrorCode::blob_mismatch,
                        "the bytes of " + get.id.hex() + " do not hash to it", true, now, effects);
    }
    effects.got.push_back(
        {get.id, std::move(get.bytes), ErrorCode::none, {}, false, get.encoding, get.raw_size});
    active_.erase(active_.begin() + static_cast<std::ptrdiff_t>(index));
    begin_gets(now, effects);
}

void BlobLink::fail_get(std::size_t index, ErrorCode code, std::string sentence, bool retry,
                        Time now, BlobEffects& effects) {
    effects.got.push_back({active_[index].id, {}, code, std::move(sentence), retry, {}, 0});
    active_.erase(active_.begin() + static_cast<std::ptrdiff_t>(index));
    begin_gets(now, effects);
}

void BlobLink::on_ready(const protocol::BlobReady& ready, Time now, BlobEffects& effects) {
    if (puts_.empty() || puts_.front().id != ready.id || puts_.front().ready) return;
    if (ready.have) return finish_put(ErrorCode::none, {}, now, effects);
    puts_.front().ready = true;
    out_.raise(ready.limit);
    send_chunks(now, effects);
}

void BlobLink::send_chunks(Time now, BlobEffects& effects) {
    if (puts_.empty() || !puts_.front().ready) return;
    Put& put = puts_.front();
    while (put.offset < put.bytes.size()) {
        const ByteView piece = put.bytes.substr(put.offset, limits_.chunk_bytes);
        if (!out_.affords({1, piece.size()})) return;
        out_.send({1, piece.size()});
        send(protocol::BlobChunk{put.id, put.offset, piece}, effects);
        put.offset += piece.size();
        put.progress = now;
    }
}

void BlobLink::finish_put(ErrorCode code, std::string sentence, Time now, BlobEffects& effects) {
    const Put& put = puts_.front();
    effects.stored.push_back({put.attempt, put.id, put.bytes.size(), code, std::move(sentence)});
    puts_.pop_front();
    begin_put(now, effects);
}

void BlobLink::on_error(const protocol::Error& error, Time now, BlobEffects& effects) {
    std::string sentence = std::string(protocol::to_string(error.code)) + ": " + error.sentence;
    for (std::size_t i = 0; i < active_.size(); ++i) {
        if (active_[i].seq != error.re || error.re_kind != protocol::Kind::blob_get) continue;
        const bool gone = error.code == ErrorCode::unknown_blob;
        return fail_get(i, gone ? ErrorCode::unknown_snapshot : error.code, std::move(sentence),
                        !gone, now, effects);
    }
    const bool of_put =
        error.re_kind == protocol::Kind::blob_put || error.re_kind == protocol::Kind::blob_chunk;
    if (of_put && !puts_.empty() && puts_.front().seq != 0) {
        finish_put(error.code, std::move(sentence), now, effects);
    }
}

void BlobLink::tick(Time now, BlobEffects& effects) {
    if (session_.value != 0 && !connected_) return give_up_unconnected(now, effects);
    for (std::size_t i = 0; i < active_.size();) {
        if (now < active_[i].progress + options_.patience) {
            ++i;
            continue;
        }
        fail_get(i, ErrorCode::unknown_snapshot,
                 "the broker sent nothing of blob " + active_[i].id.hex() + " for too long", true,
                 now, effects);
        i = 0;  // another may have taken its place
    }
    if (!puts_.empty() && puts_.front().seq != 0 &&
        now >= puts_.front().progress + options_.patience) {
        finish_put(ErrorCode::snapshots_full,
                   "the broker took nothing of the result's blob for too long", now, effects);
        disconnected(now);  // half a put is under way: only a new connection ends it
        effects.reconnect = true;
    }
}

void BlobLink::give_up_unconnected(Time now, BlobEffects& effects) {
    if (now < disconnected_at_ + options_.patience) return;
    const char* sentence = "the broker's blob endpoint cannot be reached from this worker";
    for (const Get& get : active_) waiting_.push_back(get.id);
    active_.clear();
    for (const ContentId& id : waiting_) {
        effects.got.push_back({id, {}, ErrorCode::unknown_snapshot, sentence, true, {}, 0});
    }
    waiting_.clear();
    for (const Put& put : puts_) {
        effects.stored.push_back(
            {put.attempt, put.id, put.bytes.size(), ErrorCode::snapshots_full, sentence});
    }
    puts_.clear();
    disconnected_at_ = now;
}

std::optional<Time> BlobLink::next_deadline() const {
    if (session_.value == 0 || (gets() == 0 && puts_.empty())) return std::nullopt;
    if (!connected_) return disconnected_at_ + options_.patience;
    std::optional<Time> due;
    const auto consider = [&](Time progress) {
        const Time at = progress + options_.patience;
        if (!due || at < *due) due = at;
    };
    for (const Get& get : active_) consider(get.progress);
    if (!puts_.empty() && puts_.front().seq != 0) consider(puts_.front().progress);
    return due;
}

void BlobLink::send(protocol::Message message, BlobEffects& effects) {
    effects.sends.push_back({{protocol::kWorker, session_, ++seq_}, std::move(message)});
}

protocol::Credit BlobLink::grant() noexcept {
    in_.raise(plus(in_.received(), {options_.window_chunks,
                                    std::uint64_t{options_.window_chunks} * limits_.chunk_bytes}));
    return in_.limit();
}

}  // namespace scanmq::worker
