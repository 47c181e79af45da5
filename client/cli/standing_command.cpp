// scanmq standing add | list | drop: scans that the broker runs again whenever an alias moves.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "client/cli/command.hpp"
#include "client/cli/files.hpp"
#include "client/cli/query_command.hpp"
#include "client/cli/scan_request.hpp"
#include "client/cli/session.hpp"
#include "client/cli/table.hpp"
#include "client/core/job.hpp"
#include "common/config/shared.hpp"
#include "scanner/service/codec.hpp"

namespace scanmq::cli {
namespace {

using Json = nlohmann::ordered_json;

struct StandingFlags {
    BrokerOptions broker;
    RequestFlags request;
    std::string name;
    std::string queue = "scans";
    std::string subject;
    std::vector<std::string> aliases;
    std::string payload;  // a file
    Duration min_interval = std::chrono::seconds(1);
    std::uint32_t priority = protocol::JobOptions::kDefaultPriority;
    Duration deadline{0};
    std::string flow;
    bool pure = false;
    bool not_pure = false;
    bool finish_late = false;
    bool sheddable = false;
};

constexpr Duration kLongest = std::chrono::hours(24 * 30);

void declare(config::Options& declared, StandingFlags& flags, bool& json) {
    declared.positional("name", flags.name, true,
                        "The standing scan's name; one that is known is replaced");
    declared.text("queue", flags.queue, "Queue for its runs");
    declared.text("subject", flags.subject,
                  "Subject of its results, tokens separated by dots; its name when not given");
    declared.list("alias", flags.aliases, ',',
                  "Aliases it scans, in this order; it runs when one of them moves");
    declared.text("payload", flags.payload,
                  "File whose bytes are the payload, instead of a scan request");
    declared.duration("min-interval", flags.min_interval, {Duration{0}, kLongest},
                      "At least that long between two runs; the newest state is run in the end");
    declared.number("priority", flags.priority, {0U, 9U}, "", "Higher goes first");
    declared.duration("deadline", flags.deadline, {Duration{0}, kLongest},
                      "A run is not started later than that after it was due; 0: no deadline");
    declared.text("flow", flags.flow,
                  "Flow that its runs are shared out by, instead of the client's name");
    declared.flag("pure", flags.pure,
                  "The result depends on payload and inputs only: equal jobs are done once");
    declared.flag("not-pure", flags.not_pure, "The opposite, in a queue that is pure");
    declared.flag("finish-late", flags.finish_late,
                  "What runs past the deadline may end instead of being stopped");
    declared.flag("sheddable", flags.sheddable,
                  "A run may end unrun when its queue is overloaded and set to shed");
    add_request_flags(declared, flags.request);
    add_broker_options(declared, flags.broker);
    config::add_json(declared, json);
}

Result<std::string, Problem> payload_of(const Invocation& invocation,
                                        const config::Options& declared,
                                        const StandingFlags& flags) {
    if (!flags.payload.empty()) {
        if (const std::string given = request_flag_of(invocation); !given.empty()) {
            return fail(usage_problem(fmt::format(
                "{} is part of a scan request, and --payload takes its place; give one of them",
                given)));
        }
        return read_file(flags.payload);
    }
    const auto request = make_request(declared, flags.request);
    if (!request) return fail(request.error());
    return service::encode(*request, service::Encoding::json);
}

void print_done(const Invocation& invocation, const std::string& name, std::string_view result) {
    if (invocation.json) {
        fmt::print("{}\n", Json{{"name", name}, {"result", result}}.dump(
                               -1, ' ', false, Json::error_handler_t::replace));
    } else {
        fmt::print("standing scan {} {}\n", printable(name), result);
    }
}

}  // namespace

Outcome standing_add(Invocation& invocation) {
    StandingFlags flags;
    config::Options declared(invocation.program, invocation.summary);
    declare(declared, flags, invocation.json);
    if (auto over = parse(declared, invocation)) return *std::move(over);
    if (flags.aliases.empty()) {
        return fail(usage_problem("--alias names what it scans; give one at least"));
    }
    if (flags.pure && flags.not_pure) {
        return fail(usage_problem("give --pure or --not-pure, not both"));
    }
    const auto payload = payload_of(invocation, declared, flags);
    if (!payload) return fail(payload.error());
    auto client = connect(flags.broker);
    if (!client) return fail(client.error());
    client::StandingScan scan;
    scan.name = flags.name;
    scan.queue = flags.queue;
    scan.min_interval = flags.min_interval;
    scan.job.subject = flags.subject.empty() ? flags.name : flags.subject;
    scan.job.payload = *payload;
    scan.job.aliases = flags.aliases;
    scan.job.priority = flags.priority;
    scan.job.deadline = flags.deadline;
    scan.job.flow = flags.flow;
    if (flags.pure || flags.not_pure) scan.job.pure = flags.pure;
    scan.job.finish_late = flags.finish_late;
    scan.job.sheddable = flags.sheddable;
    if (const auto set = (*client)->set_standing(scan); !set) {
        return fail(problem_of(set.error(), "cannot set standing scan " + flags.name));
    }
    print_done(invocation, flags.name, "set");
    return ExitCode::ok;
}

Outcome standing_list(Invocation& invocation) {
    return list_topic(invocation, "standing",
                      {"name", "queue", "subject", "aliases", "min_interval_ms", "runs",
                       "last_run_ms", "pending", "skipped", "last_error"},
                      QueueArgument::none);
}

Outcome standing_drop(Invocation& invocation) {
    BrokerOptions broker;
    std::string name;
    config::Options declared(invocation.program, invocation.summary);
    add_broker_options(declared, broker);
    config::add_json(declared, invocation.json);
    declared.positional("name", name, true, "The standing scan's name");
    if (auto over = parse(declared, invocation)) return *std::move(over);
    auto client = connect(broker);
    if (!client) return fail(client.error());
    if (const auto dropped = (*client)->drop_standing(name); !dropped) {
        return fail(problem_of(dropped.error(), "cannot drop standing scan " + name));
    }
    print_done(invocation, name, "dropped");
    return ExitCode::ok;
}

}  // namespace scanmq::cli
