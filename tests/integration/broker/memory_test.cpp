// A broker process with a small --memory-max, flooded by those that keep to their credit and by those
// that do not: its memory stays within it, and what it accepted completes.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <thread>
#include <vector>

#include "tests/integration/broker/harness.hpp"
#include "tests/support/temp_dir.hpp"

extern char** environ;

namespace scanmq::broker {
namespace {

using protocol::Credit;

constexpr std::uint64_t kMiB = 1U << 20;
constexpr std::uint64_t kMemoryMax = 200 * kMiB;
constexpr std::uint64_t kPayloadBytes = 100'000;
constexpr std::uint64_t kCost = kPayloadBytes + protocol::kLimits.item_overhead_bytes;
constexpr std::size_t kBatch = 8;

class BrokerProcess {
  public:
    explicit BrokerProcess(std::vector<std::string> arguments) {
        const std::string file = directory_.path().string() + "/endpoints";
        for (const std::string& more :
             {std::string("--listen"), std::string("tcp://127.0.0.1:0"), std::string("--data"),
              directory_.path().string() + "/data", std::string("--endpoint-file"), file,
              std::string("--http"), std::string("none"), std::string("--log"),
              std::string("off")}) {
            arguments.push_back(more);
        }
        const std::string program = std::string(SCANMQ_BIN_DIR) + "/scanmq-broker";
        std::vector<char*> argv{const_cast<char*>(program.c_str())};
        for (std::string& one : arguments) argv.push_back(one.data());
        argv.push_back(nullptr);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
        const int error =
            posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(), environ);
        posix_spawn_file_actions_destroy(&actions);
        if (error != 0) {
            ADD_FAILURE() << "cannot start " << program;
            return;
        }
        const Time end = std::chrono::steady_clock::now() + kDeadline;
        while (endpoint_.empty() && std::chrono::steady_clock::now() < end) {
            std::ifstream in(file);
            std::getline(in, endpoint_);
            if (endpoint_.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        EXPECT_FALSE(endpoint_.empty()) << "the broker does not listen";
    }
    ~BrokerProcess() {
        if (pid_ <= 0) return;
        kill(pid_, SIGTERM);
        int status = 0;
        waitpid(pid_, &status, 0);
        EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
    }
    [[nodiscard]] const std::string& endpoint() const { return endpoint_; }
    // Resident memory but for file pages.
    [[nodiscard]] std::uint64_t anonymous_bytes() const {
        std::ifstream in("/proc/" + std::to_string(pid_) + "/status");
        for (std::string line; std::getline(in, line);) {
            if (line.starts_with("RssAnon:")) return std::stoull(line.substr(8)) << 10;
        }
        return 0;
    }

  private:
    tests::TempDir directory_;
    pid_t pid_ = -1;
    std::string endpoint_;
};

// Samples the memory until it goes.
class Watch {
  public:
    explicit Watch(const BrokerProcess& broker)
        : thread_([this, &broker] {
              while (!stop_) {
                  const std::uint64_t now = broker.anonymous_bytes();
                  if (now > most_) most_ = now;
                  std::this_thread::sleep_for(std::chrono::milliseconds(10));
              }
          }) {}
    ~Watch() { finish(); }
    std::uint64_t finish() {
        stop_ = true;
        if (thread_.joinable()) thread_.join();
        return most_;
    }

  private:
    std::atomic<bool> stop_ = false;
    std::atomic<std::uint64_t> most_ = 0;
    std::thread thread_;
};

// Sends frames of that many bytes and never reads; `first` goes before.
class Flood {
  public:
    Flood(const BrokerProcess& broker, std::string frame)
        : thread_([this, &broker, frame = std::move(frame)] {
              transport::Context context;
              transport::SocketOptions options;
              options.send_mark = 2;
              options.linger = Duration{};
              transport::Dealer dealer(context, options);
              EXPECT_TRUE(dealer.connect(broker.endpoint()).ok());
              while (!stop_) {
                  dealer.poll_connection();
                  if (dealer.send(frame) == transport::SendStatus::sent) ++sent_;
                  // Enough to keep its pipe full, and no more than leaves the machine to the others.
                  std::this_thread::sleep_for(std::chrono::milliseconds(20));
              }
          }) {}
    ~Flood() {
        stop_ = true;
        thread_.join();
    }
    [[nodiscard]] std::uint64_t sent() const { return sent_; }

