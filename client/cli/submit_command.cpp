// scanmq submit: payloads from the command line, a file, or one a line from standard input.

#include <fmt/format.h>

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "client/cli/command.hpp"
#include "client/cli/files.hpp"
#include "client/cli/scan_run.hpp"
#include "client/cli/session.hpp"
#include "client/cli/time_text.hpp"
#include "client/cpp/producer.hpp"
#include "common/config/shared.hpp"

namespace scanmq::cli {
namespace {

using Json = nlohmann::ordered_json;

struct SubmitFlags {
    BrokerOptions broker;
    std::string queue;
    std::string subject;
    std::vector<std::string> snapshots;
    std::string payload;
    std::string file;
    std::uint32_t priority = protocol::JobOptions::kDefaultPriority;
    Duration delay{0};
    Duration deadline{0};
    std::string conflate_key;
    std::string flow;
    bool pure = false;
    bool not_pure = false;
    bool finish_late = false;
    bool fresh = false;
    bool sheddable = false;
    std::string as_of;
    std::optional<std::int64_t> as_of_ns;  // read from as_of
    std::vector<std::string> aliases;
    std::string journal;
    bool journal_sync = false;
    bool quiet = false;
};

constexpr Duration kLongest = std::chrono::hours(24 * 365);

void declare(config::Options& declared, SubmitFlags& flags, bool& json) {
    declared.positional("queue", flags.queue, true, "The queue's name");
    declared.positional(
        "payload", flags.payload, false,
        "The job's payload; without it and --file, each line of standard input is one job");
    declared.text("file", flags.file, "File whose bytes are the one job's payload");
    declared.text("subject", flags.subject, "Subject of the jobs, tokens separated by dots");
    declared.list("snapshot", flags.snapshots, ',',
                  "Inputs: content ids in hexadecimal, or labels");
    declared.number("priority", flags.priority, {0U, 9U}, "", "Higher goes first");
    declared.duration("delay", flags.delay, {Duration{0}, kLongest},
                      "Not before that long after acceptance");
    declared.duration("deadline", flags.deadline, {Duration{0}, kLongest},
                      "Not started later than that after acceptance; 0: no deadline");
    declared.text("conflate-key", flags.conflate_key,
                  "A newer waiting job of the same key replaces this one");
    declared.text("flow", flags.flow,
                  "Flow that the jobs are shared out by, instead of the producer's name");
    declared.flag("pure", flags.pure,
                  "The result depends on payload and inputs only: equal jobs are done once");
    declared.flag("not-pure", flags.not_pure, "The opposite, in a queue that is pure");
    declared.flag("fresh", flags.fresh, "Runs, whatever results are known already");
    declared.flag("finish-late", flags.finish_late,
                  "What runs past the deadline may end instead of being stopped");
    declared.flag("sheddable", flags.sheddable,
                  "May end unrun when its queue is overloaded and set to shed");
    declared.text(
        "as-of", flags.as_of,
        "Pricing clock: 2024-05-01T15:45:00Z, or so long ago; else the snapshot's moment");
    declared.list("alias", flags.aliases, ',',
                  "Inputs by alias, resolved when the job is accepted, behind those of --snapshot");
    declared.text("journal", flags.journal,
                  "File that keeps what is not answered; submitted again when given again");
    declared.flag("journal-sync", flags.journal_sync,
                  "Sync the journal with each job, against a crash of the machine");
    declared.flag("quiet", flags.quiet, "Print the summary only, not each job's id");
    add_broker_options(declared, flags.broker);
    config::add_json(declared, json);
}

// Content ids, one after another.
Result<std::string, Problem> find_inputs(client::Client& client,
                                         const std::vector<std::string>& names) {
    std::string inputs;
    for (const std::string& name : names) {
        auto id = ContentId::parse_hex(name);
        if (!id) {
            const auto found = find_snapshots(client, {name}, false);
            if (!found) return fail(found.error());
            id = found->front().snapshot;
        }
        inputs += id->view();
    }
    return inputs;
}

class Submission {
  public:
    Submission(const SubmitFlags& flags, bool json) : flags_(flags), json_(json) {}

    // Problem: the journal cannot be used.
    std::optional<Problem> open(client::Client& client) {
        auto producer = client::Producer::open(client, flags_.queue, options());
        if (!producer) return problem_of(producer.error(), "cannot submit to " + flags_.queue);
        producer_ = std::move(*producer);
        if (const auto journal = producer_->journal(); journal.restored > 0) {
            fmt::print(stderr, "{} jobs of an earlier run are submitted again, from {}\n",
                       journal.restored, flags_.journal);
        }
        return std::nullopt;
    }

