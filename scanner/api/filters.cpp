#include "scanner/api/filters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "common/base/nearest.hpp"
#include "scanner/api/filter_reader.hpp"

namespace scanmq::api {

namespace {

using filter::ParamKind;
using service::Json;

constexpr std::string_view kMin = "smallest value that passes";
constexpr std::string_view kMax = "largest value that passes";
constexpr FilterParam kLegs{"legs", "legs", ParamKind::leg_scope, "short, long or all (default)"};

constexpr FilterParam kDelta[] = {
    {"min", "min", ParamKind::number, kMin},
    {"max", "max", ParamKind::number, kMax},
    {"min_delta", "min", ParamKind::number, "the same as min"},
    {"max_delta", "max", ParamKind::number, "the same as max"},
    {"absolute", "absolute", ParamKind::flag,
     "compare |delta|; default: true unless a bound is negative"},
    {"legs", "legs", ParamKind::leg_scope, "short (default), long or all"},
};
constexpr FilterParam kDte[] = {
    {"min", "min", ParamKind::number, kMin},
    {"max", "max", ParamKind::number, kMax},
    {"min_dte", "min", ParamKind::number, "the same as min"},
    {"max_dte", "max", ParamKind::number, "the same as max"},
};
constexpr FilterParam kLiquidity[] = {
    {"min_volume", "min_volume", ParamKind::number, "contracts traded today"},
    {"min_open_interest", "min_open_interest", ParamKind::number, "contracts open"},
    {"max_bid_ask_spread", "max_spread", ParamKind::number, "ask less bid, per share"},
    {"max_spread_ratio", "max_spread_ratio", ParamKind::number,
     "ask less bid over mid, as a decimal"},
    {"min_volume_oi", "min_volume_oi", ParamKind::number, "volume over open interest"},
    {"min_bid", "min_bid", ParamKind::number, "bid per share"},
    kLegs,
};
constexpr FilterParam kIv[] = {
    {"min", "min", ParamKind::number, kMin},
    {"max", "max", ParamKind::number, kMax},
    {"min_iv", "min", ParamKind::number, "the same as min"},
    {"max_iv", "max", ParamKind::number, "the same as max"},
    kLegs,
};
constexpr FilterParam kTheta[] = {
    {"min", "min", ParamKind::number, kMin},
    {"max", "max", ParamKind::number, kMax},
    {"min_theta", "min", ParamKind::number, "the same as min"},
    {"max_theta", "max", ParamKind::number, "the same as max"},
};
constexpr FilterParam kVega[] = {
    {"min", "min", ParamKind::number, kMin},
    {"max", "max", ParamKind::number, kMax},
    {"min_vega", "min", ParamKind::number, "the same as min"},
    {"max_vega", "max", ParamKind::number, "the same as max"},
};
constexpr FilterParam kWidth[] = {
    {"min", "min", ParamKind::number, kMin},
    {"max", "max", ParamKind::number, kMax},
    {"min_width", "min", ParamKind::number, "the same as min"},
    {"max_width", "max", ParamKind::number, "the same as max"},
};
constexpr FilterParam kProbability[] = {
    {"min", "min", ParamKind::number, kMin},
    {"max", "max", ParamKind::number, kMax},
    {"min_probability", "min", ParamKind::number, "the same as min"},
    {"max_probability", "max", ParamKind::number, "the same as max"},
};
constexpr FilterParam kRange[] = {
    {"min", "min", ParamKind::number, kMin},
    {"max", "max", ParamKind::number, kMax},
};

constexpr FilterType kTypes[] = {
    {"delta", "delta", "delta of the legs, by default the short one", kDelta},
    {"dte", "dte", "calendar days to expiry", kDte},
    {"iv", "iv", "implied volatility of each leg, as a decimal", kIv},
    {"iv_percentile", "",
     "share of the last year's closes with a lower implied volatility, 0 to 1; needs a history "
     "that "
     "this engine does not read yet",
     kRange},
    {"liquidity", "liquidity", "size and quote quality of each leg", kLiquidity},
    {"probability_profit", "pop", "probability of profit, 0 to 1", kProbability},
    {"spread_width", "width", "distance between the strikes", kWidth},
    {"theta", "theta", "net theta of the spread over one day, per share", kTheta},
    {"vega", "vega", "net vega of the spread per point of volatility, per share", kVega},
};

constexpr FilterPreset kPresets[] = {
    {"conservative", "far from the money, liquid, likely to keep the premium",
     R"([{"type":"delta","params":{"min":0.05,"max":0.20}},)"
     R"({"type":"dte","params":{"min":25,"max":60}},)"
     R"({"type":"liquidity","params":{"min_open_interest":100,"max_spread_ratio":0.25}},)"
     R"({"type":"probability_profit","params":{"min":0.75}}])"},
    {"balanced", "around a month, short leg at a quarter delta",
     R"([{"type":"delta","params":{"min":0.15,"max":0.35}},)"
     R"({"type":"dte","params":{"min":20,"max":60}},)"
     R"({"type":"liquidity","params":{"min_open_interest":50,"max_spread_ratio":0.5}}])"},
    {"aggressive", "near the money, short-dated",
     R"([{"type":"delta","params":{"min":0.30,"max":0.55}},)"
     R"({"type":"dte","params":{"min":5,"max":30}}])"},
    {"income", "time works for the position",
     R"([{"type":"dte","params":{"min":20,"max":50}},)"
     R"({"type":"theta","params":{"min":0.0}},)"
     R"({"type":"probability_profit","params":{"min":0.6}}])"},
    {"liquid", "tight quotes and open contracts only",
     R"([{"type":"liquidity","params":{"min_volume":50,"min_open_interest":500,)"
     R"("max_spread_ratio":0.15}}])"},
};

const char* kind_name(ParamKind kind) {
    switch (kind) {
        case ParamKind::number:
            return "number";
        case ParamKind::flag:
            return "boolean";
        case ParamKind::leg_scope:
        case ParamKind::choice:
            return "string";
    }
    return "";
}

template <class Entry>
std::vector<std::string_view> names_of(std::span<const Entry> entries) {
    std::vector<std::string_view> out;
    for (const Entry& entry : entries) out.push_back(entry.name);
    return out;
}

template <class Entry>
const Entry* find(std::span<const Entry> entries, std::string_view name) {
    const auto at = std::ranges::find(entries, name, &Entry::name);
    return at == entries.end() ? nullptr : &*at;
}

Failure<Error> refuse(const char* code, std::string field, std::string sentence) {
    return fail(Error{400, code, std::move(sentence), std::move(field)});
}

// A value of a parameter in the engine's terms.
Result<filter::ParamValue, Error> read_value(const FilterType& type, const FilterParam& param,
                                             const Json& value, const std::string& field) {
    switch (param.kind) {
        case ParamKind::number:
            if (value.is_number()) return filter::ParamValue(value.get<double>());
            return refuse("bad_value", field, fmt::format("{} must be a number", field));
        case ParamKind::flag:
            if (value.is_boolean()) return filter::ParamValue(value.get<bool>());
            return refuse("bad_value", field, fmt::format("{} must be true or false", field));
        case ParamKind::leg_scope:
        case ParamKind::choice:
            break;
    }
    if (value.is_string()) {
        const auto& text = value.get_ref<const std::string&>();
        if (text == "short" || text == "long" || text == "all") return filter::ParamValue(text);
    }
    return refuse("bad_value", field,
                  fmt::format("{} of filter \"{}\" must be \"short\", \"long\" or \"all\"", field,
                              type.name));
}

Result<filter::FilterSpec, Error> read_params(const FilterType& type, const Json& params,
                                              const std::string& where) {
    filter::FilterSpec spec{std::string(type.engine), {}};
    for (const auto& item : params.items()) {
        const std::string field = where + ".params." + item.key().substr(0, 64);
        const FilterParam* param = find(type.params, item.key());
        if (param == nullptr) {
            return refuse("unknown_parameter", field,
                          fmt::format("filter \"{}\" has no parameter \"{}\"; did you mean \"{}\"?",
                                      type.name, item.key().substr(0, 64),
                                      nearest_name(item.key(), names_of(type.params))));
        }
        if (item.value().is_null()) continue;
        auto value = read_value(type, *param, item.value(), field);
        if (!value) return fail(value.error());
        const auto [at, fresh] = spec.params.emplace(param->engine, *value);
        if (!fresh && at->second != *value) {
            return refuse("duplicate", field,
                          fmt::format("{} and another name of the same bound say different things; "
                                      "give one of them",
                                      field));
        }
    }
    return spec;
}

// One filter. The spec has no parameters when it bounds nothing.
Result<filter::FilterSpec, Error> read_filter(const Json& value, const std::string& where) {
    if (!value.is_object()) {
        return refuse("bad_value", where,
                      fmt::format("{} must be a map such as {{\"type\": \"dte\", \"params\": "
                                  "{{\"min\": 20}}}}",
                                  where));
    }
    for (const auto& item : value.items()) {
        if (item.key() == "type" || item.key() == "params") continue;
        constexpr std::string_view kKnown[] = {"type", "params"};
        return refuse("unknown_field", where + "." + item.key().substr(0, 64),
                      fmt::format("{} has no field \"{}\"; did you mean \"{}\"?", where,
                                  item.key().substr(0, 64), nearest_name(item.key(), kKnown)));
    }
    const auto type_at = value.find("type");
    if (type_at == value.end() || !type_at->is_string()) {
        return refuse(
            "bad_value", where + ".type",
            fmt::format("{}.type must be the name of a filter, such as \"delta\"", where));
    }
    const auto& name = type_at->get_ref<const std::string&>();
    const FilterType* type = find(filter_types(), name);
    if (type == nullptr) {
        return refuse(
            "unknown_filter", where + ".type",
            fmt::format("there is no filter \"{}\"; did you mean \"{}\"?", name.substr(0, 64),
                        nearest_name(name, names_of(filter_types()))));
    }
    const auto params = value.find("params");
    if (params != value.end() && !params->is_object() && !params->is_null()) {
        return refuse("bad_value", where + ".params",
                      fmt::format("{}.params must be a map such as {{\"min\": 20}}", where));
    }
    auto spec = read_params(
        *type, params == value.end() || params->is_null() ? Json::object() : *params, where);
    if (!spec || spec->params.empty()) return spec;
    if (type->engine.empty()) {
        return refuse(
            "filter_unavailable", where + ".type",
            fmt::format("filter \"{}\" needs a history of volatilities, which this scanner "
                        "does not have; leave it out",
                        type->name));
    }
    if (auto compiled = filter::compile({&*spec, 1}); !compiled) {
        return refuse("bad_value", where + ".params", compiled.error().message);
    }
    return spec;
}

}  // namespace

std::span<const FilterType> filter_types() noexcept { return kTypes; }
std::span<const FilterPreset> filter_presets() noexcept { return kPresets; }

std::vector<filter::FilterSpec> read_filters(const Json& list, std::vector<Error>& errors) {
    std::vector<filter::FilterSpec> out;
    if (list.is_null()) return out;
    if (!list.is_array()) {
        errors.push_back({400, "bad_value", "filters must be a list of filters", "filters"});
        return out;
    }
    if (list.size() > filter::kFiltersMax) {
        errors.push_back({400, "too_many",
                          fmt::format("{} filters are given, at most {} may be", list.size(),
                                      filter::kFiltersMax),
                          "filters"});
        return out;
    }
    constexpr std::string_view kManyTimes[] = {"delta", "iv", "liquidity"};
    for (std::size_t i = 0; i < list.size(); ++i) {
        const std::string where = fmt::format("filters[{}]", i);
        auto spec = read_filter(list[i], where);
        if (!spec) {
            errors.push_back(spec.error());
            continue;
        }
        if (spec->params.empty()) continue;
        const bool once = std::ranges::find(kManyTimes, spec->type) == std::end(kManyTimes);
        if (once && std::ranges::find(out, spec->type, &filter::FilterSpec::type) != out.end()) {
            errors.push_back({400, "duplicate",
                              fmt::format("filter \"{}\" is given twice; put both bounds into one",
                                          list[i]["type"].get<std::string>()),
                              where});
            continue;
        }
        out.push_back(std::move(spec).value());
    }
    return out;
}

Result<Json, Error> read_body(ByteView body) {
    const std::size_t start = body.find_first_not_of(" \t\r\n");
    if (start == ByteView::npos || body[start] != '{') {
        return fail(Error{
            400, "malformed", "the body must be a JSON map, such as {\"symbol\": \"SPY\"}", {}});
    }
    auto document = service::parse_document(body);
    if (!document) return fail(Error{400, "malformed", document.error().message, {}});
    return std::move(document).value();
}

std::string filters_document() {
    Json filters = Json::array();
    for (const FilterType& type : kTypes) {
        Json params = Json::array();
        for (const FilterParam& param : type.params) {
            params.push_back({{"name", param.name},
                              {"type", kind_name(param.kind)},
                              {"description", param.meaning}});
        }
        filters.push_back({{"type", type.name},
                           {"description", type.meaning},
                           {"available", !type.engine.empty()},
                           {"params", std::move(params)}});
    }
    return Json{{"filters", std::move(filters)}}.dump();
}

std::string presets_document() {
    Json presets = Json::array();
    for (const FilterPreset& preset : kPresets) {
        presets.push_back({{"name", preset.name},
                           {"description", preset.meaning},
                           {"filters", Json::parse(preset.filters)}});
    }
    return Json{{"presets", std::move(presets)}}.dump();
}

Result<std::string, Error> validate_document(ByteView body) {
    auto document = read_body(body);
    if (!document) return fail(document.error());
    const auto list = document->find("filters");
    if (list == document->end()) {
        return fail(Error{400, "missing_field", "give the filters to check as a list \"filters\"",
                          "filters"});
    }
    std::vector<Error> errors;
    (void)read_filters(*list, errors);
    Json out = Json::array();
    for (const Error& error : errors) {
        Json entry = {{"code", error.code}, {"field", error.field}, {"sentence", error.sentence}};
        std::size_t index = 0;
        if (error.field.starts_with("filters[")) index = std::stoul(error.field.substr(8));
        entry["index"] = error.field.starts_with("filters[") ? Json(index) : Json(nullptr);
        out.push_back(std::move(entry));
    }
    return service::print_document(Json{{"valid", errors.empty()}, {"errors", std::move(out)}},
                                   service::Encoding::json);
}

}  // namespace scanmq::api
