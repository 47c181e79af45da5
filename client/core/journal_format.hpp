#pragma once
// The format of a producer's journal: records of jobs, of the ids they got, of their answers.
//
// File:    the magic, a record with the queue's name, then records in the order things happened.
// Record:  [length u32][checksum 8 bytes of BLAKE2b over length and content][content]; numbers are
//          little-endian. The content's first byte is its kind:
//            1 queue     the name
//            2 job       ticket u64, then the job as a SUBMIT frame of protocol v1 (id zero: none
//                        yet; a payload of any size is inline)
//            3 stamps    [ticket u64, id 16 bytes]...
//            4 answers   [ticket u64]...
// Damage:  what follows the first record that is cut short or does not match its checksum is not
//          read; a process that was killed can leave that only at the end.
// Threads: pure functions.
// Limits:  a record holds at most one payload of blob_bytes_max and kRecordSlack beside it.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "client/core/effects.hpp"
#include "client/core/job.hpp"
#include "common/base/bytes.hpp"
#include "common/base/result.hpp"

namespace scanmq::client::journal {

inline constexpr std::string_view kMagic = "scanmqJ1";
inline constexpr std::size_t kRecordHeadBytes = 12;
inline constexpr std::size_t kRecordSlack = 64U << 10;

// Each appends to `out`. begin(): magic and queue, what a new file starts with.
void begin(std::string_view queue, std::string& out);
void append_job(Ticket ticket, const Job& job, std::string& out);
void append_stamps(std::span<const JobStamped> stamps, std::string& out);
void append_answers(std::span<const Ticket> answered, std::string& out);

// A job without an answer: where its record lies, and its id when it was stamped afterwards.
struct Kept {
    Ticket ticket;
    std::uint64_t offset{};
    std::uint64_t bytes{};  // of the record, head included
    Id128 id;               // zero: that of the record
};

struct Contents {
    std::string queue;             // empty: a file without records
    std::vector<Kept> jobs;        // unanswered, in order of tickets
    std::uint64_t torn_bytes = 0;  // after the last whole record
};

// Error: a sentence, when the file is no journal or damaged at its start.
[[nodiscard]] scanmq::Result<Contents, std::string> read(ByteView file);

// A job as it was submitted. Views borrow from the record's bytes and from this.
class RestoredJob {
  public:
    // `record` is what Kept names. Error: a sentence.
    [[nodiscard]] static scanmq::Result<RestoredJob, std::string> decode(ByteView record,
                                                                         const Id128& id);
    [[nodiscard]] const Job& job() const noexcept { return job_; }

  private:
    Job job_;
    std::unique_ptr<protocol::JobOptions> options_;  // what the job's views of options borrow from
};

}  // namespace scanmq::client::journal
