#pragma once
// BlobTable: which blobs the broker holds, who pins them, and what may go when room is needed.
//
// Role:      pure bookkeeping, shared by BrokerCore (pins) and BlobCore (puts and gets). No bytes
//            here.
// Threads:   broker loop only.
// Invariant: bytes reserved and stored, as they are held, never pass Options::bytes_max; a pinned
//            blob is never dropped.
// Limits:    Options; reserve() answers snapshots_full beyond them.
// See:       docs/PROTOCOL.md, section 9

#include <chrono>
#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/id.hpp"
#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "common/protocol/kinds.hpp"

namespace scanmq::broker {

struct BlobRecord {
    ContentId id;
    std::uint64_t bytes{};
    protocol::BlobType type{};
    std::string label;
    protocol::BlobEncoding encoding{};
    std::uint64_t encoded_bytes{};  // of another encoding than raw
    bool stored{};                  // false while a put is under way
    std::uint32_t pins{};           // live jobs, kept entries, transfers
    Time used{};                    // last put, pin, unpin or get
    bool checked{};                 // its bytes were hashed since this broker started
    bool use_noted{};               // it is among those that take_used() gives

    // What it takes up.
    [[nodiscard]] std::uint64_t held_bytes() const noexcept {
        return encoding == protocol::BlobEncoding::raw ? bytes : encoded_bytes;
    }
};

class BlobTable {
  public:
    struct Options {
        std::uint64_t bytes_max = 1ULL << 30;
        std::uint32_t count_max = 100'000;
        Duration grace = std::chrono::seconds(60);
    };

    explicit BlobTable(const Options& options) : options_(options) {}

    // Makes a place for a put, dropping unpinned blobs past their grace, the one unused longest first; their
    // ids are appended to `dropped`. Precondition: find(id) == nullptr. Error: snapshots_full.
    [[nodiscard]] Result<void, protocol::ErrorCode> reserve(const BlobRecord& blob, Time now,
                                                            std::vector<ContentId>& dropped);
    // A blob that the store has, over the limits if need be; it was not used for `idle`.
    // Precondition: find_any(id) == nullptr.
    void restore(BlobRecord blob, Time now, Duration idle = {});
    void stored(const ContentId& id, Time now);  // the put is complete and verified
    void checked(const ContentId& id);           // so are the bytes of one that was restored
    void abandon(const ContentId& id);           // the put failed
    // Of one that cannot be read. Precondition: find(id) != nullptr, no pins.
    void drop(const ContentId& id);

    // nullptr when unknown or still being put; find_any also finds the latter.
    [[nodiscard]] const BlobRecord* find(const ContentId& id) const;
    [[nodiscard]] const BlobRecord* find_any(const ContentId& id) const;
    // Precondition: find(id) != nullptr.
    void pin(const ContentId& id, Time now);
    void unpin(const ContentId& id, Time now);
    void touch(const ContentId& id, Time now);

    // Those used since the last call, each once; some may have been dropped meanwhile.
    [[nodiscard]] std::vector<ContentId> take_used();
    [[nodiscard]] bool any_used() const noexcept { return !used_.empty(); }

    // As they are held, and what they would take raw.
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::uint64_t raw_bytes() const noexcept { return raw_bytes_; }
    [[nodiscard]] std::size_t count() const noexcept { return blobs_.size(); }
    [[nodiscard]] const Options& options() const noexcept { return options_; }
    // Every stored blob, in no order.
    [[nodiscard]] std::vector<const BlobRecord*> list() const;

  private:
    void use(BlobRecord& blob, Time now);
    void add(const BlobRecord& blob);
    void erase(const BlobRecord& blob);

    Options options_;
    std::unordered_map<ContentId, BlobRecord> blobs_;
    std::vector<ContentId> used_;
    std::uint64_t bytes_ = 0;
    std::uint64_t raw_bytes_ = 0;
};

}  // namespace scanmq::broker
