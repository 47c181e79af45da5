// libFuzzer target: any bytes as CSVs of scanmq price and iv. Run: build/fuzz/bin/fuzz-options
// tests/fuzz/corpus/options

#include <cstdint>
#include <cstdlib>

#include "tests/fuzz/options_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const void* bytes = data;
    if (!scanmq::tests::options_keep_promises({static_cast<const char*>(bytes), size}))
        std::abort();
    return 0;
}
