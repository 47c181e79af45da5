#pragma once
// Scanner: what a worker runs its jobs with.
//
// Role:      one object per worker: embedded engine, no-op, processes (async_scanner.hpp).
// Threads:   run() is called by several threads at once; everything else by the loop.
// Errors:    values, in Outcome. run() never throws: what a library throws ends in the scanner.
// Lifetimes: a task's views and inputs live until run() returns. Outcome::body may borrow from the
//            task's payload, from Outcome::storage or from the scanner.
// Progress:  a scan that may take long adds to its task's Progress as it goes; the worker reads it
//            about once a second and tells the broker.

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/bytes.hpp"
#include "common/base/time.hpp"
#include "common/protocol/kinds.hpp"
#include "worker/scanners/input.hpp"

namespace scanmq::worker {

// How far a scan is, in units of the scanner's own. Written by the scan, read by the loop at any
// time: the three may be of slightly different moments.
struct Progress {
    std::atomic<std::uint64_t> done{0};
    std::atomic<std::uint64_t> total{0};  // 0: not known
    std::atomic<const char*> note{""};    // a string literal, at most 64 bytes

    void reset() noexcept {
        done.store(0, std::memory_order_relaxed);
        total.store(0, std::memory_order_relaxed);
        note.store("", std::memory_order_relaxed);
    }
};

struct Task {
    std::string_view queue;
    std::string_view subject;
    ByteView payload;
    std::span<const std::shared_ptr<Input>> inputs;  // filled, in the job's order
    std::optional<std::int64_t> as_of_ns{};          // pricing clock, ns since 1970 UTC
    std::uint64_t job{};  // which job it is, across its attempts: a hash of its id
    // When the worker gives the run up, or nobody wants the result any more; set for asynchronous
    // scanners only.
    std::optional<Time> deadline{};
    const std::atomic<bool>* cancel{};  // once true, the result is wanted no more
    Progress* progress{};               // may be null

    [[nodiscard]] bool cancelled() const noexcept {
        return cancel != nullptr && cancel->load(std::memory_order_relaxed);
    }
};

enum class ScanStatus : std::uint8_t {
    done,
    failed,    // may go well on another attempt
    rejected,  // never will: the payload or an input cannot be used
    returned,  // it was not scanned: runs again, here or elsewhere, and charges nothing
};

struct Outcome {
    ScanStatus status{ScanStatus::done};
    ByteView body;  // of done
    std::string storage;
    std::string sentence;  // of all but done: what is wrong and what to do
    // Of all but done; none: scan_failed of failed, bad_payload of rejected.
    protocol::ErrorCode code{};

    void failed(std::string why) { end(ScanStatus::failed, {}, std::move(why)); }
    void rejected(std::string why) { end(ScanStatus::rejected, {}, std::move(why)); }
    void end(ScanStatus how, protocol::ErrorCode what, std::string why) {
        status = how;
        code = what;
        sentence = std::move(why);
    }
};

class AsyncScanner;

class Scanner {
  public:
    virtual ~Scanner() = default;

    // Part of the identity of every pure result.
    [[nodiscard]] virtual std::string version() const = 0;
    // Whether tasks need their inputs.
    [[nodiscard]] virtual bool reads_inputs() const = 0;
    // True: every run takes microseconds at most. It is then made on the worker's loop: handing it to a
    // thread and back would cost more than it does.
    [[nodiscard]] virtual bool on_loop() const = 0;
    // Fills in `out`, which is as new. Ends within milliseconds, failed, once the task is
    // cancelled: a scan that does not keeps its thread, and at last its worker, from working.
    virtual void run(const Task& task, Outcome& out) const noexcept = 0;
    // Not null: it is one of those that wait; then neither of the two above is of any use.
    [[nodiscard]] virtual AsyncScanner* asynchronous() noexcept { return nullptr; }
};

}  // namespace scanmq::worker
