#pragma once
// ScannerServer: a whole scan service in this process.
//
// Use:      auto server = ScannerServer::create(settings); print (*server)->address(); (*server)->run();
//           in tests run() has a thread of its own and stop() ends it.
// Threads:  create(), run() and the destructor on one thread at a time; stop() from any.
// Stopping: SIGTERM, SIGINT or stop(): new requests are refused with 503, scans go on for drain_timeout
//           at most, then are cancelled; run() returns. A second signal ends it at once.

#include <memory>
#include <string>

#include "common/base/result.hpp"
#include "scanner/server/settings.hpp"

namespace scanmq::scand {

class ScannerServer {
  public:
    // Reads the chains and listens. `settings` is complete()d. Errors: a sentence.
    [[nodiscard]] static Result<std::unique_ptr<ScannerServer>, std::string> create(
        const Settings& settings, bool take_signals);
    ~ScannerServer();
    ScannerServer(const ScannerServer&) = delete;
    ScannerServer& operator=(const ScannerServer&) = delete;

    [[nodiscard]] const std::string& address() const noexcept;  // "127.0.0.1:8702"
    // False: scans had to be cancelled to end.
    bool run();
    void stop();

  private:
    class Impl;
    explicit ScannerServer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace scanmq::scand
