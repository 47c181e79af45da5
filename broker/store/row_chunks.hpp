#pragma once
// RowChunks: numbered rows of one partition (entries, finished ids), put together into chunks.
//
// Role:      of PartitionRun; a row of the table is a chunk of up to kChunkRows rows or kChunkBytes,
//            keyed by its first number.
// Threads:   the checkpoint's. Borrows: the arena for chunks that are full.
// Invariant: where a chunk begins follows from the rows and trims alone, not from when checkpoints
//            were made: the last chunk of the store is taken up again.

#include <string>
#include <vector>

#include "broker/store/byte_arena.hpp"
#include "broker/store/state_keys.hpp"
#include "broker/store/state_store.hpp"

namespace scanmq::broker {

class RowChunks {
  public:
    static constexpr std::uint64_t kChunkRows = 256;
    static constexpr std::size_t kChunkBytes = 32U << 10;
    static constexpr std::size_t kTrimBudget = 16'384;  // chunks erased in one transaction

    explicit RowChunks(Table table) : table_(table) {}

    // To be called once before append(): rows `first` .. `next` are there. False: the last chunk of
    // them is not.
    [[nodiscard]] Result<bool, StateError> open(StateSnapshot& before, PartitionId partition,
                                                std::uint64_t first, std::uint64_t next);
    [[nodiscard]] bool is_open() const noexcept { return open_; }

    // Precondition: open; `number` follows the last one.
    template <class Row>
    void append(std::uint64_t number, const Row& row, ByteArena& arena) {
        if (rows_ == kChunkRows) close(bytes_.size(), number, arena);
        const std::size_t begin = bytes_.size();
        encode_row(row, bytes_);
        if (rows_ > 0 && bytes_.size() > kChunkBytes) close(begin, number, arena);
        if (rows_ == 0) first_ = number;
        ++rows_;
        changed_ = true;
    }
    // Rows below `first` are gone; `all`: none is left.
    void trim(bool all);

    // False: chunks below `first` are left to erase, see kTrimBudget. Damage is an error.
    [[nodiscard]] Result<bool, StateError> write(StateStore& store, StateSnapshot& before,
                                                 PartitionId partition, std::uint64_t first,
                                                 std::uint64_t next);
    void clear();

  private:
    struct Chunk {
        std::uint64_t first{};
        ByteView bytes;
        bool stored{};  // its first rows are in the store already
    };
    // The chunk ends with its first `bytes`; what is behind them is the next one.
    void close(std::size_t bytes, std::uint64_t next_first, ByteArena& arena);
    [[nodiscard]] Result<bool, StateError> erase_trimmed(StateStore& store, StateSnapshot& before,
                                                         PartitionId partition, std::uint64_t first,
                                                         std::uint64_t next);

    Table table_;
    bool open_ = false;
    bool trimmed_ = false;
    bool changed_ = false;  // the open chunk
    bool stored_ = false;   // the open chunk is in the store
    std::uint64_t first_ = 0;
    std::uint64_t rows_ = 0;
    std::string bytes_;
    std::vector<Chunk> full_;
};

}  // namespace scanmq::broker
