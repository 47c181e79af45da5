#pragma once
// RecordMaker: random commit records of a few queues, as a core might write them, and what the state
//              has to be after them.
//
// Use:   step() makes one record more; records() are all of them; expected() is what load() has to
//        give, as lines (see RowLines).

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "broker/core/record.hpp"
#include "broker/store/commit_log.hpp"
#include "broker/store/recovery.hpp"
#include "common/base/rng.hpp"

namespace scanmq::broker {

struct MadeRecord {
    LogPosition position{};
    PartitionId partition{};
    std::uint64_t previous{};
    std::uint64_t sequence{};
    std::string bytes;

    [[nodiscard]] RecordView view() const {
        return {position, partition, 7, previous, sequence, bytes};
    }
};

// Rows as lines that can be compared: where a body is kept does not show.
class RowLines final : public RestoreSink {
  public:
    std::multiset<std::string> lines;

    bool broker(const BrokerRow& row, bool restored) override {
        return add(restored ? "restored" : "broker", 0, 0, row);
    }
    bool queue(PartitionId partition, const QueueRow& row) override {
        return add("queue", partition, 0, row);
    }
    bool group(PartitionId partition, const Id128& id, const GroupRow& row) override {
        return add("group " + id.hex(), partition, 0, row);
    }
    bool execution(PartitionId partition, std::uint64_t number, const ExecutionRow& row,
                   const RunRow* run) override {
        if (run != nullptr) add("run", partition, number, *run);
        return add("execution", partition, number, row);
    }
    bool entry(PartitionId partition, std::uint64_t offset, const EntryRow& row) override {
        EntryRow plain = row;
        plain.in_results = false;
        return add("entry", partition, offset, plain);
    }
    bool id(PartitionId partition, std::uint64_t position, const IdRow& row) override {
        return add("id", partition, position, row);
    }
    bool flow(PartitionId partition, std::string_view name, const FlowRow& row) override {
        return add("flow " + std::string(name), partition, 0, row);
    }
    bool cursor(PartitionId partition, std::string_view name, const CursorRow& row) override {
        return add("cursor " + std::string(name), partition, 0, row);
    }
    bool dead(PartitionId partition, std::uint64_t number, const DeadRow& row,
              const ExecutionRow& execution) override {
        add("dead of", partition, number, execution);
        return add("dead", partition, number, row);
    }
    bool alias(std::string_view alias, const AliasRow& row) override {
        return add("alias " + std::string(alias), 0, 0, row);
    }
    bool standing(PartitionId partition, std::string_view name, const StandingRow& row,
                  const StandingRunRow& run) override {
        add("run of " + std::string(name), partition, 0, run);
        return add("standing " + std::string(name), partition, 0, row);
    }

  private:
    template <class Row>
    bool add(const std::string& what, PartitionId partition, std::uint64_t number, const Row& row) {
        std::string bytes;
        encode_row(row, bytes);
        lines.insert(what + " " + std::to_string(partition) + "/" + std::to_string(number) + " " +
                     to_hex(bytes));
        return true;
    }
};

class RecordMaker {
  public:
    explicit RecordMaker(std::uint64_t seed) : rng_(seed) { create(); }

    void step() {
        if (queues_.empty() || rng_.below(60) == 0) return create();
        const auto broker_op = rng_.below(200);
        auto at = queues_.begin();
        std::advance(at, rng_.below(queues_.size()));
        if (broker_op == 0 && queues_.size() > 1) return remove(at->first);
        if (broker_op < 3) return alter(at->first);
        if (broker_op < 8) return move_alias();
        Queue& queue = at->second;
        open_.clear();
        for (auto ops = 1 + rng_.below(12); ops > 0; --ops) random_op(queue);
        // A batch tells what was dropped once, at its end.
        if (rng_.below(3) == 0) trim(queue);
        if (rng_.below(3) == 0) forget_ids(queue);
        if (!open_.empty()) close(queue.partition, queue.row.sequence);
    }

    // A record of a queue that is not there any more. False: there is none yet.
    bool late_record() {
        if (deleted_.empty()) return false;
        open_.clear();
        write(change::StreamTrimmed{0});
        std::uint64_t sequence = deleted_.back().second;
        close(deleted_.back().first, sequence);
        deleted_.back().second = sequence;
        return true;
    }

