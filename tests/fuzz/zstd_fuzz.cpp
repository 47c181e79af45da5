// libFuzzer target: any bytes as an encoded blob. Run: build/fuzz/bin/fuzz-zstd tests/fuzz/corpus/zstd

#include <cstdint>
#include <cstdlib>

#include "tests/fuzz/zstd_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (!scanmq::tests::zstd_keeps_promises({reinterpret_cast<const char*>(data), size}))
        std::abort();
    return 0;
}
