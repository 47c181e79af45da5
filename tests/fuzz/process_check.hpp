#pragma once
// What the reading of a process's output promises for any bytes: it never throws, it ends, however the
// bytes are cut frames come out the same, and a refusal is a sentence.

#include <string>
#include <vector>

#include "common/base/text.hpp"
#include "worker/scanners/process_wire.hpp"

namespace scanmq::tests {

// What came of each frame, and how it ended.
inline std::vector<std::string> read_process_output(ByteView bytes, std::size_t step) {
    namespace wire = worker::process_wire;
    wire::FrameReader reader(1U << 16);
    wire::Decoder decoder;
    std::vector<std::string> out;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        reader.add(bytes.substr(at, step));
        for (;;) {
            const auto frame = reader.next();
            if (!frame) {
                out.push_back("broken: " + frame.error());
                return out;
            }
            if (!*frame) break;
            const auto message = decoder.decode(**frame);
            out.push_back(message ? "kind " + std::to_string(message->index())
                                  : "refused: " + message.error());
            if (!message) return out;
            if (const auto* result = std::get_if<wire::ResultFrame>(&*message)) {
                const bool inside = result->body.size() <= (*frame)->size();
                out.push_back(inside && printable_utf8(result->sentence) ? "good" : "bad");
            }
        }
    }
    return out;
}

inline bool process_output_keeps_promises(ByteView bytes) {
    const auto whole = read_process_output(bytes, bytes.size() + 1);
    for (const std::string& line : whole) {
        if (line == "bad" || line == "refused: " || line == "broken: ") return false;
    }
    return read_process_output(bytes, 3) == whole;
}

}  // namespace scanmq::tests
