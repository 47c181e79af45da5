#include "scanner/service/document.hpp"

namespace scanmq::service {
namespace {

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
    Json out = Json::object();
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
        {"symbol", "strategies", "filters", "preset", "weights", "fill", "fee_per_contract",
         "delta_stance", "vega_stance", "limit", "as_of_ms", "rate"});
    ScanRequest request;
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
    fields.integer("limit", request.limit);
    if (fields.find("as_of_ms") != nullptr) fields.integer("as_of_ms", request.as_of.emplace());
    if (fields.find("rate") != nullptr) fields.number("rate", request.rate.emplace());
    if (!reader.ok()) return fail(reader.error());
    if (const auto plan = make_plan(request); !plan) return fail(plan.error());
    return request;
}

}  // namespace scanmq::service
