#pragma once
// WorkerCore: a worker's decisions: its session with the broker, its credit, the life of each
//             attempt.
//
// Role:      the state machine of one worker; the shell (worker/server) feeds and obeys it.
// Threads:   worker loop only. No IO, no clock, no randomness but the seed.
// Owns:      which attempts it holds and in what state. Payloads and results stay with the shell.
// Invariant: each attempt taken is answered once, or dropped because the broker did not adopt it,
//            or given up as wedged; nothing is answered but to the session that delivered or
//            adopted it; no thread runs more than one attempt.
// Leases:    attempts outlive their session: they are kept, listed in the next HELLO, and go on if
//            WELCOME adopts them. Nothing new is started without a session: what a broker charges
//            for must have been told it.
// Gate:      with a remote target it is the gate, not the threads, that says how much runs at once. Shut,
//            it gives back what has not started, and its credit; what runs goes on.
// Limits:    the credit window bounds what it holds; batches are cut at the limits WELCOME
//            announced.
// See:       docs/PROTOCOL.md, docs/adr/0001-core-and-shell.md

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/rng.hpp"
#include "worker/core/attempt_table.hpp"
#include "worker/core/credit_window.hpp"
#include "worker/core/events.hpp"

namespace scanmq::worker {

struct WorkerOptions {
    std::string name = "worker";
    Id128 instance;  // of this process
    std::string agent = "scanmq-worker";
    std::string scanner_version;
    std::vector<std::string> queues;  // empty: every queue
    std::uint32_t threads = 1;
    std::uint32_t window_max = 1024;  // most attempts asked for ahead of their answers
    std::uint64_t window_bytes = 16U << 20;
    // Scans run on the loop: whatever is ready is started at once, one after another.
    bool run_on_loop = false;
    // Short scans are handed to the threads one ahead each. Not where no thread would idle.
    bool start_ahead = true;
    bool fetch_inputs = true;    // the scanner reads its jobs' inputs
    Duration connect_timeout{};  // leave when no session came about in this time; 0: keep trying
    Duration drain_timeout = std::chrono::seconds(30);
    Duration hello_timeout = std::chrono::seconds(5);
    // Scans that run longer than this are reported, at most once in it; 0: none is.
    Duration progress_interval = std::chrono::seconds(1);
    std::uint64_t seed{};  // of the back-off's jitter
};

// Until WELCOME says otherwise.
inline constexpr Duration kMaxRunDefault = std::chrono::minutes(15);

// What waits behind a scan that runs this long is looked at: does it still fit the window?
inline constexpr Duration kSurplusAfter = std::chrono::milliseconds(250);

// Exit codes of a worker that leaves by itself; 0: drained.
inline constexpr int kExitAborted = 1;
inline constexpr int kExitRefused = 3;  // 2 is for wrong options
inline constexpr int kExitNoBroker = 4;
inline constexpr int kExitWedged = 5;

struct WorkerCounters {
    std::uint64_t sessions{};    // opened
    std::uint64_t reconnects{};  // asked for
    std::uint64_t delivered{};
    std::uint64_t done{};
    std::uint64_t cached{};  // not run: the result was known
    std::uint64_t failed{};
    std::uint64_t rejected{};
    std::uint64_t returned{};
    std::uint64_t adopted{};           // went on under a new session
    std::uint64_t dropped{};           // kept, but not adopted
    std::uint64_t revoked{};           // taken back by the broker while held
    std::uint64_t wedged{};            // outlived max_run
    std::uint64_t orphaned_results{};  // of a scan that nobody waited for any more: dropped
    std::uint64_t stale_answers{};     // the broker refused an outcome
    std::uint64_t over_credit{};       // deliveries refused
    std::uint64_t foreign_frames{};    // of another session: dropped
    std::uint64_t bad_frames{};
    std::uint64_t done_frames{};
    std::uint64_t credit_frames{};
    std::uint64_t progress_reports{};
    std::uint64_t errors{};            // ERROR frames received
    std::uint64_t gate_shut{};         // times: the target went away, or asked to wait for long
    std::uint64_t gate_returned{};     // of returned: held or delivered while it was shut
    std::uint64_t surplus_returned{};  // of returned: would have waited behind long scans
    std::uint64_t reclaims{};          // credit asked back
};

class WorkerCore {
  public:
    enum class Phase : std::uint8_t { offline, greeting, open, stopped };

