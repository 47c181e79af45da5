#include "client/cli/columns_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "common/base/nearest.hpp"
#include "common/config/file.hpp"
#include "common/config/values.hpp"
#include "scanner/market/date_text.hpp"

namespace scanmq::cli {
namespace {

using market::ColumnMapping;

// Sets what a text means; an empty answer is success, else what would be right.
using Setter = std::string (*)(ColumnMapping& mapping, const std::string& text);

struct Key {
    std::string_view name;
    Setter set;
};

// Sets a truth from one of two words.
template <bool ColumnMapping::*kMember>
std::string choose(ColumnMapping& mapping, const std::string& text, std::string_view yes,
                   std::string_view no) {
    if (text != yes && text != no) return fmt::format("write \"{}\" or \"{}\"", yes, no);
    mapping.*kMember = text == yes;
    return {};
}

std::string set_delimiter(ColumnMapping& mapping, const std::string& text) {
    if (text.size() != 1) return "write one character, like \";\" or \"\\t\"";
    mapping.delimiter = text[0];
    return {};
}

std::string set_date_order(ColumnMapping& mapping, const std::string& text) {
    if (text != "month_first" && text != "day_first") {
        return "write \"month_first\" or \"day_first\"; dates like 2011-01-21 need neither";
    }
    mapping.date_order =
        text == "day_first" ? market::DateOrder::day_first : market::DateOrder::month_first;
    return {};
}

std::string set_quoted_as(ColumnMapping& mapping, const std::string& text) {
    static constexpr std::array<std::pair<std::string_view, market::QuotedAs>, 4> kKinds{
        {{"text", market::QuotedAs::text},
         {"ms_since_midnight", market::QuotedAs::ms_since_midnight},
         {"unix_ms", market::QuotedAs::unix_ms},
         {"unix_s", market::QuotedAs::unix_s}}};
    for (const auto& [name, kind] : kKinds) {
        if (text == name) return mapping.quoted_as = kind, std::string{};
    }
    return "write \"text\", \"ms_since_midnight\", \"unix_ms\" or \"unix_s\"";
}

std::string set_style(ColumnMapping& mapping, const std::string& text) {
    if (text != "european" && text != "american") return "write \"european\" or \"american\"";
    mapping.style =
        text == "american" ? market::ExerciseStyle::american : market::ExerciseStyle::european;
    return {};
}

std::string set_settlement(ColumnMapping& mapping, const std::string& text) {
    if (text != "am" && text != "pm") return "write \"am\" or \"pm\"";
    mapping.settlement = text == "am" ? market::Settlement::am : market::Settlement::pm;
    return {};
}

std::string set_symbol(ColumnMapping& mapping, const std::string& text) {
    if (text.empty() || text.size() > 16) return "a symbol has 1 to 16 characters";
    mapping.symbol = text;
    return {};
}

std::string set_spot(ColumnMapping& mapping, const std::string& text) {
    const auto value = config::parse_decimal(text);
    if (!value || !(*value > 0)) return "write a price above zero";
    mapping.spot = *value;
    return {};
}

std::string set_as_of(ColumnMapping& mapping, const std::string& text) {
    mapping.as_of = market::parse_time_text(text);
    return mapping.as_of ? std::string{}
                         : "write a moment like \"2021-11-22 16:00\" (New York) or "
                           "\"2021-11-22T21:00:00Z\"";
}

std::string set_as_of_time(ColumnMapping& mapping, const std::string& text) {
    const auto number = [&](std::size_t at) {
        const auto value = config::parse_number(std::string_view(text).substr(at, 2));
        return value ? static_cast<int>(*value) : 99;
    };
    const bool shaped = text.size() == 5 && text[2] == ':';
    if (!shaped || number(0) > 23 || number(3) > 59) {
        return "write New York's time of day, like \"16:00\"";
    }
    mapping.as_of_minute = number(0) * 60 + number(3);
    return {};
}

constexpr std::array kKeys{
    Key{"delimiter", set_delimiter},
    Key{"date_order", set_date_order},
    Key{"quoted_as", set_quoted_as},
    Key{"iv_unit",
        [](ColumnMapping& m, const std::string& text) {
            return choose<&ColumnMapping::iv_in_percent>(m, text, "percent", "decimal");
        }},
    Key{"theta_unit",
        [](ColumnMapping& m, const std::string& text) {
            return choose<&ColumnMapping::theta_per_day>(m, text, "per_day", "per_year");
        }},
    Key{"vega_unit",
        [](ColumnMapping& m, const std::string& text) {
            return choose<&ColumnMapping::vega_per_point>(m, text, "per_point", "per_one");
        }},
    Key{"rho_unit",
        [](ColumnMapping& m, const std::string& text) {
            return choose<&ColumnMapping::rho_per_point>(m, text, "per_point", "per_one");
        }},
    Key{"default_style", set_style},
    Key{"default_settlement", set_settlement},
    Key{"default_symbol", set_symbol},
    Key{"default_spot", set_spot},
    Key{"as_of", set_as_of},
    Key{"as_of_time", set_as_of_time},
};
constexpr std::string_view kMissingKey = "missing";
constexpr std::string_view kTable = "columns";

std::string unknown_key(const std::string& key, const std::string& place) {
    std::vector<std::string_view> known(market::kFieldNames.begin(), market::kFieldNames.end());
    for (const auto& entry : kKeys) known.push_back(entry.name);
    known.push_back(kMissingKey);
    return fmt::format("{}: unknown key \"{}\"; did you mean \"{}\"?", place, key,
                       nearest_name(key, known));
}

Result<ColumnMapping, std::string> column_mapping(const config::FileValues& values,
                                                  const std::string& path) {
    ColumnMapping mapping;
    for (const auto& [name, value] : values) {
        if (name == kMissingKey) {
            mapping.missing = value.values;
            continue;
        }
        if (value.values.size() != 1) {
            return fail(fmt::format("{}: {} takes one value", value.place, name));
        }
        const std::string& text = value.values[0];
        const auto field = std::find(market::kFieldNames.begin(), market::kFieldNames.end(), name);
        if (field != market::kFieldNames.end()) {
            mapping.names[static_cast<std::size_t>(field - market::kFieldNames.begin())] = text;
            continue;
        }
        const auto key =
            std::find_if(kKeys.begin(), kKeys.end(), [&](const Key& k) { return k.name == name; });
        if (key == kKeys.end()) return fail(unknown_key(name, value.place));
        if (const auto wanted = key->set(mapping, text); !wanted.empty()) {
            return fail(
                fmt::format("{}: {}: \"{}\" is not right; {}", value.place, name, text, wanted));
        }
    }
    if (const auto problem = market::mapping_problem(mapping); !problem.empty()) {
        return fail(fmt::format("{}: the column mapping {}", path, problem));
    }
    return mapping;
}

}  // namespace

Result<ColumnMapping, std::string> parse_columns_file(std::string_view text,
                                                      const std::string& path) {
    const auto values = config::parse_file(text, path, kTable);
    if (!values) return fail(values.error());
    return column_mapping(*values, path);
}

Result<ColumnMapping, std::string> read_columns_file(const std::string& path) {
    const auto values = config::read_file(path, kTable, "--columns");
    if (!values) return fail(values.error());
    return column_mapping(*values, path);
}

}  // namespace scanmq::cli
