#include <span>

#include "scanner/service/document.hpp"

namespace scanmq::service {
namespace {

// By enumerator.
constexpr std::string_view kModes[] = {"smile", "flat", "realised", "user"};
constexpr std::string_view kBestPer[] = {"spread", "symbol", "expiry", "short_strikes"};
constexpr std::string_view kKinds[] = {"earnings", "ex_dividend"};
constexpr std::string_view kCounting[] = {"pruned", "exact"};
constexpr std::string_view kStances[] = {"neutral", "long", "short"};

// Absent: false and `out` untouched; a wrong value is refused.
void read_stance(const Fields& fields, Reader& reader, const char* key,
                 std::optional<strategy::Stance>& out) {
    std::string name;
    fields.text(key, name);
    if (fields.find(key) == nullptr || !reader.ok()) return;
    for (std::size_t i = 0; i < std::size(kStances); ++i) {
        if (name == kStances[i]) out = static_cast<strategy::Stance>(i);
    }
    if (!out) fields.refuse(key, "\"neutral\", \"long\" or \"short\"");
}

filter::FilterSpec read_filter(Reader& reader, const Json& value, const std::string& where) {
    const Fields fields(reader, value, where, {"type", "params"});
    filter::FilterSpec spec;
    if (fields.find("type") == nullptr) reader.refuse(where + " has no \"type\"");
    fields.text("type", spec.type);
    const Json* params = fields.find("params");
    if (params == nullptr) return spec;
    if (!params->is_object()) {
        fields.refuse("params", "a map");
        return spec;
    }
    for (const auto& item : params->items()) {
        const Json& param = item.value();
        if (param.is_boolean()) {
            spec.params.emplace(item.key(), param.get<bool>());
        } else if (param.is_number()) {
            spec.params.emplace(item.key(), param.get<double>());
        } else if (param.is_string()) {
            spec.params.emplace(item.key(), param.get<std::string>());
        } else {
            reader.refuse(
                fmt::format("parameter \"{}\" of {} must be a number, a text or true or false",
                            item.key().substr(0, 64), where));
        }
    }
    return spec;
}

void read_fill(const Fields& fields, strategy::Fill& out) {
    const Json* value = fields.find("fill");
    if (value == nullptr) return;
    if (value->is_number()) {
        out.toward_mid = value->get<double>();
    } else if (*value == "mid") {
        out = strategy::kMidFill;
    } else if (*value == "natural") {
        out = strategy::kNaturalFill;
    } else {
        fields.refuse("fill", "\"natural\", \"mid\" or a number from 0 (natural) to 1 (mid)");
    }
}

void read_weights(Reader& reader, const Fields& fields, ScanRequest& request) {
    const Json* value = fields.find("weights");
    if (value == nullptr) return;
    if (fields.find("preset") != nullptr) {
        return reader.refuse("the request has both \"preset\" and \"weights\"; give one of them");
    }
    const Fields weights(reader, *value, "weights",
                         {"probability", "risk_reward", "liquidity", "delta", "theta", "vega",
                          "volatility", "width", "time_decay"});
    score::Weights out;
    for (std::size_t i = 0; i < score::kComponents; ++i) {
        weights.number(score::component_names()[i].data(), out.value[i]);
    }
    request.weights = out;
}

// One of `names`; nothing where the field is absent.
std::optional<std::size_t> read_name(const Fields& fields, const char* key,
                                     std::span<const std::string_view> names) {
    if (fields.find(key) == nullptr) return std::nullopt;
    std::string name;
    fields.text(key, name);
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (name == names[i]) return i;
    }
    fields.refuse(key, fmt::format("one of \"{}\"", fmt::join(names, "\", \"")));
    return std::nullopt;
}

// {"mode", "value"}, or the mode alone.
void read_volatility(Reader& reader, const Fields& request, VolatilityChoice& out) {
    const Json* value = request.find("volatility");
    if (value == nullptr) return;
    if (value->is_string()) {
        if (const auto mode = read_name(request, "volatility", kModes)) {
            out.mode = static_cast<VolatilityMode>(*mode);
        }
        return;
    }
    const Fields fields(reader, *value, "volatility", {"mode", "value"});
    if (const auto mode = read_name(fields, "mode", kModes)) {
        out.mode = static_cast<VolatilityMode>(*mode);
    }
    if (fields.find("value") != nullptr) fields.number("value", out.value.emplace());
}

std::vector<double> read_series(const Fields& fields, const char* key, Reader& reader) {
    std::vector<double> out;
    fields.list(key, [&](const Json& each, const std::string& where) {
        if (!each.is_number()) return reader.refuse(where + " of histories must be a number");
        out.push_back(each.get<double>());
    });
    return out;
}

// What stands beside the chain.
void read_inputs(Reader& reader, const Fields& request, ScanRequest& out) {
    if (request.find("spot") != nullptr) request.number("spot", out.spot.emplace());
    request.list("rate_curve", [&](const Json& value, const std::string& where) {
        const Fields fields(reader, value, where, {"years", "rate"});
        market::RatePoint& point = out.rate_curve.emplace_back();
        fields.number("years", point.years);
        fields.number("rate", point.rate);
    });
    request.list("dividends", [&](const Json& value, const std::string& where) {
        const Fields fields(reader, value, where, {"symbol", "ex_ms", "amount"});
        Dividend& dividend = out.dividends.emplace_back();
        fields.text("symbol", dividend.symbol);
        fields.integer("ex_ms", dividend.ex_moment);
        fields.number("amount", dividend.amount);
    });
    request.list("events", [&](const Json& value, const std::string& where) {
        const Fields fields(reader, value, where, {"symbol", "moment_ms", "kind", "confirmed"});
        Event& event = out.events.emplace_back();
        fields.text("symbol", event.symbol);
        fields.integer("moment_ms", event.moment);
        const auto kind = read_name(fields, "kind", kKinds);
        if (kind) event.kind = static_cast<EventKind>(*kind);
        if (fields.find("kind") == nullptr) reader.refuse(where + " has no \"kind\"");
        fields.flag("confirmed", event.confirmed);
    });
    request.list("ticks", [&](const Json& value, const std::string& where) {
        const Fields fields(reader, value, where, {"root", "threshold", "below", "above"});
        RootTicks& ticks = out.ticks.emplace_back();
        fields.text("root", ticks.root);
        fields.number("threshold", ticks.threshold);
        fields.number("below", ticks.below);
        fields.number("above", ticks.above);
    });
    request.list("margins", [&](const Json& value, const std::string& where) {
        const Fields fields(reader, value, where, {"root", "share", "floor"});
        RootMargin& margin = out.margins.emplace_back();
        fields.text("root", margin.root);
        fields.number("share", margin.share);
        fields.number("floor", margin.floor);
    });
    request.list("histories", [&](const Json& value, const std::string& where) {
        const Fields fields(reader, value, where, {"symbol", "closes", "implied_30d"});
        History& history = out.histories.emplace_back();
        fields.text("symbol", history.symbol);
        history.closes = read_series(fields, "closes", reader);
        history.implied_30d = read_series(fields, "implied_30d", reader);
    });
}

Json inputs_json(const ScanRequest& request) {
    Json out = Json::object();
    if (request.spot) out["spot"] = *request.spot;
    for (const market::RatePoint& each : request.rate_curve) {
        out["rate_curve"].push_back({{"years", each.years}, {"rate", each.rate}});
    }
    for (const Dividend& each : request.dividends) {
        out["dividends"].push_back(
            {{"symbol", each.symbol}, {"ex_ms", each.ex_moment}, {"amount", each.amount}});
    }
    for (const Event& each : request.events) {
        out["events"].push_back({{"symbol", each.symbol},
                                 {"moment_ms", each.moment},
                                 {"kind", to_string(each.kind)},
                                 {"confirmed", each.confirmed}});
    }
    for (const RootTicks& each : request.ticks) {
        out["ticks"].push_back({{"root", each.root},
                                {"threshold", each.threshold},
                                {"below", each.below},
                                {"above", each.above}});
    }
    for (const RootMargin& each : request.margins) {
        out["margins"].push_back(
            {{"root", each.root}, {"share", each.share}, {"floor", each.floor}});
    }
    for (const History& each : request.histories) {
        out["histories"].push_back(
            {{"symbol", each.symbol}, {"closes", each.closes}, {"implied_30d", each.implied_30d}});
    }
    return out;
}

Json volatility_json(const VolatilityChoice& volatility) {
    Json out = {{"mode", to_string(volatility.mode)}};
    if (volatility.value) out["value"] = *volatility.value;
    return out;
}

Json fill_json(strategy::Fill fill) {
    if (fill.toward_mid == strategy::kNaturalFill.toward_mid) return "natural";
    if (fill.toward_mid == strategy::kMidFill.toward_mid) return "mid";
    return fill.toward_mid;
}

Json filter_json(const filter::FilterSpec& spec) {
    Json params = Json::object();
    for (const auto& [name, value] : spec.params) {
        std::visit([&params, &name = name](const auto& each) { params[name] = each; }, value);
    }
    return {{"type", spec.type}, {"params", std::move(params)}};
}

}  // namespace

