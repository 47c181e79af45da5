#pragma once
// BrokerServer: a whole broker in this process: two sockets, the core, its stores, one loop.
//
// Role:      the shell of BrokerCore: receive a batch, decode, store bodies, handle, append the
//            commit records, send; nothing is decided here. Beside it the HTTP API, a client of its
//            own main socket.
// Use:       auto server = BrokerServer::create(options); print server->endpoint(); server->run();
//            in tests run() has a thread of its own and stop() ends it.
// Threads:   create(), run() and the destructor on one thread at a time; stop() from any.
// Stopping:  stop(), or SIGTERM and SIGINT with handle_signals: every session is told BYE
//            shutting_down, what is queued gets a moment to go out, run() returns.
// See:       docs/PROTOCOL.md, docs/CONFIG.md

#include <memory>
#include <string>

#include "broker/server/server_options.hpp"

namespace scanmq::broker {

class BrokerServer {
  public:
    // Checks the options, binds both sockets, creates the configured queues. Errors say what to do.
    [[nodiscard]] static Result<std::unique_ptr<BrokerServer>, ServerError> create(
        const ServerOptions& options);
    ~BrokerServer();
    BrokerServer(const BrokerServer&) = delete;
    BrokerServer& operator=(const BrokerServer&) = delete;

    // As bound: port 0 has become a port.
    [[nodiscard]] const std::string& endpoint() const noexcept;
    [[nodiscard]] const std::string& blob_endpoint() const noexcept;  // as peers are told
    // "http://127.0.0.1:8701"; empty when there is none.
    [[nodiscard]] const std::string& http_endpoint() const noexcept;

    // Serves until stopped. Error: the commit log failed.
    [[nodiscard]] Result<void, ServerError> run();
    void stop();

  private:
    class Impl;
    explicit BrokerServer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// Writes its endpoints, one a line, in one step: who sees the file sees all of it.
[[nodiscard]] Result<void, ServerError> write_endpoint_file(const std::string& path,
                                                            const BrokerServer& server);

// Makes options.data of the backup options.restore.
[[nodiscard]] Result<void, ServerError> restore_backup_of(const ServerOptions& options);

// Makes the allocator give large blocks back to the system. Call once, before threads are started.
void tune_memory();

}  // namespace scanmq::broker
