// libFuzzer target: any bytes into the frame decoder. Run: build/fuzz/bin/fuzz-frame
// tests/fuzz/corpus/frame

#include <cstdint>
#include <cstdlib>

#include "tests/fuzz/frame_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (!scanmq::tests::frame_keeps_promises({reinterpret_cast<const char*>(data), size}))
        std::abort();
    return 0;
}
