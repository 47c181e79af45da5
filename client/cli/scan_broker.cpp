// The scan over a broker: one job per chain, one group, results as they come.

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "client/cli/interrupt.hpp"
#include "client/cli/scan_run.hpp"
#include "client/cli/session.hpp"
#include "client/cpp/producer.hpp"
#include "client/cpp/subscriber.hpp"
#include "common/protocol/subject.hpp"
#include "scanner/service/codec.hpp"

namespace scanmq::cli {
namespace {

constexpr std::uint32_t kPutsAgainMax = 3;  // of one snapshot
constexpr Duration kLook =
    std::chrono::milliseconds(100);  // between looks at progress and deadline

Time now() { return std::chrono::steady_clock::now(); }

class BrokerRun {
  public:
    BrokerRun(client::Client& client, const BrokerScan& options,
              const service::ScanRequest& request, const std::vector<ScanInput>& inputs)
        : client_(client),
          options_(options),
          inputs_(inputs),
          payload_(service::encode(request, service::Encoding::json)),
          what_(request.strategies.size() == 1 ? protocol::subject_token(request.strategies[0])
                                               : "verticals"),
          run_(client.new_id().hex()),
          jobs_(inputs.size()),
          progress_(options.progress),
          deadline_(now() + options.timeout) {}

    Result<ScanReport, Problem> run() {
        const client::Result<void> made = client_.create_queue(options_.queue, {{"pure", 1}});
        // A queue with settings of its own serves as well.
        if (!made && made.error().code != protocol::ErrorCode::queue_exists) {
            return fail(problem_of(made.error(), "cannot create queue " + options_.queue));
        }
        client::SubscriberOptions watching;
        watching.queue = options_.queue;
        watching.pattern = "*.*." + run_;
        client::Subscriber subscriber(client_, std::move(watching));
        if (const auto active = subscriber.wait_active(options_.timeout); !active) {
            return fail(problem_of(active.error(), "cannot subscribe to " + options_.queue));
        }
        const auto group = client_.open_group(options_.queue);
        if (!group)
            return fail(problem_of(group.error(), "cannot open a group in " + options_.queue));
        group_ = *group;

        client::ProducerOptions producing;
        producing.on_answers = [this](std::span<const client::JobAnswer> answers) {
            take_answers(answers);
        };
        client::Producer producer(client_, options_.queue, std::move(producing));
        const Interrupt interrupt(&client_);
        started_ = last_ = now();
        if (auto problem = submit_all(producer)) return fail(*std::move(problem));
        if (auto problem = collect(subscriber, producer, interrupt))
            return fail(*std::move(problem));
        return finish();
    }

  private:
    struct JobState {
        Time submitted{};
        bool ended = false;
        std::uint32_t puts_again = 0;
    };

    std::optional<Problem> submit_all(client::Producer& producer) {
        for (std::size_t i = 0; i < inputs_.size(); ++i) {
            if (auto problem = submit(producer, i)) return problem;
        }
        producer.flush();
        return std::nullopt;
    }

    std::optional<Problem> submit(client::Producer& producer, std::size_t i) {
        const std::string subject =
            fmt::format("{}.{}.{}", protocol::subject_token(inputs_[i].symbol), what_, run_);
        client::Job job;
        job.id = client_.new_id();
        job.group = group_;
        job.subject = subject;
        job.payload = payload_;
        job.inputs = inputs_[i].snapshot.view();
        index_.emplace(job.id, i);
        jobs_[i].submitted = now();
        if (const auto ticket = producer.submit(job, deadline_ - now()); !ticket) {
            return problem_of(ticket.error(), "cannot submit the job of " + inputs_[i].label);
        }
        return std::nullopt;
    }

    // Those whose snapshot the broker does not have any more.
    std::optional<Problem> submit_lost(client::Producer& producer) {
        const std::vector<std::size_t> lost = std::exchange(lost_, {});
        for (const std::size_t i : lost) {
            const auto put = publish_again(client_, inputs_[i]);
            if (!put && put.error().code == protocol::ErrorCode::snapshots_full) {
                lost_.push_back(i);  // until jobs end and let theirs go
                continue;
            }
            if (!put) {
                return problem_of(put.error(),
                                  "cannot store the snapshot of " + inputs_[i].label + " again");
            }
            if (auto problem = submit(producer, i)) return problem;
        }
        if (!lost.empty()) producer.flush();
        return std::nullopt;
    }

