#pragma once
// FakeBroker: just enough of a broker, on a thread of its own, to run a client against real
//             sockets: it accepts every job and appends its payload to the queue's stream at once.
//
// Threads: the broker's state is the thread's; controls are atomics or go through ask().

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/protocol/codec.hpp"
#include "common/transport/dealer.hpp"
#include "common/transport/router.hpp"

namespace scanmq::client::test {

struct FakeOptions {
    std::string main = "tcp://127.0.0.1:0";
    std::uint64_t window = 16'384;  // of submit credit, in jobs
    bool append = true;             // jobs become entries
    std::uint64_t first_session = 1;
    std::uint8_t incarnation = 1;
};

class FakeBroker {
  public:
    explicit FakeBroker(const FakeOptions& options = {}) : options_(options) {
        main_ = std::make_unique<transport::Router>(context_, transport::SocketOptions{});
        blob_ = std::make_unique<transport::Router>(context_, transport::SocketOptions{});
        auto main = main_->bind(options.main);
        auto blob = blob_->bind("tcp://127.0.0.1:0");
        if (!main || !blob) {
            ADD_FAILURE() << "cannot bind";
            return;
        }
        endpoint_ = *main;
        blob_endpoint_ = *blob;
        next_session_ = options.first_session;
        incarnation_.bytes[0] = options.incarnation;
        thread_ = std::thread([this] { run(); });
    }
    ~FakeBroker() {
        stop_ = true;
        wakeup_.notify();
        if (thread_.joinable()) thread_.join();
    }
    FakeBroker(const FakeBroker&) = delete;
    FakeBroker& operator=(const FakeBroker&) = delete;

    [[nodiscard]] const std::string& endpoint() const { return endpoint_; }

    // Runs f on the broker's thread and waits for it.
    void ask(std::function<void()> f) {
        std::promise<void> done;
        {
            const std::lock_guard lock(mutex_);
            asked_.push_back([&] {
                f();
                done.set_value();
            });
        }
        wakeup_.notify();
        done.get_future().wait();
    }
    // Every session is forgotten; the streams stay.
    void forget_sessions() {
        ask([this] { sessions_.clear(); });
    }

    std::atomic<bool> hold_answers = false;  // SUBMITs are taken, ACCEPTED is not said
    std::atomic<bool> send_rubbish = false;  // a frame that is no msgpack goes before each ACCEPTED
    std::atomic<std::uint64_t> jobs = 0;     // taken as new
    std::atomic<std::uint64_t> duplicates = 0;
    std::atomic<std::uint64_t> submits = 0;
    std::atomic<std::uint64_t> over_credit = 0;
    std::atomic<std::uint64_t> chunks = 0;
    // Not none: what every WANT is refused with.
    std::atomic<protocol::ErrorCode> want_error = protocol::ErrorCode::none;
    std::atomic<bool> ignore_acks = false;

    // Of the job that came last.
    protocol::JobOptions last_options() {
        protocol::JobOptions out;
        ask([&] { out = last_options_; });
        return out;
    }
    // A durable subscription's cursor; nullopt: none of that name.
    std::optional<std::uint64_t> cursor(const std::string& queue, const std::string& name) {
        std::optional<std::uint64_t> out;
        ask([&] {
            const auto found = cursors_.find({queue, name});
            if (found != cursors_.end()) out = found->second;
        });
        return out;
    }

  private:
    struct Link {
        protocol::Credit used;
        protocol::Credit limit;
    };
    struct Subscription {
        std::string queue;
        std::uint64_t number{};
        std::uint64_t next{};
        protocol::Credit sent;
        protocol::Credit limit;
        std::string durable_name;
        std::uint64_t seq{};  // of its SUBSCRIBE
    };
    struct Session {
        std::uint32_t peer{};
        std::uint64_t seq{};
        std::map<std::string, Link, std::less<>> links;
        std::vector<Subscription> subscriptions;
    };
    struct Stored {
        Id128 id;
        std::string subject;
        std::string body;
        std::uint64_t blob_size{};
    };

    void run() {
        while (!stop_) {
            std::vector<std::function<void()>> asked;
            {
                const std::lock_guard lock(mutex_);
                asked.swap(asked_);
            }
            for (auto& f : asked) f();
            bool any = true;
            while (any && !stop_) any = read(*main_, false) | read(*blob_, true);
            pollfd files[] = {
                {main_->fd(), POLLIN, 0}, {blob_->fd(), POLLIN, 0}, {wakeup_.fd(), POLLIN, 0}};
            if (!main_->readable() && !blob_->readable()) poll(files, 3, 20);
            wakeup_.clear();
        }
    }

