// scanmq snapshot put | get | list.

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "client/cli/command.hpp"
#include "client/cli/files.hpp"
#include "client/cli/query_command.hpp"
#include "client/cli/read_flags.hpp"
#include "client/cli/rows.hpp"
#include "client/cli/scan_run.hpp"
#include "client/cli/session.hpp"
#include "client/cli/table.hpp"
#include "common/base/scheduling.hpp"
#include "common/config/shared.hpp"

namespace scanmq::cli {
namespace {

using Json = nlohmann::ordered_json;

void print_stored(const std::vector<ScanInput>& inputs, bool json) {
    if (!json) {
        for (const ScanInput& input : inputs)
            fmt::print("{}  {}\n", input.snapshot.hex(), printable(input.label));
        return;
    }
    Json list = Json::array();
    for (const ScanInput& input : inputs) {
        list.push_back(
            {{"id", input.snapshot.hex()}, {"label", input.label}, {"symbol", input.symbol}});
    }
    fmt::print("{}\n", Json{{"snapshots", std::move(list)}}.dump(-1, ' ', false,
                                                                 Json::error_handler_t::replace));
}

}  // namespace

Outcome snapshot_put(Invocation& invocation) {
    BrokerOptions broker{.brokers = {}, .name = {}, .timeout = std::chrono::minutes(1)};
    std::vector<std::string> paths;
    std::string label;
    std::string alias;
    config::Options declared(invocation.program, invocation.summary);
    declared.positional("path", paths, true,
                        "Files or directories of vendors' chains or snapshots");
    declared.text("label", label, "Label of the one chain, instead of its symbol");
    declared.text("alias", alias, "Alias that points to the one chain afterwards, SPY@latest");
    ReadFlags read_flags;
    add_read_flags(declared, read_flags);
    add_broker_options(declared, broker);
    config::add_json(declared, invocation.json);
    if (auto over = parse(declared, invocation)) return *std::move(over);
    const auto settings = ReadSettings::make(declared, read_flags);
    if (!settings) return fail(settings.error());

    // Many files are a load that can wait; jobs on the same machine cannot. Before any thread begins.
    run_in_background();
    std::vector<ScanInput> inputs;
    std::vector<ScanFailure> unread;
    for (const std::string& path : paths) {
        auto read = read_inputs(path, settings->options(), unread);
        if (!read) return fail(read.error());
        for (ScanInput& input : *read) inputs.push_back(std::move(input));
    }
    if (!label.empty()) {
        if (inputs.size() != 1) {
            return fail(usage_problem(
                fmt::format("--label is for one chain, and there are {}", inputs.size())));
        }
        inputs[0].label = label;
    }
    if (!alias.empty() && inputs.size() != 1) {
        return fail(usage_problem(
            fmt::format("--alias is for one chain, and there are {}", inputs.size())));
    }
    auto client = connect(broker);
    if (!client) return fail(client.error());
    const auto published = publish(**client, inputs, KeepBytes::no, Progress::choose(false));
    if (!published) return fail(published.error());
    if (!alias.empty()) {
        if (const auto set = (*client)->set_alias(alias, inputs[0].snapshot); !set) {
            return fail(problem_of(set.error(), "the snapshot " + inputs[0].snapshot.hex() +
                                                    " is stored, but alias " + alias +
                                                    " cannot be set"));
        }
    }
    print_stored(inputs, invocation.json);
    for (const ScanFailure& failure : unread) {
        fmt::print(stderr, "{}: {}: {}\n", invocation.program, failure.code,
                   printable(failure.sentence));
    }
    return unread.empty() ? ExitCode::ok : ExitCode::partial;
}

Outcome snapshot_get(Invocation& invocation) {
    BrokerOptions broker;
    std::string name;
    std::string out;
    config::Options declared(invocation.program, invocation.summary);
    declared.positional("snapshot", name, true, "Content id in hexadecimal, or a label");
    declared.text("out", out,
                  "File to write; without it, standard output unless that is a terminal");
    add_broker_options(declared, broker);
    config::add_json(declared, invocation.json);
    if (auto over = parse(declared, invocation)) return *std::move(over);
    if (out.empty() && (invocation.json || ::isatty(STDOUT_FILENO) == 1)) {
        return fail(usage_problem("a snapshot is binary: name a file with --out"));
    }
    auto client = connect(broker);
    if (!client) return fail(client.error());
    auto id = ContentId::parse_hex(name);
    if (!id) {
        const auto found = find_snapshots(**client, {name}, false);
        if (!found) return fail(found.error());
        id = found->front().snapshot;
    }
    const auto blob = (*client)->get_blob(*id);
    if (!blob) return fail(problem_of(blob.error(), "cannot fetch snapshot " + name));
    if (out.empty()) {
        return std::fwrite(blob->bytes.data(), 1, blob->bytes.size(), stdout) == blob->bytes.size()
                   ? ExitCode::ok
                   : ExitCode::failed;
    }
    if (const auto written = write_file(out, blob->bytes); !written) return fail(written.error());
    if (invocation.json) {
        const Json told{{"id", id->hex()},
                        {"label", blob->label},
                        {"bytes", blob->bytes.size()},
                        {"file", out}};
        fmt::print("{}\n", told.dump(-1, ' ', false, Json::error_handler_t::replace));
    } else {
        fmt::print("{}: {} bytes of {}\n", out, grouped(blob->bytes.size()),
                   printable(blob->label));
    }
    return ExitCode::ok;
}

Outcome snapshot_list(Invocation& invocation) {
    return list_topic(invocation, "snapshots",
                      {"label", "bytes", "stored_bytes", "encoding", "pins", "age_ms", "id"},
                      QueueArgument::none);
}

}  // namespace scanmq::cli
