#include "broker/store/checkpoint.hpp"

namespace scanmq::broker {

Result<Checkpoint::Step, StateError> Checkpoint::run_once() {
    auto step = collect();
    if (!step) {
        materialiser_.drop();
        return step;
    }
    auto written = materialiser_.write();
    if (!written) {
        materialiser_.drop();
        return fail(std::move(written).error());
    }
    step->position = written->position;
    step->more = step->more || written->more;
    if (written->position == 0) return step;
    if (auto released = log_->release(written->position); !released) {
        return fail(StateError{StateError::Kind::io, std::move(released).error().sentence});
    }
    return step;
}

Result<Checkpoint::Step, StateError> Checkpoint::collect() {
    Step step;
    auto position = materialiser_.position();
    if (!position) return fail(std::move(position).error());
    std::optional<StateError> failed;
    const auto read =
        log_->read(*position, [&](const RecordView& record) -> Result<void, LogError> {
            if (step.bytes > 0 && step.bytes + record.changes.size() > options_.bytes_max) {
                step.more = true;
                return fail(LogError{});  // ends the reading
            }
            if (auto added = materialiser_.add(record); !added) {
                failed = std::move(added).error();
                return fail(LogError{});
            }
            step.bytes += record.changes.size();
            ++step.records;
            return {};
        });
    if (failed) return fail(std::move(*failed));
    if (!read && !step.more) {
        return fail(StateError{StateError::Kind::io, read.error().sentence});
    }
    return step;
}

Result<Checkpoint::Step, StateError> Checkpoint::run_all() {
    Step all;
    for (;;) {
        auto step = run_once();
        if (!step) return step;
        all.position = step->position;
        all.records += step->records;
        all.bytes += step->bytes;
        if (!step->more) return all;
    }
}

}  // namespace scanmq::broker
