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

#include "common/base/time.hpp"

namespace scanmq::worker {

class ThreadPool {
  public:
    ThreadPool(std::uint32_t threads, std::size_t queue_max);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    // Precondition: fewer than queue_max items wait, and there is a thread. Work must not throw.
    // `key` is for withdraw().
    void post(std::uint64_t key, std::function<void()> work);
    // True: the newest item of this key still waited, and will not run.
    [[nodiscard]] bool withdraw(std::uint64_t key);

    // Takes no more work and waits until what was posted has run, but not longer than `patience`.
    // False when it has not: the destructor then waits for it, however long that takes.
    [[nodiscard]] bool finish(Duration patience);

  private:
    struct Item {
        std::uint64_t key{};
        std::function<void()> work;
    };
    void run();

    const std::size_t queue_max_;
    std::mutex mutex_;  // guards queue_, stopping_ and running_
    std::condition_variable wake_;
    std::condition_variable ended_;  // a thread did
    std::deque<Item> queue_;
    bool stopping_ = false;
    std::size_t running_ = 0;  // threads
    std::vector<std::thread> threads_;
};

}  // namespace scanmq::worker
