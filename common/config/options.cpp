#include "common/config/options.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>
#include <utility>

#include "common/base/nearest.hpp"
#include "common/config/file.hpp"
#include "common/config/values.hpp"

extern char** environ;  // NOLINT: POSIX asks programs to declare it

namespace scanmq::config {
namespace {

constexpr std::string_view kPrefix = "SCANMQ_";
constexpr std::string_view kToolSection = "cli";
constexpr const char* kVersion = "0.1.0";

using Set = std::function<Result<void, std::string>(const std::vector<std::string>&)>;

struct Entry {
    std::string name;
    std::string unit;
    std::string fallback;  // the default, as text
    std::string help;
    Set set;
    bool is_flag = false;
    bool is_list = false;
    bool is_positional = false;
    bool is_required = false;
    bool given = false;
    std::vector<std::string> arguments;  // what the command line said
    CLI::Option* option = nullptr;
};

std::string environment_name(std::string_view name) {
    std::string out(kPrefix);
    for (const char c : name) {
        out.push_back(c == '-' ? '_'
                               : static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
    }
    return out;
}

std::string section_of(const std::string& program) {
    constexpr std::string_view kOurs = "scanmq-";
    if (program.rfind(kOurs, 0) == 0) return program.substr(kOurs.size());
    return std::string(kToolSection);
}

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> out;
    std::size_t begin = 0;
    while (begin <= text.size()) {
        const std::size_t end = std::min(text.find(separator, begin), text.size());
        if (end > begin) out.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return out;
}

// A setter for one value, read by `parse` and kept within the range; `format` writes the bounds.
template <class Number, class Parse, class Format>
Set ranged(Number& target, Range<Number> range, Parse parse, Format format) {
    return [&target, range, parse,
            format](const std::vector<std::string>& values) -> Result<void, std::string> {
        auto parsed = parse(values.front());
        if (!parsed) return fail(std::move(parsed).error());
        if (*parsed < range.min || *parsed > range.max) {
            return fail("\"" + values.front() + "\" is out of range; give " + format(range.min) +
                        " to " + format(range.max));
        }
        target = static_cast<Number>(*parsed);
        return {};
    };
}

std::string format_decimal(double number) {
    char text[32];
    std::snprintf(text, sizeof text, "%g", number);
    return text;
}

}  // namespace

class Options::Impl {
  public:
    Impl(std::string program, std::string summary)
        : program_(std::move(program)), app_(std::move(summary), program_) {
        app_.set_help_flag();
        app_.allow_extras();
        app_.add_flag("-h,--help")->description("Print this help");
        app_.add_flag("--version")->description("Print the version");
        app_.add_option("--config", config_, "TOML file with options")->type_name("FILE");
    }

    Entry& add(std::string_view name, std::string_view unit, std::string fallback,
               std::string_view help, Set set) {
        auto entry = std::make_unique<Entry>();
        entry->name = name;
        entry->unit = unit;
        entry->fallback = std::move(fallback);
        entry->help = help;
        entry->set = std::move(set);
        entries_.push_back(std::move(entry));
        return *entries_.back();
    }

    // Tells CLI11 of the entry.
    void declare(Entry& entry) {
        if (entry.is_flag) {
            entry.option = app_.add_flag("--" + entry.name, entry.arguments, entry.help);
            return;
        }
        const std::string spelled = entry.is_positional ? entry.name : "--" + entry.name;
        entry.option = app_.add_option(spelled, entry.arguments, entry.help);
        entry.option->type_name(entry.unit);
        // The target is a list of texts whatever the type; how many belong to one flag is said here.
        if (entry.is_positional && entry.is_list) {
            entry.option->expected(-1);
        } else {
            entry.option->type_size(1)->expected(1)->allow_extra_args(false);
            if (!entry.is_positional) entry.option->take_all();
        }
        if (!entry.is_positional) entry.option->default_str(entry.fallback);
        entry.option->required(entry.is_required);
    }

    Result<Parsed, Error> parse(std::vector<std::string> arguments,
                                const Environment& environment) {
        // Asked for text, a program gives it even when the rest of the line is wrong.
        const auto has = [&](std::string_view word) {
            return std::find(arguments.begin(), arguments.end(), word) != arguments.end();
        };
        if (has("--help") || has("-h")) return Parsed{false, app_.help()};
        if (has("--version")) return Parsed{false, program_ + " " + kVersion + "\n"};
        if (has("--help-markdown")) return Parsed{false, markdown()};
        std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
        try {
            app_.parse(arguments);
        } catch (const CLI::ParseError& error) {
            return fail(Error{std::string(error.what()) + more_help()});
        }
        if (const auto left = app_.remaining(); !left.empty()) return unexpected(left.front());
        return resolve(environment);
    }

    [[nodiscard]] const Entry* find(std::string_view name) const {
        for (const auto& entry : entries_) {
            if (entry->name == name) return entry.get();
        }
        return nullptr;
    }

    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> out;
        for (const auto& entry : entries_) out.push_back(entry->name);
        return out;
    }
    [[nodiscard]] std::string markdown() const;
    [[nodiscard]] std::string help() const { return app_.help(); }

