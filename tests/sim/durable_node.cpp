#include "tests/sim/durable_node.hpp"

#include "common/protocol/codec.hpp"

namespace scanmq::sim {

using namespace std::chrono_literals;
using client::SubscriptionState;

DurableNode::DurableNode(World& world, Network& network, Oracle& oracle, const Options& options,
                         std::string name, std::vector<std::string> queues, std::string pattern)
    : ClientNode(world, network, oracle, options, std::move(name), protocol::kSubscriber),
      queues_(std::move(queues)),
      pattern_(std::move(pattern)) {}

void DurableNode::start() {
    ClientNode::start();
    follows_.clear();
    for (const std::string& queue : queues_) subscribe(queue, follows_[queue]);
}

void DurableNode::subscribe(const std::string& queue, Follow& follow) {
    client::StreamOptions o;
    o.queue = queue;
    o.pattern = pattern_;
    o.from = protocol::StartFrom::earliest;
    o.on_reset = client::ResetPolicy::earliest;
    o.durable_name = name();
    o.auto_ack = false;
    o.credit_items = options_.subscriber_credit;
    const auto id = core().subscribe(o, effects());
    if (!id) world_.fail(name() + " cannot subscribe: " + id.error().sentence);
    follow = {};
    follow.subscription = *id;
    commit();
}

void DurableNode::program() {
    for (auto& [queue, follow] : follows_) {
        if (follow.subscription != 0) {
            const client::SubscriptionInfo* info = core().subscription(follow.subscription);
            if (info->state != SubscriptionState::failed) {
                acknowledge(follow);
                continue;
            }
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

void DurableNode::acknowledge(Follow& follow) {
    const auto memory = memory_.find(follow.incarnation);
    if (memory == memory_.end() || memory->second.next == follow.acknowledged) return;
    const Time at = std::max(stuck_until_, ack_at_);
    if (now() < at) return arm(at);
    // Beyond what this session was handed again: a little later.
    if (core().ack(follow.subscription, memory->second.next, client_now(), effects())) {
        follow.acknowledged = memory->second.next;
    } else {
        arm(now() + 100ms);
    }
    commit();
}

void DurableNode::on_change(std::uint64_t subscription) {
    for (auto& [queue, follow] : follows_) {
        if (follow.subscription != subscription) continue;
        const client::SubscriptionInfo& info = *core().subscription(subscription);
        if (info.state == SubscriptionState::active) begin(queue, follow, info);
        return;
    }
}

void DurableNode::begin(const std::string& queue, Follow& follow,
                        const client::SubscriptionInfo& info) {
    const Id128& incarnation = info.position.incarnation;
    const std::uint64_t next = info.position.next_offset;
    if (follow.incarnation == incarnation && follow.resets == info.resets) return;
    follow.resets = info.resets;
    follow.incarnation = incarnation;
    follow.acknowledged = next;
    const auto [at, fresh] = memory_.try_emplace(incarnation);
    if (fresh) {
        at->second.begin = at->second.next = next;
    } else if (pattern_ == ">" && next > at->second.next) {
        world_.fail(name() + " is at " + std::to_string(at->second.next) + " of '" + queue +
                    "', and begins again at " + std::to_string(next));
    }
}

void DurableNode::take(const std::string& queue, const Follow& follow, Memory& memory,
                       const protocol::Entry& entry) {
    if (pattern_ == ">" && entry.offset > memory.next) {
        world_.fail(name() + " gets offset " + std::to_string(entry.offset) + " of '" + queue +
                    "', expected was " + std::to_string(memory.next));
    }
    memory.seen.insert(entry.offset);
    memory.next = std::max(memory.next, entry.offset + 1);
    oracle_.seen(name(), queue, follow.incarnation, entry);
}

void DurableNode::on_entries(const client::EntriesArrived& arrived,
                             const protocol::Results& results) {
    for (auto& [queue, follow] : follows_) {
        if (follow.subscription != arrived.subscription) continue;
        begin(queue, follow, *core().subscription(arrived.subscription));
        if (follow.incarnation != arrived.incarnation) {
            world_.fail(name() + " gets entries of another stream than it was told");
        }
        Memory& memory = memory_.at(follow.incarnation);
        if (results.gap) {
            if (options_.lossless != 0) {
                world_.fail(name() + " is told a gap of '" + queue + "', which is lossless, from " +
                            std::to_string(results.gap->from) + " to " +
                            std::to_string(results.gap->to));
            }
            memory.next = std::max(memory.next, results.gap->to);
        }
        for (std::size_t i = arrived.skipped; i < results.entries.size(); ++i) {
            take(queue, follow, memory, results.entries[i]);
        }
        memory.next = std::max(memory.next, results.next_offset);
        if (ack_at_ < now()) ack_at_ = now() + world_.between(0ms, 400ms);
        return;
    }
}

void DurableNode::stick(Duration how_long) {
    trace("acknowledges nothing for a while");
    stuck_until_ = std::max(stuck_until_, now() + how_long);
}

void DurableNode::heal() {
    stuck_until_ = {};
    if (!running()) start();
    wake();
}

void DurableNode::crash_and_restart(Duration down) {
    if (!running()) return;
    crash();
    follows_.clear();
    world_.after(down, [this] {
        if (!running()) start();
    });
}

bool DurableNode::caught_up() const {
    if (!running()) return false;
    for (const auto& [queue, follow] : follows_) {
        const ModelPartition* part = oracle_.model().find(queue);
        if (part == nullptr) return false;
        if (part->entries.empty()) continue;
        const auto memory = memory_.find(part->incarnation);
        if (memory == memory_.end() || memory->second.next != part->entries.size()) return false;
    }
    return true;
}

std::string DurableNode::state() const {
    std::string out = session_state();
    for (const auto& [queue, follow] : follows_) {
        const ModelPartition* part = oracle_.model().find(queue);
        const auto memory = memory_.find(follow.incarnation);
        out += ", '" + queue + "' at " +
               std::to_string(memory == memory_.end() ? 0 : memory->second.next) +
               ", acknowledged " + std::to_string(follow.acknowledged) + ", of " +
               std::to_string(part == nullptr ? 0 : part->entries.size());
    }
    return out;
}

void DurableNode::check_complete() const {
    if (options_.lossless == 0) return;
    for (const std::string& queue : queues_) {
        const ModelPartition* part = oracle_.model().find(queue);
        if (part == nullptr) continue;
        const auto found = memory_.find(part->incarnation);
        if (found == memory_.end()) continue;
        const Memory& memory = found->second;
        for (std::uint64_t offset = memory.begin; offset < part->entries.size(); ++offset) {
            const ModelEntry& entry = part->entries[offset];
            const bool owed =
                entry.kind == protocol::EntryKind::group ||
                protocol::subject_matches(pattern_, oracle_.subject_of(queue, *part, entry.id));
            if (owed && !memory.seen.contains(offset)) {
                world_.fail(name() + " never got offset " + std::to_string(offset) + " of '" +
                            queue + "', which is lossless");
            }
        }
    }
}

}  // namespace scanmq::sim
