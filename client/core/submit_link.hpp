#pragma once
// SubmitLink: the jobs of one queue on their way to the broker, and the credit they travel under.
//
// Role:      one per queue, owned by ClientCore; its producers share it.
// Threads:   the core's.
// Invariant: never sends past the limit; a job leaves by exactly one answer; what is unanswered
//            when a session ends goes in front of what waits, under the ids it had.
// Credit:    asks (WANT) for what waits and a little ahead, half a window before it runs dry, so
//            that neither a stream of jobs nor a single one waits for a grant; gives it back when
//            idle.
// See:       docs/PROTOCOL.md, sections 7 and 8

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "client/core/job_arena.hpp"
#include "client/core/producer_book.hpp"
#include "common/protocol/credit.hpp"

namespace scanmq::client {

struct BatchSettings {
    std::uint32_t items_max = 1024;
    std::uint32_t bytes_max = 256U << 10;
    std::uint32_t frames_ahead = 8;
};

class SubmitLink {
  public:
    SubmitLink(std::string queue, const BatchSettings& batches, ProducerBook& book, Outbox& outbox);

    // --- from producers
    [[nodiscard]] StoredJob store(const Job& job, const ContentId* content) {
        return arena_.store(job, content);
    }
    void wait(StoredJob job, Now now);  // ready to be sent
    void refuse(const StoredJob& job, protocol::ErrorCode code, std::string_view sentence);
    // Drops what waits of producers that are gone and will submit it from their journals.
    void drop_abandoned();
    [[nodiscard]] const protocol::JobOptions* options(const StoredJob& job) const noexcept {
        return arena_.options(job);
    }

    // --- from the session
    // Sends what credit allows. Not forced: only full batches once frames_ahead are unanswered.
    void pump(const protocol::Limits& limits, std::uint64_t acked_seq, UuidV7& ids, Now now,
              bool force);
    // Asks for credit when there is reason to. True: it holds some for nothing, begin_return().
    [[nodiscard]] bool ask(const protocol::Limits& limits, Now now);
    // False: the frame was none of this link's. put_again: jobs, still unanswered, whose blob is
    // gone.
    bool on_accepted(const protocol::Accepted& accepted, std::vector<StoredJob>& put_again);
    // False: the frame was none of this link's. What a whole frame's error does to its jobs:
    // shutting_down  they stay for the next session
    // store_full     they wait, and are sent again after a pause that doubles from 0.1 to 5 s
    // over_credit    they are sent again once, in case the queue was made anew; then refused
    // another        they are refused: the same bytes would be answered the same
    bool on_error(const protocol::Error& error, Now now);
    void on_credit(const protocol::Credit& limit);
    // Giving credit back takes a round trip: WANT nothing first, so that no grant is on its way
    // when RECLAIMED names the new limit. True: a ping must follow; tell its number to return_after().
    bool begin_return(bool asked, Now now);
    void return_after(std::uint64_t ping) noexcept { return_ping_ = ping; }
    void on_pong(std::uint64_t pong);
    void lost();

    [[nodiscard]] Time next_deadline() const noexcept;
    [[nodiscard]] const std::string& queue() const noexcept { return queue_; }
    [[nodiscard]] std::uint64_t oldest_unanswered() const noexcept {
        return in_flight_.empty() ? 0 : in_flight_.front().seq;
    }
    [[nodiscard]] bool valid_name() const noexcept { return valid_name_; }
    // Whether the next batch is full already.
    [[nodiscard]] bool batch_waits() const noexcept {
        return waiting_.size() >= batches_.items_max || waiting_cost_ >= batches_.bytes_max;
    }
    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }
    [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_.size(); }
    [[nodiscard]] protocol::Credit sent() const noexcept { return credit_.sent(); }
    [[nodiscard]] protocol::Credit limit() const noexcept { return credit_.limit(); }
    [[nodiscard]] std::uint64_t resubmitted() const noexcept { return resubmitted_; }
    // Why there is no credit at present (store_full), none when there is no reason known.
    [[nodiscard]] protocol::ErrorCode held() const noexcept { return held_; }
    [[nodiscard]] std::uint64_t holds() const noexcept { return holds_; }

  private:
    struct Batch {
        std::uint64_t seq{};
        std::vector<StoredJob> jobs;
    };

    [[nodiscard]] std::uint64_t cost(const StoredJob& job) const noexcept;
    [[nodiscard]] bool fits(const StoredJob& job) const noexcept;
    bool send_batch(const protocol::Limits& limits, std::uint64_t acked_seq, UuidV7& ids, Now now);
    void answer_all(Batch& batch, protocol::ErrorCode code, std::string_view sentence);
    void answer_one(const StoredJob& job, const protocol::JobVerdict* verdict,
                    std::vector<StoredJob>& put_again);
    void refuse_waiting(const protocol::Error& error);
    // The same, but for those that the broker may have taken in an earlier session.
    void refuse_unsent(const protocol::Error& error);
    bool on_want_error(const protocol::Error& error, Now now);
    void hold(protocol::ErrorCode code, Now now);
    void release_hold() noexcept;
    void forget_credit();
    void take_back(std::span<const StoredJob> jobs);
    void raise(const protocol::Credit& limit);
    void want(const protocol::Credit& amount, bool exact, Now now);
    void count_submission(Now now, std::uint64_t bytes);
    [[nodiscard]] protocol::Credit ahead(Now now) const noexcept;

    std::string queue_;
    bool valid_name_;
    BatchSettings batches_;
    ProducerBook& book_;
    Outbox& outbox_;
    JobArena arena_;

    std::deque<StoredJob> waiting_;
    std::uint64_t waiting_cost_ = 0;
    std::deque<Batch> in_flight_;
    std::vector<std::vector<StoredJob>> spare_;  // emptied batches, to be filled again
    std::uint64_t resubmitted_ = 0;
    std::uint32_t overhead_ = protocol::kLimits.item_overhead_bytes;

    protocol::CreditSender credit_;
    std::uint64_t reclaimed_seq_ = 0;  // limits told for frames up to it are void
    std::uint64_t return_ping_ = 0;
    bool returning_ = false;
    bool return_asked_ = false;
    bool return_again_ = false;  // asked for, but the WANT that goes before was refused

    // The last WANT: when, its seq, what was sent by then, and whether a grant came since.
    std::uint64_t want_seq_ = 0;
    protocol::Credit want_sent_;
    Time want_at_{};
    bool want_answered_ = true;
    bool want_exact_ = false;
    bool must_be_exact_ = false;
    bool refused_ = false;     // the queue takes nothing; until a job waits again, nothing is asked
    protocol::Credit window_;  // the largest credit a grant has made available

    // Told to wait: nothing is sent or asked for before hold_until_.
    protocol::ErrorCode held_{};
    Time hold_until_{};
    Duration hold_for_ = kHoldMin;
    std::uint64_t holds_ = 0;

    // Jobs of the present and the last period, for how much to hold ahead.
    struct Period {
        std::uint64_t items{};
        std::uint64_t bytes{};
    };
    Period period_;
    Period last_period_;
    Time period_end_{};
    Time last_job_{};

    static constexpr Duration kHoldMin = std::chrono::milliseconds(100);
    static constexpr Duration kHoldMax = std::chrono::seconds(5);
};

}  // namespace scanmq::client