  private:
    [[nodiscard]] std::string more_help() const {
        return "; " + program_ + " --help lists the options";
    }

    [[nodiscard]] std::string nearest(std::string_view name) const {
        std::vector<std::string_view> names = {"config", "help", "version"};
        for (const auto& entry : entries_) {
            if (!entry->is_positional) names.push_back(entry->name);
        }
        return std::string(nearest_name(name, names));
    }

    [[nodiscard]] Failure<Error> unexpected(const std::string& argument) const {
        if (argument.rfind("--", 0) != 0) {
            return fail(
                Error{program_ + ": unexpected argument \"" + argument + "\"" + more_help()});
        }
        const std::string name = argument.substr(2, argument.find('=') - 2);
        return fail(Error{program_ + ": unknown option --" + name + "; did you mean --" +
                          nearest(name) + "?" + more_help()});
    }

    // Gives every entry its value: command line, environment, file.
    Result<Parsed, Error> resolve(const Environment& environment) {
        const auto variable = [&](std::string_view name) -> const std::string* {
            const auto found = environment.find(environment_name(name));
            return found == environment.end() || found->second.empty() ? nullptr : &found->second;
        };
        if (config_.empty()) {
            if (const std::string* path = variable("config")) config_ = *path;
        }
        FileValues file;
        if (!config_.empty()) {
            auto read = read_file(config_, section_of(program_));
            if (!read) return fail(Error{program_ + ": " + std::move(read).error()});
            file = std::move(read).value();
            for (const auto& [key, value] : file) {
                // The commands of the tool share a file, and no command knows all options.
                if (find(key) != nullptr || section_of(program_) == kToolSection) continue;
                return fail(Error{value.place + ": unknown option " + key + "; did you mean " +
                                  nearest(key) + "?"});
            }
        }
        for (const auto& entry : entries_) {
            if (entry->option->count() > 0) {
                if (auto set = apply(*entry, entry->arguments, spelled(*entry)); !set) {
                    return fail(std::move(set).error());
                }
                continue;
            }
            if (entry->is_positional) continue;
            if (const std::string* value = variable(entry->name)) {
                if (auto set = apply(*entry, {*value}, environment_name(entry->name)); !set) {
                    return fail(std::move(set).error());
                }
            } else if (const auto found = file.find(entry->name); found != file.end()) {
                const FileValue& given = found->second;
                if (auto set = apply(*entry, given.values, given.place + ": " + entry->name);
                    !set) {
                    return fail(std::move(set).error());
                }
            }
        }
        return Parsed{};
    }

    static std::string spelled(const Entry& entry) {
        return entry.is_positional ? entry.name : "--" + entry.name;
    }

    Result<void, Error> apply(Entry& entry, const std::vector<std::string>& values,
                              const std::string& where) const {
        if (!entry.is_list && values.size() != 1) {
            return fail(Error{program_ + ": " + where + ": give one value, not " +
                              std::to_string(values.size())});
        }
        entry.given = true;
        if (auto set = entry.set(values); !set) {
            return fail(Error{program_ + ": " + where + ": " + std::move(set).error()});
        }
        return {};
    }

