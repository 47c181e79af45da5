#include <fmt/format.h>

#include "scanner/service/document_writer.hpp"
#include "scanner/service/result_fields.hpp"

namespace scanmq::service {
namespace {

constexpr std::size_t kGreekEntries = std::size(kGreeks);
constexpr std::size_t kLegEntries =
    7 + std::size(kLegNumbers) + kGreekEntries + std::size(kLegCounts);
constexpr std::size_t kSpreadEntries = 10 + std::size(kSpreadNumbers);

void text(DocumentWriter& out, const char* key, std::string_view value) {
    out.key(key);
    out.text(value);
}
void number(DocumentWriter& out, const char* key, double value) {
    out.key(key);
    out.number(value);
}
void integer(DocumentWriter& out, const char* key, std::int64_t value) {
    out.key(key);
    out.integer(value);
}
void flag(DocumentWriter& out, const char* key, bool value) {
    out.key(key);
    out.flag(value);
}

template <class Struct, std::size_t N>
void numbers(DocumentWriter& out, const Struct& from, const Field<Struct, double> (&fields)[N]) {
    for (const auto& field : fields) number(out, field.key, from.*field.member);
}
template <class Struct, std::size_t N>
void counts(DocumentWriter& out, const Struct& from,
            const Field<Struct, std::uint64_t> (&fields)[N]) {
    for (const auto& field : fields) {
        out.key(field.key);
        out.count(from.*field.member);
    }
}

void by_component(DocumentWriter& out, const char* key,
                  const std::array<double, score::kComponents>& values) {
    out.key(key);
    out.map(score::kComponents);
    for (std::size_t i = 0; i < score::kComponents; ++i) {
        out.key(score::component_names()[i]);
        out.number(values[i]);
    }
    out.end();
}

void write(DocumentWriter& out, const SpreadLeg& leg) {
    out.map(kLegEntries);
    text(out, "root", leg.root);
    text(out, "expiry",
         fmt::format("{:04}-{:02}-{:02}", leg.expiry / 10'000, leg.expiry / 100 % 100,
                     leg.expiry % 100));
    text(out, "settlement", leg.settlement == market::Settlement::am ? "am" : "pm");
    text(out, "right", strategy::to_string(leg.right));
    text(out, "side", strategy::to_string(leg.side));
    integer(out, "ratio", leg.ratio);
    out.key("assignment");
    if (leg.assignment == Assignment::none) {
        out.null();
    } else {
        out.text(leg.assignment == Assignment::likely ? "likely" : "unlikely");
    }
    numbers(out, leg, kLegNumbers);
    numbers(out, leg.greeks, kGreeks);
    for (const auto& field : kLegCounts) {
        out.key(field.key);
        const std::uint32_t count = leg.*field.member;
        if (count == market::kNoCount) {
            out.null();
        } else {
            out.count(count);
        }
    }
    out.end();
}

void write(DocumentWriter& out, const Spread& spread) {
    out.map(kSpreadEntries);
    text(out, "symbol", spread.symbol);
    integer(out, "as_of_ms", spread.as_of);
    text(out, "strategy", spread.strategy);
    integer(out, "dte", spread.dte);
    integer(out, "stock", spread.stock);
    text(out, "reason", spread.reason);
    out.key("legs");
    out.list(spread.legs.size());
    for (const SpreadLeg& leg : spread.legs) write(out, leg);
    out.end();
    numbers(out, spread, kSpreadNumbers);
    out.key("breakevens");
    out.list(spread.breakevens.size());
    for (const double level : spread.breakevens) out.number(level);
    out.end();
    out.key("greeks");
    out.map(kGreekEntries);
    numbers(out, spread.greeks, kGreeks);
    out.end();
    by_component(out, "components", spread.components);
    out.end();
}

void write(DocumentWriter& out, const std::vector<Spread>& spreads) {
    out.list(spreads.size());
    for (const Spread& spread : spreads) write(out, spread);
    out.end();
}

void write(DocumentWriter& out, const Counts& from) {
    out.map(std::size(kCounts) + 1);
    counts(out, from, kCounts);
    out.key("filters");
    out.list(from.filters.size());
    for (const FilterCount& count : from.filters) {
        out.map(1 + std::size(kFilterCounts));
        text(out, "type", count.type);
        counts(out, count, kFilterCounts);
        out.end();
    }
    out.end();
    out.end();
}

void write(DocumentWriter& out, const Assumptions& from) {
    out.map(19);
    number(out, "fill", from.fill);
    number(out, "fee_per_contract", from.fee_per_contract);
    text(out, "volatility", from.volatility);
    number(out, "volatility_value", from.volatility_value);
    by_component(out, "weights", from.weights.value);
    number(out, "rate", from.rate);
    flag(out, "rate_is_input", from.rate_is_input);
    text(out, "rate_source", from.rate_source);
    flag(out, "forward_is_carried", from.forward_is_carried);
    number(out, "spot", from.spot);
    flag(out, "spot_is_implied", from.spot_is_implied);
    text(out, "best_per", from.best_per);
    number(out, "realised_volatility", from.realised_volatility);
    out.key("dividends");
    out.count(from.dividends);
    out.key("events");
    out.count(from.events);
    out.key("ticks");
    out.count(from.ticks);
    out.key("margins");
    out.count(from.margins);
    text(out, "drift", from.drift);
    text(out, "day_count", from.day_count);
    out.end();
}

void write(DocumentWriter& out, const ScanSource& source) {
    out.map(3);
    text(out, "symbol", source.symbol);
    integer(out, "as_of_ms", source.as_of);
    text(out, "snapshot", source.snapshot);
    out.end();
}

}  // namespace

std::string encode_spreads(const std::vector<Spread>& spreads) {
    DocumentWriter out(Encoding::json);
    write(out, spreads);
    return out.take();
}

std::string encode(const ScanResult& result, Encoding encoding) {
    DocumentWriter out(encoding);
    out.map(10);
    integer(out, "version", kSchemaVersion);
    text(out, "symbol", result.symbol);
    integer(out, "as_of_ms", result.as_of);
    text(out, "snapshot", result.snapshot);
    text(out, "engine", result.engine);
    out.key("assumptions");
    write(out, result.assumptions);
    out.key("counts");
    write(out, result.counts);
    out.key("spreads");
    write(out, result.spreads);
    out.key("arbitrage");
    write(out, result.arbitrage);
    out.key("sources");
    out.list(result.sources.size());
    for (const ScanSource& source : result.sources) write(out, source);
    out.end();
    out.end();
    return out.take();
}

}  // namespace scanmq::service
