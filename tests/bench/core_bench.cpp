// core/...: what the broker's state machine costs, without sockets and codec.
//
// core/submit_dispatch_done/N   a job's whole cycle in batches of N: SUBMIT, DELIVER, DONE, RESULTS
//
// core/submit/N                 filling a queue with a million jobs; bytes of memory a job as a
//                               counter
//
// core/flows/N/M                a job's whole cycle beside M waiting jobs of N flows
//
// core/inputs/N                 a job's whole cycle with one of N snapshots as its input, 8 workers
//
// core/id_window                finding and adding an id beside a million remembered ones

#include <benchmark/benchmark.h>
#include <malloc.h>

#include <memory>
#include <string>
#include <vector>

#include "broker/core/broker_core.hpp"
#include "broker/core/id_window.hpp"

namespace {

using namespace scanmq;
using namespace scanmq::broker;

// One broker with a producer, workers and a subscriber that has all the credit there is.
class Bench {
  public:
    explicit Bench(std::uint64_t workers, std::uint64_t max_jobs)
        : blobs_({}), core_(options(), blobs_, no_bodies_) {
        core_.ensure_queue(
            "q",
            {{"max_jobs", max_jobs}, {"max_bytes", 1ULL << 40}, {"stream_max_bytes", 32 << 20}},
            now_, effects_);
        producer_ = connect(1, protocol::kProducer);
        subscriber_ = connect(2, protocol::kSubscriber);
        for (std::uint64_t i = 0; i < workers; ++i)
            workers_.push_back(connect(3 + i, protocol::kWorker));
        protocol::Subscribe subscribe;
        subscribe.subscription = 1;
        subscribe.queue = "q";
        subscribe.pattern = ">";
        subscribe.limit = {~0ULL >> 1, ~0ULL >> 1};
        send(2, subscriber_, protocol::kSubscriber, std::move(subscribe));
        credit_ = {1'000'000, 1ULL << 40};
    }

