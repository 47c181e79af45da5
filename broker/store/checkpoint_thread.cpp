#include "broker/store/checkpoint_thread.hpp"

#include <utility>

namespace scanmq::broker {

CheckpointThread::CheckpointThread(Checkpoint& checkpoint, const Options& options,
                                   std::function<void()> wake)
    : checkpoint_(&checkpoint), options_(options), wake_(std::move(wake)) {
    thread_ = std::thread([this] { loop(); });
}

CheckpointThread::~CheckpointThread() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

void CheckpointThread::appended(std::uint64_t bytes) {
    if (bytes == 0) return;
    bool tell = false;
    {
        const std::lock_guard lock(mutex_);
        const bool first = bytes_ == 0;
        const bool enough = bytes_ >= options_.bytes;
        if (first) due_ = std::chrono::steady_clock::now() + options_.interval;
        bytes_ += bytes;
        tell = first || (!enough && bytes_ >= options_.bytes);
    }
    if (tell) changed_.notify_one();
}

void CheckpointThread::run_now(Callback done) {
    {
        const std::lock_guard lock(mutex_);
        asked_ = true;
        if (done) callbacks_.push_back(std::move(done));
    }
    changed_.notify_one();
}

std::optional<StateError> CheckpointThread::error() const {
    const std::lock_guard lock(mutex_);
    return error_;
}

void CheckpointThread::loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
        const bool enough = bytes_ >= options_.bytes;
        const bool failed = error_ && error_->kind != StateError::Kind::full;
        // While there is no room, only time or a request makes it try again.
        if (stopping_) return;
        if (asked_ || (!failed && !error_ && enough)) {
            run(lock);
        } else if (bytes_ == 0 || failed) {
            changed_.wait(lock);
        } else if (changed_.wait_until(lock, due_) == std::cv_status::timeout) {
            if (!stopping_) run(lock);
        }
    }
}

void CheckpointThread::run(std::unique_lock<std::mutex>& lock) {
    asked_ = false;
    const std::uint64_t bytes = std::exchange(bytes_, 0);
    std::vector<Callback> callbacks = std::exchange(callbacks_, {});
    // What the disk refused once is never tried again.
    const bool failed = error_ && error_->kind != StateError::Kind::full;
    std::optional<Outcome> known;
    if (failed) known.emplace(fail(StateError(*error_)));
    lock.unlock();
    const Outcome outcome = known ? std::move(*known) : checkpoint_->run_all();
    if (outcome) position_.store(outcome->position, std::memory_order_release);
    for (const Callback& callback : callbacks) callback(outcome);
    lock.lock();
    if (outcome) {
        error_.reset();
        failed_.store(false, std::memory_order_release);
    } else {
        error_ = outcome.error();
        failed_.store(true, std::memory_order_release);
        bytes_ += bytes;
        due_ = std::chrono::steady_clock::now() + options_.interval;
        if (bytes_ == 0) bytes_ = 1;  // asked for, and still to be done
    }
    lock.unlock();
    if (wake_) wake_();
    lock.lock();
}

}  // namespace scanmq::broker
