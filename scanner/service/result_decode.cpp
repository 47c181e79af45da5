#include <array>

#include "scanner/service/document.hpp"
#include "scanner/service/result_fields.hpp"

namespace scanmq::service {
namespace {

std::optional<market::YearMonthDay> parse_date(std::string_view text) {
    if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
    int date = 0;
    for (const std::size_t i : {0U, 1U, 2U, 3U, 5U, 6U, 8U, 9U}) {
        if (text[i] < '0' || text[i] > '9') return std::nullopt;
        date = date * 10 + (text[i] - '0');
    }
    return date;
}

template <class Struct, std::size_t N>
void get_numbers(const Fields& in, Struct& to, const Field<Struct, double> (&fields)[N]) {
    for (const auto& field : fields) in.number_or_nan(field.key, to.*field.member);
}
template <class Struct, std::size_t N>
void get_integers(const Fields& in, Struct& to, const Field<Struct, std::uint64_t> (&fields)[N]) {
    for (const auto& field : fields) in.integer(field.key, to.*field.member);
}

void get_components(Reader& reader, const Fields& parent, const char* key,
                    std::array<double, score::kComponents>& out) {
    const Json* value = parent.find(key);
    if (value == nullptr) return;
    const Fields fields(reader, *value, key,
                        {"probability", "risk_reward", "liquidity", "delta", "theta", "vega",
                         "volatility", "width", "time_decay"});
    for (std::size_t i = 0; i < score::kComponents; ++i) {
        fields.number_or_nan(score::component_names()[i].data(), out[i]);
    }
}

// One of two words; anything else is refused.
template <class Value>
void either(const Fields& fields, const char* key, Value& out, const char* first, Value first_value,
            const char* second, Value second_value) {
    std::string word;
    fields.text(key, word);
    if (word == first) {
        out = first_value;
    } else if (word == second) {
        out = second_value;
    } else {
        fields.refuse(key, fmt::format("\"{}\" or \"{}\"", first, second));
    }
}

SpreadLeg read_leg(Reader& reader, const Json& value, const std::string& where) {
    const Fields fields(
        reader, value, where,
        {"root",   "expiry", "settlement", "right",      "side",      "ratio",  "assignment",
         "strike", "bid",    "ask",        "last",       "fill",      "iv",     "p_touch",
         "delta",  "gamma",  "theta_day",  "vega_point", "rho_point", "volume", "open_interest"});
    SpreadLeg leg;
    fields.text("root", leg.root);
    std::string expiry;
    fields.text("expiry", expiry);
    if (const auto date = parse_date(expiry)) {
        leg.expiry = *date;
    } else {
        fields.refuse("expiry", "a date such as 2026-01-16");
    }
    either(fields, "settlement", leg.settlement, "am", market::Settlement::am, "pm",
           market::Settlement::pm);
    either(fields, "right", leg.right, "call", market::Right::call, "put", market::Right::put);
    either(fields, "side", leg.side, "long", strategy::Side::long_leg, "short",
           strategy::Side::short_leg);
    fields.integer("ratio", leg.ratio);
    const Json* assignment = fields.find("assignment");
    if (assignment != nullptr && !assignment->is_null()) {
        either(fields, "assignment", leg.assignment, "likely", Assignment::likely, "unlikely",
               Assignment::unlikely);
    }
    get_numbers(fields, leg, kLegNumbers);
    get_numbers(fields, leg.greeks, kGreeks);
    for (const auto& field : kLegCounts) {
        const Json* count = fields.find(field.key);
        if (count != nullptr && !count->is_null()) fields.integer(field.key, leg.*field.member);
    }
    return leg;
}

Spread read_spread(Reader& reader, const Json& value, const std::string& where) {
    const Fields fields(reader, value, where,
                        {"symbol",
                         "as_of_ms",
                         "strategy",
                         "dte",
                         "stock",
                         "reason",
                         "legs",
                         "breakevens",
                         "greeks",
                         "components",
                         "stock_price",
                         "net_price",
                         "fees",
                         "width",
                         "back_dte",
                         "max_profit",
                         "max_loss",
                         "gain",
                         "risk",
                         "pop",
                         "ev",
                         "p_half_at_expiry",
                         "p_max_loss",
                         "return_on_risk",
                         "return_per_day",
                         "annual_return",
                         "kelly",
                         "margin",
                         "buying_power",
                         "breakeven_distance",
                         "move_1sd",
                         "move_straddle",
                         "skew",
                         "term_slope",
                         "iv_edge",
                         "iv_hv",
                         "iv_rank",
                         "iv_percentile",
                         "score"});
    Spread spread;
    fields.text("symbol", spread.symbol);
    fields.integer("as_of_ms", spread.as_of);
    fields.text("strategy", spread.strategy);
    fields.integer("dte", spread.dte);
    fields.integer("stock", spread.stock);
    fields.text("reason", spread.reason);
    fields.list("legs", [&](const Json& leg, const std::string& at) {
        spread.legs.push_back(read_leg(reader, leg, where + "." + at));
    });
    if (spread.legs.empty() || spread.legs.size() > strategy::kMaxLegs) {
        reader.refuse(fmt::format("{} must have 1 to {} legs", where, strategy::kMaxLegs));
    }
    get_numbers(fields, spread, kSpreadNumbers);
    // Documents of before there was a risk of its own.
    if (fields.find("risk") == nullptr) spread.risk = spread.max_loss;
    if (fields.find("gain") == nullptr) spread.gain = spread.max_profit;
    // No number where there is a gain or a risk: without a bound.
    constexpr double kUnbounded = std::numeric_limits<double>::infinity();
    if (std::isnan(spread.max_profit) && !std::isnan(spread.gain)) spread.max_profit = kUnbounded;
    if (std::isnan(spread.max_loss) && !std::isnan(spread.risk)) spread.max_loss = kUnbounded;
    fields.list("breakevens", [&](const Json& level, const std::string& at) {
        if (!level.is_number()) return reader.refuse(where + "." + at + " must be a number");
        spread.breakevens.push_back(level.get<double>());
    });
    if (const Json* greeks = fields.find("greeks")) {
        const Fields each(reader, *greeks, where + ".greeks",
                          {"delta", "gamma", "theta_day", "vega_point", "rho_point"});
        get_numbers(each, spread.greeks, kGreeks);
    }
    spread.components.fill(kMissing);
    get_components(reader, fields, "components", spread.components);
    return spread;
}

void read_counts(Reader& reader, const Json& value, Counts& out) {
    const Fields fields(
        reader, value, "counts",
        {"contracts", "contracts_not_tradable", "contracts_unpriced", "legs", "legs_unquoted",
         "legs_crossed", "candidates", "arbitrage_quote", "no_risk", "no_profit", "no_value",
         "unscored", "ranked", "pruned", "lanes_without_stock", "filters"});
    get_integers(fields, out, kCounts);
    fields.list("filters", [&](const Json& each, const std::string& where) {
        const Fields count(reader, each, where,
                           {"type", "evaluated", "removed", "missing", "pruned"});
        FilterCount& filter = out.filters.emplace_back();
        count.text("type", filter.type);
        get_integers(count, filter, kFilterCounts);
    });
}

void read_assumptions(Reader& reader, const Json& value, Assumptions& out) {
    const Fields fields(reader, value, "assumptions",
                        {"fill", "fee_per_contract", "volatility", "volatility_value", "weights",
                         "rate", "rate_is_input", "rate_source", "forward_is_carried", "spot",
                         "spot_is_implied", "best_per", "realised_volatility", "dividends",
                         "events", "ticks", "margins", "drift", "day_count"});
    fields.number("fill", out.fill);
    fields.number("fee_per_contract", out.fee_per_contract);
    fields.text("volatility", out.volatility);
    get_components(reader, fields, "weights", out.weights.value);
    fields.number_or_nan("rate", out.rate);
    fields.flag("rate_is_input", out.rate_is_input);
    fields.text("rate_source", out.rate_source);
    fields.flag("forward_is_carried", out.forward_is_carried);
    fields.number_or_nan("spot", out.spot);
    fields.flag("spot_is_implied", out.spot_is_implied);
    fields.number_or_nan("volatility_value", out.volatility_value);
    fields.text("best_per", out.best_per);
    fields.number_or_nan("realised_volatility", out.realised_volatility);
    fields.integer("dividends", out.dividends);
    fields.integer("events", out.events);
    fields.integer("ticks", out.ticks);
    fields.integer("margins", out.margins);
    fields.text("drift", out.drift);
    fields.text("day_count", out.day_count);
}

ScanSource read_source(Reader& reader, const Json& value, const std::string& where) {
    const Fields fields(reader, value, where, {"symbol", "as_of_ms", "snapshot"});
    ScanSource source;
    fields.text("symbol", source.symbol);
    fields.integer("as_of_ms", source.as_of);
    fields.text("snapshot", source.snapshot);
    return source;
}

}  // namespace

Result<ScanResult, Error> decode_result(ByteView bytes) {
    auto document = parse_document(bytes);
    if (!document) return fail(std::move(document).error());
    Reader reader(ErrorCode::invalid_result);
    const Fields fields(reader, *document, "the result",
                        {"version", "symbol", "as_of_ms", "snapshot", "engine", "assumptions",
                         "counts", "spreads", "arbitrage", "sources"});
    ScanResult result;
    int version = kSchemaVersion;
    fields.integer("version", version);
    if (version != kSchemaVersion) {
        fields.refuse("version", fmt::format("{}: this build reads no other", kSchemaVersion));
    }
    fields.text("symbol", result.symbol);
    fields.integer("as_of_ms", result.as_of);
    fields.text("snapshot", result.snapshot);
    fields.text("engine", result.engine);
    if (fields.find("engine") == nullptr) reader.refuse("the result has no \"engine\"");
    if (const Json* value = fields.find("assumptions")) {
        read_assumptions(reader, *value, result.assumptions);
    }
    if (const Json* value = fields.find("counts")) read_counts(reader, *value, result.counts);
    const auto read_into = [&reader](std::vector<Spread>& out) {
        return [&reader, &out](const Json& each, const std::string& where) {
            out.push_back(read_spread(reader, each, where));
        };
    };
    fields.list("spreads", read_into(result.spreads));
    for (std::size_t i = 0; i < result.spreads.size(); ++i) {
        // What ranks_before() compares must be numbers, or the order is none.
        const Spread& spread = result.spreads[i];
        if (std::isnan(spread.score) || std::isnan(spread.risk)) {
            reader.refuse(fmt::format("spreads[{}] must have a score and a risk", i));
        }
    }
    fields.list("arbitrage", read_into(result.arbitrage));
    fields.list("sources", [&](const Json& each, const std::string& where) {
        result.sources.push_back(read_source(reader, each, where));
    });
    if (!reader.ok()) return fail(reader.error());
    for (auto* list : {&result.spreads, &result.arbitrage}) {
        // Documents of before spreads said it.
        for (Spread& spread : *list) {
            if (spread.as_of == 0) spread.as_of = result.as_of;
        }
    }
    return result;
}

}  // namespace scanmq::service
