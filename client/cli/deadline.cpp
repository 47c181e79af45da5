#include "client/cli/deadline.hpp"

namespace scanmq::cli {
namespace {

constexpr std::chrono::milliseconds kLook{5};

}  // namespace

Deadline::Deadline(Time end)
    : watcher_([this, end](const std::stop_token& stop) { watch(stop, end); }) {}

void Deadline::watch(const std::stop_token& stop, Time end) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
        if (interrupt_.requested() || std::chrono::steady_clock::now() >= end) {
            over_ = true;
            return;
        }
        stopped_.wait_for(lock, stop, kLook, [] { return false; });
    }
}

}  // namespace scanmq::cli
