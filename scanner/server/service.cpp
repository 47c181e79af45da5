#include "scanner/server/service.hpp"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace scanmq::scand {

namespace {

constexpr Duration kDeadlineMax = std::chrono::hours(24);

}  // namespace

Service::Service(boost::asio::io_context& io, const Settings& settings, std::uint64_t seed)
    : settings_(settings),
      fault_(settings.fault),
      ids_(seed),
      book_(settings.cache_bytes),
      scans_(settings.results_max, settings.results_bytes),
      lines_(io, settings.progress_interval),
      desk_(io, {settings.threads, settings.concurrency, settings.queue}) {}

http::Router Service::router() {
    http::Router router;
    add_client_routes(router);
    add_worker_routes(router);
    add_operator_routes(router);
    return router;
}

bool Service::fails(const Responder& to) {
    if (fault_.status != 0) {
        to.answer(http::error_response(fault_.status, "fault", "--fault asked for this answer"));
        return true;
    }
    if (fault_.garbage) {
        http::Response garbage = http::json_response(200, "\xc1\xff\x93{]garbage");
        garbage.content_type = http::kMsgpack;
        to.answer(std::move(garbage));
        return true;
    }
    return false;
}

Result<Duration, api::Error> Service::time_for(const Request& request) const {
    const std::string_view text = request.header("X-Scanmq-Deadline-Ms");
    if (text.empty()) return settings_.scan_timeout;
    std::uint64_t millis = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), millis);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
        return fail(
            api::Error{400, "bad_value",
                       "X-Scanmq-Deadline-Ms must be the milliseconds that remain, such as 1500",
                       "X-Scanmq-Deadline-Ms"});
    }
    if (millis >= static_cast<std::uint64_t>(kDeadlineMax / std::chrono::milliseconds(1))) {
        return kDeadlineMax;
    }
    return Duration(std::chrono::milliseconds(millis));
}

void Service::end_with_client(const ScanDesk::Held& ticket, const Responder& to) {
    to.on_gone([this, weak = std::weak_ptr(ticket)] {
        const auto held = weak.lock();
        if (held) desk_.cancel(held, {499, "client_gone", "the client went away", {}});
    });
}

BatchTable::Held Service::track(std::vector<std::string> symbols) {
    auto scan = std::make_shared<TrackedScan>();
    scan->id = ids_.next(SystemClock().wall_millis()).hex();
    scan->symbols = std::move(symbols);
    scans_.add(scan);
    return scan;
}

http::Response Service::refusal(const api::Error& error) const {
    http::Response response = http::json_response(error.status, api::error_document(error));
    if (error.status == 429) {
        const auto seconds = std::chrono::ceil<std::chrono::seconds>(desk_.retry_after()).count();
        response.headers.emplace_back("Retry-After", std::to_string(seconds));
    }
    return response;
}

std::vector<api::RouteInfo> Service::openapi_routes(bool debug) {
    const auto routes = api::scan_routes();
    std::vector<api::RouteInfo> out(routes.begin(), routes.end());
    for (api::RouteInfo& route : out) {
        if (route.method != "POST" || route.path != "/api/v1/scan") continue;
        route.answers.push_back({200, http::kMsgpack, {}, "of a worker's call: its result"});
        route.answers.push_back(
            {409, http::kJson, "Error", "unknown_snapshot: put those it lists"});
        route.answers.push_back({422, http::kJson, "Error", "the job can never be run"});
    }
    out.push_back(
        {"PUT",
         "/api/v1/snapshots/{hash}",
         "Store a snapshot under its BLAKE2b-256 hash",
         "application/octet-stream",
         {},
         {{200, http::kJson, {}, "it was here already"},
          {201, http::kJson, {}, "stored"},
          {422, http::kJson, "Error", "the bytes are not of this hash, or no snapshot"}}});
    out.push_back({"GET",
                   "/api/v1/snapshots/{hash}",
                   "Whether a snapshot is here",
                   {},
                   {},
                   {{200, http::kJson, {}, "it is"}, {404, http::kJson, "Error", "it is not"}}});
    if (debug) {
        out.push_back(
            {"PUT",
             "/debug/fault",
             "For tests: how every scan fails",
             "text/plain",
             {},
             {{200, http::kJson, {}, "set"}, {400, http::kJson, "Error", "no such fault"}}});
    }
    return out;
}

}  // namespace scanmq::scand
