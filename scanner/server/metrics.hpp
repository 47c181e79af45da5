#pragma once
// Metrics: counters as Prometheus text or JSON.
//
// Threads: pure functions.

#include <string>
#include <string_view>
#include <vector>

namespace scanmq::scand {

struct Metric {
    std::string_view name;    // without the prefix; a counter's ends in _total
    std::string_view labels;  // "quantile=\"0.5\"", or empty
    std::string_view help;
    double value{};
};

// Lines "scanmq_scanner_NAME{labels} value"; metrics of one name must be neighbours.
[[nodiscard]] std::string prometheus_text(const std::vector<Metric>& metrics);
// {"NAME": value}; a label's value is added to the name: "run_seconds_0.5".
[[nodiscard]] std::string metrics_document(const std::vector<Metric>& metrics);

}  // namespace scanmq::scand
