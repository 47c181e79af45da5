// Cboe's quote dashboard as CSV: a title line with the last price, a line with the quotes' moment,
// a header row, then a row per expiry, root and strike with its call left and its put right.

#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "scanner/market/calendar.hpp"
#include "scanner/market/chain_builder.hpp"
#include "scanner/market/contract.hpp"
#include "scanner/market/date_text.hpp"
#include "scanner/market/formats.hpp"

namespace scanmq::market {

namespace {

constexpr std::size_t kNoColumn = CsvRows::kColumnsMax;

// One right's columns; the names are for errors. Gamma may lack.
struct Side {
    Right right{};
    Column symbol, last, bid, ask, volume, iv, delta, open_interest;
    Column gamma{kNoColumn, {}};
};

struct Columns {
    std::size_t size{};
    Column date;
    Column strike;
    Side calls;
    Side puts;
};

struct ColumnName {
    std::string_view text;
    std::string_view older;  // as earlier exports called it
    std::string_view call_name;
    std::string_view put_name;
    Column Side::*member;
};

constexpr std::array kSideColumns{
    ColumnName{"Last Sale", "Last", "Last Sale (calls)", "Last Sale (puts)", &Side::last},
    ColumnName{"Bid", "Bid", "Bid (calls)", "Bid (puts)", &Side::bid},
    ColumnName{"Ask", "Ask", "Ask (calls)", "Ask (puts)", &Side::ask},
    ColumnName{"Volume", "Vol", "Volume (calls)", "Volume (puts)", &Side::volume},
    ColumnName{"IV", "IV", "IV (calls)", "IV (puts)", &Side::iv},
    ColumnName{"Delta", "Delta", "Delta (calls)", "Delta (puts)", &Side::delta},
    ColumnName{"Open Interest", "Open Int", "Open Interest (calls)", "Open Interest (puts)",
               &Side::open_interest},
};

void missing_column(CsvRows& rows, std::string_view name) {
    rows.fail_at(ErrorCode::missing_column, name,
                 "the header row has no such column; export the file again with all columns");
}

// The columns of the header row the rows stand at; on a missing one the rows have failed.
Columns read_header(CsvRows& rows) {
    Columns columns;
    columns.size = rows.size();
    const auto find = [&](Column& column, std::string_view text, std::string_view name) {
        column = {find_column(rows, text, 0, rows.size()), name};
        if (column.index == rows.size()) missing_column(rows, name);
    };
    find(columns.date, "Expiration Date", "Expiration Date");
    find(columns.strike, "Strike", "Strike");
    find(columns.calls.symbol, "Calls", "Calls");
    find(columns.puts.symbol, "Puts", "Puts");
    if (rows.failed()) return columns;

    columns.calls.right = Right::call;
    columns.puts.right = Right::put;
    // The same names stand twice: between Calls and Puts, and after Puts.
    const auto find_side = [&](Side& side, std::size_t first, std::size_t end) {
        for (const auto& wanted : kSideColumns) {
            auto index = find_column(rows, wanted.text, first, end);
            if (index == rows.size()) index = find_column(rows, wanted.older, first, end);
            side.*wanted.member = {index,
                                   side.right == Right::call ? wanted.call_name : wanted.put_name};
            if (index == rows.size()) missing_column(rows, (side.*wanted.member).name);
        }
        const auto gamma = find_column(rows, "Gamma", first, end);
        if (gamma < rows.size()) side.gamma = {gamma, "Gamma"};
    };
    find_side(columns.calls, columns.calls.symbol.index + 1, columns.puts.symbol.index);
    find_side(columns.puts, columns.puts.symbol.index + 1, rows.size());
    return columns;
}

// Reads the lines above the header row into `head`, and stops at the header row.
void read_title(CsvRows& rows, Chain& head) {
    constexpr std::string_view kDate = "Date:";
    constexpr std::string_view kLast = "Last:";
    bool has_date = false;
    while (rows.next()) {
        if (find_column(rows, "Expiration Date", 0, rows.size()) < rows.size() ||
            find_column(rows, "Calls", 0, rows.size()) < rows.size()) {
            if (!has_date) {
                rows.fail_at(
                    ErrorCode::bad_date, "Date",
                    "no line above the header row says \"Date: ...\"; export the file again");
            }
            return;
        }
        for (std::size_t i = 0; i < rows.size(); ++i) {
            const auto text = rows.field(i);
            if (text.substr(0, kLast.size()) == kLast) {
                auto number = text.substr(kLast.size());
                number.remove_prefix(std::min(number.find_first_not_of(' '), number.size()));
                const auto spot = parse_number_text(number);
                if (!spot) {
                    rows.fail_at(
                        ErrorCode::bad_number, "Last",
                        fmt::format("cannot read \"{}\" as a number; correct the title line",
                                    number));
                    return;
                }
                // A dashboard without a last price shows 0.
                if (*spot > 0) head.spot = *spot;
            } else if (text.substr(0, kDate.size()) == kDate) {
                // The date may hold commas without quotes ("November 10, 2023 at ..."): if its
                // field alone makes no moment, the next one belongs to it.
                auto moment = parse_moment_text(text);
                if (!moment)
                    moment = parse_moment_text(fmt::format("{} {}", text, rows.field(i + 1)));
                if (!moment) {
                    rows.fail_at(
                        ErrorCode::bad_date, "Date",
                        fmt::format("cannot read \"{}\"; expected a date, a time and a zone like "
                                    "\"September 14, 2023 at 4:31 PM EDT\", in English or French",
                                    text));
                    return;
                }
                head.as_of = *moment;
                has_date = true;
            }
        }
    }
}

// When a page that is stamped `stamp` was quoted. Options on shares and funds are quoted from the open to the
// close, on some funds a quarter of an hour longer: outside of that a page shows the last session's end.
WallMillis quoted_at(WallMillis stamp) noexcept {
    constexpr WallMillis kLonger = 15 * kMillisPerMinute;
    YearMonthDay date = new_york_date(stamp);
    if (!valid_date(date)) return stamp;
    const bool is_before = is_session(date) && stamp < new_york_moment(date, kOpenMinute);
    if (is_before || !is_session(date)) date = previous_session(date);
    const WallMillis close = new_york_moment(date, close_minute(date));
    return stamp <= close + kLonger ? stamp : close;
}

class CboeReader {
  public:
    CboeReader(ByteView text, std::string_view name, const ReadOptions& options)
        : rows_(text, name), options_(options) {
        builder_.keep({.gamma = true});
        // A row of two contracts has about 150 bytes.
        builder_.reserve(std::min(text.size() / 60, kContractsMax));
    }

