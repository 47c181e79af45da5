#include "scanner/api/scan_call.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "common/base/nearest.hpp"
#include "scanner/api/filter_reader.hpp"
#include "scanner/service/codec.hpp"

namespace scanmq::api {

namespace {

using service::Json;
using strategy::Strategy;

constexpr std::array<std::string_view, 7> kSortNames = {
    "score", "probability_profit", "risk_reward", "max_profit", "max_loss", "net_debit", "expiry",
};

// Beside these, a request may carry what the engine's own has (docs/SCAN_REQUEST.md).
constexpr std::string_view kOwnFields[] = {"symbol",  "symbols",  "filters",
                                           "sort_by", "strategy", "strategies"};
constexpr std::string_view kEngineFields[] = {"limit",    "preset",           "weights",
                                              "fill",     "fee_per_contract", "rate",
                                              "as_of_ms", "delta_stance",     "vega_stance"};

// What people call strategies of the engine that have more legs than this API shows.
struct ManyLegs {
    std::string_view name;
    int legs;
};
constexpr ManyLegs kManyLegs[] = {
    {"butterfly", 3},
    {"broken_wing_butterfly", 3},
    {"condor", 4},
};

constexpr std::size_t kSymbolBytesMax = 32;

Error refused(const char* code, std::string field, std::string sentence) {
    return {400, code, std::move(sentence), std::move(field)};
}

// One long leg and one short one, one contract each, and nothing beside them.
bool is_pair(const Strategy& strategy) {
    return strategy.legs.size() == 2 && strategy.legs[0].side != strategy.legs[1].side &&
           strategy.legs[0].ratio == strategy.legs[1].ratio && strategy.stock == 0;
}

class CallReader {
  public:
    CallReader(const Json& body, bool batch) : body_(body), batch_(batch) {}

    Result<ScanCall, Error> read() {
        check_fields();
        read_symbols();
        read_engine_fields();
        read_strategies();
        read_filter_list();
        read_sort();
        if (!error_) {
            if (auto plan = service::make_plan(call_.request); !plan) {
                refuse_engine(plan.error().message);
            }
        }
        if (error_) return fail(*error_);
        return std::move(call_);
    }

  private:
    void refuse(const char* code, std::string field, std::string sentence) {
        if (!error_) error_ = refused(code, std::move(field), std::move(sentence));
    }
    // The engine's sentences begin with the field they are about.
    void refuse_engine(const std::string& sentence) {
        for (const std::string_view name : kEngineFields) {
            if (sentence.starts_with(name) || sentence.starts_with(fmt::format("\"{}\"", name))) {
                return refuse("bad_value", std::string(name), sentence);
            }
        }
        refuse("bad_value", {}, sentence);
    }
    [[nodiscard]] const Json* find(std::string_view key) const {
        const auto at = body_.find(key);
        return at == body_.end() || at->is_null() ? nullptr : &*at;
    }

    void check_fields() {
        const std::string_view other = batch_ ? "symbol" : "symbols";
        std::vector<std::string_view> known;
        for (const std::string_view name : kOwnFields) {
            if (name != other) known.push_back(name);
        }
        known.insert(known.end(), std::begin(kEngineFields), std::end(kEngineFields));
        for (const auto& item : body_.items()) {
            if (std::ranges::find(known, item.key()) != known.end()) continue;
            const std::string name = item.key().substr(0, 64);
            refuse("unknown_field", name,
                   fmt::format("there is no field \"{}\"; did you mean \"{}\"?", name,
                               nearest_name(name, known)));
        }
    }

    void add_symbol(const Json& value, const std::string& field) {
        if (!value.is_string() || value.get_ref<const std::string&>().empty() ||
            value.get_ref<const std::string&>().size() > kSymbolBytesMax) {
            return refuse("bad_value", field,
                          fmt::format("{} must be a ticker of 1 to {} bytes, such as \"SPY\"",
                                      field, kSymbolBytesMax));
        }
        std::string symbol = value.get<std::string>();
        for (char& c : symbol) {
            if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
        }
        call_.symbols.push_back(std::move(symbol));
    }

