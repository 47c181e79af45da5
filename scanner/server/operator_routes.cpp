// The routes for those who run the service: health, metrics, faults.

#include <utility>

#include "scanner/server/metrics.hpp"
#include "scanner/server/service.hpp"
#include "scanner/service/document_writer.hpp"

namespace scanmq::scand {

namespace {

double number(std::uint64_t value) { return static_cast<double>(value); }
double seconds(Duration value) { return std::chrono::duration<double>(value).count(); }

void add_desk(std::vector<Metric>& out, const ScanDesk& desk) {
    const DeskStats& s = desk.stats();
    out.push_back({"scans_running", {}, "Scans that have a place", number(s.running)});
    out.push_back({"scans_waiting", {}, "Scans that wait for one", number(s.waiting)});
    out.push_back({"scans_submitted_total", {}, "Scans asked for", number(s.submitted)});
    out.push_back({"scans_completed_total", {}, "Scans that gave a result", number(s.completed)});
    out.push_back({"scans_failed_total", {}, "Scans that ended in an error", number(s.failed)});
    out.push_back({"scans_refused_total", {}, "Scans answered 429", number(s.refused)});
    out.push_back(
        {"scans_cancelled_total", {}, "Scans that nobody wanted any more", number(s.cancelled)});
    out.push_back({"scans_timeout_total", {}, "Scans past their deadline", number(s.timeouts)});
    const telemetry::Histogram& times = desk.run_times();
    constexpr std::pair<const char*, double> kQuantiles[] = {
        {"quantile=\"0.5\"", 0.5}, {"quantile=\"0.9\"", 0.9}, {"quantile=\"0.99\"", 0.99}};
    for (const auto& [label, share] : kQuantiles) {
        out.push_back({"run_seconds", label, "Time of scans on their thread",
                       seconds(times.percentile(share))});
    }
    out.push_back({"run_seconds_sum", {}, {}, seconds(desk.run_time_sum())});
    out.push_back({"run_seconds_count", {}, {}, number(times.count())});
}

void add_book(std::vector<Metric>& out, const ChainBook& book) {
    out.push_back({"chains", {}, "Chains held", number(book.count())});
    out.push_back({"symbols", {}, "Symbols that have a chain", number(book.symbols())});
    out.push_back({"cache_bytes", {}, "Memory of chains that were put", number(book.bytes())});
    out.push_back({"cache_hits_total", {}, "Chains found", number(book.hits())});
    out.push_back({"cache_misses_total", {}, "Chains not found", number(book.misses())});
    out.push_back({"cache_evictions_total", {}, "Chains that made room", number(book.evictions())});
}

void add_http(std::vector<Metric>& out, const http::HttpStats& s) {
    const struct {
        const char* name;
        const char* help;
        std::uint64_t value;
    } rows[] = {
        {"http_connections_open", "Open connections", s.connections_open},
        {"http_requests_running", "Requests without their answer", s.requests_running},
        {"http_bodies_bytes", "Bodies of requests in memory", s.bodies_bytes},
        {"http_connections_total", "Connections taken", s.connections},
        {"http_connections_refused_total", "Connections over connections-max",
         s.connections_refused},
        {"http_accept_errors_total", "Connections the system could not give", s.accept_errors},
        {"http_requests_total", "Requests", s.requests},
        {"http_answers_2xx_total", "Answers 200 to 299", s.answers_2xx},
        {"http_answers_3xx_total", "Answers 300 to 399", s.answers_3xx},
        {"http_answers_4xx_total", "Answers 400 to 499", s.answers_4xx},
        {"http_answers_5xx_total", "Answers 500 to 599", s.answers_5xx},
        {"http_malformed_total", "Requests that are no HTTP", s.malformed},
        {"http_not_found_total", "Unknown paths", s.not_found},
        {"http_wrong_method_total", "Methods a path does not take", s.wrong_method},
        {"http_read_timeouts_total", "Requests that came too slowly", s.read_timeouts},
        {"http_body_too_large_total", "Bodies over their limit", s.body_too_large},
        {"http_header_too_large_total", "Heads over their limit", s.header_too_large},
        {"http_requests_refused_total", "Requests over the number at once", s.requests_refused},
        {"http_bodies_refused_total", "Requests over the memory for bodies", s.bodies_refused},
        {"http_draining_refused_total", "Requests refused while draining", s.draining_refused},
        {"http_handler_errors_total", "Handlers that threw", s.handler_errors},
        {"http_idle_closes_total", "Connections closed for idleness", s.idle_closes},
        {"http_write_timeouts_total", "Answers that were not read", s.write_timeouts},
        {"http_clients_gone_total", "Clients that left before their answer", s.clients_gone},
        {"http_stream_drops_total", "Lines of progress left out", s.stream_drops},
        {"http_bytes_in_total", "Bytes read", s.bytes_in},
        {"http_bytes_out_total", "Bytes written", s.bytes_out},
    };
    for (const auto& row : rows) out.push_back({row.name, {}, row.help, number(row.value)});
}

}  // namespace

void Service::add_operator_routes(http::Router& router) {
    const http::RouteOptions always{.while_draining = true};
    for (const char* path : {"/health", "/healthz"}) {
        router.add(
            "GET", path, [this](const Request&, const Responder& to) { get_health(to); }, always);
    }
    router.add(
        "GET", "/metrics",
        [this](const Request& request, const Responder& to) { get_metrics(request, to); }, always);
    if (!settings_.debug) return;
    router.add("PUT", "/debug/fault",
               [this](const Request& request, const Responder& to) { put_fault(request, to); });
}

void Service::get_health(const Responder& to) {
    const bool draining = server_ != nullptr && server_->draining();
    const DeskStats& stats = desk_.stats();
    service::DocumentWriter out(service::Encoding::json);
    out.map(5);
    out.key("status");
    out.text(draining ? "draining" : "ok");
    out.key("version");
    out.text(service::kEngineVersion);
    out.key("running");
    out.count(stats.running);
    out.key("waiting");
    out.count(stats.waiting);
    out.key("symbols");
    out.count(book_.symbols());
    out.end();
    to.answer(http::json_response(draining ? 503 : 200, out.take()));
}

void Service::get_metrics(const Request& request, const Responder& to) {
    std::vector<Metric> metrics;
    add_desk(metrics, desk_);
    add_book(metrics, book_);
    metrics.push_back({"results", {}, "Scans that can be asked for", number(scans_.count())});
    metrics.push_back({"results_bytes", {}, "Memory of finished ones", number(scans_.bytes())});
    metrics.push_back({"results_evictions_total",
                       {},
                       "Finished scans that were forgotten",
                       number(scans_.evictions())});
    if (server_ != nullptr) add_http(metrics, server_->stats());
    if (request.accepted_first() == http::kJson) {
        return to.answer(http::json_response(200, metrics_document(metrics)));
    }
    http::Response response = http::json_response(200, prometheus_text(metrics));
    response.content_type = http::kPlainText;
    to.answer(std::move(response));
}

void Service::put_fault(const Request& request, const Responder& to) {
    const auto fault = parse_fault(request.body);
    if (!fault) return to.answer(http::error_response(400, "unknown_fault", fault.error()));
    fault_ = *fault;
    to.answer(http::json_response(200, "{\"fault\":" + http::json_quote(to_text(fault_)) + "}"));
}

}  // namespace scanmq::scand
