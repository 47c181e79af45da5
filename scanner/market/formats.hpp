#pragma once
// The text formats' readers, each in a source of its own. See reader.hpp for what they promise.

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "scanner/market/csv.hpp"
#include "scanner/market/reader.hpp"

namespace scanmq::market {

// True when the text starts like that format, even if columns are missing from it.
[[nodiscard]] bool looks_like_cboe(ByteView text) noexcept;
[[nodiscard]] bool looks_like_tda(ByteView text) noexcept;

// The known format with one row a contract that the text starts like; nullptr when none.
struct LongFormat {
    FileFormat format{};
    ColumnMapping mapping;
    std::vector<std::string_view> marks;  // column names that tell it from the others
    std::size_t marks_min{};              // how many of them make it this format
};
[[nodiscard]] std::span<const LongFormat> long_formats();
[[nodiscard]] const LongFormat* find_long_format(ByteView text) noexcept;

// Each gives chains, rows and what its text made it leave out; contracts, files and the checks of
// quotes are read_chain_text's.
[[nodiscard]] MarketResult<ReadReport> read_cboe(ByteView text, std::string_view name,
                                                 const ReadOptions& options);
[[nodiscard]] MarketResult<ReadReport> read_long(ByteView text, std::string_view name,
                                                 const ColumnMapping& mapping,
                                                 const ReadOptions& options);
[[nodiscard]] MarketResult<ReadReport> read_tda(ByteView text, std::string_view name,
                                                const ReadOptions& options);

// What a file's name says of its quotes: "goog_2015-12-24_1300et.csv", "msft_20211122.csv". Parts that
// it does not say are empty and zero.
struct NameHint {
    std::string symbol;
    YearMonthDay date{};
};
[[nodiscard]] NameHint hint_of(std::string_view name);

// "has no usable contract ..." with what was left out.
[[nodiscard]] Error no_contracts(std::string_view name, const ReadReport& report);

// Where the current row has a field `name`, from `first` up to `end`; size() when nowhere.
[[nodiscard]] std::size_t find_column(const CsvRows& rows, std::string_view name, std::size_t first,
                                      std::size_t end) noexcept;

// Fails the rows unless the current one has `expected` fields (empty ones at the end do not count).
// Returns true when the row is whole.
[[nodiscard]] bool check_row_size(CsvRows& rows, std::size_t expected);

}  // namespace scanmq::market
