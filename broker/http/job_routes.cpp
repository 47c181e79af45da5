// POST /v1/jobs, GET and DELETE /v1/jobs/{queue}/{id}: any job of any queue.

#include <memory>
#include <set>
#include <utility>

#include "broker/http/job_answer.hpp"
#include "broker/http/job_request.hpp"
#include "broker/http/request_values.hpp"
#include "broker/http/submission.hpp"
#include "common/protocol/codec.hpp"

namespace scanmq::gateway {

using http::Request;
using http::Responder;

namespace {

// Answers when the job ended, or when `patience` is over.
void wait_for_job(Context& context, const Id128& id, const std::string& queue, Duration patience,
                  const Responder& client) {
    const Track* track = context.desk.find(id);
    if (track->stage == Stage::ended) {
        return client.answer(ended_response(id, queue, track->ended));
    }
    if (track->stage == Stage::accepted && patience == Duration{}) {
        return client.answer(http::json_response(202, taken_document(id, queue, track)));
    }
    auto problem = context.desk.wait(
        id, patience, client,
        [&context, queue, client](WakeReason reason, const Id128& job, const Track* woken) {
            if (reason == WakeReason::no_room) {
                return client.answer(response_of(no_room(context, queue)));
            }
            if (reason == WakeReason::ended && woken != nullptr) {
                return client.answer(ended_response(job, queue, woken->ended));
            }
            client.answer(http::json_response(202, taken_document(job, queue, woken)));
        });
    if (problem) client.answer(response_of(*problem));
}

// Hands the job to the desk. `watched`: its entry will be seen when it comes.
std::optional<Problem> submit(Context& context, const JobRequest& request, const JobName& name,
                              bool watched) {
    client::Job job = request.job();
    const std::string subject = request.subject.empty()
                                    ? subject_of(request.symbol, request.what, name.id)
                                    : request.subject;
    job.id = name.id;
    job.subject = subject;
    NewJob track;
    track.id = name.id;
    track.kind = Kind::job;
    track.queue = request.queue;
    track.subject = subject;
    if (request.subject.empty()) {
        track.pattern = kSubjects;
    } else if (watched) {
        track.pattern = subject;
    }
    track.content = name.content;
    return context.desk.submit(std::move(track), job);
}

void submit_one(Context& context, JobRequest request, const JobName& name, Duration patience,
                const Responder& client) {
    if (const Track* known = context.desk.find(name.id)) {
        ++context.counts.repeated;
        if (auto problem = check_repeated(*known, name)) {
            return client.answer(response_of(*problem));
        }
        context.desk.touch(name.id);
        return wait_for_job(context, name.id, request.queue, patience, client);
    }
    const std::string queue = request.queue;
    context.desk.with_queue(queue, false,
                            [&context, name, patience, client,
                             request = std::make_shared<JobRequest>(std::move(request))](
                                std::optional<Problem> problem) {
                                if (!problem && context.desk.find(name.id) == nullptr) {
                                    problem =
                                        submit(context, *request, name, patience > Duration{});
                                }
                                if (problem) return client.answer(response_of(*problem));
                                wait_for_job(context, name.id, request->queue, patience, client);
                            });
}

// A list of jobs, answered when the broker has answered for each.
struct List {
    Context& context;
    Responder client;
    std::vector<JobRequest> jobs;
    std::vector<Id128> ids;
    std::vector<std::string> answers;
    std::size_t open = 0;
    std::size_t taken = 0;
    std::optional<Problem> first;  // refusal
    std::set<std::string> queues;  // that are not known yet

    List(Context& c, const Responder& r) : context(c), client(r) {}

