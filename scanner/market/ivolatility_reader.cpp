// iVolatility's long CSV: one row a contract and day, any number of symbols and days in one file,
// ask before bid, dates month first. Quotes are end-of-day: their moment is taken as the 16:00 New
// York close of the row's date. A row marked "*" in isinterpolated has a volatility that was not
// implied from its own quote; it is left out (NaN), the quote is kept.

#include <fmt/format.h>

#include <deque>

#include "scanner/market/calendar.hpp"
#include "scanner/market/chain_builder.hpp"
#include "scanner/market/contract.hpp"
#include "scanner/market/date_text.hpp"
#include "scanner/market/formats.hpp"

namespace scanmq::market {

namespace {

struct Columns {
    std::size_t size{};
    Column symbol, date, spot, option_symbol, expiration, strike, right, style, ask, bid, iv,
        volume, open_interest, interpolated, delta;
};

struct ColumnName {
    std::string_view text;
    Column Columns::*member;
};

constexpr std::array kColumns{
    ColumnName{"symbol", &Columns::symbol},
    ColumnName{"date", &Columns::date},
    ColumnName{"stock_price_close", &Columns::spot},
    ColumnName{"option_symbol", &Columns::option_symbol},
    ColumnName{"option_expiration", &Columns::expiration},
    ColumnName{"strike", &Columns::strike},
    ColumnName{"call/put", &Columns::right},
    ColumnName{"style", &Columns::style},
    ColumnName{"ask", &Columns::ask},
    ColumnName{"bid", &Columns::bid},
    ColumnName{"iv", &Columns::iv},
    ColumnName{"volume", &Columns::volume},
    ColumnName{"open_interest", &Columns::open_interest},
    ColumnName{"isinterpolated", &Columns::interpolated},
    ColumnName{"delta", &Columns::delta},
};

Columns read_header(CsvRows& rows) {
    Columns columns;
    columns.size = rows.size();
    for (const auto& wanted : kColumns) {
        const auto index = find_column(rows, wanted.text, 0, rows.size());
        columns.*wanted.member = {index, wanted.text};
        if (index == rows.size()) {
            rows.fail_at(ErrorCode::missing_column, wanted.text,
                         "the header row has no such column; order the file with all columns");
        }
    }
    return columns;
}

// One symbol on one day, under construction.
struct Day {
    std::string_view symbol;
    YearMonthDay date{};
    Chain head;
    ChainBuilder builder;
};

class IvolatilityReader {
  public:
    IvolatilityReader(ByteView text, std::string_view name) : rows_(text, name) {}

    MarketResult<ReadReport> read() {
        // The header row is the first: looks_like_ivolatility found it near the top.
        while (rows_.next()) {
            if (find_column(rows_, "option_symbol", 0, rows_.size()) < rows_.size() ||
                find_column(rows_, "option_expiration", 0, rows_.size()) < rows_.size()) {
                columns_ = read_header(rows_);
                break;
            }
        }
        while (rows_.next()) read_row();
        if (rows_.failed()) return fail(rows_.take_error());
        for (auto& day : days_) {
            if (day.builder.size() == 0) continue;
            report_.chains.push_back(
                day.builder.finish(std::move(day.head), report_.skipped.duplicate));
            report_.contracts += report_.chains.back().size();
        }
        if (report_.chains.empty()) {
            return fail(
                Error{ErrorCode::no_contracts,
                      fmt::format("{}: has no usable contract below its header row ({} rows read)",
                                  rows_.name(), report_.rows)});
        }
        report_.files = 1;
        return std::move(report_);
    }

  private:
    void read_row() {
        if (!check_row_size(rows_, columns_.size)) return;
        ++report_.rows;
        Day* day = find_day();
        if (day == nullptr) return;
        const auto series_text = rows_.field(columns_.option_symbol.index);
        const auto series = parse_occ_symbol(series_text);
        if (!series) {
            rows_.fail_at(
                ErrorCode::bad_field, columns_.option_symbol.name,
                fmt::format("\"{}\" is not an option symbol like \"SPX   110122C01250000\"",
                            series_text));
            return;
        }
        if (is_adjusted_root(series->root)) {
            ++report_.skipped.adjusted;
            return;
        }
        const auto style = read_style();
        if (rows_.failed()) return;
        if (day->builder.size() == 0) day->head.style = style;
        if (style != day->head.style) {
            ++report_.skipped.other_style;
            return;
        }
        add_contract(*day, *series);
    }