    bool read(transport::Router& socket, bool blob) {
        std::uint32_t from = 0;
        zmq::message_t bytes;
        if (socket.receive(from, bytes) != transport::ReceiveStatus::frame) return false;
        auto frame = decoder_.decode(bytes.to_string_view());
        if (!frame) {
            ADD_FAILURE() << frame.error().sentence;
            return true;
        }
        if (blob) {
            on_blob(from, *frame);
        } else {
            on_main(from, *frame);
        }
        return true;
    }

    void send(transport::Router& socket, std::uint32_t to, std::uint64_t session,
              const protocol::Message& message) {
        out_.clear();
        protocol::encode({protocol::kBroker, {session}, ++seq_}, message, out_);
        if (socket.send(to, out_) != transport::SendStatus::sent) ++lost_;
    }

    void on_main(std::uint32_t from, const protocol::Frame& frame) {
        using namespace protocol;
        const std::uint64_t seq = frame.header.seq;
        const std::uint64_t id = frame.header.session.value;
        if (std::holds_alternative<Hello>(frame.message)) {
            welcome(from, seq);
            return;
        }
        const auto found = sessions_.find(id);
        if (found == sessions_.end() || found->second.peer != from) {
            send(*main_, from, id,
                 protocol::Error{seq, kind_of(frame.message), ErrorCode::unknown_session,
                                 "HELLO again"});
            return;
        }
        Session& session = found->second;
        const auto say = [&](const Message& message) { send(*main_, from, id, message); };
        if (const auto* submit = std::get_if<Submit>(&frame.message)) {
            on_submit(id, session, seq, *submit);
        } else if (const auto* want = std::get_if<Want>(&frame.message)) {
            if (want_error.load() != ErrorCode::none) {
                say(protocol::Error{seq, Kind::want, want_error, "as the test wants"});
                return;
            }
            Link& link = session.links[want->queue];
            link.limit.items = std::max(
                link.limit.items, link.used.items + std::min(want->want.items, options_.window));
            link.limit.bytes = std::max(link.limit.bytes, link.used.bytes + want->want.bytes);
            say(CreditGrant{protocol::Link::submit, want->queue, 0, link.limit});
        } else if (const auto* beat = std::get_if<Heartbeat>(&frame.message)) {
            say(Heartbeat{0, beat->ping, {}});
        } else if (const auto* reclaimed = std::get_if<Reclaimed>(&frame.message)) {
            session.links[reclaimed->queue].limit = reclaimed->sent;
        } else if (const auto* subscribe = std::get_if<Subscribe>(&frame.message)) {
            on_subscribe(id, session, seq, *subscribe);
        } else if (const auto* credit = std::get_if<CreditGrant>(&frame.message)) {
            for (Subscription& s : session.subscriptions) {
                if (s.number == credit->subscription) s.limit = credit->limit;
            }
            publish(id, session);
        } else if (const auto* query = std::get_if<Query>(&frame.message)) {
            if (query->topic == "silence") return;
            say(Answer{seq, query->topic, {{{"name", std::string("fake")}}}});
        } else if (const auto* open = std::get_if<GroupOpen>(&frame.message)) {
            say(GroupState{seq, open->queue, open->group, GroupPhase::open, 0, 0, 0, {}});
        } else if (const auto* ack = std::get_if<Ack>(&frame.message)) {
            on_ack(session, *ack);
        } else if (const auto* unsubscribe = std::get_if<Unsubscribe>(&frame.message)) {
            on_unsubscribe(session, *unsubscribe);
            say(Ok{seq});
        } else if (const auto* cancel = std::get_if<Cancel>(&frame.message)) {
            Cancelled out{seq, {}};
            for (const Id128& job : cancel->jobs) {
                out.states.push_back(known_.contains(job) ? JobState::finished : JobState::unknown);
            }
            say(out);
        } else if (const auto* dead = std::get_if<DeadLetters>(&frame.message)) {
            DeadDone out{seq, {}};
            for (const Id128& job : dead->jobs) {
                out.jobs.push_back({job, dead->action == DeadAction::drop ? Id128{} : job});
            }
            say(out);
        } else if (const auto* backup = std::get_if<Backup>(&frame.message)) {
            say(BackupDone{seq, "backups/" + backup->name, 7});
        } else if (std::holds_alternative<Bye>(frame.message)) {
            sessions_.erase(found);
        } else {
            say(Ok{seq});
        }
    }

