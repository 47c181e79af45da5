#pragma once
// ThreadPool: runs scans beside the worker's loop.
//
// Threads:  post() from one thread (the loop); the work runs on the pool's.
// Limits:   queue_max waiting items; the credit window keeps below it.
// Lifetime: the destructor runs what is queued and joins. What blocks for long must be told to end
//           before.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace scanmq::worker {

class ThreadPool {
  public:
    ThreadPool(std::uint32_t threads, std::size_t queue_max);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    // Precondition: fewer than queue_max items wait, and there is a thread. Work must not throw.
    void post(std::function<void()> work);

  private:
    void run();

    const std::size_t queue_max_;
    std::mutex mutex_;  // guards queue_ and stopping_
    std::condition_variable wake_;
    std::deque<std::function<void()>> queue_;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace scanmq::worker
