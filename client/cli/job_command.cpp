// scanmq job show | explain | cancel.

#include <fmt/format.h>

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

JobTopic about(std::string_view name) {
    return {.name = name,
            .id_help = "The job's id, 32 hexadecimal digits",
            .doing = "cannot tell of job {id} of {queue}",
            .missing =
                "queue {queue} has no job {id}; when it ended long ago, its entry in the "
                "stream tells: scanmq watch {queue} --from earliest"};
}

std::string_view word(protocol::JobState state) {
    return state == protocol::JobState::unknown ? "unknown" : protocol::to_string(state);
}

bool was_live(protocol::JobState state) {
    return state == protocol::JobState::queued || state == protocol::JobState::running;
}

}  // namespace

Outcome job_show(Invocation& invocation) {
    return show_job(invocation, about("job"), [&](const std::vector<protocol::Row>& rows) {
        print_row(rows.front(), invocation.json);
    });
}

Outcome job_explain(Invocation& invocation) {
    return show_job(invocation, about("explain"), [&](const std::vector<protocol::Row>& rows) {
        if (invocation.json) return print_rows(rows, "reasons", {}, true);
        for (const protocol::Row& row : rows) {
            fmt::print("{}: {}\n", printable(text_of(row, "reason")),
                       printable(text_of(row, "sentence")));
        }
    });
}

Outcome job_cancel(Invocation& invocation) {
    BrokerOptions broker;
    std::string queue;
    std::vector<std::string> texts;
    config::Options declared(invocation.program, invocation.summary);
    add_broker_options(declared, broker);
    config::add_json(declared, invocation.json);
    declared.positional("queue", queue, true, "The queue's name");
    declared.positional("ids", texts, true, "Ids of jobs, 32 hexadecimal digits each");
    if (auto over = parse(declared, invocation)) return *std::move(over);
    const auto ids = read_ids(texts);
    if (!ids) return fail(ids.error());
    auto client = connect(broker);
    if (!client) return fail(client.error());
    const auto answer = (*client)->cancel(queue, *ids);
    if (!answer) return fail(problem_of(answer.error(), "cannot cancel jobs of " + queue));

    std::size_t cancelled = 0;
    Json jobs = Json::array();
    for (std::size_t i = 0; i < ids->size(); ++i) {
        const protocol::JobState state = answer->states[i];
        if (was_live(state)) ++cancelled;
        if (invocation.json) {
            jobs.push_back({{"id", (*ids)[i].hex()}, {"was", word(state)}});
        } else {
            fmt::print("{}  {}\n", (*ids)[i].hex(),
                       was_live(state) ? fmt::format("cancelled, was {}", word(state))
                                       : std::string(word(state)));
        }
    }
    if (invocation.json) {
        fmt::print("{}\n", Json{{"queue", queue},
                                {"cancelled", cancelled},
                                {"repeated", answer->repeated},
                                {"jobs", std::move(jobs)}}
                               .dump());
    }
    if (answer->repeated) {
        fmt::print(stderr,
                   "{}: the session was lost and the request sent twice: a job that is finished "
                   "may have been cancelled by the first\n",
                   invocation.program);
    }
    if (cancelled == ids->size()) return ExitCode::ok;
    return cancelled == 0 ? ExitCode::failed : ExitCode::partial;
}

}  // namespace scanmq::cli