    MarketResult<ReadReport> read() {
        head_.source = "cboe_csv";
        read_title(rows_, head_);
        if (rows_.failed()) return fail(rows_.take_error());
        columns_ = read_header(rows_);
        if (rows_.failed()) return fail(rows_.take_error());
        while (rows_.next()) read_row();
        if (rows_.failed()) return fail(rows_.take_error());
        report_.flagged[Reason::negative] = rows_.negatives();
        if (builder_.size() == 0) return std::move(report_);
        if (std::isnan(head_.spot) && options_.spot > 0) head_.spot = options_.spot;
        if (head_.style == ExerciseStyle::american) head_.as_of = quoted_at(head_.as_of);
        head_.as_of_date = new_york_date(head_.as_of);
        report_.chains.push_back(
            builder_.finish(std::move(head_), report_.skipped[Reason::duplicate]));
        return std::move(report_);
    }

  private:
    void read_row() {
        if (!check_row_size(rows_, columns_.size)) return;
        ++report_.rows;
        const auto date_text = rows_.field(columns_.date.index);
        if (date_text != date_text_ || date_ == 0) {
            const auto date = parse_date_text(date_text);
            if (!date) {
                rows_.fail_at(
                    ErrorCode::bad_date, columns_.date.name,
                    fmt::format("cannot read \"{}\"; expected a date like \"Thu Sep 14 2023\"",
                                date_text));
                return;
            }
            date_text_ = date_text;
            date_ = *date;
        }
        const double strike = rows_.required_number(columns_.strike);
        if (!(strike > 0)) {
            rows_.fail_at(ErrorCode::bad_number, columns_.strike.name,
                          "a strike must be above zero");
            return;
        }
        read_side(columns_.calls, strike);
        read_side(columns_.puts, strike);
    }

    void read_side(const Side& side, double strike) {
        const auto text = rows_.field(side.symbol.index);
        const auto series = parse_occ_symbol(text);
        if (!series || series->right != side.right) {
            rows_.fail_at(
                ErrorCode::bad_field, side.symbol.name,
                fmt::format("\"{}\" is not an option symbol like \"SPXW230914{}04500000\"", text,
                            side.right == Right::call ? 'C' : 'P'));
            return;
        }
        if (!usable(series->root)) return;
        ChainBuilder::Row row;
        row.strike = strike;
        row.right = side.right;
        row.bid = rows_.price(side.bid);
        row.ask = rows_.price(side.ask);
        row.last = rows_.price(side.last);
        if (row.last == 0) row.last = kMissing;  // never traded
        row.vendor_iv = rows_.number(side.iv);
        if (!(row.vendor_iv > 0)) row.vendor_iv = kMissing;
        row.vendor_delta = rows_.number(side.delta);
        ChainBuilder::Extras extras;
        if (side.gamma.index != kNoColumn) extras.gamma = rows_.number(side.gamma);
        row.volume = rows_.count(side.volume);
        row.open_interest = rows_.count(side.open_interest);
        row.expiry = builder_.expiry(series->root, date_, terms_.settlement);
        if (builder_.full()) {
            rows_.fail_row(ErrorCode::too_large,
                           fmt::format("more than {} contracts or {} expiries in one chain",
                                       kContractsMax, kExpiriesMax));
            return;
        }
        builder_.add(row, extras);
    }

    // Whether contracts of this root belong to the chain; the first row decides the chain's symbol.
    bool usable(std::string_view root) {
        if (root != root_) {
            root_ = root;
            terms_ = root_terms(root, options_.table());
            adjusted_ = is_adjusted_root(root);
            if (adjusted_ && !options_.quality.drop.has(Reason::adjusted)) {
                // Kept when asked for, under the root that it has.
                while (is_adjusted_root(root)) root.remove_suffix(1);
                terms_ = root_terms(root, options_.table());
            }
            if (head_.symbol.empty() && !adjusted_) {
                head_.symbol = terms_.symbol;
                head_.style = terms_.style;
                head_.multiplier = terms_.multiplier;
            }
        }
        if (adjusted_ && options_.quality.drop.has(Reason::adjusted)) {
            ++report_.skipped[Reason::adjusted];
            return false;
        }
        if (terms_.symbol != head_.symbol) {
            ++report_.skipped[Reason::other_symbol];
            return false;
        }
        if (adjusted_) ++report_.flagged[Reason::adjusted];
        return true;
    }

    CsvRows rows_;
    const ReadOptions& options_;
    Columns columns_;
    Chain head_;
    ChainBuilder builder_;
    ReadReport report_;
    std::string_view date_text_;
    YearMonthDay date_{};
    std::string_view root_;
    RootTerms terms_;
    bool adjusted_ = false;
};

}  // namespace

MarketResult<ReadReport> read_cboe(ByteView text, std::string_view name,
                                   const ReadOptions& options) {
    return CboeReader(text, name, options).read();
}

}  // namespace scanmq::market
