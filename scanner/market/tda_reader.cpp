// TD Ameritrade's (later Schwab's) answer to an option chain request: one underlying, two maps of
// expiries, each of strikes, each a list of contracts. Volatility and rate are in percent, theta per
// day, vega and rho per point; "NaN" and -999 stand for missing numbers. Read as events, without a
// tree in memory, and no deeper than the format goes.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "scanner/market/calendar.hpp"
#include "scanner/market/chain_builder.hpp"
#include "scanner/market/contract.hpp"
#include "scanner/market/date_text.hpp"
#include "scanner/market/formats.hpp"
#include "scanner/market/snapshot.hpp"

namespace scanmq::market {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kDepthMax = 32;      // containers inside one another
constexpr std::size_t kContractDepth = 5;  // document, map, expiry, strike, contract
constexpr double kNoValue = -999.0;

// A contract's members that are numbers.
struct Numbers {
    double bid{kMissing}, ask{kMissing}, last{kMissing}, volatility{kMissing}, delta{kMissing},
        gamma{kMissing}, theta{kMissing}, vega{kMissing}, rho{kMissing}, strike{kMissing},
        volume{kMissing}, open_interest{kMissing}, quoted{kMissing}, multiplier{kMissing};
};

struct NumberMember {
    std::string_view key;
    double Numbers::*member;
};
constexpr std::array kNumberMembers{
    NumberMember{"bid", &Numbers::bid},
    NumberMember{"bidPrice", &Numbers::bid},
    NumberMember{"ask", &Numbers::ask},
    NumberMember{"askPrice", &Numbers::ask},
    NumberMember{"last", &Numbers::last},
    NumberMember{"lastPrice", &Numbers::last},
    NumberMember{"volatility", &Numbers::volatility},
    NumberMember{"delta", &Numbers::delta},
    NumberMember{"gamma", &Numbers::gamma},
    NumberMember{"theta", &Numbers::theta},
    NumberMember{"vega", &Numbers::vega},
    NumberMember{"rho", &Numbers::rho},
    NumberMember{"strikePrice", &Numbers::strike},
    NumberMember{"totalVolume", &Numbers::volume},
    NumberMember{"openInterest", &Numbers::open_interest},
    NumberMember{"quoteTimeInLong", &Numbers::quoted},
    NumberMember{"multiplier", &Numbers::multiplier},
};

struct Contract {
    Numbers numbers;
    std::string put_call;
    std::string symbol;
    std::string settlement;
    bool non_standard{};
    bool mini{};
};

std::uint32_t count_of(double value) noexcept {
    const bool whole = value >= 0 && value == std::floor(value) && value < kNoCount;
    return whole ? static_cast<std::uint32_t>(value) : kNoCount;
}

double price_of(double value) noexcept { return value >= 0 ? value : kMissing; }

double greek_of(double value, double factor) noexcept {
    const double scaled = value == kNoValue ? kMissing : value * factor;
    return std::isfinite(scaled) ? scaled : kMissing;
}

// The events' receiver. Every handler returns whether to go on; error_ says why not.
class TdaEvents final : public nlohmann::json_sax<Json> {
  public:
    TdaEvents(std::string_view name, const ReadOptions& options) : name_(name), options_(options) {
        builder_.keep({.gamma = true, .theta = true, .vega = true, .rho = true, .quoted = true});
    }

