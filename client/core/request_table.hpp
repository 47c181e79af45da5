#pragma once
// RequestTable: requests under way, by the seq their answer will name.
//
// Role:     owned by ClientCore.
// Threads:  the core's.
// Sessions: a request that was not answered when its session ended is sent again in the next one,
//           until its deadline. One that may have taken effect the first time is then judged by
//           that: a group that is there already was opened, a queue that is gone was deleted. Where
//           the second answer cannot tell (jobs that are finished by now, dead letters that are
//           gone), RequestDone::repeated says so.
// Limits:   at most `requests_max` requests.

#include <cstdint>
#include <vector>

#include "client/core/outbox.hpp"

namespace scanmq::client {

class RequestTable {
  public:
    RequestTable(std::uint32_t requests_max, Outbox& outbox)
        : requests_max_(requests_max), outbox_(outbox) {}

    // Queues the request, sending it at once when a session is open; its RequestDone carries the
    // id. 0: too many are under way.
    std::uint64_t add(protocol::Message message, Time deadline, bool open);
    void forget(std::uint64_t id);
    void opened();
    // Those that name a subscription, once that is there again.
    void opened_after_subscriptions();
    void lost();
    void expire(Time now);
    void fail_all(const Error& error);

    // False: it answers no request.
    bool on_reply(std::uint64_t re, const protocol::Message& reply);
    bool on_error(const protocol::Error& error);

    [[nodiscard]] Time next_deadline() const noexcept;
    [[nodiscard]] std::size_t size() const noexcept { return rows_.size(); }

  private:
    struct Row {
        std::uint64_t id{};
        std::uint64_t seq{};  // 0: not sent in this session
        bool repeated{};      // sent in an earlier session
        Time deadline;
        protocol::Message message;
    };

    std::vector<Row>::iterator by_seq(std::uint64_t seq);
    void done(std::vector<Row>::iterator row, Result<protocol::Message> reply);

    std::uint32_t requests_max_;
    Outbox& outbox_;
    std::uint64_t last_id_ = 0;
    std::vector<Row> rows_;
};

}  // namespace scanmq::client
