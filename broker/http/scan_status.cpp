#include "broker/http/scan_status.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "broker/http/job_answer.hpp"
#include "broker/http/job_request.hpp"
#include "scanner/service/codec.hpp"

namespace scanmq::gateway {

using api::ScanState;
using protocol::ErrorCode;

namespace {

api::Error error_of(const Problem& problem) {
    return {problem.status, problem.code, problem.sentence, {}};
}

Problem unknown_symbol(const std::string& symbol) {
    const std::string alias = latest_of(symbol);
    return {404,
            "unknown_symbol",
            "no snapshot of " + symbol + " is stored: put one under the alias " + alias +
                " (scanmq snapshot put FILE --alias " + alias + ")",
            {}};
}

ScanState state_of(const Ended& ended) {
    const std::string_view status = status_of(ended);
    if (status == "completed") return ScanState::completed;
    return status == "cancelled" ? ScanState::cancelled : ScanState::failed;
}

const api::ScanCall& call_or_default(const api::ScanCall* call) {
    static const api::ScanCall kDefault{};
    return call == nullptr ? kDefault : *call;
}

std::string batch_document(const Id128& id, const BatchResult& result,
                           const std::vector<std::string>& symbols, const api::ScanCall* call,
                           bool cancelled) {
    api::ScanStatus status;
    status.job_id = id.hex();
    status.symbols = symbols;
    status.progress = result.symbols() == 0 ? 1.0 : double(result.ended()) / result.symbols();
    for (const SymbolFailure& failure : result.failures()) {
        const bool missing = failure.code == protocol::to_string(ErrorCode::unknown_alias);
        status.failures.push_back(
            {failure.symbol, missing ? error_of(unknown_symbol(failure.symbol))
                                     : api::Error{502, failure.code, failure.sentence, {}}});
        cancelled = cancelled || failure.outcome == "cancelled";
    }
    if (!result.complete()) {
        status.state = result.ended() == 0 ? ScanState::queued : ScanState::running;
    } else if (cancelled) {
        status.state = ScanState::cancelled;
    } else {
        status.state = result.merged() == nullptr ? ScanState::failed : ScanState::completed;
    }
    std::string spreads;
    if (result.merged() != nullptr) {
        spreads = api::spreads_list(*result.merged(), call_or_default(call));
        status.spreads = spreads;
    }
    return api::status_document(status);
}

// A batch that is not known here any more, from its entries.
void answer_from_entries(const Id128& id, std::uint64_t jobs, std::uint64_t finished,
                         const Desk::Found& found, const http::Responder& client) {
    const auto count =
        static_cast<std::uint32_t>(std::max<std::uint64_t>({jobs, finished, found.entries.size()}));
    BatchResult result(count, service::kLimitDefault);
    std::vector<std::string> symbols;
    for (const auto& [subject, ended] : found.entries) {
        symbols.push_back(subject.substr(0, subject.find('.')));
        result.add(symbols.back(), ended);
    }
    client.answer(http::json_response(200, batch_document(id, result, symbols, nullptr, false)));
}

void look_for_batch(Context& context, const Id128& id, const protocol::GroupState& group,
                    const http::Responder& client) {
    context.desk.look_up(context.options.queue, pattern_of(id), id, false,
                         context.options.batch_symbols_max,
                         [id, jobs = std::max(group.count, group.submitted),
                          finished = group.finished, client](const Desk::Found& found) {
                             if (found.problem) return client.answer(response_of(*found.problem));
                             answer_from_entries(id, jobs, finished, found, client);
                         });
}

void look_for_entries(Context& context, const Id128& id, const http::Responder& client) {
    context.desk.look_up(
        context.options.queue, pattern_of(id), id, false, context.options.batch_symbols_max,
        [id, client](const Desk::Found& found) {
            if (found.problem && found.problem->status != 404) {
                return client.answer(response_of(*found.problem));
            }
            if (found.entries.empty()) {
                return client.answer(response_of(unknown_scan(id.hex())));
            }
            const auto& [subject, ended] = found.entries.front();
            if (!ended.group.is_zero()) {
                return answer_from_entries(id, 0, 0, found, client);
            }
            Seen seen;
            seen.ended = ended;
            client.answer(http::json_response(
                200, status_of_scan(id, subject.substr(0, subject.find('.')), nullptr, seen)));
        });
}

// Neither the book nor the broker has a job of that id: it may be a batch, or over for long.
void answer_unknown(Context& context, const Id128& id, const http::Responder& client) {
    context.desk.group(protocol::GroupQuery{context.options.queue, id},
                       [&context, id, client](const Desk::Answer<protocol::GroupState>& group) {
                           if (group) return look_for_batch(context, id, *group, client);
                           if (group.error().status != 404) {
                               return client.answer(response_of(group.error()));
                           }
                           look_for_entries(context, id, client);
                       });
}

}  // namespace

http::Response response_of(const api::Error& error) {
    return http::json_response(error.status, api::error_document(error));
}

Result<std::string, Problem> spreads_of(const std::string& body, const api::ScanCall* call) {
    auto result = service::decode_result(body);
    if (!result) {
        return fail(Problem{502,
                            "invalid_result",
                            "the worker's answer is no scan result: " + result.error().message,
                            {}});
    }
    return api::spreads_list(*result, call_or_default(call));
}

Problem unknown_scan(std::string_view id) {
    return {404,
            "unknown_scan",
            "no scan " + http::printable(id, 64) +
                " is known; it may have ended long ago, or its id is another one",
            {}};
}

Problem scan_problem(const std::string& symbol, const Ended& ended) {
    if (ended.refused && ended.code == ErrorCode::unknown_alias) return unknown_symbol(symbol);
    Problem out = problem_of(ended);
    if (out.status == 504) out.code = "deadline_exceeded";  // as the scan service says it
    return out;
}

std::string status_of_scan(const Id128& id, const std::string& symbol, const api::ScanCall* call,
                           const Seen& seen) {
    api::ScanStatus status;
    status.job_id = id.hex();
    status.symbols = {symbol};
    std::string spreads;
    if (const Ended* ended = seen.how()) {
        status.state = state_of(*ended);
        status.progress = 1.0;
        if (ended->done()) {
            auto list = spreads_of(ended->body, call);
            if (list) {
                spreads = std::move(*list);
                status.spreads = spreads;
            } else {
                status.state = ScanState::failed;
                status.failures.push_back({symbol, error_of(list.error())});
            }
        } else {
            status.failures.push_back({symbol, error_of(scan_problem(symbol, *ended))});
        }
    } else if (seen.finished) {
        status.state = ScanState::failed;
        status.progress = 1.0;
        status.failures.push_back(
            {symbol, {502, "unknown_result", "it ended, but its entry was not found", {}}});
    } else if (seen.text("state") == "running") {
        status.state = ScanState::running;
        const std::uint64_t total = seen.number("progress_total");
        if (total > 0) status.progress = double(seen.number("progress_done")) / double(total);
    }
    return api::status_document(status);
}

std::string status_of_batch(const Track& batch) {
    return batch_document(batch.id, *batch.result, batch.call->symbols, batch.call.get(), false);
}

void answer_status(Context& context, const Id128& id, const http::Responder& client) {
    const Track* known = context.desk.find(id);
    if (known != nullptr && known->kind == Kind::batch) {
        context.desk.touch(id);
        return client.answer(http::json_response(200, status_of_batch(*known)));
    }
    const auto seen = [id, client](const Seen& what) {
        if (what.problem) return client.answer(response_of(*what.problem));
        const Track* track = what.track;
        client.answer(http::json_response(
            200, status_of_scan(id, track == nullptr ? "" : track->symbol,
                                track == nullptr ? nullptr : track->call.get(), what)));
    };
    if (known != nullptr) {
        return find_job(context, context.options.queue, id, pattern_of(id), seen);
    }
    context.desk.query(
        "job", context.options.queue + "/" + id.hex(),
        [&context, id, client, seen](Desk::Answer<std::vector<protocol::Row>> rows) {
            if (!rows && rows.error().status == 404) {
                return answer_unknown(context, id, client);
            }
            if (!rows) return client.answer(response_of(rows.error()));
            Seen what;
            if (!rows->empty()) what.row = std::move(rows->front());
            if (what.text("state") == "finished") {
                return look_for_entries(context, id, client);
            }
            const std::string subject(what.text("subject"));
            client.answer(http::json_response(
                200, status_of_scan(id, subject.substr(0, subject.find('.')), nullptr, what)));
        });
}

}  // namespace scanmq::gateway
