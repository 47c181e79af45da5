#include "broker/server/storage_sink.hpp"

namespace scanmq::broker {

bool StorageSink::check(const Restorer::Done& done) {
    if (done) return true;
    problem_ = done.error();
    return false;
}

bool StorageSink::broker(const BrokerRow& row, bool restored) {
    broker_ = row;
    restored_ = restored;
    return true;
}

bool StorageSink::queue(PartitionId partition, const QueueRow& row) {
    if (!restored_) return check(restorer_.queue(partition, row));
    QueueRow renewed = row;
    renewed.incarnation = random_id(rng_);
    ArchiveWriter writer(renewed_[partition], nullptr);
    renewed.fields(writer);
    return check(restorer_.queue(partition, renewed));
}

bool StorageSink::group(PartitionId partition, const Id128& id, const GroupRow& row) {
    return check(restorer_.group(partition, id, row));
}

bool StorageSink::execution(PartitionId partition, std::uint64_t number, const ExecutionRow& row,
                            const RunRow* run) {
    ++executions_;
    return check(
        restorer_.execution(partition, number, row, run, bodies_.put_cold(row.payload.key)));
}

bool StorageSink::entry(PartitionId partition, std::uint64_t offset, const EntryRow& row) {
    ++entries_;
    BodyHandle body;
    if (row.kind == protocol::EntryKind::job && row.body.key.kind != BodyKey::Kind::none) {
        body = row.body.key == last_key_ ? last_body_ : bodies_.put_cold(row.body.key);
        last_key_ = row.body.key;
        last_body_ = body;
    }
    return check(restorer_.entry(partition, offset, row, body));
}

bool StorageSink::id(PartitionId partition, std::uint64_t position, const IdRow& row) {
    return check(restorer_.id(partition, position, row));
}

bool StorageSink::flow(PartitionId partition, std::string_view name, const FlowRow& row) {
    return check(restorer_.flow(partition, name, row));
}

bool StorageSink::cursor(PartitionId partition, std::string_view name, const CursorRow& row) {
    return check(restorer_.cursor(partition, name, row));
}

bool StorageSink::dead(PartitionId partition, std::uint64_t number, const DeadRow& row,
                       const ExecutionRow& execution) {
    return check(
        restorer_.dead(partition, number, row, execution, bodies_.put_cold(execution.payload.key)));
}

bool StorageSink::alias(std::string_view alias, const AliasRow& row) {
    restorer_.alias(alias, row);
    return true;
}

bool StorageSink::standing(PartitionId partition, std::string_view name, const StandingRow& row,
                           const StandingRunRow& run) {
    return check(restorer_.standing(partition, name, row, run));
}

Result<void, StateError> StorageSink::keep_incarnations(StateStore& state) const {
    if (auto begun = state.begin(); !begun) return begun;
    for (const auto& [partition, row] : renewed_) {
        if (auto put = state.put(Table::queues, NumberKey(partition), row); !put) return put;
    }
    if (auto done = state.commit(); !done) return done;
    return mark_settled(state);
}

}  // namespace scanmq::broker
