// What a scan costs on its way over HTTP: the same small request embedded in this process, and by HttpScanner
// and a scanmq-scanner on loopback, one call at a time. The difference of the two p50_us is the overhead.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "scanner/server/scanner_server.hpp"
#include "tests/support/snapshots.hpp"
#include "worker/remote/http_scanner.hpp"
#include "worker/scanners/embedded_scanner.hpp"

namespace {

using namespace scanmq;

constexpr const char* kRequest = R"({"strategies": ["bull_put"], "limit": 10,
    "filters": [{"type": "width", "params": {"max": 20}}]})";

std::shared_ptr<worker::Input> chain() {
    std::string bytes = testing::snapshot_of("SPY", 450.0);
    auto input = std::make_shared<worker::Input>(content_id(bytes));
    input->fill(std::move(bytes));
    return input;
}

// Collects the time of each call.
class Times {
  public:
    template <class Work>
    void measure(const Work& work) {
        const auto begin = std::chrono::steady_clock::now();
        work();
        const std::chrono::duration<double, std::micro> took =
            std::chrono::steady_clock::now() - begin;
        us_.push_back(took.count());
    }
    void report(benchmark::State& state) {
        std::sort(us_.begin(), us_.end());
        if (us_.empty()) return;
        state.counters["p50_us"] = us_[us_.size() / 2];
        state.counters["p99_us"] = us_[us_.size() * 99 / 100];
    }

  private:
    std::vector<double> us_;
};

void BM_Embedded(benchmark::State& state) {
    const worker::EmbeddedScanner scanner;
    const std::vector<std::shared_ptr<worker::Input>> inputs{chain()};
    worker::Task task;
    task.payload = kRequest;
    task.inputs = inputs;
    Times times;
    for (auto _ : state) {
        worker::Outcome outcome;
        times.measure([&] { scanner.run(task, outcome); });
        if (outcome.status != worker::ScanStatus::done)
            state.SkipWithError(outcome.sentence.c_str());
    }
    times.report(state);
}

// `at_once` calls under way: how much the loop and the service carry.
void BM_Http(benchmark::State& state) {
    const auto at_once = static_cast<std::size_t>(state.range(0));
    scand::Settings settings;
    settings.http = "127.0.0.1:0";
    settings.threads = 1;
    settings.queue = 1024;
    if (!scand::complete(settings)) std::abort();
    auto server = std::move(scand::ScannerServer::create(settings, false)).value();
    std::thread serving([&] { server->run(); });
    {
        boost::asio::io_context loop{1};
        worker::HttpScanner::Options options;
        options.endpoints = {*http::parse_endpoint("http://" + server->address())};
        auto scanner = std::move(worker::HttpScanner::create(options)).value();
        if (!scanner->find_version()) std::abort();
        std::size_t finished = 0;
        worker::AsyncScanner::Host host;
        host.loop = &loop;
        host.finished = [&](worker::CallId) { ++finished; };
        host.availability = [](worker::Availability) {};
        host.renew = [] {};
        scanner->attach(host);
        const std::vector<std::shared_ptr<worker::Input>> inputs{chain()};
        worker::Task task;
        task.payload = kRequest;
        task.inputs = inputs;
        std::vector<worker::Outcome> outcomes(at_once);
        std::uint64_t id = 0;
        Times times;
        for (auto _ : state) {
            times.measure([&] {
                finished = 0;
                for (worker::Outcome& outcome : outcomes) {
                    outcome = {};
                    scanner->start({{++id}, &task, &outcome});
                }
                while (finished < at_once) loop.run_one();
            });
            if (outcomes[0].status != worker::ScanStatus::done) {
                state.SkipWithError(outcomes[0].sentence.c_str());
            }
        }
        times.report(state);
        state.SetItemsProcessed(static_cast<std::int64_t>(id));
        static_cast<void>(scanner->stop(std::chrono::seconds(1)));
    }
    server->stop();
    serving.join();
}

BENCHMARK(BM_Embedded)->Name("remote/embedded");
BENCHMARK(BM_Http)->Name("remote/http")->Arg(1)->Arg(16)->UseRealTime();

}  // namespace
