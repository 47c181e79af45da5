#pragma once
// Client::Impl: which request goes on which connection, and what is due.
//
// Role:    private to client*.cpp.
// Timer:   one for everything. It is only ever set earlier: most deadlines are met long before, and what
//          it finds when it fires says when to look again.

#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include "common/http/client_connection.hpp"

namespace scanmq::http {

class Client::Impl : public std::enable_shared_from_this<Client::Impl> {
  public:
    Impl(boost::asio::io_context& io, Endpoint endpoint, ClientOptions options);

    RequestId send(const ClientRequest& request, Done done);
    void cancel(RequestId id);
    void close_idle();
    void close();

    [[nodiscard]] const Endpoint& endpoint() const noexcept { return endpoint_; }
    [[nodiscard]] const ClientStats& stats() const noexcept { return stats_; }

  private:
    using Link = std::shared_ptr<ClientConnection>;

    struct Pending {
        std::string head;
        ByteView body;
        bool head_only = false;
        bool resent = false;
        Time deadline{};
        Done done;
        ClientConnection* link = nullptr;  // null: it waits for one
    };

    // A connection for the request: kept, or new. False: it has to wait.
    bool place(std::uint64_t id, Pending& pending);
    void open_link(std::uint64_t id, Pending& pending);
    [[nodiscard]] Link kept_link();
    void place_waiting();
    void on_connected(ClientConnection& link, const std::string& problem);
    void on_ended(ClientConnection& link, ClientResult result);
    // Its request, if any, is no longer on it.
    void drop(ClientConnection& link);
    void keep(ClientConnection& link);
    // The callback is made last: it may do anything.
    void finish(std::uint64_t id, ClientResult result);
    void finish(std::uint64_t id, ClientError error, const std::string& sentence);
    void finish_later(std::uint64_t id, ClientError error, const std::string& sentence);

    void due_at(Time when);
    void on_timer();
    [[nodiscard]] std::string head_of(const ClientRequest& request) const;

    boost::asio::io_context& io_;
    const Endpoint endpoint_;
    const std::string authority_;
    const ClientOptions options_;
    ClientStats stats_;
    std::optional<boost::asio::steady_timer> timer_;  // none once it is closed
    Time armed_ = Time::max();
    std::uint64_t last_id_ = 0;
    std::unordered_map<std::uint64_t, Pending> requests_;
    std::deque<std::uint64_t> waiting_;  // for a connection
    std::vector<Link> links_;
    std::vector<Link> idle_;  // the one used last at the end; all of them in links_, too
    bool closed_ = false;
};

}  // namespace scanmq::http
