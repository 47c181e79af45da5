#include "tests/sim/subscriber_node.hpp"

#include "common/protocol/codec.hpp"

namespace scanmq::sim {

using namespace std::chrono_literals;
using client::SubscriptionState;

SubscriberNode::SubscriberNode(World& world, Network& network, Oracle& oracle,
                               const Options& options, std::string name,
                               std::vector<std::string> queues, std::string pattern)
    : ClientNode(world, network, oracle, options, std::move(name), protocol::kSubscriber),
      queues_(std::move(queues)),
      pattern_(std::move(pattern)) {}

void SubscriberNode::start() {
    ClientNode::start();
    follows_.clear();
    for (const std::string& queue : queues_) {
        Follow& follow = follows_[queue];
        follow.at = stored_[queue];
        subscribe(queue, follow);
    }
}

void SubscriberNode::subscribe(const std::string& queue, Follow& follow) {
    client::StreamOptions o;
    o.queue = queue;
    o.pattern = pattern_;
    o.from = protocol::StartFrom::earliest;
    if (!follow.at.incarnation.is_zero()) {
        o.from = protocol::StartFrom::offset;
        o.offset = follow.at.next;
        o.incarnation = follow.at.incarnation;
    }
    o.on_reset = client::ResetPolicy::earliest;
    o.credit_items = options_.subscriber_credit;
    const auto id = core().subscribe(o, effects());
    if (!id) world_.fail(name() + " cannot subscribe: " + id.error().sentence);
    follow.subscription = *id;
    follow.resets = 0;
    commit();
}

void SubscriberNode::program() {
    for (auto& [queue, follow] : follows_) {
        if (follow.subscription != 0) {
            const client::SubscriptionInfo* info = core().subscription(follow.subscription);
            if (info->state != SubscriptionState::failed) continue;
            if (info->code != protocol::ErrorCode::unknown_queue) {
                world_.fail(name() + "'s subscription to '" + queue +
                            "' failed: " + info->sentence);
            }
            core().unsubscribe(follow.subscription, effects());
            commit();
            follow.subscription = 0;
            follow.retry_at = now() + 500ms;
        }
        if (now() >= follow.retry_at) {
            subscribe(queue, follow);
        } else {
            arm(follow.retry_at);
        }
    }
}

// From earliest: the oldest that is kept.
void SubscriberNode::on_change(std::uint64_t subscription) {
    for (auto& [queue, follow] : follows_) {
        if (follow.subscription != subscription) continue;
        const client::SubscriptionInfo& info = *core().subscription(subscription);
        if (info.resets != follow.resets) {
            // It begins anew, maybe in the stream it was in: what it was told of was not durable.
            follow.resets = info.resets;
            follow.at = {};
        }
        const Id128& incarnation = info.position.incarnation;
        if (info.state != SubscriptionState::active || incarnation == follow.at.incarnation) return;
        const ModelPartition* part = oracle_.model().find(incarnation);
        if (part == nullptr || info.position.next_offset > part->first ||
            info.position.next_offset != info.first_offset) {
            world_.fail(name() + " does not start at the beginning of '" + queue + "'");
        }
        follow.at = {incarnation, info.position.next_offset};
        return;
    }
}

void SubscriberNode::on_entries(const client::EntriesArrived& arrived,
                                const protocol::Results& results) {
    for (auto& [queue, follow] : follows_) {
        if (follow.subscription != arrived.subscription) continue;
        Cursor& at = follow.at;
        if (at.incarnation != arrived.incarnation) {
            // It began and ended in one batch: what it began with is told with its end only.
            const client::StreamPosition& begin =
                core().subscription(arrived.subscription)->position;
            if (begin.incarnation == arrived.incarnation)
                at = {begin.incarnation, begin.next_offset};
        }
        if (at.incarnation != arrived.incarnation) {
            world_.fail(name() + " gets entries of another stream than it was told");
        }
        if (arrived.skipped != 0) world_.fail(name() + " is sent entries again");
        if (results.gap) {
            const ModelPartition* part = oracle_.model().find(arrived.incarnation);
            const bool follows =
                pattern_ == ">" ? results.gap->from == at.next : results.gap->from >= at.next;
            const bool right = follows && results.gap->to > results.gap->from && part != nullptr &&
                               results.gap->to <= part->first;
            if (!right) {
                world_.fail(name() + " is told a gap of '" + queue + "' from " +
                            std::to_string(results.gap->from) + " to " +
                            std::to_string(results.gap->to) + ", it is at " +
                            std::to_string(at.next));
            }
            at.next = results.gap->to;
        }
        for (const protocol::Entry& entry : results.entries) {
            const bool all = pattern_ == ">";
            if (entry.offset < at.next || (all && entry.offset != at.next)) {
                world_.fail(name() + " gets offset " + std::to_string(entry.offset) + " of '" +
                            queue + "', expected was " + std::to_string(at.next));
            }
            if (entry.kind == protocol::EntryKind::job &&
                !protocol::subject_matches(pattern_, entry.subject)) {
                world_.fail(name() + " gets an entry that its pattern does not match");
            }
            at.next = entry.offset + 1;
            oracle_.seen(name(), queue, arrived.incarnation, entry);
        }
        if (results.next_offset < at.next) {
            world_.fail(name() + " is told a next offset that lies behind it");
        }
        at.next = results.next_offset;
        if (world_.chance(0.5)) stored_[queue] = at;
        return;
    }
}

void SubscriberNode::crash_and_restart(Duration down) {
    if (!running()) return;
    crash();
    follows_.clear();
    world_.after(down, [this] {
        if (!running()) start();
    });
}

bool SubscriberNode::caught_up() const {
    if (!running()) return false;
    for (const auto& [queue, follow] : follows_) {
        const ModelPartition* part = oracle_.model().find(queue);
        if (part == nullptr) return false;
        const bool nothing = part->entries.empty() && follow.at.incarnation.is_zero();
        if (nothing) continue;
        if (follow.at.incarnation != part->incarnation && !part->entries.empty()) return false;
        if (follow.at.incarnation == part->incarnation && follow.at.next != part->entries.size()) {
            return false;
        }
    }
    return true;
}

std::string SubscriberNode::state() const {
    std::string out = session_state();
    for (const auto& [queue, follow] : follows_) {
        const ModelPartition* part = oracle_.model().find(queue);
        out += ", '" + queue + "' at " + std::to_string(follow.at.next) + " of " +
               std::to_string(part == nullptr ? 0 : part->entries.size());
    }
    return out;
}

}  // namespace scanmq::sim
