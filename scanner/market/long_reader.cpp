// CSV files with one row a contract, read by a column mapping: any number of symbols and days in one
// file, each of them a chain.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <utility>

#include "scanner/market/calendar.hpp"
#include "scanner/market/chain_builder.hpp"
#include "scanner/market/contract.hpp"
#include "scanner/market/date_text.hpp"
#include "scanner/market/formats.hpp"
#include "scanner/market/long_fields.hpp"

namespace scanmq::market {

namespace {

// One symbol on one day, under construction.
struct Day {
    YearMonthDay date{};
    WallMillis latest{};  // of its quotes; 0 without one
    Chain head;
    ChainBuilder builder;
};

// The symbol that a root says, an adjusted one's too.
std::string_view underlying_of(std::string_view root, const ContractTable& table) noexcept {
    while (is_adjusted_root(root)) root.remove_suffix(1);
    return root_terms(root, table).symbol;
}

// What a row says about its contract's identity.
struct Identity {
    std::string_view symbol;
    std::string_view root;
    std::optional<OccSymbol> series;
    RootTerms terms;
    bool adjusted{};
};

class LongReader {
  public:
    LongReader(ByteView text, std::string_view name, const ColumnMapping& mapping,
               const ReadOptions& options)
        : rows_(text, name, mapping.delimiter),
          fields_(rows_, mapping),
          mapping_(mapping),
          options_(options),
          table_(options.table()),
          hint_(hint_of(name)) {
        rows_.treat_as_missing(mapping.missing);
        as_of_ = options.as_of ? options.as_of : mapping.as_of;
        if (as_of_) day_ = new_york_date(*as_of_);
        if (!as_of_) day_ = hint_.date;
        for (const std::string* known :
             {&options.symbol, &mapping.symbol, &std::as_const(hint_.symbol)}) {
            if (symbol_.empty()) symbol_ = *known;
        }
    }

    MarketResult<ReadReport> read() {
        fields_.read_header();
        while (rows_.next()) read_row();
        if (rows_.failed()) return fail(rows_.take_error());
        report_.flagged[Reason::negative] = rows_.negatives();
        for (auto& day : days_) {
            if (day.builder.size() == 0) continue;
            set_moment(day);
            report_.chains.push_back(
                day.builder.finish(std::move(day.head), report_.skipped[Reason::duplicate]));
        }
        return std::move(report_);
    }

  private:
    void read_row() {
        if (!check_row_size(rows_, fields_.row_size())) return;
        ++report_.rows;
        const auto identity = read_identity();
        if (rows_.failed()) return;
        if (identity.adjusted) {
            const bool drop = options_.quality.drop.has(Reason::adjusted);
            ++(drop ? report_.skipped : report_.flagged)[Reason::adjusted];
            if (drop) return;
        }
        Day* day = find_day(identity.symbol);
        if (day == nullptr) return;
        const auto& terms = identity.terms;
        const auto style = fields_.style(mapping_.style.value_or(terms.style));
        if (rows_.failed()) return;
        if (day->builder.size() == 0) {
            day->head.style = style;
            day->head.multiplier = terms.multiplier;
        }
        if (style != day->head.style) {
            ++report_.skipped[Reason::other_style];
            return;
        }
        add_contract(*day, identity, mapping_.settlement.value_or(terms.settlement));
    }

    Identity read_identity() {
        Identity out;
        if (fields_.has(Field::symbol)) out.symbol = fields_.text(Field::symbol);
        if (fields_.has(Field::root)) out.root = fields_.text(Field::root);
        if (fields_.has(Field::option_symbol)) {
            out.series = fields_.series();
            if (out.series) out.root = out.series->root;
        }
        if (out.symbol.empty())
            out.symbol = out.root.empty() ? symbol_ : underlying_of(out.root, table_);
        if (out.root.empty()) out.root = out.symbol;
        out.terms = root_terms(out.root, table_);
        out.adjusted =
            is_adjusted_root(out.root) || !fields_.standard_deliverable(out.terms.multiplier);
        if (out.symbol.empty()) {
            rows_.fail_row(ErrorCode::missing_value,
                           "nothing says the underlying's symbol; give it (--symbol), or name the "
                           "file like goog_2015-12-24.csv");
        } else if (!valid_symbol(out.root) || !valid_symbol(out.symbol)) {
            rows_.fail_at(ErrorCode::bad_field, mapping_.name(Field::symbol),
                          fmt::format("a symbol or root has 1 to {} characters without blanks",
                                      kSymbolBytesMax));
        }
        return out;
    }

