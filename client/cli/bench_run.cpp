#include "client/cli/bench_run.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "client/cli/bench_payload.hpp"
#include "client/cli/files.hpp"
#include "client/cli/rows.hpp"
#include "common/base/rng.hpp"

namespace scanmq::cli {
namespace {

constexpr Duration kStartPatience = std::chrono::seconds(20);
constexpr Duration kLook = std::chrono::milliseconds(10);

Time now() { return std::chrono::steady_clock::now(); }

Problem child_problem(std::string sentence) {
    return {ExitCode::failed, "bench", std::move(sentence)};
}

Result<ChildProcess, Problem> start(const std::string& program,
                                    std::vector<std::string> arguments) {
    auto child = ChildProcess::start(program, std::move(arguments));
    if (!child) return fail(child_problem(child.error()));
    return std::move(*child);
}

std::optional<Problem> expect_line(ChildProcess& child, std::string_view what,
                                   std::string_view line, Duration within) {
    const auto read = child.read_line(now() + within);
    if (read == line) return std::nullopt;
    return child_problem(
        fmt::format("{} did not get ready{}", what,
                    read ? fmt::format(": it said \"{}\"", *read) : "; its error is above"));
}

class Run {
  public:
    Run(const BenchOptions& options, std::vector<std::string> brokers)
        : options_(options), brokers_(std::move(brokers)), tag_(Rng::random_seed() >> 1U) {
        queue_ = fmt::format("bench-{:016x}", tag_);
    }
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    ~Run() {
        children_.clear();
        workers_.clear();
        if (client_ && created_) (void)client_->delete_queue(queue_, true);
    }

    Result<BenchResult, Problem> go() {
        if (auto problem = prepare()) return fail(*std::move(problem));
        auto problem = options_.mode == "closed" ? run_closed() : run_flow();
        if (problem) return fail(*std::move(problem));
        if (auto measured = measure_broker()) return fail(*std::move(measured));
        return std::move(result_);
    }

  private:
    std::optional<Problem> prepare() {
        BrokerOptions broker = options_.broker;
        broker.brokers = brokers_;
        auto client = connect(broker, true);
        if (!client) return client.error();
        client_ = std::move(*client);
        const bool fill = options_.mode == "fill";
        const std::uint64_t jobs = fill ? options_.jobs + 1024 : options_.window;
        const std::uint64_t item = options_.payload_bytes + client_->limits().item_overhead_bytes;
        const auto made = client_->create_queue(
            queue_, {{"max_jobs", jobs},
                     {"max_bytes", std::max<std::uint64_t>(jobs * item, 1U << 20)},
                     {"pure", options_.distinct > 0 ? 1 : 0}});
        if (!made) return problem_of(made.error(), "cannot create the bench queue");
        created_ = true;
        return fill ? std::nullopt : start_workers();
    }

    std::optional<Problem> start_workers() {
        for (std::uint32_t w = 0; w < options_.workers; ++w) {
            std::vector<std::string> arguments{
                "--scanner",
                "noop",
                "--queues",
                queue_,
                "--threads",
                std::to_string(options_.worker_threads),
                "--name",
                fmt::format("bench-worker-{}-{:08x}", w, static_cast<std::uint32_t>(tag_)),
                "--log",
                "warn"};
            for (const std::string& broker : brokers_)
                arguments.insert(arguments.end(), {"--broker", broker});
            auto worker = start(sibling_program("scanmq-worker"), std::move(arguments));
            if (!worker) return worker.error();
            workers_.push_back(std::move(*worker));
        }
        const std::string suffix = fmt::format("-{:08x}", static_cast<std::uint32_t>(tag_));
        for (const Time deadline = now() + kStartPatience;;) {
            const auto rows = client_->query("workers");
            if (!rows) return problem_of(rows.error(), "cannot list workers");
            const auto ready = std::ranges::count_if(*rows, [&](const protocol::Row& row) {
                return text_of(row, "name").ends_with(suffix);
            });
            if (ready >= static_cast<std::ptrdiff_t>(workers_.size())) return std::nullopt;
            for (ChildProcess& worker : workers_) {
                if (worker.poll_exit())
                    return child_problem("a worker ended at its start; its error is above");
            }
            if (now() > deadline)
                return child_problem("the workers did not connect to the broker in time");
            client_->poll(kLook);
        }
    }

