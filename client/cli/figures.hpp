#pragma once
// Figures that may be missing, as JSON and as text.

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

namespace scanmq::cli {

// null where it is no number.
[[nodiscard]] inline nlohmann::ordered_json number(double value) {
    return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json();
}
// "-" where it is no number; from 1e12 on with an exponent, not as a row of digits.
[[nodiscard]] inline std::string shown(double value, int places) {
    if (!std::isfinite(value)) return "-";
    return std::fabs(value) < 1e12 ? fmt::format("{:.{}f}", value, places)
                                   : fmt::format("{:.6g}", value);
}

}  // namespace scanmq::cli
