// scanmq cache stats | list | get | drop.

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "client/cli/command.hpp"
#include "client/cli/files.hpp"
#include "client/cli/query_command.hpp"
#include "client/cli/rows.hpp"
#include "client/cli/session.hpp"
#include "client/cli/table.hpp"
#include "common/config/shared.hpp"

namespace scanmq::cli {
namespace {

using Json = nlohmann::ordered_json;

Result<std::vector<ContentId>, Problem> read_keys(const std::vector<std::string>& texts) {
    std::vector<ContentId> keys;
    for (const std::string& text : texts) {
        const auto key = ContentId::parse_hex(text);
        if (!key) {
            return fail(usage_problem(fmt::format(
                "\"{}\" is not a fingerprint: 64 hexadecimal digits; scanmq cache list tells them",
                text)));
        }
        keys.push_back(*key);
    }
    return keys;
}

// The tier that the broker shares with others: "redis" or "broker". None, also when it does not say.
std::optional<std::string> shared_tier(client::Client& client) {
    const auto rows = client.query("cache");
    if (!rows) return std::nullopt;
    for (const protocol::Row& row : *rows) {
        std::string tier = text_of(row, "tier");
        if (tier == "redis" || tier == "broker") return tier;
    }
    return std::nullopt;
}

}  // namespace

Outcome cache_stats(Invocation& invocation) {
    return show_topic(invocation, "cache", "tiers", "cannot ask for the cache's figures");
}

Outcome cache_list(Invocation& invocation) {
    return list_topic(invocation, "cached", {"fingerprint", "bytes", "age_ms", "left_ms"},
                      QueueArgument::required);
}

Outcome cache_get(Invocation& invocation) {
    BrokerOptions broker;
    std::string queue;
    std::string text;
    std::string out;
    config::Options declared(invocation.program, invocation.summary);
    declared.positional("queue", queue, true, "The queue's name");
    declared.positional("fingerprint", text, true,
                        "Which: 64 hexadecimal digits, as cache list tells");
    declared.text("out", out,
                  "File to write; without it, standard output unless that is a terminal");
    add_broker_options(declared, broker);
    config::add_json(declared, invocation.json);
    if (auto over = parse(declared, invocation)) return *std::move(over);
    const auto keys = read_keys({text});
    if (!keys) return fail(keys.error());
    if (out.empty() && (invocation.json || ::isatty(STDOUT_FILENO) == 1)) {
        return fail(usage_problem("a result may be binary: name a file with --out"));
    }
    auto client = connect(broker);
    if (!client) return fail(client.error());
    const auto values = (*client)->cache_get(queue, *keys);
    if (!values) return fail(problem_of(values.error(), "cannot ask for the result"));
    if (values->empty()) {
        return fail(
            Problem{ExitCode::failed, "not_cached",
                    fmt::format("the broker's own memory has no result {} of queue {}; the tier "
                                "that it shares and its workers' memory are not looked at",
                                text, queue)});
    }
    const auto bytes = (*client)->fetch_body(values->front().body());
    if (!bytes) return fail(problem_of(bytes.error(), "cannot fetch the result"));
    if (out.empty()) {
        return std::fwrite(bytes->data(), 1, bytes->size(), stdout) == bytes->size()
                   ? ExitCode::ok
                   : ExitCode::failed;
    }
    if (const auto written = write_file(out, *bytes); !written) return fail(written.error());
    const std::uint64_t age_ms = values->front().age_ms;
    if (invocation.json) {
        fmt::print(
            "{}\n",
            Json{{"fingerprint", text}, {"age_ms", age_ms}, {"bytes", bytes->size()}, {"file", out}}
                .dump(-1, ' ', false, Json::error_handler_t::replace));
    } else {
        fmt::print("{}: {} bytes, {} ms old\n", out, grouped(bytes->size()), grouped(age_ms));
    }
    return ExitCode::ok;
}

Outcome cache_drop(Invocation& invocation) {
    BrokerOptions broker;
    std::string queue;
    std::vector<std::string> texts;
    bool all = false;
    config::Options declared(invocation.program, invocation.summary);
    add_broker_options(declared, broker);
    config::add_json(declared, invocation.json);
    declared.flag("all", all, "Of every queue");
    declared.positional("queue", queue, false, "The queue whose results are forgotten");
    declared.positional("fingerprints", texts, false, "Only these of it, not all");
    if (auto over = parse(declared, invocation)) return *std::move(over);
    if (queue.empty() != all) {
        return fail(usage_problem("name a queue, or give --all"));
    }
    const auto keys = read_keys(texts);
    if (!keys) return fail(keys.error());
    auto client = connect(broker);
    if (!client) return fail(client.error());
    const auto dropped = (*client)->cache_drop(queue, *keys);
    if (!dropped) return fail(problem_of(dropped.error(), "cannot drop results"));
    const auto shared = keys->empty() ? shared_tier(**client) : std::nullopt;
    Json missed = Json::array({"workers"});
    if (shared) missed.insert(missed.begin(), *shared);
    if (invocation.json) {
        fmt::print("{}\n", Json{{"queue", queue.empty() ? Json(nullptr) : Json(queue)},
                                {"dropped", dropped->results},
                                {"asked", dropped->asked},
                                {"not_reached", missed}}
                               .dump());
        return ExitCode::ok;
    }
    fmt::print("{} results forgotten by the broker\n", grouped(dropped->results));
    if (dropped->asked > 0) {
        fmt::print("{} to be forgotten by the tier that it shares, whether they are there or not\n",
                   grouped(dropped->asked));
    }
    if (shared) {
        fmt::print(
            "not reached: the shared tier ({}), which goes on answering; it forgets results that "
            "are named\n",
            *shared);
    }
    fmt::print("not reached: workers, which may answer with what they keep for a minute at most\n");
    return ExitCode::ok;
}

}  // namespace scanmq::cli
