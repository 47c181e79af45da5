#pragma once
// A broker on free ports with a thread of its own, and peers driven by hand, frame by frame.

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "broker/server/broker_server.hpp"
#include "common/protocol/codec.hpp"
#include "common/protocol/messages.hpp"
#include "common/transport/dealer.hpp"

namespace scanmq::broker {

inline constexpr Duration kDeadline = std::chrono::seconds(20);

class TestBroker {
  public:
    explicit TestBroker(ServerOptions options = {}) {
        spdlog::set_level(spdlog::level::off);
        options.listen = "tcp://127.0.0.1:0";
        // In memory, unless the test says where.
        if (options.data == ServerOptions{}.data) options.durability = "memory";
        auto created = BrokerServer::create(options);
        if (!created) ADD_FAILURE() << created.error().sentence;
        server_ = std::move(created).value();
        thread_ = std::thread([this] { result_ = server_->run(); });
    }
    ~TestBroker() { stop(); }

    // True: run() returned without an error.
    bool stop() {
        if (thread_.joinable()) {
            server_->stop();
            thread_.join();
        }
        return result_.ok();
    }
    [[nodiscard]] const std::string& endpoint() const { return server_->endpoint(); }
    [[nodiscard]] const std::string& blob_endpoint() const { return server_->blob_endpoint(); }

  private:
    std::unique_ptr<BrokerServer> server_;
    Result<void, ServerError> result_;
    std::thread thread_;
};

// One DEALER that says what the test tells it to.
class Peer {
  public:
    Peer(transport::Context& context, const std::string& endpoint, protocol::Roles roles)
        : dealer_(context, {}), roles_(roles) {
        EXPECT_TRUE(dealer_.connect(endpoint).ok());
        const bool connected = until([this] {
            dealer_.poll_connection();
            return dealer_.connected();
        });
        EXPECT_TRUE(connected) << endpoint;
    }

    // HELLO and WELCOME; the session is used from then on.
    protocol::Welcome hello(const std::string& name = "peer",
                            std::optional<protocol::WorkerInfo> worker = {},
                            const Id128& instance = {}) {
        protocol::Hello hello;
        hello.name = name;
        Rng rng(Rng::random_seed());
        hello.instance = instance.is_zero() ? random_id(rng) : instance;
        hello.agent = "test";
        hello.worker = std::move(worker);
        session = {};
        seq = 0;
        send(hello);
        const auto* welcome = expect<protocol::Welcome>();
        if (welcome == nullptr) return {};
        session = welcome->session;
        return *welcome;
    }

    void send(protocol::Submit& submit) {  // jobs cannot be copied
        protocol::Message message(std::move(submit));
        send(std::move(message));
        submit = std::get<protocol::Submit>(std::move(message));
    }
    void send(protocol::Submit&& submit) { send(submit); }
    void send(protocol::Message&& message) {
        std::string bytes;
        protocol::encode({roles_, session, ++seq}, message, bytes);
        send_bytes(bytes);
    }
    void send_bytes(const std::string& bytes) {
        EXPECT_TRUE(until([&] { return dealer_.send(bytes) == transport::SendStatus::sent; }));
    }

    // The next frame, or nullptr at the deadline. Lives until the next call.
    const protocol::Frame* next() {
        const bool received =
            until([this] { return dealer_.receive(message_) == transport::ReceiveStatus::frame; });
        if (!received) return nullptr;
        auto frame = decoder_.decode({message_.data<char>(), message_.size()});
        if (!frame) {
            ADD_FAILURE() << "the broker sent: " << frame.error().sentence;
            return nullptr;
        }
        frame_ = std::move(frame).value();
        return &frame_;
    }
    // The next frame must be of this kind.
    template <class M>
    const M* expect() {
        const protocol::Frame* frame = next();
        if (frame == nullptr) {
            ADD_FAILURE() << "nothing came";
            return nullptr;
        }
        const M* message = std::get_if<M>(&frame->message);
        if (message == nullptr) {
            std::string text(to_string(kind_of(frame->message)));
            if (const auto* error = std::get_if<protocol::Error>(&frame->message)) {
                text += " " + std::string(to_string(error->code)) + ": " + error->sentence;
            }
            ADD_FAILURE() << "unexpected " << text;
        }
        return message;
    }
    // The next frame must be an ERROR of this code.
    protocol::Error expect_error(protocol::ErrorCode code) {
        const auto* error = expect<protocol::Error>();
        if (error == nullptr) return {};
        EXPECT_EQ(to_string(error->code), to_string(code)) << error->sentence;
        return *error;
    }
    // A value of the counters query.
    std::uint64_t counter(const std::string& name) {
        send(protocol::Query{"counters", ""});
        const auto* answer = expect<protocol::Answer>();
        if (answer == nullptr) return 0;
        for (const protocol::Row& row : answer->rows) {
            if (row.size() == 2 && row[0].second == protocol::Value(name)) {
                return std::get<std::uint64_t>(row[1].second);
            }
        }
        ADD_FAILURE() << "no counter " << name;
        return 0;
    }

    template <class Condition>
    bool until(Condition condition) {
        const Time end = std::chrono::steady_clock::now() + kDeadline;
        while (!condition()) {
            if (std::chrono::steady_clock::now() > end) return false;
            transport::wait({&dealer_}, std::chrono::milliseconds(20));
        }
        return true;
    }

    transport::Dealer& dealer() { return dealer_; }

    protocol::SessionId session;
    std::uint64_t seq = 0;

  private:
    transport::Dealer dealer_;
    protocol::Roles roles_;
    protocol::Decoder decoder_;
    zmq::message_t message_;
    protocol::Frame frame_;
};

}  // namespace scanmq::broker
