#pragma once
// The market module's failures: one code for a program, one sentence for a person.

#include <cstdint>
#include <string>

#include "common/base/result.hpp"

namespace scanmq::market {

enum class ErrorCode : std::uint8_t {
    cannot_read_file,      // it does not exist, is not readable, or reading failed half-way
    unknown_format,        // none of the formats the readers know
    empty_file,            // no bytes, or blank lines only
    missing_column,        // the header row lacks a column that the reader needs
    bad_number,            // a field that must be a number is not one
    bad_date,              // a field that must be a date is not one, or names no known zone
    bad_field,             // any other field whose text cannot be used
    missing_value,         // the source does not say its symbol or day, nor did the caller
    bad_mapping,           // a column mapping that cannot be read by
    truncated_row,         // a row with fewer or more fields than the header row
    no_contracts,          // header without usable rows
    too_large,             // over a limit: file bytes, contracts, expiries, columns
    bad_snapshot,          // bytes that are no valid snapshot
    unsupported_snapshot,  // a snapshot of a later format version
};
[[nodiscard]] const char* to_string(ErrorCode code) noexcept;

struct Error {
    ErrorCode code{};
    std::string message;  // names file, line and column where there are any, and what to do
};

template <class T>
using MarketResult = Result<T, Error>;

}  // namespace scanmq::market
