#include "tests/sim/worker_node.hpp"

#include <algorithm>

#include "tests/sim/remote_scans.hpp"

namespace scanmq::sim {

using namespace worker;
using namespace std::chrono_literals;
using protocol::AttemptOutcome;
using protocol::ErrorCode;

namespace {

constexpr std::size_t kFramesPerBatch = 64;
constexpr int kBatchesPerRound = 8;

}  // namespace

struct WorkerNode::Process {
    explicit Process(const WorkerOptions& o, Time now)
        : options(o), core(o, now), threads(o.threads) {}

    WorkerOptions options;
    WorkerCore core;
    Effects effects;
    std::uint32_t threads;
    std::uint32_t busy = 0;
    std::uint32_t wedged = 0;
    std::deque<AttemptId> pool;
    std::map<std::uint32_t, Task> tasks;  // by slot
    std::vector<AttemptId> completions;
    std::uint64_t generation = 0;
    bool broken = false;
    bool drain = false;
    bool poisoned = false;
    protocol::Decoder decoder;
    std::deque<std::string> messages;
    std::deque<protocol::Frame> frames;
    std::vector<Event> batch, follow_up, handling;
    std::string scratch;
    std::unique_ptr<RemoteScans> remote;
    std::optional<Exit> exit;
};

WorkerNode::WorkerNode(World& world, Network& network, const Options& options, Work& work,
                       Fleet& fleet, RemoteTarget* target, std::string name)
    : Node(world, name),
      network_(network),
      options_(options),
      work_(work),
      fleet_(fleet),
      target_(target),
      dealer_(network, name, [this] { wake(); }) {}

WorkerNode::~WorkerNode() = default;

void WorkerNode::start() {
    Rng rng(world_.rng.next());
    WorkerOptions o;
    o.name = name();
    o.instance = random_id(rng);
    o.seed = rng.next();
    o.fetch_inputs = false;
    o.scanner_version = fleet_.draw();
    o.run_on_loop = world_.chance(0.15) && target_ == nullptr;
    o.threads = o.run_on_loop ? 1 : 1 + static_cast<std::uint32_t>(rng.below(4));
    o.window_max = 4 + static_cast<std::uint32_t>(rng.below(100));
    process_ = std::make_unique<Process>(o, now());
    if (target_ != nullptr) {
        process_->remote =
            std::make_unique<RemoteScans>(world_, *target_, rng.next(), [this] { wake(); });
        const Event gate = *process_->remote->take_gate();
        step({&gate, 1});
    }
    ++starts_;
    trace("starts, version '" + o.scanner_version + "'");
    dealer_.connect();
    process_->generation = dealer_.generation();
    wake();
}

void WorkerNode::end_process(Duration down) {
    process_.reset();
    forget_turns();
    world_.after(down, [this] {
        if (!process_) start();
    });
}

void WorkerNode::crash(Duration down) {
    if (!process_) return;
    trace("crashes");
    dealer_.close(false);
    end_process(down);
}

void WorkerNode::drain() {
    if (!process_) return;
    trace("is told to drain");
    process_->drain = true;
    wake();
}

void WorkerNode::heal(bool first) {
    healing_ = true;
    if (!process_) return;
    const bool unfit = fleet_.unfit(process_->options.scanner_version, first);
    if (unfit || process_->wedged > 0) crash(10ms);
}

WorkerNode::Task* WorkerNode::find(AttemptId id) {
    const auto found = process_->tasks.find(id.slot);
    return found == process_->tasks.end() || found->second.id != id ? nullptr : &found->second;
}

void WorkerNode::turn() {
    if (!process_) return;
    if (dealer_.poll_connection()) {
        if (!dealer_.connected()) {
            const Event event = DisconnectedEvent{};
            step({&event, 1});
        } else if (dealer_.generation() != process_->generation) {
            process_->generation = dealer_.generation();
            const Event event = ConnectedEvent{};
            step({&event, 1});
        }
    }
    if (!process_) return;
    if (process_->drain) {
        process_->drain = false;
        const Event event = DrainEvent{};
        step({&event, 1});
    }
    for (int round = 0; process_ && round < kBatchesPerRound && receive_batch(); ++round) {
        step(process_->batch);
    }
    if (!process_) return;
    if (!process_->completions.empty()) {
        const auto completed = std::exchange(process_->completions, {});
        for (const AttemptId id : completed) push_finished(id);
        step({});
    }
    if (!process_) return;
    if (process_->remote) {
        process_->remote->turn(now());
        take_remote();
        settle();
    }
    if (!process_) return;
    if (const auto due = process_->core.next_deadline(); due && *due <= now()) {
        process_->core.tick(now(), process_->effects);
        settle();
    }
    if (!process_) return;
    if (dealer_.readable()) wake();
    auto due = process_->core.next_deadline();
    if (process_->remote) {
        const auto other = process_->remote->next_deadline();
        if (other && (!due || *other < *due)) due = other;
    }
    if (due) arm(*due);
}

bool WorkerNode::receive_batch() {
    Process& p = *process_;
    p.messages.clear();
    p.frames.clear();
    p.batch.clear();
    while (p.frames.size() < kFramesPerBatch) {
        std::string& message = p.messages.emplace_back();
        if (!dealer_.receive(message)) break;
        auto frame = p.decoder.decode(message);
        if (!frame) world_.fail(name() + " cannot decode a frame: " + frame.error().sentence);
        p.frames.push_back(std::move(frame).value());
        if (world_.tracing()) {
            trace("<- " +
                  std::string(protocol::to_string(protocol::kind_of(p.frames.back().message))));
        }
        p.batch.emplace_back(FrameEvent{&p.frames.back()});
    }
    return !p.batch.empty();
}

void WorkerNode::step(std::span<const Event> events) {
    process_->core.handle(events, now(), process_->effects);
    settle();
}

void WorkerNode::settle() {
    carry_out();
    while (process_ && !process_->follow_up.empty()) {
        process_->handling.swap(process_->follow_up);
        process_->core.handle(process_->handling, now(), process_->effects);
        carry_out();
        if (process_) process_->handling.clear();
    }
}

// What became of calls is the core's: the gate first, so that it does not start what cannot run.
void WorkerNode::take_remote() {
    Process& p = *process_;
    if (const auto gate = p.remote->take_gate()) p.follow_up.emplace_back(*gate);
    for (auto& ended : p.remote->take_ended()) {
        Task& task = *find(ended.call.attempt);
        task.finished = true;
        task.outcome = ended.call.outcome;
        task.code = ended.call.code;
        task.body = std::move(ended.body);
        task.service = ended.call.service;
        push_finished(ended.call.attempt);
    }
}

const RemoteCalls* WorkerNode::remote() const {
    return process_ && process_->remote ? &process_->remote->calls() : nullptr;
}

void WorkerNode::check_idle() const {
    if (!process_) return;
    const WorkerCore& core = process_->core;
    if (core.phase() != WorkerCore::Phase::open || core.draining()) return;
    if (core.held() > 0 || core.credit().unanswered() > 0) {
        world_.fail(state() + " though all is over");
    }
    if (!core.shut() && core.credit().unused() == 0 && !core.credit().reclaiming()) {
        world_.fail(state() + ": it has no credit left and gives none");
    }
}

// worker/server/worker_loop.cpp, carry_out().
void WorkerNode::carry_out() {
    Process& p = *process_;
    for (const Taken& taken : p.effects.taken) {
        Task& task = p.tasks[taken.id.slot];
        task = {};
        task.id = taken.id;
        task.payload = std::string(taken.attempt->payload.bytes);
        task.inputs = std::string(taken.attempt->inputs);
        task.fingerprint = std::string(taken.attempt->fingerprint);
    }
    for (Send& out : p.effects.sends) {
        if (auto* hello = std::get_if<protocol::Hello>(&out.message)) hello->clock_ms = wall();
        p.scratch.clear();
        protocol::encode(out.header, out.message, p.scratch);
        if (world_.tracing()) {
            trace("-> " + std::string(protocol::to_string(protocol::kind_of(out.message))));
        }
        if (dealer_.send(p.scratch) != SendStatus::sent) p.broken = true;
    }
    if (!p.effects.fetches.empty() || !p.effects.puts.empty()) {
        world_.fail(name() + " is asked to move a blob; there are none here");
    }
    for (const AttemptId id : p.effects.starts) start(id);
    for (const AttemptId id : p.effects.results) push_finished(id);
    for (const AttemptId id : p.effects.polls) {
        p.follow_up.emplace_back(ProgressEvent{id, 1, 2, "half way"});
    }
    for (const AttemptId id : p.effects.cancels) cancel(id);
    for (const AttemptId id : p.effects.recalls) recall(id);
    if (p.remote) take_remote();
    for (const AttemptId id : p.effects.releases) {
        if (find(id) != nullptr) p.tasks.erase(id.slot);
    }
    for (const Note& note : p.effects.notes) trace("note: " + note.sentence);
    if (p.effects.reconnect) {
        dealer_.connect();
        p.generation = dealer_.generation();
    }
    if (p.core.counters().over_credit > 0) {
        world_.fail(name() + " was delivered more than it granted");
    }
    if (p.poisoned) {
        p.effects.clear();
        return crash(world_.between(10ms, 500ms));
    }
    if (p.effects.exit) {
        if (p.effects.exit->code == kExitRefused) {
            world_.fail(name() + " was refused: " + p.effects.exit->sentence);
        }
        trace("leaves: " + p.effects.exit->sentence);
        dealer_.close(true);
        return end_process(world_.between(100ms, 2s));
    }
    if (p.broken) p.follow_up.emplace_back(DisconnectedEvent{});
    p.broken = false;
    p.effects.clear();
}

// Scans look at their flag now and then; a wedged one does not.
void WorkerNode::cancel(AttemptId id) {
    Task* task = find(id);
    if (task == nullptr) return;
    task->cancelled = true;
    if (process_->remote) return process_->remote->cancel(id, now());
    if (!task->running || task->wedged || task->finished) return;
    world_.after(world_.between(100us, 20ms), [this, id, life = starts_] {
        if (process_ && life == starts_) finish(id);
    });
}

// Only what no thread has begun.
void WorkerNode::recall(AttemptId id) {
    Process& p = *process_;
    if (std::erase(p.pool, id) == 0) return;
    Task& task = *find(id);
    task.finished = true;
    task.outcome = AttemptOutcome::returned;
    push_finished(id);
}

// Sets the outcome; a poison ends the process.
void WorkerNode::scan(Task& task) {
    if (task.cancelled) {
        task.outcome = AttemptOutcome::failed;
        task.code = ErrorCode::scan_failed;
        return;
    }
    const std::uint64_t before = work_.count_run(task.payload);
    task.outcome = AttemptOutcome::done;
    switch (behaviour_of(task.payload)) {
        case Behaviour::fails_once:
            if (before > 0) break;
            [[fallthrough]];
        case Behaviour::fails_always:
            task.outcome = AttemptOutcome::failed;
            task.code = ErrorCode::scan_failed;
            return;
        case Behaviour::rejected:
            task.outcome = AttemptOutcome::rejected;
            task.code = ErrorCode::bad_payload;
            return;
        case Behaviour::poison:
            process_->poisoned = true;
            trace("runs poison");
            return;
        default:
            break;
    }
    task.body = result_of(task);
}

std::string WorkerNode::result_of(const Task& task) const {
    return sim::result_of(task.payload, process_->options.scanner_version, task.inputs);
}

bool WorkerNode::take_known(Task& task) const {
    if (!options_.worker_cache || task.fingerprint.empty()) return false;
    const std::string* const body = work_.kept(task.fingerprint);
    if (body == nullptr) return false;
    task.outcome = AttemptOutcome::done;
    task.body = *body;
    task.finished = task.known = true;
    return true;
}

void WorkerNode::start(AttemptId id) {
    Process& p = *process_;
    Task& task = *find(id);
    if (take_known(task)) return push_finished(id);
    if (p.remote) return p.remote->submit(id, task.payload, result_of(task), now());
    if (!p.options.run_on_loop) return start_on_pool(id);
    scan(task);
    if (!p.poisoned) push_finished(id);
}

void WorkerNode::start_on_pool(AttemptId id) {
    if (process_->busy < process_->threads) return begin(id);
    process_->pool.push_back(id);
}

Duration WorkerNode::service_time(const Task& task, bool& wedged) {
    const Behaviour behaviour = behaviour_of(task.payload);
    wedged = behaviour == Behaviour::wedges && !healing_;
    if (behaviour == Behaviour::slow && !healing_) return world_.between(1s, 20s);
    return world_.chance(0.1) ? world_.between(10ms, 800ms) : world_.between(50us, 20ms);
}

void WorkerNode::begin(AttemptId id) {
    Process& p = *process_;
    ++p.busy;
    Task& task = *find(id);
    task.running = true;
    task.service = task.cancelled ? Duration{1us} : service_time(task, task.wedged);
    if (task.wedged) {
        trace("a scan is wedged");
        ++p.wedged;
        return;
    }
    world_.after(task.service, [this, id, life = starts_] {
        if (process_ && life == starts_) finish(id);
    });
}

// The scan is over, by itself or because it was told to stop, whichever came first.
void WorkerNode::finish(AttemptId id) {
    Task* task = find(id);
    if (task == nullptr || task->finished) return;
    task->finished = true;
    scan(*task);
    if (process_->poisoned) return crash(world_.between(10ms, 500ms));
    --process_->busy;
    process_->completions.push_back(id);
    if (!process_->pool.empty()) {
        const AttemptId next = process_->pool.front();
        process_->pool.pop_front();
        begin(next);
    }
    wake();
}

void WorkerNode::push_finished(AttemptId id) {
    const Task& task = *find(id);
    FinishedEvent event;
    event.attempt = id;
    event.outcome = task.outcome;
    event.body = task.body;
    event.code = task.code;
    const bool fails =
        task.outcome == AttemptOutcome::failed || task.outcome == AttemptOutcome::rejected;
    event.sentence = fails ? "it was to be so" : "";
    event.service = task.service;
    event.cached = task.known;
    const bool done = task.outcome == AttemptOutcome::done;
    if (options_.worker_cache && done && !task.fingerprint.empty()) {
        work_.keep(task.fingerprint, task.body);
    }
    process_->follow_up.emplace_back(event);
}

std::string WorkerNode::state() const {
    if (!process_) return name() + " is down";
    const WorkerCore& core = process_->core;
    return name() + " in phase " + std::to_string(static_cast<int>(core.phase())) + " holds " +
           std::to_string(core.held()) + ", " + std::to_string(process_->busy) + " of " +
           std::to_string(process_->threads) + " threads busy, " +
           std::to_string(process_->wedged) + " wedged, credit " +
           std::to_string(core.credit().announced().items) + " items, unanswered " +
           std::to_string(core.credit().unanswered());
}

}  // namespace scanmq::sim
