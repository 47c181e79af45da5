#pragma once
// BlobCore: the decisions of the blob socket: who may put and get which blob, in what order, under
//           what credit.
//
// Role:      beside BrokerCore, on the same loop; both share the BlobTable (BrokerCore pins what
//            jobs use).
// Threads:   broker loop only. No IO, no clock, no bytes but those of a chunk passing through.
// Owns:      bindings of connections to sessions, puts and gets under way. Borrows: BlobTable.
// Invariant: a blob is stored only after verified(id, kept); one being sent or prepared is pinned;
//            nobody is sent, or taken from, beyond the credit of his session.
// Encoding:  a blob is held as its first putter sent it, and sent so to who takes that; for others
//            it is decoded once, and the bytes are kept while somebody gets them.
// Limits:    BlobOptions; over them the peer gets over_limit.
// See:       docs/PROTOCOL.md, sections 7 and 9

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "broker/core/blob_table.hpp"
#include "broker/core/events.hpp"
#include "common/protocol/credit.hpp"
#include "common/protocol/limits.hpp"

namespace scanmq::broker {

struct BlobOptions {
    std::uint32_t window_chunks = 32;  // most that one session is granted ahead
    std::uint32_t puts_per_session_max = protocol::kLimits.blob_puts_per_session_max;
    std::uint32_t gets_per_session_max = protocol::kLimits.blob_gets_per_session_max;
    std::uint32_t blob_bytes_max = protocol::kLimits.blob_bytes_max;
    // Of all puts under way, which are in memory, and what was decoded to be sent; more wait for
    // their BLOB_READY or BLOB_INFO. One goes always.
    std::uint64_t put_bytes_max = ~std::uint64_t{0};
    std::uint32_t chunks_per_pump = 8;  // of one session in one pump()
    // A put without a chunk for so long is given up; so is a get of decoded bytes without credit.
    Duration put_idle = std::chrono::seconds(30);
    // What was written waits for the puts that are coming in meanwhile, so that many are made durable
    // together (each sync of the disk holds up those of jobs): until there are none, or so many, or
    // so many bytes, or for so long. 1: each by itself, at once.
    std::size_t gather_puts = 64;
    std::uint64_t gather_bytes = 1U << 20;
    Duration gather_wait = std::chrono::milliseconds(5);
};

struct BlobSend {
    ConnectionId to;
    protocol::Header header;
    protocol::Message message;
    std::uint32_t
        chunk_bytes{};  // BLOB_CHUNK: the shell fills in so many bytes from the chunk's offset
    bool decoded{};     // of what BlobPrepare made, not of what is stored
};
struct BlobBegin {  // make room for the bytes; what was written for this id is void
    ContentId id;
    std::uint64_t bytes{};
};
struct BlobWrite {
    ContentId id;
    std::uint64_t offset{};
    ByteView bytes;  // borrows from the frame
};
// What came of BlobVerify.
enum class BlobVerdict : std::uint8_t {
    kept,      // the bytes hash to their id, and are as durable as the broker's state
    mismatch,  // they do not
    no_room,   // they do, but could not be kept
};
// All is written: hash it, off the loop if large, keep it, and call verified(). Those of one batch
// follow each other, and belong into one sync.
struct BlobVerify {
    ContentId id;
};
struct BlobDrop {
    ContentId id;
};
// Make it ready to be sent, off the loop, and call prepared(): hash what was not since the start, and
// decode it for peers that do not take its encoding.
struct BlobPrepare {
    ContentId id;
    bool decode{};
};
struct BlobForget {  // the decoded bytes
    ContentId id;
};
using BlobEffect =
    std::variant<BlobSend, BlobBegin, BlobWrite, BlobVerify, BlobDrop, BlobPrepare, BlobForget>;

class BlobCore {
  public:
    using SessionOpen = std::function<bool(protocol::SessionId)>;

    BlobCore(const BlobOptions& options, BlobTable& blobs, SessionOpen session_open);
    ~BlobCore();
    BlobCore(const BlobCore&) = delete;
    BlobCore& operator=(const BlobCore&) = delete;

    // All append to effects, to be obeyed in order.
    void frame(ConnectionId from, const protocol::Frame& frame, Time now,
               std::vector<BlobEffect>& effects);
    void bad_frame(ConnectionId from, const protocol::DecodeError& error,
                   std::vector<BlobEffect>& effects);
    void disconnected(ConnectionId from, Time now, std::vector<BlobEffect>& effects);
    // The answer to BlobVerify.
    void verified(const ContentId& id, BlobVerdict verdict, Time now,
                  std::vector<BlobEffect>& effects);

    // The answer to BlobPrepare; not `ok`: its bytes cannot be read, or are others.
    void prepared(const ContentId& id, bool decode, bool ok, Time now,
                  std::vector<BlobEffect>& effects);

    // Sends chunks under credit, a few of each session. True: there is more that could go at once.
    bool pump(Time now, std::vector<BlobEffect>& effects);
    // Its outgoing queue is full, or has room again: pump() leaves it out meanwhile.
    void set_blocked(ConnectionId connection, bool blocked);

    // Gives up idle puts and what belonged to sessions that closed. Call about every second.
    void tick(Time now, std::vector<BlobEffect>& effects);
    // When what was written has waited for others long enough: verify_written() is due.
    [[nodiscard]] std::optional<Time> gather_until() const noexcept;
    // Hands over what was written, when it need not wait for others any more.
    void verify_written(Time now, std::vector<BlobEffect>& effects);
    [[nodiscard]] bool idle() const noexcept { return peers_.empty(); }

