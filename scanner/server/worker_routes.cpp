// The routes that workers use: jobs in msgpack, and the snapshots they name.

#include <fmt/format.h>

#include <utility>

#include "common/base/bytes.hpp"
#include "scanner/api/worker_call.hpp"
#include "scanner/server/service.hpp"
#include "scanner/service/document_writer.hpp"
#include "scanner/service/job.hpp"

namespace scanmq::scand {

namespace {

// A worker's call with what it needs. `call` has views into `body`, so it is made in place and stays.
struct JobScan {
    std::string body;
    api::WorkerCall call;
    std::vector<std::shared_ptr<BookedChain>> chains;
};

ScanOutcome run(const JobScan& scan, const service::ScanHooks& hooks) {
    const auto open = [&scan](std::size_t i) -> Result<service::JobChain, std::string> {
        return service::JobChain{scan.chains[i]->id(), &scan.chains[i]->priced()};
    };
    auto result =
        service::run_job({scan.call.request, scan.call.as_of_ns, scan.chains.size(), open}, hooks);
    if (!result) return fail(api::error_of(result.error()));
    return std::move(result).value();
}

http::Response unknown_snapshots(const std::vector<ContentId>& missing) {
    service::DocumentWriter out(service::Encoding::json);
    out.map(1);
    out.key("error");
    out.map(3);
    out.key("code");
    out.text("unknown_snapshot");
    out.key("sentence");
    out.text(
        fmt::format("{} of the inputs are not here; put each to /api/v1/snapshots/HASH and ask "
                    "again",
                    missing.size()));
    out.key("hashes");
    out.list(missing.size());
    for (const ContentId& id : missing) out.text(id.hex());
    out.end();
    out.end();
    out.end();
    return http::json_response(409, out.take());
}

http::Response snapshot_answer(int status, const BookedChain& chain) {
    const market::Chain& data = chain.chain();
    service::DocumentWriter out(service::Encoding::json);
    out.map(4);
    out.key("hash");
    out.text(chain.id().hex());
    out.key("symbol");
    out.text(data.symbol);
    out.key("as_of_ms");
    out.integer(data.as_of);
    out.key("contracts");
    out.count(data.size());
    out.end();
    return http::json_response(status, out.take());
}

http::Response bad_hash() {
    return http::error_response(400, "bad_value",
                                "a snapshot is named by the BLAKE2b-256 hash of its bytes, in 64 "
                                "hexadecimal digits");
}

}  // namespace

void Service::add_worker_routes(http::Router& router) {
    router.add(
        "PUT", "/api/v1/snapshots/{hash}",
        [this](Request request, const Responder& to) { put_snapshot(std::move(request), to); },
        {.body_bytes_max = settings_.snapshot_bytes_max});
    router.add("GET", "/api/v1/snapshots/{hash}",
               [this](const Request& request, const Responder& to) { get_snapshot(request, to); });
}

void Service::post_job(Request request, const Responder& to) {
    auto scan = std::make_shared<JobScan>();
    scan->body = std::move(request.body);
    auto call = api::decode_worker_call(scan->body);
    if (!call) return to.answer(refusal({400, "malformed", call.error(), {}}));
    scan->call = std::move(call).value();
    const auto time = time_for(request);
    if (!time) return to.answer(refusal(time.error()));
    if (fails(to)) return;
    std::vector<ContentId> missing;
    for (const ContentId& id : scan->call.inputs) {
        if (auto chain = book_.find(id)) {
            scan->chains.push_back(std::move(chain));
        } else {
            missing.push_back(id);
        }
    }
    if (!missing.empty()) return to.answer(unknown_snapshots(missing));
    Work work;
    work.timeout = *time;
    work.slow = fault_.slow;
    work.run = [scan](const service::ScanHooks& hooks) { return run(*scan, hooks); };
    work.done = [this, to](ScanOutcome outcome) {
        if (!outcome) return to.answer(refusal(outcome.error()));
        http::Response response = http::json_response(200, std::move(outcome).value());
        response.content_type = http::kMsgpack;
        to.answer(std::move(response));
    };
    auto ticket = desk_.submit(std::move(work));
    if (!ticket) return to.answer(refusal(ticket.error()));
    end_with_client(*ticket, to);
}

void Service::put_snapshot(Request request, const Responder& to) {
    const auto id = ContentId::parse_hex(request.parameter("hash"));
    if (!id) return to.answer(bad_hash());
    if (const auto known = book_.find(*id)) return to.answer(snapshot_answer(200, *known));
    const auto time = time_for(request);
    if (!time) return to.answer(refusal(time.error()));

    struct Put {
        std::string bytes;
        service::OpenedSnapshot opened;
    };
    auto put = std::make_shared<Put>(Put{std::move(request.body), {}});
    Work work;
    work.timeout = *time;
    work.run = [put, id = *id](const service::ScanHooks&) -> ScanOutcome {
        if (content_id(put->bytes) != id) {
            return fail(api::Error{422,
                                   "hash_mismatch",
                                   "the bytes are not of this hash; name them by their own",
                                   {}});
        }
        put->opened = service::open_snapshot(put->bytes);
        put->bytes = {};
        if (!put->opened.chain) {
            return fail(api::Error{422, "bad_snapshot", put->opened.problem, {}});
        }
        return std::string();
    };
    work.done = [this, put, id = *id, to](const ScanOutcome& outcome) {
        if (!outcome) return to.answer(refusal(outcome.error()));
        if (put->opened.memory > book_.bytes_max()) {
            return to.answer(refusal({413,
                                      "snapshot_too_large",
                                      fmt::format("this chain takes {} bytes, --cache-bytes is {}",
                                                  put->opened.memory, book_.bytes_max()),
                                      {}}));
        }
        auto chain = std::make_shared<BookedChain>(id, put->opened.chain);
        book_.put(chain, put->opened.memory);
        to.answer(snapshot_answer(201, *chain));
    };
    auto ticket = desk_.submit(std::move(work));
    if (!ticket) return to.answer(refusal(ticket.error()));
    end_with_client(*ticket, to);
}

void Service::get_snapshot(const Request& request, const Responder& to) {
    const auto id = ContentId::parse_hex(request.parameter("hash"));
    if (!id) return to.answer(bad_hash());
    const auto chain = book_.find(*id);
    if (chain) return to.answer(snapshot_answer(200, *chain));
    to.answer(http::error_response(404, "unknown_snapshot", "it is not here; put it"));
}

}  // namespace scanmq::scand