    void take_answers(std::span<const client::JobAnswer> answers) {
        for (const client::JobAnswer& answer : answers) {
            const auto at = index_.find(answer.id);
            if (at != index_.end() && answer.code == protocol::ErrorCode::unknown_snapshot &&
                !inputs_[at->second].kept.empty() && jobs_[at->second].puts_again < kPutsAgainMax) {
                ++jobs_[at->second].puts_again;
                lost_.push_back(at->second);
                index_.erase(at);
                continue;
            }
            ++answered_;
            if (answer.verdict == protocol::Verdict::cached) ++report_.cached;
            if (answer.taken()) continue;
            if (at == index_.end() || std::exchange(jobs_[at->second].ended, true)) continue;
            ++ended_;
            report_.failures.push_back({inputs_[at->second].label, "refused",
                                        std::string(protocol::to_string(answer.code)),
                                        std::string(answer.sentence)});
        }
    }

    std::optional<Problem> collect(client::Subscriber& subscriber, client::Producer& producer,
                                   const Interrupt& interrupt) {
        while (ended_ < jobs_.size()) {
            if (auto problem = submit_lost(producer)) return problem;
            progress_.update(ended_, jobs_.size(), report_.failures.size(), now());
            if (!sealed_ && answered_ == jobs_.size()) seal();
            report_.interrupted = interrupt.requested();
            report_.timed_out = now() >= deadline_;
            if (report_.interrupted || report_.timed_out) break;
            auto received = subscriber.receive(std::min<Duration>(kLook, deadline_ - now()));
            if (!received)
                return problem_of(received.error(), "the results of " + options_.queue + " ended");
            if (!*received) continue;
            for (const protocol::Entry& entry : (*received)->entries()) take_entry(entry);
        }
        if (!sealed_ && answered_ == jobs_.size()) seal();
        progress_.update(ended_, jobs_.size(), report_.failures.size(), now());
        progress_.finish();
        return std::nullopt;
    }

    // So that the broker can forget the group; the results do not wait for it.
    void seal() {
        sealed_ = true;
        std::uint64_t refused = 0;
        for (const ScanFailure& failure : report_.failures)
            refused += failure.outcome == "refused" ? 1 : 0;
        const auto state = client_.seal_group(options_.queue, group_, jobs_.size() - refused);
        if (!state)
            fmt::print(stderr, "scanmq scan: cannot seal the group: {}\n", state.error().sentence);
    }

    void take_entry(const protocol::Entry& entry) {
        const auto at = index_.find(entry.id);
        if (entry.kind != protocol::EntryKind::job || at == index_.end()) return;
        JobState& job = jobs_[at->second];
        if (std::exchange(job.ended, true)) return;  // delivered again after a reconnect
        last_ = now();
        ++ended_;
        report_.latency.record(last_ - job.submitted);
        const std::string& label = inputs_[at->second].label;
        if (entry.outcome != protocol::FinalOutcome::done) {
            report_.failures.push_back({label, std::string(protocol::to_string(entry.outcome)),
                                        std::string(protocol::to_string(entry.code)),
                                        std::string(entry.sentence)});
            return;
        }
        auto bytes = client_.fetch_body(entry.body);
        if (!bytes) {
            report_.failures.push_back(
                {label, "done", std::string(protocol::to_string(bytes.error().code)),
                 "the result could not be fetched: " + bytes.error().sentence});
            return;
        }
        auto result = service::decode_result(*bytes);
        if (!result) {
            report_.failures.push_back({label, "done", "invalid_result", result.error().message});
            return;
        }
        report_.results.push_back(std::move(*result));
    }

    ScanReport finish() {
        for (const auto& [id, i] : index_) {
            if (jobs_[i].ended) continue;
            report_.failures.push_back(
                {inputs_[i].label, "unfinished", "timed_out",
                 "no result came in time; are workers connected? scanmq worker list tells"});
        }
        std::ranges::sort(report_.failures, {}, &ScanFailure::label);
        report_.jobs = jobs_.size();
        report_.elapsed = last_ - started_;
        return std::move(report_);
    }

    client::Client& client_;
    const BrokerScan& options_;
    const std::vector<ScanInput>& inputs_;
    const std::string payload_;
    const std::string what_;  // second token of the subjects
    const std::string run_;   // third token: only this run's entries match the subscription
    Id128 group_;
    std::vector<JobState> jobs_;
    std::unordered_map<Id128, std::size_t> index_;
    std::vector<std::size_t> lost_;
    std::size_t answered_ = 0;
    std::size_t ended_ = 0;
    bool sealed_ = false;
    Progress progress_;
    Time deadline_;
    Time started_{};
    Time last_{};
    ScanReport report_;
};

}  // namespace

Result<ScanReport, Problem> scan_by_broker(client::Client& client, const BrokerScan& options,
                                           const service::ScanRequest& request,
                                           const std::vector<ScanInput>& inputs) {
    return BrokerRun(client, options, request, inputs).run();
}

}  // namespace scanmq::cli
