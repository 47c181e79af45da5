#include "client/cli/bench_role.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <sstream>

#include "client/cli/bench_payload.hpp"
#include "client/cli/command.hpp"
#include "client/cli/session.hpp"
#include "client/cpp/producer.hpp"
#include "client/cpp/subscriber.hpp"

namespace scanmq::cli {
namespace {

constexpr Duration kLook = std::chrono::milliseconds(20);  // between looks at the parent

void say(std::string_view line) {
    fmt::print("{}\n", line);
    std::fflush(stdout);
}

// Lines from the parent, without ever blocking the client's work.
class ParentLines {
  public:
    // A line within `timeout`; nullopt when none came or the parent has gone.
    std::optional<std::string> next(Duration timeout) {
        for (;;) {
            if (const auto end = buffer_.find('\n'); end != std::string::npos) {
                std::string line = buffer_.substr(0, end);
                buffer_.erase(0, end + 1);
                return line;
            }
            pollfd waiting{STDIN_FILENO, POLLIN, 0};
            const auto millis = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
            if (::poll(&waiting, 1, static_cast<int>(millis)) <= 0) return std::nullopt;
            std::array<char, 4096> chunk{};
            const auto n = ::read(STDIN_FILENO, chunk.data(), chunk.size());
            if (n <= 0) {
                gone_ = true;
                return std::nullopt;
            }
            buffer_.append(chunk.data(), static_cast<std::size_t>(n));
        }
    }
    [[nodiscard]] bool gone() const noexcept { return gone_; }

  private:
    std::string buffer_;
    bool gone_ = false;
};

// CLOCK_MONOTONIC, to the microsecond: the schedule of an open loop must not drift with poll()'s
// ticks.
void sleep_until(std::int64_t due_ns) {
    const timespec due{due_ns / 1'000'000'000, due_ns % 1'000'000'000};
    while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, nullptr) == EINTR) {
    }
}

// Counts and checks results.
class Tally {
  public:
    explicit Tally(const RoleOptions& options) : options_(options), seen_(options.producers) {}

    void take(const protocol::Entry& entry) {
        if (entry.kind != protocol::EntryKind::job) return;
        const std::int64_t at = monotonic_ns();
        if (entry.outcome != protocol::FinalOutcome::done) {
            ++report_.failed;
            return;
        }
        const auto stamp = read_payload(entry.body.bytes, options_.payload_bytes, options_.run);
        if (!stamp || stamp->producer >= seen_.size() || stamp->id >= SeenIds::kIdMax) {
            ++report_.foreign;
            return;
        }
        if (options_.distinct > 0) return take_shared(at);
        if (stamp->warm_up != 0) {
            ++warm_;
            return;
        }
        if (!seen_[stamp->producer].insert(stamp->id)) {
            ++report_.duplicated;
            return;
        }
        report_.latency.record(Duration{at - stamp->due_ns});
        if (report_.jobs++ == 0) report_.first_ns = at;
        report_.last_ns = at;
    }

    [[nodiscard]] std::uint64_t jobs() const noexcept { return report_.jobs; }
    [[nodiscard]] std::uint64_t warm() const noexcept { return warm_; }
    // Everything that ended, whatever the outcome: what a wait for progress looks at.
    [[nodiscard]] std::uint64_t ended() const noexcept {
        return report_.jobs + report_.failed + warm_;
    }
    [[nodiscard]] std::uint64_t missing(const std::vector<std::uint64_t>& expected) const {
        std::uint64_t sum = 0;
        if (options_.distinct > 0) {
            for (const std::uint64_t jobs : expected) sum += jobs;
            return sum - std::min(sum, report_.jobs);
        }
        for (std::size_t p = 0; p < seen_.size() && p < expected.size(); ++p)
            sum += seen_[p].missing(expected[p]);
        return sum;
    }
    [[nodiscard]] SeenReport report(const std::vector<std::uint64_t>& expected) {
        report_.lost = missing(expected);
        return report_;
    }

  private:
    // Results do not tell jobs apart: they are counted, those of the warm-up first.
    void take_shared(std::int64_t at) {
        if (warm_ < std::uint64_t{options_.warm_up} * options_.producers) {
            ++warm_;
            return;
        }
        if (report_.jobs++ == 0) report_.first_ns = at;
        report_.last_ns = at;
    }

