#pragma once
// FakeBroker: the broker's two sockets on free ports, its decisions made by the test, step by step.
//
// Threads: the test's; the worker under test runs on its own. Waiting is poll(2) with a deadline,
//          so a frame that never comes fails the test instead of hanging it.

#include <gtest/gtest.h>
#include <poll.h>

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/protocol/codec.hpp"
#include "common/transport/router.hpp"

namespace scanmq::worker::test {

// A frame with the bytes that its views borrow from.
struct Received {
    std::uint32_t from{};
    std::unique_ptr<zmq::message_t> bytes;
    protocol::Frame frame;
};

class Port {
  public:
    explicit Port(transport::Context& context, const std::string& where = "tcp://127.0.0.1:0")
        : router_(std::make_unique<transport::Router>(context, transport::SocketOptions{})) {
        auto bound = router_->bind(where);
        if (!bound) ADD_FAILURE() << bound.error().sentence;
        if (bound) endpoint_ = *bound;
    }
    [[nodiscard]] const std::string& endpoint() const { return endpoint_; }

    void send(std::uint32_t to, std::uint64_t session, const protocol::Message& message) {
        std::string bytes;
        protocol::encode({protocol::kBroker, {session}, ++seq_}, message, bytes);
        EXPECT_EQ(router_->send(to, bytes), transport::SendStatus::sent);
    }
    void send_raw(std::uint32_t to, ByteView bytes) {
        EXPECT_EQ(router_->send(to, bytes), transport::SendStatus::sent);
    }
    // The next frame, whatever it is; nullopt when none comes in time.
    std::optional<Received> next(Duration patience = std::chrono::seconds(10)) {
        const Time deadline = std::chrono::steady_clock::now() + patience;
        for (;;) {
            Received out;
            out.bytes = std::make_unique<zmq::message_t>();
            if (router_->receive(out.from, *out.bytes) == transport::ReceiveStatus::frame) {
                auto frame = decoder_.decode({out.bytes->data<char>(), out.bytes->size()});
                EXPECT_TRUE(frame.ok()) << frame.error().sentence;
                if (!frame) return std::nullopt;
                out.frame = std::move(frame).value();
                return out;
            }
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                deadline - std::chrono::steady_clock::now());
            if (left.count() <= 0) return std::nullopt;
            if (router_->readable()) continue;
            pollfd file{router_->fd(), POLLIN, 0};
            poll(&file, 1, static_cast<int>(left.count()));
        }
    }
    // The next frame of kind M; heartbeats are answered on the way, other kinds are skipped.
    template <class M>
    std::optional<Received> expect(Duration patience = std::chrono::seconds(10)) {
        const Time deadline = std::chrono::steady_clock::now() + patience;
        while (auto got = next(deadline - std::chrono::steady_clock::now())) {
            if (std::holds_alternative<M>(got->frame.message)) return got;
            if (const auto* beat = std::get_if<protocol::Heartbeat>(&got->frame.message)) {
                send(got->from, got->frame.header.session.value,
                     protocol::Heartbeat{0, beat->ping, {}});
            }
        }
        ADD_FAILURE() << "the frame never came";
        return std::nullopt;
    }

  private:
    std::unique_ptr<transport::Router> router_;
    std::string endpoint_;
    protocol::Decoder decoder_;
    std::uint64_t seq_ = 0;
};

class FakeBroker {
  public:
    explicit FakeBroker(const std::string& where = "tcp://127.0.0.1:0")
        : main(context_, where), blob(context_) {}

