// The load of overload.sh: producers that offer more than the workers can do, and a subscriber that
// counts what came of it.
//
// Offer:   --rate jobs/s over all producers, by a schedule. A producer's own buffer holds --ahead jobs:
//          what finds it full is not submitted but counted as `held`: that is the broker holding the
//          producer back. A job's latency begins when it enters that buffer.
// Counts:  only entries that come after --warm-up, so that the figures are of the steady state.
// Output:  one JSON object on the last line. Exit 1 when a job was lost, doubled or foreign.

#include <fmt/format.h>
#include <poll.h>

#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <mutex>

#include "client/cpp/client.hpp"
#include "client/cpp/producer.hpp"
#include "client/cpp/subscriber.hpp"
#include "common/config/options.hpp"
#include "common/config/shared.hpp"
#include "common/protocol/kinds.hpp"
#include "common/telemetry/histogram.hpp"

namespace scanmq::overload {
namespace {

using protocol::FinalOutcome;

struct LoadOptions {
    std::vector<std::string> brokers;
    std::string queue = "work";
    double rate = 1'000.0;
    double seconds = 10.0;
    double warm_up = 2.0;
    std::uint32_t producers = 2;
    std::uint32_t ahead = 64;
    std::uint32_t payload_bytes = 200;
    Duration drain{};
};

Time now() { return std::chrono::steady_clock::now(); }

// The payload's first bytes; the result of a no-op scan is its payload.
struct Stamp {
    std::uint64_t number{};
    std::int64_t entered_ns{};
};

class Tally {
  public:
    Tally(const LoadOptions& options, Time start)
        : warm_at_(start +
                   std::chrono::nanoseconds(static_cast<std::int64_t>(options.warm_up * 1e9))),
          end_at_(start +
                  std::chrono::nanoseconds(static_cast<std::int64_t>(options.seconds * 1e9))) {}

    void take(const client::EntryBatch& batch) {
        const Time at = now();
        const std::lock_guard lock(mutex_);
        if (batch.gap) missed_ += batch.gap->to - batch.gap->from;
        for (const protocol::Entry& entry : batch.entries) {
            ++ended_[static_cast<std::size_t>(entry.outcome)];
            ++all_;
            const bool counted = at >= warm_at_ && at < end_at_;
            if (entry.outcome != FinalOutcome::done) continue;
            Stamp stamp;
            if (entry.body.bytes.size() < sizeof stamp) {
                ++foreign_;
                continue;
            }
            std::memcpy(&stamp, entry.body.bytes.data(), sizeof stamp);
            if (stamp.number >= seen_.size()) seen_.resize(stamp.number + 65'536);
            if (seen_[stamp.number]) ++doubled_;
            seen_[stamp.number] = true;
            if (!counted) continue;
            ++done_counted_;
            latency_.record(at.time_since_epoch() - Duration{stamp.entered_ns});
        }
    }
    [[nodiscard]] std::uint64_t all() const {
        const std::lock_guard lock(mutex_);
        return all_ + missed_;
    }

    mutable std::mutex mutex_;  // guards everything below
    std::uint64_t all_ = 0;
    std::uint64_t missed_ = 0;  // in gaps of the stream
    std::uint64_t done_counted_ = 0;
    std::uint64_t foreign_ = 0;
    std::uint64_t doubled_ = 0;
    std::array<std::uint64_t, 8> ended_{};
    telemetry::Histogram latency_;

  private:
    const Time warm_at_;
    const Time end_at_;
    std::vector<bool> seen_;
};

class Load {
  public:
    explicit Load(const LoadOptions& options) : options_(options), tally_(options, now()) {}

    int run() {
        const Time start = now();
        auto reader = open("overload-subscriber");
        client::SubscriberOptions reading;
        reading.queue = options_.queue;
        reading.on_batch = [this](const client::EntryBatch& batch) { tally_.take(batch); };
        client::Subscriber subscriber(*reader, reading);
        if (auto active = subscriber.wait_active(std::chrono::seconds(10)); !active) {
            return complain(active.error().sentence);
        }
        for (std::uint32_t i = 0; i < options_.producers; ++i) {
            clients_.push_back(open(fmt::format("overload-{}", i)));
            client::ProducerOptions buffer;
            buffer.buffer_items_max = options_.ahead;
            producers_.push_back(
                std::make_unique<client::Producer>(*clients_.back(), options_.queue, buffer));
        }
        offer(start);
        for (auto& producer : producers_) {
            if (auto drained = producer->drain(options_.drain); !drained) {
                return complain("not every job was answered: " + drained.error().sentence);
            }
        }
        const Time patience = now() + options_.drain;
        while (tally_.all() < taken() && now() < patience) ::poll(nullptr, 0, 20);
        return report();
    }

