#include "scanner/api/openapi.hpp"

#include <algorithm>

#include "scanner/api/filters.hpp"
#include "scanner/api/scan_call.hpp"
#include "scanner/service/document.hpp"

namespace scanmq::api {

namespace {

using service::Json;

constexpr std::string_view kJson = "application/json";

Json ref(std::string_view schema) {
    return {{"$ref", "#/components/schemas/" + std::string(schema)}};
}
Json array_of(Json items) { return {{"type", "array"}, {"items", std::move(items)}}; }
Json of_type(const char* type) { return {{"type", type}}; }
Json nullable(const char* type) { return {{"type", type}, {"nullable", true}}; }
template <class Names>
Json one_of(const Names& names) {
    Json out = of_type("string");
    out["enum"] = Json::array();
    for (const auto& name : names) out["enum"].push_back(name);
    return out;
}
// All properties are there.
Json object(Json properties) {
    Json required = Json::array();
    for (const auto& item : properties.items()) required.push_back(item.key());
    return {{"type", "object"},
            {"properties", std::move(properties)},
            {"required", std::move(required)}};
}
Json object(Json properties, Json required) {
    Json out = object(std::move(properties));
    out["required"] = std::move(required);
    return out;
}

Json filter_schema() {
    Json names = Json::array();
    Json params = Json::object();
    for (const FilterType& type : filter_types()) {
        names.push_back(type.name);
        for (const FilterParam& param : type.params) {
            const char* kind = param.kind == filter::ParamKind::number ? "number"
                               : param.kind == filter::ParamKind::flag ? "boolean"
                                                                       : "string";
            params[std::string(param.name)] = nullable(kind);
        }
    }
    return object({{"type", {{"type", "string"}, {"enum", names}}},
                   {"params", {{"type", "object"}, {"properties", params}}}},
                  {"type"});
}

Json request_schema(bool batch) {
    Json properties = {{"filters", array_of(ref("Filter"))},
                       {"limit",
                        {{"type", "integer"},
                         {"minimum", 1},
                         {"maximum", service::kLimitMax},
                         {"default", service::kLimitDefault}}},
                       {"sort_by", one_of(sort_names())},
                       {"strategies", array_of(one_of(strategy::strategy_names()))},
                       {"strategy", one_of(strategy::strategy_names())},
                       {"preset", one_of(score::preset_names())},
                       {"fee_per_contract", of_type("number")},
                       {"rate", of_type("number")},
                       {"as_of_ms", of_type("integer")}};
    if (batch) {
        properties["symbols"] = array_of(of_type("string"));
        return object(std::move(properties), {"symbols"});
    }
    properties["symbol"] = of_type("string");
    return object(std::move(properties), {"symbol"});
}

Json leg_schema() {
    Json properties = {
        {"symbol", of_type("string")},   {"expiry", {{"type", "string"}, {"format", "date"}}},
        {"strike", of_type("number")},   {"right", one_of(std::vector<const char*>{"call", "put"})},
        {"volume", nullable("integer")}, {"open_interest", nullable("integer")}};
    for (const char* name : {"delta", "theta", "vega", "iv", "bid", "ask", "last"}) {
        properties[name] = nullable("number");
    }
    return object(std::move(properties));
}

Json schemas() {
    const Json text = of_type("string");
    Json error =
        object({{"code", text}, {"sentence", text}, {"field", text}}, {"code", "sentence"});
    Json spread = {{"long_leg", ref("Leg")}, {"short_leg", ref("Leg")}};
    for (const char* name :
         {"net_debit", "max_profit", "max_loss", "breakeven", "probability_profit", "score"}) {
        spread[name] = nullable("number");
    }
    return {
        {"ScanRequest", request_schema(false)},
        {"BatchRequest", request_schema(true)},
        {"Filter", filter_schema()},
        {"Leg", leg_schema()},
        {"Spread", object(std::move(spread))},
        {"Spreads", object({{"spreads", array_of(ref("Spread"))}})},
        {"Status",
         object({{"job_id", text},
                 {"status", one_of(std::vector<const char*>{"queued", "running", "completed",
                                                            "failed", "cancelled"})},
                 {"symbols", array_of(text)},
                 {"progress", {{"type", "number"}, {"minimum", 0}, {"maximum", 1}}},
                 {"spreads", array_of(ref("Spread"))},
                 {"errors", array_of(object({{"symbol", text}, {"error", error}}))}},
                {"job_id", "status", "symbols", "progress"})},
        {"Filters", object({{"filters", array_of(of_type("object"))}})},
        {"Presets", object({{"presets", array_of(of_type("object"))}})},
        {"ValidateRequest", object({{"filters", array_of(ref("Filter"))}})},
        {"Validation",
         object({{"valid", of_type("boolean")}, {"errors", array_of(of_type("object"))}})},
        {"Health", object({{"status", text}}, {"status"})},
        {"Error", object({{"error", std::move(error)}})},
    };
}

Json content(std::string_view media, std::string_view schema) {
    Json body = Json::object();
    if (!schema.empty()) body["schema"] = ref(schema);
    return {{std::string(media), std::move(body)}};
}

// Parameters of the path's {names}.
Json path_parameters(std::string_view path) {
    Json out = Json::array();
    for (std::size_t at = path.find('{'); at != std::string_view::npos;
         at = path.find('{', at + 1)) {
        const std::size_t end = path.find('}', at);
        out.push_back({{"name", path.substr(at + 1, end - at - 1)},
                       {"in", "path"},
                       {"required", true},
                       {"schema", of_type("string")}});
    }
    return out;
}

Json operation(const RouteInfo& route) {
    Json out = {{"summary", route.summary}, {"responses", Json::object()}};
    Json parameters = path_parameters(route.path);
    if (!parameters.empty()) out["parameters"] = std::move(parameters);
    if (!route.body_media.empty()) {
        out["requestBody"] = {{"required", true},
                              {"content", content(route.body_media, route.body_schema)}};
    }
    for (const RouteAnswer& answer : route.answers) {
        Json& entry = out["responses"][std::to_string(answer.status)];
        if (!entry.is_object()) entry = {{"description", answer.meaning}};
        if (!answer.media.empty()) entry["content"].update(content(answer.media, answer.schema));
    }
    return out;
}

constexpr RouteAnswer kBadRequest{400, kJson, "Error",
                                  "the request is wrong; the sentence names the field"};
constexpr RouteAnswer kBusy{429, kJson, "Error",
                            "all places are taken; Retry-After says when to ask again"};
constexpr RouteAnswer kDraining{503, kJson, "Error", "shutting down"};
constexpr RouteAnswer kUnknownId{404, kJson, "Error", "no such scan"};

}  // namespace

std::span<const RouteInfo> scan_routes() {
    static const std::vector<RouteInfo> routes = {
        {"POST",
         "/api/v1/scan",
         "Scan one symbol and wait for its best spreads",
         kJson,
         "ScanRequest",
         {{200, kJson, "Spreads", "the best spreads"},
          {200, "application/x-ndjson", "",
           "lines of progress, then the result, where it is accepted"},
          kBadRequest,
          {404, kJson, "Error", "no chain of that symbol"},
          kBusy,
          kDraining,
          {504, kJson, "Error", "the deadline passed"}}},
        {"POST",
         "/api/v1/scan/batch",
         "Start a scan of several symbols",
         kJson,
         "BatchRequest",
         {{202, kJson, "Status", "started; ask for it by its job_id"},
          kBadRequest,
          kBusy,
          kDraining}},
        {"GET",
         "/api/v1/scan/{id}",
         "State of a scan, and its spreads when it is completed",
         {},
         {},
         {{200, kJson, "Status", "state"}, kUnknownId}},
        {"DELETE",
         "/api/v1/scan/{id}",
         "Cancel a scan",
         {},
         {},
         {{200, kJson, "Status", "state"}, kUnknownId}},
        {"GET",
         "/api/v1/filters",
         "What filters there are",
         {},
         {},
         {{200, kJson, "Filters", "filters with their parameters"}}},
        {"POST",
         "/api/v1/filters/validate",
         "Check filters without a scan",
         kJson,
         "ValidateRequest",
         {{200, kJson, "Validation", "what is wrong with which"}, kBadRequest}},
        {"GET",
         "/api/v1/filters/presets",
         "Ready-made lists of filters",
         {},
         {},
         {{200, kJson, "Presets", "presets"}}},
        {"GET", "/api/v1/openapi.json", "This document", {}, {}, {{200, kJson, "", "OpenAPI 3.0"}}},
        {"GET", "/openapi.json", "The same", {}, {}, {{200, kJson, "", "OpenAPI 3.0"}}},
        {"GET",
         "/health",
         "Is it well?",
         {},
         {},
         {{200, kJson, "Health", "yes"}, {503, kJson, "Health", "shutting down"}}},
        {"GET",
         "/healthz",
         "The same",
         {},
         {},
         {{200, kJson, "Health", "yes"}, {503, kJson, "Health", "shutting down"}}},
        {"GET",
         "/metrics",
         "Counters: Prometheus text, or JSON where that is accepted first",
         {},
         {},
         {{200, "text/plain", "", "Prometheus text"}, {200, kJson, "", "the same by name"}}},
    };
    return routes;
}

std::string openapi_document(std::string_view title, std::string_view version,
                             std::span<const RouteInfo> routes) {
    Json paths = Json::object();
    for (const RouteInfo& route : routes) {
        std::string method(route.method);
        std::ranges::transform(method, method.begin(),
                               [](char c) { return static_cast<char>(c - 'A' + 'a'); });
        paths[std::string(route.path)][method] = operation(route);
    }
    return Json{{"openapi", "3.0.3"},
                {"info", {{"title", title}, {"version", version}}},
                {"paths", std::move(paths)},
                {"components", {{"schemas", schemas()}}}}
        .dump();
}

}  // namespace scanmq::api