std::string encode(const ScanRequest& request, Encoding encoding) {
    Json out = inputs_json(request);
    out["version"] = kSchemaVersion;
    out["volatility"] = volatility_json(request.volatility);
    out["best_per"] = to_string(request.best_per);
    out["count"] = request.exact_count ? "exact" : "pruned";
    out["candidates_max"] = request.candidates_max;
    if (!request.symbol.empty()) out["symbol"] = request.symbol;
    if (!request.strategies.empty()) out["strategies"] = request.strategies;
    Json filters = Json::array();
    for (const filter::FilterSpec& spec : request.filters) filters.push_back(filter_json(spec));
    out["filters"] = std::move(filters);
    if (request.weights) {
        Json& weights = out["weights"] = Json::object();
        for (std::size_t i = 0; i < score::kComponents; ++i) {
            weights[std::string(score::component_names()[i])] =
                number_or_null(request.weights->value[i]);
        }
    } else {
        out["preset"] = request.preset;
    }
    out["fill"] = fill_json(request.fill);
    out["fee_per_contract"] = request.fee_per_contract;
    if (request.delta_stance) out["delta_stance"] = strategy::to_string(*request.delta_stance);
    if (request.vega_stance) out["vega_stance"] = strategy::to_string(*request.vega_stance);
    out["limit"] = request.limit;
    if (request.as_of) out["as_of_ms"] = *request.as_of;
    if (request.rate) out["rate"] = *request.rate;
    return print_document(out, encoding);
}

