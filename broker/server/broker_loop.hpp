#pragma once
// BrokerLoop: what BrokerServer runs: one batch after the other through the core.
//
// Threads:   its loop's only, but for request_stop().
// Path:      receive -> handle -> append -> send, then straight back to receive: only an empty
//            socket lets it go back to waiting. What waits for its commit goes out when the log
//            wakes the loop. One timer, at the core's next deadline.

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "broker/core/broker_core.hpp"
#include "broker/server/blob_link.hpp"
#include "broker/server/cache_link.hpp"
#include "broker/server/housekeeper.hpp"
#include "broker/server/intake.hpp"
#include "broker/server/outbox.hpp"
#include "broker/server/pipes.hpp"
#include "broker/server/server_options.hpp"
#include "broker/server/storage.hpp"
#include "broker/store/body_store.hpp"
#include "common/transport/router.hpp"
#include "common/transport/watcher.hpp"

namespace scanmq::broker {

class BrokerLoop {
  public:
    explicit BrokerLoop(const ServerOptions& options);
    ~BrokerLoop();
    BrokerLoop(const BrokerLoop&) = delete;
    BrokerLoop& operator=(const BrokerLoop&) = delete;

    [[nodiscard]] Result<void, ServerError> open();
    [[nodiscard]] Result<void, ServerError> run();
    // From any thread.
    void request_stop();

    [[nodiscard]] const std::string& endpoint() const noexcept { return endpoint_; }
    [[nodiscard]] const std::string& blob_endpoint() const noexcept {
        return options_.core.blob_endpoint;
    }
    // As bound, whatever peers are told.
    [[nodiscard]] const std::string& blob_bound() const noexcept { return blob_bound_; }

  private:
    transport::Drained drain();
    bool turn();
    void obey();
    void send(Send& out);
    void fill_bodies(Send& out);
    [[nodiscard]] protocol::Body body_of(BodyHandle handle);
    void note_keys(LogPosition last);
    void look_after_storage();
    void tell_peers();
    void keep_house(const Housekeeper::Found& found);
    void begin_backup(const BackupRequest& request);
    void open_cache();
    void serve_cache();
    void take_answers(std::vector<CacheLink::Answer> answers);
    void set_gauges();
    void arm();
    void wait_until(Time when);
    void stop();
    void fail_with(std::string sentence);

    ServerOptions options_;
    transport::Context context_;
    transport::SocketOptions socket_options_;
    boost::asio::io_context loop_{1};
    transport::Router router_;
    Outbox outbox_;
    BodyStore bodies_;
    BlobTable blobs_;
    Storage storage_;
    Intake intake_;
    std::unique_ptr<BrokerCore> core_;
    std::unique_ptr<BlobLink> blob_link_;
    std::unique_ptr<CacheLink> cache_link_;  // null: no tier is shared
    Pipes pipes_;
    transport::SocketWatcher watcher_;
    Housekeeper housekeeper_;
    boost::asio::steady_timer timer_;
    Time armed_ = Time::max();
    Effects effects_;
    // Of the last record: what is sent after a commit waits for it, in a batch without records, too,
    // as it may tell of what an earlier batch did.
    LogPosition appended_ = 0;
    std::string scratch_;
    std::deque<std::string> thawed_;  // bodies of the frame being made that were cold
    std::string endpoint_;
    std::string blob_bound_;
    std::optional<ServerError> error_;
    bool stopping_ = false;
    std::uint64_t turns_ = 0;
    bool more_room_ = false;  // memory was given back since the core was last called
    bool trim_ = false;
    ProcessMemory memory_;
    Time kept_house_{};
    Time trimmed_{};
};

}  // namespace scanmq::broker
