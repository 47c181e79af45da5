#pragma once
// WorkerServer::Impl: the loop. Receives a batch, feeds the core, carries out what it decided.
//
// Role:     private to worker_server.cpp, worker_loop.cpp, worker_inputs.cpp, worker_results.cpp and
//           worker_scans.cpp.
// Order:    one wake-up decodes all frames that wait, hands them to the core at once, runs what may
//           run on the loop, and sends one DONE; only then are the frames let go.
// Scans:    run on the loop, on the pool's threads, or by an AsyncScanner, on the loop as well.
// Threads:  the loop's, but for run_task(), decode_next()'s work and the completions' mutex.

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <zmq.hpp>

#include "common/transport/dealer.hpp"
#include "common/transport/watcher.hpp"
#include "worker/scanners/async_scanner.hpp"
#include "worker/server/blob_transfers.hpp"
#include "worker/server/known_results.hpp"
#include "worker/server/task_table.hpp"
#include "worker/server/thread_pool.hpp"
#include "worker/server/worker_server.hpp"

namespace scanmq::worker {

class WorkerServer::Impl {
  public:
    Impl(Settings settings, std::unique_ptr<Scanner> scanner);

    Exit run();
    void post_drain(int times);
    [[nodiscard]] const WorkerCounters& counters() const noexcept { return core_.counters(); }
    [[nodiscard]] ResultCacheCounters result_cache() const noexcept {
        return known_ ? known_->counters() : ResultCacheCounters{};
    }

  private:
    // A blob that is being got, and who waits for it.
    struct Wanted {
        std::shared_ptr<Input> input;  // null: only as a payload
        std::vector<AttemptId> readers;
        std::vector<AttemptId> payloads;
    };

    transport::Drained drain_frames();
    bool receive_batch();
    transport::Drained poll_connection();
    void take_signals();
    void on_timer();
    void arm_timer();
    void on_completions();
    void on_got(GotBlob&& blob);
    void decode_next();
    void on_decoded(GotBlob&& blob);
    void on_stored(StoredBlob&& blob);

    // Hands events to the core and carries out the effects, until nothing follows from them.
    void step(std::span<const Event> events);
    void tick();
    void settle();
    void carry_out();
    void follow_session();
    void send(Send& send);
    void fetch(AttemptId id);
    void want(const ContentId& id, TaskSlot& slot, bool as_input);
    void note_deadlines(std::span<const Taken> all);
    void look_up_or_start(std::span<const AttemptId> starts);
    void on_known(std::span<const KnownResults::Found> found);
    void keep_result(TaskSlot& slot);
    void start(std::span<const AttemptId> starts);
    void run_on_loop(std::span<const AttemptId> starts);
    void start_on_pool(AttemptId id);
    void start_asynchronous(AttemptId id);
    void complete_tasks(std::span<const Taken> all);
    void attach_scanner();
    void complete_later(AttemptId id);
    void on_call_finished(CallId call);
    void on_availability(Availability availability);
    void push_availability();
    void on_renew();
    void renew_if_empty();
    void cancel(AttemptId id);
    void recall(AttemptId id);
    void run_task(TaskSlot& slot) const;
    void push_finished(TaskSlot& slot);
    void push_progress(const TaskSlot& slot);
    void put(AttemptId id);
    void connect_next();
    void log(const Note& note) const;
    void log_counters() const;

    Settings settings_;
    boost::asio::io_context loop_{1};  // before the scanner, which may have handlers on it
    std::unique_ptr<Scanner> scanner_;
    AsyncScanner* async_;                       // scanner_, when it is one
    std::optional<Availability> availability_;  // said, and not yet told to the core
    Availability told_;                         // the one told last
    bool renew_ = false;                        // say HELLO again when nothing is held
    WorkerCore core_;
    Effects effects_;
    TaskTable tasks_;
    InputCache cache_;
    std::optional<KnownResults> known_;  // none: off
    bool looking_up_ = false;            // in look_up_or_start(): a step goes on after it
    std::unordered_map<ContentId, Wanted> wanted_;
    std::deque<GotBlob> encoded_;  // the first is being decoded

    boost::asio::steady_timer timer_{loop_};
    std::optional<Time> armed_;
    std::optional<boost::asio::signal_set> signals_;

    transport::Context context_;
    transport::Dealer main_;
    transport::SocketWatcher frames_;
    transport::SocketWatcher monitor_;
    BlobTransfers blobs_;
    std::size_t broker_ = 0;        // index of the one connected to
    std::uint64_t generation_ = 0;  // of the connection the core knows of
    protocol::SessionId session_;   // that blobs_ is open for
    bool broken_ = false;           // a frame could not be sent

    protocol::Decoder decoder_;
    std::vector<zmq::message_t> messages_;
    std::vector<Result<protocol::Frame, protocol::DecodeError>> decoded_;
    std::vector<Event> batch_;      // of frames
    std::vector<Event> follow_up_;  // caused by carrying out effects
    std::vector<Event> handling_;   // the follow-up that the core has now
    std::vector<AttemptId> taken_;  // in this step
    std::string out_;
    bool sent_ = false;
    bool stepping_ = false;
    bool draining_ = false;  // the socket, in drain_frames()
    std::optional<Exit> exit_;

    std::mutex completions_mutex_;  // guards completions_
    std::vector<AttemptId> completions_;
    std::vector<AttemptId> completed_;  // being handled
    ThreadPool pool_;                   // the last member: its threads end before what they use
};

}  // namespace scanmq::worker
