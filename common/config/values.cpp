#include "common/config/values.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

namespace scanmq::config {
namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

constexpr std::array<Unit, 10> kByteUnits = {{{"TiB", 1ULL << 40},
                                              {"TB", 1'000'000'000'000ULL},
                                              {"GiB", 1ULL << 30},
                                              {"GB", 1'000'000'000ULL},
                                              {"MiB", 1ULL << 20},
                                              {"MB", 1'000'000ULL},
                                              {"KiB", 1ULL << 10},
                                              {"KB", 1'000ULL},
                                              {"B", 1},
                                              {"", 1}}};

// In nanoseconds.
constexpr std::array<Unit, 7> kTimeUnits = {{{"d", 86'400'000'000'000ULL},
                                             {"h", 3'600'000'000'000ULL},
                                             {"min", 60'000'000'000ULL},
                                             {"s", 1'000'000'000ULL},
                                             {"ms", 1'000'000ULL},
                                             {"us", 1'000ULL},
                                             {"ns", 1}}};

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

// Digits, then one of the units; false when it is not that or passes 64 bits.
bool parse_scaled(std::string_view text, std::span<const Unit> units, std::uint64_t& out) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return false;
    std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
    if (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
    const auto found =
        std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == unit; });
    if (found == units.end()) return false;
    if (number > std::numeric_limits<std::uint64_t>::max() / found->factor) return false;
    out = number * found->factor;
    return true;
}

}  // namespace

Result<std::uint64_t, std::string> parse_bytes(std::string_view text) {
    std::uint64_t bytes = 0;
    if (parse_scaled(text, kByteUnits, bytes)) return bytes;
    return fail(quoted(text) + " is not a number of bytes; write it like 4096, 64KiB or 1GB");
}

Result<Duration, std::string> parse_duration(std::string_view text) {
    if (text == "0") return Duration::zero();
    std::uint64_t nanoseconds = 0;
    constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (parse_scaled(text, kTimeUnits, nanoseconds) && nanoseconds <= kMax) {
        return Duration(static_cast<std::int64_t>(nanoseconds));
    }
    return fail(quoted(text) + " is not a duration; write it like 250us, 2500ms, 10s or 15min");
}

Result<std::uint64_t, std::string> parse_number(std::string_view text) {
    std::uint64_t number = 0;
    const char* last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), last, number);
    if (error == std::errc{} && end == last) return number;
    return fail(quoted(text) + " is not a whole number");
}

Result<double, std::string> parse_decimal(std::string_view text) {
    double number = 0;
    const char* last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), last, number);
    if (error == std::errc{} && end == last && std::isfinite(number)) return number;
    return fail(quoted(text) + " is not a number");
}

Result<bool, std::string> parse_truth(std::string_view text) {
    for (const std::string_view yes : {"true", "yes", "on", "1"}) {
        if (text == yes) return true;
    }
    for (const std::string_view no : {"false", "no", "off", "0"}) {
        if (text == no) return false;
    }
    return fail(quoted(text) + " is neither true nor false");
}

std::string format_bytes(std::uint64_t bytes) {
    if (bytes == 0) return "0";
    // Powers of 1024 first: they are what limits are written in.
    std::string best = std::to_string(bytes);
    for (const Unit& unit : kByteUnits) {
        if (unit.factor < 1000 || bytes % unit.factor != 0) continue;
        std::string text = std::to_string(bytes / unit.factor) + std::string(unit.name);
        if (text.size() < best.size()) best = std::move(text);
    }
    return best;
}

std::string format_duration(Duration duration) {
    if (duration <= Duration::zero()) return "0";
    const auto nanoseconds = static_cast<std::uint64_t>(duration.count());
    const auto unit = std::find_if(kTimeUnits.begin(), kTimeUnits.end(),
                                   [&](const Unit& u) { return nanoseconds % u.factor == 0; });
    return std::to_string(nanoseconds / unit->factor) + std::string(unit->name);
}

}  // namespace scanmq::config