    RoleOptions role(std::string name) const {
        RoleOptions out;
        out.role = std::move(name);
        out.brokers = brokers_;
        out.queue = queue_;
        out.run = tag_;
        out.producers = options_.producers;
        out.payload_bytes = options_.payload_bytes;
        out.distinct = options_.distinct;
        out.batch = options_.batch;
        out.warm_up = options_.mode == "fill" ? 0 : options_.warm_up;
        out.seconds = options_.seconds;
        out.jobs = options_.jobs;
        out.patience = options_.broker.timeout;
        return out;
    }

    Result<ChildProcess*, Problem> add_child(const RoleOptions& options) {
        auto child = start(own_program(), arguments_of(options));
        if (!child) return fail(child.error());
        children_.push_back(std::make_unique<ChildProcess>(std::move(*child)));
        return children_.back().get();
    }

    // One process that is producer and subscriber.
    std::optional<Problem> run_closed() {
        RoleOptions options = role("loop");
        options.producers = 1;
        options.batch = 1;
        const auto loop = add_child(options);
        if (!loop) return loop.error();
        if (auto problem = expect_line(**loop, "the client", "ready", kStartPatience))
            return problem;
        (void)(*loop)->write_line("go");
        if (auto problem = read_sent(**loop)) return problem;
        return read_seen({*loop});
    }

    // Producers and subscribers apart.
    std::optional<Problem> run_flow() {
        std::vector<ChildProcess*> subscribers;
        for (std::uint32_t s = 0; s < options_.subscribers; ++s) {
            const auto child = add_child(role("subscriber"));
            if (!child) return child.error();
            subscribers.push_back(*child);
        }
        for (ChildProcess* child : subscribers) {
            if (auto problem = expect_line(*child, "a subscriber", "ready", kStartPatience))
                return problem;
        }
        std::vector<ChildProcess*> producers;
        for (std::uint32_t p = 0; p < options_.producers; ++p) {
            RoleOptions options = role("producer");
            options.index = p;
            options.rate = options_.mode == "open" ? options_.rate / options_.producers : 0.0;
            if (options_.jobs > 0) {  // split evenly, the first ones take what is left over
                options.jobs = options_.jobs / options_.producers +
                               (p < options_.jobs % options_.producers ? 1 : 0);
                if (options.jobs == 0) continue;
            }
            const auto child = add_child(options);
            if (!child) return child.error();
            producers.push_back(*child);
        }
        for (ChildProcess* child : producers) {
            if (auto problem = expect_line(*child, "a producer", "ready", kStartPatience))
                return problem;
        }
        for (ChildProcess* child : producers) (void)child->write_line("go");
        std::string expect = "expect";
        for (ChildProcess* child : producers) {
            const std::uint64_t before = result_.sent.jobs;
            if (auto problem = read_sent(*child)) return problem;
            expect += fmt::format(" {}", result_.sent.jobs - before);
        }
        for (ChildProcess* child : subscribers) (void)child->write_line(expect);
        return read_seen(subscribers);
    }

    std::optional<Problem> read_sent(ChildProcess& child) {
        const auto seconds = std::chrono::duration<double>(options_.seconds);
        const Duration within = options_.seconds > 0.0
                                    ? std::chrono::duration_cast<Duration>(seconds)
                                    : std::chrono::hours(1);
        const auto line = child.read_line(now() + within + 3 * options_.broker.timeout);
        const auto report = line ? decode_sent(*line) : std::nullopt;
        if (!report) return child_problem("a producer ended early; its error is above");
        SentReport& sum = result_.sent;
        sum.first_ns = sum.jobs == 0 ? report->first_ns : std::min(sum.first_ns, report->first_ns);
        sum.last_ns = std::max(sum.last_ns, report->last_ns);
        sum.late_max_ns = std::max(sum.late_max_ns, report->late_max_ns);
        sum.jobs += report->jobs;
        sum.refused += report->refused;
        return std::nullopt;
    }

