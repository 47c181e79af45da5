#pragma once
// What commands that talk to a broker share: their options, a connected client, its errors.
//
// Threads: one: the client is driven by the command's own calls.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/cli/command.hpp"
#include "client/cpp/client.hpp"
#include "common/base/time.hpp"
#include "common/config/options.hpp"

namespace scanmq::cli {

struct BrokerOptions {
    std::vector<std::string> brokers;
    std::string name;
    Duration timeout = std::chrono::seconds(10);
};

// --broker, --name, --timeout. Whatever options.timeout is, is the default.
void add_broker_options(config::Options& declared, BrokerOptions& options);

// Parses, prints --help, and takes invocation.json. A value: the command is over with it.
[[nodiscard]] std::optional<Outcome> parse(config::Options& declared, Invocation& invocation);

// Whether the option was given with the command itself, not by the environment or a file.
[[nodiscard]] bool on_command_line(const Invocation& invocation, std::string_view option);

// A client with an open session. Problem: no_broker, naming the endpoints and the last reason.
[[nodiscard]] Result<std::unique_ptr<client::Client>, Problem> connect(
    const BrokerOptions& options, bool background_thread = false);

// The client's error as the command's problem; `doing` says what failed ("cannot create queue
// scans").
[[nodiscard]] Problem problem_of(const client::Error& error, std::string_view doing);

[[nodiscard]] Problem usage_problem(std::string sentence);

}  // namespace scanmq::cli
