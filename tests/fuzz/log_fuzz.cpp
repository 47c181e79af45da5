// libFuzzer target: any bytes as a segment of the commit log, and as frames in one.
// Run: build/fuzz/bin/fuzz-log tests/fuzz/corpus/log

#include <cstdint>
#include <cstdlib>

#include "tests/fuzz/log_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const scanmq::ByteView bytes{reinterpret_cast<const char*>(data), size};
    if (!scanmq::tests::log_keeps_promises(bytes, true) ||
        !scanmq::tests::log_keeps_promises(bytes, false)) {
        std::abort();
    }
    return 0;
}
