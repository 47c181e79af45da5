#include <cmath>
#include <cstring>
#include <span>
#include <utility>

#include "common/base/assert.hpp"
#include "scanner/market/snapshot.hpp"
#include "scanner/market/snapshot_layout.hpp"

namespace scanmq::market {

using namespace snapshot;

namespace {

class Writer {
  public:
    explicit Writer(std::size_t columns)
        : columns_(columns), out_(kHeaderBytes + columns * kEntryBytes, '\0') {}

    template <class T>
    void column(std::string_view name, std::span<const T> values) {
        begin(name, type_of<T>(), values.size());
        if constexpr (std::is_same_v<T, double>) {
            // One spelling of NaN and of zero, so that equal chains have equal bytes.
            for (const double value : values) {
                const double canonical = std::isnan(value) ? kMissing : value + 0.0;
                out_.append(reinterpret_cast<const char*>(&canonical), sizeof canonical);
            }
        } else {
            out_.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
        }
        end();
    }
    template <class T>
    void scalar(std::string_view name, T value) {
        column<T>(name, std::span<const T>(&value, 1));
    }
    void string(std::string_view name, std::string_view value) {
        begin(name, kS16, 1);
        append_string(value);
        end();
    }
    template <class T, class Get>
    void field(std::string_view name, const std::vector<Expiry>& expiries, Get get) {
        begin(name, type_of<T>(), expiries.size());
        for (const auto& expiry : expiries) {
            const T value = get(expiry);
            out_.append(reinterpret_cast<const char*>(&value), sizeof value);
        }
        end();
    }
    void roots(std::string_view name, const std::vector<Expiry>& expiries) {
        begin(name, kS16, expiries.size());
        for (const auto& expiry : expiries) append_string(expiry.root);
        end();
    }

    std::string finish() {
        SCANMQ_ASSERT(written_ == columns_);
        char* at = out_.data();
        const auto count = static_cast<std::uint32_t>(columns_);
        const std::uint64_t total = out_.size();
        std::memcpy(at, kSnapshotMagic.data(), kSnapshotMagic.size());
        std::memcpy(at + 8, &kSnapshotVersion, 4);
        std::memcpy(at + 12, &count, 4);
        std::memcpy(at + 16, &total, 8);
        return std::move(out_);
    }
    void reserve(std::size_t bytes) { out_.reserve(out_.size() + bytes); }

  private:
    void begin(std::string_view name, ElementType type, std::uint64_t count) {
        SCANMQ_ASSERT(written_ < columns_ && name.size() <= kNameBytes);
        const std::uint64_t offset = out_.size();
        char* entry = out_.data() + kHeaderBytes + written_++ * kEntryBytes;
        std::memcpy(entry, name.data(), name.size());
        std::memcpy(entry + kNameBytes, type.name.data(), type.name.size());
        std::memcpy(entry + kNameBytes + kTypeBytes, &count, 8);
        std::memcpy(entry + kNameBytes + kTypeBytes + 8, &offset, 8);
    }
    void end() { out_.resize((out_.size() + kAlignment - 1) / kAlignment * kAlignment, '\0'); }
    void append_string(std::string_view value) {
        SCANMQ_ASSERT(value.size() <= kStringBytes);
        out_.append(value);
        out_.append(kStringBytes - value.size(), '\0');
    }

    std::size_t columns_;
    std::size_t written_ = 0;
    std::string out_;
};

}  // namespace

std::string encode_snapshot(const Chain& chain) {
    const auto& expiries = chain.expiries;
    const auto contracts = chain.size();
    SCANMQ_ASSERT(valid_symbol(chain.symbol) && valid_symbol(chain.source));
    SCANMQ_ASSERT(contracts <= kContractsMax && expiries.size() <= kExpiriesMax);
    SCANMQ_ASSERT(chain.bid.size() == contracts && chain.ask.size() == contracts &&
                  chain.last.size() == contracts && chain.vendor_iv.size() == contracts &&
                  chain.vendor_delta.size() == contracts && chain.volume.size() == contracts &&
                  chain.open_interest.size() == contracts && chain.expiry.size() == contracts &&
                  chain.right.size() == contracts);
    SCANMQ_ASSERT(chain.quoted.empty() || chain.quoted.size() == contracts);
    constexpr std::size_t kColumns = 25;
    // A chain without quote times or a rate has the bytes it had before there were any.
    const bool timed = !chain.quoted.empty();
    const bool rated = std::isfinite(chain.vendor_rate);
    Writer out(kColumns + (timed ? 1 : 0) + (rated ? 1 : 0));
    out.reserve(contracts * (timed ? 68 : 60) + expiries.size() * 64 + 1024);
    out.string("symbol", chain.symbol);
    out.string("source", chain.source);
    out.scalar<std::int64_t>("as_of", chain.as_of);
    out.scalar<std::int32_t>("as_of_date", chain.as_of_date);
    out.scalar<double>("spot", chain.spot);
    out.scalar<std::uint8_t>("style", static_cast<std::uint8_t>(chain.style));
    out.scalar<std::uint32_t>("multiplier", chain.multiplier);
    out.roots("expiry.root", expiries);
    out.field<std::int32_t>("expiry.date", expiries, [](const Expiry& e) { return e.date; });
    out.field<std::uint8_t>("expiry.settlement", expiries, [](const Expiry& e) {
        return static_cast<std::uint8_t>(e.settlement);
    });
    out.field<std::int64_t>("expiry.moment", expiries, [](const Expiry& e) { return e.moment; });
    out.field<std::int64_t>("expiry.last_trade", expiries,
                            [](const Expiry& e) { return e.last_trade; });
    out.field<std::uint32_t>("expiry.call_begin", expiries,
                             [](const Expiry& e) { return e.call_begin; });
    out.field<std::uint32_t>("expiry.put_begin", expiries,
                             [](const Expiry& e) { return e.put_begin; });
    out.field<std::uint32_t>("expiry.end", expiries, [](const Expiry& e) { return e.end; });
    if (rated) out.scalar<double>("vendor_rate", chain.vendor_rate);
    out.column<double>("strike", chain.strike);
    out.column<double>("bid", chain.bid);
    out.column<double>("ask", chain.ask);
    out.column<double>("last", chain.last);
    out.column<double>("vendor_iv", chain.vendor_iv);
    out.column<double>("vendor_delta", chain.vendor_delta);
    out.column<std::uint32_t>("volume", chain.volume);
    out.column<std::uint32_t>("open_interest", chain.open_interest);
    out.column<std::uint16_t>("expiry", chain.expiry);
    out.column<Right>("right", chain.right);
    if (timed) out.column<std::int64_t>("quoted", chain.quoted);
    return out.finish();
}

}  // namespace scanmq::market
