#include "broker/core/blob_core.hpp"

#include <algorithm>

namespace scanmq::broker {

using protocol::BlobChunk;
using protocol::BlobGet;
using protocol::BlobPut;
using protocol::CreditGrant;
using protocol::ErrorCode;
using protocol::Kind;
using protocol::SessionId;

BlobCore::BlobCore(const BlobOptions& options, BlobTable& blobs, SessionOpen session_open)
    : options_(options), blobs_(blobs), session_open_(std::move(session_open)) {}

BlobCore::~BlobCore() = default;

BlobCore::Peer* BlobCore::find(SessionId session) {
    const auto found = peers_.find(session);
    return found == peers_.end() ? nullptr : &found->second;
}

void BlobCore::answer(Peer& peer, protocol::Message message, Effects& effects,
                      std::uint32_t chunk) {
    effects.push_back(BlobSend{
        peer.connection, {protocol::kBroker, peer.session, ++peer.seq}, std::move(message), chunk});
}

void BlobCore::refuse(Peer& peer, std::uint64_t re, Kind kind, ErrorCode code, std::string sentence,
                      Effects& effects) {
    ++counts_.refused;
    answer(peer, protocol::Error{re, kind, code, std::move(sentence)}, effects);
}

void BlobCore::refuse(ConnectionId to, const protocol::Header& header, Kind kind, ErrorCode code,
                      std::string sentence, Effects& effects) {
    ++counts_.refused;
    effects.push_back(BlobSend{to,
                               {protocol::kBroker, header.session, 0},
                               protocol::Error{header.seq, kind, code, std::move(sentence)},
                               0});
}

// The peer behind a frame; a connection belongs to the session that its last frame named.
BlobCore::Peer* BlobCore::bind(ConnectionId from, const protocol::Header& header, Time now,
                               Effects& effects) {
    const auto bound = connections_.find(from);
    if (bound != connections_.end() && bound->second == header.session) {
        if (session_open_(header.session)) return find(header.session);
        drop_peer(header.session, now, effects);
        return nullptr;
    }
    if (!session_open_(header.session)) return nullptr;
    if (bound != connections_.end()) drop_peer(bound->second, now, effects);
    Peer& peer = peers_[header.session];
    if (peer.session == header.session) {
        // A second connection of the same session: the first is given up, the counts go on.
        connections_.erase(peer.connection);
        forget_transfers(peer, now, effects);
    }
    peer.session = header.session;
    peer.connection = from;
    peer.blocked = false;
    connections_[from] = header.session;
    return &peer;
}

void BlobCore::frame(ConnectionId from, const protocol::Frame& frame, Time now, Effects& effects) {
    const protocol::Header& header = frame.header;
    const Kind kind = kind_of(frame.message);
    Peer* const peer = bind(from, header, now, effects);
    if (peer == nullptr) {
        return refuse(from, header, kind, ErrorCode::unknown_session,
                      "no such session is open on the main socket; HELLO there first", effects);
    }
    if (const auto* put = std::get_if<BlobPut>(&frame.message)) {
        on_put(*peer, header.seq, *put, now, effects);
    } else if (const auto* chunk = std::get_if<BlobChunk>(&frame.message)) {
        on_chunk(*peer, header.seq, *chunk, now, effects);
    } else if (const auto* get = std::get_if<BlobGet>(&frame.message)) {
        on_get(*peer, header.seq, *get, now, effects);
    } else if (const auto* grant = std::get_if<CreditGrant>(&frame.message)) {
        on_credit(*peer, header.seq, *grant, effects);
    } else {
        refuse(*peer, header.seq, kind, ErrorCode::unknown_kind,
               "peers do not send " + std::string(to_string(kind)) + " on the blob socket",
               effects);
    }
    verify_written(now, effects);
}

void BlobCore::bad_frame(ConnectionId from, const protocol::DecodeError& error, Effects& effects) {
    const auto bound = connections_.find(from);
    Peer* const peer = bound == connections_.end() ? nullptr : find(bound->second);
    if (peer != nullptr) {
        refuse(*peer, error.header.seq, error.kind, error.code, error.sentence, effects);
    } else {
        refuse(from, error.header, error.kind, error.code, error.sentence, effects);
    }
}

void BlobCore::disconnected(ConnectionId from, Time now, Effects& effects) {
    const auto bound = connections_.find(from);
    if (bound == connections_.end()) return;
    if (Peer* const peer = find(bound->second)) forget_transfers(*peer, now, effects);
    verify_written(now, effects);
}

void BlobCore::set_blocked(ConnectionId connection, bool blocked) {
    const auto bound = connections_.find(connection);
    if (bound == connections_.end()) return;
    if (Peer* const peer = find(bound->second)) peer->blocked = blocked;
}

void BlobCore::drop_peer(SessionId session, Time now, Effects& effects) {
    const auto found = peers_.find(session);
    if (found == peers_.end()) return;
    forget_transfers(found->second, now, effects);
    connections_.erase(found->second.connection);
    peers_.erase(found);
}

void BlobCore::tick(Time now, Effects& effects) {
    std::vector<SessionId> closed;
    for (const auto& [session, peer] : peers_) {
        if (!session_open_(session)) closed.push_back(session);
    }
    for (const SessionId session : closed) drop_peer(session, now, effects);
    give_up_idle_gets(now, effects);
    std::vector<ContentId> stuck;
    for (const auto& [id, put] : puts_) {
        if (!put.verifying && !put.waiting && now - put.progress >= options_.put_idle)
            stuck.push_back(id);
    }
    for (const ContentId& id : stuck) {
        const Asked& owner = puts_.at(id).asked.front();
        if (Peer* const peer = find(owner.session)) {
            refuse(*peer, owner.re, Kind::blob_put, ErrorCode::bad_chunk,
                   "no chunk came for too long; begin the put again", effects);
            fail_put(*peer, id);
        }
        pass_on(id, now, effects);
    }
    verify_written(now, effects);
}

std::vector<std::pair<std::string, std::uint64_t>> BlobCore::counters() const {
    return {{"blob_puts", counts_.puts},
            {"blob_put_batches", counts_.batches},
            {"blob_puts_failed", counts_.puts_failed},
            {"blob_mismatches", counts_.mismatches},
            {"blob_gets", counts_.gets},
            {"blob_gets_decoded", counts_.decodes},
            {"blob_damaged", counts_.damaged},
            {"blob_raw_bytes", blobs_.raw_bytes()},
            {"blob_bytes_in", counts_.bytes_in},
            {"blob_bytes_out", counts_.bytes_out},
            {"blob_refused", counts_.refused},
            {"blob_puts_held", counts_.held},
            {"blob_puts_full", counts_.full},
            {"blob_put_bytes", put_bytes_},
            {"blob_peers", peers_.size()}};
}

}  // namespace scanmq::broker