    void add_contract(Day& day, const Identity& identity, Settlement settlement) {
        const auto& series = identity.series;
        auto date = fields_.has(Field::expiry) ? fields_.date(Field::expiry) : series->date;
        if (rows_.failed()) return;
        // Before 2015 monthly series were listed under the Saturday after their last day.
        if (weekday(date) == 6) {
            date = add_days(date, -1);
            ++report_.saturdays;
        }
        ChainBuilder::Row row;
        row.right = fields_.has(Field::right) ? fields_.right() : series->right;
        row.strike = fields_.has(Field::strike) ? fields_.strike() : series->strike;
        row.bid = fields_.price(Field::bid);
        row.ask = fields_.price(Field::ask);
        row.last = fields_.price(Field::last);
        if (row.last == 0) row.last = kMissing;  // never traded
        const double iv = fields_.scaled(Field::iv, mapping_.iv_in_percent ? 0.01 : 1.0);
        if (fields_.marked(Field::interpolated)) {
            ++report_.interpolated;
        } else if (iv > 0) {
            row.vendor_iv = iv;
        }
        row.vendor_delta = fields_.scaled(Field::delta, 1.0);
        row.volume = fields_.count(Field::volume);
        row.open_interest = fields_.count(Field::open_interest);
        ChainBuilder::Extras extras;
        extras.gamma = fields_.scaled(Field::gamma, 1.0);
        extras.theta = fields_.scaled(Field::theta, mapping_.theta_per_day ? 365.0 : 1.0);
        extras.vega = fields_.scaled(Field::vega, mapping_.vega_per_point ? 100.0 : 1.0);
        extras.rho = fields_.scaled(Field::rho, mapping_.rho_per_point ? 100.0 : 1.0);
        extras.quoted = fields_.quoted(day.date);
        settlement = fields_.settlement(settlement);
        const double forward = fields_.price(Field::forward);
        if (rows_.failed()) return;
        row.expiry = day.builder.expiry(identity.root, date, settlement);
        if (day.builder.full()) {
            rows_.fail_row(ErrorCode::too_large,
                           fmt::format("more than {} contracts or {} expiries in one chain",
                                       kContractsMax, kExpiriesMax));
            return;
        }
        if (forward > 0) day.builder.set_forward(row.expiry, forward);
        day.latest = std::max(day.latest, extras.quoted);
        day.builder.add(row, extras);
    }

    // The day of the current row, added if new; nullptr when the rows have failed.
    Day* find_day(std::string_view symbol) {
        const auto date = fields_.has(Field::date) ? fields_.date(Field::date) : day_;
        if (rows_.failed()) return nullptr;
        if (date == last_key_.second && symbol == last_key_.first) return last_day_;
        const auto found = by_key_.find({symbol, date});
        Day* day = found != by_key_.end() ? found->second : add_day(symbol, date);
        if (day != nullptr) {
            last_key_ = {symbol, date};
            last_day_ = day;
        }
        return day;
    }

    Day* add_day(std::string_view symbol, YearMonthDay date) {
        if (date == 0 && !fields_.says_day()) {
            rows_.fail_row(ErrorCode::missing_value,
                           "nothing says the quotes' day; give their moment (--as-of), or name the "
                           "file like goog_2015-12-24.csv");
            return nullptr;
        }
        double spot = fields_.price(Field::spot);
        if (rows_.failed()) return nullptr;
        if (days_.size() == kDaysMax) {
            rows_.fail_row(
                ErrorCode::too_large,
                fmt::format("more than {} symbols and days in one file; split it", kDaysMax));
            return nullptr;
        }
        for (const double known : {options_.spot, mapping_.spot}) {
            if (!(spot > 0)) spot = known;
        }
        auto& day = days_.emplace_back();
        day.date = date;
        day.head.symbol = symbol;
        day.head.source = mapping_.source;
        if (spot > 0) day.head.spot = spot;
        day.builder.keep({.gamma = fields_.has(Field::gamma),
                          .theta = fields_.has(Field::theta),
                          .vega = fields_.has(Field::vega),
                          .rho = fields_.has(Field::rho),
                          .quoted = fields_.has(Field::quoted)});
        by_key_.emplace(std::pair{symbol, date}, &day);
        return &day;
    }

    // The chain's moment: as given for quotes without a day of their own; the newest quote's; else the
    // day's time of as_of_minute.
    void set_moment(Day& day) const {
        if (as_of_ && !fields_.has(Field::date)) {
            day.head.as_of = *as_of_;
        } else if (day.latest != 0 && (day.date == 0 || new_york_date(day.latest) == day.date)) {
            day.head.as_of = day.latest;
        } else {
            day.head.as_of =
                new_york_moment(day.date, mapping_.as_of_minute.value_or(close_minute(day.date)));
        }
        day.head.as_of_date = new_york_date(day.head.as_of);
    }

    static constexpr std::size_t kDaysMax = 10'000;

    CsvRows rows_;
    LongFields fields_;
    const ColumnMapping& mapping_;
    const ReadOptions& options_;
    const ContractTable& table_;
    NameHint hint_;
    std::optional<WallMillis> as_of_;
    YearMonthDay day_{};
    std::string symbol_;
    std::deque<Day> days_;
    std::map<std::pair<std::string_view, YearMonthDay>, Day*> by_key_;
    std::pair<std::string_view, YearMonthDay> last_key_;
    Day* last_day_ = nullptr;
    ReadReport report_;
};

}  // namespace

MarketResult<ReadReport> read_long(ByteView text, std::string_view name,
                                   const ColumnMapping& mapping, const ReadOptions& options) {
    if (const auto problem = mapping_problem(mapping); !problem.empty()) {
        return fail(
            Error{ErrorCode::bad_mapping, fmt::format("{}: the column mapping {}", name, problem)});
    }
    return LongReader(text, name, mapping, options).read();
}

}  // namespace scanmq::market
