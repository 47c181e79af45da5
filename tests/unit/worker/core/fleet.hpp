#pragma once
// Fleet: several WorkerCores in virtual time, their threads, and a broker that is as unfair as credit
//        allows: whatever the first worker may still be sent, it is sent.
//
// Frames take `delay` each way; a job takes as long as its submission said.

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "worker/core/worker_core.hpp"

namespace scanmq::worker::test {

class Fleet {
  public:
    Fleet(std::uint32_t workers, std::uint32_t threads, Duration delay,
          std::uint32_t remote_slots = 0)
        : delay_(delay), threads_(threads), remote_(remote_slots > 0) {
        for (std::uint32_t i = 0; i < workers; ++i) {
            WorkerOptions options;
            options.threads = threads;
            options.progress_interval = {};
            nodes_.push_back(std::make_unique<Node>(options, now_));
            Node& node = *nodes_.back();
            if (remote_) {
                GateEvent gate;
                gate.slots = remote_slots;
                feed(node, gate);
            }
            feed(node, ConnectedEvent{});
        }
    }

    // A job that takes this long, now.
    void submit(Duration service) {
        queue_.push_back(service);
        dispatch();
    }
    void set_slots(std::size_t worker, std::uint32_t slots) {
        GateEvent gate;
        gate.slots = slots;
        feed(*nodes_[worker], gate);
    }
    // Runs what happens until then.
    void run(Duration length) {
        const Time end = now_ + length;
        for (;;) {
            Time next = end;
            Node* due = nullptr;
            for (auto& node : nodes_) {
                const auto deadline = node->core.next_deadline();
                if (deadline && *deadline < next) {
                    next = std::max(now_, *deadline);
                    due = node.get();
                }
            }
            if (!events_.empty() && events_.begin()->first <= next) {
                pass(events_.begin()->first);
                auto event = std::move(events_.begin()->second);
                events_.erase(events_.begin());
                event();
                continue;
            }
            pass(next);
            if (due == nullptr) return;
            due->effects.clear();
            due->core.tick(now_, due->effects);
            carry_out(*due);
        }
    }

    [[nodiscard]] std::size_t waiting() const { return queue_.size(); }
    [[nodiscard]] std::uint64_t done() const { return done_; }
    [[nodiscard]] std::uint32_t busy(std::size_t worker) const { return nodes_[worker]->busy; }
    // Attempts at this worker that no thread has begun.
    [[nodiscard]] std::uint32_t unbegun(std::size_t worker) const {
        const Node& node = *nodes_[worker];
        return static_cast<std::uint32_t>(node.services.size()) - node.busy;
    }
    [[nodiscard]] const WorkerCore& core(std::size_t worker) const { return nodes_[worker]->core; }
    // The longest time that one worker had a free thread while another sat on work.
    [[nodiscard]] Duration hoarded_longest() const { return hoarded_longest_; }
    // Mean of busy threads of all workers, since the last reset().
    [[nodiscard]] double busy_mean() const {
        return busy_time_ / static_cast<double>(passed_.count());
    }
    void reset() {
        hoarded_longest_ = {};
        hoarding_since_.reset();
        busy_time_ = 0.0;
        passed_ = {};
    }

  private:
    struct Node {
        Node(const WorkerOptions& options, Time now) : core(options, now) {}
        WorkerCore core;
        Effects effects;
        protocol::Credit limit;
        protocol::Credit sent;
        std::uint64_t counter = 0;
        std::map<std::uint32_t, std::pair<const std::uint64_t, Duration>> services;  // by slot
        std::map<std::uint64_t, Duration> delivered;  // by counter: under way to it
        std::deque<AttemptId> pool;
        std::uint32_t busy = 0;
    };

    static constexpr std::uint64_t kSession = 9;

    void at(Time when, std::function<void()> what) { events_.emplace(when, std::move(what)); }

    void pass(Time to) {
        std::uint32_t busy = 0;
        bool idle = false;
        bool sits = false;
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            busy += nodes_[i]->busy;
            // Work under way to a worker is not idle time of it, it is the round trip.
            if (nodes_[i]->busy < threads_ && nodes_[i]->delivered.empty()) idle = true;
            if (unbegun(i) > 0 && nodes_[i]->busy >= threads_) sits = true;
        }
        busy_time_ += static_cast<double>(busy) * static_cast<double>((to - now_).count());
        passed_ += to - now_;
        if (idle && sits) {
            if (!hoarding_since_) hoarding_since_ = now_;
            hoarded_longest_ = std::max(hoarded_longest_, to - *hoarding_since_);
        } else {
            hoarding_since_.reset();
        }
        now_ = to;
    }