    void welcome(std::uint32_t from, std::uint64_t seq) {
        const std::uint64_t id = next_session_++;
        sessions_[id].peer = from;
        protocol::Welcome out;
        out.re = seq;
        out.session = {id};
        out.epoch = 1;
        out.heartbeat_ms = 2500;
        out.dead_after_ms = 60'000;  // a loaded machine is not a dead broker
        out.blob_endpoint = blob_endpoint_;
        send(*main_, from, id, out);
    }

    void on_submit(std::uint64_t id, Session& session, std::uint64_t seq,
                   const protocol::Submit& submit) {
        ++submits;
        Link& link = session.links[std::string(submit.queue)];
        protocol::Accepted accepted{seq, static_cast<std::uint32_t>(submit.jobs.size()), {}, {}};
        auto& stream = streams_[std::string(submit.queue)];
        std::uint32_t index = 0;
        for (const protocol::Job& job : submit.jobs) {
            last_options_ = job.options ? *job.options : protocol::JobOptions{};
            link.used.items += 1;
            link.used.bytes += 64 + (job.payload.is_blob() ? 0 : job.payload.bytes.size());
            if (job.subject == "refuse") {
                accepted.exceptions.push_back({index,
                                               protocol::Verdict::refused,
                                               {},
                                               protocol::ErrorCode::id_conflict,
                                               "as the test wants"});
            } else if (options_.append && !known_.insert(job.id).second) {
                ++duplicates;
                accepted.exceptions.push_back({index, protocol::Verdict::duplicate, {}, {}, {}});
            } else {
                ++jobs;
                if (options_.append) {
                    stream.push_back({job.id, std::string(job.subject),
                                      std::string(job.payload.bytes), job.payload.blob_size});
                }
            }
            ++index;
        }
        if (link.used.items > link.limit.items || link.used.bytes > link.limit.bytes) ++over_credit;
        accepted.limit = link.limit;
        if (hold_answers) return;
        if (send_rubbish &&
            main_->send(session.peer, "\xc1rubbish") != transport::SendStatus::sent) {
            ++lost_;
        }
        send(*main_, session.peer, id, accepted);
        for (auto& [other, s] : sessions_) publish(other, s);
    }

    void on_subscribe(std::uint64_t id, Session& session, std::uint64_t seq,
                      const protocol::Subscribe& subscribe) {
        using namespace protocol;
        const auto& stream = streams_[subscribe.queue];
        if (subscribe.from == StartFrom::offset && !subscribe.incarnation.is_zero() &&
            subscribe.incarnation != incarnation_) {
            send(*main_, session.peer, id,
                 protocol::Error{seq, Kind::subscribe, ErrorCode::stream_reset, "new"});
            return;
        }
        std::uint64_t start = stream.size();
        if (subscribe.from == StartFrom::earliest) start = 0;
        if (subscribe.from == StartFrom::offset) start = subscribe.offset;
        SubscriptionStatus status = SubscriptionStatus::created;
        if (!subscribe.durable_name.empty()) {
            const std::pair name{subscribe.queue, subscribe.durable_name};
            const auto known = cursors_.find(name);
            if (known != cursors_.end()) {
                start = known->second;
                status = SubscriptionStatus::resumed;
            }
            cursors_[name] = start;
            take_over(name);
        }
        session.subscriptions.push_back({subscribe.queue,
                                         subscribe.subscription,
                                         start,
                                         {},
                                         subscribe.limit,
                                         subscribe.durable_name,
                                         seq});
        send(
            *main_, session.peer, id,
            Subscribed{seq, subscribe.subscription, incarnation_, 0, stream.size(), start, status});
        publish(id, session);
    }

    void take_over(const std::pair<std::string, std::string>& name) {
        for (auto& [other, session] : sessions_) {
            std::erase_if(session.subscriptions, [&, to = other](const Subscription& s) {
                if (s.durable_name.empty() || std::pair{s.queue, s.durable_name} != name) {
                    return false;
                }
                send(*main_, session.peer, to,
                     protocol::Error{s.seq, protocol::Kind::subscribe,
                                     protocol::ErrorCode::subscription_taken, "another has it"});
                return true;
            });
        }
    }

    void on_ack(Session& session, const protocol::Ack& ack) {
        if (ignore_acks) return;
        for (const Subscription& s : session.subscriptions) {
            if (s.number != ack.subscription || s.durable_name.empty()) continue;
            std::uint64_t& cursor = cursors_[{s.queue, s.durable_name}];
            if (ack.next_offset > cursor && ack.next_offset <= s.next) cursor = ack.next_offset;
        }
    }

