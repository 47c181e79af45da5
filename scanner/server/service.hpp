#pragma once
// Service: the scan API's routes over a desk and a book of chains.
//
// Role:     everything of scanmq-scanner but its process: ScannerServer gives it a loop and a socket.
// Threads:  the loop.
// Files:    client_routes.cpp (JSON), worker_routes.cpp (msgpack, snapshots), operator_routes.cpp (health,
//           metrics, faults).
// See:      docs/HTTP_API.md

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/id.hpp"
#include "common/http/server.hpp"
#include "scanner/api/openapi.hpp"
#include "scanner/api/scan_call.hpp"
#include "scanner/server/batch_table.hpp"
#include "scanner/server/chain_book.hpp"
#include "scanner/server/progress_lines.hpp"
#include "scanner/server/scan_desk.hpp"
#include "scanner/server/settings.hpp"

namespace scanmq::scand {

class Service {
  public:
    Service(boost::asio::io_context& io, const Settings& settings, std::uint64_t seed);

    // All routes of openapi().
    [[nodiscard]] http::Router router();
    // The server that serves them, for its counters; set once it is there.
    void serve_with(const http::Server* server) { server_ = server; }

    [[nodiscard]] ChainBook& book() noexcept { return book_; }
    [[nodiscard]] ScanDesk& desk() noexcept { return desk_; }
    [[nodiscard]] static std::vector<api::RouteInfo> openapi_routes(bool debug);

  private:
    using Request = http::Request;
    using Responder = http::Responder;

    void add_client_routes(http::Router& router);
    void post_scan(const Request& request, const Responder& to);
    void post_batch(const Request& request, const Responder& to);
    void get_scan(const Request& request, const Responder& to);
    void delete_scan(const Request& request, const Responder& to);
    void stream_scan(const BatchTable::Held& scan, Work work, const Responder& to);
    void on_batch_done(const BatchTable::Held& scan, ScanOutcome outcome);

    void add_worker_routes(http::Router& router);
    void post_job(Request request, const Responder& to);
    void put_snapshot(Request request, const Responder& to);
    void get_snapshot(const Request& request, const Responder& to);

    void add_operator_routes(http::Router& router);
    void get_health(const Responder& to);
    void get_metrics(const Request& request, const Responder& to);
    void put_fault(const Request& request, const Responder& to);

    // True: the fault answered.
    bool fails(const Responder& to);
    // What remains of X-Scanmq-Deadline-Ms, else --scan-timeout. Error: it is no number.
    [[nodiscard]] Result<Duration, api::Error> time_for(const Request& request) const;
    // Cancels the scan when its client goes away.
    void end_with_client(const ScanDesk::Held& ticket, const Responder& to);
    [[nodiscard]] BatchTable::Held track(std::vector<std::string> symbols);
    [[nodiscard]] http::Response refusal(const api::Error& error) const;

    const Settings settings_;
    Fault fault_;
    UuidV7 ids_;
    ChainBook book_;
    BatchTable scans_;
    ProgressLines lines_;
    const http::Server* server_ = nullptr;
    ScanDesk desk_;  // last: its end calls nobody any more
};

}  // namespace scanmq::scand
