// scanmq submit: payloads from the command line, a file, or one a line from standard input.

#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "client/cli/command.hpp"
#include "client/cli/files.hpp"
#include "client/cli/scan_run.hpp"
#include "client/cli/session.hpp"
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
    bool quiet = false;
};

void declare(config::Options& declared, SubmitFlags& flags, bool& json) {
    declared.positional("queue", flags.queue, true, "The queue's name");
    declared.positional(
        "payload", flags.payload, false,
        "The job's payload; without it and --file, each line of standard input is one job");
    declared.text("file", flags.file, "File whose bytes are the one job's payload");
    declared.text("subject", flags.subject, "Subject of the jobs, tokens separated by dots");
    declared.list("snapshot", flags.snapshots, ',',
                  "Inputs: content ids in hexadecimal, or labels");
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
    Submission(client::Client& client, const SubmitFlags& flags, bool json)
        : flags_(flags), json_(json), producer_(client, flags.queue, options()) {}

    std::optional<Problem> add(ByteView payload, ByteView inputs) {
        client::Job job;
        job.subject = flags_.subject;
        job.payload = payload;
        job.inputs = inputs;
        const auto ticket = producer_.submit(job, flags_.broker.timeout);
        if (ticket) return std::nullopt;
        return problem_of(ticket.error(),
                          fmt::format("cannot submit job {} to {}", submitted() + 1, flags_.queue));
    }

    Outcome finish() {
        producer_.flush();
        const auto drained = producer_.drain(flags_.broker.timeout);
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
        if (!drained) return fail(problem_of(drained.error(), "not every job was answered"));
        if (refused_ == 0) return ExitCode::ok;
        return refused_ == submitted() ? ExitCode::failed : ExitCode::partial;
    }

  private:
    client::ProducerOptions options() {
        client::ProducerOptions options;
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
            jobs_.push_back(std::move(job));
        } else if (answer.taken()) {
            fmt::print("{}\n", answer.id.hex());
        }
    }

    [[nodiscard]] std::uint64_t submitted() const { return producer_.stats().submitted; }
    [[nodiscard]] std::uint64_t unanswered() const {
        return producer_.stats().waiting + producer_.stats().unanswered;
    }

    const SubmitFlags& flags_;
    const bool json_;
    std::uint64_t refused_ = 0;
    Json jobs_ = Json::array();
    client::Producer producer_;
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
    auto client = connect(flags.broker);
    if (!client) return fail(client.error());
    const auto inputs = find_inputs(**client, flags.snapshots);
    if (!inputs) return fail(inputs.error());

    Submission submission(**client, flags, invocation.json);
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
