#pragma once
// Filters as the scan API names them, and what they are to the engine.
//
// Role:    one table: reading, checking, the lists that clients ask for, and openapi.json are made from
//          it.
// Errors:  unknown_filter, unknown_parameter (both with the nearest known name), bad_value, duplicate,
//          filter_unavailable: known, but this engine has not the data for it.
// Threads: pure functions.
// See:     docs/HTTP_API.md#filters

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.hpp"
#include "scanner/api/error.hpp"
#include "scanner/filter/filter.hpp"

namespace scanmq::api {

struct FilterParam {
    std::string_view name;
    std::string_view engine;  // the engine's parameter; several names may be one of them
    filter::ParamKind kind{};
    std::string_view meaning;
};
struct FilterType {
    std::string_view name;
    std::string_view engine;  // the engine's filter; empty: not available
    std::string_view meaning;
    std::span<const FilterParam> params;
};
[[nodiscard]] std::span<const FilterType> filter_types() noexcept;

struct FilterPreset {
    std::string_view name;
    std::string_view meaning;
    std::string_view filters;  // as in a request: JSON
};
[[nodiscard]] std::span<const FilterPreset> filter_presets() noexcept;

// Documents of GET /api/v1/filters, GET /api/v1/filters/presets.
[[nodiscard]] std::string filters_document();
[[nodiscard]] std::string presets_document();
// POST /api/v1/filters/validate: {"filters": [...]} in, {"valid", "errors": [{"index", "code", "field",
// "sentence"}]} out. Error: the body is no such document.
[[nodiscard]] Result<std::string, Error> validate_document(ByteView body);

}  // namespace scanmq::api