    std::optional<Problem> read_seen(const std::vector<ChildProcess*>& children) {
        SeenReport& sum = result_.seen;
        sum.jobs = children.empty() ? 0 : UINT64_MAX;
        for (ChildProcess* child : children) {
            const auto line = child->read_line(now() + std::chrono::hours(1));
            const auto report = line ? decode_seen(*line) : std::nullopt;
            if (!report) return child_problem("a subscriber ended early; its error is above");
            sum.jobs = std::min(sum.jobs, report->jobs);
            sum.lost += report->lost;
            sum.duplicated += report->duplicated;
            sum.failed += report->failed;
            sum.foreign += report->foreign;
            sum.last_ns = std::max(sum.last_ns, report->last_ns);
            sum.latency.merge(report->latency);
        }
        return std::nullopt;
    }

    std::optional<Problem> measure_broker() {
        const auto rows = client_->query("broker");
        if (!rows || rows->empty()) return child_problem("the broker did not answer at the end");
        result_.broker_rss_bytes = number_of(rows->front(), "rss_bytes");
        if (options_.subscribers == 0 ||
            options_.mode == "fill") {  // then jobs are those that wait
            const auto queues = client_->query("queues", queue_);
            if (!queues || queues->empty()) return child_problem("the broker lost the bench queue");
            result_.seen.jobs = number_of(queues->front(), "waiting");
            result_.seen.lost = result_.sent.jobs - std::min(result_.sent.jobs, result_.seen.jobs);
            result_.seen.last_ns = result_.sent.last_ns;
        }
        result_.seconds = static_cast<double>(result_.seen.last_ns - result_.sent.first_ns) / 1e9;
        return std::nullopt;
    }

    const BenchOptions& options_;
    const std::vector<std::string> brokers_;
    const std::uint64_t tag_;
    std::string queue_;
    std::unique_ptr<client::Client> client_;
    bool created_ = false;
    std::vector<ChildProcess> workers_;
    std::vector<std::unique_ptr<ChildProcess>> children_;
    BenchResult result_;
};

// The first line of a file, once it is whole.
std::optional<std::string> first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    if (!std::getline(file, line) || file.eof()) return std::nullopt;
    return line;
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "scanmq-bench.XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

std::vector<std::string> durability_arguments(const std::string& durability,
                                              const std::string& data) {
    if (durability == "memory") return {"--durability", durability};
    return {"--durability", durability, "--data", data};
}

Result<OwnBroker, Problem> OwnBroker::start(const BenchOptions& options) {
    auto directory = std::make_unique<TemporaryDirectory>();
    if (directory->path().empty()) {
        return fail(child_problem("no temporary directory can be made for the broker; see TMPDIR"));
    }
    const std::string file = directory->path() + "/endpoint";
    std::vector<std::string> arguments{
        "--listen", "tcp://127.0.0.1:0", "--endpoint-file", file, "--http", "none", "--log",
        "warn"};
    std::string data = options.data;
    if (data.empty()) {
        data = directory->path() + "/data";
        if (const auto made = make_directory(data); !made) return fail(made.error());
    }
    for (std::string& argument : durability_arguments(options.durability, data)) {
        arguments.push_back(std::move(argument));
    }
    auto process = cli::start(sibling_program("scanmq-broker"), std::move(arguments));
    if (!process) return fail(process.error());
    for (const Time deadline = now() + kStartPatience; now() < deadline;) {
        if (auto endpoint = first_line(file)) {
            return OwnBroker(std::move(directory), std::move(*process), *std::move(endpoint));
        }
        if (process->wait_exit(now() + kLook))
            return fail(child_problem("the broker ended at its start; its error is above"));
    }
    return fail(child_problem("the broker did not listen in time"));
}

Result<BenchResult, Problem> run_bench(const BenchOptions& options) {
    std::signal(SIGPIPE, SIG_IGN);  // a child that died is told by its missing answer
    if (!options.self_contained) return Run(options, options.broker.brokers).go();
    auto broker = OwnBroker::start(options);
    if (!broker) return fail(broker.error());
    return Run(options, {broker->endpoint()}).go();
}

}  // namespace scanmq::cli
