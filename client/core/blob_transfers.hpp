#pragma once
// BlobTransfers: puts and gets over the blob socket, across sessions.
//
// Role:     owned by ClientCore. As many puts are under way as the broker takes of a session, their
//           chunks one after the other; gets, as many as it takes, go side by side under one credit.
// Threads:  the core's.
// Sessions: a transfer that was cut off begins again, until its deadline; a put that went through
//           is found to be there.
// Owns:     the bytes being fetched. Borrows: the bytes being put, until its PutDone (or forget()).
// See:      docs/PROTOCOL.md, section 9

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "client/core/outbox.hpp"
#include "common/protocol/credit.hpp"
#include "common/protocol/limits.hpp"

namespace scanmq::client {

struct BlobPutJob {
    std::uint64_t request{};
    ContentId id;
    ByteView bytes;
    protocol::BlobType type{};
    std::string label;
    Time deadline = Time::max();
    ByteView zstd{};  // a frame of the same bytes, for brokers that take it; stays as long
};

class BlobTransfers {
  public:
    // `accepts`: encodings that gets may come in beside raw.
    BlobTransfers(std::uint32_t chunks_ahead, std::uint64_t accepts, Outbox& outbox);

    void put(BlobPutJob put);
    void get(std::uint64_t request, const ContentId& id, Time deadline);
    bool forget(std::uint64_t request);  // false: it ended already

    void opened(const std::string& endpoint, const protocol::Limits& limits, Duration stalled_after,
                Now now);
    void lost();
    // True: what was sent on the old connection may be lost and its credit with it; only a new
    // session sets both right.
    [[nodiscard]] bool connected(Now now);
    // Begins what can begin, sends chunks while credit and the socket allow.
    void pump(bool writable, Now now);
    void tick(Now now);  // deadlines, transfers that stand still
    void on_frame(const protocol::Message& message, Now now);
    void fail_all(const Error& error);

    // Whether a frame of this session had that seq.
    [[nodiscard]] bool sent_in_session(std::uint64_t seq) const noexcept {
        return used_ && seq >= first_seq_;
    }
    [[nodiscard]] Time next_deadline() const noexcept;
    [[nodiscard]] bool idle() const noexcept { return puts_.empty() && gets_.empty(); }

  private:
    struct Put {
        BlobPutJob job;
        std::uint64_t seq{};  // of its BLOB_PUT in this session; 0: not begun
        std::uint32_t restarts{};
        bool ready{};
        bool alone{};  // there was no room for it beside others that were under way
        std::uint64_t offset{};
        ByteView bytes{};  // what its chunks carry
        // Of its chunks; those of other puts are not between them.
        std::uint64_t first_chunk_seq{};
        std::uint64_t last_chunk_seq{};

        void begin_again() noexcept { seq = 0; }
    };
    struct Get {
        std::uint64_t request{};
        ContentId id;
        Time deadline;
        std::uint64_t seq{};  // of its BLOB_GET in this session; 0: not sent
        bool sized{};
        BlobFetched blob;
        std::uint64_t size{};  // of what its chunks carry
        std::uint32_t restarts{};
    };

    void begin_puts();
    void begin(Put& put);
    void send_chunks();
    void begin_gets();
    void grant();
    [[nodiscard]] protocol::Credit window() const noexcept;
    [[nodiscard]] std::size_t puts_ahead() const noexcept {
        return std::min<std::size_t>(puts_.size(), limits_.blob_puts_per_session_max);
    }
    [[nodiscard]] std::size_t put_of(std::uint64_t re) const noexcept;
    void put_again_or_fail(std::size_t index, const protocol::Error& error);
    void finish_put(std::size_t index, Result<ContentId> result);
    void finish_get(std::size_t index, Result<BlobFetched> result);
    void on_ready(const protocol::BlobReady& ready);
    void on_stored(const protocol::BlobStored& stored);
    void on_info(const protocol::BlobInfo& info);
    void on_chunk(const protocol::BlobChunk& chunk);
    void on_error(const protocol::Error& error);
    [[nodiscard]] bool under_way() const noexcept;

    std::uint64_t chunks_ahead_;
    std::uint64_t accepts_;
    Outbox& outbox_;
    protocol::Limits limits_;
    std::string endpoint_;      // of this session's blob socket
    std::string connected_to_;  // what the socket was told to connect to
    bool open_ = false;
    bool connected_ = false;
    bool fresh_ = true;            // nothing was sent on this connection yet
    std::uint64_t first_seq_ = 0;  // of this session
    bool used_ = false;            // something was sent in this session
    Duration stalled_after_ = std::chrono::seconds(7);
    Time progress_{};

    std::deque<Put> puts_;               // the first ones are under way
    protocol::CreditSender put_credit_;  // blob_in, this session

    std::vector<Get> gets_;
    protocol::CreditReceiver get_credit_;  // blob_out, this session

    static constexpr std::uint32_t kRestartsMax = 5;
};

}  // namespace scanmq::client
