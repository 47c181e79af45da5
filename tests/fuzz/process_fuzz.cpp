// libFuzzer target: any bytes as the output of a scanner process. Run: build/fuzz/bin/fuzz-process
// tests/fuzz/corpus/process

#include <cstdint>
#include <cstdlib>

#include "tests/fuzz/process_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (!scanmq::tests::process_output_keeps_promises({reinterpret_cast<const char*>(data), size}))
        std::abort();
    return 0;
}
