#include "tests/sim/producer_node.hpp"

#include <array>

namespace scanmq::sim {

using namespace std::chrono_literals;
using protocol::ErrorCode;

namespace {

constexpr std::array kSubjects{"", "SPY", "SPY.iron_condor", "QQQ.spread", "IWM.iron_condor"};
constexpr Duration kRequestTimeout = 10s;

}  // namespace

ProducerNode::ProducerNode(World& world, Network& network, Oracle& oracle, const Options& options,
                           Work& work, std::string name, std::vector<std::string> queues)
    : ClientNode(world, network, oracle, options, std::move(name), protocol::kProducer),
      work_(work),
      queues_(std::move(queues)),
      ids_(world.rng.next()) {}

std::string ProducerNode::any_subject() { return kSubjects[world_.rng.below(kSubjects.size())]; }

void ProducerNode::start() {
    ClientNode::start();
    producers_.clear();
    for (const std::string& queue : queues_) {
        client::ProducerSettings settings;
        settings.buffer_items_max = 200;
        settings.wants_answers = true;
        settings.journaled = true;
        client::BatchSettings batches;
        batches.items_max = 1 + static_cast<std::uint32_t>(world_.rng.below(64));
        batches.frames_ahead = 1 + static_cast<std::uint32_t>(world_.rng.below(8));
        producers_[queue] = core().add_producer(queue, settings, batches);
    }
    for (auto& [id, group] : groups_) group.request = 0;
    for (const auto& [key, spec] : memory_) {
        waiting_.push_back(spec);
        waiting_.back().restored = true;
    }
    wake();
}

void ProducerNode::plan(std::uint32_t jobs, Duration over) {
    planned_ = jobs;
    pace_ = over / std::max(1U, jobs / 8);
    world_.after(world_.between(0ms, 100ms), [this] { burst(); });
}

void ProducerNode::burst() {
    if (planned_ == 0 || finishing_) return;
    world_.after(world_.next_in(pace_), [this] { burst(); });
    if (!running()) return;
    const auto count =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(planned_, 1 + world_.rng.below(16)));
    planned_ -= count;
    submit_some(count);
}

void ProducerNode::submit_some(std::uint32_t count) {
    const std::string& queue = queues_[world_.rng.below(queues_.size())];
    if (world_.chance(options_.group_share)) return open_group(queue, count);
    for (; count > 0; --count) {
        Spec spec;
        spec.queue = queue;
        spec.subject = any_subject();
        spec.payload = work_.next_payload();
        draw_options(spec);
        if (world_.chance(0.7)) spec.id = ids_.next(wall());
        submit(std::move(spec));
    }
    wake();
}

void ProducerNode::draw_options(Spec& spec) {
    const auto some = [&](bool supported) {
        return supported && world_.chance(options_.faults.option_share);
    };
    const Features& f = options_.features;
    if (some(f.priority)) spec.priority = static_cast<std::uint32_t>(world_.rng.below(10));
    if (some(f.delay)) spec.delay = world_.between(1ms, 6s);
    if (some(f.deadline)) spec.deadline = world_.between(1ms, 10s);
    if (some(f.conflate)) spec.conflate_key = std::string(1, "abc"[world_.rng.below(3)]);
    if (some(f.pure)) spec.pure = world_.chance(0.7);
    spec.finish_late = some(f.deadline);
    const double flow_share = options_.faults.flow_share;
    if (flow_share > 0 && world_.chance(flow_share)) {
        spec.flow = Work::flow_name(world_.rng.below(Work::kFlows));
    }
    if (options_.aliases != 0 && world_.chance(options_.faults.alias_share)) {
        Work::Request request = work_.any_request(options_.aliases);
        spec.payload = std::move(request.payload);
        spec.inputs = std::move(request.inputs);
        spec.aliases = std::move(request.aliases);
        spec.pure = world_.chance(0.9);
        spec.fresh = world_.chance(options_.faults.fresh_share);
    }
    spec.sheddable = world_.chance(options_.faults.sheddable_share);
}

