// The operator's part for what jobs read: aliases that move, standing scans.

#include "tests/sim/operator_node.hpp"

namespace scanmq::sim {

using namespace std::chrono_literals;
using protocol::ErrorCode;

void OperatorNode::move_alias() {
    set_alias(Work::alias_name(world_.rng.below(options_.aliases)), world_.chance(0.1));
}

void OperatorNode::remove_aliases() {
    restoring_ = false;
    for (std::uint64_t i = 0; i < options_.aliases; ++i) set_alias(Work::alias_name(i), true);
}

void OperatorNode::set_alias(const std::string& alias, bool remove) {
    ContentId id;
    if (!remove) {
        id = work_.snapshots().any();
        if (!work_.snapshots().put(id)) {
            if (!restoring_) return;
            ++waiting_;
            world_.after(300ms, [this, alias] {
                --waiting_;
                set_alias(alias, false);
            });
            return;
        }
    }
    oracle_.sets_alias(alias);
    ++requests_of_[alias];
    request(alias, protocol::AliasSet{alias, id});
}

void OperatorNode::answered_alias(const std::string& alias, const client::RequestDone& done,
                                  const ContentId& id) {
    const bool last = --requests_of_[alias] == 0;
    if (done.reply.ok()) {
        if (last) oracle_.alias_set(alias, id);
        return;
    }
    const ErrorCode code = done.reply.error().code;
    // The blob was put, and made place for another meanwhile; or there was no answer.
    if (code != ErrorCode::unknown_blob && code != ErrorCode::none) {
        world_.fail("the operator is refused an alias: " + done.reply.error().sentence);
    }
    if (restoring_) set_alias(alias, false);
}

void OperatorNode::standing_one() {
    const std::string name = "standing " + std::to_string(world_.rng.below(options_.standing));
    if (world_.chance(0.7)) return set_standing(name);
    oracle_.sets_standing(name);
    ++requests_of_[name];
    request(name, protocol::StandingDrop{name});
}

void OperatorNode::set_standing(const std::string& name) {
    Work::Request what = work_.any_request(options_.aliases);
    protocol::StandingSet set;
    set.name = name;
    set.queue = queues_[world_.rng.below(queues_.size())];
    set.subject = world_.chance(0.5) ? "SPY.iron_condor" : "";
    // The request may have to wait for a session.
    set.payload.bytes = payloads_.emplace_back(std::move(what.payload));
    set.aliases = std::move(what.aliases);
    set.min_interval_ms = world_.chance(0.5) ? world_.rng.below(3'000) : 0;
    set.options = std::make_unique<protocol::JobOptions>();
    set.options->flags = protocol::JobOptions::kPure;
    set.options->priority = static_cast<std::uint32_t>(world_.rng.below(10));
    if (options_.features.deadline && world_.chance(0.3)) {
        set.options->deadline_ms = 1 + world_.rng.below(10'000);
    }
    oracle_.sets_standing(name);
    ++requests_of_[name];
    request(name, std::move(set));
}

void OperatorNode::answered_standing(const std::string& name, const client::RequestDone& done,
                                     const std::string& queue) {
    const bool last = --requests_of_[name] == 0;
    const ErrorCode code = done.reply.ok() ? ErrorCode::none : done.reply.error().code;
    if (done.reply.ok() || code == ErrorCode::unknown_standing) {
        if (last) oracle_.standing_set(name, done.reply.ok() ? queue : std::string());
        return;
    }
    if (code != ErrorCode::unknown_queue && code != ErrorCode::none) {
        world_.fail("the operator is refused a standing scan: " + done.reply.error().sentence);
    }
}

}  // namespace scanmq::sim