    std::string program_;
    CLI::App app_;
    std::vector<std::unique_ptr<Entry>> entries_;  // CLI11 keeps addresses of their members
    std::string config_;
};

std::string Options::Impl::markdown() const {
    std::string out =
        "| option | environment | unit | default | meaning |\n|---|---|---|---|---|\n";
    const auto cell = [](const std::string& text) {
        return text.empty() ? std::string("–") : text;
    };
    for (const auto& entry : entries_) {
        const std::string fallback = entry->fallback.empty() ? "" : "`" + entry->fallback + "`";
        const std::string variable =
            entry->is_positional ? "" : "`" + environment_name(entry->name) + "`";
        out += "| `" + spelled(*entry) + "` | " + cell(variable) + " | " + cell(entry->unit) +
               " | " + cell(fallback) + " | " + entry->help + " |\n";
    }
    return out;
}

Options::Options(std::string program, std::string summary)
    : impl_(std::make_unique<Impl>(std::move(program), std::move(summary))) {}
Options::~Options() = default;

void Options::text(std::string_view name, std::string& target, std::string_view help) {
    impl_->declare(impl_->add(name, "text", target, help,
                              [&target](const auto& values) -> Result<void, std::string> {
                                  target = values.front();
                                  return {};
                              }));
}

void Options::choice(std::string_view name, std::string& target, std::vector<std::string> choices,
                     std::string_view help) {
    std::string known;
    for (const std::string& choice : choices) known += (known.empty() ? "" : ", ") + choice;
    const auto set = [&target, choices = std::move(choices),
                      known](const auto& values) -> Result<void, std::string> {
        if (std::find(choices.begin(), choices.end(), values.front()) == choices.end()) {
            return fail("\"" + values.front() + "\" is none of " + known);
        }
        target = values.front();
        return {};
    };
    impl_->declare(impl_->add(name, known, target, help, set));
}

void Options::flag(std::string_view name, bool& target, std::string_view help) {
    Entry& entry = impl_->add(name, "flag", target ? "true" : "false", help,
                              [&target](const auto& values) -> Result<void, std::string> {
                                  auto truth = parse_truth(values.front());
                                  if (!truth) return fail(std::move(truth).error());
                                  target = *truth;
                                  return {};
                              });
    entry.is_flag = true;
    impl_->declare(entry);
}

void Options::number(std::string_view name, std::uint32_t& target, Range<std::uint32_t> range,
                     std::string_view unit, std::string_view help) {
    impl_->declare(impl_->add(
        name, unit, std::to_string(target), help,
        ranged(target, range, parse_number, [](std::uint32_t n) { return std::to_string(n); })));
}

void Options::number(std::string_view name, std::uint64_t& target, Range<std::uint64_t> range,
                     std::string_view unit, std::string_view help) {
    impl_->declare(impl_->add(
        name, unit, std::to_string(target), help,
        ranged(target, range, parse_number, [](std::uint64_t n) { return std::to_string(n); })));
}

void Options::number(std::string_view name, double& target, Range<double> range,
                     std::string_view unit, std::string_view help) {
    impl_->declare(impl_->add(name, unit, format_decimal(target), help,
                              ranged(target, range, parse_decimal, format_decimal)));
}

void Options::bytes(std::string_view name, std::uint64_t& target, Range<std::uint64_t> range,
                    std::string_view help) {
    impl_->declare(impl_->add(name, "bytes", format_bytes(target), help,
                              ranged(target, range, parse_bytes, format_bytes)));
}

void Options::duration(std::string_view name, Duration& target, Range<Duration> range,
                       std::string_view help) {
    impl_->declare(impl_->add(name, "duration", format_duration(target), help,
                              ranged(target, range, parse_duration, format_duration)));
}

void Options::list(std::string_view name, std::vector<std::string>& target, char separator,
                   std::string_view help) {
    std::string fallback;
    for (const std::string& item : target) {
        if (!fallback.empty()) fallback.push_back(separator);
        fallback += item;
    }
    Entry& entry =
        impl_->add(name, "list", std::move(fallback), help,
                   [&target, separator](const auto& values) -> Result<void, std::string> {
                       target.clear();
                       for (const std::string& value : values) {
                           for (std::string& item : split(value, separator)) {
                               target.push_back(std::move(item));
                           }
                       }
                       return {};
                   });
    entry.is_list = true;
    impl_->declare(entry);
}

void Options::positional(std::string_view name, std::string& target, bool required,
                         std::string_view help) {
    Entry& entry = impl_->add(name, "text", target, help,
                              [&target](const auto& values) -> Result<void, std::string> {
                                  target = values.front();
                                  return {};
                              });
    entry.is_positional = true;
    entry.is_required = required;
    impl_->declare(entry);
}

void Options::positional(std::string_view name, std::vector<std::string>& target, bool required,
                         std::string_view help) {
    Entry& entry = impl_->add(name, "list", "", help,
                              [&target](const auto& values) -> Result<void, std::string> {
                                  target = values;
                                  return {};
                              });
    entry.is_positional = true;
    entry.is_list = true;
    entry.is_required = required;
    impl_->declare(entry);
}

Result<Parsed, Error> Options::parse(int argc, const char* const* argv) {
    std::vector<std::string> arguments;
    for (int i = 1; i < argc; ++i) arguments.emplace_back(argv[i]);
    return parse(arguments, process_environment());
}

Result<Parsed, Error> Options::parse(std::span<const std::string> arguments,
                                     const Environment& environment) {
    return impl_->parse({arguments.begin(), arguments.end()}, environment);
}

bool Options::given(std::string_view name) const {
    const Entry* entry = impl_->find(name);
    return entry != nullptr && entry->given;
}

std::vector<std::string> Options::names() const { return impl_->names(); }
std::string Options::markdown() const { return impl_->markdown(); }
std::string Options::help() const { return impl_->help(); }

Environment process_environment() {
    Environment out;
    for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
        const std::string_view text(*variable);
        const std::size_t equals = text.find('=');
        if (text.substr(0, kPrefix.size()) != kPrefix || equals == std::string_view::npos) continue;
        out.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return out;
}

bool parse_or_exit(Options& options, int argc, const char* const* argv, int& exit_code) {
    auto parsed = options.parse(argc, argv);
    if (!parsed) {
        std::fprintf(stderr, "%s\n", parsed.error().sentence.c_str());
        exit_code = kUsageExitCode;
        return false;
    }
    if (parsed->run) return true;
    std::fputs(parsed->text.c_str(), stdout);
    exit_code = 0;
    return false;
}

}  // namespace scanmq::config
