// The routes of the scan API that speak JSON.

#include <fmt/format.h>

#include <utility>

#include "scanner/api/answer.hpp"
#include "scanner/api/filters.hpp"
#include "scanner/server/service.hpp"
#include "scanner/service/job.hpp"

namespace scanmq::scand {

namespace {

using api::ScanState;

// The chains of a call, found on the loop, and what a thread makes of them.
struct ChainScan {
    api::ScanCall call;
    std::vector<std::shared_ptr<BookedChain>> chains;
};

ScanOutcome run(const ChainScan& scan, const service::ScanHooks& hooks) {
    std::vector<service::JobChain> chains;
    for (const auto& each : scan.chains) {
        if (hooks.cancelled()) break;
        chains.push_back({each->id(), &each->priced()});
    }
    const auto result = service::scan_chains(scan.call.request, chains, hooks);
    if (!result) return fail(api::error_of(result.error()));
    return api::spreads_list(*result, scan.call);
}

api::Error unknown_symbol(const std::string& symbol, const ChainBook& book) {
    const std::string nearest = book.nearest(symbol);
    const std::string hint =
        nearest.empty() ? std::string("there are none yet: put a snapshot, or start with --chains")
                        : fmt::format("did you mean {}?", nearest);
    return {404, "unknown_symbol", fmt::format("there is no chain of {}; {}", symbol, hint),
            "symbol"};
}

}  // namespace

void Service::add_client_routes(http::Router& router) {
    router.add("POST", "/api/v1/scan", [this](Request request, const Responder& to) {
        const bool msgpack =
            request.content_is(http::kMsgpack) || request.content_is("application/x-msgpack");
        if (msgpack) return post_job(std::move(request), to);
        post_scan(request, to);
    });
    router.add("POST", "/api/v1/scan/batch",
               [this](const Request& request, const Responder& to) { post_batch(request, to); });
    // While draining, too: what runs may be asked for and ended.
    const http::RouteOptions always{.while_draining = true};
    router.add(
        "GET", "/api/v1/scan/{id}",
        [this](const Request& request, const Responder& to) { get_scan(request, to); }, always);
    router.add(
        "DELETE", "/api/v1/scan/{id}",
        [this](const Request& request, const Responder& to) { delete_scan(request, to); }, always);
    const auto fixed = [&router](const char* path, std::string document) {
        router.add("GET", path,
                   [document = std::move(document)](const Request&, const Responder& to) {
                       to.answer(http::json_response(200, document));
                   });
    };
    fixed("/api/v1/filters", api::filters_document());
    fixed("/api/v1/filters/presets", api::presets_document());
    const std::string openapi = api::openapi_document("scanmq-scanner", service::kEngineVersion,
                                                      openapi_routes(settings_.debug));
    fixed("/api/v1/openapi.json", openapi);
    fixed("/openapi.json", openapi);
    router.add("POST", "/api/v1/filters/validate",
               [this](const Request& request, const Responder& to) {
                   auto checked = api::validate_document(request.body);
                   to.answer(checked ? http::json_response(200, std::move(checked).value())
                                     : refusal(checked.error()));
               });
}

void Service::post_scan(const Request& request, const Responder& to) {
    auto call = api::read_scan(request.body);
    if (!call) return to.answer(refusal(call.error()));
    const auto time = time_for(request);
    if (!time) return to.answer(refusal(time.error()));
    const std::string symbol = call->symbols.front();
    auto chain = book_.find(symbol);
    if (!chain) return to.answer(refusal(unknown_symbol(symbol, book_)));
    if (fails(to)) return;

    auto scan = std::make_shared<const ChainScan>(ChainScan{std::move(call).value(), {chain}});
    Work work;
    work.timeout = *time;
    work.slow = fault_.slow;
    work.run = [scan](const service::ScanHooks& hooks) { return run(*scan, hooks); };
    const BatchTable::Held tracked = track({symbol});
    work.started = [tracked] { tracked->state = ScanState::running; };
    if (request.accepted_first() == http::kJsonLines) {
        return stream_scan(tracked, std::move(work), to);
    }
    work.done = [this, tracked, to](ScanOutcome outcome) {
        scans_.forget(tracked);
        if (!outcome) return to.answer(refusal(outcome.error()));
        http::Response response = http::json_response(200, api::spreads_document(*outcome));
        response.headers.emplace_back("X-Scanmq-Job-Id", tracked->id);
        to.answer(std::move(response));
    };
    auto ticket = desk_.submit(std::move(work));
    if (!ticket) {
        scans_.forget(tracked);
        return to.answer(refusal(ticket.error()));
    }
    tracked->ticket = *ticket;
    end_with_client(*ticket, to);
}

// As lines: accepted, progress as it goes, result or error.
void Service::stream_scan(const BatchTable::Held& tracked, Work work, const Responder& to) {
    work.done = [this, tracked, to](ScanOutcome outcome) {
        if (tracked->ticket) lines_.remove(tracked->ticket);
        scans_.forget(tracked);
        to.finish(outcome ? api::result_line(*outcome) : api::error_line(outcome.error()));
    };
    auto ticket = desk_.submit(std::move(work));
    if (!ticket) {
        scans_.forget(tracked);
        return to.answer(refusal(ticket.error()));
    }
    http::Response head;
    head.content_type = http::kJsonLines;
    head.headers.emplace_back("X-Scanmq-Job-Id", tracked->id);
    head.body = api::accepted_line(tracked->id);
    to.begin(std::move(head));
    tracked->ticket = *ticket;
    lines_.add(*ticket, to);
    end_with_client(*ticket, to);
}

void Service::post_batch(const Request& request, const Responder& to) {
    auto call = api::read_batch(request.body);
    if (!call) return to.answer(refusal(call.error()));
    const auto time = time_for(request);
    if (!time) return to.answer(refusal(time.error()));
    ChainScan found{std::move(call).value(), {}};
    std::vector<api::SymbolFailure> failures;
    for (const std::string& symbol : found.call.symbols) {
        if (auto chain = book_.find(symbol)) {
            found.chains.push_back(std::move(chain));
        } else {
            failures.push_back({symbol, unknown_symbol(symbol, book_)});
        }
    }
    if (found.chains.empty()) {
        return to.answer(refusal(failures.front().error));
    }
    if (fails(to)) return;
    auto scan = std::make_shared<const ChainScan>(std::move(found));
    const BatchTable::Held tracked = track(scan->call.symbols);
    tracked->failures = std::move(failures);
    Work work;
    work.timeout = *time;
    work.slow = fault_.slow;
    work.run = [scan](const service::ScanHooks& hooks) { return run(*scan, hooks); };
    work.started = [tracked] { tracked->state = ScanState::running; };
    work.done = [this, tracked](ScanOutcome outcome) {
        on_batch_done(tracked, std::move(outcome));
    };
    auto ticket = desk_.submit(std::move(work));
    if (!ticket) {
        scans_.forget(tracked);
        return to.answer(refusal(ticket.error()));
    }
    tracked->ticket = *ticket;
    http::Response response =
        http::json_response(202, api::status_document({.job_id = tracked->id,
                                                       .state = tracked->state,
                                                       .symbols = tracked->symbols,
                                                       .failures = tracked->failures}));
    response.headers.emplace_back("Location", "/api/v1/scan/" + tracked->id);
    to.answer(std::move(response));
}

void Service::on_batch_done(const BatchTable::Held& scan, ScanOutcome outcome) {
    scan->ticket = nullptr;
    if (outcome) {
        scan->state = ScanState::completed;
        scan->spreads = std::move(outcome).value();
    } else {
        const bool ended = outcome.error().code == "cancelled";
        scan->state = ended ? ScanState::cancelled : ScanState::failed;
        scan->failures.push_back({{}, outcome.error()});
    }
    scans_.keep(scan);
}

namespace {

api::ScanStatus status_of(const TrackedScan& scan) {
    api::ScanStatus status{.job_id = scan.id,
                           .state = scan.state,
                           .symbols = scan.symbols,
                           .spreads = scan.spreads,
                           .failures = scan.failures};
    if (scan.state == ScanState::completed) status.progress = 1.0;
    if (scan.ticket) {
        const auto [done, total] = ScanDesk::progress(*scan.ticket);
        if (total > 0) status.progress = static_cast<double>(done) / static_cast<double>(total);
    }
    return status;
}

http::Response unknown_id(std::string_view id) {
    return http::error_response(
        404, "unknown_scan",
        fmt::format("there is no scan {}: it never was, was answered, or ended too long ago",
                    http::printable(id, 64)));
}

}  // namespace

void Service::get_scan(const Request& request, const Responder& to) {
    const std::string_view id = request.parameter("id");
    const auto scan = scans_.find(id);
    if (!scan) return to.answer(unknown_id(id));
    to.answer(http::json_response(200, api::status_document(status_of(*scan))));
}

void Service::delete_scan(const Request& request, const Responder& to) {
    const std::string_view id = request.parameter("id");
    const auto scan = scans_.find(id);
    if (!scan) return to.answer(unknown_id(id));
    if (scan->ticket) {
        const auto ticket = scan->ticket;
        scan->state = ScanState::cancelled;
        desk_.cancel(ticket, {499, "cancelled", "the scan was cancelled by DELETE", {}});
    }
    to.answer(http::json_response(200, api::status_document(status_of(*scan))));
}

}  // namespace scanmq::scand