    WorkerCore(const WorkerOptions& options, Time now);

    // Applies the events in order, then starts what can start and answers what ended, in as few
    // frames as the limits allow. Appends to effects.
    void handle(std::span<const Event> events, Time now, Effects& effects);
    // Does what is due. Call at next_deadline() or later, after whatever had arrived was handled:
    // silence is judged by what was handled.
    void tick(Time now, Effects& effects);
    // When tick() has something to do; nullopt once it has stopped.
    [[nodiscard]] std::optional<Time> next_deadline() const;

    // Of the next HELLO. Precondition: nothing is held: what was delivered is of the old version.
    void set_scanner_version(std::string version) { options_.scanner_version = std::move(version); }

    // The figures of the results that the worker keeps, counters since its start: the next HEARTBEAT tells
    // them, counters since the session began, and what no session before was told.
    void note_cache(const protocol::CacheFigures& figures) noexcept { cache_ = figures; }

    [[nodiscard]] Phase phase() const noexcept { return phase_; }
    [[nodiscard]] bool draining() const noexcept { return draining_; }
    [[nodiscard]] const WorkerCounters& counters() const noexcept { return counters_; }
    [[nodiscard]] const CreditWindow& credit() const noexcept { return credit_; }
    [[nodiscard]] std::size_t held() const noexcept { return attempts_.held(); }
    // Nothing is started, and nothing is to be delivered: the remote target is away.
    [[nodiscard]] bool shut() const noexcept { return gate_ && gate_->mode == GateMode::shut; }
    // Threads in scans that outlived max_run.
    [[nodiscard]] std::uint32_t wedged() const noexcept { return wedged_; }
    // What WELCOME said; valid while open. The shell needs them for the blob socket.
    [[nodiscard]] protocol::SessionId session() const noexcept { return session_; }
    [[nodiscard]] const std::string& blob_endpoint() const noexcept { return blob_endpoint_; }
    [[nodiscard]] const protocol::Limits& limits() const noexcept { return limits_; }
    // How long a scan may run before it is given up.
    [[nodiscard]] Duration max_run() const noexcept { return max_run_; }

  private:
    // Beside outcomes_: whose they are.
    struct Answered {
        AttemptId attempt;  // kNobody: it was never taken, or is gone
        std::uint64_t epoch{};
    };
    static constexpr AttemptId kNobody{~std::uint32_t{0}, 0};

    void settle(Time now, Effects& effects);

    // session.cpp: greeting, heartbeats, losing and leaving.
    void on_connected(Time now, Effects& effects);
    void on_disconnected(Time now, Effects& effects);
    void on_frame(const protocol::Frame& frame, Time now, Effects& effects);
    void on_welcome(const protocol::Welcome& welcome, Time now, Effects& effects);
    void on_heartbeat(const protocol::Heartbeat& heartbeat, Time now, Effects& effects);
    void on_bye(const protocol::Bye& bye, Time now, Effects& effects);
    void on_error(const protocol::Error& error, Time now, Effects& effects);
    void on_bad_frame(const protocol::DecodeError& error, Time now, Effects& effects);
    void on_drain(Time now, Effects& effects);
    void hello(Time now, Effects& effects);
    void reconnect(Time now, Effects& effects);
    void back_off(Time now);
    void drain(Time now, Effects& effects);
    void leave_when_drained(Time now, Effects& effects);
    void tick_session(Time now, Effects& effects);
    [[nodiscard]] Time session_deadline() const;
    void send_heartbeat(std::uint64_t ping, std::uint64_t pong, Effects& effects);
    [[nodiscard]] protocol::CacheFigures cache_since_session();
    void refuse(const protocol::Header& header, protocol::Kind kind, protocol::ErrorCode code,
                std::string sentence, Effects& effects);
    void send(protocol::Message message, Effects& effects);
    void abandon(std::string sentence, Effects& effects);
    void stop(int code, std::string sentence, Effects& effects);