    void want(std::uint64_t jobs) {
        send(1, producer_, protocol::kProducer, protocol::Want{"q", sent_, {jobs, jobs * 264}});
    }
    // Jobs carry a flow, one of so many in turns.
    void use_flows(std::uint64_t flows) {
        for (std::uint64_t i = 0; i < flows; ++i) flows_.push_back("flow " + std::to_string(i));
    }
    // Jobs have an input, one of so many in turns.
    void use_inputs(std::uint64_t inputs) {
        for (std::uint64_t i = 0; i < inputs; ++i) {
            const std::string bytes = "snapshot " + std::to_string(i);
            BlobRecord record;
            record.id = content_id(bytes);
            record.bytes = bytes.size();
            blobs_.restore(record, now_);
            inputs_.emplace_back(record.id.view());
        }
    }
    void limit_credit(std::uint64_t items) { credit_.items = items; }
    void submit(std::uint64_t jobs) {
        auto& message = std::get<protocol::Submit>(submit_.message);
        message.queue = "q";
        message.jobs.clear();
        bodies_.clear();
        for (std::uint64_t i = 0; i < jobs; ++i) {
            protocol::Job& job = message.jobs.emplace_back();
            job.id = ids_.next(static_cast<WallMillis>(3'600'000 + jobs_ / 1'000));
            job.subject = subjects_[jobs_ % subjects_.size()];
            job.payload.bytes = payload_;
            if (!flows_.empty()) {
                job.options = std::make_unique<protocol::JobOptions>();
                job.options->flow = flows_[jobs_ % flows_.size()];
            }
            if (!inputs_.empty()) job.inputs = inputs_[jobs_ % inputs_.size()];
            bodies_.push_back({{next_body()}, ++jobs_});
        }
        sent_ = {sent_.items + jobs, sent_.bytes + jobs * 264};
        submit_.header = {protocol::kProducer, producer_, ++seq_};
        const Event event = FrameEvent{{1}, &submit_, bodies_};
        core_.handle({&event, 1}, now_, effects_);
    }
    // Answers every attempt delivered in the effects.
    void answer() {
        done_.clear();
        done_bodies_.clear();
        std::vector<Event> events;
        done_.reserve(effects_.sends.size());
        done_bodies_.reserve(effects_.sends.size());
        for (const Send& sent : effects_.sends) {
            const auto* deliver = std::get_if<protocol::Deliver>(&sent.message);
            if (deliver == nullptr) continue;
            auto& frame = done_.emplace_back();
            frame.header = {protocol::kWorker, sent.header.session, ++seq_};
            protocol::Done message;
            message.epoch = deliver->epoch;
            credit_.items += deliver->attempts.size();
            message.limit = credit_;
            auto& bodies = done_bodies_.emplace_back();
            for (const auto& attempt : deliver->attempts) {
                message.outcomes.push_back(
                    {attempt.counter, protocol::AttemptOutcome::done, {payload_, 0}, {}, {}});
                bodies.push_back({{next_body()}, 0});
            }
            frame.message = std::move(message);
            events.emplace_back(FrameEvent{sent.to, &frame, bodies});
        }
        recycle();
        core_.handle(events, now_, effects_);
    }
    void give_credit(bool forget = true) {
        for (std::uint64_t i = 0; i < workers_.size(); ++i) {
            send(3 + i, workers_[i], protocol::kWorker,
                 protocol::CreditGrant{protocol::Link::deliver, "", 0, credit_}, forget);
        }
    }
    // The shell's part: handles go back, effects are emptied.
    void recycle() {
        for (const BodyHandle body : effects_.releases) free_bodies_.push_back(body.value);
        for (const Send& sent : effects_.sends)
            entries_ +=
                std::holds_alternative<protocol::Results>(sent.message) ? sent.bodies.size() : 0;
        effects_.clear();
    }
    [[nodiscard]] std::uint64_t entries() const { return entries_; }
    void pass(Duration time) { now_ += time; }

  private:
    static BrokerOptions options() {
        BrokerOptions o;
        o.epoch = 1;
        o.seed = 1;
        o.submit_window_items = 1'000'000'000;
        o.submit_window_bytes = 1ULL << 40;
        return o;
    }
    std::uint32_t next_body() {
        if (free_bodies_.empty()) return ++body_;
        const std::uint32_t body = free_bodies_.back();
        free_bodies_.pop_back();
        return body;
    }
    protocol::SessionId connect(std::uint64_t connection, protocol::Roles roles) {
        protocol::Hello hello;
        hello.name = "peer " + std::to_string(connection);
        send(connection, {}, roles, std::move(hello), false);
        const auto session = std::get<protocol::Welcome>(effects_.sends.front().message).session;
        recycle();
        return session;
    }
    void send(std::uint64_t connection, protocol::SessionId session, protocol::Roles roles,
              protocol::Message message, bool forget = true) {
        const protocol::Frame frame{{roles, session, ++seq_}, std::move(message)};
        const Event event = FrameEvent{{connection}, &frame, {}};
        core_.handle({&event, 1}, now_, effects_);
        if (forget) recycle();
    }

    // Nothing here makes jobs of the broker's own.
    struct NoBodies final : BodySource {
        BodyHandle put(const protocol::Body&) override { return {}; }
    };

    BlobTable blobs_;
    NoBodies no_bodies_;
    BrokerCore core_;
    Effects effects_;
    Time now_{std::chrono::hours(1)};
    protocol::SessionId producer_, subscriber_;
    std::vector<protocol::SessionId> workers_;
    protocol::Credit sent_, credit_;
    UuidV7 ids_{7};
    std::vector<std::string> subjects_{"SPY.vertical", "QQQ.vertical", "IWM.condor",
                                       "AAPL.vertical"};
    std::vector<std::string> flows_;
    std::vector<std::string> inputs_;
    std::string payload_ = std::string(200, 'x');
    protocol::Frame submit_{{}, protocol::Submit{}};
    std::vector<BodyIn> bodies_;
    std::vector<protocol::Frame> done_;
    std::vector<std::vector<BodyIn>> done_bodies_;
    std::vector<std::uint32_t> free_bodies_;
    std::uint32_t body_ = 0;
    std::uint64_t seq_ = 0;
    std::uint64_t jobs_ = 0;
    std::uint64_t entries_ = 0;
};

void submit_dispatch_done(benchmark::State& state) {
    const auto batch = static_cast<std::uint64_t>(state.range(0));
    Bench bench(2, 1'000'000);
    bench.want(1'000'000'000);
    bench.give_credit();
    // The window of finished ids is full, as it is after a few seconds of load.
    for (std::uint64_t i = 0; i < 1'100'000; i += batch) {
        bench.submit(batch);
        bench.answer();
        bench.recycle();
    }
    const std::uint64_t before = bench.entries();
    for (auto _ : state) {
        bench.submit(batch);
        bench.answer();
        bench.recycle();
    }
    const auto jobs = static_cast<std::int64_t>(bench.entries() - before);
    state.SetItemsProcessed(jobs);
    state.counters["time_per_job"] = benchmark::Counter(
        static_cast<double>(jobs), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void flows(benchmark::State& state) {
    constexpr std::uint64_t kBatch = 256;
    const auto waiting = static_cast<std::uint64_t>(state.range(1));
    Bench bench(1, waiting * 2);
    bench.use_flows(static_cast<std::uint64_t>(state.range(0)));
    bench.want(1'000'000'000);
    for (std::uint64_t i = 0; i < waiting; i += kBatch) {
        bench.submit(kBatch);
        bench.recycle();
    }
    bench.limit_credit(kBatch);
    bench.give_credit(false);
    for (std::uint64_t i = 0; i < waiting; i += kBatch) {
        bench.answer();
        bench.submit(kBatch);
        bench.pass(std::chrono::milliseconds(1));
    }
    const std::uint64_t before = bench.entries();
    for (auto _ : state) {
        bench.answer();
        bench.submit(kBatch);
        bench.pass(std::chrono::milliseconds(1));
    }
    const auto jobs = static_cast<std::int64_t>(bench.entries() - before);
    state.SetItemsProcessed(jobs);
    state.counters["time_per_job"] = benchmark::Counter(
        static_cast<double>(jobs), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void inputs(benchmark::State& state) {
    constexpr std::uint64_t kBatch = 256;
    Bench bench(8, 1'000'000);
    bench.use_inputs(static_cast<std::uint64_t>(state.range(0)));
    bench.want(1'000'000'000);
    bench.give_credit();
    for (std::uint64_t i = 0; i < 1'100'000; i += kBatch) {
        bench.submit(kBatch);
        bench.answer();
        bench.recycle();
    }
    const std::uint64_t before = bench.entries();
    for (auto _ : state) {
        bench.submit(kBatch);
        bench.answer();
        bench.recycle();
    }
    const auto jobs = static_cast<std::int64_t>(bench.entries() - before);
    state.SetItemsProcessed(jobs);
    state.counters["time_per_job"] = benchmark::Counter(
        static_cast<double>(jobs), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void submit_a_million(benchmark::State& state) {
    const auto batch = static_cast<std::uint64_t>(state.range(0));
    constexpr std::uint64_t kJobs = 1'000'000;
    double bytes = 0;
    for (auto _ : state) {
        state.PauseTiming();
        {
            Bench bench(0, kJobs * 2);
            bench.want(kJobs * 2);
            const auto before = mallinfo2();
            state.ResumeTiming();
            for (std::uint64_t i = 0; i < kJobs; i += batch) {
                bench.submit(batch);
                bench.recycle();
            }
            state.PauseTiming();
            const auto after = mallinfo2();
            bytes = static_cast<double>(after.uordblks + after.hblkhd - before.uordblks -
                                        before.hblkhd);
        }
        state.ResumeTiming();
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kJobs));
    state.counters["bytes_per_job"] = bytes / static_cast<double>(kJobs);
}

void id_window(benchmark::State& state) {
    JobTable table;
    IdWindow window({1'000'000, std::chrono::minutes(10)}, table);
    UuidV7 ids(1);
    const Time now{std::chrono::hours(1)};
    const auto once = [&] {
        const Id128 id = ids.next(1);
        benchmark::DoNotOptimize(window.find(id).found);
        const Slot slot = table.jobs.allocate();
        table.jobs[slot].id = id;
        window.add_live(slot);
        window.finish(slot, now);
        table.jobs.free(slot);
    };
    for (int i = 0; i < 1'100'000; ++i) once();
    for (auto _ : state) once();
    state.SetItemsProcessed(state.iterations());
}

BENCHMARK(submit_dispatch_done)->Name("core/submit_dispatch_done")->Arg(1)->Arg(16)->Arg(256);
BENCHMARK(flows)->Name("core/flows")->ArgsProduct({{1, 10, 1'000, 100'000}, {200'000, 1'000'000}});
BENCHMARK(inputs)->Name("core/inputs")->Arg(0)->Arg(1)->Arg(100)->Arg(1'000);
BENCHMARK(submit_a_million)->Name("core/submit")->Arg(256)->Unit(benchmark::kMillisecond);
BENCHMARK(id_window)->Name("core/id_window");

}  // namespace
