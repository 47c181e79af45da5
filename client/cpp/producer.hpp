#pragma once
// Producer: submits jobs to one queue, in batches, under the broker's credit.
//
// Batches: a full batch leaves at once, what is left with the next poll() or flush() (or when the
//          background thread wakes up). While `frames_ahead` SUBMITs are unanswered, only full ones
//          leave: batches grow because the broker is busy, never by waiting for more.
// Answers: each job gets exactly one JobAnswer, unless the client is closed first.
// Threads: as the Client's. Producers of one queue share its credit.
// Owns:    copies of what was submitted, until answered; bounded by the options. With a journal,
//          its file: at most four times buffer_bytes_max, 1 KiB for each of buffer_items_max, and
//          1 MiB.
// See:     docs/PROTOCOL.md, sections 7 and 8

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "client/core/error.hpp"
#include "client/core/job.hpp"
#include "client/core/producer_book.hpp"
#include "client/cpp/journal_file.hpp"

namespace scanmq::client {

class Client;

struct ProducerOptions {
    std::uint32_t buffer_items_max = 65'536;     // waiting and unanswered jobs
    std::uint64_t buffer_bytes_max = 64U << 20;  // their payloads, subjects and inputs
    std::uint32_t batch_items_max = 1024;        // jobs of one SUBMIT
    std::uint32_t batch_bytes_max = 256U << 10;  // its size; one large job may pass it
    std::uint32_t frames_ahead = 8;
    // A file that keeps what is not answered: a process that was killed and starts again with the
    // same file submits it again, under the same ids where it may have been sent. Empty: none. It
    // belongs to one queue and one producer at a time.
    std::string journal{};
    bool journal_sync = false;  // survive a crash of the machine, too, at the price of a sync a job
    // Called with the answers of each SUBMIT; empty: only counted.
    std::function<void(std::span<const JobAnswer>)> on_answers{};
};

class Producer {
  public:
    // Precondition: queue is a valid queue name (protocol::valid_queue_name); else each submit() is
    // `invalid`.
    Producer(Client& client, std::string_view queue, ProducerOptions options = {});
    // The same, when the journal can be used. Errors: io, invalid (in use, another queue's,
    // damaged); the sentence names the file and what to do.
    [[nodiscard]] static Result<std::unique_ptr<Producer>> open(Client& client,
                                                                std::string_view queue,
                                                                ProducerOptions options = {});
    // What was not answered is forgotten, but by a journal: drain() first.
    ~Producer();
    Producer(const Producer&) = delete;
    Producer& operator=(const Producer&) = delete;

    // Copies the job into the buffer. While that is full, waits up to `timeout` for room (0: not at
    // all). A payload over inline_bytes_max is put as a blob before its job is sent. Errors:
    // buffer_full; invalid with bad_subject, item_too_large, over_limit or bad_option; closed; io
    // and what open() says, when there is a journal: then the job was not taken.
    Result<Ticket> submit(const Job& job, Duration timeout = std::chrono::seconds(10));

    // Sends what waits, as far as credit reaches, whatever frames_ahead says.
    void flush();
    // Waits until every job is answered. Errors: timed_out (with store_full when that is why),
    // closed.
    Result<void> drain(Duration timeout);

    [[nodiscard]] ProducerStats stats() const;
    [[nodiscard]] JournalInfo journal() const;  // zeros without a journal
    [[nodiscard]] const std::string& queue() const noexcept { return queue_; }

  private:
    Result<Ticket> submit_locked(const Job& job, const ContentId* content);
    Result<void> restore();

    Client& client_;
    std::string queue_;
    std::unique_ptr<JournalFile> journal_;
    std::optional<Error> refused_;  // why the journal cannot be used
    std::uint32_t id_ = 0;
    std::uint32_t look_after_;
    std::uint32_t since_look_ = 0;
};

}  // namespace scanmq::client
