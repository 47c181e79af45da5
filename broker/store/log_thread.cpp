#include "broker/store/log_thread.hpp"

#include <chrono>

namespace scanmq::broker {
namespace {

constexpr std::chrono::seconds kRetryLow{1};

}  // namespace

LogThread::LogThread(FileLog& log, const Clock& clock, SyncGap& gap)
    : log_(log), clock_(clock), gap_(gap) {
    log_.set_provide_elsewhere([this] { poke(); });
    provider_ = std::thread([this] { run_provider(); });
    writer_ = std::thread([this] { run_writer(); });
}

LogThread::~LogThread() { stop(); }

void LogThread::stop() {
    if (!writer_.joinable()) return;
    log_.interrupt();
    writer_.join();
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    poked_.notify_all();
    provider_.join();
    log_.set_provide_elsewhere(nullptr);
}

void LogThread::run_writer() {
    while (log_.wait_for_work(log_.next_deadline())) {
        gap_.begins();
        log_.step(clock_.now());
        gap_.ended(clock_.now());
        if (log_.error()) return;
    }
    log_.finish(clock_.now());
}

void LogThread::run_provider() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        if (!wanted_) {
            const auto called = [this] { return wanted_ || stopping_; };
            if (log_.room().low) {
                poked_.wait_for(lock, kRetryLow, called);
            } else {
                poked_.wait(lock, called);
            }
            if (stopping_) return;
        }
        wanted_ = false;
        lock.unlock();
        log_.provide();
        lock.lock();
    }
}

void LogThread::poke() {
    {
        const std::lock_guard lock(mutex_);
        wanted_ = true;
    }
    poked_.notify_one();
}

}  // namespace scanmq::broker
