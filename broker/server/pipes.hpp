#pragma once
// Pipes: keeps what ZeroMQ may hold for one ROUTER's connections within its share of memory.
//
// Role:      counts the connections and lowers their marks as they come; see memory_options.hpp.
// Leaving:   while ZeroMQ takes leave of a connection marks cannot be set (see Router); so after one
//            went they wait until none has for kTicksQuiet ticks.
// Threads:   broker loop only. Borrows: Router, the loop.

#include <boost/asio/steady_timer.hpp>
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
    void stop();
    // Those in force; they never rise again (see Router).
    [[nodiscard]] const PipeMarks& marks() const noexcept { return marks_; }
    // Newcomers have higher ones as yet: others are leaving.
    [[nodiscard]] bool waiting() const noexcept { return wanted_; }

  private:
    // Two: in the first its leave is answered, by the second ZeroMQ's thread has had kTick for that.
    static constexpr int kTicksQuiet = 2;
    static constexpr Duration kTick = std::chrono::milliseconds(50);

    void poll();
    void tick();
    void arm();
    // Takes in who came and went.
    void look();
    void lower();

    transport::Router& router_;
    PipeShare share_;
    PipeMarks marks_;
    std::function<void()> looked_;
    bool wanted_ = false;    // some came since marks were set
    int ticks_to_wait_ = 0;  // 0: of none that went is leave being taken
    bool armed_ = false;
    boost::asio::steady_timer timer_;
    transport::SocketWatcher watcher_;
};

}  // namespace scanmq::broker