  private:
    std::atomic<bool> stop_ = false;
    std::atomic<std::uint64_t> sent_ = 0;
    std::thread thread_;
};

// Submits `count` jobs under credit; returns when all were answered.
void produce(const BrokerProcess& broker, const std::string& name, std::uint64_t count) {
    transport::Context context;
    Peer peer(context, broker.endpoint(), protocol::kProducer);
    peer.hello(name);
    UuidV7 ids(Rng::random_seed());
    const SystemClock clock;
    const std::string payload(kPayloadBytes, 'p');
    Credit limit;
    Credit sent;
    std::uint64_t answered = 0;
    std::uint64_t pings = 0;
    bool returning = false;
    peer.send(protocol::Want{"scans", sent, {count, count * kCost}});
    while (answered < count) {
        const std::uint64_t fit =
            std::min({limit.items - sent.items, (limit.bytes - sent.bytes) / kCost, kBatch,
                      count - sent.items});
        if (fit > 0 && !returning) {
            protocol::Submit submit;
            submit.queue = "scans";
            for (std::uint64_t i = 0; i < fit; ++i) {
                submit.jobs.push_back({ids.next(clock.wall_millis()), "A", {payload, 0}, {}, {}});
            }
            sent = {sent.items + fit, sent.bytes + fit * kCost};
            peer.send(std::move(submit));
            continue;
        }
        const protocol::Frame* frame = peer.next();
        if (frame == nullptr) {
            ADD_FAILURE() << name << " waits in vain, " << answered << " of " << count;
            return;
        }
        if (const auto* grant = std::get_if<protocol::CreditGrant>(&frame->message)) {
            limit = grant->limit;
        } else if (const auto* accepted = std::get_if<protocol::Accepted>(&frame->message)) {
            EXPECT_TRUE(accepted->exceptions.empty());
            answered += accepted->jobs;
            limit = {std::max(limit.items, accepted->limit.items),
                     std::max(limit.bytes, accepted->limit.bytes)};
        } else if (std::holds_alternative<protocol::Reclaim>(frame->message)) {
            // No grant may be under way when it says how much it sent.
            returning = true;
            peer.send(protocol::Want{"scans", sent, {}});
            peer.send(protocol::Heartbeat{++pings, 0, {}});
        } else if (const auto* pong = std::get_if<protocol::Heartbeat>(&frame->message)) {
            if (!returning || pong->pong != pings) continue;
            returning = false;
            limit = sent;
            const std::uint64_t left = count - sent.items;
            peer.send(protocol::Reclaimed{"scans", sent});
            if (left > 0) peer.send(protocol::Want{"scans", sent, {left, left * kCost}});
        } else {
            ADD_FAILURE() << name << " got " << to_string(kind_of(frame->message));
            return;
        }
    }
}

// Answers every attempt with a result as large as its payload.
void work(const BrokerProcess& broker, std::uint64_t jobs) {
    transport::Context context;
    Peer peer(context, broker.endpoint(), protocol::kWorker);
    peer.hello("worker", protocol::WorkerInfo{4, "", {}, {}});
    const std::string result(kPayloadBytes, 'r');
    Credit limit{32, 8 * kMiB};
    peer.send(protocol::CreditGrant{protocol::Link::deliver, "", 0, limit});
    for (std::uint64_t done = 0; done < jobs;) {
        const protocol::Frame* frame = peer.next();
        if (frame == nullptr) {
            ADD_FAILURE() << "no more attempts after " << done << " of " << jobs;
            return;
        }
        const auto* deliver = std::get_if<protocol::Deliver>(&frame->message);
        if (deliver == nullptr) continue;
        for (const protocol::Attempt& attempt : deliver->attempts) {
            limit = {limit.items + 1, limit.bytes + kCost};
            protocol::Done answer;
            answer.epoch = deliver->epoch;
            answer.limit = limit;
            answer.outcomes.push_back(
                {attempt.counter, protocol::AttemptOutcome::done, {result, 0}, {}, {}});
            peer.send(std::move(answer));
            ++done;
        }
    }
    // Not before the last answers arrived.
    peer.send(protocol::Heartbeat{1, 0, {}});
    while (const protocol::Frame* frame = peer.next()) {
        if (std::holds_alternative<protocol::Heartbeat>(frame->message)) return;
    }
}

std::string frame_of(std::uint64_t bytes, const protocol::Message& message) {
    std::string frame;
    protocol::encode({protocol::kProducer, protocol::SessionId{7}, 1}, message, frame);
    frame.resize(std::max<std::size_t>(frame.size(), bytes), '\0');
    return frame;
}

class MemoryTest : public ::testing::TestWithParam<const char*> {};

TEST_P(MemoryTest, AFloodStaysWithinMemoryMaxAndWhatWasAcceptedCompletes) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "a sanitizer keeps memory of its own";
#endif
    constexpr std::uint64_t kProducers = 2;
    // Ten times what there is room for.
    const std::uint64_t each = 10 * MemoryPlan::of(kMemoryMax).traffic / kPayloadBytes / kProducers;
    const BrokerProcess broker({"--memory-max", "200MiB", "--durability", GetParam(), "--queue",
                                "scans", "--dead-after", "10min", "--reserve-segments", "1",
                                "--segment-bytes", "16MiB"});
    ASSERT_FALSE(broker.endpoint().empty());
    Watch watch(broker);
    transport::Context context;
    Peer op(context, broker.endpoint(), protocol::kOperator);
    op.hello("op");
    // It grants everything and reads nothing.
    Peer deaf(context, broker.endpoint(), protocol::kSubscriber);
    deaf.hello("deaf");
    protocol::Subscribe subscribe;
    subscribe.subscription = 1;
    subscribe.queue = "scans";
    subscribe.pattern = ">";
    subscribe.limit = {1ULL << 40, 1ULL << 40};
    deaf.send(subscribe);
    ASSERT_NE(deaf.expect<protocol::Subscribed>(), nullptr);
    {
        // Never said HELLO: nonsense, a frame that is as large as ZeroMQ takes, and a plausible one.
        protocol::Submit submit;
        submit.queue = "scans";
        const std::string payload(200'000, 'x');
        for (int i = 0; i < 4; ++i) {
            submit.jobs.push_back({Id128{}, "A", {payload, 0}, {}, {}});
        }
        const Flood nonsense(broker, std::string(kMiB, '\xc1'));
        const Flood large(broker, std::string(2 * kMiB, '\x01'));
        const Flood plausible(broker, frame_of(0, std::move(submit)));
        const Flood queries(broker, frame_of(0, protocol::Query{"counters", ""}));

        std::vector<std::thread> threads;
        for (std::uint64_t i = 0; i < kProducers; ++i) {
            threads.emplace_back([&, i] { produce(broker, "p" + std::to_string(i), each); });
        }
        threads.emplace_back([&] { work(broker, kProducers * each); });
        for (std::thread& thread : threads) thread.join();
        for (const Flood* flood : {&nonsense, &large, &plausible, &queries}) {
            EXPECT_GT(flood->sent(), 0U);  // how many depends on the machine
        }
    }
    op.send(protocol::Query{"queues", "scans"});
    std::uint64_t checked = 0;
    const Time patience = std::chrono::steady_clock::now() + kDeadline;
    while (const protocol::Frame* frame = op.next()) {
        // Until the peer that reads nothing is given up, there is no room for answers.
        const auto* error = std::get_if<protocol::Error>(&frame->message);
        ASSERT_LT(std::chrono::steady_clock::now(), patience) << "no answer to a query";
        if (error != nullptr && error->code == protocol::ErrorCode::memory_full) {
            op.send(protocol::Query{"queues", "scans"});
        }
        const auto* answer = std::get_if<protocol::Answer>(&frame->message);
        if (answer == nullptr) continue;
        for (const auto& [name, value] : answer->rows.at(0)) {
            const auto* number = std::get_if<std::uint64_t>(&value);
            if (number == nullptr) continue;
            if (name == "done" || name == "submitted" || name == "stream_next") {
                EXPECT_EQ(*number, kProducers * each) << name;
                ++checked;
            } else if (name == "waiting" || name == "running") {
                EXPECT_EQ(*number, 0U) << name;
                ++checked;
            }
        }
        break;
    }
    EXPECT_EQ(checked, 5U);
    const std::uint64_t most = watch.finish();
    RecordProperty("rss_anon_most_mib", std::to_string(most / kMiB));
    std::printf("most anonymous memory: %llu MiB of %llu\n",
                static_cast<unsigned long long>(most / kMiB),
                static_cast<unsigned long long>(kMemoryMax / kMiB));
    EXPECT_LT(most, kMemoryMax);
    EXPECT_GT(most, 10 * kMiB) << "nothing was measured";
}

INSTANTIATE_TEST_SUITE_P(Durability, MemoryTest, ::testing::Values("memory", "async"));

}  // namespace
}  // namespace scanmq::broker
