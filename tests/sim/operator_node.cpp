#include "tests/sim/operator_node.hpp"

namespace scanmq::sim {

using namespace std::chrono_literals;
using protocol::ErrorCode;
using protocol::Kind;

OperatorNode::OperatorNode(World& world, Network& network, Oracle& oracle, const Options& options,
                           Fleet& fleet, Work& work, std::vector<std::string> queues,
                           protocol::Settings settings)
    : ClientNode(world, network, oracle, options, "operator", protocol::kOperator),
      fleet_(fleet),
      work_(work),
      queues_(std::move(queues)),
      settings_(std::move(settings)) {}

void OperatorNode::request(const std::string& name, protocol::Message message) {
    Asked asked{.name = name, .kind = protocol::kind_of(message), .last = last_};
    if (const auto* set = std::get_if<protocol::QueueVersion>(&message)) {
        asked.version = set->scanner_version;
    }
    if (const auto* set = std::get_if<protocol::AliasSet>(&message)) asked.content_id = set->id;
    if (const auto* set = std::get_if<protocol::StandingSet>(&message)) asked.runs_in = set->queue;
    const std::uint64_t id = core().request(std::move(message), now() + 15s, effects());
    if (id == 0) world_.fail("the operator has too many requests under way");
    asked_[id] = std::move(asked);
    commit();
}

void OperatorNode::delete_one() {
    const std::string& queue = queues_[world_.rng.below(queues_.size())];
    if (missing_[queue]) return;
    request(queue, protocol::QueueDelete{queue, world_.chance(0.8)});
}

void OperatorNode::alter_one() {
    const std::string& queue = queues_[world_.rng.below(queues_.size())];
    protocol::Settings changes{{"max_jobs", 10 + world_.rng.below(500)}};
    if (options_.lossless != 0 && world_.chance(0.5)) {
        changes.emplace_back("stream_max_bytes", options_.stream_max_bytes / 2 +
                                                     world_.rng.below(options_.stream_max_bytes));
    }
    request(queue, protocol::QueueAlter{queue, std::move(changes)});
}

void OperatorNode::limit_flow() {
    const std::string& queue = queues_[world_.rng.below(queues_.size())];
    const std::string flow = Work::flow_name(world_.rng.below(Work::kFlows));
    protocol::Settings limits;
    if (world_.chance(0.8)) {
        limits = {{"weight", 1 + world_.rng.below(5)},
                  {"rate_per_s", world_.rng.below(2) * (20 + world_.rng.below(200))},
                  {"burst", 1 + world_.rng.below(20)},
                  {"in_flight_max", world_.rng.below(6)},
                  {"priority_max", world_.rng.below(10)}};
    }
    request(queue, protocol::FlowSet{queue, flow, std::move(limits)});
}

void OperatorNode::version_one() {
    const std::string& queue = queues_[world_.rng.below(queues_.size())];
    set_version(queue, world_.chance(0.4) ? std::string() : fleet_.any());
}

void OperatorNode::set_version(const std::string& queue, const std::string& version) {
    oracle_.sets_version(queue);
    ++version_requests_[queue];
    request(queue, protocol::QueueVersion{queue, version});
}

void OperatorNode::control_one() {
    using protocol::QueueAction;
    const std::string& queue = queues_[world_.rng.below(queues_.size())];
    const std::uint64_t dice = world_.rng.below(6);
    const QueueAction action = dice < 3   ? QueueAction::pause
                               : dice < 5 ? QueueAction::drain
                                          : QueueAction::purge;
    request(queue, protocol::QueueControl{queue, action});
    if (action == QueueAction::purge) return;
    world_.after(world_.between(1ms, 5s), [this, queue] {
        request(queue, protocol::QueueControl{queue, QueueAction::resume});
    });
}

void OperatorNode::retry_dead() {
    const std::string& queue = queues_[world_.rng.below(queues_.size())];
    const bool retry = world_.chance(0.7);
    request(queue,
            protocol::DeadLetters{
                queue, retry ? protocol::DeadAction::retry : protocol::DeadAction::drop, {}});
}

void OperatorNode::cancel(const std::string& queue, const Id128& id) {
    request(queue, protocol::Cancel{queue, {id}});
}

void OperatorNode::create(const std::string& queue) {
    missing_[queue] = true;
    request(queue, protocol::QueueCreate{queue, settings_});
}

void OperatorNode::restore() {
    restoring_ = true;
    for (std::uint64_t i = 0; i < options_.aliases; ++i) set_alias(Work::alias_name(i), false);
    for (const std::string& queue : queues_) {
        create(queue);
        request(queue, protocol::QueueControl{queue, protocol::QueueAction::resume});
    }
}

void OperatorNode::delete_all() {
    last_ = true;
    for (const std::string& queue : queues_) request(queue, protocol::QueueDelete{queue, false});
}

bool OperatorNode::idle() const {
    for (const auto& [queue, missing] : missing_) {
        if (missing) return false;
    }
    return asked_.empty() && waiting_ == 0;
}

void OperatorNode::on_request(client::RequestDone& done) {
    const auto found = asked_.find(done.request);
    if (found == asked_.end()) return;
    const Asked asked = found->second;
    asked_.erase(found);
    const ErrorCode code = done.reply.ok() ? ErrorCode::none : done.reply.error().code;
    const bool timed_out = !done.reply.ok() && code == ErrorCode::none;
    switch (asked.kind) {
        case Kind::queue_create:
            if (done.reply.ok() || code == ErrorCode::queue_exists) {
                missing_[asked.name] = false;
                if (restoring_) set_version(asked.name, fleet_.pinned());
                return;
            }
            if (!timed_out && code != ErrorCode::queue_in_use) break;
            world_.after(500ms, [this, asked] { create(asked.name); });
            return;
        case Kind::queue_delete:
            if (asked.last) {
                if (!done.reply.ok()) break;
                ++deleted_;
                return;
            }
            if (code == ErrorCode::queue_in_use) return;
            world_.after(world_.between(0ms, 3s), [this, asked] { create(asked.name); });
            return;
        case Kind::queue_version:
            --version_requests_[asked.name];
            if (timed_out && restoring_) return set_version(asked.name, fleet_.pinned());
            // Of those under way at once, only the last one's answer tells how it is.
            if (done.reply.ok() && version_requests_[asked.name] == 0) {
                oracle_.version_set(asked.name, asked.version);
            }
            if (done.reply.ok() || timed_out || code == ErrorCode::unknown_queue) return;
            break;
        case Kind::alias_set:
            return answered_alias(asked.name, done, asked.content_id);
        case Kind::standing_set:
        case Kind::standing_drop:
            return answered_standing(asked.name, done, asked.runs_in);
        default:
            if (done.reply.ok() || timed_out || code == ErrorCode::unknown_queue) return;
            // A repeated one, or of a queue that is new.
            if (asked.kind == Kind::flow_set && code == ErrorCode::unknown_flow) return;
            if (asked.kind == Kind::dead_letters &&
                (code == ErrorCode::queue_draining || code == ErrorCode::queue_full ||
                 code == ErrorCode::store_full)) {
                return;
            }
            break;
    }
    world_.fail("the operator is refused: " +
                (timed_out ? "no answer" : done.reply.error().sentence));
}

}  // namespace scanmq::sim
