#pragma once
// LongFields: the fields of a row by meaning, for files with one row a contract.
//
// Errors:  those of CsvRows, sticky there.
// Borrows: the rows and the mapping; they must outlive it. Fields are views into the rows' text.

#include <array>
#include <optional>
#include <string_view>

#include "scanner/market/columns.hpp"
#include "scanner/market/contract.hpp"
#include "scanner/market/csv.hpp"

namespace scanmq::market {

class LongFields {
  public:
    LongFields(CsvRows& rows, const ColumnMapping& mapping) : rows_(rows), mapping_(mapping) {}

    // Finds the header row among the first lines: the one with the most of the mapping's columns. Fails
    // the rows when one is missing, with the nearest name that is there.
    void read_header();
    [[nodiscard]] std::size_t row_size() const noexcept { return row_size_; }

    [[nodiscard]] bool has(Field field) const noexcept { return column(field).index != kNowhere; }
    [[nodiscard]] std::string_view text(Field field) const noexcept {
        return rows_.field(column(field).index);
    }
    // Whether the rows' own quote times say the day.
    [[nodiscard]] bool says_day() const noexcept {
        return has(Field::quoted) && mapping_.quoted_as != QuotedAs::ms_since_midnight;
    }

    // The values below are missing where the mapping has no such column.
    [[nodiscard]] double price(Field field);
    // A number times a factor; NaN where that is not finite.
    [[nodiscard]] double scaled(Field field, double factor);
    [[nodiscard]] std::uint32_t count(Field field);
    [[nodiscard]] double strike();
    [[nodiscard]] YearMonthDay date(Field field);
    [[nodiscard]] Right right();
    [[nodiscard]] ExerciseStyle style(ExerciseStyle otherwise);
    [[nodiscard]] Settlement settlement(Settlement otherwise);
    // Nothing for an old option symbol where the mapping allows those; else the rows have failed.
    [[nodiscard]] std::optional<OccSymbol> series();
    // False for a number of shares other than the root's.
    [[nodiscard]] bool standard_deliverable(std::uint32_t multiplier);
    [[nodiscard]] bool marked(Field field) const noexcept;
    // 0 where not known. `day` is for times that do not say theirs.
    [[nodiscard]] WallMillis quoted(YearMonthDay day);

  private:
    static constexpr std::size_t kNowhere = CsvRows::kColumnsMax;

    // The last text that a date column had, and what it means.
    struct DateMemory {
        std::string_view text;
        YearMonthDay date{};
    };

    [[nodiscard]] const Column& column(Field field) const noexcept {
        return columns_[static_cast<std::size_t>(field)];
    }
    [[nodiscard]] std::size_t named_in_row() const noexcept;
    void find_columns();
    void fail_field(Field field, ErrorCode code, std::string_view wanted);

    CsvRows& rows_;
    const ColumnMapping& mapping_;
    std::array<Column, kFields> columns_;
    std::size_t row_size_ = 0;
    DateMemory date_;
    DateMemory expiry_;
};

}  // namespace scanmq::market
