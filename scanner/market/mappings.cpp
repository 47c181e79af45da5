// The known formats with one row a contract, as column mappings; and what makes a mapping usable.

#include <fmt/format.h>

#include <initializer_list>
#include <utility>

#include "scanner/market/formats.hpp"

namespace scanmq::market {

namespace {

using Names = std::initializer_list<std::pair<Field, const char*>>;

ColumnMapping mapping_of(const char* source, Names names) {
    ColumnMapping mapping;
    mapping.source = source;
    mapping.greeks_optional = true;
    for (const auto& [field, name] : names) mapping.name(field) = name;
    return mapping;
}

// iVolatility: end-of-day, so quotes are of the close; ask before bid, dates month first. Its symbols
// carry the Saturday after a monthly expiry before 2015; the expiration column has the Friday.
LongFormat ivolatility() {
    auto mapping = mapping_of("ivolatility_csv", {{Field::symbol, "symbol"},
                                                  {Field::date, "date"},
                                                  {Field::spot, "stock_price_close"},
                                                  {Field::option_symbol, "option_symbol"},
                                                  {Field::expiry, "option_expiration"},
                                                  {Field::strike, "strike"},
                                                  {Field::right, "call/put"},
                                                  {Field::style, "style"},
                                                  {Field::ask, "ask"},
                                                  {Field::bid, "bid"},
                                                  {Field::iv, "iv"},
                                                  {Field::volume, "volume"},
                                                  {Field::open_interest, "open_interest"},
                                                  {Field::forward, "forward_price"},
                                                  {Field::interpolated, "isinterpolated"},
                                                  {Field::delta, "delta"},
                                                  {Field::vega, "vega"},
                                                  {Field::gamma, "gamma"},
                                                  {Field::theta, "theta"},
                                                  {Field::rho, "rho"}});
    mapping.theta_per_day = mapping.vega_per_point = mapping.rho_per_point = true;
    return {FileFormat::ivolatility_csv,
            std::move(mapping),
            {"option_symbol", "option_expiration", "call/put", "stock_price_close",
             "stock_price_for_iv", "forward_price", "isinterpolated", "mean_price"},
            4};
}

// historicaloptiondata L3: end-of-day; theta per year and vega per 1.00, as ours. Files of before 2010
// have the old five-letter symbols in optionroot.
LongFormat hod_l3() {
    auto mapping = mapping_of("hod_l3", {{Field::symbol, "underlying"},
                                         {Field::spot, "underlying_last"},
                                         {Field::option_symbol, "optionroot"},
                                         {Field::right, "type"},
                                         {Field::expiry, "expiration"},
                                         {Field::date, "quotedate"},
                                         {Field::strike, "strike"},
                                         {Field::last, "last"},
                                         {Field::bid, "bid"},
                                         {Field::ask, "ask"},
                                         {Field::volume, "volume"},
                                         {Field::open_interest, "openinterest"},
                                         {Field::iv, "impliedvol"},
                                         {Field::delta, "delta"},
                                         {Field::gamma, "gamma"},
                                         {Field::theta, "theta"},
                                         {Field::vega, "vega"}});
    mapping.old_option_symbols = true;
    return {FileFormat::hod_l3,
            std::move(mapping),
            {"underlying", "underlying_last", "optionroot", "optionext", "quotedate",
             "openinterest", "impliedvol", "optionalias"},
            5};
}

// A snapshot of Lean's minute quotes: one underlying, which only the file's name says, and each
// quote's own moment. Quote sizes are not kept.
LongFormat lean() {
    auto mapping = mapping_of("lean_csv", {{Field::expiry, "expiry"},
                                           {Field::strike, "strike"},
                                           {Field::right, "right"},
                                           {Field::bid, "bid"},
                                           {Field::ask, "ask"},
                                           {Field::quoted, "quote_ms_since_midnight_et"},
                                           {Field::open_interest, "open_interest"}});
    mapping.quoted_as = QuotedAs::ms_since_midnight;
    return {FileFormat::lean_csv,
            std::move(mapping),
            {"bid_size", "ask_size", "quote_ms_since_midnight_et", "open_interest", "right"},
            4};
}

// optionlab: five columns and nothing else; symbol and day are in the file's name, the spot nowhere.
LongFormat optionlab() {
    auto mapping = mapping_of("optionlab_csv", {{Field::right, "Type"},
                                                {Field::strike, "Strike"},
                                                {Field::bid, "Bid"},
                                                {Field::ask, "Ask"},
                                                {Field::expiry, "Expiration"}});
    return {FileFormat::optionlab_csv,
            std::move(mapping),
            {"Type", "Strike", "Bid", "Ask", "Expiration"},
            4};
}

}  // namespace

std::span<const LongFormat> long_formats() {
    static const std::array known{ivolatility(), hod_l3(), lean(), optionlab()};
    return known;
}

std::string mapping_problem(const ColumnMapping& mapping) {
    const bool by_symbol = !mapping.name(Field::option_symbol).empty();
    std::string lacks;
    for (const auto field : {Field::expiry, Field::strike, Field::right, Field::bid, Field::ask}) {
        const bool is_price = field == Field::bid || field == Field::ask;
        if (!mapping.name(field).empty() || (by_symbol && !is_price)) continue;
        lacks += fmt::format("{}{}", lacks.empty() ? "" : ", ",
                             kFieldNames[static_cast<std::size_t>(field)]);
    }
    if (!lacks.empty()) {
        return fmt::format("names no column for {}; add the names that the header row has{}", lacks,
                           by_symbol ? "" : ", or option_symbol for expiry, strike and right");
    }
    if (mapping.old_option_symbols &&
        (mapping.name(Field::expiry).empty() || mapping.name(Field::strike).empty() ||
         mapping.name(Field::right).empty())) {
        return "needs columns for expiry, strike and right where option symbols may be old ones";
    }
    if (mapping.delimiter == '"' || mapping.delimiter == '\n' || mapping.delimiter == '\r') {
        return "a delimiter cannot be a quote or the end of a line; use \",\", \";\", \"|\" or a "
               "tab";
    }
    if (mapping.missing.size() > kMissingTextsMax) {
        return fmt::format("has more than {} texts for missing values", kMissingTextsMax);
    }
    if (mapping.as_of_minute && (*mapping.as_of_minute < 0 || *mapping.as_of_minute >= 24 * 60)) {
        return "the time of day must lie between 00:00 and 23:59";
    }
    if (!mapping.symbol.empty() && mapping.symbol.size() > 16) {
        return "a symbol has 1 to 16 characters";
    }
    return {};
}

}  // namespace scanmq::market