    const RoleOptions& options_;
    std::vector<SeenIds> seen_;
    std::uint64_t warm_ = 0;
    SeenReport report_;
};

class Sender {
  public:
    Sender(client::Client& client, const RoleOptions& options)
        : client_(client),
          options_(options),
          producer_(client, options.queue, producer_options()) {}

    // One job, stamped as due at `due_ns`. Problem: the buffer stayed full, or the client closed.
    std::optional<Problem> put(std::int64_t due_ns, bool warm_up) {
        JobStamp stamp;
        stamp.run = options_.run;
        stamp.producer = options_.index;
        stamp.warm_up = warm_up ? 1 : 0;
        stamp.id = warm_up ? warmed_++ : report_.jobs++;
        stamp.due_ns = due_ns;
        if (options_.distinct > 0) stamp = {options_.run, 0, 0, stamp.id % options_.distinct, 0};
        write_payload(stamp, options_.payload_bytes, payload_);
        client::Job job;
        job.payload = payload_;
        if (const auto ticket = producer_.submit(job, options_.patience); !ticket) {
            return problem_of(ticket.error(), "cannot submit");
        }
        return std::nullopt;
    }

    std::optional<Problem> warm_up_alone() {
        for (std::uint32_t i = 0; i < options_.warm_up; ++i) {
            if (auto problem = put(monotonic_ns(), true)) return problem;
            if (auto problem = drain()) return problem;
        }
        return std::nullopt;
    }

    // As fast as credit allows.
    std::optional<Problem> flood() {
        begin();
        while (more(monotonic_ns())) {
            const std::int64_t due = monotonic_ns();
            for (std::uint32_t i = 0; i < options_.batch && more(0); ++i) {
                if (auto problem = put(due, false)) return problem;
            }
            client_.poll(Duration{0});
        }
        return end();
    }

    // On a schedule that does not wait for anything.
    std::optional<Problem> keep_rate() {
        begin();
        const double step = 1e9 / options_.rate;
        for (std::uint64_t k = 0;; ++k) {
            const std::int64_t due =
                report_.first_ns + static_cast<std::int64_t>(step * static_cast<double>(k));
            if (!more(due)) break;
            client_.poll(Duration{0});
            sleep_until(due);
            report_.late_max_ns = std::max(report_.late_max_ns, monotonic_ns() - due);
            if (auto problem = put(due, false)) return problem;
            producer_.flush();
        }
        return end();
    }

    void begin() { report_.first_ns = monotonic_ns(); }
    std::optional<Problem> end() {
        auto problem = drain();
        report_.last_ns = monotonic_ns();
        report_.refused = producer_.stats().refused;
        return problem;
    }
    [[nodiscard]] bool more(std::int64_t at_ns) const {
        if (options_.jobs > 0 && report_.jobs >= options_.jobs) return false;
        return options_.seconds <= 0.0 ||
               static_cast<double>(at_ns - report_.first_ns) < options_.seconds * 1e9;
    }
    void flush() { producer_.flush(); }
    [[nodiscard]] const SentReport& report() const noexcept { return report_; }

  private:
    client::ProducerOptions producer_options() const {
        client::ProducerOptions out;
        out.batch_items_max = options_.batch;
        out.buffer_items_max = std::max(1024U, options_.batch * 8);
        return out;
    }

    std::optional<Problem> drain() {
        producer_.flush();
        if (const auto drained = producer_.drain(options_.patience); !drained) {
            return problem_of(drained.error(), "not every job was answered");
        }
        return std::nullopt;
    }

    client::Client& client_;
    const RoleOptions& options_;
    SentReport report_;
    std::uint64_t warmed_ = 0;
    std::string payload_;
    client::Producer producer_;
};

client::SubscriberOptions subscription(const RoleOptions& options, Tally& tally) {
    client::SubscriberOptions out;
    out.queue = options.queue;
    out.from = protocol::StartFrom::earliest;
    out.on_batch = [&tally](const client::EntryBatch& batch) {
        for (const protocol::Entry& entry : batch.entries) tally.take(entry);
    };
    return out;
}