    void refuse(std::size_t i, const Problem& problem) {
        http::Response error = response_of(problem);
        answers[i] =
            "{\"job_id\":\"" + ids[i].hex() + "\",\"status\":\"failed\"," + error.body.substr(1);
        if (!first) first = problem;
    }
    void done() {
        if (open > 0) return;
        if (taken == 0 && first) return client.answer(response_of(*first));
        std::string body = "{\"jobs\":[";
        for (std::size_t i = 0; i < answers.size(); ++i) body += (i == 0 ? "" : ",") + answers[i];
        client.answer(http::json_response(202, body + "]}"));
    }
};

void submit_list(const std::shared_ptr<List>& list) {
    list->answers.resize(list->jobs.size());
    list->open = list->jobs.size();
    for (std::size_t i = 0; i < list->jobs.size(); ++i) {
        Context& context = list->context;
        const JobRequest& request = list->jobs[i];
        const Id128 id = list->ids[i];
        const std::string queue = request.queue;
        std::optional<Problem> problem;
        const Track* known = context.desk.find(id);
        if (known == nullptr) problem = submit(context, request, {id, false, {}}, false);
        known = context.desk.find(id);
        if (!problem && known->stage != Stage::submitting) {
            list->answers[i] = taken_document(id, queue, known);
            ++list->taken;
            --list->open;
            continue;
        }
        if (!problem) {
            problem = context.desk.wait(
                id, {}, list->client,
                [list, i, queue](WakeReason reason, const Id128& job, const Track* track) {
                    if (reason == WakeReason::no_room) {
                        list->refuse(i, no_room(list->context, queue));
                    } else if (track != nullptr && track->stage == Stage::ended &&
                               track->ended.refused) {
                        list->refuse(i, problem_of(track->ended));
                    } else {
                        ++list->taken;
                        list->answers[i] = taken_document(job, queue, track);
                    }
                    --list->open;
                    list->done();
                });
        }
        if (problem) {
            list->refuse(i, *problem);
            --list->open;
        }
    }
    list->done();
}

// Makes sure of one queue after the other.
void know_queues(const std::shared_ptr<List>& list) {
    if (list->queues.empty()) return submit_list(list);
    const std::string queue = *list->queues.begin();
    list->queues.erase(list->queues.begin());
    list->context.desk.with_queue(queue, false, [list](std::optional<Problem> problem) {
        if (problem) return list->client.answer(response_of(*problem));
        know_queues(list);
    });
}

void post_jobs(Context& context, const Request& request, const Responder& client) {
    auto parsed = parse_jobs(request.body, context.options.jobs_per_request_max);
    if (!parsed) return client.answer(response_of(parsed.error()));
    context.counts.jobs += parsed->jobs.size();
    if (!parsed->many) {
        auto name = name_job(context, request, parsed->jobs.front().id);
        if (!name) return client.answer(response_of(name.error()));
        const Duration otherwise = parsed->jobs.front().wait.value_or(Duration{});
        auto patience = wait_of(request, otherwise, context.options.wait_max);
        if (!patience) return client.answer(response_of(patience.error()));
        return submit_one(context, std::move(parsed->jobs.front()), *name, *patience, client);
    }
    if (!request.header("Idempotency-Key").empty()) {
        return client.answer(response_of(bad_request(
            "Idempotency-Key names one job; give each job of a list a job_id of its own")));
    }
    auto list = std::make_shared<List>(context, client);
    list->jobs = std::move(parsed->jobs);
    for (const JobRequest& job : list->jobs) {
        list->ids.push_back(job.id ? *job.id : context.desk.link().new_id());
        list->queues.insert(job.queue);
    }
    know_queues(list);
}

// The id and queue of the path.
Result<std::pair<std::string, Id128>, Problem> job_of(const Request& request) {
    std::string queue(request.parameter("queue"));
    if (!protocol::valid_queue_name(queue)) {
        return fail(bad_request("the path's queue is no queue's name"));
    }
    auto id = parse_job_id(request.parameter("id"), "the path's id");
    if (!id) return fail(std::move(id).error());
    return std::pair{std::move(queue), *id};
}

void get_job(Context& context, const Request& request, const Responder& client) {
    ++context.counts.questions;
    auto job = job_of(request);
    if (!job) return client.answer(response_of(job.error()));
    auto patience = wait_of(request, Duration{}, context.options.wait_max);
    if (!patience) return client.answer(response_of(patience.error()));
    const auto& [queue, id] = *job;
    const auto subject = request.query_value("subject");
    std::string pattern = subject ? std::string(*subject) : pattern_of(id);
    const auto answer = [queue = queue, id = id, client](const Seen& seen) {
        if (seen.problem) return client.answer(response_of(*seen.problem));
        client.answer(http::json_response(200, job_document(id, queue, seen)));
    };
    const auto look = [&context, queue = queue, id = id, pattern, answer] {
        find_job(context, queue, id, pattern, answer);
    };
    const Track* known = context.desk.find(id);
    if (known != nullptr && known->kind == Kind::batch) {
        return client.answer(
            response_of(problem_of(protocol::ErrorCode::unknown_job,
                                   "the id is a batch's: ask for /api/v1/scan/" + id.hex())));
    }
    if (known == nullptr || known->stage == Stage::ended || *patience == Duration{} ||
        known->pattern.empty()) {
        return look();
    }
    auto problem = context.desk.wait(id, *patience, client,
                                     [look](WakeReason, const Id128&, const Track*) { look(); });
    if (problem) client.answer(response_of(*problem));
}

void delete_job(Context& context, const Request& request, const Responder& client) {
    ++context.counts.cancels;
    auto job = job_of(request);
    if (!job) return client.answer(response_of(job.error()));
    const auto& [queue, id] = *job;
    context.desk.cancel(
        queue, {id},
        [&context, queue = queue, id = id,
         client](Desk::Answer<std::vector<protocol::JobState>> states) {
            if (!states) return client.answer(response_of(states.error()));
            const protocol::JobState was = states->front();
            const Track* known = context.desk.find(id);
            if (was == protocol::JobState::unknown && known == nullptr) {
                return client.answer(response_of(
                    problem_of(protocol::ErrorCode::unknown_job,
                               "no job " + id.hex() + " is known in queue \"" + queue + "\"")));
            }
            if (was == protocol::JobState::finished) {
                return find_job(
                    context, queue, id, pattern_of(id), [queue, id, client](const Seen& seen) {
                        client.answer(http::json_response(200, job_document(id, queue, seen)));
                    });
            }
            client.answer(http::json_response(200, "{\"job_id\":\"" + id.hex() +
                                                       "\",\"queue\":" + http::json_quote(queue) +
                                                       ",\"status\":\"cancelled\"}"));
        });
}

}  // namespace

void add_job_routes(http::Router& router, Context& context) {
    router.add("POST", "/v1/jobs", [&context](const Request& request, const Responder& client) {
        post_jobs(context, request, client);
    });
    router.add("GET", "/v1/jobs/{queue}/{id}",
               [&context](const Request& request, const Responder& client) {
                   get_job(context, request, client);
               });
    router.add("DELETE", "/v1/jobs/{queue}/{id}",
               [&context](const Request& request, const Responder& client) {
                   delete_job(context, request, client);
               });
}

}  // namespace scanmq::gateway