// A job got its id: it is written down before it is sent.
void ProducerNode::on_stamp(const client::JobStamped& stamp) {
    auto& tickets = tickets_[stamp.producer];
    const auto found = tickets.find(stamp.ticket.value);
    if (found == tickets.end()) world_.fail(name() + ": an id for a job it does not have");
    Spec& spec = found->second;
    spec.id = stamp.id;
    memory_[{spec.queue, spec.id}] = spec;
    submitted_.emplace_back(spec.queue, spec.id);
}

void ProducerNode::submit(Spec spec) {
    if (!spec.id.is_zero()) {
        memory_[{spec.queue, spec.id}] = spec;
        submitted_.emplace_back(spec.queue, spec.id);
    }
    if (!waiting_.empty() || !hand_over(spec)) waiting_.push_back(std::move(spec));
}

bool ProducerNode::hand_over(const Spec& spec) {
    const std::uint32_t producer = producers_.at(spec.queue);
    client::Job job;
    job.subject = spec.subject;
    job.payload = spec.payload;
    job.inputs = spec.inputs;
    job.aliases = spec.aliases;
    job.fresh = spec.fresh;
    job.group = spec.group;
    job.id = spec.id;
    job.priority = spec.priority;
    job.delay = spec.delay;
    job.deadline = spec.deadline;
    job.conflate_key = spec.conflate_key;
    job.flow = spec.flow;
    job.pure = spec.pure;
    job.finish_late = spec.finish_late;
    job.sheddable = spec.sheddable;
    const auto ticket = spec.restored
                            ? core().restore(producer, job, nullptr, client_now(), effects())
                            : core().submit(producer, job, nullptr, client_now(), effects());
    if (!ticket) {
        if (ticket.error().kind == client::ErrorKind::buffer_full) return false;
        world_.fail(name() + " cannot submit: " + ticket.error().sentence);
    }
    tickets_[producer].emplace(ticket->value, spec);
    commit();
    return true;
}

void ProducerNode::program() {
    std::size_t done = 0;
    while (done < waiting_.size() && hand_over(waiting_[done])) ++done;
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(done));
    std::vector<Id128> ids;
    for (const auto& [id, group] : groups_) ids.push_back(id);
    for (const Id128& id : ids) advance(id, groups_.at(id));
}

void ProducerNode::open_group(const std::string& queue, std::uint32_t jobs) {
    groups_[ids_.next(wall())] = {queue, Phase::opening, 0, jobs, {}, 0};
    wake();
}

void ProducerNode::advance(const Id128& id, Group& group) {
    if (group.request != 0) return;
    protocol::Message message;
    switch (group.phase) {
        case Phase::opening:
            message = protocol::GroupOpen{group.queue, id};
            break;
        case Phase::filling:
            // In one go or a few.
            while (group.left > 0 && (finishing_ || world_.chance(0.9))) {
                --group.left;
                Spec spec;
                spec.queue = group.queue;
                spec.subject = any_subject();
                spec.payload = work_.next_payload();
                spec.id = ids_.next(wall());
                spec.group = id;
                draw_options(spec);
                group.jobs.emplace(spec.id, false);
                submit(std::move(spec));
            }
            for (const auto& [job, answered] : group.jobs) {
                if (!answered) return;
            }
            if (group.left > 0) return;
            group.phase = Phase::sealing;
            [[fallthrough]];
        case Phase::sealing:
            message = protocol::GroupSeal{group.queue, id, group.taken};
            break;
    }
    group.request = core().request(std::move(message), now() + kRequestTimeout, effects());
    if (group.request == 0) return;
    requests_[group.request] = id;
    commit();
}

void ProducerNode::on_answers(const client::JobsAnswered& answered) {
    auto& tickets = tickets_[answered.producer];
    for (const client::JobAnswer& answer : answered.answers) {
        const auto found = tickets.find(answer.ticket.value);
        if (found == tickets.end()) world_.fail(name() + " is answered what it did not submit");
        const Spec spec = std::move(found->second);
        tickets.erase(found);
        memory_.erase({spec.queue, answer.id});
        if (answer.taken()) {
            oracle_.acknowledged(spec.queue, answer.id);
        } else {
            oracle_.refused(spec.queue, answer.id, answer.code, answer.sentence);
            if (answer.code == ErrorCode::unknown_snapshot) put_again(spec);
        }
        const auto group = groups_.find(spec.group);
        if (!spec.again && group != groups_.end()) {
            group->second.jobs[spec.id] = true;
            if (answer.taken()) ++group->second.taken;
        }
        // A refused job of a group would be one more than it was sealed with.
        if (answer.taken() && world_.chance(options_.faults.again_share)) {
            // Some time later, by a program that does not know that it was answered.
            world_.after(world_.between(1ms, 5s), [this, spec] {
                if (!running() || finishing_) return;
                Spec repeated = spec;
                repeated.again = true;
                submit(std::move(repeated));
            });
        }
    }
}

