// BlobCore's gets: from BLOB_GET over what makes the bytes ready to the last chunk.

#include <algorithm>

#include "broker/core/blob_core.hpp"
#include "common/base/assert.hpp"

namespace scanmq::broker {

using protocol::BlobChunk;
using protocol::BlobEncoding;
using protocol::BlobGet;
using protocol::BlobInfo;
using protocol::CreditGrant;
using protocol::ErrorCode;
using protocol::Kind;
using protocol::kLimits;
using protocol::Link;

void BlobCore::on_get(Peer& peer, std::uint64_t seq, const BlobGet& get, Time now,
                      Effects& effects) {
    peer.out.raise(get.limit);
    const BlobRecord* const blob = blobs_.find(get.id);
    if (blob == nullptr) {
        return refuse(peer, seq, Kind::blob_get, ErrorCode::unknown_blob,
                      "blob " + get.id.hex() + " is not in the store; put it again", effects);
    }
    if (peer.gets.size() >= options_.gets_per_session_max) {
        return refuse(peer, seq, Kind::blob_get, ErrorCode::over_limit,
                      "blob_gets_per_session_max is " +
                          std::to_string(options_.gets_per_session_max) +
                          "; wait until one under way has ended",
                      effects);
    }
    const bool decode =
        blob->encoding == BlobEncoding::zstd && (get.accepts & protocol::kTakesZstd) == 0;
    blobs_.pin(get.id, now);
    ++counts_.gets;
    Get& added = peer.gets.emplace_back(Get{get.id, seq, decode, false, 0, 0, now});
    if (!decode && blob->checked) return send_info(peer, added, now, effects);
    const FormKey key{get.id, decode};
    const auto [at, made] = forms_.try_emplace(key);
    ++at->second.users;
    if (at->second.ready) return send_info(peer, added, now, effects);
    if (made) prepare(key, at->second, now, effects);
}

void BlobCore::send_info(Peer& peer, Get& get, Time now, Effects& effects) {
    const BlobRecord& blob = *blobs_.find(get.id);
    get.ready = true;
    get.progress = now;
    get.size = get.decode ? blob.bytes : blob.held_bytes();
    answer(peer,
           BlobInfo{get.re, get.id, blob.bytes, blob.type, blob.label,
                    get.decode ? BlobEncoding::raw : blob.encoding, get.size},
           effects);
}

void BlobCore::prepare(const FormKey& key, Form& form, Time now, Effects& effects) {
    const std::uint64_t bytes = key.decode ? blobs_.find(key.id)->bytes : 0;
    if (bytes != 0 && !fits_memory(bytes)) {
        form.waiting = true;
        held_forms_.push_back(key);
        ++counts_.held;
        return;
    }
    form.taken = bytes;
    put_bytes_ += bytes;
    counts_.decodes += key.decode ? 1 : 0;
    blobs_.pin(key.id, now);  // another thread looks at its bytes until prepared()
    effects.push_back(BlobPrepare{key.id, key.decode});
}

void BlobCore::prepared(const ContentId& id, bool decode, bool ok, Time now, Effects& effects) {
    const FormKey key{id, decode};
    Form& form = forms_.at(key);
    SCANMQ_ASSERT(!form.ready && !form.waiting);
    if (!ok) {
        ++counts_.damaged;
        refuse_gets(key, now, effects);
    } else {
        blobs_.checked(id);
        form.ready = true;
        for (auto& [session, peer] : peers_) {
            for (Get& get : peer.gets) {
                if (get.id == id && get.decode == decode && !get.ready) {
                    send_info(peer, get, now, effects);
                }
            }
        }
    }
    blobs_.unpin(id, now);
    // The bytes of one that was only hashed are where they were.
    if (!ok || !decode || forms_.at(key).users == 0) drop_form(key, effects);
    if (!ok && blobs_.find(id)->pins == 0) {
        blobs_.drop(id);  // so that it can be put again
        effects.push_back(BlobDrop{id});
    }
    start_held(now, effects);
}

void BlobCore::refuse_gets(const FormKey& key, Time now, Effects& effects) {
    for (auto& [session, peer] : peers_) {
        std::erase_if(peer.gets, [&, &peer = peer](const Get& get) {
            if (get.ready || get.id != key.id || get.decode != key.decode) return false;
            refuse(peer, get.re, Kind::blob_get, ErrorCode::unknown_blob,
                   "blob " + key.id.hex() + " is damaged in the store; put it again", effects);
            blobs_.unpin(get.id, now);
            return true;
        });
    }
}

void BlobCore::drop_form(const FormKey& key, Effects& effects) {
    const auto found = forms_.find(key);
    put_bytes_ -= found->second.taken;
    if (found->second.waiting) {
        std::erase_if(held_forms_,
                      [&](const FormKey& held) { return !(held < key || key < held); });
    } else if (key.decode) {
        effects.push_back(BlobForget{key.id});
    }
    forms_.erase(found);
}

void BlobCore::end_get(const Get& get, Time now, Effects& effects) {
    blobs_.unpin(get.id, now);
    const auto found = forms_.find({get.id, get.decode});
    if (found == forms_.end()) return;
    Form& form = found->second;
    // A get of a blob that was checked before is no user of a form.
    if (!get.decode && get.ready) return;
    if (--form.users > 0) return;
    if (form.ready || form.waiting) {
        drop_form({get.id, get.decode}, effects);
        start_held(now, effects);
    }
}

// Decoded bytes take memory that others wait for.
void BlobCore::give_up_idle_gets(Time now, Effects& effects) {
    for (auto& [session, peer] : peers_) {
        for (std::size_t i = 0; i < peer.gets.size();) {
            const Get get = peer.gets[i];
            if (!get.decode || !get.ready || now - get.progress < options_.put_idle) {
                ++i;
                continue;
            }
            peer.gets.erase(peer.gets.begin() + static_cast<std::ptrdiff_t>(i));
            refuse(peer, get.re, Kind::blob_get, ErrorCode::bad_chunk,
                   "no credit came for too long; get the blob again", effects);
            end_get(get, now, effects);
        }
    }
}

void BlobCore::on_credit(Peer& peer, std::uint64_t seq, const CreditGrant& grant,
                         Effects& effects) {
    if (grant.link != Link::blob_out) {
        return refuse(peer, seq, Kind::credit, ErrorCode::malformed,
                      "link must be blob_out (5) in a CREDIT on the blob socket", effects);
    }
    peer.out.raise(grant.limit);
}

bool BlobCore::pump(Peer& peer, Time now, Effects& effects) {
    const auto next = [&] {
        return std::find_if(peer.gets.begin(), peer.gets.end(),
                            [](const Get& get) { return get.ready; });
    };
    for (std::uint32_t i = 0; i < options_.chunks_per_pump; ++i) {
        const auto get = next();
        if (get == peer.gets.end() || peer.blocked) return false;
        const std::uint64_t bytes =
            std::min<std::uint64_t>(get->size - get->offset, kLimits.chunk_bytes);
        if (!peer.out.affords({1, bytes})) return false;
        peer.out.send({1, bytes});
        counts_.bytes_out += bytes;
        answer(peer, BlobChunk{get->id, get->offset, {}}, effects,
               static_cast<std::uint32_t>(bytes));
        std::get<BlobSend>(effects.back()).decoded = get->decode;
        get->offset += bytes;
        get->progress = now;
        if (get->offset == get->size) {
            const Get over = *get;
            peer.gets.erase(get);
            end_get(over, now, effects);
        }
    }
    return next() != peer.gets.end();
}

bool BlobCore::pump(Time now, Effects& effects) {
    bool more = false;
    for (auto& [session, peer] : peers_) {
        if (!peer.gets.empty() && pump(peer, now, effects)) more = true;
    }
    return more;
}

}  // namespace scanmq::broker
