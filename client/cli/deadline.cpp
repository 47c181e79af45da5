#include "client/cli/deadline.hpp"

namespace scanmq::cli {
namespace {

constexpr std::chrono::milliseconds kLook{5};

}  // namespace

Deadline::Deadline(Time end)
    : over_(std::chrono::steady_clock::now() >= end),
      watcher_([this, end](const std::stop_token& stop) { watch(stop, end); }) {}

void Deadline::watch(const std::stop_token& stop, Time end) {
    while (!stop.stop_requested()) {
        if (interrupt_.requested() || std::chrono::steady_clock::now() >= end) {
            over_ = true;
            return;
        }
        std::this_thread::sleep_for(kLook);
    }
}

}  // namespace scanmq::cli
