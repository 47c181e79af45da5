#pragma once
// find_log: what a crash, or an orderly end, left of a commit log.
//
// Role:   called by FileLog::open(); changes nothing.
// Rules:  1. Segments with consecutive numbers up to the highest are the log. What is before a gap is
//            the rest of a release that a crash cut short.
//         2. Segments of one incarnation hold consecutive positions. The log ends at the first frame
//            that is not valid or does not follow; records behind it were never acknowledged, as
//            they would have been synced together or later ...
//         3. ... unless a valid frame behind it, of the same incarnation, says that the position
//            had been synced when it was written: then acknowledged records are damaged. So they are
//            when a later incarnation says that it began behind a position that is not there.
//         4. What a later incarnation says about where it began counts: it cut the log there.
//         5. Damage up to the checkpoint does not matter; records between the checkpoint and the first
//            one that is there are missing.
//         The damage of the last records before a crash, behind which nothing was written, cannot be
//         told from a torn write, as in any log.
// Stale:  what is behind a cut never comes back: the next incarnation writes to a new segment, whose
//         head says where it began; its frames do not fit the old key, nor old frames the new one.

#include <cstdint>
#include <string>
#include <vector>

#include "broker/store/file.hpp"
#include "broker/store/segment_pool.hpp"

namespace scanmq::broker {

struct FoundSegment {
    LogSegment segment;
    std::string path;
    SegmentHead head;
    LogPosition first = 0;  // 0: no records of it count
    LogPosition last = 0;
    std::uint64_t end = kSegmentHeadBytes;  // where its last record ends
};

// For the broker's log output and metrics.
struct LogFindings {
    LogPosition first = 0;  // of the records that can be read; 0: none
    LogPosition last = 0;   // the position the log goes on behind
    std::uint64_t segments = 0;
    // Not empty: where the log was cut, and how many records behind it had been written but never
    // acknowledged.
    std::string cut;
};

struct FoundLog {
    std::vector<FoundSegment> segments;  // in order, up to the last one with records
    std::vector<FoundSegment> unused;    // behind them, without records that count; in order
    std::vector<FoundSegment> rest;      // from before a gap
    LogPosition begin = 0;               // records from begin + 1 on can be read
    LogPosition end = 0;                 // the last record, or the checkpoint
    LogFindings findings;
};

// Error: see Rules; or a newer format; or a file cannot be read.
[[nodiscard]] Result<FoundLog, LogError> find_log(FileSystem& files, const std::string& folder,
                                                  LogPosition checkpoint);

}  // namespace scanmq::broker