Result<ScanRequest, Error> decode_request(ByteView bytes) {
    auto document = parse_document(bytes);
    if (!document) return fail(std::move(document).error());
    Reader reader(ErrorCode::invalid_request);
    const Fields fields(
        reader, *document, "the request",
        {"version", "symbol",           "strategies",   "filters",     "preset", "weights",
         "fill",    "fee_per_contract", "delta_stance", "vega_stance", "limit",  "as_of_ms",
         "rate",    "rate_curve",       "volatility",   "best_per",    "count",  "candidates_max",
         "spot",    "dividends",        "events",       "histories",   "ticks",  "margins"});
    ScanRequest request;
    int version = kSchemaVersion;
    fields.integer("version", version);
    if (version != kSchemaVersion) {
        fields.refuse("version", fmt::format("{}: this build knows no other", kSchemaVersion));
    }
    fields.text("symbol", request.symbol);
    fields.list("strategies", [&](const Json& value, const std::string& where) {
        if (!value.is_string()) return reader.refuse(where + " must be a text");
        request.strategies.push_back(value.get<std::string>());
    });
    fields.list("filters", [&](const Json& value, const std::string& where) {
        request.filters.push_back(read_filter(reader, value, where));
    });
    fields.text("preset", request.preset);
    read_weights(reader, fields, request);
    read_fill(fields, request.fill);
    fields.number("fee_per_contract", request.fee_per_contract);
    read_stance(fields, reader, "delta_stance", request.delta_stance);
    read_stance(fields, reader, "vega_stance", request.vega_stance);
    fields.integer_within("limit", request.limit, 1U, kLimitMax);
    if (fields.find("as_of_ms") != nullptr) fields.integer("as_of_ms", request.as_of.emplace());
    if (fields.find("rate") != nullptr) fields.number("rate", request.rate.emplace());
    fields.integer("candidates_max", request.candidates_max);
    read_volatility(reader, fields, request.volatility);
    if (const auto per = read_name(fields, "best_per", kBestPer)) {
        request.best_per = static_cast<BestPer>(*per);
    }
    if (const auto counting = read_name(fields, "count", kCounting)) {
        request.exact_count = *counting == 1;
    }
    read_inputs(reader, fields, request);
    if (!reader.ok()) return fail(reader.error());
    if (const auto plan = make_plan(request); !plan) return fail(plan.error());
    return request;
}

}  // namespace scanmq::service