    // leases.cpp: attempts beyond their session or their time.
    void end_session(Effects& effects);
    [[nodiscard]] std::vector<protocol::WorkerInfo::Held> held_attempts();
    void adopt(std::vector<protocol::Token> adopted, Effects& effects);
    void on_revoke(const protocol::Revoke& revoke, Effects& effects);
    void on_progress(const ProgressEvent& event);
    void send_reports(Effects& effects);
    void orphan(AttemptId id, HeldAttempt& attempt, Effects& effects);
    void release(AttemptId id, Effects& effects);
    void tick_running(Time now, Effects& effects);
    void give_up_wedged(Time now, Effects& effects);
    [[nodiscard]] Time running_deadline() const;

    // attempts.cpp: what becomes of attempts.
    void on_deliver(const protocol::Header& header, const protocol::Deliver& deliver,
                    Effects& effects);
    void on_inputs(const InputsEvent& event, Effects& effects);
    void on_finished(const FinishedEvent& event, Effects& effects);
    void on_stored(const StoredEvent& event, Effects& effects);
    void answer(AttemptId id, const protocol::Outcome& outcome, AttemptState unsent,
                Effects& effects);
    void hand_back(AttemptId id, Effects& effects,
                   protocol::ErrorCode code = protocol::ErrorCode::none,
                   std::string_view sentence = {});
    void uncount(HeldAttempt& attempt);
    void return_unstarted(Effects& effects);
    void start_ready(Time now, Effects& effects);
    void flush(Time now, Effects& effects);
    void sort_outcomes();
    void count(protocol::AttemptOutcome outcome);
    void send_done(std::size_t begin, std::size_t end, protocol::Credit limit, Effects& effects);
    [[nodiscard]] Duration running_for(Time now) const noexcept;
    [[nodiscard]] std::size_t start_limit() const noexcept;

    // gate.cpp: giving back what would wait too long here.
    void on_gate(const GateEvent& event, Effects& effects);
    void on_reclaimed(const protocol::Reclaimed& reclaimed, Time now, Effects& effects);
    void on_reclaim_refused();
    void return_shut(Effects& effects);
    void return_surplus(Time now, Effects& effects);
    void reclaim(Effects& effects);
    [[nodiscard]] Time surplus_deadline(Time oldest) const noexcept;

    WorkerOptions options_;
    Rng rng_;
    WorkerCounters counters_;

    Phase phase_ = Phase::offline;
    Time created_;
    protocol::SessionId session_;
    std::uint64_t epoch_{};
    std::uint64_t seq_{};
    std::string resume_;
    std::string blob_endpoint_;
    protocol::Limits limits_;
    Duration heartbeat_ = std::chrono::milliseconds(2500);
    Duration dead_after_ = std::chrono::milliseconds(7500);
    Duration max_run_ = kMaxRunDefault;
    Time heard_{};
    Time greeted_{};  // when HELLO was sent
    Time next_heartbeat_{};
    Time retry_at_{};  // offline: when to connect anew
    Duration back_off_{};
    std::uint64_t pings_{};
    std::uint64_t ping_{};  // the last one sent; 0: answered
    Time pinged_{};
    std::optional<protocol::CacheFigures> cache_;  // none: it keeps no results
    protocol::CacheFigures cache_told_;            // as of the last HEARTBEAT
    protocol::CacheFigures cache_before_;          // told to sessions before this one

    bool draining_ = false;
    Time drain_deadline_{};
    std::optional<Time> drained_until_;  // without a session: how long one is waited for
    Exit drained_{0, "drained"};         // how it leaves then

    CreditWindow credit_;
    AttemptTable attempts_;
    std::deque<AttemptId> ready_;
    std::vector<protocol::Outcome> outcomes_;          // of this batch
    std::vector<Answered> answered_;                   // parallel to outcomes_
    std::vector<protocol::Progress::Report> reports_;  // of this batch
    Time progress_due_{};
    protocol::Credit adopted_;       // what is held of former sessions, in credit
    std::optional<GateEvent> gate_;  // of a remote target; its reason is gate_reasons_.back()
    std::deque<std::string> gate_reasons_;  // of this batch: outcomes borrow them
    bool reclaim_due_ = false;
    bool reclaims_ = true;  // this session's broker knows how to
    Time surplus_checked_{};
    std::uint32_t orphans_ = 0;  // threads busy for nobody
    std::uint32_t wedged_ = 0;   // of them, those that outlived max_run
    bool credit_due_ = false;    // the window may have changed without an outcome
};

}  // namespace scanmq::worker
