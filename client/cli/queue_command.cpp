// scanmq queue list | create | set | delete | pause | resume | drain | purge, flow list | set | drop,
// and worker list.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "client/cli/command.hpp"
#include "client/cli/query_command.hpp"
#include "client/cli/session.hpp"
#include "common/config/shared.hpp"
#include "common/config/values.hpp"

namespace scanmq::cli {
namespace {

using Json = nlohmann::ordered_json;

// What may be written instead of a number.
const std::uint64_t* word_of(std::string_view setting, std::string_view value) {
    static constexpr std::array<std::uint64_t, 3> kNumbers{0, 1, 2};
    static constexpr std::array<std::string_view, 3> kOverload{"block", "reject", "shed"};
    if (setting != "overload") return nullptr;
    const auto* const found = std::find(kOverload.begin(), kOverload.end(), value);
    return found == kOverload.end() ? nullptr : &kNumbers[found - kOverload.begin()];
}

// "max_jobs=1000", "max_bytes=64MiB", "pure=true", "overload=shed".
Result<protocol::Settings, Problem> read_settings(const std::vector<std::string>& texts) {
    protocol::Settings settings;
    for (const std::string& text : texts) {
        const auto equals = text.find('=');
        if (equals == std::string::npos || equals == 0) {
            return fail(usage_problem(fmt::format(
                "\"{}\" is not a setting; write NAME=VALUE, such as max_jobs=100000", text)));
        }
        const std::string value = text.substr(equals + 1);
        const std::string name = text.substr(0, equals);
        if (const std::uint64_t* const word = word_of(name, value)) {
            settings.emplace_back(name, *word);
        } else if (const auto number = config::parse_bytes(value)) {
            settings.emplace_back(name, *number);
        } else if (const auto truth = config::parse_truth(value)) {
            settings.emplace_back(name, *truth ? 1 : 0);
        } else {
            return fail(usage_problem(fmt::format("setting \"{}\": {}", text, number.error())));
        }
    }
    return settings;
}

void print_done(const Invocation& invocation, const std::string& queue, std::string_view what) {
    if (invocation.json) {
        fmt::print("{}\n", Json{{"queue", queue}, {"result", what}}.dump());
    } else {
        fmt::print("queue {} {}\n", queue, what);
    }
}

// create and set: the same arguments, another request.
template <class Request>
Outcome change_queue(Invocation& invocation, std::string_view doing, std::string_view done,
                     Request&& request) {
    BrokerOptions broker;
    std::string queue;
    std::vector<std::string> texts;
    config::Options declared(invocation.program, invocation.summary);
    add_broker_options(declared, broker);
    config::add_json(declared, invocation.json);
    declared.positional("queue", queue, true, "The queue's name");
    declared.positional(
        "settings", texts, false,
        "NAME=VALUE of docs/PROTOCOL.md, section 10, such as max_jobs=100000 pure=true");
    if (auto over = parse(declared, invocation)) return *std::move(over);
    const auto settings = read_settings(texts);
    if (!settings) return fail(settings.error());
    auto client = connect(broker);
    if (!client) return fail(client.error());
    if (const auto answer = request(**client, queue, *settings); !answer) {
        return fail(problem_of(answer.error(), fmt::format("cannot {} queue {}", doing, queue)));
    }
    print_done(invocation, queue, done);
    return ExitCode::ok;
}

// pause, resume, drain and purge.
Outcome control(Invocation& invocation, protocol::QueueAction action, std::string_view doing,
                std::string_view done) {
    BrokerOptions broker;
    std::string queue;
    config::Options declared(invocation.program, invocation.summary);
    add_broker_options(declared, broker);
    config::add_json(declared, invocation.json);
    declared.positional("queue", queue, true, "The queue's name");
    if (auto over = parse(declared, invocation)) return *std::move(over);
    auto client = connect(broker);
    if (!client) return fail(client.error());
    if (const auto answer = (*client)->control_queue(queue, action); !answer) {
        return fail(problem_of(answer.error(), fmt::format("cannot {} queue {}", doing, queue)));
    }
    print_done(invocation, queue, done);
    return ExitCode::ok;
}

}  // namespace

Outcome queue_list(Invocation& invocation) {
    return list_topic(invocation, "queues",
                      {"queue", "state", "waiting", "running", "submitted", "done", "rejected",
                       "dead", "groups", "used_bytes", "max_jobs", "stream_next", "stream_bytes"},
                      QueueArgument::optional);
}

Outcome worker_list(Invocation& invocation) {
    return list_topic(invocation, "workers",
                      {"name", "threads", "scanner_version", "running", "credit_items", "delivered",
                       "done", "failed", "cache_hits", "shared_hits"},
                      QueueArgument::none);
}

Outcome queue_create(Invocation& invocation) {
    return change_queue(
        invocation, "create", "created",
        [](client::Client& client, const std::string& queue, const protocol::Settings& settings) {
            return client.create_queue(queue, settings);
        });
}

Outcome queue_set(Invocation& invocation) {
    return change_queue(
        invocation, "change", "changed",
        [](client::Client& client, const std::string& queue, const protocol::Settings& settings) {
            return client.alter_queue(queue, settings);
        });
}

Outcome queue_delete(Invocation& invocation) {
    BrokerOptions broker;
    std::string queue;
    bool force = false;
    config::Options declared(invocation.program, invocation.summary);
    add_broker_options(declared, broker);
    config::add_json(declared, invocation.json);
    declared.flag("force", force, "Also with live jobs in it; they end cancelled");
    declared.positional("queue", queue, true, "The queue's name");
    if (auto over = parse(declared, invocation)) return *std::move(over);
    auto client = connect(broker);
    if (!client) return fail(client.error());
    if (const auto answer = (*client)->delete_queue(queue, force); !answer) {
        return fail(problem_of(answer.error(), fmt::format("cannot delete queue {}", queue)));
    }
    print_done(invocation, queue, "deleted");
    return ExitCode::ok;
}

Outcome queue_pause(Invocation& invocation) {
    return control(invocation, protocol::QueueAction::pause, "pause", "paused");
}
Outcome queue_resume(Invocation& invocation) {
    return control(invocation, protocol::QueueAction::resume, "resume", "resumed");
}
Outcome queue_drain(Invocation& invocation) {
    return control(invocation, protocol::QueueAction::drain, "drain", "draining");
}
Outcome queue_purge(Invocation& invocation) {
    return control(invocation, protocol::QueueAction::purge, "purge", "purged");
}

Outcome queue_version(Invocation& invocation) {
    BrokerOptions broker;
    std::string queue;
    std::string version;
    bool follow = false;
    config::Options declared(invocation.program, invocation.summary);
    add_broker_options(declared, broker);
    config::add_json(declared, invocation.json);
    declared.flag("follow", follow, "The version on which the queue's workers agree, from now on");
    declared.positional("queue", queue, true, "The queue's name");
    declared.positional("version", version, false,
                        "Pure jobs go to workers of this version only, until it is set again; "
                        "without it, the queue's version is shown");
    if (auto over = parse(declared, invocation)) return *std::move(over);
    if (follow && !version.empty()) {
        return fail(usage_problem("a version and --follow exclude each other; give one of them"));
    }
    auto client = connect(broker);
    if (!client) return fail(client.error());
    if (follow || !version.empty()) {
        if (const auto answer = (*client)->set_queue_version(queue, version); !answer) {
            return fail(problem_of(answer.error(),
                                   fmt::format("cannot set the version of queue {}", queue)));
        }
    }
    const auto rows = (*client)->query("queues", queue);
    if (!rows) {
        return fail(problem_of(rows.error(), fmt::format("cannot show queue {}", queue)));
    }
    std::string now;
    bool pinned = false;
    for (const auto& [name, value] : rows->front()) {
        if (name == "scanner_version") now = std::get<std::string>(value);
        if (name == "version_pinned") pinned = std::get<std::uint64_t>(value) != 0;
    }
    if (invocation.json) {
        fmt::print("{}\n",
                   Json{{"queue", queue}, {"scanner_version", now}, {"pinned", pinned}}.dump());
    } else {
        fmt::print("queue {}: scanner version {}, {}\n", queue, now.empty() ? "none yet" : now,
                   pinned ? "set by an operator" : "it follows its workers");
    }
    return ExitCode::ok;
}

Outcome flow_list(Invocation& invocation) {
    return list_topic(invocation, "flows",
                      {"flow", "weight", "rate_per_s", "burst", "in_flight_max", "priority_max",
                       "waiting", "running", "delivered", "cost_us", "held"},
                      QueueArgument::required);
}

namespace {

// set and drop.
Outcome change_flow(Invocation& invocation, bool drops) {
    BrokerOptions broker;
    std::string queue;
    std::string flow;
    std::vector<std::string> texts;
    config::Options declared(invocation.program, invocation.summary);
    add_broker_options(declared, broker);
    config::add_json(declared, invocation.json);
    declared.positional("queue", queue, true, "The queue's name");
    declared.positional("flow", flow, true, "The flow: a job's --flow, or its producer's name");
    if (!drops) {
        declared.positional(
            "limits", texts, true,
            "NAME=VALUE of docs/PROTOCOL.md, section 8, such as weight=4 rate_per_s=100 burst=10");
    }
    if (auto over = parse(declared, invocation)) return *std::move(over);
    const auto limits = read_settings(texts);
    if (!limits) return fail(limits.error());
    auto client = connect(broker);
    if (!client) return fail(client.error());
    if (const auto answer = (*client)->set_flow(queue, flow, *limits); !answer) {
        return fail(problem_of(answer.error(),
                               fmt::format("cannot change flow {} of queue {}", flow, queue)));
    }
    const std::string_view done = drops ? "dropped" : "set";
    if (invocation.json) {
        fmt::print("{}\n", Json{{"queue", queue}, {"flow", flow}, {"result", done}}.dump());
    } else {
        fmt::print("limits of flow {} of queue {} {}\n", flow, queue, done);
    }
    return ExitCode::ok;
}

}  // namespace

Outcome flow_set(Invocation& invocation) { return change_flow(invocation, false); }
Outcome flow_drop(Invocation& invocation) { return change_flow(invocation, true); }

}  // namespace scanmq::cli
