#pragma once
// Harness: a BrokerCore with virtual time and peers whose frames and inboxes are plain values.
//
// Checks on its own: body handles come back exactly once; each session's seq rises by one; what the
// broker sends names the session; commit sequences follow one another, and no record is too large.

#include <gtest/gtest.h>

#include <deque>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "broker/core/blob_table.hpp"
#include "broker/core/broker_core.hpp"
#include "common/base/rng.hpp"

namespace scanmq::broker::testing {

using namespace std::chrono_literals;

// One frame as a peer received it; its views are good as long as the harness.
struct Received {
    protocol::Header header;
    protocol::Message message;
    std::vector<BodyHandle> bodies;
    bool after_commit = false;
};

class Harness;

class Peer {
  public:
    Peer(Harness& harness, protocol::Roles roles, std::string name, std::uint64_t instance);

    // HELLO on a new connection; takes the session from WELCOME. False: there was none.
    bool hello(protocol::WorkerInfo info = {});
    void send(protocol::Message message);
    // The same in an event with others: queued until Harness::flush().
    void post(protocol::Message message);

    // The next unread frame of that type; fails the test when there is none.
    template <class M>
    M& next() {
        for (auto it = inbox.begin(); it != inbox.end(); ++it) {
            if (std::holds_alternative<M>(it->message)) {
                kept.push_back(std::move(*it));
                inbox.erase(it);
                return std::get<M>(kept.back().message);
            }
        }
        ADD_FAILURE() << name << " has no such frame";
        kept.push_back({});
        kept.back().message = M{};
        return std::get<M>(kept.back().message);
    }
    template <class M>
    [[nodiscard]] std::size_t count() const {
        std::size_t n = 0;
        for (const Received& r : inbox) n += std::holds_alternative<M>(r.message) ? 1 : 0;
        return n;
    }
    // The code of the next ERROR; none when there is no ERROR.
    protocol::ErrorCode error() {
        return count<protocol::Error>() == 0 ? protocol::ErrorCode::none
                                             : next<protocol::Error>().code;
    }

    Harness* harness;
    protocol::Roles roles;
    std::string name;
    Id128 instance;
    WallMillis clock_ms = 0;
    ConnectionId connection;
    protocol::SessionId session;
    std::uint64_t seq = 0;
    std::uint64_t broker_seq = 0;
    std::vector<protocol::Token> adopted;  // of the last WELCOME
    std::deque<Received> inbox;
    std::deque<Received> kept;
};

class Harness {
  public:
    explicit Harness(BrokerOptions options = {}, BlobTable::Options blob_options = {});
    ~Harness();

    Peer& peer(protocol::Roles roles, const std::string& name);
    Peer& producer(const std::string& name = "producer");
    Peer& worker(protocol::WorkerInfo info = {}, const std::string& name = "worker");
    Peer& subscriber(const std::string& name = "subscriber");
    Peer& op();  // an operator
    void create_queue(const std::string& queue, const protocol::Settings& settings = {});

    void post(Peer& peer, protocol::Message message);
    void flush();
    void disconnect(Peer& peer);
    // Time goes on until the broker gives this peer up, while the others are heard.
    void silence(Peer& peer, std::initializer_list<Peer*> others);
    void bad_frame(Peer& peer, protocol::DecodeError error);
    void advance(Duration by);
    // The shared tier's answer for a look-up; without a body it has nothing.
    void answer_cache(std::uint64_t look_up, std::string_view body, Duration age = {});
    // tick() as long as something is due now.
    void tick();

    // A blob that is stored.
    ContentId put_blob(const std::string& bytes,
                       protocol::BlobType type = protocol::BlobType::snapshot);
    [[nodiscard]] std::uint32_t pins(const ContentId& id) const { return blobs.find(id)->pins; }
    [[nodiscard]] std::uint64_t row(const std::string& topic, const std::string& key,
                                    const std::string& column);
    // Of that tier's row of topic cache.
    [[nodiscard]] std::uint64_t cache_row(const std::string& tier, const std::string& column);

    // Bodies of the core's own jobs.
    class Source final : public BodySource {
      public:
        explicit Source(Harness& harness) : harness_(&harness) {}
        BodyHandle put(const protocol::Body& body) override { return harness_->add_body(body); }

      private:
        Harness* harness_;
    };

    BlobTable blobs;
    Source source{*this};
    BrokerCore core;
    Effects effects;
    Time now{std::chrono::hours(1)};
    std::set<std::uint32_t> handles;  // given to the core, not yet released
    std::vector<CacheAsk> asks;       // of the shared tier
    std::vector<CacheKeep> keeps;     // for it
    std::vector<ContentId> drops;
    std::vector<change::Any> changes;     // of every commit
    std::vector<PartitionId> partitions;  // of each change
    std::vector<std::size_t> records;     // of each record: how many changes there were before it

  private:
    struct Posted {
        ConnectionId from;
        protocol::Frame frame;
        std::vector<BodyIn> bodies;
    };
    BodyHandle add_body(const protocol::Body& body);
    void add_bodies(Posted& posted);
    void collect();
    std::string_view keep(std::string_view text);
    void own_views(protocol::Message& message);

    std::deque<Peer> peers_;
    std::vector<Posted> posted_;
    std::deque<std::string> arena_;
    std::map<PartitionId, std::uint64_t> committed_;
    std::deque<std::string> records_;
    std::map<std::uint32_t, std::string> bodies_;  // what the handles stand for
    std::set<std::uint64_t> gone_;                 // connections that were lost
    std::uint64_t connections_ = 0;
    std::uint32_t handles_given_ = 0;
    std::uint64_t blobs_put_ = 0;
    Peer* op_ = nullptr;

    friend class Peer;
};

// Job ids: UUIDv7 of this time and number.
[[nodiscard]] Id128 job_id(std::uint64_t number, WallMillis ms = 3'600'000);
[[nodiscard]] protocol::Job job(std::uint64_t number, std::string_view subject = "SPY.vertical",
                                std::string_view payload = "payload");
[[nodiscard]] protocol::Submit submit(std::string_view queue, std::vector<protocol::Job> jobs,
                                      Id128 group = {});
template <class... Jobs>
[[nodiscard]] std::vector<protocol::Job> jobs(Jobs&&... list) {
    std::vector<protocol::Job> out;
    (out.push_back(std::forward<Jobs>(list)), ...);
    return out;
}
[[nodiscard]] std::vector<protocol::Job> job_range(std::uint64_t first, std::uint64_t count);
[[nodiscard]] protocol::Done done(std::vector<std::uint64_t> counters,
                                  protocol::AttemptOutcome outcome, protocol::Credit limit = {},
                                  std::string_view body = "result", std::string_view sentence = "");
inline constexpr protocol::Credit kPlenty{1'000'000, 1ULL << 40};

}  // namespace scanmq::broker::testing
