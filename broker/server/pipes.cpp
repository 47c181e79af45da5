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
      watcher_(loop, router.monitor_fd(), [this] {
          poll();
          return transport::Drained::empty;
      }) {}

void Pipes::poll() {
    if (!router_.poll_connections()) return;
    const PipeMarks now = broker::marks(share_, router_.connections());
    const PipeMarks first = broker::marks(share_, 0);
    marks_ = {std::min(marks_.send, now.send), std::min(marks_.receive, now.receive)};
    // Those that came have the marks of the first ones.
    if (marks_ != first) router_.lower_marks(marks_.send, marks_.receive);
    looked_();
}

}  // namespace scanmq::broker