    // Answers the next HELLO and takes the first credit.
    void welcome(std::uint64_t with_session = 50, std::uint32_t heartbeat_ms = 2500) {
        read_hello();
        answer_hello(with_session, {}, heartbeat_ms);
        take_credit();
    }
    // Takes the next HELLO; what it holds is in `held`.
    void read_hello() {
        auto hello = main.expect<protocol::Hello>();
        ASSERT_TRUE(hello.has_value());
        peer = hello->from;
        hello_seq = hello->frame.header.seq;
        held = std::get<protocol::Hello>(hello->frame.message).worker->held;
    }
    void answer_hello(std::uint64_t with_session, std::vector<protocol::Token> adopted,
                      std::uint32_t heartbeat_ms = 2500) {
        session = with_session;
        limit = {};
        sent = {};
        protocol::Welcome welcome;
        welcome.re = hello_seq;
        welcome.session = {session};
        welcome.epoch = kEpoch;
        welcome.heartbeat_ms = heartbeat_ms;
        welcome.dead_after_ms = dead_after_ms != 0 ? dead_after_ms : 3 * heartbeat_ms;
        welcome.blob_endpoint = blob.endpoint();
        welcome.limits = limits;
        welcome.adopted = std::move(adopted);
        main.send(peer, 0, welcome);
    }
    void take_credit() {
        auto credit = main.expect<protocol::CreditGrant>();
        ASSERT_TRUE(credit.has_value());
        limit = std::get<protocol::CreditGrant>(credit->frame.message).limit;
    }
    // Delivers these payloads; the first gets counter first_counter.
    void deliver(const std::vector<std::string>& payloads, std::uint64_t first_counter,
                 ByteView inputs = {}) {
        protocol::Deliver deliver{kEpoch, "scans", {}};
        for (const std::string& payload : payloads) {
            deliver.attempts.push_back({first_counter++, {}, "SPY.vertical", {payload, 0}, inputs});
            sent.items += 1;
            sent.bytes += payload.size() + protocol::kLimits.item_overhead_bytes;
        }
        main.send(peer, session, deliver);
    }
    // One attempt with a fingerprint.
    void deliver_pure(std::uint64_t counter, ByteView payload, const ContentId& fingerprint,
                      std::uint64_t deadline_ms = 0) {
        protocol::Deliver deliver{kEpoch, "scans", {}};
        deliver.attempts.push_back({counter,
                                    {},
                                    "SPY.vertical",
                                    {payload, 0},
                                    {},
                                    std::nullopt,
                                    deadline_ms,
                                    fingerprint.view()});
        sent.items += 1;
        sent.bytes += payload.size() + protocol::kLimits.item_overhead_bytes;
        main.send(peer, session, deliver);
    }
    // Until a heartbeat lists that attempt as running.
    void wait_running(std::uint64_t counter) {
        while (auto got = main.expect<protocol::Heartbeat>()) {
            const auto& beat = std::get<protocol::Heartbeat>(got->frame.message);
            main.send(got->from, got->frame.header.session.value,
                      protocol::Heartbeat{0, beat.ping, {}});
            for (const protocol::Token& token : beat.running) {
                if (token.counter == counter) return;
            }
        }
    }
    // The next DONE; credit that is asked back meanwhile is given back.
    std::optional<Received> next_done() {
        if (!gives_back) return main.expect<protocol::Done>();
        while (auto got = main.next()) {
            const protocol::Message& message = got->frame.message;
            if (std::holds_alternative<protocol::Done>(message)) return got;
            if (std::holds_alternative<protocol::Reclaim>(message)) {
                main.send(peer, session, protocol::Reclaimed{{}, sent});
            } else if (const auto* beat = std::get_if<protocol::Heartbeat>(&message)) {
                main.send(peer, session, protocol::Heartbeat{0, beat->ping, {}});
            }
        }
        ADD_FAILURE() << "no attempt was answered";
        return std::nullopt;
    }
    // Outcomes of the next n attempts, by counter; keeps the limit.
    struct Answer {
        protocol::AttemptOutcome outcome{};
        std::string body;
        std::uint64_t blob_size{};
        protocol::ErrorCode code{};
        std::string sentence;
    };
    std::map<std::uint64_t, Answer> answers(std::size_t n, std::size_t* frames = nullptr) {
        std::map<std::uint64_t, Answer> out;
        while (out.size() < n) {
            auto got = next_done();
            if (!got) break;
            const auto& done = std::get<protocol::Done>(got->frame.message);
            if (frames != nullptr) ++*frames;
            limit = done.limit;
            for (const protocol::Outcome& o : done.outcomes) {
                out[o.counter] = {o.outcome, std::string(o.body.bytes), o.body.blob_size, o.code,
                                  std::string(o.sentence)};
            }
        }
        return out;
    }
    // Serves one BLOB_GET, in one go: the tests' blobs fit the credit of the request.
    void serve_blob(const ContentId& id, const std::string& bytes) {
        auto get = blob.expect<protocol::BlobGet>();
        ASSERT_TRUE(get.has_value());
        const auto& asked = std::get<protocol::BlobGet>(get->frame.message);
        EXPECT_EQ(asked.id, id);
        EXPECT_EQ(get->frame.header.session.value, session);
        send_blob(get->from, get->frame.header.seq, id, bytes);
    }
    void send_blob(std::uint32_t to, std::uint64_t re, const ContentId& id,
                   const std::string& bytes) {
        const std::uint64_t s = session;
        blob.send(to, s,
                  protocol::BlobInfo{re, id, bytes.size(), protocol::BlobType::snapshot, ""});
        for (std::size_t at = 0; at < bytes.size(); at += protocol::kLimits.chunk_bytes) {
            blob.send(to, s,
                      protocol::BlobChunk{
                          id, at, ByteView(bytes).substr(at, protocol::kLimits.chunk_bytes)});
        }
    }

    static constexpr std::uint64_t kEpoch = 3;

  private:
    transport::Context context_;  // outlives the sockets

  public:
    Port main;
    Port blob;
    std::uint32_t peer = 0;
    std::uint64_t session = 0;
    std::uint64_t hello_seq = 0;
    bool gives_back = false;          // answers RECLAIM: `sent` counts all that is delivered
    std::uint32_t dead_after_ms = 0;  // of the next WELCOME; 0: three heartbeats
    std::vector<protocol::WorkerInfo::Held> held;               // of the last HELLO
    std::vector<std::pair<std::string, std::uint64_t>> limits;  // of the next WELCOME
    protocol::Credit limit;
    protocol::Credit sent;
};

}  // namespace scanmq::worker::test