    void feed(Node& node, const Event& event) {
        node.effects.clear();
        node.core.handle({&event, 1}, now_, node.effects);
        carry_out(node);
    }
    void to_worker(Node& node, protocol::Message message) {
        auto frame = std::make_shared<protocol::Frame>();
        const protocol::SessionId session{
            std::holds_alternative<protocol::Welcome>(message) ? 0 : kSession};
        frame->header = {protocol::kBroker, session, 1};
        frame->message = std::move(message);
        at(now_ + delay_, [this, &node, frame] { feed(node, FrameEvent{frame.get()}); });
    }

    void carry_out(Node& node) {
        ASSERT_FALSE(node.effects.reconnect);
        Effects effects = std::move(node.effects);
        node.effects = {};
        for (const Taken& taken : effects.taken) {
            node.services.emplace(taken.id.slot, *node.delivered.find(taken.attempt->counter));
            node.delivered.erase(taken.attempt->counter);
        }
        for (Send& send : effects.sends) {
            auto message = std::make_shared<protocol::Message>(std::move(send.message));
            // What an outcome borrows is not looked at by this broker.
            at(now_ + delay_, [this, &node, message] { receive(node, *message); });
        }
        for (const AttemptId id : effects.starts) {
            node.pool.push_back(id);
            begin_next(node);
        }
        for (const AttemptId id : effects.recalls) {
            if (std::erase(node.pool, id) == 0) continue;
            at(now_, [this, &node, id] {
                feed(node, FinishedEvent{id, protocol::AttemptOutcome::returned, {}, {}, {}, {}});
            });
        }
        for (const AttemptId id : effects.releases) node.services.erase(id.slot);
    }
    void begin_next(Node& node) {
        if (node.pool.empty() || (!remote_ && node.busy == threads_)) return;
        const AttemptId id = node.pool.front();
        node.pool.pop_front();
        ++node.busy;
        const Duration service = node.services.at(id.slot).second;
        at(now_ + service, [this, &node, id, service] {
            --node.busy;
            begin_next(node);
            feed(node, FinishedEvent{id, protocol::AttemptOutcome::done, "r", {}, {}, service});
        });
    }

    void receive(Node& node, const protocol::Message& message) {
        const auto raise = [&node](protocol::Credit to) {
            node.limit = {std::max(node.limit.items, to.items),
                          std::max(node.limit.bytes, to.bytes)};
        };
        if (std::holds_alternative<protocol::Hello>(message)) {
            protocol::Welcome welcome;
            welcome.session = {kSession};
            welcome.epoch = 1;
            welcome.heartbeat_ms = 2500;
            welcome.dead_after_ms = 7500;
            to_worker(node, std::move(welcome));
        } else if (const auto* beat = std::get_if<protocol::Heartbeat>(&message)) {
            if (beat->ping != 0) to_worker(node, protocol::Heartbeat{0, beat->ping, {}});
        } else if (std::holds_alternative<protocol::Reclaim>(message)) {
            node.limit = node.sent;
            to_worker(node, protocol::Reclaimed{{}, node.sent});
        } else if (const auto* credit = std::get_if<protocol::CreditGrant>(&message)) {
            raise(credit->limit);
        } else if (const auto* done = std::get_if<protocol::Done>(&message)) {
            for (const auto& outcome : done->outcomes) {
                const auto job = jobs_.find({&node, outcome.counter});
                if (outcome.outcome == protocol::AttemptOutcome::returned) {
                    queue_.push_front(job->second);
                } else {
                    ++done_;
                }
                jobs_.erase(job);
            }
            raise(done->limit);
        }
        dispatch();
    }

    void dispatch() {
        for (auto& node : nodes_) {
            const std::uint64_t room = node->limit.items - node->sent.items;
            const std::uint64_t n = std::min<std::uint64_t>(room, queue_.size());
            if (n == 0) continue;
            protocol::Deliver deliver{1, "scans", {}};
            for (std::uint64_t i = 0; i < n; ++i) {
                deliver.attempts.push_back({++node->counter, {}, "SPY", {"p", 0}, {}});
                node->delivered[node->counter] = queue_.front();
                jobs_[{node.get(), node->counter}] = queue_.front();
                queue_.pop_front();
            }
            node->sent.items += n;
            node->sent.bytes += n * 65;
            to_worker(*node, std::move(deliver));
        }
    }

    Time now_{std::chrono::seconds(1000)};
    Duration delay_;
    std::uint32_t threads_;
    bool remote_;
    std::vector<std::unique_ptr<Node>> nodes_;
    std::multimap<Time, std::function<void()>> events_;
    std::deque<Duration> queue_;
    std::map<std::pair<Node*, std::uint64_t>, Duration> jobs_;
    std::uint64_t done_ = 0;
    Duration hoarded_longest_{};
    std::optional<Time> hoarding_since_;
    double busy_time_ = 0.0;
    Duration passed_{};
};

}  // namespace scanmq::worker::test
