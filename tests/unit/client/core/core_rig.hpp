#pragma once
// CoreRig: a ClientCore in virtual time, with the test as its broker.
//
// Every frame the core sends goes through the codec, so what it forms is known to be decodable.

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/core/client_core.hpp"

namespace scanmq::client {

using namespace std::chrono_literals;

struct Sent {
    Socket socket{};
    std::string bytes;
    protocol::Frame frame;
};

inline CoreOptions rig_options(std::vector<std::string> brokers = {"tcp://a:1"}) {
    CoreOptions out;
    out.session.brokers = std::move(brokers);
    out.session.name = "rig";
    out.session.agent = "test";
    out.session.instance.bytes[0] = 7;
    out.roles = protocol::kProducer | protocol::kSubscriber | protocol::kOperator;
    out.seed = 1;
    return out;
}

class CoreRig {
  public:
    explicit CoreRig(const CoreOptions& options = rig_options()) : core(options) {
        core.start(now, effects);
        settle();
    }

    // Moves what the last call brought into sent, connects and notices.
    void settle() {
        for (Action& action : effects.actions) {
            if (auto* out = std::get_if<Outgoing>(&action)) {
                auto sent_frame = std::make_unique<Sent>();
                sent_frame->socket = out->socket;
                protocol::encode(out->header, out->message, sent_frame->bytes);
                auto frame = decoder_.decode(sent_frame->bytes);
                ASSERT_TRUE(frame.ok()) << frame.error().sentence;
                sent_frame->frame = std::move(frame).value();
                sent.push_back(std::move(sent_frame));
            } else if (auto* connect = std::get_if<Connect>(&action)) {
                connects.push_back(*connect);
            }
        }
        effects.actions.clear();
        stamps.insert(stamps.end(), effects.stamps.begin(), effects.stamps.end());
        effects.stamps.clear();
        for (Notice& notice : effects.notices) {
            if (auto* answered = std::get_if<JobsAnswered>(&notice)) {
                for (const JobAnswer& a : answered->answers) {
                    answers.push_back(a);
                    answer_sentences.emplace_back(a.sentence);
                }
            }
            notices.push_back(std::move(notice));
        }
        effects.notices.clear();
    }

    void tick() {
        core.tick(now, effects);
        settle();
    }
    void advance(Duration by) {
        now.time += by;
        now.wall += std::chrono::duration_cast<std::chrono::milliseconds>(by).count();
        tick();
    }
    void event(Event e) {
        core.handle(std::span(&e, 1), now, effects);
        settle();
    }
    void connected(Socket socket = Socket::main) { event(ConnectedEvent{socket}); }
    void feed(protocol::Message message, Socket socket = Socket::main) {
        protocol::Frame frame{{0, session, ++broker_seq}, std::move(message)};
        event(FrameEvent{socket, &frame});
    }

    protocol::Welcome welcome_to(std::uint64_t re) {
        session = protocol::SessionId{++last_session};
        protocol::Welcome out;
        out.re = re;
        out.session = session;
        out.epoch = epoch;
        out.heartbeat_ms = 2500;
        out.dead_after_ms = 7500;
        out.blob_endpoint = "tcp://a:2";
        out.resume = "resume-" + std::to_string(last_session);
        return out;
    }
    // Connects and opens a session; forgets the HELLO.
    void open() {
        connected();
        greet();
    }
    // Answers the HELLO that was sent last.
    void greet() {
        const auto hello = take<protocol::Hello>();
        ASSERT_TRUE(hello);
        feed(welcome_to(hello->frame.header.seq));
    }

    // The oldest frame of that kind not taken yet; frames before it stay.
    template <class M>
    std::unique_ptr<Sent> take() {
        for (auto it = sent.begin(); it != sent.end(); ++it) {
            if (!std::holds_alternative<M>((*it)->frame.message)) continue;
            auto out = std::move(*it);
            sent.erase(it);
            return out;
        }
        return nullptr;
    }
    template <class M>
    static const M& message(const std::unique_ptr<Sent>& frame) {
        return std::get<M>(frame->frame.message);
    }
    template <class M>
    std::size_t count() const {
        std::size_t n = 0;
        for (const auto& s : sent) n += std::holds_alternative<M>(s->frame.message);
        return n;
    }
    template <class N>
    std::vector<N> take_notices() {
        std::vector<N> out;
        std::vector<Notice> rest;
        for (Notice& n : notices) {
            if (auto* found = std::get_if<N>(&n)) {
                out.push_back(std::move(*found));
            } else {
                rest.push_back(std::move(n));
            }
        }
        notices = std::move(rest);
        return out;
    }

    std::uint32_t producer(std::string_view queue = "q", ProducerSettings settings = {},
                           BatchSettings batches = {}) {
        settings.wants_answers = true;
        return core.add_producer(queue, settings, batches);
    }
    Result<Ticket> submit(std::uint32_t p, std::string_view payload, Id128 group = {},
                          std::string_view subject = "s.t", Id128 id = {}) {
        Job job;
        job.subject = subject;
        job.payload = payload;
        job.group = group;
        job.id = id;
        return submit_job(p, job);
    }
    Result<Ticket> submit_job(std::uint32_t p, const Job& job) {
        std::optional<ContentId> content;
        if (job.payload.size() > core.limits().inline_bytes_max) content = content_id(job.payload);
        auto out = core.submit(p, job, content ? &*content : nullptr, now, effects);
        settle();
        return out;
    }
    void grant(std::uint64_t items, std::uint64_t bytes, std::string queue = "q") {
        feed(protocol::CreditGrant{protocol::Link::submit, std::move(queue), 0, {items, bytes}});
    }
    void accept(const std::unique_ptr<Sent>& submit,
                std::vector<protocol::JobVerdict> exceptions = {}, protocol::Credit limit = {}) {
        feed(protocol::Accepted{
            submit->frame.header.seq,
            static_cast<std::uint32_t>(message<protocol::Submit>(submit).jobs.size()),
            std::move(exceptions), limit});
    }
    void error(const std::unique_ptr<Sent>& frame, protocol::ErrorCode code,
               std::string sentence = "because") {
        feed(protocol::Error{frame->frame.header.seq, protocol::kind_of(frame->frame.message), code,
                             std::move(sentence)},
             frame->socket);
    }

    Now now{Time{} + 1h, 1'700'000'000'000};
    Effects effects;
    ClientCore core;
    std::deque<std::unique_ptr<Sent>> sent;
    std::vector<Connect> connects;
    std::vector<Notice> notices;
    std::vector<JobStamped> stamps;
    std::vector<JobAnswer> answers;
    std::vector<std::string> answer_sentences;
    protocol::SessionId session;
    std::uint64_t last_session = 0;
    std::uint64_t broker_seq = 0;
    std::uint64_t epoch = 1;

  private:
    protocol::Decoder decoder_;
};

}  // namespace scanmq::client
