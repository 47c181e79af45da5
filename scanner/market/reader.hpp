#pragma once
// Readers of vendors' files: text of a known format in, chains and counts of skipped rows out.
//
// Formats:  recognised by content, never by name (docs/SCANNER.md has the details):
//           cboe_csv         Cboe's quote dashboard, wide: calls left, puts right of the strike;
//           ivolatility_csv  iVolatility's long file, many symbols and days in one file;
//           hod_l3           historicaloptiondata's L3 file, many symbols and days;
//           lean_csv         a snapshot of Lean's minute quotes, one symbol;
//           optionlab_csv    five columns: type, strike, bid, ask, expiration;
//           tda_json         TD Ameritrade's (later Schwab's) option chain answer;
//           snapshot         our own (docs/SNAPSHOT.md).
// Errors:   a file of a known format is read whole or not at all; the message names file, line and
//           column. Rows that are readable but not usable are left out and counted.
// Threads:  pure functions but for the file system.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.hpp"
#include "scanner/market/chain.hpp"
#include "scanner/market/columns.hpp"
#include "scanner/market/contracts.hpp"
#include "scanner/market/error.hpp"
#include "scanner/market/quality.hpp"

namespace scanmq::market {

enum class FileFormat : std::uint8_t {
    unknown,
    cboe_csv,
    ivolatility_csv,
    hod_l3,
    lean_csv,
    optionlab_csv,
    tda_json,
    snapshot,
};
[[nodiscard]] const char* to_string(FileFormat format) noexcept;
[[nodiscard]] FileFormat detect_format(ByteView text) noexcept;

// A file above this is refused with too_large.
inline constexpr std::uint64_t kFileBytesMax = 1ULL << 30;

// What a caller adds to what the text says.
struct ReadOptions {
    // Every text that is no snapshot is read by it. Borrowed. Without one the format is recognised.
    const ColumnMapping* columns{};
    // Used where the source does not say.
    std::string symbol;
    double spot{kMissing};
    std::optional<WallMillis> as_of;
    QualityRules quality;
    // What roots say of their contracts. Borrowed; the shipped table without one.
    const ContractTable* contracts{};

    [[nodiscard]] const ContractTable& table() const {
        return contracts != nullptr ? *contracts : ContractTable::shipped();
    }
};

struct ReadReport {
    std::vector<Chain> chains;     // in the order of their first rows, files by name
    std::uint64_t files{};         // of a known format, read
    std::uint64_t rows{};          // data rows in those files
    std::uint64_t contracts{};     // contracts in chains
    std::uint64_t saturdays{};     // rows whose expiry is a Saturday, taken as the Friday before
    std::uint64_t interpolated{};  // rows whose vendor volatility is not from their own quote
    ReasonCounts skipped;          // contracts left out
    ReasonCounts flagged;          // contracts kept as they are; one may count under several
    std::uint64_t
        spots_dropped{};  // chains whose spot was a split away from their options' strikes
    std::uint64_t files_unknown{};  // directory only: files of no known format, left out
    std::vector<Error>
        files_failed;  // directory only: files of a known format that could not be read
};

// Reads text that is already in memory; `name` stands for the file in errors.
// Errors: unknown_format, and whatever the format's reader finds.
[[nodiscard]] MarketResult<ReadReport> read_chain_text(ByteView text, std::string_view name,
                                                       const ReadOptions& options = {});

// Reads one file.
[[nodiscard]] MarketResult<ReadReport> read_chain_file(const std::string& path,
                                                       const ReadOptions& options = {});

// Reads a file, or each regular file of a directory (not of its subdirectories) in name order.
// Errors: as read_chain_file; for a directory cannot_read_file, and no_contracts when not one of
//         its files gave a chain (the message has the first failure).
[[nodiscard]] MarketResult<ReadReport> read_chains(const std::string& path,
                                                   const ReadOptions& options = {});

// What was left out, marked or not read, a line each without its end, for people:
// "12 contracts left out: 3 adjusted, 9 duplicate". Nothing where all was read as it stood.
[[nodiscard]] std::vector<std::string> report_lines(const ReadReport& report);

}  // namespace scanmq::market