    [[nodiscard]] const std::vector<MadeRecord>& records() const { return records_; }
    [[nodiscard]] std::multiset<std::string> expected() const {
        RowLines out;
        out.broker({position_, sequence_, last_partition_}, false);
        for (const auto& [partition, queue] : queues_) {
            QueueRow row = queue.row;
            row.ids_end = row.ids_begin + queue.ids.size();
            row.stream_next = row.stream_first + queue.entries.size();
            out.queue(partition, row);
            for (const auto& [id, group] : queue.groups) out.group(partition, id, group);
            for (const auto& [number, live] : queue.live) {
                out.execution(partition, number, live.row, live.ran ? &live.run : nullptr);
            }
            for (std::size_t i = 0; i < queue.entries.size(); ++i) {
                out.entry(partition, row.stream_first + i, queue.entries[i]);
            }
            for (std::size_t i = 0; i < queue.ids.size(); ++i) {
                out.id(partition, row.ids_begin + i, queue.ids[i]);
            }
            for (const auto& [name, cursor] : queue.cursors) out.cursor(partition, name, cursor);
            for (const auto& [name, flow] : queue.flows) out.flow(partition, name, flow);
            for (const auto& [name, one] : queue.standing) {
                out.standing(partition, name, one.first, one.second);
            }
            for (const auto& [number, dead] : queue.dead) {
                out.dead(partition, number, dead.first, dead.second);
            }
        }
        for (const auto& [name, row] : aliases_) out.alias(name, row);
        return out.lines;
    }

  private:
    struct Live {
        ExecutionRow row;
        bool ran = false;
        RunRow run;
    };
    struct Queue {
        PartitionId partition{};
        QueueRow row;
        std::map<std::uint64_t, Live> live;
        std::deque<EntryRow> entries;
        std::deque<IdRow> ids;
        std::map<Id128, GroupRow> groups;
        std::map<std::string_view, CursorRow> cursors;
        std::map<std::string_view, FlowRow> flows;
        std::map<std::string_view, std::pair<StandingRow, StandingRunRow>> standing;
        std::map<std::uint64_t, std::pair<DeadRow, ExecutionRow>> dead;

        [[nodiscard]] std::uint64_t next() const { return row.stream_first + entries.size(); }
        [[nodiscard]] std::uint64_t ids_end() const { return row.ids_begin + ids.size(); }
    };

    std::string_view text(std::size_t bytes_max) {
        std::string& out = texts_.emplace_back(rng_.below(bytes_max + 1), '\0');
        for (char& c : out) c = static_cast<char>('a' + rng_.below(26));
        return out;
    }
    Id128 id() { return random_id(rng_); }
    WallMillis wall() { return static_cast<WallMillis>(rng_.below(1ULL << 41)); }
    StoredBody body() {
        StoredBody out;
        const auto kind = rng_.below(20);
        if (kind == 0) return out;
        if (kind == 1) {
            out.body.bytes = texts_.emplace_back(32, 'h');
            out.body.blob_size = 1 + rng_.below(1U << 20);
        } else {
            out.body.bytes = text(kind == 2 ? 9000 : 300);
        }
        return out;
    }
    AttemptRow attempt() {
        return {static_cast<protocol::AttemptOutcome>(1 + rng_.below(5)),
                protocol::ErrorCode::none,
                rng_.below(2) == 0,
                wall(),
                text(8),
                text(20)};
    }

    template <class Change>
    void write(const Change& change) {
        write_change(change, open_, places_);
    }
    void close(PartitionId partition, std::uint64_t& sequence) {
        records_.push_back({++position_, partition, sequence, sequence + 1, open_});
        ++sequence;
        open_.clear();
    }
    std::vector<SettingRow> settings() {
        std::vector<SettingRow> out;
        for (auto n = rng_.below(4); n > 0; --n) out.push_back({text(10), rng_.next()});
        return out;
    }

