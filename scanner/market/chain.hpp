#pragma once
// Chain: one symbol's option quotes at one moment: the form that every part of the engine reads.
//
// Shape:     columns of equal length, one row a contract, sorted by (expiry, right, strike):
//            within an expiry first its calls, then its puts, each by rising strike.
// Units:     prices per share, volatility as decimals per year, sizes in contracts, moments in
//            ms since 1970-01-01 UTC. A missing price or volatility is NaN, a missing count
//            kNoCount.
// Threads:   immutable once built; shared between threads without locks.
// See:       docs/SNAPSHOT.md for the stored form.

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "common/base/time.hpp"

namespace scanmq::market {

enum class Right : std::uint8_t { call = 0, put = 1 };
enum class Settlement : std::uint8_t { am = 0, pm = 1 };  // 09:30 or 16:00 New York
enum class ExerciseStyle : std::uint8_t { european = 0, american = 1 };

inline constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
inline constexpr std::uint32_t kNoCount = 0xffffffffU;

// A calendar date as year * 10000 + month * 100 + day.
using YearMonthDay = std::int32_t;

// What the source says about its contracts beside volatility and delta, in our units: gamma and vega
// per 1.00 of volatility, theta per year, rho per 1.00 of rate. A column that the source lacks is
// empty, a missing value NaN. Not kept in a snapshot.
struct VendorGreeks {
    std::vector<double> gamma;
    std::vector<double> theta;
    std::vector<double> vega;
    std::vector<double> rho;
};

// One (root, settlement moment): SPX and SPXW of one date are two expiries.
struct Expiry {
    std::string root;
    YearMonthDay date{};
    Settlement settlement{Settlement::pm};
    WallMillis moment{};              // when it settles
    WallMillis last_trade{};          // when it last trades; AM-settled roots: the session before
    double vendor_forward{kMissing};  // the source's own forward; not kept in a snapshot
    std::uint32_t call_begin{};       // rows [call_begin, put_begin) are calls,
    std::uint32_t put_begin{};        // rows [put_begin, end) are puts
    std::uint32_t end{};
};

struct Chain {
    std::string symbol;
    std::string source;            // the reader's name, e.g. "cboe_csv", "sample"
    WallMillis as_of{};            // the quotes' moment
    YearMonthDay as_of_date{};     // that moment's date in New York
    double spot{kMissing};         // as the source gave it; may be stale
    double vendor_rate{kMissing};  // the source's own rate, as it gave it
    ExerciseStyle style{ExerciseStyle::european};
    std::uint32_t multiplier{100};
    std::vector<Expiry> expiries;  // sorted by (moment, root, date)

    std::vector<double> strike;
    std::vector<double> bid;
    std::vector<double> ask;
    std::vector<double> last;
    std::vector<double> vendor_iv;  // NaN where the source has none (or wrote 0)
    std::vector<double> vendor_delta;
    std::vector<std::uint32_t> volume;
    std::vector<std::uint32_t> open_interest;
    std::vector<std::uint16_t> expiry;  // index into expiries
    std::vector<Right> right;
    std::vector<WallMillis> quoted;  // the quote's moment, 0 where not known; empty: none is known
    VendorGreeks vendor;

    [[nodiscard]] std::size_t size() const noexcept { return strike.size(); }
};

}  // namespace scanmq::market