    bool null() override { return true; }
    bool boolean(bool value) override {
        if (depth_ == kContractDepth && in_map_) {
            if (key_ == "nonStandard") contract_.non_standard = value;
            if (key_ == "mini") contract_.mini = value;
        }
        return true;
    }
    bool number_integer(number_integer_t value) override {
        return number(static_cast<double>(value));
    }
    bool number_unsigned(number_unsigned_t value) override {
        return number(static_cast<double>(value));
    }
    bool number_float(number_float_t value, const string_t& /*text*/) override {
        return number(value);
    }
    bool string(string_t& value) override {
        if (depth_ == 1 && key_ == "symbol") head_.symbol = value;
        if (depth_ == kContractDepth && in_map_) {
            if (key_ == "putCall") contract_.put_call = value;
            if (key_ == "symbol") contract_.symbol = value;
            if (key_ == "settlementType") contract_.settlement = value;
        }
        return true;
    }
    bool binary(binary_t& /*value*/) override { return true; }
    bool start_object(std::size_t /*elements*/) override {
        if (depth_ == kContractDepth - 1 && in_map_) contract_ = {};
        return enter();
    }
    bool key(string_t& value) override {
        key_ = value;
        if (depth_ == 1) in_map_ = key_ == "putExpDateMap" || key_ == "callExpDateMap";
        if (depth_ == 2 && in_map_) {
            // "2021-05-21:3": the day and how many are left.
            const auto date = parse_date_text(std::string_view(key_).substr(0, 10));
            if (!date) {
                return refuse(ErrorCode::bad_date,
                              fmt::format("\"{}\" is not an expiry like \"2021-05-21:3\"",
                                          key_.substr(0, 40)));
            }
            date_ = *date;
        }
        if (depth_ == 3 && in_map_) strike_key_ = key_;
        return true;
    }
    bool end_object() override {
        if (depth_ == kContractDepth && in_map_ && !add_contract()) return false;
        --depth_;
        return true;
    }
    bool start_array(std::size_t /*elements*/) override { return enter(); }
    bool end_array() override {
        --depth_;
        return true;
    }
    bool parse_error(std::size_t position, const std::string& /*last*/,
                     const Json::exception& /*error*/) override {
        return refuse(
            ErrorCode::bad_field,
            fmt::format("is not whole JSON: byte {} cannot be read; download it again", position));
    }

    [[nodiscard]] std::optional<Error>& error() noexcept { return error_; }

    MarketResult<ReadReport> finish() {
        if (builder_.size() == 0) return std::move(report_);
        if (head_.symbol.empty()) head_.symbol = options_.symbol;
        if (head_.symbol.empty()) head_.symbol = root_terms(root_, options_.table()).symbol;
        if (head_.symbol.size() > 1 &&
            head_.symbol[0] == '$') {  // "$SPX.X", as indices were called
            head_.symbol = head_.symbol.substr(1, head_.symbol.find('.', 1) - 1);
        }
        if (!valid_symbol(head_.symbol)) {
            refuse(ErrorCode::bad_field,
                   fmt::format("\"symbol\" must have 1 to {} characters without blanks",
                               kSymbolBytesMax));
            return fail(std::move(*error_));
        }
        const auto terms = root_terms(root_, options_.table());
        head_.style = terms.style;
        head_.multiplier = terms.multiplier;
        head_.source = "tda_json";
        if (options_.as_of) head_.as_of = *options_.as_of;
        if (latest_ != 0) head_.as_of = latest_;
        if (head_.as_of == 0) {
            const auto hint = hint_of(name_);
            if (hint.date != 0) head_.as_of = new_york_moment(hint.date, close_minute(hint.date));
        }
        if (head_.as_of == 0) {
            refuse(
                ErrorCode::missing_value,
                "no contract has a quoteTimeInLong and nothing else says the quotes' moment; give "
                "it (--as-of)");
            return fail(std::move(*error_));
        }
        head_.as_of_date = new_york_date(head_.as_of);
        if (!(head_.spot > 0)) head_.spot = options_.spot > 0 ? options_.spot : kMissing;
        report_.chains.push_back(
            builder_.finish(std::move(head_), report_.skipped[Reason::duplicate]));
        return std::move(report_);
    }

  private:
    bool enter() {
        if (++depth_ <= kDepthMax) return true;
        return refuse(
            ErrorCode::too_large,
            fmt::format("has values nested more than {} deep; it is no option chain", kDepthMax));
    }

    bool refuse(ErrorCode code, std::string_view what) {
        if (!error_) error_ = Error{code, fmt::format("{}: {}", name_, what)};
        return false;
    }

    bool number(double value) {
        if (depth_ == 1) {
            if (key_ == "underlyingPrice" && value > 0) head_.spot = value;
            if (key_ == "interestRate" && std::abs(value) < 100) head_.vendor_rate = value / 100.0;
        }
        if (depth_ != kContractDepth || !in_map_) return true;
        for (const auto& known : kNumberMembers) {
            if (key_ == known.key) contract_.numbers.*known.member = value;
        }
        return true;
    }

    // "MSFT_052121P215", or "MSFT  210521P00215000" as later answers have it.
    std::string_view root_of(std::string_view symbol) const noexcept {
        if (const auto series = parse_occ_symbol(symbol)) return series->root;
        return symbol.substr(0, symbol.find('_'));
    }

