#pragma once
// ListLog: a CommitLog of records that a test made.

#include <vector>

#include "tests/unit/broker/store/record_maker.hpp"

namespace scanmq::broker {

class ListLog final : public CommitLog {
  public:
    std::vector<MadeRecord> records;
    LogPosition released = 0;

    Result<LogPosition, LogError> append(std::span<const CommitRecord>, const BodyStore&) override {
        return fail(LogError{"not of this log"});
    }
    [[nodiscard]] LogPosition durable() const override {
        return records.empty() ? 0 : records.back().position;
    }
    void set_wake(std::function<void()>) override {}
    Result<void, LogError> read(LogPosition after, const Visit& visit) override {
        if (after < released) return fail(LogError{"released already"});
        for (const MadeRecord& record : records) {
            if (record.position <= after) continue;
            if (auto done = visit(record.view()); !done) return done;
        }
        return {};
    }
    Result<void, LogError> release(LogPosition up_to) override {
        released = std::max(released, up_to);
        return {};
    }
};

}  // namespace scanmq::broker
