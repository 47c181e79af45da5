#include "scanner/server/metrics.hpp"

#include <fmt/format.h>

#include "scanner/service/document_writer.hpp"

namespace scanmq::scand {

namespace {

const char* kind_of(const Metric& metric) {
    if (!metric.labels.empty()) return "summary";
    return metric.name.ends_with("_total") ? "counter" : "gauge";
}

}  // namespace

std::string prometheus_text(const std::vector<Metric>& metrics) {
    std::string out;
    std::string_view last;
    for (const Metric& metric : metrics) {
        if (metric.name != last && !metric.help.empty()) {
            out += fmt::format("# HELP scanmq_scanner_{0} {1}\n# TYPE scanmq_scanner_{0} {2}\n",
                               metric.name, metric.help, kind_of(metric));
        }
        last = metric.name;
        out += metric.labels.empty()
                   ? fmt::format("scanmq_scanner_{} {}\n", metric.name, metric.value)
                   : fmt::format("scanmq_scanner_{}{{{}}} {}\n", metric.name, metric.labels,
                                 metric.value);
    }
    return out;
}

std::string metrics_document(const std::vector<Metric>& metrics) {
    service::DocumentWriter out(service::Encoding::json);
    out.map(metrics.size());
    for (const Metric& metric : metrics) {
        std::string name(metric.name);
        if (const auto quote = metric.labels.find('"'); quote != std::string_view::npos) {
            name += '_';
            name += metric.labels.substr(quote + 1, metric.labels.size() - quote - 2);
        }
        out.key(name);
        out.number(metric.value);
    }
    out.end();
    return out.take();
}

}  // namespace scanmq::scand