    std::optional<Problem> add(ByteView payload, ByteView inputs) {
        client::Job job;
        job.subject = flags_.subject;
        job.payload = payload;
        job.inputs = inputs;
        job.priority = flags_.priority;
        job.delay = flags_.delay;
        job.deadline = flags_.deadline;
        job.conflate_key = flags_.conflate_key;
        job.flow = flags_.flow;
        if (flags_.pure || flags_.not_pure) job.pure = flags_.pure;
        job.finish_late = flags_.finish_late;
        job.fresh = flags_.fresh;
        job.sheddable = flags_.sheddable;
        job.as_of_ns = flags_.as_of_ns;
        job.aliases = flags_.aliases;
        const auto ticket = producer_->submit(job, flags_.broker.timeout);
        if (ticket) return std::nullopt;
        return problem_of(ticket.error(),
                          fmt::format("cannot submit job {} to {}", submitted() + 1, flags_.queue));
    }

    Outcome finish() {
        producer_->flush();
        const auto drained = producer_->drain(flags_.broker.timeout);
        if (json_) {
            fmt::print("{}\n",
                       Json{{"queue", flags_.queue},
                            {"submitted", submitted()},
                            {"accepted", submitted() - refused_ - (drained ? 0 : unanswered())},
                            {"refused", refused_},
                            {"jobs", jobs_}}
                           .dump(-1, ' ', false, Json::error_handler_t::replace));
        } else {
            fmt::print(stderr, "{} jobs submitted to {}, {} refused\n", submitted(), flags_.queue,
                       refused_);
        }
        if (!drained) {
            return fail(problem_of(
                drained.error(),
                flags_.journal.empty()
                    ? "not every job was answered"
                    : "not every job was answered; the rest is kept in " + flags_.journal));
        }
        if (refused_ == 0) return ExitCode::ok;
        return refused_ == submitted() ? ExitCode::failed : ExitCode::partial;
    }

  private:
    client::ProducerOptions options() {
        client::ProducerOptions options;
        options.journal = flags_.journal;
        options.journal_sync = flags_.journal_sync;
        options.on_answers = [this](std::span<const client::JobAnswer> answers) {
            for (const client::JobAnswer& answer : answers) take(answer);
        };
        return options;
    }

    void take(const client::JobAnswer& answer) {
        if (!answer.taken()) {
            ++refused_;
            fmt::print(stderr, "scanmq submit: job {}: {}: {}\n", answer.id.hex(),
                       protocol::to_string(answer.code), answer.sentence);
        }
        if (flags_.quiet) return;
        if (json_) {
            Json job{{"id", answer.id.hex()}, {"verdict", protocol::to_string(answer.verdict)}};
            if (!answer.taken()) job["code"] = protocol::to_string(answer.code);
            if (answer.verdict == protocol::Verdict::duplicate ||
                answer.verdict == protocol::Verdict::coalesced ||
                answer.verdict == protocol::Verdict::cached) {
                job["state"] = protocol::to_string(answer.state);
            }
            jobs_.push_back(std::move(job));
        } else if (answer.taken()) {
            fmt::print("{}\n", answer.id.hex());
        }
    }

    [[nodiscard]] std::uint64_t submitted() const { return producer_->stats().submitted; }
    [[nodiscard]] std::uint64_t unanswered() const {
        const client::ProducerStats stats = producer_->stats();
        return stats.waiting + stats.unanswered;
    }

    const SubmitFlags& flags_;
    const bool json_;
    std::uint64_t refused_ = 0;
    Json jobs_ = Json::array();
    std::unique_ptr<client::Producer> producer_;
};

}  // namespace

Outcome submit(Invocation& invocation) {
    SubmitFlags flags;
    config::Options declared(invocation.program, invocation.summary);
    declare(declared, flags, invocation.json);
    if (auto over = parse(declared, invocation)) return *std::move(over);
    if (!flags.payload.empty() && !flags.file.empty()) {
        return fail(usage_problem("give a payload or --file, not both"));
    }
    if (!flags.file.empty()) {
        auto bytes = read_file(flags.file);
        if (!bytes) return fail(bytes.error());
        flags.payload = std::move(*bytes);
    }
    if (flags.pure && flags.not_pure) {
        return fail(usage_problem("give --pure or --not-pure, not both"));
    }
    if (!flags.as_of.empty()) {
        const auto as_of = parse_moment(flags.as_of, SystemClock().wall_millis());
        if (!as_of) return fail(usage_problem("--as-of: " + as_of.error()));
        flags.as_of_ns = *as_of;
    }
    auto client = connect(flags.broker);
    if (!client) return fail(client.error());
    const auto inputs = find_inputs(**client, flags.snapshots);
    if (!inputs) return fail(inputs.error());

    Submission submission(flags, invocation.json);
    if (auto problem = submission.open(**client)) return fail(*std::move(problem));
    if (!flags.payload.empty() || !flags.file.empty()) {
        if (auto problem = submission.add(flags.payload, *inputs)) return fail(*std::move(problem));
    } else {
        for (std::string line; std::getline(std::cin, line);) {
            if (auto problem = submission.add(line, *inputs)) return fail(*std::move(problem));
        }
    }
    return submission.finish();
}

}  // namespace scanmq::cli
