// scanmq alias set | list, subscription list | forget, backup, restore, store show.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "client/cli/child_process.hpp"
#include "client/cli/command.hpp"
#include "client/cli/query_command.hpp"
#include "client/cli/rows.hpp"
#include "client/cli/scan_run.hpp"
#include "client/cli/session.hpp"
#include "client/cli/table.hpp"
#include "common/config/shared.hpp"

namespace scanmq::cli {
namespace {

using Json = nlohmann::ordered_json;

void print_json(const Json& object) {
    fmt::print("{}\n", object.dump(-1, ' ', false, Json::error_handler_t::replace));
}

}  // namespace

Outcome alias_set(Invocation& invocation) {
    BrokerOptions broker;
    std::string alias;
    std::string name;
    config::Options declared(invocation.program, invocation.summary);
    add_broker_options(declared, broker);
    config::add_json(declared, invocation.json);
    declared.positional("alias", alias, true, "The alias, such as SPY@latest");
    declared.positional(
        "id", name, true,
        "What it points to: content id in hexadecimal, or a label; none removes it");
    if (auto over = parse(declared, invocation)) return *std::move(over);
    auto client = connect(broker);
    if (!client) return fail(client.error());
    ContentId id;
    if (name != "none") {
        if (const auto parsed = ContentId::parse_hex(name)) {
            id = *parsed;
        } else {
            const auto found = find_snapshots(**client, {name}, false);
            if (!found) return fail(found.error());
            id = found->front().snapshot;
        }
    }
    if (const auto set = (*client)->set_alias(alias, id); !set) {
        return fail(problem_of(set.error(), "cannot set alias " + alias));
    }
    if (invocation.json) {
        print_json({{"alias", alias},
                    {"id", id.is_zero() ? Json(nullptr) : Json(id.hex())},
                    {"result", id.is_zero() ? "removed" : "set"}});
    } else if (id.is_zero()) {
        fmt::print("alias {} removed\n", printable(alias));
    } else {
        fmt::print("alias {} points to {}\n", printable(alias), id.hex());
    }
    return ExitCode::ok;
}

Outcome alias_list(Invocation& invocation) {
    return list_topic(invocation, "aliases", {"alias", "generation", "id"}, QueueArgument::none);
}

Outcome subscription_list(Invocation& invocation) {
    return list_topic(
        invocation, "subscriptions",
        {"queue", "name", "session", "pattern", "cursor", "behind", "unacked", "lapses_ms"},
        QueueArgument::optional);
}

Outcome subscription_forget(Invocation& invocation) {
    BrokerOptions broker;
    std::string queue;
    std::string subscription;
    config::Options declared(invocation.program, invocation.summary);
    add_broker_options(declared, broker);
    config::add_json(declared, invocation.json);
    declared.positional("queue", queue, true, "The queue's name");
    declared.positional("subscription", subscription, true, "The durable name");
    if (auto over = parse(declared, invocation)) return *std::move(over);
    auto client = connect(broker);
    if (!client) return fail(client.error());
    const auto rows = (*client)->query("subscriptions", queue);
    if (!rows) return fail(problem_of(rows.error(), "cannot list the subscriptions of " + queue));
    const bool known = std::ranges::any_of(
        *rows, [&](const protocol::Row& row) { return text_of(row, "name") == subscription; });
    if (!known) {
        return fail(Problem{ExitCode::failed, "unknown_subscription",
                            fmt::format("queue {} has no durable subscription {}; scanmq "
                                        "subscription list {} tells them",
                                        queue, subscription, queue)});
    }
    if (const auto forgotten = (*client)->forget_subscription(queue, subscription); !forgotten) {
        return fail(problem_of(forgotten.error(), "cannot forget subscription " + subscription));
    }
    if (invocation.json) {
        print_json({{"queue", queue}, {"subscription", subscription}, {"result", "forgotten"}});
    } else {
        fmt::print("subscription {} of {} forgotten\n", printable(subscription), queue);
    }
    return ExitCode::ok;
}

Outcome backup(Invocation& invocation) {
    BrokerOptions broker{.brokers = {}, .name = {}, .timeout = std::chrono::minutes(10)};
    std::string name;
    config::Options declared(invocation.program, invocation.summary);
    add_broker_options(declared, broker);
    config::add_json(declared, invocation.json);
    declared.positional("backup", name, true,
                        "Its name: a directory below the broker's backup directory");
    if (auto over = parse(declared, invocation)) return *std::move(over);
    auto client = connect(broker);
    if (!client) return fail(client.error());
    const auto made = (*client)->backup(name);
    if (!made) return fail(problem_of(made.error(), "cannot make backup " + name));
    if (invocation.json) {
        print_json({{"name", name}, {"path", made->path}, {"bytes", made->bytes}});
    } else {
        fmt::print("{}: {} bytes, on the broker's machine\n", printable(made->path),
                   grouped(made->bytes));
    }
    return ExitCode::ok;
}

// Done by the broker's own program: the store is its alone.
Outcome restore(Invocation& invocation) {
    std::string backup_directory;
    std::string data;
    Duration timeout = std::chrono::minutes(10);
    config::Options declared(invocation.program, invocation.summary);
    config::add_data(declared, data);
    declared.duration("timeout", timeout, {}, "How long it may take");
    config::add_json(declared, invocation.json);
    declared.positional("directory", backup_directory, true, "The backup's directory");
    if (auto over = parse(declared, invocation)) return *std::move(over);
    if (data.empty()) {
        return fail(Problem{ExitCode::usage, "usage",
                            "--data names the data directory to make; it must not be there yet"});
    }
    auto child = ChildProcess::start(sibling_program("scanmq-broker"),
                                     {"--restore", backup_directory, "--data", data});
    if (!child) return fail(Problem{ExitCode::failed, "failed", child.error()});
    const auto status = child->wait_exit(std::chrono::steady_clock::now() + timeout);
    if (!status) {
        child->stop();
        return fail(Problem{ExitCode::timed_out, "timed_out",
                            "the restore took longer than --timeout; nothing was made"});
    }
    if (*status != 0) {
        return fail(Problem{ExitCode::failed, "backup_failed",
                            "nothing was restored; the reason is above"});
    }
    if (invocation.json) {
        print_json({{"backup", backup_directory}, {"data", data}, {"result", "restored"}});
    } else {
        fmt::print("{} restored to {}; its streams begin anew\n", printable(backup_directory),
                   printable(data));
    }
    return ExitCode::ok;
}

Outcome store_show(Invocation& invocation) {
    return show_topic(invocation, "store", "store", "cannot ask for the store's figures");
}

}  // namespace scanmq::cli
