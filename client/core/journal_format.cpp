#include "client/core/journal_format.hpp"

#include <map>
#include <optional>
#include <utility>

#include "common/protocol/codec.hpp"

namespace scanmq::client::journal {

namespace {

enum class RecordKind : std::uint8_t { queue = 1, job = 2, stamps = 3, answers = 4 };

constexpr std::size_t kChecksumBytes = 8;
constexpr std::size_t kLengthBytes = kRecordHeadBytes - kChecksumBytes;
constexpr std::size_t kContentBytesMax = protocol::kLimits.blob_bytes_max + kRecordSlack;

template <class Number>
void put(Number number, std::string& out) {
    for (std::size_t i = 0; i < sizeof number; ++i) {
        out.push_back(static_cast<char>(number >> (8 * i) & 0xffU));
    }
}

template <class Number>
Number get(ByteView bytes) {
    Number out = 0;
    for (std::size_t i = sizeof out; i-- > 0;) {
        out = static_cast<Number>(out << 8 | static_cast<std::uint8_t>(bytes[i]));
    }
    return out;
}

// Begins a record at the end of `out`; seal() fills its head in.
std::size_t open_record(RecordKind kind, std::string& out) {
    const std::size_t at = out.size();
    out.append(kRecordHeadBytes, '\0');
    out.push_back(static_cast<char>(kind));
    return at;
}

// Over the length's bytes, then the content.
std::string checksum(ByteView length, ByteView content) {
    const ContentId hash = content_id(content);
    std::string both(length);
    both += hash.view();
    return std::string(content_id(both).view().substr(0, kChecksumBytes));
}

void seal(std::size_t at, std::string& out) {
    std::string length;
    put(static_cast<std::uint32_t>(out.size() - at - kRecordHeadBytes), length);
    out.replace(at, kLengthBytes, length);
    out.replace(at + kLengthBytes, kChecksumBytes,
                checksum(length, ByteView(out).substr(at + kRecordHeadBytes)));
}

// The content of the record at the front; nullopt when it is not whole.
std::optional<ByteView> content_of(ByteView bytes) {
    if (bytes.size() <= kRecordHeadBytes) return std::nullopt;
    const auto length = get<std::uint32_t>(bytes);
    if (length == 0 || length > kContentBytesMax || bytes.size() - kRecordHeadBytes < length) {
        return std::nullopt;
    }
    const ByteView content = bytes.substr(kRecordHeadBytes, length);
    if (checksum(bytes.substr(0, kLengthBytes), content) !=
        bytes.substr(kLengthBytes, kChecksumBytes)) {
        return std::nullopt;
    }
    return content;
}

protocol::Limits journal_limits() {
    protocol::Limits out;
    out.inline_bytes_max = out.blob_bytes_max;
    out.frame_bytes_max = static_cast<std::uint32_t>(kContentBytesMax);
    return out;
}

constexpr std::size_t kJobHead = 1 + 8;  // kind, ticket
constexpr std::size_t kStampBytes = 8 + Id128::kSize;

using Jobs = std::map<std::uint64_t, Kept>;

// False: the record does not say what its kind should.
bool apply(ByteView content, std::uint64_t offset, std::uint64_t bytes, Jobs& jobs) {
    const auto kind = static_cast<RecordKind>(content[0]);
    const ByteView rest = content.substr(1);
    switch (kind) {
        case RecordKind::job: {
            if (content.size() <= kJobHead) return false;
            const auto ticket = get<std::uint64_t>(rest);
            jobs[ticket] = {Ticket{ticket}, offset, bytes, {}};
            return true;
        }
        case RecordKind::stamps:
            if (rest.size() % kStampBytes != 0) return false;
            for (std::size_t at = 0; at < rest.size(); at += kStampBytes) {
                const auto found = jobs.find(get<std::uint64_t>(rest.substr(at)));
                if (found == jobs.end()) continue;
                found->second.id = *Id128::from_bytes(rest.substr(at + 8, Id128::kSize));
            }
            return true;
        case RecordKind::answers:
            if (rest.size() % 8 != 0) return false;
            for (std::size_t at = 0; at < rest.size(); at += 8) {
                jobs.erase(get<std::uint64_t>(rest.substr(at)));
            }
            return true;
        case RecordKind::queue:
            break;
    }
    return false;
}

}  // namespace

void begin(std::string_view queue, std::string& out) {
    out += kMagic;
    const std::size_t at = open_record(RecordKind::queue, out);
    out += queue;
    seal(at, out);
}

void append_job(Ticket ticket, const Job& job, std::string& out) {
    const std::size_t at = open_record(RecordKind::job, out);
    put(ticket.value, out);
    protocol::Submit submit{{}, job.group, 0, {}};
    submit.jobs.push_back(
        {job.id, job.subject, protocol::Body{job.payload, 0}, job.inputs, options_of(job)});
    protocol::encode({protocol::kProducer, {}, 1}, std::move(submit), out);
    seal(at, out);
}

void append_stamps(std::span<const JobStamped> stamps, std::string& out) {
    const std::size_t at = open_record(RecordKind::stamps, out);
    for (const JobStamped& stamp : stamps) {
        put(stamp.ticket.value, out);
        out += stamp.id.view();
    }
    seal(at, out);
}

void append_answers(std::span<const Ticket> answered, std::string& out) {
    const std::size_t at = open_record(RecordKind::answers, out);
    for (const Ticket ticket : answered) put(ticket.value, out);
    seal(at, out);
}

scanmq::Result<Contents, std::string> read(ByteView file) {
    Contents out;
    if (file.substr(0, kMagic.size()) != kMagic.substr(0, file.size())) {
        return fail(std::string("it is not a journal of this program"));
    }
    if (file.size() <= kMagic.size()) {  // cut short while it was made: nothing was in it
        out.torn_bytes = file.size();
        return out;
    }
    std::uint64_t at = kMagic.size();
    const auto head = content_of(file.substr(at));
    if (!head || static_cast<RecordKind>((*head)[0]) != RecordKind::queue || head->size() == 1) {
        // Its length tells a file that was cut while it was made from one that is damaged.
        const ByteView rest = file.substr(at);
        const bool cut = rest.size() < kRecordHeadBytes ||
                         rest.size() < kRecordHeadBytes + get<std::uint32_t>(rest);
        if (cut && rest.size() <= kRecordHeadBytes + 1 + protocol::kLimits.queue_bytes_max) {
            out.torn_bytes = file.size();
            return out;
        }
        return fail(std::string("it is damaged at its start"));
    }
    out.queue = head->substr(1);
    at += kRecordHeadBytes + head->size();
    Jobs jobs;
    while (const auto content = content_of(file.substr(at))) {
        const std::uint64_t bytes = kRecordHeadBytes + content->size();
        if (!apply(*content, at, bytes, jobs)) break;
        at += bytes;
    }
    out.torn_bytes = file.size() - at;
    out.jobs.reserve(jobs.size());
    for (const auto& [ticket, kept] : jobs) out.jobs.push_back(kept);
    return out;
}

scanmq::Result<RestoredJob, std::string> RestoredJob::decode(ByteView record, const Id128& id) {
    const auto content = content_of(record);
    if (!content || content->size() <= kJobHead) return fail(std::string("the record is damaged"));
    protocol::Decoder decoder(journal_limits());
    auto frame = decoder.decode(content->substr(kJobHead));
    if (!frame) return fail(frame.error().sentence);
    auto* submit = std::get_if<protocol::Submit>(&frame->message);
    if (submit == nullptr || submit->jobs.size() != 1) {
        return fail(std::string("the record holds no job"));
    }
    protocol::Job& job = submit->jobs[0];
    RestoredJob out;
    out.job_.subject = job.subject;
    out.job_.payload = job.payload.bytes;
    out.job_.inputs = job.inputs;
    out.job_.group = submit->group;
    out.job_.id = id.is_zero() ? job.id : id;
    out.options_ = std::move(job.options);
    if (const protocol::JobOptions* options = out.options_.get()) {
        out.job_.priority = options->priority;
        out.job_.delay = std::chrono::milliseconds(options->delay_ms);
        out.job_.deadline = std::chrono::milliseconds(options->deadline_ms);
        out.job_.conflate_key = options->conflate_key;
        out.job_.flow = options->flow;
        if ((options->flags & protocol::JobOptions::kPure) != 0) out.job_.pure = true;
        if ((options->flags & protocol::JobOptions::kNotPure) != 0) out.job_.pure = false;
        out.job_.finish_late = (options->flags & protocol::JobOptions::kFinishLate) != 0;
        out.job_.fresh = (options->flags & protocol::JobOptions::kFresh) != 0;
        out.job_.sheddable = (options->flags & protocol::JobOptions::kSheddable) != 0;
        out.job_.as_of_ns = options->as_of_ns;
        out.job_.aliases = options->aliases;
    }
    return out;
}

}  // namespace scanmq::client::journal
