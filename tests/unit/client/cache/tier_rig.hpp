#pragma once
// TierRig: a BrokerTierCore in virtual time, with the test as the broker that it asks.
//
// Every frame the core sends goes through the codec, so what it forms is known to be decodable.

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/cache/broker_tier_core.hpp"
#include "common/cache/value_check.hpp"
#include "common/protocol/codec.hpp"

namespace scanmq::client {

using namespace std::chrono_literals;
using Answer = std::vector<std::string>;  // "-" for nothing

inline ContentId key_of(std::uint64_t n) { return content_id(std::to_string(n)); }

inline protocol::CacheValues::One value_of(std::uint64_t n, std::string body,
                                           std::uint64_t age_ms = 0,
                                           std::uint64_t left_ms = 60'000) {
    const ContentId key = key_of(n);
    const Checksum check = cache::value_check(key, body);
    return {key, age_ms, std::move(body), 0, left_ms, check};
}

inline BrokerTierOptions tier_options() {
    BrokerTierOptions out;
    out.endpoint = "tcp://cache:5701";
    out.name = "edge";
    out.agent = "test";
    out.instance.bytes[0] = 7;
    out.breaker = {.failures_in_row = 3, .open_first = 1s, .open_max = 4s};
    return out;
}

class TierRig {
  public:
    struct Sent {
        std::string bytes;
        protocol::Frame frame;
    };

    explicit TierRig(const BrokerTierOptions& options = tier_options()) : core(options) {
        core.start(now, effects);
        settle();
    }
    // A connection and a session.
    void open() {
        core.connected(now, effects);
        settle();
        welcome();
        ASSERT_TRUE(core.ready());
    }
    void welcome() {
        const auto hello = take<protocol::Hello>();
        ASSERT_TRUE(hello);
        protocol::Welcome welcome;
        welcome.re = hello->header.seq;
        welcome.session = session = protocol::SessionId{session.value + 1};
        welcome.heartbeat_ms = 2'500;
        welcome.dead_after_ms = 7'500;
        say(std::move(welcome));
    }
    template <class M>
    void say(M message) {
        std::string bytes;
        protocol::encode({protocol::kBroker, session, ++seq_}, std::move(message), bytes);
        const auto frame = decoder_.decode(bytes);
        ASSERT_TRUE(frame.ok()) << frame.error().sentence;
        core.on_frame(*frame, now, effects);
        settle();
    }
    void pass(Duration time) {
        now.time += time;
        now.wall += std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
        core.tick(now, effects);
        settle();
    }
    // Ticks whenever something is due, until that much has passed.
    void run(Duration time) {
        const Time end = now.time + time;
        for (auto due = core.next_deadline(); due && *due < end; due = core.next_deadline()) {
            pass(std::max<Duration>(*due - now.time, 1us));
        }
        pass(end - now.time);
    }
    // The number of the get; its answer is in answers.
    int get(const std::vector<std::uint64_t>& numbers, Duration deadline = 1h) {
        std::vector<ContentId> keys;
        keys.reserve(numbers.size());
        for (const std::uint64_t n : numbers) keys.push_back(key_of(n));
        const int id = ++gets_;
        core.get(
            std::move(keys), now.time + deadline,
            [this, id](const cache::Tier::Values& values) {
                EXPECT_FALSE(answers.contains(id)) << "answered twice";
                Answer& answer = answers[id];
                answer.reserve(values.size());
                for (const auto& value : values) answer.push_back(value ? *value->body : "-");
                last = values;
            },
            now, effects);
        settle();
        return id;
    }
    void put(std::uint64_t n, const std::string& body, Duration ttl = 60s, WallMillis age = 0) {
        core.put({{key_of(n), {std::make_shared<const std::string>(body), now.wall - age}, ttl}},
                 now.time + 1h, now, effects);
        settle();
    }
    // The oldest frame of that kind that was sent and not taken.
    template <class M>
    std::optional<protocol::Frame> take() {
        for (auto it = sent.begin(); it != sent.end(); ++it) {
            if (!std::holds_alternative<M>((*it)->frame.message)) continue;
            kept_.push_back(std::move(*it));
            sent.erase(it);
            return std::move(kept_.back()->frame);
        }
        return std::nullopt;
    }
    // The frame and what it has, for kinds that a tier sends.
    template <class M>
    std::pair<std::uint64_t, M> took() {
        auto frame = take<M>();
        EXPECT_TRUE(frame) << "no such frame was sent";
        if (!frame) return {};
        return {frame->header.seq, std::get<M>(std::move(frame->message))};
    }

    Now now{Time{1h}, 1'000'000};
    Effects effects;
    BrokerTierCore core;
    protocol::SessionId session{};
    std::deque<std::unique_ptr<Sent>> sent;
    std::vector<std::string> connects;
    std::map<int, Answer> answers;
    cache::Tier::Values last;
    std::vector<std::string> log;

    void settle() {
        for (Action& action : effects.actions) {
            if (auto* out = std::get_if<Outgoing>(&action)) {
                auto one = std::make_unique<Sent>();
                protocol::encode(out->header, out->message, one->bytes);
                auto frame = decoder_.decode(one->bytes);
                ASSERT_TRUE(frame.ok()) << frame.error().sentence;
                one->frame = std::move(frame).value();
                sent.push_back(std::move(one));
            } else if (auto* connect = std::get_if<Connect>(&action)) {
                connects.push_back(connect->endpoint);
            } else {
                sent.clear();
            }
        }
        effects.clear();
        for (auto& [done, values] : core.take_ready()) done(std::move(values));
        for (std::string& line : core.take_log()) log.push_back(std::move(line));
    }

  private:
    protocol::Decoder decoder_;
    std::vector<std::unique_ptr<Sent>> kept_;
    std::uint64_t seq_ = 0;
    int gets_ = 0;
};

}  // namespace scanmq::client
