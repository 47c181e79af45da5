// The producer of kill9.sh: submits the run's jobs at a steady rate until each is acknowledged, and
// writes each acknowledgement down before it counts.
//
// Lines:   "NUMBER VERDICT" or "NUMBER refused CODE", one per answer. A job with a verdict but refused is
//          acknowledged.
// Restart: what has no acknowledgement in the file is submitted again, the same id and content; so are
//          the last few that have one, which must be told duplicate.
// Exit:    0 when each job is acknowledged, 1 when that cannot be.

#include <deque>

#include "client/cpp/client.hpp"
#include "client/cpp/producer.hpp"
#include "common/config/options.hpp"
#include "common/config/shared.hpp"
#include "common/protocol/kinds.hpp"
#include "tests/e2e/kill9_files.hpp"
#include "tests/e2e/kill9_job.hpp"

namespace scanmq::kill9 {
namespace {

constexpr std::size_t kRecheck = 64;  // acknowledged jobs submitted again after a restart
constexpr Duration kTick = std::chrono::milliseconds(2);

struct ProducerRun {
    Run run;
    std::string queue = "work";
    std::string file;
    std::vector<std::string> brokers;
    double rate = 1000.0;
};

// Refusals that pass: the broker is stopping or full, or lost a blob that nothing referred to yet.
bool passes(protocol::ErrorCode code) {
    switch (code) {
        case protocol::ErrorCode::shutting_down:
        case protocol::ErrorCode::store_full:
        case protocol::ErrorCode::queue_full:
        case protocol::ErrorCode::unknown_snapshot:
        case protocol::ErrorCode::snapshots_full:
            return true;
        default:
            return false;
    }
}

class Submitter {
  public:
    Submitter(client::Client& client, const ProducerRun& options)
        : options_(options),
          client_(client),
          file_(options.file),
          acknowledged_(options.run.jobs),
          producer_(client, options.queue, producer_options()) {
        std::deque<std::uint64_t> last;
        for (const std::string& line : file_.read()) {
            if (line.find(" refused ") != std::string::npos) continue;
            last.push_back(std::stoull(line));
            if (last.size() > kRecheck) last.pop_front();
            acknowledge(last.back());
        }
        again_ = last;
    }

    void run() {
        while (count_ < options_.run.jobs || !again_.empty()) {
            const double due = options_.rate * seconds_since_start();
            while (!again_.empty() && submit(again_.front())) again_.pop_front();
            while (next_ < options_.run.jobs && static_cast<double>(next_) < due) {
                if (!acknowledged_[next_] && !submit(next_)) break;
                ++next_;
            }
            client_.poll(kTick);
        }
    }

  private:
    client::ProducerOptions producer_options() {
        client::ProducerOptions out;
        out.on_answers = [this](std::span<const client::JobAnswer> answers) { take(answers); };
        return out;
    }

    [[nodiscard]] double seconds_since_start() const {
        const auto now =
            std::chrono::system_clock::now().time_since_epoch() / std::chrono::milliseconds(1);
        return static_cast<double>(now - static_cast<std::int64_t>(options_.run.start_ms)) / 1e3;
    }

    // False: the buffer is full for now.
    bool submit(std::uint64_t number) {
        const std::string body = payload(options_.run, number);
        client::Job job;
        job.id = job_id(options_.run, number);
        job.payload = body;
        const auto ticket = producer_.submit(job, Duration{0});
        if (ticket) return true;
        if (ticket.error().kind != client::ErrorKind::buffer_full) stop(1, ticket.error().sentence);
        return false;
    }

    void take(std::span<const client::JobAnswer> answers) {
        std::string lines;
        for (const client::JobAnswer& answer : answers) {
            const auto number = number_of(options_.run, answer.id);
            if (!number) stop(1, "an answer for a job that was never sent");
            if (answer.taken()) {
                lines += fmt::format("{} {}\n", *number, protocol::to_string(answer.verdict));
                continue;
            }
            lines += fmt::format("{} refused {}\n", *number, protocol::to_string(answer.code));
            if (passes(answer.code)) {
                again_.push_back(*number);
                continue;
            }
            file_.append(lines);
            stop(1, fmt::format("job {} was refused: {}: {}", *number,
                                protocol::to_string(answer.code), answer.sentence));
        }
        file_.append(lines);
        for (const client::JobAnswer& answer : answers) {
            if (answer.taken()) acknowledge(*number_of(options_.run, answer.id));
        }
    }

    void acknowledge(std::uint64_t number) {
        if (number >= acknowledged_.size() || acknowledged_[number]) return;
        acknowledged_[number] = true;
        ++count_;
    }

    const ProducerRun& options_;
    client::Client& client_;
    LineFile file_;
    std::vector<bool> acknowledged_;
    std::uint64_t count_ = 0;
    std::uint64_t next_ = 0;
    std::deque<std::uint64_t> again_;
    client::Producer producer_;
};

int main_of(int argc, char** argv) {
    ProducerRun options;
    config::Options declared("test-kill9-producer",
                             "Submits the jobs of a run until each is acknowledged");
    config::add_broker(declared, options.brokers);
    declared.number("seed", options.run.seed, {}, "", "Seed of the run's jobs");
    declared.number("start-ms", options.run.start_ms, {}, "ms", "Start of the run, wall time");
    declared.number("jobs", options.run.jobs, {}, "jobs", "How many");
    declared.number("rate", options.rate, {}, "jobs/s", "How fast from the start of the run");
    declared.number("blob-every", options.run.blob_every, {}, "jobs", "One of so many is a blob");
    declared.text("queue", options.queue, "Queue");
    declared.text("file", options.file, "File of acknowledgements");
    int exit_code = 0;
    if (!config::parse_or_exit(declared, argc, argv, exit_code)) return exit_code;
    client::ClientOptions wanted;
    wanted.brokers = options.brokers;
    wanted.name = "kill9-producer";
    wanted.roles = protocol::kProducer;
    auto client = client::Client::open(wanted);
    if (!client) stop(1, client.error().sentence);
    Submitter(**client, options).run();
    return 0;
}

}  // namespace
}  // namespace scanmq::kill9

int main(int argc, char** argv) { return scanmq::kill9::main_of(argc, argv); }
