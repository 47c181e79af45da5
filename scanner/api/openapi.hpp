#pragma once
// openapi.json, generated from one table of routes and the tables of filters and sort orders.
//
// Role:    a server adds the routes of its own to scan_routes(); a test compares the document with the
//          router.
// Threads: pure functions.

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace scanmq::api {

struct RouteAnswer {
    int status{};
    std::string_view media;   // empty: no body
    std::string_view schema;  // of the schemas below; empty: any
    std::string_view meaning;
};
struct RouteInfo {
    std::string_view method;  // upper case
    std::string_view path;    // with {names}
    std::string_view summary;
    std::string_view body_media;   // empty: no body
    std::string_view body_schema;  // empty: any
    std::vector<RouteAnswer> answers;
};

// The routes that every server of the scan API has: scan, its state, batches,
// filters, health, metrics and this document.
[[nodiscard]] std::span<const RouteInfo> scan_routes();

// Schemas: ScanRequest, BatchRequest, Filter, Filters, ValidateRequest, Validation, Presets, Spread, Leg,
// Spreads, Status, Health, Error.
[[nodiscard]] std::string openapi_document(std::string_view title, std::string_view version,
                                           std::span<const RouteInfo> routes);

}  // namespace scanmq::api
