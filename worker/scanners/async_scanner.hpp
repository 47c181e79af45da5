#pragma once
// AsyncScanner: a scanner that waits for others: for a process, for a server. Many calls are under
//               way at once, on the worker's loop alone.
//
// Role:      the third way beside Scanner::run() on the loop and on a thread.
// Threads:   every function is called by the loop's thread, and every Host callback must be made from
//            it. Nothing may block but stop().
// Order:     attach(), then start() and cancel() in any number, then stop(); then nothing but the
//            destructor. version(), reads_inputs() and slots() come before attach(), too.
// Calls:     start() is followed by exactly one finished(), unless stop() comes first. From start()
//            until then the call's task, its inputs and its outcome stay where they are, and the
//            scanner alone writes the outcome. finished() may be called from within start() and
//            cancel(); it asks nothing of the scanner before it returns.
// Cancel:    cancel() says that nobody waits for the call any more. It must still be finished, soon
//            (failed, or as it ended), and keeps its slot until then.
// Progress:  the task's Progress, written on the loop; the note must live until finished().
// Limits:    no more than slots() calls are under way at once. A call has no time limit of the
//            worker's but Task::deadline; the scanner bounds every wait of its own.
// Available: a scanner is taken as available, with slots(), until it says otherwise; one that is not
//            says so in attach(). While it is not available a call may still be started (it was under
//            way to it): the scanner then waits for a little while, a bounded one, or answers
//            `returned` with scanner_unavailable. It never fails a call for being unavailable.
// See:       process_scanner.hpp for an example.

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <string>

#include "common/base/assert.hpp"
#include "worker/scanners/scanner.hpp"

namespace scanmq::worker {

// Names a call from start() to finished(); never used twice.
struct CallId {
    std::uint64_t value{};
    friend bool operator==(const CallId&, const CallId&) = default;
};

struct Call {
    CallId id;
    const Task* task{};
    Outcome* outcome{};  // as new
};

struct Availability {
    bool open = true;
    std::string sentence;  // why it is not; empty when it is
    // How many calls at once are of use now, at most slots(). Open with 0: none for a moment, nothing
    // is given back for that. 0 when closed.
    std::uint32_t slots{};
    bool trial = false;  // open, but it has to prove itself: no more than `slots` are held
    protocol::ErrorCode code{protocol::ErrorCode::scanner_unavailable};  // when closed

    friend bool operator==(const Availability&, const Availability&) = default;
};

class AsyncScanner : public Scanner {
  public:
    // What the worker offers. Copies may be kept; the loop outlives the scanner.
    struct Host {
        boost::asio::io_context* loop{};
        std::function<void(CallId)> finished;
        // Whenever it changes. While closed, the worker starts nothing and gives its credit back.
        std::function<void(Availability)> availability;
        // version() has changed. The worker hands back what it holds, says HELLO again, and calls
        // renewed(); until then the scanner is closed.
        std::function<void()> renew = {};
    };

    [[nodiscard]] AsyncScanner* asynchronous() noexcept final { return this; }
    [[nodiscard]] bool on_loop() const final { return false; }
    void run(const Task&, Outcome&) const noexcept final { SCANMQ_ASSERT(false); }

    // The most calls at once, fixed; the worker asks for work as one of so many threads does.
    [[nodiscard]] virtual std::uint32_t slots() const = 0;

    // Once. The loop is not running yet.
    virtual void attach(const Host& host) = 0;
    virtual void start(const Call& call) = 0;
    // Precondition: the call is under way. May come more than once.
    virtual void cancel(CallId call) = 0;
    // The worker's session is, or will be, one of this version(). May tell availability.
    virtual void renewed() {}
    // Once, after the loop has ended: no handler runs any more, no callback may be made, the calls
    // that are under way are dropped. May block for `patience` at most. False when something of it
    // could not be ended in that time.
    [[nodiscard]] virtual bool stop(Duration patience) = 0;
};

}  // namespace scanmq::worker
