// BrokerNode's inspector: what the broker tells of itself, compared with its records.

#include <map>
#include <set>

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

void BrokerNode::inspect() {
    struct Told {
        std::uint64_t executions{}, jobs{}, first{}, next{};
    };
    // The question is an event like any: what its call does besides, after the answer was made, is not
    // in the answer. A first one opens the session.
    (void)query("broker", "");
    if (process_) inspect_standing();
    if (!process_) return;
    std::map<std::string, Told> told_by_records;
    for (const auto& [number, part] : oracle_.model().partitions()) {
        if (number == 0 || part.deleted) continue;
        told_by_records[part.name] = {part.executions.size(), part.live.size(), part.first,
                                      part.entries.size()};
    }
    // The versions of the workers, if none came or went meanwhile.
    const std::string before = worker_versions();
    const auto rows = query("queues", "");
    const std::string after = worker_versions();
    if (!process_) return;
    if (!rows) world_.fail("the broker does not answer its inspector");
    for (const protocol::Row& row : *rows) {
        std::map<std::string, std::uint64_t> values;
        std::string queue;
        std::string scanner_version;
        for (const auto& [key, value] : row) {
            if (const auto* number = std::get_if<std::uint64_t>(&value)) values[key] = *number;
            if (key == "queue") queue = std::get<std::string>(value);
            if (key == "scanner_version") scanner_version = std::get<std::string>(value);
        }
        const auto expect = [&](bool right, const std::string& what) {
            if (!right) world_.fail("queue '" + queue + "': " + what);
        };
        const auto found = told_by_records.find(queue);
        expect(found != told_by_records.end(), "it has a row but no records");
        const Told& records = found->second;
        const std::uint64_t live = records.executions;
        const std::uint64_t told = values["waiting"] + values["running"] + values["delayed"] +
                                   values["looking"] + values["following"];
        expect(told == live, "its row tells " + std::to_string(told) + " executions, its records " +
                                 std::to_string(live));
        expect(values["stream_next"] == records.next,
               "its row and its records tell other ends of its stream");
        expect(values["stream_first"] == records.first,
               "its row and its records tell other beginnings of its stream");
        const ModelPartition& part = *oracle_.model().find(queue);
        expect(scanner_version == part.version, "its row tells scanner version '" +
                                                    scanner_version + "', its records '" +
                                                    part.version + "'");
        expect((values["version_pinned"] != 0) == part.version_pinned,
               "its row and its records tell otherwise whether its version is pinned");
        if (!part.version_pinned && before == after && before.size() == 1) {
            expect(scanner_version == before.substr(before.front() == '-'),
                   "all workers are of version '" + before + "', it is of '" + scanner_version +
                       "' and follows them");
        }
        if (options_.faults.alter_every != Duration{}) continue;  // it may have been lowered
        const std::uint64_t jobs = records.jobs + values["granted_jobs"];
        const std::uint64_t bytes = values["used_bytes"] + values["granted_bytes"];
        expect(jobs <= values["max_jobs"], "jobs and granted places, " + std::to_string(jobs) +
                                               ", are over max_jobs " +
                                               std::to_string(values["max_jobs"]));
        expect(bytes <= values["max_bytes"], "bytes and granted bytes are over max_bytes");
        if (values["lossless"] == 0) continue;
        // Beyond the room: one delivery that would not fit otherwise, the newest entry, and sentences.
        const std::uint64_t promised = values["stream_bytes"] + values["stream_reserved_bytes"];
        const std::uint64_t kept = values["stream_next"] - values["stream_first"];
        const std::uint64_t most =
            values["stream_max_bytes"] + 192 * kept + 2 * (values["max_result_bytes"] + 1'024);
        expect(promised <= most, "its stream has and promises " + std::to_string(promised) +
                                     " bytes, " + std::to_string(kept) + " entries; its room is " +
                                     std::to_string(values["stream_max_bytes"]));
    }
}

}  // namespace scanmq::sim
