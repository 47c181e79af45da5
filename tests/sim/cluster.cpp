#include "tests/sim/cluster.hpp"

#include <array>

namespace scanmq::sim {

using namespace std::chrono_literals;

namespace {

constexpr std::array kPatterns{">", ">", ">", "SPY.>", "*.iron_condor"};
constexpr Duration kLook = 100ms;

// A target's breaker lets three calls that fail through in two seconds, and what is left may be many of
// those: they take their time by right.
Duration heal_limit(const Options& options) {
    if (!options.remote) return options.heal;
    const FaultOptions& f = options.faults;
    const double failing = f.fail_share * (0.8 + 0.2 * options.max_attempts) +
                           (f.slow_share + f.wedge_share + f.poison_share) * options.max_attempts;
    return options.heal +
           std::chrono::milliseconds(static_cast<std::int64_t>(failing * options.jobs * 1'000));
}

}  // namespace

Cluster::Cluster(const Options& options)
    : options_(options),
      world_(options.seed, options.trace),
      network_(world_),
      oracle_(world_, options_),
      snapshots_(world_, options_.snapshots),
      work_(world_, options_.faults, snapshots_),
      fleet_(world_, options_),
      target_(world_, work_) {
    for (std::uint32_t i = 0; i < options_.queues; ++i) queues_.push_back("q" + std::to_string(i));
    make_nodes();
}

void Cluster::make_nodes() {
    broker_ =
        std::make_unique<BrokerNode>(world_, network_, oracle_, options_, snapshots_, queues_);
    for (std::uint32_t i = 0; i < options_.workers; ++i) {
        workers_.push_back(std::make_unique<WorkerNode>(world_, network_, options_, work_, fleet_,
                                                        options_.remote ? &target_ : nullptr,
                                                        "worker" + std::to_string(i)));
    }
    for (std::uint32_t i = 0; i < options_.producers; ++i) {
        producers_.push_back(std::make_unique<ProducerNode>(
            world_, network_, oracle_, options_, work_, "producer" + std::to_string(i), queues_));
    }
    for (std::uint32_t i = 0; i < options_.subscribers; ++i) {
        const char* pattern = i == 0 ? ">" : kPatterns[world_.rng.below(kPatterns.size())];
        subscribers_.push_back(std::make_unique<SubscriberNode>(world_, network_, oracle_, options_,
                                                                "subscriber" + std::to_string(i),
                                                                queues_, pattern));
    }
    for (std::uint32_t i = 0; i < options_.durable_subscribers; ++i) {
        durables_.push_back(std::make_unique<DurableNode>(world_, network_, oracle_, options_,
                                                          "durable" + std::to_string(i), queues_,
                                                          kPatterns.at(3 * i % kPatterns.size())));
    }
    operator_ = std::make_unique<OperatorNode>(world_, network_, oracle_, options_, fleet_, work_,
                                               queues_, broker_->queue_settings());
}

Summary Cluster::run() {
    busy_until_ = world_.now() + options_.busy;
    broker_->start();
    for (auto& worker : workers_) worker->start();
    for (auto& subscriber : subscribers_) subscriber->start();
    for (auto& durable : durables_) durable->start();
    operator_->start();
    for (auto& producer : producers_) {
        producer->start();
        producer->plan(options_.jobs / options_.producers, options_.busy);
    }
    schedule_faults();
    if (!durables_.empty()) schedule_durable_faults();
    while (world_.step(busy_until_)) {
    }
    const Time healing = world_.now();
    heal();
    Summary out;
    out.healed_in = world_.now() - healing;
    audit();
    out.counts = oracle_.counts();
    const auto rows = broker_->query("counters", "");
    for (const protocol::Row& row : rows ? *rows : std::vector<protocol::Row>{}) {
        out.reached[std::get<std::string>(row[0].second)] = std::get<std::uint64_t>(row[1].second);
    }
    out.events = world_.events();
    out.frames = network_.frames();
    out.digest = world_.digest();
    return out;
}

void Cluster::repeat(Duration every, std::function<void()> what) {
    if (every == Duration{}) return;
    world_.after(world_.next_in(every), [this, every, what = std::move(what)] {
        if (world_.now() >= busy_until_) return;
        what();
        repeat(every, what);
    });
}

Dealer& Cluster::any_dealer() {
    const std::uint64_t dice =
        world_.rng.below(workers_.size() + producers_.size() + subscribers_.size() + 1);
    if (dice < workers_.size()) return workers_[dice]->dealer();
    if (dice < workers_.size() + producers_.size()) {
        return producers_[dice - workers_.size()]->dealer();
    }
    if (dice == workers_.size() + producers_.size() + subscribers_.size()) {
        return operator_->dealer();
    }
    return subscribers_[dice - workers_.size() - producers_.size()]->dealer();
}

Node& Cluster::any_node() {
    switch (world_.rng.below(4)) {
        case 0:
            return any(workers_);
        case 1:
            return any(subscribers_);
        case 2:
            if (!options_.durable || options_.features.wall_jumps) return *broker_;
            [[fallthrough]];
        default:
            return any(producers_);
    }
}

void Cluster::schedule_faults() {
    const FaultOptions& f = options_.faults;
    const auto down = [this] { return world_.between(1ms, 5s); };
    const auto while_ = [this, &f] { return world_.between(10ms, f.suspend_max); };
    repeat(f.break_every,
           [this, &f] { any_dealer().break_connection(world_.chance(f.silent_share)); });
    repeat(f.partition_every,
           [this, &f] { any_dealer().partition(world_.between(10ms, f.partition_max)); });
    repeat(f.spike_every,
           [this] { any_dealer().spike(world_.between(1ms, 2s), world_.between(10ms, 5s)); });
    repeat(f.worker_crash_every, [this, down] { any(workers_).crash(down()); });
    repeat(f.worker_suspend_every,
           [this, while_] { any(workers_).suspend(while_(), world_.chance(0.5)); });
    repeat(f.worker_drain_every, [this] { any(workers_).drain(); });
    repeat(f.producer_crash_every, [this, down, &f] {
        any(producers_).crash_and_restart(down(), world_.chance(f.forget_share));
    });
    repeat(f.subscriber_crash_every, [this, down] { any(subscribers_).crash_and_restart(down()); });
    repeat(f.broker_suspend_every,
           [this, while_] { broker_->suspend(while_(), world_.chance(0.5)); });
    repeat(f.wall_jump_every, [this] {
        any_node().jump_wall(static_cast<WallMillis>(world_.rng.below(7'200'000)) - 3'600'000);
    });
    repeat(f.delete_every, [this] { operator_->delete_one(); });
    if (options_.features.pause) {
        repeat(f.pause_every, [this] { operator_->control_one(); });
        if (!options_.durable || options_.features.retries_cold) {
            repeat(f.dead_every, [this] { operator_->retry_dead(); });
        }
    }
    if (options_.features.cancel) {
        repeat(f.cancel_every, [this] {
            std::string queue;
            Id128 id;
            if (any(producers_).any_job(queue, id)) operator_->cancel(queue, id);
        });
    }
    repeat(f.alter_every, [this] { operator_->alter_one(); });
    if (options_.remote) {
        repeat(f.target_fault_every,
               [this, &f] { target_.fault(world_.between(10ms, f.target_fault_max)); });
    }
    if (options_.versions > 1) {
        repeat(f.version_every, [this] { operator_->version_one(); });
        repeat(f.release_every, [this] { fleet_.release(); });
    }
    if (options_.aliases > 0) repeat(f.alias_every, [this] { operator_->move_alias(); });
    if (options_.standing > 0) repeat(f.standing_every, [this] { operator_->standing_one(); });
    repeat(f.flow_every, [this] { operator_->limit_flow(); });
    if (!broker_->store().survives()) return;
    repeat(f.broker_crash_every, [this, down] { broker_->crash(down()); });
    repeat(f.sync_slow_every, [this] { broker_->store().slow(world_.between(10ms, 3s)); });
    repeat(f.disk_full_every, [this] { broker_->store().fill(world_.between(100ms, 4s)); });
    repeat(f.sync_fail_every, [this] { broker_->store().fail_sync(); });
}

void Cluster::schedule_durable_faults() {
    const FaultOptions& f = options_.faults;
    repeat(f.stuck_every,
           [this, &f] { any(durables_).stick(world_.between(10ms, f.suspend_max)); });
    repeat(f.subscriber_crash_every,
           [this] { any(durables_).crash_and_restart(world_.between(1ms, 5s)); });
    repeat(2 * f.break_every,
           [this, &f] { any(durables_).dealer().break_connection(world_.chance(f.silent_share)); });
}

void Cluster::wait_for(const char* what, Duration limit, const std::function<bool()>& done) {
    const Time until = world_.now() + limit;
    while (!done()) {
        if (world_.now() >= until) {
            world_.fail(
                std::string("liveness: after ") +
                std::to_string(std::chrono::duration_cast<std::chrono::seconds>(limit).count()) +
                " s without faults, " + what + " is still not over:\n" + hanging());
        }
        const Time next = world_.now() + kLook;
        while (world_.step(next)) {
        }
    }
}

std::string Cluster::hanging() const {
    std::string out = oracle_.unfinished();
    const auto rows = broker_->query("queues", "");
    for (const protocol::Row& row : rows ? *rows : std::vector<protocol::Row>{}) {
        out += " ";
        for (const auto& [key, value] : row) {
            const auto* const number = std::get_if<std::uint64_t>(&value);
            const auto* const text = std::get_if<std::string>(&value);
            if (text == nullptr && *number == 0) continue;
            out += " " + key + "=" + (text == nullptr ? std::to_string(*number) : *text);
        }
        out += "\n";
    }
    for (const auto& producer : producers_) out += "  " + producer->state() + "\n";
    for (const auto& worker : workers_) out += "  " + worker->state() + "\n";
    for (const auto& subscriber : subscribers_) out += "  " + subscriber->state() + "\n";
    for (const auto& durable : durables_) out += "  " + durable->state() + "\n";
    return out + "  " + operator_->session_state() + (operator_->idle() ? "" : ", asks") + "\n";
}

void Cluster::heal() {
    world_.trace("cluster", "faults are over");
    broker_->store().heal();
    broker_->heal_clock();
    if (!broker_->running()) broker_->start();
    target_.heal();
    fleet_.heal();
    for (auto& worker : workers_) {
        worker->heal_clock();
        worker->dealer().heal();
        worker->heal(worker == workers_.front());
        if (!worker->running()) worker->start();
    }
    for (auto& subscriber : subscribers_) {
        subscriber->heal_clock();
        subscriber->dealer().heal();
        if (!subscriber->running()) subscriber->start();
    }
    for (auto& durable : durables_) {
        durable->heal_clock();
        durable->dealer().heal();
        durable->heal();
    }
    for (auto& producer : producers_) {
        producer->heal_clock();
        producer->dealer().heal();
        if (!producer->running()) producer->start();
        producer->finish();
    }
    operator_->heal_clock();
    operator_->dealer().heal();
    operator_->restore();
    wait_for("the work", heal_limit(options_), [this] {
        if (!operator_->idle() || !oracle_.unfinished().empty()) return false;
        for (const auto& producer : producers_) {
            if (!producer->idle()) return false;
        }
        for (const auto& subscriber : subscribers_) {
            if (!subscriber->caught_up()) return false;
        }
        for (const auto& durable : durables_) {
            if (!durable->caught_up()) return false;
        }
        return true;
    });
}

void Cluster::audit() {
    SubscriberNode& auditor = *subscribers_.emplace_back(std::make_unique<SubscriberNode>(
        world_, network_, oracle_, options_, "auditor", queues_, ">"));
    auditor.start();
    wait_for("the audit", 60s, [&] { return auditor.caught_up(); });
    oracle_.check_all();
    for (const auto& worker : workers_) worker->check_idle();
    for (const auto& durable : durables_) durable->check_complete();
    broker_->inspect();
    operator_->delete_all();
    wait_for("the end", 30s, [this] { return operator_->deleted() == queues_.size(); });
    operator_->remove_aliases();
    wait_for("the removal of aliases", 30s, [this] { return operator_->idle(); });
    if (broker_->pinned() != 0) {
        world_.fail(std::to_string(broker_->pinned()) +
                    " blobs are pinned, and nothing reads them");
    }
    if (broker_->bodies() != 0) {
        world_.fail(std::to_string(broker_->bodies()) + " bodies are held and no queue is there");
    }
}

}  // namespace scanmq::sim
