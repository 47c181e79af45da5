#include "client/cli/session.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "common/config/shared.hpp"

namespace scanmq::cli {

void add_broker_options(config::Options& declared, BrokerOptions& options) {
    if (options.brokers.empty()) options.brokers = {config::kDefaultBroker};
    config::add_broker(declared, options.brokers);
    config::add_name(declared, options.name);
    declared.duration(
        "timeout", options.timeout, {std::chrono::milliseconds(1), std::chrono::hours(24 * 7)},
        "How long to wait for an answer of the broker, and for a scan or a submission to "
        "end; what goes on until it is stopped (watch, top) is not ended by it");
}

std::optional<Outcome> parse(config::Options& declared, Invocation& invocation) {
    const auto parsed = declared.parse(invocation.arguments, config::process_environment());
    if (!parsed) {
        // The program's name is put before every problem.
        const std::string prefix = invocation.program + ": ";
        std::string sentence = parsed.error().sentence;
        if (sentence.starts_with(prefix)) sentence.erase(0, prefix.size());
        return fail(usage_problem(std::move(sentence)));
    }
    if (parsed->run) return std::nullopt;
    fmt::print("{}", parsed->text);
    return ExitCode::ok;
}

bool on_command_line(const Invocation& invocation, std::string_view option) {
    const std::string flag = fmt::format("--{}", option);
    return std::ranges::any_of(invocation.arguments, [&](const std::string& argument) {
        return argument == flag || argument.starts_with(flag + '=');
    });
}

Result<std::unique_ptr<client::Client>, Problem> connect(const BrokerOptions& options,
                                                         bool background_thread) {
    client::ClientOptions wanted;
    wanted.brokers = options.brokers;
    wanted.name = options.name;
    wanted.agent = "scanmq-cli";
    wanted.background_thread = background_thread;
    wanted.request_timeout = options.timeout;
    wanted.connect_timeout = std::min<Duration>(wanted.connect_timeout, options.timeout);
    auto client = client::Client::open(wanted);
    if (!client) return fail(problem_of(client.error(), "cannot connect"));
    const Duration patience = std::min<Duration>(
        options.timeout, wanted.connect_timeout * static_cast<int>(options.brokers.size()));
    if (const auto open = (*client)->wait_open(patience); !open) {
        return fail(Problem{
            ExitCode::no_broker, "no_broker",
            fmt::format("no broker answered at {} ({}); start one with scanmq-broker, or name "
                        "another with --broker",
                        fmt::join(options.brokers, ", "), open.error().sentence)});
    }
    return std::move(*client);
}

Problem problem_of(const client::Error& error, std::string_view doing) {
    Problem problem;
    problem.exit =
        error.kind == client::ErrorKind::timed_out ? ExitCode::timed_out : ExitCode::failed;
    problem.code = error.code == protocol::ErrorCode::none
                       ? std::string(client::to_string(error.kind))
                       : std::string(protocol::to_string(error.code));
    problem.sentence = fmt::format("{}: {}", doing, error.sentence);
    return problem;
}

Problem usage_problem(std::string sentence) {
    return {ExitCode::usage, "usage", std::move(sentence)};
}

}  // namespace scanmq::cli
