#pragma once
// Options: what a program can be told, declared once and read from everywhere.
//
// Role:     each program declares its options, calls parse(), and finds the values in its own
//           variables. Precedence: command line, then environment SCANMQ_<NAME>, then the TOML file
//           of --config, then the value that the variable had when it was declared (the default). A
//           command with a verb (`scanmq queue list`) declares an Options of its own, named by all
//           its words, and parses the arguments after them.
// Names:    the flag without its dashes, lower case, words joined by '-': "blob-listen" is
//           --blob-listen, SCANMQ_BLOB_LISTEN and the TOML key blob-listen. --config, --help and
//           --version are built in.
// File:     keys at the top of the file, or in the table of the program ([broker], [worker] ...),
//           which wins; tables of other programs are skipped, so that one file can configure all of
//           them. A key that a program does not know is an error; the command line tool skips it,
//           as its commands differ.
// Errors:   one sentence that names the option, where its value came from and what would be right.
// Threads:  one. Borrows: the target variables (must outlive this).

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/time.hpp"

namespace scanmq::config {

struct Error {
    std::string sentence;
};

// What the program does after parse(): run, or print `text` to stdout and exit 0 (--help,
// --version).
struct Parsed {
    bool run = true;
    std::string text;
};

// Variables by name; empty values count as absent.
using Environment = std::map<std::string, std::string, std::less<>>;

template <class Number>
struct Range {
    Number min{};
    Number max = std::numeric_limits<Number>::max();
};
template <>
struct Range<Duration> {
    Duration min{};
    Duration max = Duration::max();
};

class Options {
  public:
    // `program`: as typed, e.g. "scanmq-broker" or "scanmq queue list"; its table in the file is
    // the word after "scanmq-" ("broker"), or "cli" for the command line tool.
    Options(std::string program, std::string summary);
    ~Options();
    Options(const Options&) = delete;
    Options& operator=(const Options&) = delete;

    // Declarations. `help` is one sentence without a full stop. The target's value is the default.
    void text(std::string_view name, std::string& target, std::string_view help);
    void choice(std::string_view name, std::string& target, std::vector<std::string> choices,
                std::string_view help);
    void flag(std::string_view name, bool& target, std::string_view help);
    void number(std::string_view name, std::uint32_t& target, Range<std::uint32_t> range,
                std::string_view unit, std::string_view help);
    void number(std::string_view name, std::uint64_t& target, Range<std::uint64_t> range,
                std::string_view unit, std::string_view help);
    void number(std::string_view name, double& target, Range<double> range, std::string_view unit,
                std::string_view help);
    // "4096", "64KiB", "512MiB", "1GB".
    void bytes(std::string_view name, std::uint64_t& target, Range<std::uint64_t> range,
               std::string_view help);
    // "250us", "2500ms", "10s", "15min", "24h", "7d"; the unit is never left out, but for 0.
    void duration(std::string_view name, Duration& target, Range<Duration> range,
                  std::string_view help);
    // The flag may be repeated; one value may hold several, separated by `separator`. What is given
    // replaces the default as a whole.
    void list(std::string_view name, std::vector<std::string>& target, char separator,
              std::string_view help);
    // Arguments without a flag, in the order declared. They come from the command line only. A list
    // takes all that is left and must be the last.
    void positional(std::string_view name, std::string& target, bool required,
                    std::string_view help);
    void positional(std::string_view name, std::vector<std::string>& target, bool required,
                    std::string_view help);

    // Reads everything and writes the targets. argv[0] is skipped. After an error the targets are
    // undefined.
    [[nodiscard]] Result<Parsed, Error> parse(int argc, const char* const* argv);
    // The same from values: for tests, and for commands whose words have been taken off.
    [[nodiscard]] Result<Parsed, Error> parse(std::span<const std::string> arguments,
                                              const Environment& environment);

    // Whether the option was given (command line, environment or file) rather than left at its
    // default. Valid after parse().
    [[nodiscard]] bool given(std::string_view name) const;

    // What was declared, as it was: flags without their dashes, and positional arguments.
    [[nodiscard]] std::vector<std::string> names() const;

    // All options as a markdown table: option, environment, unit, default, meaning. --help-markdown
    // prints it.
    [[nodiscard]] std::string markdown() const;
    [[nodiscard]] std::string help() const;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

// The process's environment: the variables that begin with SCANMQ_.
[[nodiscard]] Environment process_environment();

// For main(): parses; on --help or --version prints and sets exit_code 0; on an error prints the
// sentence to stderr and sets 2 (kUsageExitCode). True: go on.
inline constexpr int kUsageExitCode = 2;
[[nodiscard]] bool parse_or_exit(Options& options, int argc, const char* const* argv,
                                 int& exit_code);

}  // namespace scanmq::config
