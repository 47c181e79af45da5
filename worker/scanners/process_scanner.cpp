#include "worker/scanners/process_scanner.hpp"

#include <poll.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <csignal>
#include <utility>

namespace scanmq::worker {

namespace {

using protocol::ErrorCode;
using std::chrono::milliseconds;

Time clock_now() { return std::chrono::steady_clock::now(); }

std::uint64_t frame_bytes_max(const ProcessScanner::Options& options) {
    return options.result_bytes_max + process_wire::kFrameOverheadMax;
}

// Whole milliseconds, rounded up, at least 1: 0 would mean none.
std::uint64_t millis_until(Time due, Time now) {
    const auto left = std::chrono::ceil<milliseconds>(due - now).count();
    return static_cast<std::uint64_t>(std::max<std::int64_t>(1, left));
}

}  // namespace

process::SpawnOptions spawn_options(const ProcessScanner::Options& options) {
    process::SpawnOptions out;
    out.program = options.command.front();
    out.arguments.assign(options.command.begin() + 1, options.command.end());
    out.own_group = true;
    out.capture_errors = true;
    out.memory_max = options.memory_max;
    out.death_signal = SIGKILL;
    return out;
}

std::optional<std::string> problem_of(const process_wire::Ready& ready) {
    if (ready.version != process_wire::kVersion) {
        return "it speaks version " + std::to_string(ready.version) +
               " of the process protocol, this worker version " +
               std::to_string(process_wire::kVersion);
    }
    if (ready.parallel != 1) return "its `parallel` is not 1: one process does one scan at a time";
    if (ready.name.empty() || ready.scanner_version.empty()) {
        return "its name or scanner_version is empty";
    }
    return std::nullopt;
}

Result<std::unique_ptr<ProcessScanner>, std::string> ProcessScanner::create(Options options) {
    auto ready = ask_program(options);
    if (!ready) return fail(std::move(ready).error());
    return std::unique_ptr<ProcessScanner>(
        new ProcessScanner(std::move(options), std::move(ready).value()));
}

ProcessScanner::ProcessScanner(Options options, process_wire::Ready ready)
    : options_(std::move(options)),
      ready_(std::move(ready)),
      pool_(options_.pool),
      children_(options_.pool.processes) {}

ProcessScanner::~ProcessScanner() {
    for (const auto& child : children_) {
        if (child != nullptr) child->forget_owner();
    }
}

std::string ProcessScanner::version() const { return ready_.name + "/" + ready_.scanner_version; }

void ProcessScanner::attach(const Host& host) {
    host_ = host;
    timer_ = std::make_unique<boost::asio::steady_timer>(*host_.loop);
    PoolEffects effects;
    pool_.begin(clock_now(), effects);
    carry_out(effects);
}

void ProcessScanner::start(const Call& call) {
    PoolCall wanted{call.id.value, call.task->deadline, {}};
    if (ready_.reads_inputs) {
        for (const auto& input : call.task->inputs) {
            wanted.inputs.push_back({input->id(), raw_bytes(*input).size()});
        }
    }
    calls_.emplace(call.id.value, Active{call, {}});
    PoolEffects effects;
    pool_.start(std::move(wanted), clock_now(), effects);
    carry_out(effects);
}

void ProcessScanner::cancel(CallId call) {
    PoolEffects effects;
    pool_.cancel(call.value, clock_now(), effects);
    carry_out(effects);
}

void ProcessScanner::on_frame(std::uint32_t process, ByteView frame) {
    const auto message = decoder_.decode(frame);
    if (!message) return on_garbage(process, message.error());
    std::visit([&](const auto& m) { on_message(process, m); }, *message);
}

void ProcessScanner::on_message(std::uint32_t process, const process_wire::Ready& ready) {
    if (!pool_.expects_ready(process)) return on_garbage(process, "a READY that was not due");
    if (const auto problem = problem_of(ready)) return on_garbage(process, *problem);
    if (ready.name != ready_.name || ready.scanner_version != ready_.scanner_version ||
        ready.reads_inputs != ready_.reads_inputs) {
        return on_garbage(process, "it is " + ready.name + "/" + ready.scanner_version +
                                       " now, where the first was " + version() +
                                       ": start the worker again");
    }
    PoolEffects effects;
    pool_.on_ready(process, clock_now(), effects);
    carry_out(effects);
}

void ProcessScanner::on_message(std::uint32_t process, const process_wire::ResultFrame& result) {
    if (pool_.call_of(process) != result.call) {
        return on_garbage(process, "a RESULT of call " + std::to_string(result.call) +
                                       ", which it does not have");
    }
    if (result.body.size() > options_.result_bytes_max) {
        return on_garbage(process, "a result of " + std::to_string(result.body.size()) +
                                       " bytes, more than --process-result-bytes");
    }
    Outcome& out = *calls_.at(result.call).call.outcome;
    if (result.status == ScanStatus::done) {
        out.storage.assign(result.body);
        out.body = out.storage;
    } else {
        out.end(result.status, {},
                result.sentence.empty() ? "the scanner gave no reason" : result.sentence);
    }
    PoolEffects effects;
    pool_.on_result(process, result.status, clock_now(), effects);
    carry_out(effects);
}

void ProcessScanner::on_message(std::uint32_t process,
                                const process_wire::ProgressFrame& progress) {
    if (pool_.call_of(process) != progress.call) {
        return on_garbage(process, "a PROGRESS of call " + std::to_string(progress.call) +
                                       ", which it does not have");
    }
    Active& active = calls_.at(progress.call);
    Progress* told = active.call.task->progress;
    if (told == nullptr) return;
    active.note = progress.note;
    told->done.store(progress.done, std::memory_order_relaxed);
    told->total.store(progress.total, std::memory_order_relaxed);
    told->note.store(active.note.c_str(), std::memory_order_relaxed);
}

void ProcessScanner::on_message(std::uint32_t process, const process_wire::Pong& pong) {
    PoolEffects effects;
    pool_.on_pong(process, pong.number, clock_now(), effects);
    carry_out(effects);
}

void ProcessScanner::on_garbage(std::uint32_t process, const std::string& sentence) {
    children_[process]->ignore_output();
    PoolEffects effects;
    pool_.on_garbage(process, sentence, clock_now(), effects);
    carry_out(effects);
}

void ProcessScanner::on_closed(std::uint32_t process) {
    pool_.on_closed(process, clock_now());
    arm_timer();
}

void ProcessScanner::on_exited(std::uint32_t process, const std::string& how) {
    spdlog::warn("process {} of {} {}", process + 1, options_.pool.processes, how);
    children_[process].reset();
    PoolEffects effects;
    pool_.on_exited(process, how, clock_now(), effects);
    carry_out(effects);
}

void ProcessScanner::on_error_line(std::uint32_t process, std::string_view line) {
    spdlog::info("process {}: {}", process + 1, line);
}

void ProcessScanner::carry_out(const PoolEffects& effects) {
    for (const PoolEffects::Scan& it : effects.scans) scan(it);
    for (const PoolEffects::Cancel& it : effects.cancels) {
        std::string frames;
        process_wire::encode_cancel(it.call, frames);
        children_[it.process]->send(std::move(frames));
    }
    for (const PoolEffects::Ping& it : effects.pings) {
        std::string frames;
        process_wire::encode_ping(it.number, frames);
        children_[it.process]->send(std::move(frames));
    }
    for (const PoolEffects::Signal& it : effects.signals) {
        children_[it.process]->signal(it.kill ? SIGKILL : SIGTERM);
    }
    for (const PoolEffects::End& it : effects.ends) end(it);
    if (effects.available) {
        host_.availability(
            {effects.available->open, effects.available->sentence, effects.available->slots});
    }
    for (const std::uint32_t process : effects.spawns) spawn(process);
    arm_timer();
}

void ProcessScanner::spawn(std::uint32_t process) {
    auto child = ProcessChild::start(*host_.loop, spawn_options(options_),
                                     frame_bytes_max(options_), process, *this);
    if (!child) return on_exited(process, "was not started: " + child.error());
    children_[process] = std::move(child).value();
    std::string frames;
    process_wire::encode_hello(options_.result_bytes_max, frames);
    children_[process]->send(std::move(frames));
}

void ProcessScanner::scan(const PoolEffects::Scan& scan) {
    const Task& task = *calls_.at(scan.call).call.task;
    ProcessChild& child = *children_[scan.process];
    std::string frames;
    if (!scan.snapshots.forget.empty()) process_wire::encode_forget(scan.snapshots.forget, frames);
    for (const ContentId& id : scan.snapshots.send) {
        const auto input = std::find_if(task.inputs.begin(), task.inputs.end(),
                                        [&](const auto& it) { return it->id() == id; });
        process_wire::encode_snapshot_head(id, raw_bytes(**input).size(), frames);
        child.send(std::exchange(frames, {}), *input);
    }
    process_wire::encode_scan(scan.call, task, millis_until(scan.deadline, clock_now()), frames);
    child.send(std::move(frames));
}

void ProcessScanner::end(const PoolEffects::End& end) {
    const auto found = calls_.find(end.call);
    const Call call = found->second.call;
    if (end.status) {
        call.outcome->body = {};
        call.outcome->end(*end.status, end.code, end.sentence);
    }
    host_.finished(call.id);
    calls_.erase(found);
}

void ProcessScanner::arm_timer() {
    const auto due = pool_.next_deadline();
    if (!due || (armed_ && *armed_ <= *due)) return;
    armed_ = due;
    timer_->expires_at(*due);
    timer_->async_wait([this](const boost::system::error_code& error) {
        if (!error) on_timer();
    });
}

void ProcessScanner::on_timer() {
    armed_.reset();
    PoolEffects effects;
    pool_.tick(clock_now(), effects);
    carry_out(effects);
}

bool ProcessScanner::stop(Duration patience) {
    timer_.reset();
    std::vector<std::shared_ptr<ProcessChild>> left;
    for (std::uint32_t i = 0; i < children_.size(); ++i) {
        if (children_[i] == nullptr) continue;
        children_[i]->forget_owner();
        children_[i]->close_input();
        // One that scans does not look at its input.
        if (pool_.call_of(i)) children_[i]->signal(SIGTERM);
        left.push_back(std::move(children_[i]));
    }
    const Time begin = clock_now();
    const auto wait_until = [&](Time end) {
        for (;;) {
            std::erase_if(left, [](const auto& child) { return child->reap(); });
            const auto rest = std::chrono::ceil<milliseconds>(end - clock_now()).count();
            if (left.empty() || rest <= 0) return;
            std::vector<pollfd> ends;
            for (const auto& child : left) ends.push_back({child->pidfd(), POLLIN, 0});
            ::poll(ends.data(), ends.size(), static_cast<int>(std::min<std::int64_t>(rest, 1000)));
        }
    };
    wait_until(begin + patience / 2);
    for (const auto& child : left) child->signal(SIGTERM);
    wait_until(begin + patience * 3 / 4);
    for (const auto& child : left) child->signal(SIGKILL);
    wait_until(begin + patience);
    return left.empty();
}

}  // namespace scanmq::worker
