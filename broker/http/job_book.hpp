#pragma once
// JobBook: the jobs that HTTP clients asked for: who waits for which, what became of it, what is kept.
//
// Role:      owned by the gateway, which tells it what the broker said and obeys the effects. Nothing
//            is lost with it: the broker has the jobs, its streams their results.
// Threads:   the gateway's. No IO and no clock: time is passed in.
// Stages:    submitting (not answered yet), accepted (the broker's), ended (kept for a while).
// Invariant: a request waits for one job; it is told exactly once (a Wake), or leaves.
// Limits:    BookLimits. Room is made by forgetting, oldest first, what ended, then what nobody waits
//            for; what somebody waits for, or is being submitted, stays.
// See:       docs/HTTP_API.md

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "broker/http/batch_result.hpp"
#include "common/base/id.hpp"
#include "common/base/time.hpp"

namespace scanmq::api {
struct ScanCall;
}

namespace scanmq::gateway {

struct BookLimits {
    std::uint32_t jobs_max = 20'000;           // known at one time, a batch's jobs each
    std::uint32_t waits_max = 1'024;           // requests that wait
    std::uint64_t kept_bytes_max = 64U << 20;  // results of what ended, and of batches
    // After a job ended, or was last asked about; then only the broker knows of it.
    Duration keep_for = std::chrono::minutes(10);
    // How long a submission may wait for room in its queue.
    Duration submit_wait = std::chrono::seconds(1);
};

struct BookCounts {
    std::uint64_t added{};
    std::uint64_t ended{};
    std::uint64_t refused{};      // of the ended: the broker did not take them
    std::uint64_t waits_ended{};  // told that their job ended
    std::uint64_t waits_timed_out{};
    std::uint64_t waits_refused{};  // waits_max
    std::uint64_t no_room{};        // submissions given up after submit_wait
    std::uint64_t clients_gone{};   // requests that left before they were told
    std::uint64_t cancels{};        // jobs cancelled because nobody waited for them any more
    std::uint64_t jobs_refused{};   // jobs_max
    std::uint64_t forgotten{};      // to make room
    std::uint64_t expired{};        // after keep_for
};

using Waiter = std::uint64_t;  // the gateway's number of a request

enum class Kind : std::uint8_t { scan, job, batch, member };
enum class Stage : std::uint8_t { submitting, accepted, ended };

struct NewJob {
    Id128 id;
    Kind kind{};
    std::string queue;
    std::string subject;
    std::string pattern;  // of the subscription that will see its entry; empty: none will
    std::string symbol;
    Id128 batch;                     // of a member
    bool cancel_when_alone = false;  // when the last request that waits for it leaves
    // Of a job whose client named it: what it asked for, so that another request under that name is
    // told apart from a repeated one.
    std::optional<ContentId> content;
    std::shared_ptr<const api::ScanCall>
        call;  // of a scan: how its client wants the result; shared
               // with the requests that wait
};

// What the book knows of a job. Views of it last until the book is changed.
struct Track {
    Id128 id;
    Kind kind{};
    std::string queue;
    std::string subject;
    std::string pattern;
    std::string symbol;
    Id128 batch;
    bool cancel_when_alone = false;
    std::optional<ContentId> content;
    std::shared_ptr<const api::ScanCall> call;
    bool abandoned = false;  // to be cancelled as soon as the broker has taken it
    Stage stage{};
    protocol::Verdict verdict{};
    Time begun{};
    Time submit_by{};                              // in stage submitting: when it is given up
    Ended ended;                                   // in stage ended
    std::unique_ptr<BatchResult> result;           // of a batch
    std::vector<Id128> members;                    // of a batch: those that are under way
    std::uint32_t answered = 0;                    // of a batch: submissions that were answered ...
    std::uint32_t taken = 0;                       // ... and of these, accepted
    std::vector<std::pair<Waiter, Time>> waiters;  // and until when

  private:
    friend class JobBook;
    enum class Shelf : std::uint8_t { none, kept, loose };
    Shelf shelf_ = Shelf::none;
    std::list<Id128>::iterator place_;
    Time shelved_{};
    std::uint64_t bytes_ = 0;
};

enum class WakeReason : std::uint8_t {
    ended,
    timed_out,
    no_room,  // its submission was given up
};
struct Wake {
    Waiter waiter{};
    Id128 id;
    WakeReason reason{};
};

struct Seal {
    std::string queue;
    Id128 batch;
    std::uint32_t taken{};
};

struct BookEffects {
    std::vector<Wake> wakes;
    std::vector<std::pair<std::string, Id128>> cancels;              // queue, job
    std::vector<std::pair<std::string, std::string>> watches_begun;  // queue, pattern: once a job
    std::vector<std::pair<std::string, std::string>> watches_ended;  // the same, once a job
    std::vector<Seal> seals;  // batches whose jobs were all answered