Outcome run_producer(client::Client& client, const RoleOptions& options) {
    ParentLines parent;
    Sender sender(client, options);
    if (auto problem = sender.warm_up_alone()) return fail(*std::move(problem));
    say("ready");
    while (!parent.next(kLook)) {
        if (parent.gone()) return ExitCode::failed;
        client.poll(Duration{0});
    }
    auto problem = options.rate > 0.0 ? sender.keep_rate() : sender.flood();
    if (problem) return fail(*std::move(problem));
    say(encode(sender.report()));
    return ExitCode::ok;
}

Outcome run_subscriber(client::Client& client, const RoleOptions& options) {
    ParentLines parent;
    Tally tally(options);
    client::Subscriber subscriber(client, subscription(options, tally));
    if (const auto active = subscriber.wait_active(options.patience); !active) {
        return fail(problem_of(active.error(), "cannot subscribe"));
    }
    say("ready");
    std::vector<std::uint64_t> expected;
    std::uint64_t ended = 0;
    Time looked{};
    Time progressed = std::chrono::steady_clock::now();
    for (;;) {
        client.poll(kLook);
        const Time now = std::chrono::steady_clock::now();
        if (now - looked < kLook) continue;
        looked = now;
        if (const auto line = parent.next(Duration{0})) {
            std::istringstream words(line->substr(line->find(' ') + 1));
            for (std::uint64_t jobs = 0; words >> jobs;) expected.push_back(jobs);
        }
        if (parent.gone()) return ExitCode::failed;
        if (std::exchange(ended, tally.ended()) != tally.ended()) progressed = now;
        if (expected.empty()) continue;
        if (tally.missing(expected) == 0 || now - progressed > options.patience) break;
    }
    say(encode(tally.report(expected)));
    return ExitCode::ok;
}

// One job at a time: the next leaves when the result of the one before is in hand.
Outcome run_loop(client::Client& client, const RoleOptions& options) {
    ParentLines parent;
    Tally tally(options);
    client::Subscriber subscriber(client, subscription(options, tally));
    if (const auto active = subscriber.wait_active(options.patience); !active) {
        return fail(problem_of(active.error(), "cannot subscribe"));
    }
    Sender sender(client, options);
    const auto round = [&](bool warm_up) -> std::optional<Problem> {
        const std::uint64_t before = tally.ended();
        if (auto problem = sender.put(monotonic_ns(), warm_up)) return problem;
        sender.flush();
        const std::int64_t deadline = monotonic_ns() + options.patience.count();
        while (tally.ended() == before) {
            client.poll(options.patience);
            if (monotonic_ns() > deadline) {
                return Problem{ExitCode::timed_out, "timed_out", "a job's result did not come"};
            }
        }
        return std::nullopt;
    };
    for (std::uint32_t i = 0; i < options.warm_up; ++i) {
        if (auto problem = round(true)) return fail(*std::move(problem));
    }
    say("ready");
    while (!parent.next(kLook)) {
        if (parent.gone()) return ExitCode::failed;
    }
    sender.begin();
    while (sender.more(monotonic_ns())) {
        if (auto problem = round(false)) return fail(*std::move(problem));
    }
    if (auto problem = sender.end()) return fail(*std::move(problem));
    say(encode(sender.report()));
    say(encode(tally.report({sender.report().jobs})));
    return ExitCode::ok;
}

}  // namespace

Outcome bench_role(Invocation& invocation) {
    RoleOptions options;
    config::Options declared(invocation.program, invocation.summary);
    declare(declared, options);
    if (auto over = parse(declared, invocation)) return *std::move(over);
    ::prctl(PR_SET_TIMERSLACK, 1);
    BrokerOptions broker;
    broker.brokers = options.brokers;
    broker.name = fmt::format("bench-{}-{}", options.role, options.index);
    broker.timeout = options.patience;
    auto client = connect(broker);
    if (!client) return fail(client.error());
    if (options.role == "producer") return run_producer(**client, options);
    if (options.role == "subscriber") return run_subscriber(**client, options);
    return run_loop(**client, options);
}

}  // namespace scanmq::cli
