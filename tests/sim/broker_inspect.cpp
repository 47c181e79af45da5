// BrokerNode's inspector: what the broker tells of itself, compared with its records.

#include <map>
#include <set>
#include <string>

#include "tests/sim/broker_process.hpp"

namespace scanmq::sim {

using namespace broker;

void BrokerNode::ask(protocol::Message message) {
    Process& p = *process_;
    p.answers.clear();
    p.answer_bytes.clear();
    protocol::Frame frame{{protocol::kOperator, p.session, ++p.seq}, std::move(message)};
    const Event event = FrameEvent{kInspector, &frame, {}};
    p.core.handle({&event, 1}, now(), p.effects);
    obey();
}

std::optional<std::vector<protocol::Row>> BrokerNode::query(const std::string& topic,
                                                            const std::string& key) {
    for (int attempt = 0; attempt < 2 && process_; ++attempt) {
        if (process_->session.value != 0) {
            ask(protocol::Query{topic, key});
            if (!process_) return std::nullopt;
            for (protocol::Frame& frame : process_->answers) {
                if (auto* answer = std::get_if<protocol::Answer>(&frame.message)) {
                    return std::move(answer->rows);
                }
            }
        }
        process_->session = {};
        process_->seq = 0;
        ask(protocol::Hello{"inspector", {{1}}, "", wall(), "sim", std::nullopt});
        if (!process_) return std::nullopt;
        for (const protocol::Frame& frame : process_->answers) {
            if (std::holds_alternative<protocol::Welcome>(frame.message)) {
                process_->session = frame.header.session;
            }
        }
    }
    return std::nullopt;
}

std::string BrokerNode::worker_versions() {
    std::string out;
    const auto rows = query("workers", "");
    for (const protocol::Row& row : rows ? *rows : std::vector<protocol::Row>{}) {
        for (const auto& [key, value] : row) {
            if (key != "scanner_version") continue;
            const auto& version = std::get<std::string>(value);
            const std::string one = version.empty() ? "-" : version;
            if (out.find(one) == std::string::npos) out += one;
        }
    }
    return out;
}

std::uint64_t BrokerNode::pinned() const {
    std::uint64_t out = 0;
    for (const BlobRecord* const blob : process_->blobs.list()) out += blob->pins > 0 ? 1 : 0;
    return out;
}

void BrokerNode::inspect_standing() {
    std::set<std::pair<std::string, std::string>> told;
    const auto rows = query("standing", "");
    for (const protocol::Row& row : rows ? *rows : std::vector<protocol::Row>{}) {
        std::map<std::string, std::string> texts;
        for (const auto& [key, value] : row) {
            if (const auto* text = std::get_if<std::string>(&value)) texts[key] = *text;
        }
        told.emplace(texts["queue"], texts["name"]);
    }
    if (!rows || !process_) return;
    std::set<std::pair<std::string, std::string>> records;
    for (const auto& [key, scan] : oracle_.scans().standing())
        records.emplace(scan.queue, key.second);
    if (told != records) {
        world_.fail("the broker tells " + std::to_string(told.size()) +
                    " standing scans, its records have " + std::to_string(records.size()));
    }
    for (const ContentId& id : oracle_.scans().needed()) {
        const BlobRecord* const blob = process_->blobs.find(id);
        if (blob == nullptr || blob->pins == 0) {
            world_.fail("blob " + id.hex() + " is needed and " +
                        (blob == nullptr ? "gone" : "not pinned"));
        }
    }
}

namespace {

// What one queue's row tells.
struct QueueTold {
    std::string queue, scanner_version;
    std::map<std::string, std::uint64_t> values;
};

QueueTold told_by(const protocol::Row& row) {
    QueueTold out;
    for (const auto& [key, value] : row) {
        if (const auto* number = std::get_if<std::uint64_t>(&value)) out.values[key] = *number;
        if (key == "queue") out.queue = std::get<std::string>(value);
        if (key == "scanner_version") out.scanner_version = std::get<std::string>(value);
    }
    return out;
}

// What the records told of it before the broker was asked.
struct QueueRecords {
    std::uint64_t executions{}, jobs{}, first{}, next{};
};

// Each gives what is wrong; empty: nothing.
std::string compare(const QueueTold& row, const QueueRecords& records) {
    const auto& values = row.values;
    const auto differ = [](const std::string& what, std::uint64_t told, std::uint64_t recorded) {
        return what + ": its row tells " + std::to_string(told) + ", its records " +
               std::to_string(recorded);
    };
    const std::uint64_t executions = values.at("waiting") + values.at("running") +
                                     values.at("delayed") + values.at("looking") +
                                     values.at("following");
    if (executions != records.executions) {
        return differ("executions", executions, records.executions);
    }
    if (values.at("stream_next") != records.next) {
        return differ("where its stream ends", values.at("stream_next"), records.next);
    }
    if (values.at("stream_first") != records.first) {
        return differ("where its stream begins", values.at("stream_first"), records.first);
    }
    return {};
}

// workers: the version of all of them; "-": none; empty: they differ, or came and went meanwhile.
std::string compare_version(const QueueTold& row, const ModelPartition& part,
                            const std::string& workers) {
    if (row.scanner_version != part.version) {
        return "its row tells scanner version '" + row.scanner_version + "', its records '" +
               part.version + "'";
    }
    if ((row.values.at("version_pinned") != 0) != part.version_pinned) {
        return "its row and its records tell otherwise whether its version is pinned";
    }
    if (part.version_pinned || workers.empty()) return {};
    if (row.scanner_version != (workers == "-" ? "" : workers)) {
        return "all workers are of version '" + workers + "', it is of '" + row.scanner_version +
               "' and follows them";
    }
    return {};
}

std::string compare_room(const QueueTold& row, const QueueRecords& records) {
    const auto& values = row.values;
    const std::uint64_t jobs = records.jobs + values.at("granted_jobs");
    if (jobs > values.at("max_jobs")) {
        return "jobs and granted places, " + std::to_string(jobs) + ", are over max_jobs " +
               std::to_string(values.at("max_jobs"));
    }
    if (values.at("used_bytes") + values.at("granted_bytes") > values.at("max_bytes")) {
        return "bytes and granted bytes are over max_bytes";
    }
    if (values.at("lossless") == 0) return {};
    // Beyond the room: one delivery that would not fit otherwise, the newest entry, and sentences.
    const std::uint64_t promised = values.at("stream_bytes") + values.at("stream_reserved_bytes");
    const std::uint64_t kept = values.at("stream_next") - values.at("stream_first");
    const std::uint64_t most =
        values.at("stream_max_bytes") + 192 * kept + 2 * (values.at("max_result_bytes") + 1'024);
    if (promised > most) {
        return "its stream has and promises " + std::to_string(promised) + " bytes, " +
               std::to_string(kept) + " entries; its room is " +
               std::to_string(values.at("stream_max_bytes"));
    }
    return {};
}

}  // namespace

void BrokerNode::inspect() {
    // The question is an event like any: what its call does besides, after the answer was made, is not
    // in the answer. A first one opens the session.
    (void)query("broker", "");
    if (process_) inspect_standing();
    if (!process_) return;
    const std::string before = worker_versions();
    // Just before the question: the others may have let streams drop more of what they may drop.
    std::map<std::string, QueueRecords> records;
    for (const auto& [number, part] : oracle_.model().partitions()) {
        if (number == 0 || part.deleted) continue;
        records[part.name] = {part.executions.size(), part.live.size(), part.first,
                              part.entries.size()};
    }
    const auto rows = query("queues", "");
    const std::string after = worker_versions();
    if (!process_) return;
    if (!rows) world_.fail("the broker does not answer its inspector");
    const std::string workers = before == after && before.size() == 1 ? before : "";
    for (const protocol::Row& row : *rows) {
        const QueueTold told = told_by(row);
        const auto expect_none = [&](const std::string& wrong) {
            if (!wrong.empty()) world_.fail("queue '" + told.queue + "': " + wrong);
        };
        const auto found = records.find(told.queue);
        if (found == records.end()) expect_none("it has a row but no records");
        expect_none(compare(told, found->second));
        expect_none(compare_version(told, *oracle_.model().find(told.queue), workers));
        // Else its room may have been lowered.
        if (options_.faults.alter_every == Duration{}) {
            expect_none(compare_room(told, found->second));
        }
    }
}

}  // namespace scanmq::sim