    void clear() {
        wakes.clear();
        cancels.clear();
        watches_begun.clear();
        watches_ended.clear();
        seals.clear();
    }
};

class JobBook {
  public:
    explicit JobBook(const BookLimits& limits) : limits_(limits) {}

    // Makes room for `jobs` more. False, counted: jobs_max are waited for or being submitted.
    [[nodiscard]] bool reserve(std::uint32_t jobs, BookEffects& out);
    // Precondition: find(job.id) is null; a member's batch is there.
    void add(NewJob job, Time now, BookEffects& out);
    // A batch: its members follow by add(). It ends with the last of them.
    void add_batch(NewJob batch, std::uint32_t symbols, std::uint32_t limit, Time now);
    // Nullptr: not known here.
    [[nodiscard]] const Track* find(const Id128& id) const;

    // The broker's answer to a submission.
    void accepted(const Id128& id, protocol::Verdict verdict, Time now, BookEffects& out);
    // The final entry, or a refusal. Unknown and ended jobs are left alone.
    void end(const Id128& id, Ended ended, Time now, BookEffects& out);

    // A job of a batch that could not even be submitted: counted as ended.
    void refuse_member(const Id128& batch, std::string_view symbol, std::string_view code,
                       std::string_view sentence, Time now, BookEffects& out);

    // A request waits until the job ended, at most until `deadline`, but not before the broker has
    // answered its submission. False, counted: waits_max.
    // Precondition: the job is known and not ended.
    [[nodiscard]] bool wait(const Id128& id, Waiter waiter, Time deadline);
    // Its client went away.
    void leave(Waiter waiter, Time now, BookEffects& out);
    // Somebody asked about it: it is kept for another while; a submission given up goes on.
    void touch(const Id128& id, Time now);
    // Its client wants it cancelled: what is being submitted is cancelled when it is taken.
    void abandon(const Id128& id);

    // Wakes what waited long enough.
    void tick(Time now, BookEffects& out);
    // Forgets what was kept long enough, or is too much. Wakes nobody.
    void trim(Time now, BookEffects& out);
    [[nodiscard]] Time next_deadline() const;
    // Everybody who waits, for a stop.
    [[nodiscard]] std::vector<Wake> waiting() const;

    [[nodiscard]] const BookCounts& counts() const noexcept { return counts_; }
    [[nodiscard]] std::size_t jobs() const noexcept { return tracks_.size(); }
    [[nodiscard]] std::size_t waits() const noexcept { return waits_.size(); }
    [[nodiscard]] std::uint64_t kept_bytes() const noexcept { return kept_bytes_; }

  private:
    using Deadline = std::pair<Time, std::uint64_t>;

    Track& place(NewJob job, Time now);
    void end_member(Track& member, const Ended& ended, Time now, BookEffects& out);
    void after_member(Track& batch, Time now, BookEffects& out);
    void count_answer(const Id128& batch, bool taken, BookEffects& out);
    void close(Track& track, Time now, BookEffects& out);
    void shelve(Track& track, Time now);
    void unshelve(Track& track);
    void weigh(Track& track, std::uint64_t bytes);
    void forget(const Id128& id, BookEffects& out);
    void drop_waiter(Track& track, Waiter waiter);
    void time_out(Track& track, Waiter waiter, BookEffects& out);
    [[nodiscard]] bool forget_one(BookEffects& out);
    void expire(std::list<Id128>& shelf, Time now, BookEffects& out);

    BookLimits limits_;
    std::unordered_map<Id128, Track> tracks_;
    std::unordered_map<Waiter, Id128> waits_;
    std::set<Deadline> wait_deadlines_;                  // time, waiter
    std::set<std::pair<Time, Id128>> submit_deadlines_;  // of what is being submitted
    std::list<Id128> kept_;                              // ended, in that order
    std::list<Id128> loose_;  // accepted, nobody waits; in order of the last question
    std::uint64_t kept_bytes_ = 0;
    BookCounts counts_;
};

}  // namespace scanmq::gateway
