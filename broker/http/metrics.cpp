#include "broker/http/metrics.hpp"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

namespace scanmq::gateway {

using Json = nlohmann::ordered_json;
using protocol::Row;

namespace {

const std::uint64_t* number(const protocol::Value& value) {
    return std::get_if<std::uint64_t>(&value);
}

std::string text_of(const Row& row, std::string_view key) {
    for (const auto& [name, value] : row) {
        if (name == key && std::holds_alternative<std::string>(value)) {
            return std::get<std::string>(value);
        }
    }
    return {};
}

// Letters, digits and '_'; counters are named so anyway, queues' columns as well.
std::string metric_name(std::string_view name) {
    std::string out(name);
    for (char& c : out) {
        const bool good =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        if (!good) c = '_';
    }
    return out;
}

Json object_of(const Row& row) {
    Json out = Json::object();
    for (const auto& [name, value] : row) {
        std::visit([&](const auto& one) { out[name] = one; }, value);
    }
    return out;
}

// All figures but the queues', by name.
Figures figures_of(const Metrics& metrics) {
    Figures out;
    for (const Row& row : metrics.broker) {
        for (const auto& [name, value] : row) {
            if (number(value) != nullptr)
                out.emplace_back("broker_" + metric_name(name), *number(value));
        }
    }
    for (const Row& row : metrics.counters) {
        for (const auto& [name, value] : row) {
            if (name == "value" && number(value) != nullptr) {
                out.emplace_back(metric_name(text_of(row, "name")), *number(value));
            }
        }
    }
    for (const auto& [name, value] : metrics.http) out.emplace_back("http_" + name, value);
    return out;
}

}  // namespace

std::string prometheus_text(const Metrics& metrics) {
    std::string out;
    for (const auto& [name, value] : figures_of(metrics)) {
        fmt::format_to(std::back_inserter(out), "# TYPE scanmq_{0} untyped\nscanmq_{0} {1}\n", name,
                       value);
    }
    // All samples of one metric stand together.
    std::map<std::string, std::string> labelled;
    // The characters of these names need no escape.
    const auto add = [&](const std::vector<Row>& rows, const char* prefix, const char* label) {
        for (const Row& row : rows) {
            const std::string whose = text_of(row, label);
            for (const auto& [name, value] : row) {
                if (number(value) == nullptr) continue;
                const std::string metric = prefix + metric_name(name);
                labelled[metric] +=
                    fmt::format("{}{{{}=\"{}\"}} {}\n", metric, label, whose, *number(value));
            }
        }
    };
    add(metrics.queues, "scanmq_queue_", "queue");
    add(metrics.cache, "scanmq_cache_", "tier");
    for (const auto& [metric, samples] : labelled) {
        fmt::format_to(std::back_inserter(out), "# TYPE {} untyped\n{}", metric, samples);
    }
    return out;
}

std::string metrics_json(const Metrics& metrics) {
    Json out;
    for (const auto& [name, value] : figures_of(metrics)) out[name] = value;
    out["queues"] = Json::array();
    for (const Row& row : metrics.queues) out["queues"].push_back(object_of(row));
    out["cache"] = Json::array();
    for (const Row& row : metrics.cache) out["cache"].push_back(object_of(row));
    return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace scanmq::gateway
