#include "worker/scanners/process_pool.hpp"

#include <algorithm>
#include <utility>

#include "common/base/assert.hpp"

namespace scanmq::worker {

namespace {

using protocol::ErrorCode;

std::string seconds_of(Duration duration) {
    const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
    std::string fraction = std::to_string(millis % 1000);
    fraction.insert(0, 3 - fraction.size(), '0');
    fraction.erase(fraction.find_last_not_of('0') + 1);
    return std::to_string(millis / 1000) + (fraction.empty() ? "" : "." + fraction) + " s";
}

}  // namespace

ProcessPool::ProcessPool(const ProcessPoolOptions& options)
    : options_(options), processes_(std::max(1U, options.processes)) {
    for (Process& process : processes_) process.book = SnapshotBook(options_.cache_bytes);
}

void ProcessPool::begin(Time now, PoolEffects& effects) {
    for (Process& process : processes_) process.due = now;
    tick(now, effects);
}

void ProcessPool::start(PoolCall call, Time now, PoolEffects& effects) {
    SCANMQ_ASSERT(waiting_.size() < processes_.size());
    if (call.deadline && *call.deadline <= now) {
        ++counters_.timeouts;
        effects.ends.push_back({call.id, ScanStatus::failed, ErrorCode::scanner_timeout,
                                "its deadline had passed before it was scanned"});
        return;
    }
    waiting_.push_back({std::move(call), now + options_.wait_max});
    assign(now, effects);
}

void ProcessPool::cancel(std::uint64_t call, Time now, PoolEffects& effects) {
    const auto waits = std::find_if(waiting_.begin(), waiting_.end(),
                                    [&](const Waiting& w) { return w.call.id == call; });
    if (waits != waiting_.end()) {
        waiting_.erase(waits);
        effects.ends.push_back({call, ScanStatus::returned, ErrorCode::none, "cancelled"});
        return;
    }
    for (std::uint32_t i = 0; i < processes_.size(); ++i) {
        Process& process = processes_[i];
        if (!process.call || process.call->id != call) continue;
        process.cancelled = true;
        if (process.state == State::busy) ask_to_stop(i, now, effects);
    }
}

void ProcessPool::on_ready(std::uint32_t index, Time now, PoolEffects& effects) {
    Process& process = processes_[index];
    if (process.state != State::starting) return;  // too late: it is being ended
    ++counters_.started;
    process.ready = true;
    process.proved = true;
    process.ready_at = now;
    process.book.clear();
    become_idle(process, now);
    assign(now, effects);
    tell_availability(effects);
}

void ProcessPool::on_result(std::uint32_t index, ScanStatus status, Time now,
                            PoolEffects& effects) {
    Process& process = processes_[index];
    SCANMQ_ASSERT(process.call);
    PoolEffects::End end{process.call->id, {}, {}, {}};
    if (status != ScanStatus::done && process.timed_out) {
        end = {process.call->id, ScanStatus::failed, ErrorCode::scanner_timeout, process.why};
    }
    effects.ends.push_back(std::move(end));
    process.call.reset();
    process.deaths = 0;
    // One that is being ended answers in vain; but its call is over.
    if (process.state != State::busy && process.state != State::stopping) return;
    become_idle(process, now);
    assign(now, effects);
}

void ProcessPool::on_pong(std::uint32_t index, std::uint64_t number, Time now,
                          PoolEffects& effects) {
    Process& process = processes_[index];
    if (number == 0 || number > pings_) {
        return on_garbage(index, "a PONG to no PING", now, effects);
    }
    if (process.ping != number) return;  // it was given a call meanwhile
    process.ping = 0;
    if (process.state == State::idle) process.due = now + options_.ping_interval;
}

void ProcessPool::on_garbage(std::uint32_t index, const std::string& sentence, Time,
                             PoolEffects& effects) {
    Process& process = processes_[index];
    if (process.state == State::down || process.state == State::killed) return;
    ++counters_.garbage;
    process.code = ErrorCode::bad_response;
    process.why = name(index) + " sent what is no answer: " + sentence;
    kill(index, effects);
}

void ProcessPool::on_closed(std::uint32_t index, Time now) {
    Process& process = processes_[index];
    if (process.state == State::down || process.state >= State::ending) return;
    process.state = State::ending;
    process.due = now + options_.kill_grace;
}

void ProcessPool::on_exited(std::uint32_t index, const std::string& how, Time now,
                            PoolEffects& effects) {
    Process& process = processes_[index];
    SCANMQ_ASSERT(process.state != State::down);
    end_call_of_dead(index, how, effects);
    if (process.ready) {
        ++counters_.deaths;
        if (now - process.ready_at >= options_.stable_after) process.deaths = 0;
    } else {
        ++counters_.start_failures;
    }
    process.proved = process.ready;
    process.ready = false;
    last_death_ = process.why.empty() ? name(index) + " " + how : process.why + "; it " + how;
    ++process.deaths;
    process.delay = options_.restart_first;
    for (std::uint32_t i = 1; i < process.deaths && process.delay < options_.restart_max; ++i) {
        process.delay *= 2;
    }
    process.delay = std::min(process.delay, options_.restart_max);
    process.state = State::down;
    process.due = now + process.delay;
    process.ping = 0;
    process.code = {};
    process.why.clear();
    tell_availability(effects);
}

void ProcessPool::end_call_of_dead(std::uint32_t index, const std::string& how,
                                   PoolEffects& effects) {
    Process& process = processes_[index];
    if (!process.call) return;
    PoolEffects::End end{process.call->id, ScanStatus::failed, process.code, {}};
    if (!process.why.empty()) {
        end.sentence = process.why + "; it " + how;
    } else {
        end.sentence = (process.cancelled ? "cancelled; " : "") + name(index) + " " + how;
    }
    if (end.code == ErrorCode::none && !process.cancelled) end.code = ErrorCode::scanner_error;
    effects.ends.push_back(std::move(end));
    process.call.reset();
}

void ProcessPool::tick(Time now, PoolEffects& effects) {
    for (std::uint32_t i = 0; i < processes_.size(); ++i) {
        if (processes_[i].due && now >= *processes_[i].due) overdue(i, now, effects);
    }
    return_waiting(now, effects);
    tell_availability(effects);
}

void ProcessPool::overdue(std::uint32_t index, Time now, PoolEffects& effects) {
    Process& process = processes_[index];
    switch (process.state) {
        case State::down:
            process.state = State::starting;
            process.due = now + options_.start_timeout;
            effects.spawns.push_back(index);
            return;
        case State::starting:
            process.why =
                name(index) + " was not READY within " + seconds_of(options_.start_timeout);
            return terminate(index, now, effects);
        case State::idle:
            if (process.ping != 0) {
                process.why = name(index) + " did not answer PING within " +
                              seconds_of(options_.ping_timeout);
                return terminate(index, now, effects);
            }
            process.ping = ++pings_;
            process.due = now + options_.ping_timeout;
            effects.pings.push_back({index, process.ping});
            return;
        case State::busy:
            ++counters_.timeouts;
            process.timed_out = true;
            process.code = ErrorCode::scanner_timeout;
            process.why = name(index) + " gave no result in time";
            return ask_to_stop(index, now, effects);
        case State::stopping:
            return terminate(index, now, effects);
        case State::ending:
            if (process.why.empty() && !process.cancelled) {
                process.why = name(index) + " closed a standard stream and did not exit";
            }
            return kill(index, effects);
        case State::killed:
            process.due.reset();
            return;
    }
}

void ProcessPool::ask_to_stop(std::uint32_t index, Time now, PoolEffects& effects) {
    Process& process = processes_[index];
    process.state = State::stopping;
    process.due = now + options_.cancel_grace;
    effects.cancels.push_back({index, process.call->id});
}

void ProcessPool::terminate(std::uint32_t index, Time now, PoolEffects& effects) {
    Process& process = processes_[index];
    process.state = State::ending;
    process.due = now + options_.kill_grace;
    effects.signals.push_back({index, false});
}

// Its end comes when the kernel is done with it; there is nothing more that could be done.
void ProcessPool::kill(std::uint32_t index, PoolEffects& effects) {
    Process& process = processes_[index];
    ++counters_.killed;
    process.state = State::killed;
    process.due.reset();
    effects.signals.push_back({index, true});
}

void ProcessPool::become_idle(Process& process, Time now) {
    process.state = State::idle;
    process.due = now + options_.ping_interval;
    process.ping = 0;
    process.cancelled = false;
    process.timed_out = false;
    process.code = {};
    process.why.clear();
}

void ProcessPool::assign(Time now, PoolEffects& effects) {
    while (!waiting_.empty()) {
        const auto index = best_idle(waiting_.front().call);
        if (!index) return;
        PoolCall call = std::move(waiting_.front().call);
        waiting_.pop_front();
        give(*index, std::move(call), now, effects);
    }
}

// The one that has most of its snapshots; of equals the first.
std::optional<std::uint32_t> ProcessPool::best_idle(const PoolCall& call) const {
    std::optional<std::uint32_t> best;
    std::uint64_t most = 0;
    for (std::uint32_t i = 0; i < processes_.size(); ++i) {
        if (processes_[i].state != State::idle) continue;
        const std::uint64_t known = processes_[i].book.known_bytes(call.inputs);
        if (best && known <= most) continue;
        best = i;
        most = known;
    }
    return best;
}

void ProcessPool::give(std::uint32_t index, PoolCall call, Time now, PoolEffects& effects) {
    Process& process = processes_[index];
    Time due = now + options_.call_timeout;
    if (call.deadline) due = std::min(due, *call.deadline);
    process.state = State::busy;
    process.due = due;
    process.ping = 0;
    process.cancelled = false;
    process.timed_out = false;
    effects.scans.push_back({index, call.id, due, process.book.use(call.inputs)});
    process.call = std::move(call);
}

// Those that have waited until then; nullopt: all.
void ProcessPool::return_waiting(std::optional<Time> until, PoolEffects& effects) {
    while (!waiting_.empty() && (!until || *until >= waiting_.front().until)) {
        ++counters_.returned;
        effects.ends.push_back({waiting_.front().call.id, ScanStatus::returned,
                                ErrorCode::scanner_unavailable,
                                "no process was ready to scan: " + last_death_});
        waiting_.pop_front();
    }
}

// Those that are ready, or soon will be again.
std::uint32_t ProcessPool::useful() const {
    std::uint32_t count = 0;
    for (const Process& process : processes_) {
        const bool soon = process.proved && process.delay <= options_.wait_max;
        if (process.ready || soon) ++count;
    }
    return count;
}

void ProcessPool::tell_availability(PoolEffects& effects) {
    const std::uint32_t slots = useful();
    if (told_once_ && slots == told_) return;
    const bool closes = slots == 0;
    told_once_ = true;
    told_ = slots;
    effects.available = PoolEffects::Available{!closes, slots, closes ? last_death_ : ""};
    if (closes) return_waiting(std::nullopt, effects);
}

std::optional<Time> ProcessPool::next_deadline() const {
    std::optional<Time> due;
    const auto consider = [&](std::optional<Time> time) {
        if (time && (!due || *time < *due)) due = time;
    };
    for (const Process& process : processes_) consider(process.due);
    if (!waiting_.empty()) consider(waiting_.front().until);
    return due;
}

std::optional<std::uint64_t> ProcessPool::call_of(std::uint32_t index) const {
    const Process& process = processes_[index];
    return process.call ? std::optional(process.call->id) : std::nullopt;
}

bool ProcessPool::expects_ready(std::uint32_t index) const {
    return processes_[index].state == State::starting;
}

std::string ProcessPool::name(std::uint32_t index) const {
    return "process " + std::to_string(index + 1) + " of " + std::to_string(processes_.size());
}

}  // namespace scanmq::worker
