#pragma once
// Client::Impl: the shell around ClientCore: sockets, clock, locks, callbacks, waiting.
//
// Role:      behind Client, Producer and Subscriber; not for programs.
// Threads:   the core is behind mutex_; the wire belongs to the driver: the background thread, or
//            whoever calls in. What other threads want sent is posted to the driver already encoded
//            by value.
// Callbacks: run by the driver, one at a time, without the mutex.

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>

#include "client/core/client_core.hpp"
#include "client/cpp/client.hpp"
#include "client/cpp/producer.hpp"
#include "client/cpp/subscriber.hpp"
#include "client/cpp/wire.hpp"

namespace scanmq::client {

class Client::Impl {
  public:
    using Lock = std::unique_lock<std::mutex>;
    using AnswerCallback = std::function<void(std::span<const JobAnswer>)>;
    // RESULTS on their way to the program.
    struct Entries {
        EntriesArrived arrived;
        std::unique_ptr<Incoming> frame;
    };

    explicit Impl(const ClientOptions& options);
    ~Impl();
    [[nodiscard]] std::optional<std::string> start();
    void close();

    std::size_t poll(Duration timeout);
    void interrupt() noexcept;

    [[nodiscard]] Lock lock() const { return Lock(mutex_); }
    // The core, with the lock held; commit() afterwards.
    [[nodiscard]] ClientCore& core() noexcept { return core_; }
    [[nodiscard]] const ClientCore& core() const noexcept { return core_; }
    [[nodiscard]] Effects& effects() noexcept { return effects_; }
    [[nodiscard]] Now now() const { return {clock_.now(), clock_.wall_millis()}; }
    // Carries out what a call of the core brought: at once, or by the driver.
    void commit();
    // Lets the driver look again: jobs wait.
    void wake();
    // The same when something is due before the driver would look by itself.
    void wake_for_deadline();
    // Sends full batches and takes in what came, without waiting. The lock is released meanwhile.
    void drive(Lock& lock);

    enum class Waited : std::uint8_t { done, timed_out, interrupted, closed };
    // Until done() says so, driving the client when nobody else does. done() has the lock.
    Waited wait(Lock& lock, Time deadline, const std::function<bool()>& done);
    [[nodiscard]] Error why(Waited waited, std::string_view what) const;
    [[nodiscard]] Time deadline(Duration timeout) const;

    // `repeated`: whether it was sent in several sessions.
    Result<protocol::Message> request(protocol::Message message, Duration timeout,
                                      bool* repeated = nullptr);
    // Takes the durable name over and makes the broker forget it.
    Result<void> forget(const StreamOptions& options, Duration timeout);
    Result<std::vector<ContentId>> put_blobs(std::span<const BlobToPut> blobs, Duration timeout);
    Result<Blob> get_blob(const ContentId& id, Duration timeout);
    [[nodiscard]] static Result<Blob> decoded(Blob blob, const ContentId& id);

    // With the lock held. Callbacks may be empty, the journal null; it must outlive detaching.
    void attach_producer(std::uint32_t id, AnswerCallback on_answers, JournalFile* journal);
    void detach_producer(Lock& lock, std::uint32_t id);
    struct Reader {
        std::function<void(const EntryBatch&)> on_batch;
        std::function<void(const SubscriptionInfo&)> on_change;
        std::deque<Entries> queue;             // of a subscriber that calls receive()
        std::optional<StreamPosition> handed;  // by receive(), not known to be done with yet
    };
    void attach_reader(std::uint64_t id, SubscriberOptions& options);
    void detach_reader(Lock& lock, std::uint64_t id);
    [[nodiscard]] Reader* reader(std::uint64_t id);
    // What receive() handed out before is done with.
    void settle(std::uint64_t id, Reader& reader);
    // Takes frames without entries off the front of the queue; they only move the position.
    void skip_progress(std::uint64_t id, Reader& reader);
    [[nodiscard]] static EntryBatch batch_of(const EntriesArrived& arrived, const Incoming& frame);

    [[nodiscard]] bool closed() const noexcept { return closed_; }
    [[nodiscard]] ClientStats stats() const;
    [[nodiscard]] bool threaded() const noexcept { return options_.background_thread; }
    [[nodiscard]] std::uint32_t inline_bytes_max() const noexcept { return inline_bytes_max_; }

  private:
    // A notice that a callback waits for.
    struct Call {
        Notice notice;
        std::unique_ptr<Incoming> frame;
    };
    [[nodiscard]] bool on_driver() const {
        return !threaded() || std::this_thread::get_id() == thread_.get_id();
    }
    void run();
    bool step(Lock& lock, Duration timeout);
    void perform();
    void keep_stamps();
    void keep_answers(const JobsAnswered& answered);
    void collect(Inbox* inbox);
    void collect(Notice& notice, Inbox* inbox);
    [[nodiscard]] static bool tells_progress_only(const Entries& entries);
    void dispatch(Lock& lock);
    void call(Lock& lock, Call& call);
    [[nodiscard]] static Error too_many();

    ClientOptions options_;
    SystemClock clock_;
    transport::Context context_;
    transport::Wakeup wakeup_;
    Wire wire_;
    Inbox inbox_;  // the driver's

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    ClientCore core_;
    Effects effects_;
    std::optional<std::string> wire_problem_;
    // What blocking calls wait for, on their stacks.
    std::unordered_map<std::uint64_t, std::optional<RequestDone>*> requests_;
    std::unordered_map<std::uint64_t, std::optional<Result<ContentId>>*> puts_;
    std::unordered_map<std::uint64_t, std::optional<Result<BlobFetched>>*> gets_;
    // Shared: a callback may outlive its entry while it runs.
    std::unordered_map<std::uint32_t, std::shared_ptr<AnswerCallback>> producers_;
    std::map<std::uint64_t, std::shared_ptr<Reader>> readers_;  // shared for the same reason
    std::unordered_map<std::uint32_t, JournalFile*> journals_;  // the producers own them
    std::deque<Call> calls_;
    bool dispatching_ = false;
    std::uint64_t calling_ = 0;  // whose callback runs: producer id * 2 + 1, subscription * 2
    bool sleeping_ = false;      // the driver waits for the sockets
    Time sleeps_until_{};
    bool dirty_ = false;  // jobs wait that the driver has not seen
    std::atomic<bool> interrupted_ = false;
    std::uint64_t frames_seen_ = 0;
    bool stop_ = false;
    bool closed_ = false;
    std::atomic<std::uint32_t> inline_bytes_max_ = protocol::kLimits.inline_bytes_max;
    WireStats wire_stats_;  // as of the last step, for other threads
    std::thread thread_;
};

}  // namespace scanmq::client
