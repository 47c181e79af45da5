#pragma once
// AliasTable: names for blobs that move, and what each named before, as long as somebody needs it.
//
// Role:       one per broker. Each move raises the generation; a group holds the generation at which
//             it was opened, and its jobs see every alias as of then.
// Threads:    broker loop only. Borrows: BlobTable (outlives this).
// Invariant:  a version that resolve() can give pins its blob; a former version is kept only while
//             a held generation lies in its time, [generation, until).
// Limits:     Options. Beyond aliases_max set() fails with over_limit; beyond history_max an alias
//             loses its oldest former version, and resolve() does not know it any more.
// Cost:       set() and release() take O(log n) a version that comes or goes.
// See:        docs/PROTOCOL.md, section 9

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/core/blob_table.hpp"
#include "broker/core/rows.hpp"
#include "common/base/result.hpp"

namespace scanmq::broker {

struct Alias {
    struct Former {
        ContentId id;
        std::uint64_t generation = 0;
        std::uint64_t until = 0;  // the generation that ended it
    };
    std::string name;
    ContentId id;                  // zero: removed, and kept for its history
    std::uint64_t generation = 0;  // of the last move
    std::deque<Former> history;    // oldest first
};

class AliasTable {
  public:
    using Error = protocol::ErrorCode;
    struct Options {
        std::uint32_t aliases_max = 100'000;
        std::uint32_t history_max = 64;  // former versions of one alias
    };

    AliasTable(const Options& options, BlobTable& blobs) : options_(options), blobs_(&blobs) {}

    // Points the alias to a stored blob; a zero id removes it. False: it was so already.
    // Errors: unknown_blob, over_limit.
    [[nodiscard]] Result<bool, Error> set(std::string_view alias, const ContentId& id, Time now);
    // nullptr: never set, or removed and needed by nobody.
    [[nodiscard]] const Alias* find(std::string_view alias) const;
    // What it named at that generation, now or held; nullptr: nothing, or it is not known any more.
    [[nodiscard]] const ContentId* resolve(std::string_view alias, std::uint64_t generation) const;
    [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }

    // Somebody needs every alias as of this generation, now's or (after a restart) a former one.
    void hold(std::uint64_t generation);
    // Precondition: held. Versions that nobody needs any more go.
    void release(std::uint64_t generation, Time now);

    // After a restart: the generation was that high once.
    void raise(std::uint64_t generation) noexcept {
        if (generation > generation_) generation_ = generation;
    }
    // Takes a row back, after the blobs. Versions whose blob is not stored are left out; returns how
    // many these were.
    std::size_t restore(std::string_view alias, const AliasRow& row, Time now);
    // After every restore() and hold(): former versions that nobody holds go.
    void settle(Time now);

    // Names that find() does not know any more since the last call (a name may be back): their rows
    // may go.
    [[nodiscard]] std::vector<std::string> take_gone() { return std::exchange(gone_, {}); }
    [[nodiscard]] bool any_gone() const noexcept { return !gone_.empty(); }
    // Versions lost to history_max.
    [[nodiscard]] std::uint64_t history_dropped() const noexcept { return history_dropped_; }

    // By name; those with a zero id are removed.
    [[nodiscard]] const std::map<std::string, Alias, std::less<>>& all() const noexcept {
        return aliases_;
    }
    // Those that name a blob.
    [[nodiscard]] std::size_t size() const noexcept { return set_; }

  private:
    // Former versions by their generation, which no two share.
    using Versions = std::map<std::uint64_t, Alias*>;
    struct Holder {
        std::uint64_t count = 0;
        // Those whose time it is the last to lie in.
        Versions versions;
    };
    using Holders = std::map<std::uint64_t, Holder>;

    // Keeps it with the last holder in its time; false: there is none.
    bool keep(Alias& alias, const Alias::Former& version);
    void retire(Alias& alias, Time now);
    void drop_oldest(Alias& alias, Time now);
    void drop(Alias& alias, std::uint64_t version_generation, Time now);
    void forget_if_empty(Alias& alias);

    Options options_;
    BlobTable* blobs_;
    std::map<std::string, Alias, std::less<>> aliases_;
    Holders holders_;
    std::uint64_t generation_ = 0;
    std::uint64_t history_dropped_ = 0;
    std::size_t set_ = 0;
    std::vector<std::string> gone_;
};

}  // namespace scanmq::broker