    void create() {
        Queue queue;
        queue.partition = ++last_partition_;
        std::string& name = texts_.emplace_back("q");
        name += std::to_string(last_partition_);
        queue.row.name = name;
        queue.row.incarnation = id();
        queue.row.settings = settings();
        open_.clear();
        write(change::QueueCreated{queue.partition, queue.row.name, queue.row.incarnation,
                                   queue.row.settings});
        close(0, sequence_);
        queues_.emplace(queue.partition, std::move(queue));
    }
    void remove(PartitionId partition) {
        open_.clear();
        write(change::QueueDeleted{partition});
        close(0, sequence_);
        deleted_.emplace_back(partition, queues_.at(partition).row.sequence);
        queues_.erase(partition);
    }
    void alter(PartitionId partition) {
        Queue& queue = queues_.at(partition);
        queue.row.settings = settings();
        open_.clear();
        write(change::QueueAltered{partition, queue.row.settings});
        close(0, sequence_);
    }
    void move_alias() {
        change::AliasMoved moved;
        std::string& name = texts_.emplace_back("alias");
        name += std::to_string(rng_.below(5));
        moved.alias = name;
        moved.generation = rng_.next();
        if (rng_.below(3) != 0) moved.id = content_id(text(20));
        aliases_.erase(name);
        if (!moved.id.is_zero()) aliases_[name] = {moved.id, moved.generation, {}};
        open_.clear();
        write(moved);
        close(0, sequence_);
    }