  private:
    std::unique_ptr<client::Client> open(const std::string& name) {
        client::ClientOptions wanted;
        wanted.brokers = options_.brokers;
        wanted.name = name;
        wanted.background_thread = true;
        auto out = client::Client::open(wanted);
        if (!out) throw std::runtime_error(out.error().sentence);
        return std::move(*out);
    }

    void offer(Time start) {
        std::string payload(std::max<std::size_t>(options_.payload_bytes, sizeof(Stamp)), 'x');
        for (;;) {
            const double at = std::chrono::duration<double>(now() - start).count();
            if (at >= options_.seconds) return;
            const auto due = static_cast<std::uint64_t>(at * options_.rate);
            for (; offered_ < due; ++offered_) {
                const Stamp stamp{submitted_, now().time_since_epoch().count()};
                std::memcpy(payload.data(), &stamp, sizeof stamp);
                client::Job job;
                job.payload = payload;
                auto& producer = *producers_[offered_ % producers_.size()];
                if (producer.submit(job, Duration{0})) {
                    ++submitted_;
                } else {
                    ++held_;
                }
            }
            ::poll(nullptr, 0, 1);
        }
    }

    [[nodiscard]] std::uint64_t taken() const {
        std::uint64_t refused = 0;
        for (const auto& producer : producers_) refused += producer->stats().refused;
        return submitted_ - refused;
    }

    int report() {
        const std::lock_guard lock(tally_.mutex_);
        const double counted = options_.seconds - options_.warm_up;
        const auto micros = [&](double share) {
            return static_cast<double>(tally_.latency_.percentile(share).count()) / 1e3;
        };
        const auto ended = [&](FinalOutcome outcome) {
            return tally_.ended_[static_cast<std::size_t>(outcome)];
        };
        const std::uint64_t taken_jobs = taken();
        const std::uint64_t seen = tally_.all_ + tally_.missed_;
        const std::uint64_t lost = taken_jobs > seen ? taken_jobs - seen : 0;
        fmt::print(
            "{{\"offered\": {}, \"submitted\": {}, \"held\": {}, \"taken\": {}, \"done_per_s\": "
            "{:.1f}, "
            "\"done\": {}, \"shed\": {}, \"expired\": {}, \"dead\": {}, \"lost\": {}, \"doubled\": "
            "{}, "
            "\"foreign\": {}, \"missed\": {}, \"latency_us\": {{\"p50\": {:.0f}, \"p99\": {:.0f}, "
            "\"max\": "
            "{:.0f}}}}}\n",
            offered_, submitted_, held_, taken_jobs,
            static_cast<double>(tally_.done_counted_) / counted, ended(FinalOutcome::done),
            ended(FinalOutcome::shed), ended(FinalOutcome::expired), ended(FinalOutcome::dead),
            lost, tally_.doubled_, tally_.foreign_, tally_.missed_, micros(0.5), micros(0.99),
            static_cast<double>(tally_.latency_.max().count()) / 1e3);
        return lost == 0 && tally_.doubled_ == 0 && tally_.foreign_ == 0 ? 0 : 1;
    }

    static int complain(const std::string& sentence) {
        fmt::print(stderr, "test-overload-load: {}\n", sentence);
        return 1;
    }

    const LoadOptions& options_;
    Tally tally_;
    std::vector<std::unique_ptr<client::Client>> clients_;
    std::vector<std::unique_ptr<client::Producer>> producers_;
    std::uint64_t offered_ = 0;
    std::uint64_t submitted_ = 0;  // into a producer's buffer
    std::uint64_t held_ = 0;
};

int main_of(int argc, char** argv) {
    LoadOptions options;
    options.drain = std::chrono::seconds(60);
    config::Options declared("test-overload-load", "Offers a queue more than it can do");
    config::add_broker(declared, options.brokers);
    declared.text("queue", options.queue, "Queue");
    declared.number("rate", options.rate, {0.001, 1e7}, "jobs/s", "Offered by all producers");
    declared.number("seconds", options.seconds, {0.1, 86'400.0}, "s", "How long");
    declared.number("warm-up", options.warm_up, {0.0, 86'400.0}, "s", "Not counted at the start");
    declared.number("producers", options.producers, {1U, 64U}, "", "Sessions that submit");
    declared.number("ahead", options.ahead, {1U, 65'536U}, "jobs", "A producer's own buffer");
    declared.number("payload-bytes", options.payload_bytes, {16U, 65'536U}, "bytes", "Of each job");
    declared.duration("drain", options.drain, {}, "How long what was taken may take to end");
    int exit_code = 0;
    if (!config::parse_or_exit(declared, argc, argv, exit_code)) return exit_code;
    return Load(options).run();
}

}  // namespace
}  // namespace scanmq::overload

int main(int argc, char** argv) {
    try {
        return scanmq::overload::main_of(argc, argv);
    } catch (const std::exception& error) {
        fmt::print(stderr, "test-overload-load: {}\n", error.what());
        return 1;
    }
}