    void on_unsubscribe(Session& session, const protocol::Unsubscribe& unsubscribe) {
        std::erase_if(session.subscriptions, [&](const Subscription& s) {
            if (s.number != unsubscribe.subscription) return false;
            if (unsubscribe.forget) cursors_.erase({s.queue, s.durable_name});
            return true;
        });
    }

    void publish(std::uint64_t id, Session& session) {
        for (Subscription& s : session.subscriptions) {
            const auto& stream = streams_[s.queue];
            while (s.next < stream.size()) {
                protocol::Results out{s.number, s.next, {}, {}};
                std::size_t bytes = 0;
                while (s.next < stream.size() && out.entries.size() < 1024 && bytes < 200'000) {
                    const Stored& job = stream[s.next];
                    const std::uint64_t cost = 64 + (job.blob_size != 0 ? 0 : job.body.size());
                    if (s.sent.items + 1 > s.limit.items || s.sent.bytes + cost > s.limit.bytes)
                        break;
                    s.sent.items += 1;
                    s.sent.bytes += cost;
                    bytes += cost;
                    protocol::Entry entry;
                    entry.offset = s.next++;
                    entry.kind = protocol::EntryKind::job;
                    entry.id = job.id;
                    entry.subject = job.subject;
                    entry.outcome = protocol::FinalOutcome::done;
                    entry.body = {job.body, job.blob_size};
                    out.entries.push_back(entry);
                }
                if (out.entries.empty()) break;
                out.next_offset = s.next;
                send(*main_, session.peer, id, out);
            }
        }
    }

    void on_blob(std::uint32_t from, const protocol::Frame& frame) {
        using namespace protocol;
        const std::uint64_t id = frame.header.session.value;
        const std::uint64_t seq = frame.header.seq;
        if (!sessions_.contains(id)) {
            send(*blob_, from, id,
                 protocol::Error{seq, kind_of(frame.message), ErrorCode::unknown_session, "HELLO"});
        } else if (const auto* put = std::get_if<BlobPut>(&frame.message)) {
            put_seq_ = seq;
            put_size_ = put->size;
            put_bytes_.clear();
            const Credit all{1'000'000, 1ULL << 40};
            send(*blob_, from, id, BlobReady{seq, put->id, blobs_.contains(put->id), all});
        } else if (const auto* chunk = std::get_if<BlobChunk>(&frame.message)) {
            ++chunks;
            put_bytes_ += chunk->bytes;
            if (put_bytes_.size() < put_size_) return;
            EXPECT_EQ(content_id(put_bytes_), chunk->id);
            blobs_[chunk->id] = put_bytes_;
            send(*blob_, from, id, BlobStored{put_seq_, chunk->id, put_size_});
        } else if (const auto* get = std::get_if<BlobGet>(&frame.message)) {
            on_get(from, id, seq, *get);
        }
    }

    void on_get(std::uint32_t from, std::uint64_t id, std::uint64_t seq,
                const protocol::BlobGet& get) {
        using namespace protocol;
        const auto found = blobs_.find(get.id);
        if (found == blobs_.end()) {
            send(*blob_, from, id,
                 protocol::Error{seq, Kind::blob_get, ErrorCode::unknown_blob, "put it again"});
            return;
        }
        const std::string& bytes = found->second;
        send(*blob_, from, id, BlobInfo{seq, get.id, bytes.size(), BlobType::body, ""});
        for (std::size_t at = 0; at < bytes.size(); at += kLimits.chunk_bytes) {
            send(*blob_, from, id,
                 BlobChunk{get.id, at, ByteView(bytes).substr(at, kLimits.chunk_bytes)});
        }
    }

    FakeOptions options_;
    transport::Context context_;
    transport::Wakeup wakeup_;
    std::unique_ptr<transport::Router> main_;
    std::unique_ptr<transport::Router> blob_;
    std::string endpoint_;
    std::string blob_endpoint_;
    protocol::Decoder decoder_;
    std::string out_;
    std::uint64_t seq_ = 0;
    std::uint64_t lost_ = 0;
    std::uint64_t next_session_ = 1;
    Id128 incarnation_;
    std::map<std::uint64_t, Session> sessions_;
    std::map<std::string, std::deque<Stored>> streams_;
    std::set<Id128> known_;
    std::map<std::pair<std::string, std::string>, std::uint64_t> cursors_;  // by queue and name
    protocol::JobOptions last_options_;
    std::map<ContentId, std::string> blobs_;
    std::uint64_t put_seq_ = 0;
    std::uint64_t put_size_ = 0;
    std::string put_bytes_;
    std::mutex mutex_;
    std::vector<std::function<void()>> asked_;
    std::atomic<bool> stop_ = false;
    std::thread thread_;
};

}  // namespace scanmq::client::test