    void random_op(Queue& queue) {
        const auto op = rng_.below(100);
        if (op < 25) return accept(queue);
        if (op < 33) return attach(queue);
        if (op < 50) return start(queue);
        if (op < 58) return release(queue);
        if (op < 80) return end(queue, true, false);
        if (op < 85) return end(queue, false, false);
        if (op < 89) return end(queue, true, true);
        if (op < 91) return drop_dead(queue);
        if (op < 95) return change_group(queue);
        if (op < 97) return change_cursor(queue);
        if (op < 98) return limit_flow(queue);
        if (op < 99) return change_standing(queue);
        queue.row.paused = rng_.below(2) == 0;
        queue.row.draining = rng_.below(2) == 0;
        const auto version = text(5);
        if (version != queue.row.scanner_version) {
            queue.row.version_since = queue.row.next_execution;
        }
        queue.row.scanner_version = version;
        write(change::QueueMarked{queue.row.paused, queue.row.draining, queue.row.scanner_version});
        queue.row.version_pinned = rng_.below(2) == 0;
        write(change::VersionPinned{queue.row.version_pinned});
    }
    JobRow job(Queue& queue) {
        JobRow out;
        out.id = id();
        out.digest = rng_.next();
        out.subject = text(12);
        for (auto& [group, row] : queue.groups) {
            if (row.phase == protocol::GroupPhase::open && rng_.below(2) == 0) {
                out.group = group;
                ++row.submitted;
                break;
            }
        }
        out.bytes = rng_.below(1000);
        out.priority = static_cast<std::uint8_t>(rng_.below(10));
        out.flags = static_cast<std::uint8_t>(rng_.below(8));
        out.accepted = wall();
        out.due = rng_.below(2) == 0 ? 0 : wall();
        out.conflate_key = text(rng_.below(2) * 6);
        if (rng_.below(9) == 0) out.retry_of = id();
        return out;
    }
    void accept(Queue& queue) {
        change::Accepted change;
        change.execution = queue.row.next_execution++;
        change.job = job(queue);
        change.inputs = text(64);
        if (rng_.below(3) == 0) change.as_of_ns = wall();
        if (rng_.below(3) == 0) change.fingerprint = content_id(text(9));
        change.payload = body();
        change.flow = text(6);
        write(change);
        Live& live = queue.live[change.execution];
        live.row.jobs.push_back(change.job);
        live.row.inputs = change.inputs;
        live.row.as_of_ns = change.as_of_ns;
        live.row.fingerprint = change.fingerprint;
        live.row.payload = change.payload;
        live.row.flow = change.flow;
    }
    // Mostly one of the newest, so that much comes and goes within a few records.
    std::map<std::uint64_t, Live>::iterator some(Queue& queue) {
        auto at = queue.live.end();
        if (at == queue.live.begin()) return at;
        const auto back = rng_.below(4) == 0
                              ? rng_.below(queue.live.size())
                              : rng_.below(std::min<std::size_t>(3, queue.live.size()));
        std::advance(at, -1 - static_cast<std::ptrdiff_t>(back));
        return at;
    }
    void attach(Queue& queue) {
        const auto at = some(queue);
        if (at == queue.live.end()) return;
        change::Accepted change;
        change.execution = at->first;
        change.attached = true;
        change.job = job(queue);
        write(change);
        at->second.row.jobs.push_back(change.job);
    }
    void start(Queue& queue) {
        change::Started change;
        change.worker = text(9);
        change.instance = id();
        for (auto n = 1 + rng_.below(3); n > 0; --n) {
            const auto at = some(queue);
            if (at == queue.live.end() || at->second.run.live_counter != 0) continue;
            change.attempts.push_back({at->first, ++counter_});
            at->second.ran = true;
            at->second.run.live_epoch = 7;
            at->second.run.live_counter = counter_;
            at->second.run.worker = change.worker;
            at->second.run.instance = change.instance;
        }
        if (!change.attempts.empty()) write(change);
    }
    void release(Queue& queue) {
        const auto at = some(queue);
        if (at == queue.live.end()) return;
        change::Released change;
        change.execution = at->first;
        change.failures = static_cast<std::uint8_t>(rng_.below(5));
        change.crashes = static_cast<std::uint8_t>(rng_.below(3));
        change.suspect = rng_.below(2) == 0;
        change.due = wall();
        change.kept = rng_.below(4) != 0;
        if (change.kept) change.attempt = attempt();
        write(change);
        RunRow& run = at->second.run;
        at->second.ran = true;
        run.failures = change.failures;
        run.crashes = change.crashes;
        run.suspect = change.suspect;
        run.due = change.due;
        run.live_epoch = run.live_counter = 0;
        run.worker = {};
        run.instance = {};
        if (change.kept) keep(run.history, change.attempt);
    }
    // Sets, runs or drops one.
    void change_standing(Queue& queue) {
        std::string& name = texts_.emplace_back("standing");
        name += std::to_string(rng_.below(3));
        const StandingRunRow run{rng_.next(), wall(), rng_.next()};
        const auto known = queue.standing.find(name);
        if (known == queue.standing.end() || rng_.below(3) == 0) {
            StandingRow row;
            row.subject = text(12);
            row.payload = text(300);
            row.blob_size = rng_.below(2);
            for (auto n = 1 + rng_.below(3); n > 0; --n) row.inputs.push_back({text(8)});
            row.min_interval_ms = rng_.next();
            row.deadline_ms = rng_.next();
            row.flow = text(6);
            row.priority = static_cast<std::uint8_t>(rng_.below(10));
            row.flags = static_cast<std::uint8_t>(rng_.below(8));
            row.set_at = wall();
            write(change::StandingSet{name, row, run});
            queue.standing[name] = {row, run};
        } else if (rng_.below(2) == 0) {
            write(change::StandingRan{name, run});
            known->second.second = run;
        } else {
            write(change::StandingDropped{name});
            queue.standing.erase(known);
        }
    }
    static void keep(std::vector<AttemptRow>& history, const AttemptRow& attempt) {
        history.push_back(attempt);
        if (history.size() > RunRow::kHistoryMax) history.erase(history.begin());
    }
    void end(Queue& queue, bool over, bool dead) {
        const auto at = some(queue);
        if (at == queue.live.end()) return;
        Live& live = at->second;
        if (!over && live.row.jobs.size() < 2) return;
        change::Ended change;
        change.execution = at->first;
        change.over = over;
        change.dead_letter = dead;
        change.outcome = static_cast<protocol::FinalOutcome>(dead ? 7 : 1 + rng_.below(6));
        change.at = wall();
        change.first_offset = queue.next();
        change.first_id_position = queue.ids_end();
        change.sentence = text(15);
        change.body = dead ? StoredBody{} : body();
        if (dead && rng_.below(2) == 0) {
            change.has_attempt = true;
            change.attempt = attempt();
        }
        std::vector<JobRow> ending = live.row.jobs;
        if (!over) {
            const auto which = rng_.below(ending.size());
            live.row.jobs.erase(live.row.jobs.begin() + static_cast<std::ptrdiff_t>(which));
            ending = {ending[which]};
        }
        for (const JobRow& job : ending) {
            change.jobs.push_back({job.id, job.digest, job.subject, job.group});
            queue.entries.push_back({protocol::EntryKind::job, change.outcome, change.code, false,
                                     job.id, job.subject, job.group, change.at, change.sentence,
                                     change.body});
            queue.ids.push_back({job.id, job.digest, change.at});
            if (job.group.is_zero()) continue;
            GroupRow& group = queue.groups.at(job.group);
            ++group.finished;
            ++group.outcomes[static_cast<std::size_t>(change.outcome)];
        }
        write(change);
        if (dead) bury(queue, change, live);
        if (over) queue.live.erase(at);
    }
    static void bury(Queue& queue, const change::Ended& change, Live& live) {
        DeadRow row;
        row.code = change.code;
        row.died = change.at;
        row.failures = live.run.failures;
        row.crashes = live.run.crashes;
        row.sentence = change.sentence;
        row.history = live.run.history;
        if (change.has_attempt) {
            keep(row.history, change.attempt);
            if (change.attempt.charged_crash) {
                ++row.crashes;
            } else if (change.attempt.outcome == protocol::AttemptOutcome::failed) {
                ++row.failures;
            }
        }
        queue.dead[change.execution] = {row, live.row};
    }
    void drop_dead(Queue& queue) {
        if (queue.dead.empty()) return;
        auto at = queue.dead.begin();
        std::advance(at, rng_.below(queue.dead.size()));
        write(change::DeadDropped{at->first});
        queue.dead.erase(at);
    }
    void change_group(Queue& queue) {
        using protocol::GroupPhase;
        if (queue.groups.empty() || rng_.below(3) == 0) {
            change::GroupOpened change{id(), wall(), rng_.next()};
            GroupRow& row = queue.groups[change.group];
            row.phase = GroupPhase::open;
            row.generation = change.generation;
            row.opened = change.at;
            return write(change);
        }
        auto at = queue.groups.begin();
        std::advance(at, rng_.below(queue.groups.size()));
        GroupRow& row = at->second;
        if (row.phase == GroupPhase::open && rng_.below(2) == 0) {
            row.phase = GroupPhase::sealed;
            row.count = row.submitted;
            return write(change::GroupSealed{at->first, row.count});
        }
        if (row.phase == GroupPhase::complete || row.phase == GroupPhase::incomplete) {
            if (row.finished != row.submitted) return;
            write(change::GroupForgotten{at->first});
            queue.groups.erase(at);
            return;
        }
        row.phase = rng_.below(2) == 0 ? GroupPhase::complete : GroupPhase::incomplete;
        row.ended = wall();
        change::GroupEnded change{at->first, row.phase, row.ended, queue.next(), text(10)};
        EntryRow entry;
        entry.kind = protocol::EntryKind::group;
        entry.outcome = row.phase == GroupPhase::complete ? protocol::FinalOutcome::done
                                                          : protocol::FinalOutcome::expired;
        entry.id = entry.group = at->first;
        entry.appended = row.ended;
        entry.body.body.bytes = change.body;
        queue.entries.push_back(entry);
        write(change);
    }
    void change_cursor(Queue& queue) {
        std::string& name = texts_.emplace_back("c");
        name += std::to_string(rng_.below(4));
        if (queue.cursors.count(name) != 0 && rng_.below(3) == 0) {
            queue.cursors.erase(name);
            return write(change::CursorForgotten{name});
        }
        change::CursorSet change{name, {rng_.next(), text(9), wall(), rng_.below(2) == 0}};
        queue.cursors[name] = change.cursor;
        write(change);
    }
    void limit_flow(Queue& queue) {
        std::string& name = texts_.emplace_back("f");
        name += std::to_string(rng_.below(4));
        change::FlowLimited change{name, {}};
        if (rng_.below(3) != 0) change.limits = {{"weight", rng_.next()}, {"burst", rng_.below(9)}};
        if (change.limits.empty()) {
            queue.flows.erase(name);
        } else {
            queue.flows[name] = {change.limits};
        }
        write(change);
    }
    void trim(Queue& queue) {
        if (queue.entries.empty()) return;
        const auto most = queue.entries.size();
        auto drop = rng_.below(8) == 0 ? most : rng_.below(most / 2 + 1);
        queue.row.stream_first += drop;
        for (; drop > 0; --drop) queue.entries.pop_front();
        write(change::StreamTrimmed{queue.row.stream_first});
    }
    void forget_ids(Queue& queue) {
        auto drop = rng_.below(queue.ids.size() + 1);
        if (rng_.below(8) != 0) drop /= 2;
        queue.row.ids_begin += drop;
        for (; drop > 0; --drop) queue.ids.pop_front();
        write(change::IdsForgotten{queue.row.ids_begin});
    }

    Rng rng_;
    std::deque<std::string> texts_;  // what the rows' views are of
    std::map<PartitionId, Queue> queues_;
    std::map<std::string_view, AliasRow> aliases_;
    std::vector<std::pair<PartitionId, std::uint64_t>> deleted_;  // and the sequence it ended with
    std::vector<MadeRecord> records_;
    std::string open_;
    std::vector<BodyPlace> places_;
    LogPosition position_ = 0;
    std::uint64_t sequence_ = 0;
    std::uint64_t counter_ = 0;
    PartitionId last_partition_ = 0;
};

}  // namespace scanmq::broker