    void read_symbols() {
        const char* field = batch_ ? "symbols" : "symbol";
        const Json* value = find(field);
        if (value == nullptr) {
            return refuse("missing_field", field,
                          batch_ ? "give the tickers to scan as a list \"symbols\""
                                 : "give the ticker to scan as \"symbol\"");
        }
        if (!batch_) return add_symbol(*value, field);
        if (!value->is_array() || value->empty() || value->size() > kBatchSymbolsMax) {
            return refuse(
                "bad_value", field,
                fmt::format("symbols must be a list of 1 to {} tickers", kBatchSymbolsMax));
        }
        for (std::size_t i = 0; i < value->size(); ++i) {
            add_symbol((*value)[i], fmt::format("symbols[{}]", i));
        }
        std::vector<std::string> sorted = call_.symbols;
        std::ranges::sort(sorted);
        const auto twice = std::ranges::adjacent_find(sorted);
        if (twice != sorted.end()) {
            refuse("duplicate", field, fmt::format("{} is given twice; name it once", *twice));
        }
    }

    void read_engine_fields() {
        Json engine = Json::object();
        for (const std::string_view name : kEngineFields) {
            if (const Json* value = find(name)) engine[std::string(name)] = *value;
        }
        const std::string text = engine.dump(-1, ' ', false, Json::error_handler_t::replace);
        auto request = service::decode_request(text);
        if (!request) return refuse_engine(request.error().message);
        call_.request = std::move(request).value();
    }

    void add_strategy(const std::string& name, const std::string& field) {
        const Strategy* known = strategy::find_strategy(name);
        const auto* many = std::ranges::find(kManyLegs, name, &ManyLegs::name);
        const int legs = known != nullptr              ? static_cast<int>(known->legs.size())
                         : many != std::end(kManyLegs) ? many->legs
                                                       : 0;
        if (legs > 2 || (known != nullptr && !is_pair(*known))) {
            return refuse(
                "too_many_legs", field,
                fmt::format("{} has {} legs and is not one long and one short: this route "
                            "shows such pairs only; ask POST /v1/jobs, whose results list "
                            "all their \"legs\"",
                            name, legs));
        }
        if (known == nullptr) {
            return refuse(
                "unknown_strategy", field,
                fmt::format("there is no strategy \"{}\"; did you mean \"{}\"?", name.substr(0, 64),
                            nearest_name(name, strategy::strategy_names())));
        }
        call_.request.strategies.push_back(name);
    }

    void read_strategies() {
        for (const char* field : {"strategy", "strategies"}) {
            const Json* value = find(field);
            if (value == nullptr) continue;
            const Json list = value->is_array() ? *value : Json::array({*value});
            for (const Json& each : list) {
                if (!each.is_string()) {
                    return refuse("bad_value", field,
                                  fmt::format("{} must be names, such as \"bull_put\"", field));
                }
                add_strategy(each.get_ref<const std::string&>(), field);
            }
        }
        if (!call_.request.strategies.empty()) return;
        for (const std::string_view name : strategy::default_strategy_names()) {
            call_.request.strategies.emplace_back(name);
        }
    }

    void read_filter_list() {
        const Json* value = find("filters");
        if (value == nullptr) return;
        std::vector<Error> errors;
        call_.request.filters = read_filters(*value, errors);
        if (!errors.empty() && !error_) error_ = errors.front();
    }

    void read_sort() {
        if (error_) return;
        if (const Json* value = find("sort_by")) {
            const std::string name = value->is_string() ? value->get<std::string>() : value->dump();
            const auto at = std::ranges::find(kSortNames, name);
            if (at == kSortNames.end()) {
                return refuse("bad_value", "sort_by",
                              fmt::format("sort_by cannot be \"{}\"; did you mean \"{}\"?",
                                          name.substr(0, 64), nearest_name(name, kSortNames)));
            }
            call_.sort = static_cast<SortBy>(at - kSortNames.begin());
        }
        const auto plan = service::make_plan(call_.request);
        if (!plan) return refuse_engine(plan.error().message);
        call_.shown = plan->weights;
        const auto rank_by = [this](score::Component component) {
            score::Weights only;
            only[component] = 1.0;
            call_.request.weights = only;
        };
        if (call_.sort == SortBy::probability_profit) rank_by(score::Component::probability);
        if (call_.sort == SortBy::risk_reward) rank_by(score::Component::risk_reward);
    }

    const Json& body_;
    const bool batch_;
    ScanCall call_;
    std::optional<Error> error_;
};

Result<ScanCall, Error> read_call(ByteView bytes, bool batch) {
    const auto body = read_body(bytes);
    if (!body) return fail(body.error());
    return CallReader(*body, batch).read();
}

}  // namespace

std::span<const std::string_view> sort_names() noexcept { return kSortNames; }
Result<ScanCall, Error> read_scan(ByteView body) { return read_call(body, false); }
Result<ScanCall, Error> read_batch(ByteView body) { return read_call(body, true); }

}  // namespace scanmq::api
