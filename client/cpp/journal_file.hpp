#pragma once
// JournalFile: a producer's unanswered jobs in a file, so that they outlive the process.
//
// Role:    owned by Producer. A job is written before it may be sent, its id before the frame that
//          carries it, its answer after the program was told it.
// Threads: as the client's state: under its mutex.
// Crash:   of the process: nothing is lost. Of the machine: what the system had not written, unless
//          `sync`.
// Size:    at most bytes_max of unanswered jobs; the file at most twice that and kSlackBytes. It is
//          cut when nothing is unanswered and written anew when most of it is answered.
// Lock:    PATH.lock, held while this lives: one producer uses a journal at a time.
// Errors:  kind io, buffer_full or invalid; each names the file and what to do.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "client/core/error.hpp"
#include "client/core/journal_format.hpp"

namespace scanmq::client {

struct JournalOptions {
    std::string path;
    std::string queue;
    bool sync = false;  // each job and id is on the disk before anything else happens
    std::uint64_t bytes_max = 128U << 20;
};

struct JournalInfo {
    std::uint64_t restored{};    // jobs of an earlier process that were submitted again
    std::uint64_t torn_bytes{};  // cut off the file's end when it was opened
    std::uint64_t jobs{};        // unanswered
    std::uint64_t file_bytes{};
    std::uint64_t rewrites{};
};

class JournalFile {
  public:
    // Locks and reads the file, or makes it; the jobs in it wait for restore().
    [[nodiscard]] static Result<std::unique_ptr<JournalFile>> open(const JournalOptions& options);
    ~JournalFile();
    JournalFile(const JournalFile&) = delete;
    JournalFile& operator=(const JournalFile&) = delete;

    // Hands each job out, in order, and keeps it under the ticket that `take` returns. After an
    // error the file is as it was. Precondition: once, before anything is appended.
    Result<void> restore(const std::function<Result<Ticket>(const Job&)>& take);

    // Errors: buffer_full (bytes_max), io. After an error the job is not in the file.
    Result<void> append(Ticket ticket, const Job& job);
    // Errors stick: broken() tells, and append() returns it from then on.
    void stamp(std::span<const JobStamped> stamps);
    void answer(std::span<const Ticket> answered);

    [[nodiscard]] const std::optional<Error>& broken() const noexcept { return broken_; }
    [[nodiscard]] JournalInfo info() const;

    static constexpr std::uint64_t kSlackBytes = 1U << 20;

  private:
    explicit JournalFile(JournalOptions options) : options_(std::move(options)) {}

    Result<void> lock();
    Result<void> load();
    // Writes a file with these bytes beside and puts it in the place of the old one.
    Result<void> replace(const std::string& bytes);
    Result<void> write(const std::string& bytes);
    Result<void> rewrite();
    [[nodiscard]] Error io_error(std::string_view what) const;

    struct Place {
        std::uint64_t offset{};
        std::uint64_t bytes{};
        Id128 id;  // stamped after the job's record
    };

    JournalOptions options_;
    int lock_ = -1;
    int file_ = -1;
    std::uint64_t head_bytes_ = 0;
    std::uint64_t file_bytes_ = 0;
    std::uint64_t live_bytes_ = 0;
    std::map<std::uint64_t, Place> live_;  // by ticket
    std::string scratch_;
    std::optional<Error> broken_;
    JournalInfo info_;
    // Until restore(): the file as it was.
    std::string old_;
    std::vector<journal::Kept> old_jobs_;
};

}  // namespace scanmq::client
