#pragma once
// Readers of vendors' files: text of a known format in, chains and counts of skipped rows out.
//
// Formats:  recognised by content, never by name (docs/SCANNER.md has the details):
//           cboe_csv         Cboe's quote dashboard, wide: calls left, puts right of the strike;
//           ivolatility_csv  iVolatility's long file, many symbols and days in one file;
//           snapshot         our own (docs/SNAPSHOT.md).
// Errors:   a file of a known format is read whole or not at all; the message names file, line and
//           column. Rows that are readable but not usable are left out and counted.
// Threads:  pure functions but for the file system.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.hpp"
#include "scanner/market/chain.hpp"
#include "scanner/market/error.hpp"

namespace scanmq::market {

enum class FileFormat : std::uint8_t { unknown, cboe_csv, ivolatility_csv, snapshot };
[[nodiscard]] const char* to_string(FileFormat format) noexcept;
[[nodiscard]] FileFormat detect_format(ByteView text) noexcept;

// A file above this is refused with too_large.
inline constexpr std::uint64_t kFileBytesMax = 1ULL << 30;

// Contracts that were read and left out, by reason.
struct SkipCounts {
    std::uint64_t adjusted{};      // root with a digit at its end: deliverable is not 100 shares
    std::uint64_t other_symbol{};  // of another underlying than the rest of a one-symbol file
    std::uint64_t other_style{};   // exercise style differs from the chain's first contract
    std::uint64_t duplicate{};     // same expiry, right and strike as one before it

    [[nodiscard]] std::uint64_t total() const noexcept {
        return adjusted + other_symbol + other_style + duplicate;
    }
};

struct ReadReport {
    std::vector<Chain> chains;     // in the order of their first rows, files by name
    std::uint64_t files{};         // of a known format, read
    std::uint64_t rows{};          // data rows in those files
    std::uint64_t contracts{};     // contracts in chains
    std::uint64_t interpolated{};  // rows whose vendor volatility is not from their own quote
    SkipCounts skipped;
    std::uint64_t files_unknown{};  // directory only: files of no known format, left out
    std::vector<Error>
        files_failed;  // directory only: files of a known format that could not be read
};

// Reads text that is already in memory; `name` stands for the file in errors.
// Errors: unknown_format, and whatever the format's reader finds.
[[nodiscard]] MarketResult<ReadReport> read_chain_text(ByteView text, std::string_view name);

// Reads one file.
[[nodiscard]] MarketResult<ReadReport> read_chain_file(const std::string& path);

// Reads a file, or each regular file of a directory (not of its subdirectories) in name order.
// Errors: as read_chain_file; for a directory cannot_read_file, and no_contracts when not one of
//         its files gave a chain (the message has the first failure).
[[nodiscard]] MarketResult<ReadReport> read_chains(const std::string& path);

}  // namespace scanmq::market
