#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "common/base/nearest.hpp"
#include "scanner/filter/filter.hpp"

namespace scanmq::filter {
namespace {

// Filters of one range: what they bound.
struct SpreadName {
    std::string_view type;
    SpreadMetric metric;
    bool absolute{};
};
constexpr SpreadName kSpreadNames[] = {
    {"annual_return", SpreadMetric::annual_return},
    {"breakeven_distance", SpreadMetric::breakeven_distance},
    {"credit_width", SpreadMetric::credit_width},
    {"delta_neutral", SpreadMetric::net_delta, true},
    {"ev", SpreadMetric::ev},
    {"ev_risk", SpreadMetric::ev_risk},
    {"iv_edge", SpreadMetric::iv_edge},
    {"margin", SpreadMetric::margin},
    {"margin_efficiency", SpreadMetric::margin_efficiency},
    {"max_risk", SpreadMetric::max_risk},
    {"net_delta", SpreadMetric::net_delta},
    {"net_gamma", SpreadMetric::net_gamma},
    {"net_price", SpreadMetric::net_price},
    {"p_half_at_expiry", SpreadMetric::p_half_at_expiry},
    {"p_max_loss", SpreadMetric::p_max_loss},
    {"p_touch", SpreadMetric::p_touch},
    {"pop", SpreadMetric::pop},
    {"quote_skew", SpreadMetric::quote_skew},
    {"return_per_day", SpreadMetric::return_per_day},
    {"rho", SpreadMetric::rho},
    {"risk_reward", SpreadMetric::risk_reward},
    {"theta", SpreadMetric::theta},
    {"vega", SpreadMetric::vega},
};
struct ExpiryName {
    std::string_view type;
    ExpiryMetric metric;
};
constexpr ExpiryName kExpiryNames[] = {
    {"dte", ExpiryMetric::dte},
    {"earnings", ExpiryMetric::earnings},
    {"ex_dividend", ExpiryMetric::ex_dividend},
    {"iv_percentile", ExpiryMetric::iv_percentile},
    {"iv_rank", ExpiryMetric::iv_rank},
    {"settlement", ExpiryMetric::settlement},
};
struct FigureName {
    std::string_view type;
    double LegQuote::*figure;
};
constexpr FigureName kFigureNames[] = {
    {"iv", &LegQuote::iv},
    {"iv_hv", &LegQuote::over_hv},
    {"moneyness", &LegQuote::moneyness},
    {"quote_age", &LegQuote::age},
    {"strikes", &LegQuote::from_money},
};

const FilterInfo* find_filter(std::string_view type) {
    for (const FilterInfo& info : catalogue()) {
        if (info.type == type) return &info;
    }
    return nullptr;
}

std::string_view nearest_filter(std::string_view type) {
    std::vector<std::string_view> names;
    for (const FilterInfo& info : catalogue()) names.push_back(info.type);
    return nearest_name(type, names);
}

const ParamInfo* find_param(const FilterInfo& info, std::string_view name) {
    for (const ParamInfo& param : info.params) {
        if (param.name == name) return &param;
    }
    return nullptr;
}

std::string_view nearest_param(const FilterInfo& info, std::string_view name) {
    std::vector<std::string_view> names;
    for (const ParamInfo& param : info.params) names.push_back(param.name);
    return nearest_name(name, names);
}

std::string kind_name(const ParamInfo& param) {
    switch (param.kind) {
        case ParamKind::number:
            return "a finite number";
        case ParamKind::flag:
            return "true or false";
        case ParamKind::leg_scope:
            return "\"short\", \"long\" or \"all\"";
        case ParamKind::choice:
            return fmt::format("\"{}\"", fmt::join(param.choices, "\" or \""));
    }
    return "";
}

bool has_kind(const ParamValue& value, const ParamInfo& param) {
    switch (param.kind) {
        case ParamKind::number: {
            const double* number = std::get_if<double>(&value);
            return number != nullptr && std::isfinite(*number);
        }
        case ParamKind::flag:
            return std::holds_alternative<bool>(value);
        case ParamKind::leg_scope: {
            const std::string* text = std::get_if<std::string>(&value);
            return text != nullptr && (*text == "short" || *text == "long" || *text == "all");
        }
        case ParamKind::choice: {
            const std::string* text = std::get_if<std::string>(&value);
            return text != nullptr &&
                   std::ranges::find(param.choices, *text) != param.choices.end();
        }
    }
    return false;
}

// Typed access to parameters that check_params() has passed.
class Params {
  public:
    explicit Params(const FilterSpec& spec) : params_(spec.params) {}

    std::optional<double> number(const char* name) const {
        const auto at = params_.find(name);
        if (at == params_.end()) return std::nullopt;
        return std::get<double>(at->second);
    }
    Bounds bounds() const {
        Bounds out;
        out.min = number("min").value_or(out.min);
        out.max = number("max").value_or(out.max);
        return out;
    }
    LegScope scope(LegScope otherwise) const {
        const auto at = params_.find("legs");
        if (at == params_.end()) return otherwise;
        const std::string& text = std::get<std::string>(at->second);
        if (text == "short") return LegScope::short_legs;
        return text == "long" ? LegScope::long_legs : LegScope::all;
    }
    std::string text(const char* name) const {
        const auto at = params_.find(name);
        return at == params_.end() ? std::string{} : std::get<std::string>(at->second);
    }
    bool flag(const char* name, bool otherwise) const {
        const auto at = params_.find(name);
        return at == params_.end() ? otherwise : std::get<bool>(at->second);
    }

