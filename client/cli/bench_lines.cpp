// The lines between the load generator's processes.

#include <fmt/format.h>

#include <sstream>

#include "client/cli/bench_role.hpp"
#include "common/config/shared.hpp"
#include "common/config/values.hpp"

namespace scanmq::cli {

void declare(config::Options& declared, RoleOptions& options) {
    declared.choice("role", options.role, {"producer", "subscriber", "loop"},
                    "What this process is");
    config::add_broker(declared, options.brokers);
    declared.text("queue", options.queue, "The queue");
    declared.number("run", options.run, {}, "", "Tag of the run");
    declared.number("index", options.index, {}, "", "Which producer this is");
    declared.number("producers", options.producers, {}, "processes",
                    "How many producers there are");
    declared.number("payload-bytes", options.payload_bytes, {}, "bytes",
                    "Size of payload and result");
    declared.number("distinct", options.distinct, {}, "payloads", "Shared by all jobs; 0: none is");
    declared.number("batch", options.batch, {1U}, "jobs", "Jobs of one submission");
    declared.number("warm-up", options.warm_up, {}, "jobs",
                    "Jobs before the measurement, one at a time");
    declared.number("rate", options.rate, {}, "jobs/s", "Fixed schedule; 0: none");
    declared.number("seconds", options.seconds, {}, "s", "How long; 0: until the jobs are sent");
    declared.number("jobs", options.jobs, {}, "jobs", "How many; 0: until the time is over");
    declared.duration("patience", options.patience, {}, "How long to wait for missing results");
}

std::vector<std::string> arguments_of(const RoleOptions& options) {
    std::vector<std::string> out{"bench-role", "--role", options.role};
    for (const std::string& broker : options.brokers) out.insert(out.end(), {"--broker", broker});
    const auto add = [&out](std::string_view name, const auto& value) {
        out.push_back(fmt::format("--{}", name));
        out.push_back(fmt::format("{}", value));
    };
    add("queue", options.queue);
    add("run", options.run);
    add("index", options.index);
    add("producers", options.producers);
    add("payload-bytes", options.payload_bytes);
    add("distinct", options.distinct);
    add("batch", options.batch);
    add("warm-up", options.warm_up);
    add("rate", options.rate);
    add("seconds", options.seconds);
    add("jobs", options.jobs);
    add("patience", config::format_duration(options.patience));
    return out;
}

std::string encode(const SentReport& r) {
    return fmt::format("sent {} {} {} {} {}", r.jobs, r.refused, r.first_ns, r.last_ns,
                       r.late_max_ns);
}

std::optional<SentReport> decode_sent(std::string_view line) {
    std::istringstream text{std::string(line)};
    std::string word;
    SentReport r;
    text >> word >> r.jobs >> r.refused >> r.first_ns >> r.last_ns >> r.late_max_ns;
    if (!text || word != "sent") return std::nullopt;
    return r;
}

std::string encode(const SeenReport& r) {
    return fmt::format("seen {} {} {} {} {} {} {} {}", r.jobs, r.lost, r.duplicated, r.failed,
                       r.foreign, r.first_ns, r.last_ns, r.latency.encode());
}

std::optional<SeenReport> decode_seen(std::string_view line) {
    std::istringstream text{std::string(line)};
    std::string word;
    SeenReport r;
    text >> word >> r.jobs >> r.lost >> r.duplicated >> r.failed >> r.foreign >> r.first_ns >>
        r.last_ns;
    std::string histogram;
    if (!text || word != "seen" || text.get() != ' ' || !std::getline(text, histogram))
        return std::nullopt;
    if (!r.latency.merge_encoded(histogram)) return std::nullopt;
    return r;
}

}  // namespace scanmq::cli
