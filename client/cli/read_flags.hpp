#pragma once
// The flags that say how files of quotes are read: --columns, --contracts, --symbol, --spot, --as-of, --drop,
// --quote-age. docs/SCANNER.md has the formats and the checks.
//
// Threads: values.

#include <optional>
#include <string>
#include <vector>

#include "client/cli/command.hpp"
#include "common/base/time.hpp"
#include "common/config/options.hpp"
#include "scanner/market/reader.hpp"

namespace scanmq::cli {

struct ReadFlags {
    std::string columns;
    std::string contracts;
    std::string symbol;
    double spot{};
    std::string as_of;
    std::vector<std::string> drop;
    Duration quote_age = market::QualityRules{}.quote_age_max;
};

void add_read_flags(config::Options& declared, ReadFlags& flags);

// What the flags say, with the mapping and the table that the options point to.
class ReadSettings {
  public:
    // Problem: usage, cannot_read_file; the sentence names the flag or the file and its line.
    [[nodiscard]] static Result<ReadSettings, Problem> make(const config::Options& declared,
                                                            const ReadFlags& flags);

    // Valid as long as this is.
    [[nodiscard]] market::ReadOptions options() const;
    // nullptr: the shipped one. Valid as long as this is.
    [[nodiscard]] const market::ContractTable* contracts() const noexcept {
        return contracts_ ? &*contracts_ : nullptr;
    }
    // The clock, where one was given.
    [[nodiscard]] std::optional<WallMillis> as_of() const noexcept { return options_.as_of; }
    // NaN where none was given.
    [[nodiscard]] double spot() const noexcept { return options_.spot; }

  private:
    std::optional<market::ColumnMapping> columns_;
    std::optional<market::ContractTable> contracts_;
    market::ReadOptions options_;
};

}  // namespace scanmq::cli
