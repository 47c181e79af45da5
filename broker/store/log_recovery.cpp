#include "broker/store/log_recovery.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "broker/store/segment_reader.hpp"

namespace scanmq::broker {
namespace {

constexpr const char* kRestore =
    "; restore the data directory from a backup (the files are left as they are)";

LogError from(const FileError& error) {
    return {"the commit log cannot be read: " + error.sentence};
}

std::string place(const FoundSegment& segment, std::uint64_t offset) {
    return segment.path + " at offset " + std::to_string(offset);
}

// Where the walk through an incarnation's segments came to its end.
struct Stop {
    std::size_t segment{};   // index
    std::uint64_t offset{};  // of the frame that is not valid or does not follow
    LogPosition last{};      // of the record before it
    bool known{};            // `last` is of a record; not: it only cannot be less
};

class Finder {
  public:
    Finder(FileSystem& files, std::string folder, LogPosition checkpoint)
        : files_(files), folder_(std::move(folder)), checkpoint_(checkpoint) {}

    Result<FoundLog, LogError> find() {
        if (auto listed = list(); !listed) return fail(std::move(listed).error());
        LogPosition end = 0;
        std::size_t used = 0;  // segments up to the last one with records
        std::optional<Stop> stop;
        for (std::size_t begin = 0; begin < segments_.size();) {
            const std::size_t next = incarnation_end(begin);
            std::optional<LogPosition> until;
            if (next < segments_.size()) until = segments_[next].head.base;
            auto walked = walk(begin, next, until);
            if (!walked) return fail(std::move(walked).error());
            stop = *walked;
            end = stop->last;
            if (until && end<*until&& * until> checkpoint_) {
                return fail(LogError{place(segments_[stop->segment], stop->offset) +
                                     " is damaged: record " + std::to_string(end + 1) +
                                     " cannot be read, but the broker had gone on behind record " +
                                     std::to_string(*until) + kRestore});
            }
            if (!until) {
                if (auto cut = check_cut(*stop, next); !cut) return fail(std::move(cut).error());
            }
            begin = next;
        }
        for (std::size_t i = 0; i < segments_.size(); ++i) {
            if (segments_[i].first != 0) used = i + 1;
        }
        return report(used, end);
    }

  private:
    Result<void, LogError> list() {
        auto names = files_.list(folder_);
        if (!names) return fail(from(names.error()));
        std::vector<std::uint64_t> numbers;
        for (const std::string& name : *names) {
            if (const auto number = segment_number(name)) numbers.push_back(*number);
        }
        std::sort(numbers.begin(), numbers.end());
        for (const std::uint64_t number : numbers) {
            if (!segments_.empty() && number != segments_.back().segment.number + 1) {
                // Their names are gone only because they had been released.
                std::move(segments_.begin(), segments_.end(), std::back_inserter(rest_));
                segments_.clear();
            }
            if (auto opened = open(number); !opened) return opened;
        }
        return {};
    }

    Result<void, LogError> open(std::uint64_t number) {
        FoundSegment out;
        out.path = folder_ + "/" + segment_name(number);
        auto file = files_.open(out.path);
        if (!file) return fail(from(file.error()));
        std::string bytes(kSegmentHeadBytes, '\0');
        auto read = (*file)->pread(0, bytes.data(), bytes.size());
        if (!read) return fail(from(read.error()));
        auto head = decode_segment_head(bytes);
        if (!head) {
            return fail(LogError{out.path + " " + head.error().what +
                                 (head.error().newer ? "; start that version" : kRestore)});
        }
        auto size = (*file)->size();
        if (!size) return fail(from(size.error()));
        if (head->number != number || head->bytes < kSegmentHeadBytes) {
            return fail(LogError{out.path + " has the head of segment " +
                                 std::to_string(head->number) + kRestore});
        }
        out.head = *head;
        out.head.bytes = std::min(head->bytes, *size);  // what was cut off holds no frames
        out.segment = {number, std::move(*file), FrameKey(head->incarnation, number)};
        segments_.push_back(std::move(out));
        return {};
    }

    [[nodiscard]] std::size_t incarnation_end(std::size_t begin) const {
        std::size_t end = begin + 1;
        while (end < segments_.size() &&
               segments_[end].head.incarnation == segments_[begin].head.incarnation) {
            ++end;
        }
        return end;
    }

