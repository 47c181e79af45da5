#pragma once
// StateStore: the broker's durable state as tables of rows, written in transactions.
//
// Role:      what a commit log is materialised into (Materialiser), and what a restart reads
//            (load) and cold bodies are read from (BodyReader).
// Engines:   LmdbStateStore; ModelStateStore of the tests and the simulator.
// Threads:   one thread writes, one transaction at a time. snapshot() and what it gives may be used
//            by another thread while a transaction goes on; one snapshot by one thread at a time.
// Order:     keys are bytes, ordered as unsigned ones (see state_keys.hpp).
// Limits:    a key has 1 to kStateKeyBytesMax bytes.
// Errors:    values. After one of begin() to commit(), abort() is the only call that may follow;
//            nothing of the transaction has happened then.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/base/bytes.hpp"
#include "common/base/result.hpp"

namespace scanmq::broker {

enum class Table : std::uint8_t {
    meta,
    queues,
    executions,
    runs,
    entries,
    results,
    ids,
    groups,
    cursors,
    dead,
    aliases,
    flows,
    standing,
    standing_runs,
};
inline constexpr std::size_t kTables = 14;
inline constexpr std::size_t kStateKeyBytesMax = 500;
// Of the tables and their rows; a store of a later one is not opened, one of an earlier one becomes this.
// 1: no flows; executions without one are read. 2: no standing scans.
inline constexpr std::uint64_t kStateVersion = 3;

[[nodiscard]] std::string_view name_of(Table table);

struct StateError {
    enum class Kind : std::uint8_t {
        full,           // the map or the disk: make room, then do it again
        io,             // the system refused to read or write: the broker stops
        damaged,        // what is there cannot be right
        newer_version,  // written by a later release
    };
    Kind kind{};
    std::string sentence;
};

struct StateRow {
    ByteView key;
    ByteView value;
};

// The state as the last commit before it left it. Short-lived: pages that it sees are not used again
// while it is there. Views live as long as it, or until the next call of an engine that says so.
class StateSnapshot {
  public:
    // False ends the scan.
    using Visit = std::function<bool(ByteView key, ByteView value)>;
    using Row = Result<std::optional<StateRow>, StateError>;

    virtual ~StateSnapshot() = default;
    // Asking for rising keys of a table is cheap: each call begins where the last one ended.
    [[nodiscard]] virtual Result<std::optional<ByteView>, StateError> get(Table table,
                                                                          ByteView key) = 0;
    // The row of the greatest key that is not above `key`; of the smallest that is not below it.
    [[nodiscard]] virtual Row floor(Table table, ByteView key) = 0;
    [[nodiscard]] virtual Row ceiling(Table table, ByteView key) = 0;
    // Rows with keys from `from` on, in order.
    [[nodiscard]] virtual Result<void, StateError> scan(Table table, ByteView from,
                                                        const Visit& visit) = 0;
};

class StateStore {
  public:
    virtual ~StateStore() = default;

    [[nodiscard]] virtual Result<void, StateError> begin() = 0;
    // Within a transaction:
    [[nodiscard]] virtual Result<void, StateError> put(Table table, ByteView key,
                                                       ByteView value) = 0;
    // The same, quick when the key is above all of its table.
    [[nodiscard]] virtual Result<void, StateError> put_append(Table table, ByteView key,
                                                              ByteView value) = 0;
    // False: it was not there.
    [[nodiscard]] virtual Result<bool, StateError> erase(Table table, ByteView key) = 0;
    // Erases rows with from <= key < to, at most `budget`; how many.
    [[nodiscard]] virtual Result<std::size_t, StateError> erase_range(Table table, ByteView from,
                                                                      ByteView to,
                                                                      std::size_t budget) = 0;
    // Sees the transaction's own changes. The view lives until the next call.
    [[nodiscard]] virtual Result<std::optional<ByteView>, StateError> get(Table table,
                                                                          ByteView key) = 0;
    // Ends it. Ok: all of it is durable.
    [[nodiscard]] virtual Result<void, StateError> commit() = 0;
    // Ends it, nothing happened. Allowed without a transaction.
    virtual void abort() = 0;

    [[nodiscard]] virtual Result<std::unique_ptr<StateSnapshot>, StateError> snapshot() = 0;

    // Rises with every commit: a snapshot taken at the same number is the newest. Any thread.
    [[nodiscard]] std::uint64_t generation() const noexcept {
        return generation_.load(std::memory_order_acquire);
    }

  protected:
    void committed() noexcept { generation_.fetch_add(1, std::memory_order_release); }

  private:
    std::atomic<std::uint64_t> generation_{1};
};

}  // namespace scanmq::broker
