#include <fmt/format.h>

#include <array>
#include <cmath>

#include "common/base/nearest.hpp"
#include "scanner/filter/filter.hpp"

namespace scanmq::filter {
namespace {

constexpr ParamInfo kScopeAll{"legs", ParamKind::leg_scope, "short, long or all (default)"};
constexpr ParamInfo kRange[] = {
    {"min", ParamKind::number, "smallest value that passes"},
    {"max", ParamKind::number, "largest value that passes"},
};
constexpr ParamInfo kDelta[] = {
    {"min", ParamKind::number, "smallest delta that passes"},
    {"max", ParamKind::number, "largest delta that passes"},
    {"absolute", ParamKind::flag, "compare |delta|; default: true unless a bound is negative"},
    {"legs", ParamKind::leg_scope, "short (default), long or all"},
};
constexpr ParamInfo kIv[] = {
    {"min", ParamKind::number, "smallest implied volatility that passes"},
    {"max", ParamKind::number, "largest implied volatility that passes"},
    kScopeAll,
};
constexpr ParamInfo kLiquidity[] = {
    {"min_volume", ParamKind::number, "contracts traded today"},
    {"min_open_interest", ParamKind::number, "contracts open"},
    {"min_volume_oi", ParamKind::number, "volume over open interest"},
    {"max_spread", ParamKind::number, "ask less bid, per share"},
    {"max_spread_ratio", ParamKind::number, "ask less bid over mid, as a decimal"},
    {"min_bid", ParamKind::number, "bid per share"},
    kScopeAll,
};
constexpr FilterInfo kCatalogue[] = {
    {"delta", "delta of each leg at its own implied volatility", kDelta},
    {"dte", "calendar days to expiry", kRange},
    {"iv", "implied volatility of each leg, as a decimal", kIv},
    {"liquidity", "size and quote quality of each leg", kLiquidity},
    {"pop", "probability of profit, 0 to 1", kRange},
    {"theta", "net theta of the spread over one day, per share", kRange},
    {"vega", "net vega of the spread per point of volatility, per share", kRange},
    {"width", "distance between neighbouring strikes", kRange},
};

constexpr auto kTypes = [] {
    std::array<std::string_view, std::size(kCatalogue)> names{};
    for (std::size_t i = 0; i < names.size(); ++i) names[i] = kCatalogue[i].type;
    return names;
}();

const FilterInfo* find_filter(std::string_view type) {
    for (const FilterInfo& info : kCatalogue) {
        if (info.type == type) return &info;
    }
    return nullptr;
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

std::string_view kind_name(ParamKind kind) {
    switch (kind) {
        case ParamKind::number:
            return "a finite number";
        case ParamKind::flag:
            return "true or false";
        case ParamKind::leg_scope:
            return "\"short\", \"long\" or \"all\"";
    }
    return "";
}

bool has_kind(const ParamValue& value, ParamKind kind) {
    switch (kind) {
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
        if (!has_kind(value, param->kind)) {
            return Error{ErrorCode::bad_value,
                         fmt::format("parameter \"{}\" of filter \"{}\" must be {}", name,
                                     info.type, kind_name(param->kind))};
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

std::optional<Error> set_once(std::optional<RangeFilter>& slot, std::size_t index,
                              const FilterSpec& spec) {
    if (slot) {
        return Error{
            ErrorCode::duplicate,
            fmt::format("filter \"{}\" is given twice; put both bounds into one", spec.type)};
    }
    slot = RangeFilter{index, Params(spec).bounds()};
    return std::nullopt;
}

std::optional<Error> add(FilterSet& set, std::size_t index, const FilterSpec& spec) {
    const Params params(spec);
    if (spec.type == "dte") return set_once(set.dte, index, spec);
    if (spec.type == "width") return set_once(set.width, index, spec);
    if (spec.type == "theta") return set_once(set.theta, index, spec);
    if (spec.type == "vega") return set_once(set.vega, index, spec);
    if (spec.type == "pop") return set_once(set.pop, index, spec);
    if (spec.type == "delta") {
        auto test = delta_test(params);
        if (!test) return std::move(test).error();
        set.legs.push_back({index, params.scope(LegScope::short_legs), *test});
    } else if (spec.type == "iv") {
        set.legs.push_back({index, params.scope(LegScope::all), IvTest{params.bounds()}});
    } else {
        set.legs.push_back({index, params.scope(LegScope::all), liquidity_test(params)});
    }
    return std::nullopt;
}

}  // namespace

std::span<const FilterInfo> catalogue() noexcept { return kCatalogue; }

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
                                          specs[i].type, nearest_name(specs[i].type, kTypes))});
        }
        if (auto error = check_params(specs[i], *info)) return fail(*std::move(error));
        if (auto error = add(set, i, specs[i])) return fail(*std::move(error));
    }
    return set;
}

}  // namespace scanmq::filter
