#include "broker/core/job_query.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "broker/core/flow_handler.hpp"
#include "broker/core/millis.hpp"
#include "broker/core/stream_hold.hpp"

namespace scanmq::broker {

using protocol::ErrorCode;
using protocol::Row;

namespace {

std::uint64_t ago(WallMillis now, WallMillis then) {
    return then > now ? 0 : static_cast<std::uint64_t>(now - then);
}

Row reason(std::string name, std::string sentence) {
    return {{"reason", std::move(name)}, {"sentence", std::move(sentence)}};
}

}  // namespace

bool JobQuery::knows(std::string_view topic) noexcept {
    return topic == "job" || topic == "explain" || topic == "dead" || topic == "dead_letter";
}

Result<JobQuery::Rows, JobQuery::Refusal> JobQuery::rows(std::string_view topic,
                                                         std::string_view key) const {
    const bool of_queue = topic == "dead";
    const std::size_t slash = of_queue ? key.size() : key.find('/');
    const std::string name(key.substr(0, slash));
    const Queue* const queue = state_->find_queue(name);
    if (queue == nullptr) return fail(Refusal{ErrorCode::unknown_queue, "no queue '" + name + "'"});
    Rows rows;
    if (of_queue) {
        for (const auto& [execution, letter] : queue->dead.all()) rows.push_back(dead(letter));
        return rows;
    }
    const auto id =
        slash == std::string_view::npos ? std::nullopt : Id128::parse_hex(key.substr(slash + 1));
    if (!id) {
        return fail(
            Refusal{ErrorCode::malformed, "the key is QUEUE/ID, the id 32 hexadecimal digits"});
    }
    if (topic == "dead_letter") {
        const DeadLetter* const letter = queue->dead.find(*id);
        if (letter == nullptr) {
            return fail(
                Refusal{ErrorCode::unknown_job, "no dead letter of that id in queue '" + name +
                                                    "'; a letter has the id of its first job"});
        }
        return dead_letter(*letter);
    }
    const IdWindow::Known known = queue->ids.find(*id);
    if (!known.found) {
        return fail(
            Refusal{ErrorCode::unknown_job,
                    "queue '" + name +
                        "' knows no job of that id; if it ended long ago, its stream tells"});
    }
    if (!known.finished) {
        if (topic == "explain") return explain(*queue, known.job);
        rows.push_back(job(*queue, known.job));
        return rows;
    }
    if (topic == "explain") {
        rows.push_back(reason("finished", "it ended; its entry is in the stream"));
    } else {
        rows.push_back({{"id", id->hex()}, {"queue", name}, {"state", std::string("finished")}});
    }
    return rows;
}

Row JobQuery::job(const Queue& queue, Slot slot) const {
    const JobTable& table = state_->table;
    const JobRecord& job = table.jobs[slot];
    const ExecutionRecord& execution = table.executions[job.execution];
    static constexpr std::array kStates{"queued",  "queued", "delayed",
                                        "running", "queued", "queued"};
    const ExecutionExtra* const extra = table.find_extra(job.execution);
    Row row{
        {"id", job.id.hex()},
        {"queue", queue.name},
        {"state", std::string(kStates[static_cast<std::size_t>(execution.state)])},
        {"subject", std::string(state_->subjects.text(job.subject))},
        {"priority", std::uint64_t{job.priority}},
        {"execution", table.jobs[execution.first_job].id.hex()},
        {"jobs", std::uint64_t{extra == nullptr ? 1 : extra->jobs}},
        {"attempts", std::uint64_t{execution.failures}},
        {"crashes", std::uint64_t{execution.crashes}},
    };
    if (job.group != kNoSlot) row.emplace_back("group", queue.groups[job.group].id.hex());
    const JobExtra* const options = table.find_job_extra(slot);
    if (options != nullptr && !options->retry_of.is_zero()) {
        row.emplace_back("retry_of", options->retry_of.hex());
    }
    if (options != nullptr && options->deadline != Time{}) {
        row.emplace_back("deadline_ms", millis(options->deadline - state_->now));
    }
    add_place(queue, job.execution, row);
    return row;
}

void JobQuery::add_place(const Queue& queue, Slot slot, Row& row) const {
    const JobTable& table = state_->table;
    const ExecutionRecord& execution = table.executions[slot];
    const ExecutionExtra* const extra = table.find_extra(slot);
    switch (execution.state) {
        case ExecutionState::waiting:
        case ExecutionState::alone:
            row.emplace_back("ahead", queue.room.ahead_of(table, slot, kAheadMost));
            return;
        case ExecutionState::delayed:
            row.emplace_back("due_ms", millis(extra->due - state_->now));
            return;
        case ExecutionState::looking:
            return;
        case ExecutionState::following:
            row.emplace_back("behind",
                             table.jobs[table.executions[extra->leader].first_job].id.hex());
            return;
        case ExecutionState::running:
            break;
    }
    const RunRecord& run = table.runs[execution.run];
    if (run.holder != kNoSlot) {
        row.emplace_back("worker", state_->sessions.by_slot(run.holder)->name);
    }
    row.emplace_back("attempt", std::to_string(run.epoch) + "." + std::to_string(run.counter));
    row.emplace_back("running_ms", millis(state_->now - run.delivered));
    if (extra == nullptr || extra->progress_total == 0) return;
    row.emplace_back("progress_done", extra->progress_done);
    row.emplace_back("progress_total", extra->progress_total);
    row.emplace_back("progress_note", extra->progress_note);
}

JobQuery::Rows JobQuery::explain(const Queue& queue, Slot job_slot) const {
    Rows rows;
    const JobTable& table = state_->table;
    const JobRecord& job = table.jobs[job_slot];
    const ExecutionRecord& execution = table.executions[job.execution];
    if (execution.first_job != job_slot) {
        rows.push_back(reason("attached", "it shares the execution of job " +
                                              table.jobs[execution.first_job].id.hex()));
    }
    if (execution.state == ExecutionState::running) {
        const RunRecord& run = table.runs[execution.run];
        rows.push_back(reason(
            "running", run.holder == kNoSlot
                           ? std::string("its worker has not come back since the broker started; "
                                         "the lease is kept for adopt_window")
                           : "worker '" + state_->sessions.by_slot(run.holder)->name +
                                 "' has had it for " +
                                 std::to_string(millis(state_->now - run.delivered)) + " ms"));
        return rows;
    }
    if (execution.state == ExecutionState::looking) {
        rows.push_back(reason("looking", "its result is looked for in the shared cache"));
        return rows;
    }
    if (execution.state == ExecutionState::following) {
        const Slot leader = table.find_extra(job.execution)->leader;
        const Slot first = table.executions[leader].first_job;
        rows.push_back(reason("following", "it waits for the result of job " +
                                               table.jobs[first].id.hex() +
                                               ", whose execution has as many jobs as fit"));
        auto of_leader = explain(queue, first);
        rows.insert(rows.end(), std::make_move_iterator(of_leader.begin()),
                    std::make_move_iterator(of_leader.end()));
        return rows;
    }
    if (queue.paused) rows.push_back(reason("paused", "the queue is paused; resume it"));
    if (execution.state == ExecutionState::delayed) {
        rows.push_back(reason(
            "delayed",
            "it is due in " +
                std::to_string(millis(table.find_extra(job.execution)->due - state_->now)) + " ms" +
                (execution.failures > 0 ? ", after failure " + std::to_string(execution.failures)
                                        : std::string())));
        return rows;
    }
    explain_waiting(queue, job.execution, rows);
    return rows;
}

// What its flow has to do with it: its limits, or its turn.
void JobQuery::explain_flow(const Queue& queue, Slot slot, Rows& rows) const {
    const ExecutionRecord& execution = state_->table.executions[slot];
    const FlowTable& flows = queue.room.flows();
    const Flow& flow = flows[execution.flow];
    const std::string name = "flow '" + std::string(flows.name(execution.flow)) + "'";
    const FlowLimits* const limits = flows.limits(execution.flow);
    const std::string_view held = FlowHandler::held(flows, execution.flow);
    if (held == "flow_rate") {
        rows.push_back(reason(
            "flow_rate",
            name + " may have " + std::to_string(limits->rate_per_s) + " deliveries a second, " +
                std::to_string(limits->burst) + " of them at once; its next is due in " +
                std::to_string(millis(flows.allowed_at(execution.flow) - state_->now)) + " ms"));
        return;
    }
    if (held == "flow_in_flight") {
        rows.push_back(reason("flow_in_flight", name + " has " + std::to_string(flow.running) +
                                                    " attempts running; its in_flight_max is " +
                                                    std::to_string(limits->in_flight_max)));
        return;
    }
    if (execution.aside) return;
    const std::uint64_t before = queue.room.flows_before(state_->table, slot, kAheadMost);
    if (before == 0) return;
    rows.push_back(reason(
        "flow_turn", name + ", weight " + std::to_string(flow.weight) + ", has its turn after " +
                         std::to_string(before) + (before == 1 ? " other" : " others") +
                         (flow.balance < 0 ? "; it owes " + std::to_string(-flow.balance) +
                                                 " us for what it was given before"
                                           : std::string())));
}

void JobQuery::explain_waiting(const Queue& queue, Slot slot, Rows& rows) const {
    const std::uint64_t ahead = queue.room.ahead_of(state_->table, slot, kAheadMost);
    if (ahead > 0) {
        rows.push_back(reason("behind", std::to_string(ahead) +
                                            (ahead >= kAheadMost ? " or more" : "") +
                                            " executions of its queue go before it"));
    }
    explain_flow(queue, slot, rows);
    const ExecutionRecord& execution = state_->table.executions[slot];
    if (execution.state == ExecutionState::alone) {
        rows.push_back(reason(
            "alone", execution.suspect ? "its worker was lost when it may have been running; it "
                                         "waits for a worker that has nothing else"
                                       : "a worker was lost with it; it waits for a worker that "
                                         "has nothing else"));
    }
    if (state_->dispatch_held) {
        rows.push_back(reason(
            "memory_full", "memory-max has no room for the results of more attempts than run now"));
    }
    explain_stream(queue, slot, rows);
    const bool versioned = state_->versioned(queue, slot);
    const std::uint64_t bytes = state_->table.jobs[execution.first_job].bytes;
    std::size_t serving = 0;
    std::size_t of_version = 0;
    std::size_t with_credit = 0;
    std::size_t gave_back = 0;
    for (const Session* session : state_->sessions.list()) {
        const Worker* const worker = session->worker.get();
        if (worker == nullptr || worker->detached || !worker->serves(queue.number)) continue;
        ++serving;
        if (!worker->takes(queue.number, versioned)) continue;
        ++of_version;
        const bool kept = worker->exclusive || state_->workers.reserved() == worker;
        if (!kept && worker->affords(bytes)) ++with_credit;
        if (worker->gave_back) ++gave_back;
    }
    if (serving == 0) {
        rows.push_back(reason("no_workers", "no worker serves queue '" + queue.name + "'"));
    } else if (of_version == 0) {
        rows.push_back(reason("no_version", "no worker has the queue's scanner version '" +
                                                queue.scanner_version + "'"));
    } else if (with_credit == 0) {
        const std::string all = "all " + std::to_string(of_version) + " workers of the queue ";
        rows.push_back(reason(
            "no_credit",
            gave_back == 0 ? all + "are busy: none has credit for it"
                           : all + "take nothing now: " + std::to_string(gave_back) +
                                 " gave their credit back (their scanner is away), the others are "
                                 "busy"));
    }
}

void JobQuery::explain_stream(const Queue& queue, Slot slot, Rows& rows) const {
    if (!lossless(queue)) return;
    const StreamRoom room = stream_room(queue);
    if (room.delivery_fits(state_->table.jobs_of(slot))) return;
    std::string sentence = "the lossless stream has no room: " + std::to_string(room.bytes) +
                           " bytes are kept and " + std::to_string(room.reserved()) +
                           " reserved, of " + std::to_string(room.bytes_max);
    if (const Cursor* const slowest = queue.cursors.neediest();
        slowest != nullptr && slowest->needed_from() < queue.stream.next()) {
        sentence += "; subscription '" + slowest->name + "' has not acknowledged offset " +
                    std::to_string(slowest->needed_from()) + ", of " +
                    std::to_string(queue.stream.next()) +
                    (slowest->holder == nullptr ? ", and has no session" : "");
    } else {
        sentence += "; what runs has to end first";
    }
    rows.push_back(reason("stream_full", std::move(sentence)));
}

Row JobQuery::dead(const DeadLetter& letter) const {
    return {{"id", letter.job.hex()},
            {"subject", std::string(state_->subjects.text(letter.subject))},
            {"jobs", std::uint64_t{letter.jobs}},
            {"attempts", std::uint64_t{letter.failures}},
            {"crashes", std::uint64_t{letter.crashes}},
            {"code", std::string(to_string(letter.code))},
            {"sentence", std::string(state_->texts.text(letter.text))},
            {"died_ms", ago(state_->wall_millis(), letter.died)},
            {"payload_bytes", std::uint64_t{letter.bytes} - protocol::kLimits.item_overhead_bytes}};
}

JobQuery::Rows JobQuery::dead_letter(const DeadLetter& letter) const {
    Rows rows{dead(letter)};
    std::uint64_t number = 0;
    for (const AttemptNote& note : letter.history) {
        rows.push_back({{"attempt", ++number},
                        {"outcome", std::string(to_string(note.outcome))},
                        {"worker", std::string(state_->texts.text(note.worker))},
                        {"code", std::string(to_string(note.code))},
                        {"sentence", std::string(state_->texts.text(note.sentence))},
                        {"ago_ms", ago(state_->wall_millis(), note.ended)}});
    }
    return rows;
}

}  // namespace scanmq::broker