    // Goes through the records of one incarnation, up to `until`.
    Result<Stop, LogError> walk(std::size_t begin, std::size_t end,
                                std::optional<LogPosition> until) {
        Stop stop{begin, kSegmentHeadBytes, segments_[begin].head.base, begin > 0};
        // The first segment there is need not be its incarnation's first, but begins at latest behind
        // the checkpoint.
        if (begin == 0) stop.last = std::max(stop.last, checkpoint_);
        for (std::size_t i = begin; i < end; ++i) {
            FoundSegment& segment = segments_[i];
            SegmentReader reader(*segment.segment.file, segment.segment.key, segment.head.bytes);
            std::uint64_t offset = kSegmentHeadBytes;
            for (;;) {
                auto frame = reader.at(offset);
                if (!frame) return fail(from(frame.error()));
                if (!*frame) break;
                const FrameHead& head = (*frame)->head;
                const bool follows =
                    stop.known ? head.position == stop.last + 1 : head.position > segment.head.base;
                if (!follows || (until && head.position > *until)) break;
                offset += head.bytes;
                if (segment.first == 0) segment.first = head.position;
                segment.last = head.position;
                segment.end = offset;
                stop = {i, offset, head.position, true};
            }
            // A segment that does not go on where the one before stopped: the walk is over.
            if (segment.first == 0) break;
        }
        return stop;
    }

    // The log ends at `stop`: is what cannot be read there only a torn tail?
    Result<void, LogError> check_cut(const Stop& stop, std::size_t end) {
        const LogPosition bad = std::max(stop.last, checkpoint_) + 1;
        std::uint64_t lost = 0;
        for (std::size_t i = stop.segment; i < end; ++i) {
            const FoundSegment& segment = segments_[i];
            SegmentReader reader(*segment.segment.file, segment.segment.key, segment.head.bytes);
            auto found = reader.search(i == stop.segment ? stop.offset : kSegmentHeadBytes, bad);
            if (!found) return fail(from(found.error()));
            lost += found->frames;
            if (const auto& proof = found->acknowledging) {
                return fail(
                    LogError{place(segments_[stop.segment], stop.offset) + " is damaged: record " +
                             std::to_string(stop.last + 1) + " cannot be read, but record " +
                             std::to_string(proof->position) + " in " +
                             place(segment, proof->offset) + " says that everything up to " +
                             std::to_string(proof->synced) + " had been stored" + kRestore});
            }
        }
        if (lost > 0) {
            cut_ = place(segments_[stop.segment], stop.offset) + " is torn: cut behind record " +
                   std::to_string(stop.last) + ", " + std::to_string(lost) +
                   " later ones had not been acknowledged";
        }
        return {};
    }

    Result<FoundLog, LogError> report(std::size_t used, LogPosition end) {
        FoundLog out;
        LogPosition first = 0;
        for (const FoundSegment& segment : segments_) {
            if (first == 0) first = segment.first;
        }
        if (!segments_.empty()) {
            out.begin = first != 0 ? first - 1 : segments_.back().head.base;
            if (out.begin > checkpoint_) {
                return fail(LogError{
                    "the commit log in " + folder_ + " begins behind record " +
                    std::to_string(out.begin) + ", the checkpoint ends with record " +
                    std::to_string(checkpoint_) + ": records between them are missing" + kRestore});
            }
        }
        LogPosition last = 0;
        for (std::size_t i = 0; i < segments_.size(); ++i) {
            if (segments_[i].first == 0) segments_[i].last = last;
            last = segments_[i].last;
            (i < used ? out.segments : out.unused).push_back(std::move(segments_[i]));
        }
        out.rest = std::move(rest_);
        out.end = std::max(end, checkpoint_);
        out.findings = {first, out.end, out.segments.size(), std::move(cut_)};
        return out;
    }

    FileSystem& files_;
    std::string folder_;
    LogPosition checkpoint_;
    std::vector<FoundSegment> segments_;
    std::vector<FoundSegment> rest_;
    std::string cut_;
};

}  // namespace

Result<FoundLog, LogError> find_log(FileSystem& files, const std::string& folder,
                                    LogPosition checkpoint) {
    return Finder(files, folder, checkpoint).find();
}

}  // namespace scanmq::broker
