#pragma once
// LogThread: the threads of a FileLog.
//
// Role:     owned by the broker's shell beside the log. One thread calls step() whenever something was
//           appended or a sync is due, another provide() whenever a segment was taken or released and,
//           while room is low, once a second.
// Stopping: stop() writes and syncs everything that was appended before it, then joins. Call it after
//           the last append, and when no other thread is in release().
// Cost:     an append wakes the thread only when it waits: a busy log is never signalled.

#include <condition_variable>
#include <mutex>
#include <thread>

#include "broker/store/file_log.hpp"
#include "broker/store/sync_gap.hpp"

namespace scanmq::broker {

class LogThread {
  public:
    // Starts. All three must outlive this; nobody else may call step(), provide() or finish(). `gap`
    // learns when the log is busy.
    LogThread(FileLog& log, const Clock& clock, SyncGap& gap);
    ~LogThread();
    LogThread(const LogThread&) = delete;
    LogThread& operator=(const LogThread&) = delete;

    void stop();

  private:
    void run_writer();
    void run_provider();
    void poke();

    FileLog& log_;
    const Clock& clock_;
    SyncGap& gap_;
    std::mutex mutex_;
    std::condition_variable poked_;
    bool wanted_ = true;     // guarded by mutex_: provide() has something to look after
    bool stopping_ = false;  // guarded by mutex_
    std::thread provider_;
    std::thread writer_;
};

}  // namespace scanmq::broker
