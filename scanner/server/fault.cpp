#include "scanner/server/fault.hpp"

#include <fmt/format.h>

#include "common/config/values.hpp"

namespace scanmq::scand {

namespace {

constexpr Duration kSlowMax = std::chrono::hours(1);

}  // namespace

Result<Fault, std::string> parse_fault(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
    Fault out;
    if (text == "none" || text.empty()) return out;
    if (text == "garbage") {
        out.garbage = true;
        return out;
    }
    if (text.starts_with("slow:")) {
        const auto slow = config::parse_duration(text.substr(5));
        if (slow && *slow > Duration{} && *slow <= kSlowMax) {
            out.slow = *slow;
            return out;
        }
    }
    if (text.starts_with("status:")) {
        const auto status = config::parse_number(text.substr(7));
        if (status && *status >= 400 && *status <= 599) {
            out.status = static_cast<int>(*status);
            return out;
        }
    }
    return fail(fmt::format(
        "there is no fault \"{}\"; give none, slow:DURATION (up to 1h), status:NUMBER (400 "
        "to 599) or garbage",
        text.substr(0, 64)));
}

std::string to_text(const Fault& fault) {
    if (fault.garbage) return "garbage";
    if (fault.status != 0) return fmt::format("status:{}", fault.status);
    if (fault.slow > Duration{}) return "slow:" + config::format_duration(fault.slow);
    return "none";
}

}  // namespace scanmq::scand
