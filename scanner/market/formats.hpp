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
[[nodiscard]] bool looks_like_ivolatility(ByteView text) noexcept;

[[nodiscard]] MarketResult<ReadReport> read_cboe(ByteView text, std::string_view name);
[[nodiscard]] MarketResult<ReadReport> read_ivolatility(ByteView text, std::string_view name);

// Where the current row has a field `name`, from `first` up to `end`; size() when nowhere.
[[nodiscard]] std::size_t find_column(const CsvRows& rows, std::string_view name, std::size_t first,
                                      std::size_t end) noexcept;

// Fails the rows unless the current one has `expected` fields (empty ones at the end do not count).
// Returns true when the row is whole.
[[nodiscard]] bool check_row_size(CsvRows& rows, std::size_t expected);

}  // namespace scanmq::market
