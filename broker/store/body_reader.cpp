#include "broker/store/body_reader.hpp"

namespace scanmq::broker {

Failure<StateError> BodyReader::damage(const BodyKey& key) {
    return fail(StateError{
        StateError::Kind::damaged,
        std::string(key.kind == BodyKey::Kind::payload ? "payload " : "result ") +
            std::to_string(key.number) + " of partition " + std::to_string(key.partition) +
            ": the row cannot be read; restore a backup"});
}

void BodyReader::rest() noexcept {
    snapshot_.reset();
    chunk_ = {};
}

Result<void, StateError> BodyReader::renew() {
    const std::uint64_t newest = store_->generation();
    if (snapshot_ && generation_ == newest) return {};
    rest();
    generation_ = newest;  // read before: a commit in between is seen next time
    auto snapshot = store_->snapshot();
    if (!snapshot) return fail(std::move(snapshot).error());
    snapshot_ = std::move(*snapshot);
    return {};
}

BodyReader::Found BodyReader::read(const BodyKey& key) {
    if (key.kind == BodyKey::Kind::none) return std::optional<protocol::Body>();
    if (auto renewed = renew(); !renewed) return fail(std::move(renewed).error());
    return key.kind == BodyKey::Kind::payload ? payload(key) : result(key);
}

BodyReader::Found BodyReader::payload(const BodyKey& key) {
    const NumberKey number(key.partition, key.number);
    auto row = snapshot_->get(Table::executions, number);
    if (!row) return fail(std::move(row).error());
    if (*row) {
        if (!decode_row(**row, execution_)) return damage(key);
        return std::optional<protocol::Body>(execution_.payload.body);
    }
    row = snapshot_->get(Table::dead, number);
    if (!row) return fail(std::move(row).error());
    if (!*row) return std::optional<protocol::Body>();
    DeadRow dead;
    ArchiveReader reader(**row);
    dead.fields(reader);
    execution_.fields(reader);
    if (!reader.ok()) return damage(key);
    return std::optional<protocol::Body>(execution_.payload.body);
}

BodyReader::Found BodyReader::result(const BodyKey& key) {
    auto found = seek_entry(key);
    if (!found) return fail(std::move(found).error());
    // A result that entries share may outlive the first of them.
    if (!*found || entry_.in_results) return shared_result(key);
    return std::optional<protocol::Body>(entry_.body.body);
}

BodyReader::Found BodyReader::shared_result(const BodyKey& key) {
    auto found = snapshot_->ceiling(Table::results, NumberKey(key.partition, key.number));
    if (!found) return fail(std::move(found).error());
    if (!*found) return std::optional<protocol::Body>();
    PartitionId partition = 0;
    std::uint64_t last = 0;
    ResultRow row;
    if (!number_of_key((*found)->key, partition, last)) return damage(key);
    if (partition != key.partition) return std::optional<protocol::Body>();
    if (!decode_row((*found)->value, row)) return damage(key);
    if (last - key.number >= row.entries) return std::optional<protocol::Body>();
    return std::optional<protocol::Body>(row.body.body);
}

Result<bool, StateError> BodyReader::seek_entry(const BodyKey& key) {
    const bool near =
        chunk_.data() != nullptr && partition_ == key.partition && key.number >= chunk_first_;
    if (near) {
        // On from where the last one was found, or from the chunk's begin.
        if (key.number + 1 < next_) begin_chunk();
        auto found = walk(key);
        if (!found || *found) return found;
    }
    chunk_ = {};
    auto row = snapshot_->floor(Table::entries, NumberKey(key.partition, key.number));
    if (!row) return fail(std::move(row).error());
    if (!*row) return false;
    if (!number_of_key((*row)->key, partition_, chunk_first_)) return damage(key);
    if (partition_ != key.partition) return false;
    chunk_ = (*row)->value;
    begin_chunk();
    return walk(key);
}

void BodyReader::begin_chunk() noexcept {
    rest_ = ArchiveReader(chunk_);
    next_ = chunk_first_;
}

Result<bool, StateError> BodyReader::walk(const BodyKey& key) {
    while (next_ <= key.number) {
        if (rest_.at_end()) return false;
        entry_.fields(rest_);
        if (!rest_.ok()) {
            chunk_ = {};
            return damage(key);
        }
        ++next_;
    }
    return true;
}

}  // namespace scanmq::broker
