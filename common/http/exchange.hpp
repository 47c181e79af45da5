#pragma once
// Exchange: the link between one request's Responders and its connection.
//
// Threads:   post_*() and the destructor from any thread; on_loop functions on the loop.
// Ownership: responders share it; it knows its connection weakly, the connection knows it weakly.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/http/server_core.hpp"

namespace scanmq::http {

class Exchange {
  public:
    Exchange(ServerCore& core, std::weak_ptr<Connection> connection, std::uint64_t serial)
        : io_(core.io),
          stream_bytes_max_(core.options.stream_bytes_max),
          connection_(std::move(connection)),
          serial_(serial) {}
    ~Exchange();
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

    void answer(Response response);
    void begin(Response head);
    [[nodiscard]] bool write(std::string chunk);
    void finish(std::string last);
    [[nodiscard]] bool gone() const noexcept { return gone_.load(std::memory_order_relaxed); }
    static void on_gone(const std::shared_ptr<Exchange>& self, std::function<void()> tell);

    // On the loop.
    void sent(std::size_t bytes) noexcept { waiting_.fetch_sub(bytes, std::memory_order_relaxed); }
    void client_gone();  // tells the handler
    void over();         // the answer is complete: on_gone is called no more

  private:
    template <class Work>
    void on_loop(Work work);

    boost::asio::io_context& io_;
    const std::size_t stream_bytes_max_;
    const std::weak_ptr<Connection> connection_;
    const std::uint64_t serial_;  // of the connection's requests: a late answer finds another one
    std::atomic<bool> answered_{false};
    std::atomic<bool> gone_{false};
    std::atomic<std::size_t> waiting_{0};  // bytes written and not yet sent
    std::function<void()> tell_;           // loop only
    bool over_ = false;                    // loop only
};

}  // namespace scanmq::http
