#include "client/cli/command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "client/cli/table.hpp"
#include "common/base/nearest.hpp"

namespace scanmq::cli {
namespace {

constexpr auto kCommands = std::to_array<Command>({
    {"scan", "Scans option chains for the best spreads, through a broker or here", scan},
    {"chain show", "Tells what a file of quotes says: forwards, volatilities, what was left out",
     chain_show},
    {"price", "Values options: price and Greeks", price_options},
    {"iv", "Implied volatilities of option prices", imply_options},
    {"submit", "Submits jobs with payloads of your own", submit},
    {"watch", "Prints a queue's results as they come", watch},
    {"queue list", "Lists queues with their settings and figures", queue_list},
    {"queue create", "Creates a queue", queue_create},
    {"queue set", "Changes settings of a queue", queue_set},
    {"queue delete", "Deletes a queue and its stream", queue_delete},
    {"queue pause", "Stops deliveries of a queue; what runs goes on", queue_pause},
    {"queue resume", "Starts deliveries again, or takes a drain back", queue_resume},
    {"queue drain", "Takes no more jobs and lets those that are there finish", queue_drain},
    {"queue purge", "Ends all jobs that wait in a queue", queue_purge},
    {"queue version", "Shows or sets the scanner version of a queue's pure results", queue_version},
    {"flow list", "Lists the flows of a queue: what waits, runs and holds them back", flow_list},
    {"flow set", "Gives a flow of a queue limits", flow_set},
    {"flow drop", "Takes the limits of a flow away", flow_drop},
    {"job show", "Tells where a job is", job_show},
    {"job explain", "Tells why a job is not running", job_explain},
    {"job cancel", "Ends jobs, wherever they are", job_cancel},
    {"dead list", "Lists the dead letters of a queue", dead_list},
    {"dead show", "Shows a dead letter and its attempts", dead_show},
    {"dead retry", "Submits dead letters again, as new jobs", dead_retry},
    {"dead drop", "Throws dead letters away", dead_drop},
    {"worker list", "Lists the workers that are connected", worker_list},
    {"subscription list", "Lists durable subscriptions", subscription_list},
    {"subscription forget", "Drops a durable subscription's cursor", subscription_forget},
    {"snapshot put", "Stores option chains in the broker", snapshot_put},
    {"snapshot get", "Fetches a stored snapshot", snapshot_get},
    {"snapshot list", "Lists stored snapshots", snapshot_list},
    {"alias set", "Points an alias to a stored snapshot, or removes it", alias_set},
    {"alias list", "Lists aliases", alias_list},
    {"cache stats", "Figures of each cache tier", cache_stats},
    {"cache list", "Lists the results that answer later jobs of a queue", cache_list},
    {"cache get", "Prints a result that is in the broker's own memory", cache_get},
    {"cache drop", "Makes the broker forget results; says what that does not reach", cache_drop},
    {"standing add", "Has the broker run a scan again whenever an alias moves", standing_add},
    {"standing list", "Lists standing scans: how often they ran, and what holds them back",
     standing_list},
    {"standing drop", "Ends a standing scan", standing_drop},
    {"backup", "Copies the broker's state while it goes on", backup},
    {"restore", "Makes a data directory of a backup", restore},
    {"store show", "Figures of the broker's store", store_show},
    {"sample-market", "Makes up option chains to try things with", sample_market},
    {"bench", "Measures a broker with jobs that do nothing", bench},
    {"bench-role", "One process of bench; started by it", bench_role, false},
});

std::string usage() {
    std::string text =
        "scanmq: option scans through a message queue\n\nusage: scanmq COMMAND [OPTIONS]\n\n";
    for (const Command& command : kCommands) {
        if (command.listed) text += fmt::format("  {:<19} {}\n", command.words, command.summary);
    }
    text +=
        "\nscanmq COMMAND --help tells the options of one. Exit codes: 0 done, 1 failed, 2 usage,"
        "\n3 no broker, 4 done in part, 5 timed out.\n";
    return text;
}

// Every command's options as markdown, for docs/CONFIG.md.
ExitCode print_markdown() {
    for (const Command& command : kCommands) {
        if (!command.listed) continue;
        fmt::print("\n### scanmq {}\n\n", command.words);
        Invocation invocation{fmt::format("scanmq {}", command.words),
                              std::string(command.summary),
                              {"--help-markdown"}};
        if (!command.run(invocation)) return ExitCode::failed;
    }
    return ExitCode::ok;
}

// How many arguments the command's words take up; 0 when it is another.
std::size_t matched_words(const Command& command, std::span<const std::string> arguments) {
    std::string_view words = command.words;
    std::size_t count = 0;
    while (!words.empty()) {
        const auto space = words.find(' ');
        const std::string_view word = words.substr(0, space);
        if (count == arguments.size() || arguments[count] != word) return 0;
        ++count;
        words = space == std::string_view::npos ? std::string_view{} : words.substr(space + 1);
    }
    return count;
}

ExitCode unknown_command(std::span<const std::string> arguments) {
    std::string typed = arguments[0];
    std::vector<std::string_view> names;
    std::string verbs;
    for (const Command& command : kCommands) {
        names.push_back(command.words);
        if (command.words.starts_with(typed + ' ')) {
            verbs += fmt::format("{}{}", verbs.empty() ? "" : ", ",
                                 command.words.substr(typed.size() + 1));
        }
    }
    if (!verbs.empty()) {
        fmt::print(stderr, "scanmq: say what to do with a {0}: scanmq {0} {1}\n", typed, verbs);
        return ExitCode::usage;
    }
    if (arguments.size() > 1 && !arguments[1].starts_with('-')) typed += ' ' + arguments[1];
    fmt::print(
        stderr,
        "scanmq: there is no command \"{}\"; did you mean \"{}\"? scanmq --help lists them\n",
        typed, nearest_name(typed, names));
    return ExitCode::usage;
}

ExitCode report(const Invocation& invocation, const Problem& problem) {
    std::fflush(stdout);
    fmt::print(stderr, "{}: {}: {}\n", invocation.program, problem.code,
               printable(problem.sentence));
    if (invocation.json) {
        const nlohmann::ordered_json object{
            {"error", {{"code", problem.code}, {"sentence", problem.sentence}}}};
        fmt::print("{}\n", object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    }
    return problem.exit;
}

}  // namespace

std::span<const Command> commands() noexcept { return kCommands; }

ExitCode run(int argc, const char* const* argv) {
    const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
    if (arguments.empty()) {
        fmt::print(stderr, "{}", usage());
        return ExitCode::usage;
    }
    if (arguments[0] == "--help" || arguments[0] == "-h" || arguments[0] == "help") {
        fmt::print("{}", usage());
        return ExitCode::ok;
    }
    if (arguments[0] == "--help-markdown") return print_markdown();
    for (const Command& command : kCommands) {
        const std::size_t words = matched_words(command, arguments);
        if (words == 0) continue;
        Invocation invocation{
            fmt::format("scanmq {}", command.words),
            std::string(command.summary),
            {arguments.begin() + static_cast<std::ptrdiff_t>(words), arguments.end()}};
        const Outcome outcome = command.run(invocation);
        const ExitCode code = outcome ? *outcome : report(invocation, outcome.error());
        if (std::fflush(stdout) != 0 && code == ExitCode::ok) return ExitCode::failed;
        return code;
    }
    return unknown_command(arguments);
}

}  // namespace scanmq::cli
