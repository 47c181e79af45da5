#pragma once
// Gateway: the broker's HTTP API, on a thread of its own.
//
// Role:      towards HTTP a server (common/http), towards the broker an ordinary client: it works over
//            a session with the broker's own main socket, so credit, ids and streams are those of
//            every client, and what HTTP clients do is bounded like what anybody does.
// Threads:   create(), start() and stop() on one thread; everything else on the gateway's own, which
//            sleeps while nobody asks.
// Stopping:  stop(): who waits is told 503 shutting_down, new requests as well; what is being answered
//            gets a moment; then the thread ends. The destructor does it.
// Limits:    GatewayOptions.
// See:       docs/HTTP_API.md

#include <memory>
#include <string>

#include "broker/http/gateway_options.hpp"
#include "common/base/result.hpp"

namespace scanmq::gateway {

class Gateway {
  public:
    // Listens. options.desk.link says where the broker is. Error: a sentence.
    [[nodiscard]] static Result<std::unique_ptr<Gateway>, std::string> create(
        GatewayOptions options);
    ~Gateway();
    Gateway(const Gateway&) = delete;
    Gateway& operator=(const Gateway&) = delete;

    // Serves from now on.
    void start();
    void stop();

    // "127.0.0.1:8701", with the port that was taken.
    [[nodiscard]] const std::string& address() const noexcept;

  private:
    class Impl;
    explicit Gateway(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace scanmq::gateway
