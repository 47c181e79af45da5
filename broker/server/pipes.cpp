#include "broker/server/pipes.hpp"

#include <algorithm>
#include <utility>

namespace scanmq::broker {

Pipes::Pipes(boost::asio::io_context& loop, transport::Router& router, const PipeShare& share,
             std::function<void()> looked)
    : router_(router),
      share_(share),
      marks_(broker::marks(share, 0)),
      looked_(std::move(looked)),
      timer_(loop),
      watcher_(loop, router.monitor_fd(), [this] {
          poll();
          return transport::Drained::empty;
      }) {}

void Pipes::stop() {
    watcher_.stop();
    timer_.cancel();
}

void Pipes::poll() {
    look();
    lower();
    looked_();
}

void Pipes::look() {
    const auto moved = router_.poll_connections();
    wanted_ = wanted_ || moved.came;
    if (moved.went) ticks_to_wait_ = kTicksQuiet;
    if (ticks_to_wait_ > 0) arm();
}

void Pipes::arm() {
    if (std::exchange(armed_, true)) return;
    timer_.expires_after(kTick);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) tick();
    });
}

void Pipes::tick() {
    armed_ = false;
    if (ticks_to_wait_ > 0) --ticks_to_wait_;
    look();
    lower();
    looked_();
}

void Pipes::lower() {
    if (!wanted_ || ticks_to_wait_ > 0) return;
    wanted_ = false;
    const PipeMarks now = broker::marks(share_, router_.connections());
    const PipeMarks first = broker::marks(share_, 0);
    marks_ = {std::min(marks_.send, now.send), std::min(marks_.receive, now.receive)};
    // Those that came have the marks of the first ones.
    if (marks_ != first) router_.lower_marks(marks_.send, marks_.receive);
}

}  // namespace scanmq::broker
