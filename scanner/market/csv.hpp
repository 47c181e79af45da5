#pragma once
// CsvRows: walks the rows of a vendor's CSV text without copying it, and turns fields into numbers.
//
// Errors:  sticky. A field that cannot be read sets the first error, with file, line and column,
//          and reads as NaN or zero; the caller checks failed() once a row.
// Quotes:  a field may be wrapped in double quotes and then hold commas; a doubled quote inside is
//          kept as written (no field that we read has one). A row ends with its line, LF or CRLF.
// Owns:    nothing; the text and the name must outlive it, and fields are views into the text.
// Limits:  kColumnsMax fields a row.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/bytes.hpp"
#include "scanner/market/error.hpp"

namespace scanmq::market {

// Where a value stands in a row, and what to call it in an error.
struct Column {
    std::size_t index{};
    std::string_view name;
};

class CsvRows {
  public:
    static constexpr std::size_t kColumnsMax = 64;

    CsvRows(ByteView text, std::string_view name, char delimiter = ',');

    // Moves to the next line that is not blank; false at the end of the text or after an error.
    [[nodiscard]] bool next();
    [[nodiscard]] std::size_t line() const noexcept { return line_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    // Field i of the row, without its quotes and outer blanks; empty beyond the row.
    [[nodiscard]] std::string_view field(std::size_t i) const noexcept {
        return i < size_ ? fields_[i] : std::string_view{};
    }
    // The row's whole text.
    [[nodiscard]] std::string_view row() const noexcept { return row_; }

    // A finite number; NaN where the field is empty.
    [[nodiscard]] double number(const Column& column);
    // A finite number; an empty field is an error.
    [[nodiscard]] double required_number(const Column& column);
    // A price: as number(), and NaN where the vendor wrote a negative one for "none", which is counted.
    [[nodiscard]] double price(const Column& column);
    // A whole number from 0 to 4,294,967,294; kNoCount where the field is empty or negative.
    [[nodiscard]] std::uint32_t count(const Column& column);
    // How many prices were negative.
    [[nodiscard]] std::uint64_t negatives() const noexcept { return negatives_; }
    // Texts that read as an empty field. Borrowed.
    void treat_as_missing(std::span<const std::string> texts) { missing_ = texts; }

    // Sets the first error: "<file>:<line>: column "<name>": <sentence>".
    void fail_at(ErrorCode code, std::string_view column, std::string_view sentence);
    // The same for the whole row.
    void fail_row(ErrorCode code, std::string_view sentence);
    [[nodiscard]] bool failed() const noexcept { return error_.has_value(); }
    [[nodiscard]] Error take_error() { return std::move(*error_); }
    [[nodiscard]] std::string_view name() const noexcept { return name_; }

  private:
    void split();
    // The row's fields when none is quoted or needs trimming; false otherwise.
    bool split_plain();
    double read(const Column& column, bool required);

    std::string_view rest_;
    std::string_view name_;
    std::string_view row_;
    std::span<const std::string> missing_;
    std::uint64_t negatives_ = 0;
    std::size_t line_ = 0;
    std::size_t size_ = 0;
    char delimiter_;
    std::array<std::string_view, kColumnsMax> fields_;
    std::optional<Error> error_;
};

// A number as vendors write it: decimal point, optional exponent, digits grouped by commas or by
// plain, no-break or narrow blanks, ASCII or Unicode minus. Nothing for any other text, nor for
// infinities and NaN.
[[nodiscard]] std::optional<double> parse_number_text(std::string_view text);

}  // namespace scanmq::market
