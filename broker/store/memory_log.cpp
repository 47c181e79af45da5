#include "broker/store/memory_log.hpp"

namespace scanmq::broker {

Result<LogPosition, LogError> MemoryLog::append(std::span<const CommitRecord> records,
                                                const BodyStore& /*bodies*/) {
    for (const CommitRecord& record : records) {
        std::uint64_t& last = last_[record.partition];
        if (record.previous != last || record.sequence <= last) {
            return fail(LogError{"partition " + std::to_string(record.partition) + ": record " +
                                 std::to_string(record.sequence) + " follows " +
                                 std::to_string(record.previous) + ", the log ends at " +
                                 std::to_string(last) + "; this is a defect of the broker"});
        }
        last = record.sequence;
        ++position_;
    }
    return position_;
}

}  // namespace scanmq::broker
