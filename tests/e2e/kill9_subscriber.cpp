// The subscriber of kill9.sh: writes down every entry of a stream as it comes, and goes on after a
// restart where its file ends, or with --durable where the broker's cursor of that name is.
//
// Lines: "E OFFSET NUMBER OUTCOME BODY" for an entry: NUMBER is the job's, or its id in hexadecimal when
//        it is none of this run's; BODY is same, other, or none when the outcome is not done.
//        "C INCARNATION OFFSET" after each batch: where to go on. "G FROM TO" for a gap.
// Exit:  0 with --to-end when everything that was there at the start has been written down; 1 when the
//        broker refuses the subscription (stream_reset, bad_offset), with the reason on stderr.

#include <sstream>

#include "client/cpp/client.hpp"
#include "client/cpp/subscriber.hpp"
#include "common/config/options.hpp"
#include "common/config/shared.hpp"
#include "common/protocol/kinds.hpp"
#include "tests/e2e/kill9_files.hpp"
#include "tests/e2e/kill9_job.hpp"

namespace scanmq::kill9 {
namespace {

constexpr Duration kPatience = std::chrono::seconds(5);

struct SubscriberRun {
    Run run;
    std::string queue = "work";
    std::string file;
    std::string durable;
    std::vector<std::string> brokers;
    bool to_end = false;
};

class Follower {
  public:
    Follower(client::Client& client, const SubscriberRun& options)
        : options_(options), client_(client), file_(options.file) {}

    void run() {
        client::Subscriber subscriber(client_, where_to_go_on());
        std::uint64_t end = 0;
        for (bool active = false; !active;) {
            const auto waited = subscriber.wait_active(kPatience);
            if (!waited && waited.error().kind != client::ErrorKind::timed_out)
                stop(1, waited.error().sentence);
            active = waited.ok();
            end = subscriber.info().end_offset;
        }
        for (std::uint64_t next = 0; !options_.to_end || next < end;) {
            auto received = subscriber.receive(std::chrono::milliseconds(200));
            if (!received) {
                stop(1, fmt::format("{}: {}", protocol::to_string(received.error().code),
                                    received.error().sentence));
            }
            if (received->has_value()) take((*received)->batch());
            next = subscriber.info().position.next_offset;
        }
    }

  private:
    client::SubscriberOptions where_to_go_on() {
        client::SubscriberOptions out;
        out.queue = options_.queue;
        out.from = protocol::StartFrom::earliest;
        out.durable_name = options_.durable;
        for (const std::string& line : file_.read()) {
            if (line.front() != 'C' || !options_.durable.empty()) continue;
            std::istringstream words(line.substr(1));
            std::string incarnation;
            words >> incarnation >> out.offset;
            out.from = protocol::StartFrom::offset;
            out.incarnation = Id128::parse_hex(incarnation).value_or(Id128{});
        }
        return out;
    }

    void take(const client::EntryBatch& batch) {
        std::string lines;
        if (batch.gap) lines += fmt::format("G {} {}\n", batch.gap->from, batch.gap->to);
        for (const protocol::Entry& entry : batch.entries) {
            const auto number = number_of(options_.run, entry.id);
            lines += fmt::format("E {} {} {} {}\n", entry.offset,
                                 number ? std::to_string(*number) : entry.id.hex(),
                                 protocol::to_string(entry.outcome), body_of(entry, number));
        }
        lines +=
            fmt::format("C {} {}\n", batch.position.incarnation.hex(), batch.position.next_offset);
        file_.append(lines);
    }

    std::string_view body_of(const protocol::Entry& entry, std::optional<std::uint64_t> number) {
        if (!number || entry.outcome != protocol::FinalOutcome::done) return "none";
        for (;;) {
            const auto body = client_.fetch_body(entry.body, kPatience);
            if (body) return *body == payload(options_.run, *number) ? "same" : "other";
            // A broker that is away comes back; a blob that is gone does not.
            if (body.error().kind != client::ErrorKind::timed_out)
                return protocol::to_string(body.error().code);
        }
    }

    const SubscriberRun& options_;
    client::Client& client_;
    LineFile file_;
};

int main_of(int argc, char** argv) {
    SubscriberRun options;
    config::Options declared("test-kill9-subscriber", "Writes down the entries of a run");
    config::add_broker(declared, options.brokers);
    declared.number("seed", options.run.seed, {}, "", "Seed of the run's jobs");
    declared.number("start-ms", options.run.start_ms, {}, "ms", "Start of the run, wall time");
    declared.number("jobs", options.run.jobs, {}, "jobs", "How many");
    declared.number("blob-every", options.run.blob_every, {}, "jobs", "One of so many is a blob");
    declared.text("queue", options.queue, "Queue");
    declared.text("file", options.file, "File of entries and cursor");
    declared.text("durable", options.durable,
                  "Name of a subscription whose cursor the broker keeps");
    declared.flag("to-end", options.to_end, "Leave at what is the end when it begins");
    int exit_code = 0;
    if (!config::parse_or_exit(declared, argc, argv, exit_code)) return exit_code;
    client::ClientOptions wanted;
    wanted.brokers = options.brokers;
    const std::string_view kind = options.durable.empty() ? "subscriber" : options.durable;
    wanted.name = fmt::format("kill9-{}", options.to_end ? "reader" : kind);
    wanted.roles = protocol::kSubscriber;
    auto client = client::Client::open(wanted);
    if (!client) stop(1, client.error().sentence);
    Follower(**client, options).run();
    return 0;
}

}  // namespace
}  // namespace scanmq::kill9

int main(int argc, char** argv) { return scanmq::kill9::main_of(argc, argv); }