    // Name and value: puts, gets, bytes, refusals.
    [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> counters() const;

  private:
    struct Get {
        ContentId id;
        std::uint64_t re{};
        bool decode{};
        bool ready{};  // its BLOB_INFO was sent
        std::uint64_t offset{};
        std::uint64_t size{};  // of what is sent
        Time progress{};
    };
    // Bytes that are being made ready, or were decoded and are being sent.
    struct Form {
        std::uint32_t users{};  // gets
        bool waiting{};         // for memory: in held_forms_
        bool ready{};
        std::uint64_t taken{};
    };
    struct FormKey {
        ContentId id;
        bool decode{};
        bool operator<(const FormKey& other) const noexcept {
            return std::tie(id, decode) < std::tie(other.id, other.decode);
        }
    };
    struct Peer {
        protocol::SessionId session;
        ConnectionId connection;
        std::uint64_t seq{};          // of what was sent to it
        protocol::CreditReceiver in;  // blob_in
        protocol::CreditSender out;   // blob_out
        std::uint32_t puts{};         // owned or waited for
        std::deque<Get> gets;         // served in order, once ready
        std::vector<ContentId>
            failed;  // puts that ended in an error: the chunks under way are dropped quietly
        bool blocked{};
    };
    // Somebody who asked for a put: the first owns it, the others wait for its end.
    struct Asked {
        protocol::SessionId session;
        std::uint64_t re{};
        protocol::BlobPut put;
    };
    struct Put {
        std::deque<Asked> asked;  // front: the owner
        std::uint64_t offset{};
        Time progress{};
        bool verifying{};
        bool waiting{};         // for memory: in held_
        std::uint64_t taken{};  // of memory, while it is under way
    };
    struct Counts {
        std::uint64_t puts{}, puts_failed{}, mismatches{}, gets{}, bytes_in{}, bytes_out{},
            refused{}, held{}, decodes{}, damaged{}, full{}, batches{};
    };
    using Effects = std::vector<BlobEffect>;
    using Puts = std::unordered_map<ContentId, Put>;

    Peer* bind(ConnectionId from, const protocol::Header& header, Time now, Effects& effects);
    void on_put(Peer& peer, std::uint64_t seq, const protocol::BlobPut& put, Time now,
                Effects& effects);
    void on_chunk(Peer& peer, std::uint64_t seq, const protocol::BlobChunk& chunk, Time now,
                  Effects& effects);
    void on_get(Peer& peer, std::uint64_t seq, const protocol::BlobGet& get, Time now,
                Effects& effects);
    void send_info(Peer& peer, Get& get, Time now, Effects& effects);
    void give_up_idle_gets(Time now, Effects& effects);
    // Makes it ready when there is memory.
    void prepare(const FormKey& key, Form& form, Time now, Effects& effects);
    // A get is over: its pin and its share in decoded bytes go.
    void end_get(const Get& get, Time now, Effects& effects);
    void drop_form(const FormKey& key, Effects& effects);
    void refuse_gets(const FormKey& key, Time now, Effects& effects);
    void on_credit(Peer& peer, std::uint64_t seq, const protocol::CreditGrant& grant,
                   Effects& effects);

    [[nodiscard]] bool fits_memory(std::uint64_t bytes) const noexcept {
        return put_bytes_ == 0 || put_bytes_ + bytes <= options_.put_bytes_max;
    }
    // The put takes no memory any more and waits for none.
    void give_up_memory(const ContentId& id, Put& put);
    // Begins those that waited for memory and fit now; gets first.
    void start_held(Time now, Effects& effects);
    // Makes the first of put.asked its owner, at once or when there is memory; false when there is no room (it was told).
    bool start(const ContentId& id, Put& put, Time now, Effects& effects);
    [[nodiscard]] std::string why_full(std::uint64_t bytes) const;
    void take(Peer& peer, std::uint64_t seq, const protocol::BlobChunk& chunk, Put& put, Time now,
              Effects& effects);
    [[nodiscard]] static bool owns(const Peer& peer, const Put& put);
    void leave_front(Put& put);
    // The owner is gone or failed: the next takes over, or the put ends.
    void pass_on(const ContentId& id, Time now, Effects& effects);
    // The peer asked for these no longer: its puts pass on, its gets end.
    void forget_transfers(Peer& peer, Time now, Effects& effects);
    void drop_peer(protocol::SessionId session, Time now, Effects& effects);
    void fail_put(Peer& peer, const ContentId& id);

    void answer(Peer& peer, protocol::Message message, Effects& effects, std::uint32_t chunk = 0);
    void refuse(Peer& peer, std::uint64_t re, protocol::Kind kind, protocol::ErrorCode code,
                std::string sentence, Effects& effects);
    void refuse(ConnectionId to, const protocol::Header& header, protocol::Kind kind,
                protocol::ErrorCode code, std::string sentence, Effects& effects);
    [[nodiscard]] Peer* find(protocol::SessionId session);
    [[nodiscard]] protocol::Credit window(const Peer& peer) const;
    bool pump(Peer& peer, Time now, Effects& effects);

    BlobOptions options_;
    BlobTable& blobs_;
    SessionOpen session_open_;
    std::unordered_map<protocol::SessionId, Peer> peers_;
    std::unordered_map<ConnectionId, protocol::SessionId> connections_;
    Puts puts_;
    std::deque<ContentId> held_;
    std::vector<ContentId> written_;  // not handed over yet
    std::uint64_t written_bytes_ = 0;
    Time written_since_{};       // the first of them
    std::size_t verifying_ = 0;  // handed over
    std::map<FormKey, Form> forms_;
    std::deque<FormKey> held_forms_;
    std::uint64_t put_bytes_ = 0;  // of those under way, and of what is decoded
    Counts counts_;
};

}  // namespace scanmq::broker