  private:
    const std::map<std::string, ParamValue>& params_;
};

std::optional<Error> check_params(const FilterSpec& spec, const FilterInfo& info) {
    if (spec.params.empty()) {
        return Error{
            ErrorCode::bad_value,
            fmt::format("filter \"{}\" has no parameter; give at least one, such as \"{}\"",
                        info.type, info.params.front().name)};
    }
    for (const auto& [name, value] : spec.params) {
        const ParamInfo* param = find_param(info, name);
        if (param == nullptr) {
            return Error{ErrorCode::unknown_parameter,
                         fmt::format("filter \"{}\" has no parameter \"{}\"; did you mean \"{}\"?",
                                     info.type, name, nearest_param(info, name))};
        }
        if (!has_kind(value, *param)) {
            return Error{ErrorCode::bad_value,
                         fmt::format("parameter \"{}\" of filter \"{}\" must be {}", name,
                                     info.type, kind_name(*param))};
        }
    }
    const Params params(spec);
    const auto min = params.number("min");
    const auto max = params.number("max");
    if (min && max && *min > *max) {
        return Error{ErrorCode::bad_value,
                     fmt::format("filter \"{}\" has min {} above max {}", info.type, *min, *max)};
    }
    return std::nullopt;
}

Result<DeltaTest, Error> delta_test(const Params& params) {
    const bool negative =
        params.number("min").value_or(0.0) < 0.0 || params.number("max").value_or(0.0) < 0.0;
    const DeltaTest test{params.bounds(), params.flag("absolute", !negative)};
    if (test.absolute && negative) {
        return fail(Error{ErrorCode::bad_value,
                          "filter \"delta\" compares |delta| with a negative bound; leave out "
                          "\"absolute\" or set it to false"});
    }
    return test;
}

LiquidityTest liquidity_test(const Params& params) {
    return {params.number("min_volume"),       params.number("min_open_interest"),
            params.number("min_volume_oi"),    params.number("max_spread"),
            params.number("max_spread_ratio"), params.number("min_bid")};
}

Error given_twice(std::string_view type) {
    return {ErrorCode::duplicate,
            fmt::format("filter \"{}\" is given twice; put both bounds into one", type)};
}

ExpiryFilter expiry_filter(std::size_t index, ExpiryMetric metric, const Params& params) {
    return {.spec = index,
            .metric = metric,
            .bounds = params.bounds(),
            .morning = params.text("at") == "am",
            .wanted = params.flag("before_expiry", false),
            .pass_unknown = params.text("unknown") == "pass"};
}

// Leg filters may be given many times, with other legs or bounds.
bool is_leg_filter(std::string_view type) {
    return type == "delta" || type == "liquidity" || type == "quote" ||
           std::ranges::find(kFigureNames, type, &FigureName::type) != std::end(kFigureNames);
}

std::optional<Error> add_leg_filter(FilterSet& set, std::size_t index, const FilterSpec& spec) {
    const Params params(spec);
    if (spec.type == "delta") {
        auto test = delta_test(params);
        if (!test) return std::move(test).error();
        set.legs.push_back({index, params.scope(LegScope::short_legs), *test});
    } else if (spec.type == "liquidity") {
        set.legs.push_back({index, params.scope(LegScope::all), liquidity_test(params)});
    } else if (spec.type == "quote") {
        set.legs.push_back({index, params.scope(LegScope::all),
                            QuoteTest{params.flag("locked", true), params.flag("zero_bid", true),
                                      params.flag("arbitrage", true)}});
    } else {
        const auto* name = std::ranges::find(kFigureNames, spec.type, &FigureName::type);
        set.legs.push_back(
            {index, params.scope(LegScope::all), FigureTest{name->figure, params.bounds()}});
    }
    return std::nullopt;
}

void add(FilterSet& set, std::size_t index, const FilterSpec& spec) {
    const Params params(spec);
    if (spec.type == "width") {
        set.width = RangeFilter{index, params.bounds()};
        return;
    }
    if (spec.type == "back_dte") {
        set.back = expiry_filter(index, ExpiryMetric::back_dte, params);
        return;
    }
    const auto* expiry = std::ranges::find(kExpiryNames, spec.type, &ExpiryName::type);
    if (expiry != std::end(kExpiryNames)) {
        set.expiries.push_back(expiry_filter(index, expiry->metric, params));
        return;
    }
    const auto* spread = std::ranges::find(kSpreadNames, spec.type, &SpreadName::type);
    set.spreads.push_back({index, spread->metric, params.bounds(), spread->absolute});
}

}  // namespace

Result<FilterSet, Error> compile(std::span<const FilterSpec> specs) {
    if (specs.size() > kFiltersMax) {
        return fail(Error{
            ErrorCode::too_many,
            fmt::format("{} filters are given, at most {} may be", specs.size(), kFiltersMax)});
    }
    FilterSet set;
    for (std::size_t i = 0; i < specs.size(); ++i) {
        const FilterInfo* info = find_filter(specs[i].type);
        if (info == nullptr) {
            return fail(Error{ErrorCode::unknown_filter,
                              fmt::format("there is no filter \"{}\"; did you mean \"{}\"?",
                                          specs[i].type, nearest_filter(specs[i].type))});
        }
        if (auto error = check_params(specs[i], *info)) return fail(*std::move(error));
        if (is_leg_filter(info->type)) {
            if (auto error = add_leg_filter(set, i, specs[i])) return fail(*std::move(error));
            continue;
        }
        const auto same = [&specs, i](const FilterSpec& spec) {
            return spec.type == specs[i].type;
        };
        if (std::ranges::any_of(specs.first(i), same)) return fail(given_twice(specs[i].type));
        add(set, i, specs[i]);
    }
    std::ranges::stable_sort(set.expiries, {}, &ExpiryFilter::metric);
    std::ranges::stable_sort(set.spreads, {}, &SpreadFilter::metric);
    return set;
}

}  // namespace scanmq::filter
