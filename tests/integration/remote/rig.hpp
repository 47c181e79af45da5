#pragma once
// Rig: an HttpScanner on a loop of the test's own, in place of a worker.
//
// Limits: run_until() gives up after kPatience.

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/scripted_server.hpp"
#include "worker/remote/http_scanner.hpp"

namespace scanmq::worker::test {

using scanmq::test::Peer;
using scanmq::test::PeerRequest;
using scanmq::test::ScriptedServer;
using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr const char* kResult = "\x81\xa7spreads\x90";  // the least that is one
inline constexpr const char* kMsgpackType = "Content-Type: application/msgpack\r\n";

inline void answer_result(const Peer& peer, const std::string& headers = {}) {
    peer.answer(200, kResult, kMsgpackType + headers);
}
inline void answer_error(const Peer& peer, int status, const std::string& code,
                         const std::string& sentence, const std::string& headers = {}) {
    peer.answer(status, "{\"error\":{\"code\":\"" + code + "\",\"sentence\":\"" + sentence + "\"}}",
                "Content-Type: application/json\r\n" + headers);
}
inline bool is_scan(const PeerRequest& request) {
    return request.line() == "POST /api/v1/scan HTTP/1.1";
}

struct RigCall {
    CallId id;
    std::vector<std::shared_ptr<Input>> inputs;
    Task task;
    Outcome outcome;
    bool finished = false;
};

class Rig {
  public:
    static constexpr seconds kPatience{30};

    static HttpScanner::Options options(const std::vector<std::string>& urls) {
        HttpScanner::Options out;
        for (const std::string& url : urls) out.endpoints.push_back(*http::parse_endpoint(url));
        out.version = "v1";
        out.target.limiter.slots_max = 32;
        out.target.remote.backoff_first = milliseconds(5);
        out.target.client.connect_timeout = milliseconds(500);
        return out;
    }

    explicit Rig(const HttpScanner::Options& options)
        : scanner_(std::move(HttpScanner::create(options)).value()) {
        AsyncScanner::Host host;
        host.loop = &loop_;
        host.finished = [this](CallId id) {
            RigCall& call = calls_[id.value - 1];
            EXPECT_FALSE(call.finished);
            call.finished = true;
            ++finished_;
        };
        host.availability = [this](Availability now) { told_.push_back(std::move(now)); };
        host.renew = [this] { ++renewals_; };
        scanner_->attach(host);
    }
    explicit Rig(const std::string& url) : Rig(options({url})) {}
    ~Rig() { EXPECT_TRUE(scanner_->stop(seconds(1))); }
    Rig(const Rig&) = delete;
    Rig& operator=(const Rig&) = delete;

    RigCall& start(std::string_view payload, std::vector<std::shared_ptr<Input>> inputs = {},
                   std::optional<Time> deadline = {}) {
        RigCall& call = calls_.emplace_back();
        call.id = {calls_.size()};
        call.inputs = std::move(inputs);
        call.task.job = calls_.size();
        call.task.payload = payload;
        call.task.inputs = call.inputs;
        call.task.deadline = deadline;
        scanner_->start({call.id, &call.task, &call.outcome});
        return call;
    }
    RigCall& run(std::string_view payload, std::vector<std::shared_ptr<Input>> inputs = {}) {
        RigCall& call = start(payload, std::move(inputs));
        run_until([&] { return call.finished; });
        return call;
    }
    template <class Done>
    void run_until(const Done& done) {
        const auto end = std::chrono::steady_clock::now() + kPatience;
        while (!done() && std::chrono::steady_clock::now() < end) {
            loop_.restart();
            loop_.run_one_for(milliseconds(10));
        }
        ASSERT_TRUE(done());
    }
    void run_for(Duration time) {
        const Time end = Time(std::chrono::steady_clock::now()) + time;
        while (std::chrono::steady_clock::now() < end) {
            loop_.restart();
            loop_.run_one_for(milliseconds(5));
        }
    }

    [[nodiscard]] HttpScanner& scanner() { return *scanner_; }
    [[nodiscard]] const RemoteTarget& target(std::size_t i = 0) { return *scanner_->targets()[i]; }
    [[nodiscard]] std::size_t finished() const { return finished_; }
    [[nodiscard]] int renewals() const { return renewals_; }
    [[nodiscard]] bool open() const { return !told_.empty() && told_.back().open; }
    [[nodiscard]] const Availability& told() const { return told_.back(); }
    [[nodiscard]] const std::deque<RigCall>& calls() const { return calls_; }

  private:
    boost::asio::io_context loop_{1};
    std::deque<RigCall> calls_;
    std::size_t finished_ = 0;
    int renewals_ = 0;
    std::vector<Availability> told_;
    std::unique_ptr<HttpScanner> scanner_;
};

inline std::shared_ptr<Input> input_of(const std::string& bytes) {
    auto input = std::make_shared<Input>(content_id(bytes));
    input->fill(bytes);
    return input;
}

}  // namespace scanmq::worker::test
