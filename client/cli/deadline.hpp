#pragma once
// Deadline: the flag of work in this process that ends at --timeout or Ctrl-C.
//
// Threads: one of its own, which looks every few milliseconds and sets the flag; read from any. Ending this
//          waits for it.

#include <atomic>
#include <thread>

#include "client/cli/interrupt.hpp"
#include "common/base/time.hpp"

namespace scanmq::cli {

class Deadline {
  public:
    explicit Deadline(Time end);
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;

    // True from the end on. Lifetime: this.
    [[nodiscard]] const std::atomic<bool>& over() const noexcept { return over_; }
    [[nodiscard]] bool interrupted() const noexcept { return interrupt_.requested(); }
    [[nodiscard]] bool timed_out() const noexcept { return over_ && !interrupted(); }

  private:
    void watch(const std::stop_token& stop, Time end);

    Interrupt interrupt_{nullptr};
    std::atomic<bool> over_;
    std::jthread watcher_;  // the last: it reads the others
};

}  // namespace scanmq::cli
