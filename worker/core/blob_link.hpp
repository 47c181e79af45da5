#pragma once
// BlobLink: gets and puts of large bytes on the blob socket of a worker's session.
//
// Role:      a state machine beside WorkerCore; the shell moves its frames and owns the bytes being
//            put.
// Threads:   worker loop only. No IO, no clock.
// Gets:      several at once, the rest wait in order; assembled from chunks under the session's
//            credit, and handed out only when their hash is the id, or as the broker holds them,
//            encoded, for the shell to decode and check. A get outlives its session: it
//            begins anew in the next one.
// Puts:      one at a time, in order; they end with their session.
// Limits:    gets_max under way, each of blob_bytes_max at most; a transfer without progress for
//            `patience` is given up.
// See:       docs/PROTOCOL.md, section 9

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/content_hasher.hpp"
#include "common/protocol/credit.hpp"
#include "worker/core/events.hpp"

namespace scanmq::worker {

struct GotBlob {
    ContentId id;
    std::string bytes;  // empty unless code is none; checked when raw
    protocol::ErrorCode code{};
    std::string sentence;
    bool retry{};  // it may be there another time
    // Not raw: the bytes are to be decoded to `size` bytes, and checked.
    protocol::BlobEncoding encoding{};
    std::uint64_t size{};
};

struct StoredBlob {
    AttemptId attempt;
    ContentId id;
    std::uint64_t size{};
    protocol::ErrorCode code{};
    std::string sentence;
};

struct BlobEffects {
    std::vector<Send> sends;  // on the blob socket; chunks borrow from the puts' bytes
    std::vector<GotBlob> got;
    std::vector<StoredBlob> stored;
    bool reconnect{};  // the connection is of no use any more: make a new one

    void clear() {
        sends.clear();
        got.clear();
        stored.clear();
        reconnect = false;
    }
};

class BlobLink {
  public:
    struct Options {
        std::uint32_t gets_max = 8;
        std::uint32_t window_chunks = 64;  // asked for ahead of what arrived
        Duration patience = std::chrono::seconds(15);
    };

    explicit BlobLink(const Options& options) : options_(options) {}

    // A session begins: nothing is sent before connected().
    void open(protocol::SessionId session, const protocol::Limits& limits, Time now);
    // It ended: puts are forgotten, gets wait for the next.
    void close();
    // The blob socket has a new connection: transfers under way begin anew.
    void connected(Time now, BlobEffects& effects);
    // It lost its connection; transfers wait for the next one.
    void disconnected(Time now);

    // Precondition: this id is not being got already.
    void get(const ContentId& id, Time now, BlobEffects& effects);
    // `bytes` stay until the StoredBlob of this attempt, or close().
    void put(AttemptId attempt, const ContentId& id, ByteView bytes, Time now,
             BlobEffects& effects);

    void on_frame(const protocol::Frame& frame, Time now, BlobEffects& effects);
    // Gives up what made no progress. Call at next_deadline() or later.
    void tick(Time now, BlobEffects& effects);
    [[nodiscard]] std::optional<Time> next_deadline() const;

    [[nodiscard]] std::size_t gets() const noexcept { return active_.size() + waiting_.size(); }
    [[nodiscard]] std::size_t puts() const noexcept { return puts_.size(); }

  private:
    struct Get {
        ContentId id;
        std::uint64_t seq{};                // of its BLOB_GET
        std::optional<std::uint64_t> size;  // of what its chunks carry, once BLOB_INFO said so
        protocol::BlobEncoding encoding{};
        std::uint64_t raw_size{};
        std::string bytes;
        ContentHasher hasher;
        Time progress{};
    };
    struct Put {
        AttemptId attempt;
        ContentId id;
        ByteView bytes;
        std::uint64_t seq{};  // of its BLOB_PUT; 0: not begun
        bool ready{};
        std::uint64_t offset{};  // sent so far
        Time progress{};
    };

    void on_info(const protocol::BlobInfo& info, Time now, BlobEffects& effects);
    void on_chunk(const protocol::BlobChunk& chunk, Time now, BlobEffects& effects);
    void on_ready(const protocol::BlobReady& ready, Time now, BlobEffects& effects);
    void on_error(const protocol::Error& error, Time now, BlobEffects& effects);
    void give_up_unconnected(Time now, BlobEffects& effects);
    void begin_gets(Time now, BlobEffects& effects);
    void begin_put(Time now, BlobEffects& effects);
    void send_chunks(Time now, BlobEffects& effects);
    void finish_get(std::size_t index, Time now, BlobEffects& effects);
    void fail_get(std::size_t index, protocol::ErrorCode code, std::string sentence, bool retry,
                  Time now, BlobEffects& effects);
    void finish_put(protocol::ErrorCode code, std::string sentence, Time now, BlobEffects& effects);
    void send(protocol::Message message, BlobEffects& effects);
    [[nodiscard]] protocol::Credit grant() noexcept;

    Options options_;
    protocol::Limits limits_;
    protocol::SessionId session_;
    bool connected_ = false;
    Time disconnected_at_{};
    std::uint64_t seq_ = 0;
    std::vector<Get> active_;
    std::deque<ContentId> waiting_;
    std::deque<Put> puts_;         // the first is under way
    protocol::CreditReceiver in_;  // link blob_out
    protocol::CreditSender out_;   // link blob_in
};

}  // namespace scanmq::worker
