#pragma once
// BlobLink: the blob socket: receives, asks BlobCore, obeys it.
//
// Role:      owned by the server; bytes live in the BlobStore, decisions in BlobCore.
// Threads:   broker loop; one more thread, in the background, hashes large blobs, writes them to their files, decodes
//            them, notes their use, and posts its answers back to the loop.
// Owns:      BlobCore, BlobStore, Router, Outbox. Borrows: BlobTable, the loop.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/core/blob_core.hpp"
#include "broker/server/outbox.hpp"
#include "broker/server/pipes.hpp"
#include "broker/store/blob_store.hpp"
#include "common/protocol/codec.hpp"
#include "common/transport/router.hpp"
#include "common/transport/watcher.hpp"

namespace boost::asio {
class io_context;
}

namespace scanmq::broker {

class BlobLink {
  public:
    struct Settings {
        transport::SocketOptions socket;
        std::uint64_t outgoing_bytes_max{};                    // of one peer
        std::uint64_t outgoing_bytes_all = ~std::uint64_t{0};  // of all
        PipeShare pipes;
        BlobOptions core;
    };
    // `files`: where blobs are kept across restarts; null: nowhere.
    BlobLink(boost::asio::io_context& loop, const Settings& settings, BlobTable& blobs,
             BlobFiles* files, BlobCore::SessionOpen session_open);
    ~BlobLink();

    [[nodiscard]] Result<std::string, transport::Error> bind(const std::string& endpoint);
    void start();
    // Waits for a hash under way; nothing is received any more.
    void stop();

    // Does what is due; when it wants to be called again (nullopt: when a frame has come).
    std::optional<Time> tick(Time now);
    // Bytes of blobs that are in memory.
    [[nodiscard]] std::uint64_t memory() const noexcept { return store_.memory(); }
    [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> counters() const;

  private:
    struct Background;
    // One to look at: its info, and where its bytes are until its verdict.
    using Check = std::pair<BlobInfo, ByteView>;
    using Verdict = std::pair<ContentId, BlobVerdict>;

    transport::Drained drain();
    bool receive(Time now);
    void obey(Time now);
    void send(BlobSend& out);
    void verify(const ContentId& id);
    void prepare(const BlobPrepare& what);
    void note_use(Time now);
    void check(const std::vector<Check>& checks);
    void arm_gathering();
    void end_verify(std::vector<Verdict> verdicts);
    void flush();

    boost::asio::io_context& loop_;
    BlobTable& table_;
    BlobFiles* files_;
    // An IO thread of its own: jobs do not wait for chunks.
    transport::Context context_{transport::Context::IoThread::background};
    transport::Router router_;
    Outbox outbox_;
    BlobCore core_;
    BlobStore store_;
    protocol::Decoder decoder_;
    std::unique_ptr<Background> background_;
    Pipes pipes_;
    transport::SocketWatcher watcher_;
    std::vector<BlobEffect> effects_;
    std::vector<ContentId> small_;  // hashed on the loop: their answers are due
    std::vector<Check> checks_;     // for the thread, together
    std::vector<ConnectionId> blocked_;
    zmq::message_t message_;
    std::string scratch_;
    Time ticked_{};
    Time use_noted_{};
};

}  // namespace scanmq::broker
