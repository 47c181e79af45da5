#include "worker/server/thread_pool.hpp"

#include <csignal>

#include "common/base/assert.hpp"

namespace scanmq::worker {

ThreadPool::ThreadPool(std::uint32_t threads, std::size_t queue_max)
    : queue_max_(queue_max), running_(threads) {
    // Signals are the loop's: a pool thread that took one would delay it by a scan.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    for (std::uint32_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

ThreadPool::~ThreadPool() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::post(std::uint64_t key, std::function<void()> work) {
    {
        const std::lock_guard lock(mutex_);
        SCANMQ_ASSERT(!threads_.empty() && queue_.size() < queue_max_);
        queue_.push_back({key, std::move(work)});
    }
    wake_.notify_one();
}

bool ThreadPool::withdraw(std::uint64_t key) {
    const std::lock_guard lock(mutex_);
    for (auto item = queue_.end(); item != queue_.begin();) {
        --item;
        if (item->key != key) continue;
        queue_.erase(item);
        return true;
    }
    return false;
}

bool ThreadPool::finish(Duration patience) {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
    return ended_.wait_for(lock, patience, [this] { return running_ == 0; });
}

void ThreadPool::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        if (queue_.empty()) {
            --running_;
            ended_.notify_all();
            return;
        }
        const std::function<void()> work = std::move(queue_.front().work);
        queue_.pop_front();
        lock.unlock();
        work();
        lock.lock();
    }
}

}  // namespace scanmq::worker
