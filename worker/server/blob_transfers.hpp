#pragma once
// BlobTransfers: the blob socket of a worker: a BlobLink with its Dealer, on the loop.
//
// Threads:  worker loop only.
// Owns:     the second connection to the broker; it lives as long as the session.
// Callbacks: run from within get(), put(), tick() or the loop, never after close() for a put.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/protocol/codec.hpp"
#include "common/transport/dealer.hpp"
#include "common/transport/watcher.hpp"
#include "worker/core/blob_link.hpp"

namespace scanmq::worker {

class BlobTransfers {
  public:
    struct Callbacks {
        std::function<void(GotBlob&&)> got;
        std::function<void(StoredBlob&&)> stored;
        std::function<void()> changed;  // next_deadline() may be earlier than it was
    };

    BlobTransfers(boost::asio::io_context& loop, transport::Context& context, Callbacks callbacks);

    // Error: an endpoint that cannot be connected to; transfers then time out.
    [[nodiscard]] Result<void, transport::Error> open(protocol::SessionId session,
                                                      const std::string& endpoint,
                                                      const protocol::Limits& limits, Time now);
    void close();
    void get(const ContentId& id, Time now);
    void put(AttemptId attempt, const ContentId& id, ByteView bytes, Time now);
    void tick(Time now);
    [[nodiscard]] std::optional<Time> next_deadline() const { return link_.next_deadline(); }

    // Stops using the loop; call before it ends.
    void stop();

  private:
    transport::Drained drain();
    transport::Drained poll_connection();
    void carry_out();

    transport::Dealer dealer_;
    transport::SocketWatcher frames_;
    transport::SocketWatcher monitor_;
    BlobLink link_{BlobLink::Options{}};
    BlobEffects effects_;
    BlobEffects working_;
    Callbacks callbacks_;
    protocol::Decoder decoder_;
    std::string endpoint_;
    std::string out_;
    std::uint64_t generation_ = 0;
    bool carrying_out_ = false;
};

// The blob endpoint as this worker reaches it: a broker that listens on every address names no
// host, so the host of the main endpoint is taken.
[[nodiscard]] std::string reachable_endpoint(std::string_view main_endpoint,
                                             std::string_view blob_endpoint);

}  // namespace scanmq::worker
