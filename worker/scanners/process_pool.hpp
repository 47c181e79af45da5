#pragma once
// ProcessPool: decides which process scans which call, when one is ended, and when it is started again.
//
// Role:      the state machine of ProcessScanner, which feeds and obeys it.
// Threads:   one. No IO, no clock: time is passed in.
// Invariant: each call that was started is ended exactly once; a process has one call at most; a
//            process that was asked to stop is ended at last, and only one that has ended is started
//            again.
// Limits:    as many calls as processes wait at most, none for longer than wait_max; what a process
//            is taken to keep of snapshots is bounded by cache_bytes.
// See:       docs/PROCESS_SCANNER.md

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.hpp"
#include "common/protocol/kinds.hpp"
#include "worker/scanners/scanner.hpp"
#include "worker/scanners/snapshot_book.hpp"

namespace scanmq::worker {

struct ProcessPoolOptions {
    std::uint32_t processes = 1;
    Duration start_timeout = std::chrono::seconds(30);  // until READY
    Duration call_timeout = std::chrono::minutes(5);
    Duration cancel_grace = std::chrono::seconds(1);  // from CANCEL to SIGTERM
    Duration kill_grace = std::chrono::seconds(2);    // from SIGTERM to SIGKILL
    Duration ping_interval = std::chrono::seconds(10);
    Duration ping_timeout = std::chrono::seconds(10);
    Duration restart_first = std::chrono::milliseconds(100);
    Duration restart_max = std::chrono::seconds(30);
    Duration stable_after = std::chrono::seconds(10);  // of life: what came before is forgotten
    Duration wait_max = std::chrono::seconds(1);       // of a call for a process
    std::uint64_t cache_bytes = 256U << 20;            // of snapshots, in each process
};

// One call's life is between start() and its end in PoolEffects::ends.
struct PoolCall {
    std::uint64_t id{};
    std::optional<Time> deadline{};
    std::vector<SnapshotUse> inputs;
};

struct PoolEffects {
    struct Scan {
        std::uint32_t process{};
        std::uint64_t call{};
        Time deadline{};         // of its result
        SnapshotPlan snapshots;  // to forget and to send, before the scan
    };
    struct Signal {
        std::uint32_t process{};
        bool kill{};  // SIGKILL, else SIGTERM
    };
    struct Ping {
        std::uint32_t process{};
        std::uint64_t number{};
    };
    struct Cancel {
        std::uint32_t process{};
        std::uint64_t call{};
    };
    struct End {
        std::uint64_t call{};
        // nullopt: as its RESULT said. Else how, what and why.
        std::optional<ScanStatus> status;
        protocol::ErrorCode code{};
        std::string sentence;
    };
    struct Available {
        bool open{};
        std::uint32_t slots{};
        std::string sentence;
    };
    // Carried out in this order.
    std::vector<std::uint32_t> spawns;
    std::vector<Scan> scans;
    std::vector<Cancel> cancels;
    std::vector<Ping> pings;
    std::vector<Signal> signals;
    std::vector<End> ends;
    std::optional<Available> available;  // it changed
};

struct PoolCounters {
    std::uint64_t started{};  // processes that got ready
    std::uint64_t start_failures{};
    std::uint64_t deaths{};    // of those that had got ready
    std::uint64_t killed{};    // SIGKILL
    std::uint64_t garbage{};   // answers that could not be read
    std::uint64_t timeouts{};  // calls
    std::uint64_t returned{};  // calls that found no process
};

class ProcessPool {
  public:
    explicit ProcessPool(const ProcessPoolOptions& options);

    // Once: starts them all. The pool is not available before one is ready.
    void begin(Time now, PoolEffects& effects);

    // Of calls. Precondition of start(): fewer calls than processes are under way.
    void start(PoolCall call, Time now, PoolEffects& effects);
    // Nothing when it has ended.
    void cancel(std::uint64_t call, Time now, PoolEffects& effects);

    // Of processes. A spawn that failed is told as on_exited(), with what went wrong.
    void on_ready(std::uint32_t process, Time now, PoolEffects& effects);
    // Precondition: call_of(process) is that call.
    void on_result(std::uint32_t process, ScanStatus status, Time now, PoolEffects& effects);
    void on_pong(std::uint32_t process, std::uint64_t number, Time now, PoolEffects& effects);
    // It sent what cannot be read, or what it should not.
    void on_garbage(std::uint32_t process, const std::string& sentence, Time now,
                    PoolEffects& effects);
    // It closed its standard output or input; it may be about to exit.
    void on_closed(std::uint32_t process, Time now);
    // It is gone. `how`: "exited with status 1: its last words: …".
    void on_exited(std::uint32_t process, const std::string& how, Time now, PoolEffects& effects);

    void tick(Time now, PoolEffects& effects);
    // When tick() has something to do.
    [[nodiscard]] std::optional<Time> next_deadline() const;

    // The call that a process works on; nullopt: none.
    [[nodiscard]] std::optional<std::uint64_t> call_of(std::uint32_t process) const;
    [[nodiscard]] bool expects_ready(std::uint32_t process) const;
    [[nodiscard]] const PoolCounters& counters() const noexcept { return counters_; }

  private:
    enum class State : std::uint8_t {
        down,      // until `due`
        starting,  // READY is due
        idle,      // a PING is due, or its PONG
        busy,      // its RESULT is due
        stopping,  // busy, and CANCEL was sent: RESULT is due
        ending,    // SIGTERM was sent: its end is due
        killed,    // SIGKILL was sent
    };
    struct Process {
        State state = State::down;
        std::optional<Time> due;
        Time ready_at{};
        bool ready = false;        // since READY, until its end
        bool proved = false;       // it is ready, or was before its last end
        std::uint32_t deaths = 0;  // in a row
        Duration delay{};          // of the next start
        std::uint64_t ping = 0;    // not answered; 0: none
        std::optional<PoolCall> call;
        bool cancelled = false;  // the call: nobody waits for it
        bool timed_out = false;
        protocol::ErrorCode code{};  // why it was ended by us, if it was
        std::string why;
        SnapshotBook book;
    };
    struct Waiting {
        PoolCall call;
        Time until{};
    };

    void assign(Time now, PoolEffects& effects);
    void give(std::uint32_t index, PoolCall call, Time now, PoolEffects& effects);
    [[nodiscard]] std::optional<std::uint32_t> best_idle(const PoolCall& call) const;
    void become_idle(Process& process, Time now);
    void ask_to_stop(std::uint32_t index, Time now, PoolEffects& effects);
    void terminate(std::uint32_t index, Time now, PoolEffects& effects);
    void kill(std::uint32_t index, PoolEffects& effects);
    void overdue(std::uint32_t index, Time now, PoolEffects& effects);
    void end_call_of_dead(std::uint32_t index, const std::string& how, PoolEffects& effects);
    void return_waiting(std::optional<Time> until, PoolEffects& effects);
    void tell_availability(PoolEffects& effects);
    [[nodiscard]] std::uint32_t useful() const;
    [[nodiscard]] std::string name(std::uint32_t index) const;

    ProcessPoolOptions options_;
    std::vector<Process> processes_;
    std::deque<Waiting> waiting_;
    std::uint64_t pings_ = 0;
    std::uint32_t told_ = 0;  // slots, by the last Available
    bool told_once_ = false;
    std::string last_death_ = "its processes are being started";
    PoolCounters counters_;
};

}  // namespace scanmq::worker
