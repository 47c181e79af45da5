#include "worker/scanners/process_wire.hpp"

#include <algorithm>

#include "common/base/text.hpp"
#include "common/protocol/reader.hpp"
#include "common/protocol/writer.hpp"

namespace scanmq::worker::process_wire {

namespace {

using protocol::Reader;
using protocol::Record;
using protocol::Writer;

enum class Kind : std::uint8_t {
    hello = 1,
    scan = 2,
    cancel = 3,
    ping = 4,
    snapshot = 5,
    forget = 6,
    ready = 11,
    result = 12,
    progress = 13,
    pong = 14,
};

constexpr std::size_t kTextMax = 1U << 20;  // what is longer is refused, not cut

// A process's frames are small records: no elements beyond a few that later versions may add.
protocol::Limits limits() {
    protocol::Limits out;
    out.elements_max = 256;
    return out;
}

void put_length(std::size_t at, std::uint64_t size, std::string& out) {
    for (std::size_t i = 0; i < kLengthBytes; ++i) {
        out[at + i] = static_cast<char>(size >> (8 * (kLengthBytes - 1 - i)));
    }
}

// Appends a frame of the fields that `fields(Writer&)` writes.
template <class Fields>
void frame(Kind kind, std::size_t elements, std::string& out, Fields&& fields) {
    const std::size_t begin = out.size();
    out.append(kLengthBytes, '\0');
    Writer writer(out);
    writer.array(elements + 1);
    writer.number(kind);
    fields(writer);
    put_length(begin, out.size() - begin - kLengthBytes, out);
}

std::string text(Reader& reader, Record& in, const char* field, std::size_t max) {
    return to_printable(reader.str(in, field, kTextMax, "1 MiB"), max);
}

ScanStatus status_of(Reader& reader, Record& in) {
    switch (reader.uint(in, "outcome")) {
        case 1:
            return ScanStatus::done;
        case 2:
            return ScanStatus::failed;
        case 3:
            return ScanStatus::rejected;
        case 4:
            return ScanStatus::returned;
        default:
            reader.refuse(protocol::ErrorCode::malformed, "outcome", "is not from 1 to 4");
            return {};
    }
}

Message read_result(Reader& reader, Record& in) {
    ResultFrame out;
    out.call = reader.uint(in, "call");
    out.status = status_of(reader, in);
    out.body = reader.bin(in, "body", ~std::size_t{0}, "a frame");
    if (in.left > 0) {
        out.sentence = text(reader, in, "sentence", protocol::kLimits.sentence_bytes_max);
    }
    return out;
}

Message read_message(Reader& reader, Record& in) {
    const std::uint64_t kind = reader.uint(in, "kind");
    switch (static_cast<Kind>(std::min<std::uint64_t>(kind, 255))) {
        case Kind::ready: {
            Ready out;
            out.version = reader.uint(in, "version");
            out.name = text(reader, in, "name", protocol::kLimits.name_bytes_max);
            out.scanner_version =
                text(reader, in, "scanner_version", protocol::kLimits.name_bytes_max);
            out.parallel = reader.uint(in, "parallel");
            out.reads_inputs = reader.boolean(in, "reads_inputs");
            return out;
        }
        case Kind::result:
            return read_result(reader, in);
        case Kind::progress: {
            ProgressFrame out;
            out.call = reader.uint(in, "call");
            out.done = reader.uint(in, "done");
            out.total = reader.uint(in, "total");
            if (in.left > 0) out.note = text(reader, in, "note", kNoteBytesMax);
            return out;
        }
        case Kind::pong:
            return Pong{reader.uint(in, "number")};
        default:
            reader.refuse(protocol::ErrorCode::unknown_kind, "kind",
                          "is " + std::to_string(kind) + ", which a process does not send");
            return Pong{};
    }
}

}  // namespace

Decoder::Decoder() : limits_(limits()), tape_(limits_) {}

Result<Message, std::string> Decoder::decode(ByteView bytes) {
    if (!tape_.parse(bytes)) return fail(tape_.error());
    Reader reader(tape_, limits_);
    Record in = reader.root();
    Message out = read_message(reader, in);
    reader.leave(in);
    if (!reader.ok()) return fail(reader.sentence());
    return out;
}

void encode_hello(std::uint64_t result_bytes_max, std::string& out) {
    frame(Kind::hello, 2, out, [&](Writer& w) {
        w.uint(kVersion);
        w.uint(result_bytes_max);
    });
}

void encode_scan(std::uint64_t call, const Task& task, std::uint64_t deadline_ms,
                 std::string& out) {
    frame(Kind::scan, 7, out, [&](Writer& w) {
        w.uint(call);
        w.str(task.queue);
        w.str(task.subject);
        w.bin(task.payload);
        w.array(task.inputs.size());
        for (const auto& input : task.inputs) w.id(input->id());
        if (task.as_of_ns) {
            w.sint(*task.as_of_ns);
        } else {
            w.nil();
        }
        w.uint(deadline_ms);
    });
}

void encode_cancel(std::uint64_t call, std::string& out) {
    frame(Kind::cancel, 1, out, [&](Writer& w) { w.uint(call); });
}

void encode_ping(std::uint64_t number, std::string& out) {
    frame(Kind::ping, 1, out, [&](Writer& w) { w.uint(number); });
}

void encode_forget(std::span<const ContentId> hashes, std::string& out) {
    frame(Kind::forget, 1, out, [&](Writer& w) {
        w.array(hashes.size());
        for (const ContentId& hash : hashes) w.id(hash);
    });
}

void encode_snapshot_head(const ContentId& hash, std::uint64_t size, std::string& out) {
    const std::size_t begin = out.size();
    frame(Kind::snapshot, 2, out, [&](Writer& w) {
        w.id(hash);
        w.bin_head(size);
    });
    put_length(begin, out.size() - begin - kLengthBytes + size, out);
}

Result<std::optional<ByteView>, std::string> FrameReader::next() {
    if (begin_ == buffer_.size()) {
        buffer_.clear();
        // One large frame does not keep its memory for ever.
        if (buffer_.capacity() > (1U << 20)) std::string().swap(buffer_);
        begin_ = 0;
    }
    if (pending() < kLengthBytes) return std::optional<ByteView>();
    std::uint64_t size = 0;
    for (std::size_t i = 0; i < kLengthBytes; ++i) {
        size = (size << 8U) | static_cast<unsigned char>(buffer_[begin_ + i]);
    }
    if (size == 0 || size > frame_bytes_max_) {
        return fail("a frame of " + std::to_string(size) + " bytes, where 1 to " +
                    std::to_string(frame_bytes_max_) + " are allowed");
    }
    if (pending() < kLengthBytes + size) {
        // What was given out goes; what is left is moved once, not for each read.
        if (begin_ > 0) buffer_.erase(0, std::exchange(begin_, 0));
        return std::optional<ByteView>();
    }
    const ByteView out = ByteView(buffer_).substr(begin_ + kLengthBytes, size);
    begin_ += kLengthBytes + size;
    return std::optional<ByteView>(out);
}

std::string ErrorLines::take() {
    const std::string text = to_printable(std::exchange(pending_, {}), kLineBytesMax);
    if (text.find_first_not_of(' ') == std::string::npos) return {};
    kept_[next_] = to_printable(text, kKeptBytesMax);
    next_ = (next_ + 1) % kKept;
    return text;
}

std::string ErrorLines::last_words() const {
    std::string out;
    for (std::size_t i = 0; i < kKept; ++i) {
        const std::string& line = kept_[(next_ + i) % kKept];
        if (line.empty()) continue;
        out += (out.empty() ? "its last words: " : " | ") + line;
    }
    return out;
}

}  // namespace scanmq::worker::process_wire
