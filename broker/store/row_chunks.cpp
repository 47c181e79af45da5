#include "broker/store/row_chunks.hpp"

namespace scanmq::broker {

Result<bool, StateError> RowChunks::open(StateSnapshot& before, PartitionId partition,
                                         std::uint64_t first, std::uint64_t next) {
    open_ = true;
    if (first == next) return true;
    auto row = before.floor(table_, NumberKey(partition, next - 1));
    if (!row) return fail(std::move(row).error());
    PartitionId owner = 0;
    if (!*row || !number_of_key((*row)->key, owner, first_) || owner != partition) return false;
    rows_ = next - first_;
    if (rows_ > kChunkRows) return false;
    bytes_.assign((*row)->value);
    stored_ = true;
    return true;
}

void RowChunks::close(std::size_t bytes, std::uint64_t next_first, ByteArena& arena) {
    full_.push_back({first_, arena.keep(ByteView(bytes_).substr(0, bytes)), stored_});
    bytes_.erase(0, bytes);
    stored_ = false;
    rows_ = 0;
    first_ = next_first;
}

void RowChunks::trim(bool all) {
    trimmed_ = true;
    if (!all) return;
    full_.clear();
    bytes_.clear();
    rows_ = 0;
    stored_ = false;
    changed_ = false;
    open_ = true;
}

Result<bool, StateError> RowChunks::write(StateStore& store, StateSnapshot& before,
                                          PartitionId partition, std::uint64_t first,
                                          std::uint64_t next) {
    if (rows_ > 0 && changed_) full_.push_back({first_, bytes_, stored_});
    const auto put = [&](const Chunk& chunk) {
        const NumberKey key(partition, chunk.first);
        return chunk.stored ? store.put(table_, key, chunk.bytes)
                            : store.put_append(table_, key, chunk.bytes);
    };
    bool all_erased = true;
    if (trimmed_) {
        auto erased = erase_trimmed(store, before, partition, first, next);
        if (!erased) return erased;
        all_erased = *erased;
    }
    for (std::size_t i = 0; i < full_.size(); ++i) {
        const std::uint64_t end = i + 1 < full_.size() ? full_[i + 1].first : next;
        if (end <= first) continue;
        if (auto done = put(full_[i]); !done) return fail(std::move(done).error());
    }
    return all_erased;
}

Result<bool, StateError> RowChunks::erase_trimmed(StateStore& store, StateSnapshot& before,
                                                  PartitionId partition, std::uint64_t first,
                                                  std::uint64_t next) {
    // The chunk that holds `first` and those behind it stay.
    std::uint64_t kept = next;
    if (first < next) {
        bool found = false;
        for (const Chunk& chunk : full_) {
            if (chunk.first > first) break;
            kept = chunk.first;
            found = true;
        }
        if (!found) {
            auto row = before.floor(table_, NumberKey(partition, first));
            if (!row) return fail(std::move(row).error());
            PartitionId owner = 0;
            if (!*row || !number_of_key((*row)->key, owner, kept) || owner != partition) {
                return fail(StateError{StateError::Kind::damaged,
                                       "table " + std::string(name_of(table_)) + ": partition " +
                                           std::to_string(partition) + " has no row for " +
                                           std::to_string(first) + "; restore a backup"});
            }
        }
    }
    auto erased =
        store.erase_range(table_, NumberKey(partition, 0), NumberKey(partition, kept), kTrimBudget);
    if (!erased) return fail(std::move(erased).error());
    return *erased < kTrimBudget;
}

void RowChunks::clear() {
    open_ = trimmed_ = changed_ = stored_ = false;
    first_ = rows_ = 0;
    bytes_.clear();
    full_.clear();
}

}  // namespace scanmq::broker
