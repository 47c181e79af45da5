// scanmq dead list | show | retry | drop.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "client/cli/command.hpp"
#include "client/cli/query_command.hpp"
#include "client/cli/rows.hpp"
#include "client/cli/session.hpp"
#include "client/cli/table.hpp"
#include "common/config/shared.hpp"

namespace scanmq::cli {
namespace {

using Json = nlohmann::ordered_json;

struct DeadFlags {
    BrokerOptions broker;
    std::string queue;
    std::vector<std::string> texts;
    bool all = false;
};

// What became of each dead letter that was there.
using Done = std::vector<protocol::DeadDone::One>;

// In requests of as many as one frame holds; `ids` empty: all.
Result<Done, Problem> act_on(client::Client& client, const DeadFlags& flags,
                             protocol::DeadAction action, std::span<const Id128> ids,
                             bool& repeated) {
    const std::size_t most = client.limits().items_per_frame_max;
    Done done;
    while (true) {
        const auto some = ids.first(std::min(ids.size(), most));
        const auto answer = client.dead_letters(flags.queue, action, some);
        if (!answer) {
            return fail(
                problem_of(answer.error(),
                           fmt::format("cannot {} dead letters of {} ({} are done)",
                                       action == protocol::DeadAction::retry ? "retry" : "drop",
                                       flags.queue, done.size())));
        }
        repeated = repeated || answer->repeated;
        done.insert(done.end(), answer->jobs.begin(), answer->jobs.end());
        if (flags.all ? answer->jobs.size() < most : some.size() == ids.size()) return done;
        if (!flags.all) ids = ids.subspan(some.size());
    }
}

void print(const Invocation& invocation, const DeadFlags& flags, protocol::DeadAction action,
           const Done& done, const std::vector<Id128>& missing, bool repeated) {
    const bool retry = action == protocol::DeadAction::retry;
    if (invocation.json) {
        Json jobs = Json::array();
        for (const protocol::DeadDone::One& one : done) {
            Json job{{"id", one.dead.hex()}};
            if (retry) job["retry"] = one.retry.hex();
            jobs.push_back(std::move(job));
        }
        Json absent = Json::array();
        for (const Id128& id : missing) absent.push_back(id.hex());
        fmt::print("{}\n", Json{{"queue", flags.queue},
                                {"result", retry ? "retried" : "dropped"},
                                {"repeated", repeated},
                                {"jobs", std::move(jobs)},
                                {"missing", std::move(absent)}}
                               .dump());
        return;
    }
    for (const protocol::DeadDone::One& one : done) {
        if (retry) {
            fmt::print("{} retried as {}\n", one.dead.hex(), one.retry.hex());
        } else {
            fmt::print("{} dropped\n", one.dead.hex());
        }
    }
    if (done.empty() && missing.empty()) fmt::print("no dead letters in {}\n", flags.queue);
}

Outcome act(Invocation& invocation, protocol::DeadAction action) {
    DeadFlags flags;
    config::Options declared(invocation.program, invocation.summary);
    add_broker_options(declared, flags.broker);
    config::add_json(declared, invocation.json);
    declared.flag("all", flags.all, "All dead letters of the queue");
    declared.positional("queue", flags.queue, true, "The queue's name");
    declared.positional("ids", flags.texts, false, "Ids of dead jobs, 32 hexadecimal digits each");
    if (auto over = parse(declared, invocation)) return *std::move(over);
    if (flags.all != flags.texts.empty()) {
        return fail(usage_problem("say which dead letters: their ids, or --all (not both)"));
    }
    const auto ids = read_ids(flags.texts);
    if (!ids) return fail(ids.error());
    auto client = connect(flags.broker);
    if (!client) return fail(client.error());
    bool repeated = false;
    const auto done = act_on(**client, flags, action, *ids, repeated);
    if (!done) return fail(done.error());
    std::vector<Id128> missing;
    for (const Id128& id : *ids) {
        if (std::ranges::find(*done, id, &protocol::DeadDone::One::dead) == done->end()) {
            missing.push_back(id);
        }
    }
    print(invocation, flags, action, *done, missing, repeated);
    for (const Id128& id : missing) {
        fmt::print(stderr, "{}: {} is no dead letter of {}; scanmq dead list {} tells them\n",
                   invocation.program, id.hex(), flags.queue, flags.queue);
    }
    if (repeated) {
        fmt::print(stderr,
                   "{}: the session was lost and the request sent twice: what is missing may have "
                   "been done by the first\n",
                   invocation.program);
    }
    if (missing.empty()) return ExitCode::ok;
    return done->empty() ? ExitCode::failed : ExitCode::partial;
}

}  // namespace

Outcome dead_list(Invocation& invocation) {
    return list_topic(invocation, "dead",
                      {"id", "subject", "attempts", "crashes", "code", "died_ms", "sentence"},
                      QueueArgument::required);
}

Outcome dead_show(Invocation& invocation) {
    constexpr JobTopic kTopic{
        .name = "dead_letter",
        .id_help = "The dead job's id, 32 hexadecimal digits",
        .doing = "cannot show dead letter {id}",
        .missing = "queue {queue} has no dead letter {id}; scanmq dead list {queue} tells them"};
    return show_job(invocation, kTopic, [&](const std::vector<protocol::Row>& rows) {
        if (invocation.json) return print_rows(rows, "dead_letter", {}, true);
        print_row(rows.front(), false);
        if (rows.size() == 1) return;
        fmt::print("\n");
        print_rows({rows.begin() + 1, rows.end()}, "attempts",
                   {"attempt", "outcome", "worker", "code", "ago_ms", "sentence"}, false);
    });
}

Outcome dead_retry(Invocation& invocation) { return act(invocation, protocol::DeadAction::retry); }
Outcome dead_drop(Invocation& invocation) { return act(invocation, protocol::DeadAction::drop); }

}  // namespace scanmq::cli
