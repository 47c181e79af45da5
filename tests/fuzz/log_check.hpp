#pragma once
// What the reader of a commit log promises for any bytes: it never crashes or allocates beyond them,
// a refusal has a sentence, and what it accepts are consecutive records that read() gives again after
// the log went on behind them.

#include <memory>
#include <string>
#include <utility>

#include "broker/store/body_store.hpp"
#include "broker/store/file_log.hpp"
#include "tests/support/sim_file.hpp"

namespace scanmq::tests {

// `repair`: the bytes are frames behind a good head, and are sealed, as a fuzzer cannot find a
// checksum. Else they are a segment from its head on.
inline bool log_keeps_promises(ByteView bytes, bool repair) {
    using namespace scanmq::broker;
    constexpr std::size_t kSegmentBytes = 8192;
    constexpr std::uint64_t kIncarnation = 7;
    const FrameKey key(kIncarnation, 1);
    const std::string head = encode_segment_head({1, kSegmentBytes, kIncarnation, 0});
    std::string segment(kSegmentBytes, '\0');
    if (repair) {
        bytes = bytes.substr(0, kSegmentBytes - kSegmentHeadBytes);
        segment.replace(0, head.size(), head);
        segment.replace(kSegmentHeadBytes, bytes.size(), bytes);
        for (std::size_t at = kSegmentHeadBytes; at + kFrameHeadBytes <= segment.size();) {
            const std::uint64_t size = appended_frame_bytes(segment.data() + at);
            if (size > segment.size() - at) break;
            seal_frame(segment.data() + at, key, static_cast<unsigned char>(segment[at + 48]));
            at += size;
        }
    } else {
        segment.replace(0, std::min(bytes.size(), segment.size()), bytes.substr(0, segment.size()));
    }

    SimFileSystem files;
    if (!files.make_directory("log")) return false;
    files.set_contents("log/" + segment_name(1), std::move(segment));
    FileLogOptions options;
    options.folder = "log";
    options.segment_bytes = kSegmentBytes;
    options.record_bytes_max = 1024;
    options.reserve_segments = 1;
    options.seed = 1;
    const auto read = [](FileLog& log, std::string& out) {
        LogPosition last = 0;
        auto done = log.read(log.findings().first == 0 ? log.durable() : log.findings().first - 1,
                             [&](const RecordView& record) -> Result<void, LogError> {
                                 last = record.position;
                                 out.append(record.changes).append(1, '|');
                                 return {};
                             });
        return done.ok() && (last == 0 || last == log.durable());
    };
    auto log = FileLog::open(files, options);
    if (!log) return !log.error().sentence.empty();
    std::string before;
    if (!read(**log, before)) return false;
    CommitRecord record;
    record.bytes = "more";
    const LogPosition end = (*log)->durable();
    auto appended = (*log)->append({&record, 1}, BodyStore());
    if (!appended || *appended != end + 1 || !(*log)->step({})) return false;
    log = FileLog::open(files, options);
    std::string after;
    return log.ok() && (*log)->durable() == end + 1 && read(**log, after) &&
           after == before + "more|";
}

}  // namespace scanmq::tests
