#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstring>
#include <optional>
#include <tuple>
#include <utility>

#include "scanner/market/calendar.hpp"
#include "scanner/market/snapshot.hpp"
#include "scanner/market/snapshot_layout.hpp"

namespace scanmq::market {

using namespace snapshot;

namespace {

struct StoredColumn {
    std::string_view name;
    std::string_view type;
    std::uint64_t count{};
    std::uint64_t offset{};
};

std::string_view until_zero(std::string_view text) { return text.substr(0, text.find('\0')); }

template <class T>
T load(ByteView bytes, std::size_t at) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

class Reader {
  public:
    explicit Reader(ByteView bytes) : bytes_(bytes) {}

    MarketResult<Chain> read() {
        read_table();
        if (!error_) read_chain();
        if (!error_) check_expiries();
        if (!error_) check_contracts();
        if (error_) return fail(std::move(*error_));
        return std::move(chain_);
    }

  private:
    // Keeps the first failure.
    void refuse(ErrorCode code, std::string_view what) {
        if (error_) return;
        error_ = Error{code, fmt::format("snapshot: {}; write the snapshot again", what)};
    }
    void refuse(std::string_view what) { refuse(ErrorCode::bad_snapshot, what); }

    void read_table() {
        if (bytes_.size() < kHeaderBytes ||
            bytes_.substr(0, kSnapshotMagic.size()) != kSnapshotMagic) {
            return refuse("does not start with the magic bytes SCANMQCH and a whole header");
        }
        const auto version = load<std::uint32_t>(bytes_, 8);
        if (version != kSnapshotVersion) {
            error_ =
                Error{ErrorCode::unsupported_snapshot,
                      fmt::format("snapshot: has format version {}, this program reads {}; use a "
                                  "program of the version that wrote it, or write it again",
                                  version, kSnapshotVersion)};
            return;
        }
        const auto count = load<std::uint32_t>(bytes_, 12);
        if (count > kSnapshotColumnsMax) {
            return refuse(ErrorCode::too_large, fmt::format("has {} columns, the limit is {}",
                                                            count, kSnapshotColumnsMax));
        }
        const auto total = load<std::uint64_t>(bytes_, 16);
        if (total != bytes_.size()) {
            return refuse(fmt::format("says it has {} bytes and has {}", total, bytes_.size()));
        }
        const std::size_t table_end = kHeaderBytes + count * kEntryBytes;
        if (table_end > bytes_.size()) return refuse("its column table is cut off");
        for (std::size_t i = 0; i < count && !error_; ++i) {
            read_entry(kHeaderBytes + i * kEntryBytes, table_end);
        }
    }

    void read_entry(std::size_t at, std::size_t table_end) {
        StoredColumn column;
        column.name = until_zero(bytes_.substr(at, kNameBytes));
        column.type = until_zero(bytes_.substr(at + kNameBytes, kTypeBytes));
        column.count = load<std::uint64_t>(bytes_, at + kNameBytes + kTypeBytes);
        column.offset = load<std::uint64_t>(bytes_, at + kNameBytes + kTypeBytes + 8);
        if (column.name.empty()) return refuse("a column has no name");
        if (find(column.name) != nullptr) {
            return refuse(fmt::format("column \"{}\" stands twice", column.name));
        }
        if (column.offset % kAlignment != 0) {
            return refuse(fmt::format("column \"{}\" is not aligned to 8 bytes", column.name));
        }
        if (column.offset < table_end || column.offset > bytes_.size()) {
            return refuse(fmt::format("column \"{}\" starts outside the data", column.name));
        }
        columns_[column_count_++] = column;
    }

    [[nodiscard]] const StoredColumn* find(std::string_view name) const {
        for (std::size_t i = 0; i < column_count_; ++i) {
            if (columns_[i].name == name) return &columns_[i];
        }
        return nullptr;
    }

    // The bytes of a column that must be there, of that type and count; empty on failure.
    ByteView data(std::string_view name, ElementType type, std::size_t count) {
        if (error_) return {};
        const auto* column = find(name);
        if (column == nullptr) return refuse(fmt::format("has no column \"{}\"", name)), ByteView{};
        if (column->type != type.name) {
            refuse(fmt::format("column \"{}\" is not of type {}", name, type.name));
            return {};
        }
        if (column->count != count) {
            refuse(fmt::format("column \"{}\" has {} elements where {} are needed", name,
                               column->count, count));
            return {};
        }
        if (count > (bytes_.size() - column->offset) / type.bytes) {
            refuse(fmt::format("column \"{}\" ends outside the data", name));
            return {};
        }
        return bytes_.substr(column->offset, count * type.bytes);
    }

