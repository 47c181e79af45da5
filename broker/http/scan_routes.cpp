// POST /api/v1/scan and /api/v1/scan/batch, GET and DELETE /api/v1/scan/{id}: scans through the queue.

#include <memory>
#include <utility>

#include "broker/http/job_request.hpp"
#include "broker/http/request_values.hpp"
#include "broker/http/scan_progress.hpp"
#include "broker/http/scan_status.hpp"
#include "broker/http/submission.hpp"
#include "scanner/service/codec.hpp"

namespace scanmq::gateway {

using http::Request;
using http::Responder;
using SharedCall = std::shared_ptr<const api::ScanCall>;

namespace {

constexpr Duration kGrace = std::chrono::seconds(1);

std::string what_of(const api::ScanCall& call) {
    return call.request.strategies.size() == 1 ? call.request.strategies.front() : "verticals";
}

// The scan of one symbol as a job; `subject_id` is its own id, or its batch's.
std::optional<Problem> submit_scan(Context& context, NewJob track, const std::string& symbol,
                                   const Id128& subject_id, Duration deadline) {
    const api::ScanCall& call = *track.call;
    service::ScanRequest asked = call.request;
    asked.symbol = symbol;
    const std::string payload = service::encode(asked, service::Encoding::json);
    const std::vector<std::string> aliases{latest_of(symbol)};
    const std::string subject = subject_of(symbol, what_of(call), subject_id);
    client::Job job;
    job.id = track.id;
    job.group = track.batch;
    job.subject = subject;
    job.payload = payload;
    job.aliases = aliases;
    job.deadline = deadline;
    track.queue = context.options.queue;
    track.subject = subject;
    track.pattern = kSubjects;
    track.symbol = symbol;
    return context.desk.submit(std::move(track), job);
}

http::Response scan_response(const Id128& id, const Track& track) {
    if (!track.ended.done()) return response_of(scan_problem(track.symbol, track.ended));
    auto list = spreads_of(track.ended.body, track.call.get());
    if (!list) return response_of(list.error());
    http::Response out = http::json_response(200, api::spreads_document(*list));
    out.headers.emplace_back("X-Scanmq-Job-Id", id.hex());
    return out;
}

// It goes on: ask for it by its id.
http::Response taken_response(const Id128& id, const std::string& document) {
    http::Response out = http::json_response(202, document);
    out.headers.emplace_back("Location", "/api/v1/scan/" + id.hex());
    out.headers.emplace_back("X-Scanmq-Job-Id", id.hex());
    return out;
}

void wait_for_scan(Context& context, const Id128& id, const std::string& symbol, Duration patience,
                   bool lines, const Responder& client) {
    const Track* track = context.desk.find(id);
    if (lines) return answer_in_lines(context, id, patience, client);
    if (track->stage == Stage::ended) return client.answer(scan_response(id, *track));
    if (track->stage == Stage::accepted && patience == Duration{}) {
        return client.answer(taken_response(id, status_of_scan(id, symbol, nullptr, {})));
    }
    auto problem = context.desk.wait(
        id, patience, client,
        [&context, symbol, client](WakeReason reason, const Id128& job, const Track* woken) {
            if (reason == WakeReason::no_room) {
                return client.answer(response_of(no_room(context, context.options.queue)));
            }
            if (reason == WakeReason::ended && woken != nullptr) {
                return client.answer(scan_response(job, *woken));
            }
            client.answer(taken_response(job, status_of_scan(job, symbol, nullptr, {})));
        });
    if (problem) client.answer(response_of(*problem));
}

void post_scan(Context& context, const Request& request, const Responder& client) {
    ++context.counts.scans;
    auto read = api::read_scan(request.body);
    if (!read) return client.answer(response_of(read.error()));
    auto name = name_job(context, request, std::nullopt);
    if (!name) return client.answer(response_of(name.error()));
    const bool lines = request.accepted_first() == http::kJsonLines;
    const Duration otherwise = lines ? context.options.wait_max : context.options.wait;
    auto deadline = deadline_of(request);
    if (!deadline) return client.answer(response_of(deadline.error()));
    // Its end is told, too, in time or a little later.
    auto patience = wait_of(request, *deadline > Duration{} ? *deadline + kGrace : otherwise,
                            context.options.wait_max);
    if (!patience) return client.answer(response_of(patience.error()));
    const std::string symbol = read->symbols.front();
    if (const Track* known = context.desk.find(name->id)) {
        ++context.counts.repeated;
        if (auto problem = check_repeated(*known, *name)) {
            return client.answer(response_of(*problem));
        }
        context.desk.touch(name->id);
        return wait_for_scan(context, name->id, symbol, *patience, lines, client);
    }
    auto call = std::make_shared<const api::ScanCall>(std::move(*read));
    context.desk.with_queue(context.options.queue, true,
                            [&context, name = *name, patience = *patience, deadline = *deadline,
                             symbol, lines, call, client](std::optional<Problem> problem) {
                                if (!problem && context.desk.find(name.id) == nullptr) {
                                    NewJob track;
                                    track.id = name.id;
                                    track.kind = Kind::scan;
                                    track.call = call;
                                    track.content = name.content;
                                    // One who named the job may come back for it.
                                    track.cancel_when_alone = !name.named && patience > Duration{};
                                    problem = submit_scan(context, std::move(track), symbol,
                                                          name.id, deadline);
                                }
                                if (problem) return client.answer(response_of(*problem));
                                wait_for_scan(context, name.id, symbol, patience, lines, client);
                            });
}

// The group is open: submits a job for each symbol.
void fill_batch(Context& context, const JobName& name, const SharedCall& call, Duration deadline,
                const Responder& client) {
    NewJob batch;
    batch.id = name.id;
    batch.kind = Kind::batch;
    batch.queue = context.options.queue;
    batch.call = call;
    batch.content = name.content;
    const auto symbols = static_cast<std::uint32_t>(call->symbols.size());
    if (auto problem = context.desk.begin_batch(std::move(batch), symbols, call->request.limit)) {
        return client.answer(response_of(*problem));
    }
    for (const std::string& symbol : call->symbols) {
        NewJob member;
        member.id = context.desk.link().new_id();
        member.kind = Kind::member;
        member.batch = name.id;
        member.call = call;
        if (auto problem = submit_scan(context, std::move(member), symbol, name.id, deadline)) {
            context.desk.refuse_member(name.id, symbol, *problem);
        }
    }
    client.answer(taken_response(name.id, status_of_batch(*context.desk.find(name.id))));
}

void post_batch(Context& context, const Request& request, const Responder& client) {
    ++context.counts.batches;
    auto read = api::read_batch(request.body);
    if (!read) return client.answer(response_of(read.error()));
    if (read->symbols.size() > context.options.batch_symbols_max) {
        return client.answer(response_of(api::Error{
            400, "bad_value",
            "a batch here has at most " + std::to_string(context.options.batch_symbols_max) +
                " symbols; send several",
            "symbols"}));
    }
    auto name = name_job(context, request, std::nullopt);
    if (!name) return client.answer(response_of(name.error()));
    if (const Track* known = context.desk.find(name->id)) {
        ++context.counts.repeated;
        if (auto problem = check_repeated(*known, *name)) {
            return client.answer(response_of(*problem));
        }
        return client.answer(taken_response(name->id, status_of_batch(*known)));
    }
    auto deadline = deadline_of(request);
    if (!deadline) return client.answer(response_of(deadline.error()));
    auto call = std::make_shared<const api::ScanCall>(std::move(*read));
    const auto opened = [&context, name = *name, call, deadline = *deadline,
                         client](const Desk::Answer<protocol::GroupState>& group) {
        if (context.desk.find(name.id) != nullptr) {  // repeated meanwhile
            return client.answer(
                taken_response(name.id, status_of_batch(*context.desk.find(name.id))));
        }
        // Opened before the broker was restarted: its jobs are there.
        if (!group && group.error().code == "group_exists") {
            return answer_status(context, name.id, client);
        }
        if (!group) return client.answer(response_of(group.error()));
        fill_batch(context, name, call, deadline, client);
    };
    context.desk.with_queue(
        context.options.queue, true,
        [&context, id = name->id, client, opened](const std::optional<Problem>& problem) {
            if (problem) return client.answer(response_of(*problem));
            context.desk.group(protocol::GroupOpen{context.options.queue, id}, opened);
        });
}

void get_scan(Context& context, const Request& request, const Responder& client) {
    ++context.counts.questions;
    const auto id = parse_id(request.parameter("id"));
    if (!id) return client.answer(response_of(unknown_scan(request.parameter("id"))));
    auto patience = wait_of(request, Duration{}, context.options.wait_max);
    if (!patience) return client.answer(response_of(patience.error()));
    const Track* known = context.desk.find(*id);
    if (known == nullptr || known->stage == Stage::ended || *patience == Duration{}) {
        return answer_status(context, *id, client);
    }
    auto problem = context.desk.wait(
        *id, *patience, client, [&context, client](WakeReason, const Id128& job, const Track*) {
            answer_status(context, job, client);
        });
    if (problem) client.answer(response_of(*problem));
}

void delete_scan(Context& context, const Request& request, const Responder& client) {
    ++context.counts.cancels;
    const auto parsed = parse_id(request.parameter("id"));
    if (!parsed) return client.answer(response_of(unknown_scan(request.parameter("id"))));
    const Id128 id = *parsed;
    const Track* known = context.desk.find(id);
    if (known != nullptr && known->stage == Stage::ended) {
        return answer_status(context, id, client);
    }
    std::vector<Id128> jobs{id};
    if (known != nullptr && known->kind == Kind::batch) jobs = known->members;
    context.desk.cancel(
        context.options.queue, std::move(jobs),
        [&context, id, client](const Desk::Answer<std::vector<protocol::JobState>>& states) {
            if (!states) return client.answer(response_of(states.error()));
            const Track* track = context.desk.find(id);
            if (track == nullptr && states->front() == protocol::JobState::unknown) {
                return client.answer(response_of(unknown_scan(id.hex())));
            }
            if (states->front() == protocol::JobState::finished &&
                (track == nullptr || track->kind != Kind::batch)) {
                return answer_status(context, id, client);
            }
            api::ScanStatus status;
            status.job_id = id.hex();
            status.state = api::ScanState::cancelled;
            if (track != nullptr && track->call) status.symbols = track->call->symbols;
            if (track != nullptr && track->result) {
                status.progress = double(track->result->ended()) / track->result->symbols();
            }
            client.answer(http::json_response(200, api::status_document(status)));
        });
}

}  // namespace

void add_scan_routes(http::Router& router, Context& context) {
    const auto add = [&](const char* method, const char* pattern, auto handle) {
        router.add(method, pattern,
                   [&context, handle](const Request& request, const Responder& client) {
                       handle(context, request, client);
                   });
    };
    add("POST", "/api/v1/scan", post_scan);
    add("POST", "/api/v1/scan/batch", post_batch);
    add("GET", "/api/v1/scan/{id}", get_scan);
    add("DELETE", "/api/v1/scan/{id}", delete_scan);
}

}  // namespace scanmq::gateway
