#pragma once
// Pipes: keeps what ZeroMQ may hold for one ROUTER's connections within its share of memory.
//
// Role:      counts the connections and lowers their marks as they come; see memory_options.hpp.
// Threads:   broker loop only. Borrows: Router, the loop.

#include <functional>

#include "broker/server/memory_options.hpp"
#include "common/transport/router.hpp"
#include "common/transport/watcher.hpp"

namespace scanmq::broker {

class Pipes {
  public:
    // `looked`: the router was asked something, which may have swallowed its edge (see watcher.hpp).
    Pipes(boost::asio::io_context& loop, transport::Router& router, const PipeShare& share,
          std::function<void()> looked);

    void start() { watcher_.start(); }
    void stop() { watcher_.stop(); }
    // Those in force; they never rise again (see Router).
    [[nodiscard]] const PipeMarks& marks() const noexcept { return marks_; }

  private:
    void poll();

    transport::Router& router_;
    PipeShare share_;
    PipeMarks marks_;
    std::function<void()> looked_;
    transport::SocketWatcher watcher_;
};

}  // namespace scanmq::broker
