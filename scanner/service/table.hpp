#pragma once
// A plain-text table of a result, for terminals: one line a spread, fixed columns, no colour.

#include <cstddef>
#include <string>

#include "scanner/service/result.hpp"

namespace scanmq::service {

// The first `rows` spreads under a heading; ends with a line break. Missing values print as "-".
[[nodiscard]] std::string format_table(const ScanResult& result, std::size_t rows);

}  // namespace scanmq::service