// As clients do: the snapshot first, then the job. In a group it would be one too many.
void ProducerNode::put_again(const Spec& spec) {
    if (!spec.group.is_zero() || finishing_) return;
    if (!work_.snapshots().put(Snapshots::id(0))) return;
    Spec repeated = spec;
    repeated.id = ids_.next(wall());
    repeated.restored = false;
    submit(std::move(repeated));
}

void ProducerNode::on_request(client::RequestDone& done) {
    const auto found = requests_.find(done.request);
    if (found == requests_.end()) return;
    const Id128 id = found->second;
    requests_.erase(found);
    const auto at = groups_.find(id);
    if (at == groups_.end()) return;
    Group& group = at->second;
    group.request = 0;
    if (done.reply.ok()) {
        if (group.phase == Phase::opening) {
            group.phase = Phase::filling;
        } else {
            groups_.erase(at);
        }
        return;
    }
    const client::Error& error = done.reply.error();
    if (error.kind == client::ErrorKind::timed_out) return;  // asked again
    const bool sealing = group.phase == Phase::sealing;
    switch (error.code) {
        case ErrorCode::group_exists:  // by a request that timed out
            if (sealing) break;
            group.phase = Phase::filling;
            return;
        case ErrorCode::group_sealed:
            if (!sealing) break;
            groups_.erase(at);
            return;
        case ErrorCode::unknown_queue:
        case ErrorCode::unknown_group:
        case ErrorCode::group_count:
            // By right only when the queue, or the group's time, was over meanwhile.
            if (error.code != ErrorCode::unknown_queue &&
                !oracle_.deleted_since(group.queue, Time{}) && !oracle_.group_over(group.queue, id))
                break;
            groups_.erase(at);
            return;
        default:
            break;
    }
    world_.fail(name() + " is refused a request for group " + id.hex() + ": " + error.sentence);
}

void ProducerNode::on_send(const protocol::Message& message) {
    if (const auto* submit = std::get_if<protocol::Submit>(&message)) {
        for (const protocol::Job& job : submit->jobs) {
            oracle_.sent(std::string(submit->queue), job, submit->group);
        }
    }
}

void ProducerNode::crash_and_restart(Duration down, bool forget) {
    if (!running()) return;
    crash();
    producers_.clear();
    tickets_.clear();
    waiting_.clear();
    requests_.clear();
    if (forget) {
        trace("forgets what is unanswered");
        memory_.clear();
        groups_.clear();
    }
    world_.after(down, [this] {
        if (!running()) start();
    });
}

bool ProducerNode::any_job(std::string& queue, Id128& id) {
    if (submitted_.empty()) return false;
    const std::size_t recent = std::min<std::size_t>(submitted_.size(), 40);
    const auto& one = submitted_[submitted_.size() - 1 - world_.rng.below(recent)];
    queue = one.first;
    id = one.second;
    return true;
}

bool ProducerNode::idle() const {
    if (!running() || !waiting_.empty() || !groups_.empty() || !memory_.empty()) return false;
    for (const auto& [producer, tickets] : tickets_) {
        if (!tickets.empty()) return false;
    }
    return true;
}

std::string ProducerNode::state() const {
    std::size_t unanswered = 0;
    for (const auto& [producer, tickets] : tickets_) unanswered += tickets.size();
    return session_state() + ", " + std::to_string(unanswered) + " jobs unanswered, " +
           std::to_string(waiting_.size()) + " not handed over, " + std::to_string(groups_.size()) +
           " groups under way";
}

}  // namespace scanmq::sim