    template <class T>
    void column(std::string_view name, std::vector<T>& out, std::size_t count) {
        const auto source = data(name, type_of<T>(), count);
        if (error_) return;
        out.resize(count);
        if (count > 0) std::memcpy(out.data(), source.data(), source.size());
    }
    template <class T>
    T scalar(std::string_view name) {
        const auto source = data(name, type_of<T>(), 1);
        return error_ ? T{} : load<T>(source, 0);
    }
    std::string text(ByteView padded, std::string_view name) {
        const auto value = until_zero(padded);
        const bool clean = padded.find_first_not_of('\0', value.size()) == ByteView::npos;
        if (!valid_symbol(value) || !clean) {
            refuse(fmt::format("\"{}\" is not 1 to {} printable characters", name, kStringBytes));
        }
        return std::string(value);
    }
    std::string string(std::string_view name) {
        const auto source = data(name, kS16, 1);
        return error_ ? std::string{} : text(source, name);
    }
    // How many elements a column says it has, within a limit.
    std::size_t count_of(std::string_view name, std::size_t limit) {
        const auto* column = find(name);
        if (column == nullptr) return refuse(fmt::format("has no column \"{}\"", name)), 0;
        if (column->count > limit) {
            refuse(ErrorCode::too_large,
                   fmt::format("column \"{}\" has {} elements, the limit is {}", name,
                               column->count, limit));
            return 0;
        }
        return static_cast<std::size_t>(column->count);
    }

    void read_chain() {
        chain_.symbol = string("symbol");
        chain_.source = string("source");
        chain_.as_of = scalar<std::int64_t>("as_of");
        chain_.as_of_date = scalar<std::int32_t>("as_of_date");
        chain_.spot = scalar<double>("spot");
        const auto style = scalar<std::uint8_t>("style");
        chain_.multiplier = scalar<std::uint32_t>("multiplier");
        if (error_) return;
        if (!valid_date(chain_.as_of_date) || !storable_moment(chain_.as_of)) {
            return refuse("as_of or as_of_date is no date of the years 1900 to 2999");
        }
        if (style > 1) return refuse("style is neither 0 (European) nor 1 (American)");
        chain_.style = static_cast<ExerciseStyle>(style);
        if (chain_.multiplier == 0) return refuse("multiplier is zero");
        if (!std::isnan(chain_.spot) && !(std::isfinite(chain_.spot) && chain_.spot > 0)) {
            return refuse("spot is neither above zero nor NaN");
        }
        if (find("vendor_rate") != nullptr) {
            chain_.vendor_rate = scalar<double>("vendor_rate");
            if (!error_ && !std::isfinite(chain_.vendor_rate)) {
                return refuse("vendor_rate is not finite");
            }
        }
        read_expiries();
        const auto contracts = count_of("strike", kContractsMax);
        column("strike", chain_.strike, contracts);
        column("bid", chain_.bid, contracts);
        column("ask", chain_.ask, contracts);
        column("last", chain_.last, contracts);
        column("vendor_iv", chain_.vendor_iv, contracts);
        column("vendor_delta", chain_.vendor_delta, contracts);
        column("volume", chain_.volume, contracts);
        column("open_interest", chain_.open_interest, contracts);
        column("expiry", chain_.expiry, contracts);
        if (find("quoted") != nullptr) read_quoted(contracts);
        const auto rights = data("right", kU1, contracts);
        if (error_) return;
        chain_.right.reserve(contracts);
        for (const char right : rights) {
            if (right != 0 && right != 1) return refuse("right is neither 0 (call) nor 1 (put)");
            chain_.right.push_back(static_cast<Right>(right));
        }
    }

    void read_quoted(std::size_t contracts) {
        column("quoted", chain_.quoted, contracts);
        for (const auto moment : chain_.quoted) {
            if (moment != 0 && !storable_moment(moment)) {
                return refuse("a quoted moment is neither 0 nor of the years 1900 to 2999");
            }
        }
    }