    bool add_contract() {
        ++report_.rows;
        const auto& numbers = contract_.numbers;
        const auto root = root_of(contract_.symbol);
        const auto place =
            fmt::format("contract {} (\"{}\")", report_.rows, contract_.symbol.substr(0, 40));
        if (!valid_symbol(root)) {
            return refuse(ErrorCode::bad_field,
                          place + ": its symbol names no root like MSFT_052121P215");
        }
        if (contract_.put_call != "CALL" && contract_.put_call != "PUT") {
            return refuse(ErrorCode::bad_field, place + ": \"putCall\" is neither CALL nor PUT");
        }
        double strike = numbers.strike;
        if (std::isnan(strike)) strike = parse_number_text(strike_key_).value_or(kMissing);
        if (!(strike > 0) || !std::isfinite(strike)) {
            return refuse(ErrorCode::bad_number, place + ": \"strikePrice\" must be above zero");
        }
        const auto terms = root_terms(root, options_.table());
        const bool adjusted = is_adjusted_root(root) || contract_.non_standard || contract_.mini ||
                              (!std::isnan(numbers.multiplier) &&
                               numbers.multiplier != static_cast<double>(terms.multiplier));
        if (adjusted) {
            const bool drop = options_.quality.drop.has(Reason::adjusted);
            ++(drop ? report_.skipped : report_.flagged)[Reason::adjusted];
            if (drop) return true;
        }
        if (root_.empty()) root_ = root;
        if (terms.style != root_terms(root_, options_.table()).style) {
            ++report_.skipped[Reason::other_style];
            return true;
        }
        return add_row(root, strike, terms.settlement, place);
    }

    bool add_row(std::string_view root, double strike, Settlement settlement,
                 const std::string& place) {
        const auto& numbers = contract_.numbers;
        ChainBuilder::Row row;
        row.strike = strike;
        row.right = contract_.put_call == "PUT" ? Right::put : Right::call;
        for (const double value : {numbers.bid, numbers.ask, numbers.last}) {
            if (value < 0) ++report_.flagged[Reason::negative];
        }
        row.bid = price_of(numbers.bid);
        row.ask = price_of(numbers.ask);
        row.last = numbers.last > 0 ? numbers.last : kMissing;
        const double iv = greek_of(numbers.volatility, 0.01);
        if (iv > 0) row.vendor_iv = iv;
        row.vendor_delta = greek_of(numbers.delta, 1.0);
        row.volume = count_of(numbers.volume);
        row.open_interest = count_of(numbers.open_interest);
        ChainBuilder::Extras extras;
        extras.gamma = greek_of(numbers.gamma, 1.0);
        extras.theta = greek_of(numbers.theta, 365.0);
        extras.vega = greek_of(numbers.vega, 100.0);
        extras.rho = greek_of(numbers.rho, 100.0);
        if (numbers.quoted > 0 && numbers.quoted < 4e13) {
            const auto moment = static_cast<WallMillis>(numbers.quoted);
            if (storable_moment(moment)) extras.quoted = moment;
        }
        if (contract_.settlement == "A") settlement = Settlement::am;
        if (contract_.settlement == "P") settlement = Settlement::pm;
        row.expiry = builder_.expiry(root, date_, settlement);
        if (builder_.full()) {
            return refuse(ErrorCode::too_large,
                          fmt::format("{}: more than {} contracts or {} expiries in one chain",
                                      place, kContractsMax, kExpiriesMax));
        }
        latest_ = std::max(latest_, extras.quoted);
        builder_.add(row, extras);
        return true;
    }

    std::string_view name_;
    const ReadOptions& options_;
    std::size_t depth_ = 0;
    std::string key_;
    std::string strike_key_;
    bool in_map_ = false;
    YearMonthDay date_{};
    Contract contract_;
    std::string root_;  // of the first contract kept
    WallMillis latest_{};
    Chain head_;
    ChainBuilder builder_;
    ReadReport report_;
    std::optional<Error> error_;
};

}  // namespace

MarketResult<ReadReport> read_tda(ByteView text, std::string_view name,
                                  const ReadOptions& options) {
    TdaEvents events(name, options);
    const bool whole = Json::sax_parse(text.begin(), text.end(), &events);
    if (events.error()) return fail(std::move(*events.error()));
    if (!whole) {
        return fail(Error{ErrorCode::bad_field, fmt::format("{}: is not whole JSON", name)});
    }
    return events.finish();
}

}  // namespace scanmq::market
