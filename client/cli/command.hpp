#pragma once
// Commands of `scanmq`: a table of words and functions; each command has a source of its own.
//
// A command declares its options, parses what follows its words, does its work, prints its result
// to stdout and returns an exit code. What goes wrong is returned as a Problem and printed in one
// place: a sentence on stderr and, with --json, an object on stdout. Threads: one.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "client/cli/exit_code.hpp"
#include "common/base/result.hpp"

namespace scanmq::cli {

struct Problem {
    ExitCode exit = ExitCode::failed;
    std::string code;      // a name of docs/PROTOCOL.md, section 5, or of docs/CLI.md
    std::string sentence;  // what, where, what to do
};

using Outcome = Result<ExitCode, Problem>;

struct Invocation {
    std::string program;                 // "scanmq queue list"
    std::string summary;                 // of the command
    std::vector<std::string> arguments;  // after the words
    bool json = false;                   // set by the command once it has parsed --json
};

struct Command {
    std::string_view words;
    std::string_view summary;
    Outcome (*run)(Invocation&);
    bool listed = true;  // in the help text
};

[[nodiscard]] std::span<const Command> commands() noexcept;

// The whole program but for main(): finds the command, runs it, prints its problem.
[[nodiscard]] ExitCode run(int argc, const char* const* argv);

Outcome scan(Invocation& invocation);
Outcome price_options(Invocation& invocation);
Outcome imply_options(Invocation& invocation);
Outcome chain_show(Invocation& invocation);
Outcome submit(Invocation& invocation);
Outcome watch(Invocation& invocation);
Outcome bench(Invocation& invocation);
Outcome bench_role(Invocation& invocation);
Outcome sample_market(Invocation& invocation);
Outcome queue_list(Invocation& invocation);
Outcome queue_create(Invocation& invocation);
Outcome queue_set(Invocation& invocation);
Outcome queue_delete(Invocation& invocation);
Outcome queue_pause(Invocation& invocation);
Outcome queue_resume(Invocation& invocation);
Outcome queue_drain(Invocation& invocation);
Outcome queue_purge(Invocation& invocation);
Outcome queue_version(Invocation& invocation);
Outcome flow_list(Invocation& invocation);
Outcome flow_set(Invocation& invocation);
Outcome flow_drop(Invocation& invocation);
Outcome job_show(Invocation& invocation);
Outcome job_explain(Invocation& invocation);
Outcome job_cancel(Invocation& invocation);
Outcome dead_list(Invocation& invocation);
Outcome dead_show(Invocation& invocation);
Outcome dead_retry(Invocation& invocation);
Outcome dead_drop(Invocation& invocation);
Outcome worker_list(Invocation& invocation);
Outcome subscription_list(Invocation& invocation);
Outcome subscription_forget(Invocation& invocation);
Outcome snapshot_put(Invocation& invocation);
Outcome snapshot_get(Invocation& invocation);
Outcome snapshot_list(Invocation& invocation);
Outcome alias_set(Invocation& invocation);
Outcome alias_list(Invocation& invocation);
Outcome cache_stats(Invocation& invocation);
Outcome cache_list(Invocation& invocation);
Outcome cache_get(Invocation& invocation);
Outcome cache_drop(Invocation& invocation);
Outcome standing_add(Invocation& invocation);
Outcome standing_list(Invocation& invocation);
Outcome standing_drop(Invocation& invocation);
Outcome backup(Invocation& invocation);
Outcome restore(Invocation& invocation);
Outcome store_show(Invocation& invocation);

}  // namespace scanmq::cli
