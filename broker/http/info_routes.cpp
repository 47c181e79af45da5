// Health, metrics, filters and openapi.json.

#include <memory>
#include <utility>

#include "broker/http/context.hpp"
#include "broker/http/metrics.hpp"
#include "broker/http/scan_status.hpp"
#include "scanner/api/filters.hpp"
#include "scanner/api/openapi.hpp"

namespace scanmq::gateway {

using http::Request;
using http::Responder;

namespace {

// Well only when the broker's loop answers: the question goes through it.
void get_health(Context& context, const Responder& client) {
    if (context.desk.stopping()) {
        return client.answer(http::json_response(503, R"({"status":"draining"})"));
    }
    if (!context.desk.link().open()) {
        return client.answer(http::json_response(503, R"({"status":"no_session"})"));
    }
    context.desk.query("broker", "", [client](Desk::Answer<std::vector<protocol::Row>> rows) {
        if (!rows || rows->empty()) {
            return client.answer(http::json_response(503, R"({"status":"no_answer"})"));
        }
        std::string body = R"({"status":"ok")";
        for (const auto& [name, value] : rows->front()) {
            body += ',' + http::json_quote(name) + ':';
            const auto* number = std::get_if<std::uint64_t>(&value);
            body += number != nullptr ? std::to_string(*number)
                                      : http::json_quote(std::get<std::string>(value));
        }
        client.answer(http::json_response(200, body + "}"));
    });
}

Figures figures_of(const Context& context) {
    const JobBook& book = context.desk.book();
    const BookCounts& jobs = book.counts();
    const DeskCounts& desk = context.desk.counts();
    const BrokerLink::Stats link = context.desk.link().stats();
    const http::HttpStats& server = context.server->stats();
    const RouteCounts& routes = context.counts;
    return {{"scans_total", routes.scans},
            {"batches_total", routes.batches},
            {"jobs_total", routes.jobs},
            {"repeated_total", routes.repeated},
            {"questions_total", routes.questions},
            {"cancels_asked_total", routes.cancels},
            {"jobs_known", book.jobs()},
            {"jobs_added_total", jobs.added},
            {"jobs_ended_total", jobs.ended},
            {"jobs_not_taken_total", jobs.refused},
            {"jobs_cancelled_alone_total", jobs.cancels},
            {"jobs_forgotten_total", jobs.forgotten},
            {"jobs_expired_total", jobs.expired},
            {"jobs_max_refused_total", jobs.jobs_refused},
            {"no_room_total", jobs.no_room},
            {"waits", book.waits()},
            {"waits_ended_total", jobs.waits_ended},
            {"waits_timed_out_total", jobs.waits_timed_out},
            {"waits_max_refused_total", jobs.waits_refused},
            {"waits_clients_gone_total", jobs.clients_gone},
            {"kept_bytes", book.kept_bytes()},
            {"keys", context.keys.size()},
            {"watches", context.desk.watches()},
            {"watches_max_refused_total", desk.watches_refused},
            {"entries_total", desk.entries},
            {"gaps_total", desk.gaps},
            {"lookups_total", desk.lookups},
            {"lookups_found_total", desk.lookups_found},
            {"lookups_max_refused_total", desk.lookups_refused},
            {"fetches_total", desk.fetches},
            {"fetches_failed_total", desk.fetches_failed},
            {"broker_requests", link.requests},
            {"broker_sessions_total", link.sessions_opened},
            {"broker_frames_sent_total", link.frames_sent},
            {"broker_frames_received_total", link.frames_received},
            {"broker_resubmitted_total", link.resubmitted},
            {"broker_queues", link.queues},
            {"connections_open", server.connections_open},
            {"connections_total", server.connections},
            {"connections_refused_total", server.connections_refused},
            {"accept_errors_total", server.accept_errors},
            {"requests_running", server.requests_running},
            {"requests_total", server.requests},
            {"requests_refused_total", server.requests_refused},
            {"bodies_bytes", server.bodies_bytes},
            {"bodies_refused_total", server.bodies_refused},
            {"body_too_large_total", server.body_too_large},
            {"header_too_large_total", server.header_too_large},
            {"malformed_total", server.malformed},
            {"not_found_total", server.not_found},
            {"wrong_method_total", server.wrong_method},
            {"answers_2xx_total", server.answers_2xx},
            {"answers_4xx_total", server.answers_4xx},
            {"answers_5xx_total", server.answers_5xx},
            {"draining_refused_total", server.draining_refused},
            {"handler_errors_total", server.handler_errors},
            {"read_timeouts_total", server.read_timeouts},
            {"write_timeouts_total", server.write_timeouts},
            {"idle_closes_total", server.idle_closes},
            {"clients_gone_total", server.clients_gone},
            {"bytes_in_total", server.bytes_in},
            {"bytes_out_total", server.bytes_out}};
}

// Asks for the topics one after the other.
struct Collector {
    Context& context;
    Responder client;
    bool json;
    Metrics metrics;
    Collector(Context& c, const Responder& r, bool as_json)
        : context(c), client(r), json(as_json) {}
};

void collect(const std::shared_ptr<Collector>& to, std::size_t topic) {
    static constexpr std::array<const char*, 4> kTopics{"broker", "counters", "queues", "cache"};
    if (topic == kTopics.size()) {
        to->metrics.http = figures_of(to->context);
        http::Response out;
        out.body = to->json ? metrics_json(to->metrics) : prometheus_text(to->metrics);
        if (!to->json) out.content_type = http::kPlainText;
        return to->client.answer(std::move(out));
    }
    to->context.desk.query(kTopics[topic], "",
                           [to, topic](Desk::Answer<std::vector<protocol::Row>> rows) {
                               if (!rows) return to->client.answer(response_of(rows.error()));
                               (topic == 0   ? to->metrics.broker
                                : topic == 1 ? to->metrics.counters
                                : topic == 2 ? to->metrics.queues
                                             : to->metrics.cache) = std::move(*rows);
                               collect(to, topic + 1);
                           });
}

const std::vector<api::RouteInfo>& routes() {
    static const std::vector<api::RouteInfo> kRoutes = [] {
        const auto shared = api::scan_routes();
        std::vector<api::RouteInfo> out(shared.begin(), shared.end());
        out.push_back(
            {"POST",
             "/v1/jobs",
             "Submit any job to any queue, or a list of jobs",
             http::kJson,
             {},
             {{200, http::kJson, "", "it ended: its entry"},
              {202, http::kJson, "", "it was taken; ask for it by its job_id"},
              {400, http::kJson, "Error", "the request is wrong"},
              {404, http::kJson, "Error", "unknown queue, snapshot or alias"},
              {409, http::kJson, "Error", "the id was used for another job"},
              {429, http::kJson, "Error", "no room; Retry-After says when to try again"}}});
        out.push_back({"GET",
                       "/v1/jobs/{queue}/{id}",
                       "State of a job, and its result when it has ended",
                       {},
                       {},
                       {{200, http::kJson, "", "state"}, {404, http::kJson, "Error", "unknown"}}});
        out.push_back({"DELETE",
                       "/v1/jobs/{queue}/{id}",
                       "Cancel a job",
                       {},
                       {},
                       {{200, http::kJson, "", "state"}, {404, http::kJson, "Error", "unknown"}}});
        out.push_back({"PUT",
                       "/api/v1/snapshots/{hash}",
                       "Store a snapshot, as the newest of its symbol",
                       "application/octet-stream",
                       {},
                       {{201, http::kJson, "", "stored"},
                        {422, http::kJson, "Error", "not of this hash, or no snapshot"}}});
        return out;
    }();
    return kRoutes;
}

}  // namespace

void add_info_routes(http::Router& router, Context& context) {
    const http::RouteOptions always{{}, true};
    for (const char* path : {"/health", "/healthz"}) {
        router.add(
            "GET", path,
            [&context](const Request&, const Responder& client) { get_health(context, client); },
            always);
    }
    router.add(
        "GET", "/metrics",
        [&context](const Request& request, const Responder& client) {
            const bool json = request.accepted_first() == http::kJson;
            collect(std::make_shared<Collector>(context, client, json), 0);
        },
        always);
    const auto fixed = [&](const char* path, std::string document) {
        router.add("GET", path,
                   [document = std::move(document)](const Request&, const Responder& client) {
                       client.answer(http::json_response(200, document));
                   });
    };
    fixed("/api/v1/filters", api::filters_document());
    fixed("/api/v1/filters/presets", api::presets_document());
    const std::string openapi = api::openapi_document("scanmq broker", "1", routes());
    fixed("/api/v1/openapi.json", openapi);
    fixed("/openapi.json", openapi);
    router.add("POST", "/api/v1/filters/validate",
               [](const Request& request, const Responder& client) {
                   auto answer = api::validate_document(request.body);
                   if (!answer) return client.answer(response_of(answer.error()));
                   client.answer(http::json_response(200, std::move(*answer)));
               });
}

}  // namespace scanmq::gateway