    void add_contract(Day& day, const OccSymbol& series) {
        // The expiration column has the last Friday; before 2015 the symbol has the Saturday after.
        const auto expiration = read_date(columns_.expiration, expiration_);
        ChainBuilder::Row row;
        row.right = read_right();
        row.strike = rows_.required_number(columns_.strike);
        if (!(row.strike > 0)) {
            rows_.fail_at(ErrorCode::bad_number, columns_.strike.name,
                          "a strike must be above zero");
        }
        row.bid = rows_.price(columns_.bid);
        row.ask = rows_.price(columns_.ask);
        const double iv = rows_.number(columns_.iv);
        const auto mark = rows_.field(columns_.interpolated.index);
        if (mark == "*") {
            ++report_.interpolated;
        } else if (iv > 0) {
            row.vendor_iv = iv;
        }
        row.vendor_delta = rows_.number(columns_.delta);
        row.volume = rows_.count(columns_.volume);
        row.open_interest = rows_.count(columns_.open_interest);
        if (rows_.failed()) return;
        row.expiry =
            day.builder.expiry(series.root, expiration, root_terms(series.root).settlement);
        if (day.builder.full()) {
            rows_.fail_row(ErrorCode::too_large,
                           fmt::format("more than {} contracts or {} expiries in one chain",
                                       kContractsMax, kExpiriesMax));
            return;
        }
        day.builder.add(row);
    }

    // The day of the current row, added if new; nullptr when the rows have failed.
    Day* find_day() {
        const auto date = read_date(columns_.date, date_);
        const auto symbol = rows_.field(columns_.symbol.index);
        if (rows_.failed()) return nullptr;
        if (!days_.empty() && days_.back().symbol == symbol && days_.back().date == date) {
            return &days_.back();
        }
        for (auto& day : days_) {
            if (day.symbol == symbol && day.date == date) return &day;
        }
        if (!valid_symbol(symbol)) {
            rows_.fail_at(
                ErrorCode::bad_field, columns_.symbol.name,
                fmt::format("a symbol has 1 to {} characters without blanks", kSymbolBytesMax));
            return nullptr;
        }
        const double spot = rows_.price(columns_.spot);
        if (rows_.failed()) return nullptr;
        if (days_.size() == kDaysMax) {
            rows_.fail_row(
                ErrorCode::too_large,
                fmt::format("more than {} symbols and days in one file; split it", kDaysMax));
            return nullptr;
        }
        auto& day = days_.emplace_back();
        day.symbol = symbol;
        day.date = date;
        day.head.symbol = symbol;
        day.head.source = "ivolatility_csv";
        day.head.as_of = new_york_moment(date, close_minute(date));
        day.head.as_of_date = date;
        if (spot > 0) day.head.spot = spot;
        return &day;
    }

    // The last text that a date column had, and what it means.
    struct DateMemory {
        std::string_view text;
        YearMonthDay date{};
    };

    YearMonthDay read_date(const Column& column, DateMemory& memory) {
        const auto text = rows_.field(column.index);
        if (text != memory.text || memory.date == 0) {
            const auto date = parse_date_text(text);
            if (!date) {
                rows_.fail_at(ErrorCode::bad_date, column.name,
                              fmt::format("cannot read \"{}\"; expected a date like 01/21/2011 "
                                          "(month first)",
                                          text));
                return 0;
            }
            memory = {text, *date};
        }
        return memory.date;
    }

    Right read_right() {
        const auto text = rows_.field(columns_.right.index);
        if (text != "C" && text != "P") {
            rows_.fail_at(ErrorCode::bad_field, columns_.right.name,
                          fmt::format("\"{}\" is neither C nor P", text));
        }
        return text == "P" ? Right::put : Right::call;
    }

    ExerciseStyle read_style() {
        const auto text = rows_.field(columns_.style.index);
        if (text != "E" && text != "A") {
            rows_.fail_at(ErrorCode::bad_field, columns_.style.name,
                          fmt::format("\"{}\" is neither E (European) nor A (American)", text));
        }
        return text == "A" ? ExerciseStyle::american : ExerciseStyle::european;
    }

    static constexpr std::size_t kDaysMax = 10'000;

    CsvRows rows_;
    Columns columns_;
    std::deque<Day> days_;
    ReadReport report_;
    DateMemory date_;
    DateMemory expiration_;
};

}  // namespace

MarketResult<ReadReport> read_ivolatility(ByteView text, std::string_view name) {
    return IvolatilityReader(text, name).read();
}

}  // namespace scanmq::market
