#include "client/cli/query_command.hpp"

#include <fmt/format.h>

#include "client/cli/rows.hpp"
#include "client/cli/session.hpp"
#include "common/config/shared.hpp"

namespace scanmq::cli {

Outcome list_topic(Invocation& invocation, std::string_view topic,
                   std::initializer_list<std::string_view> columns, QueueArgument queue) {
    BrokerOptions broker;
    std::string key;
    config::Options declared(invocation.program, invocation.summary);
    add_broker_options(declared, broker);
    config::add_json(declared, invocation.json);
    if (queue == QueueArgument::optional) {
        declared.positional("queue", key, false, "Only this queue");
    } else if (queue == QueueArgument::required) {
        declared.positional("queue", key, true, "The queue's name");
    }
    if (auto over = parse(declared, invocation)) return *std::move(over);
    auto client = connect(broker);
    if (!client) return fail(client.error());
    const auto rows = (*client)->query(topic, key);
    if (!rows) return fail(problem_of(rows.error(), fmt::format("cannot list {}", topic)));
    print_rows(*rows, topic, columns, invocation.json);
    return ExitCode::ok;
}

Outcome show_topic(Invocation& invocation, std::string_view topic, std::string_view key,
                   std::string_view doing) {
    BrokerOptions broker;
    config::Options declared(invocation.program, invocation.summary);
    add_broker_options(declared, broker);
    config::add_json(declared, invocation.json);
    if (auto over = parse(declared, invocation)) return *std::move(over);
    auto client = connect(broker);
    if (!client) return fail(client.error());
    const auto rows = (*client)->query(topic);
    if (!rows) return fail(problem_of(rows.error(), std::string(doing)));
    if (invocation.json) {
        print_rows(*rows, key, {}, true);
        return ExitCode::ok;
    }
    for (std::size_t i = 0; i < rows->size(); ++i) {
        if (i > 0) fmt::print("\n");
        print_row((*rows)[i], false);
    }
    return ExitCode::ok;
}

Outcome show_job(Invocation& invocation, const JobTopic& topic,
                 const std::function<void(const std::vector<protocol::Row>&)>& print) {
    BrokerOptions broker;
    std::string queue;
    std::string text;
    config::Options declared(invocation.program, invocation.summary);
    add_broker_options(declared, broker);
    config::add_json(declared, invocation.json);
    declared.positional("queue", queue, true, "The queue's name");
    declared.positional("id", text, true, topic.id_help);
    if (auto over = parse(declared, invocation)) return *std::move(over);
    const auto ids = read_ids({text});
    if (!ids) return fail(ids.error());
    auto client = connect(broker);
    if (!client) return fail(client.error());
    const std::string id = ids->front().hex();
    const auto sentence = [&](std::string_view format) {
        return fmt::format(fmt::runtime(format), fmt::arg("queue", queue), fmt::arg("id", id));
    };
    const auto rows = (*client)->query(topic.name, fmt::format("{}/{}", queue, id));
    if (!rows) return fail(problem_of(rows.error(), sentence(topic.doing)));
    if (rows->empty()) {
        return fail(Problem{ExitCode::failed, "unknown_job", sentence(topic.missing)});
    }
    print(*rows);
    return ExitCode::ok;
}

Result<std::vector<Id128>, Problem> read_ids(const std::vector<std::string>& texts) {
    std::vector<Id128> out;
    for (const std::string& text : texts) {
        const auto id = Id128::parse_hex(text);
        if (!id || id->is_zero()) {
            return fail(usage_problem(fmt::format(
                "\"{}\" is not a job's id; ids are 32 hexadecimal digits, as scanmq submit and "
                "scanmq watch print them",
                text)));
        }
        out.push_back(*id);
    }
    return out;
}

}  // namespace scanmq::cli