    void read_expiries() {
        const auto count = count_of("expiry.root", kExpiriesMax);
        const auto roots = data("expiry.root", kS16, count);
        std::vector<std::int32_t> dates;
        std::vector<std::uint8_t> settlements;
        std::vector<std::int64_t> moments;
        std::vector<std::int64_t> last_trades;
        std::vector<std::uint32_t> call_begins;
        std::vector<std::uint32_t> put_begins;
        std::vector<std::uint32_t> ends;
        column("expiry.date", dates, count);
        column("expiry.settlement", settlements, count);
        column("expiry.moment", moments, count);
        column("expiry.last_trade", last_trades, count);
        column("expiry.call_begin", call_begins, count);
        column("expiry.put_begin", put_begins, count);
        column("expiry.end", ends, count);
        if (error_) return;
        chain_.expiries.resize(count);
        for (std::size_t i = 0; i < count; ++i) {
            auto& expiry = chain_.expiries[i];
            expiry.root = text(roots.substr(i * kStringBytes, kStringBytes), "expiry.root");
            expiry.date = dates[i];
            if (settlements[i] > 1) return refuse("expiry.settlement is neither 0 (am) nor 1 (pm)");
            expiry.settlement = static_cast<Settlement>(settlements[i]);
            expiry.moment = moments[i];
            expiry.last_trade = last_trades[i];
            expiry.call_begin = call_begins[i];
            expiry.put_begin = put_begins[i];
            expiry.end = ends[i];
        }
    }

    void check_expiries() {
        std::uint32_t at = 0;
        const Expiry* previous = nullptr;
        for (const auto& expiry : chain_.expiries) {
            if (!valid_date(expiry.date) || !storable_moment(expiry.moment) ||
                !storable_moment(expiry.last_trade)) {
                return refuse("an expiry has no date of the years 1900 to 2999");
            }
            if (expiry.last_trade > expiry.moment)
                return refuse("an expiry trades after it settles");
            if (previous != nullptr && std::tie(previous->moment, previous->root, previous->date) >=
                                           std::tie(expiry.moment, expiry.root, expiry.date)) {
                return refuse("expiries are not in rising order of (moment, root, date)");
            }
            if (expiry.call_begin != at || expiry.put_begin < at || expiry.end < expiry.put_begin ||
                expiry.end == at) {
                return refuse("an expiry's rows do not follow those of the one before it");
            }
            at = expiry.end;
            previous = &expiry;
        }
        if (at != chain_.size()) return refuse("the expiries' rows are not all the contracts");
    }

    static bool price_or_missing(double value) {
        return std::isnan(value) || (std::isfinite(value) && value >= 0);
    }

    void check_contracts() {
        for (std::size_t e = 0; e < chain_.expiries.size(); ++e) {
            const auto& expiry = chain_.expiries[e];
            for (std::size_t i = expiry.call_begin; i < expiry.end; ++i) {
                const bool is_put = i >= expiry.put_begin;
                if (chain_.expiry[i] != e || (chain_.right[i] == Right::put) != is_put) {
                    return refuse(
                        fmt::format("contract {} is not of its row's expiry and right", i));
                }
                const bool first = i == (is_put ? expiry.put_begin : expiry.call_begin);
                const double strike = chain_.strike[i];
                if (!std::isfinite(strike) || strike <= 0 ||
                    (!first && strike <= chain_.strike[i - 1])) {
                    return refuse(
                        fmt::format("contract {}: strikes must be above zero and rise", i));
                }
                if (!price_or_missing(chain_.bid[i]) || !price_or_missing(chain_.ask[i]) ||
                    !price_or_missing(chain_.last[i]) || !price_or_missing(chain_.vendor_iv[i]) ||
                    chain_.vendor_iv[i] == 0 || std::isinf(chain_.vendor_delta[i])) {
                    return refuse(
                        fmt::format("contract {}: a price is negative or infinite, or a volatility "
                                    "not above zero",
                                    i));
                }
            }
        }
    }

    ByteView bytes_;
    std::array<StoredColumn, kSnapshotColumnsMax> columns_{};
    std::size_t column_count_ = 0;
    Chain chain_;
    std::optional<Error> error_;
};

}  // namespace

bool storable_moment(WallMillis moment) noexcept {
    constexpr WallMillis kAround = 14 * kMillisPerDay;
    return moment >= utc_midnight(19000101) - kAround && moment <= utc_midnight(29991231) + kAround;
}

MarketResult<Chain> decode_snapshot(ByteView bytes) { return Reader(bytes).read(); }

}  // namespace scanmq::market
