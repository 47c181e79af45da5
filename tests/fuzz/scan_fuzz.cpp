// libFuzzer target: any bytes as chains, priced and scanned under a request. Run: build/fuzz/bin/fuzz-scan
// tests/fuzz/corpus/scan

#include <cstdint>
#include <cstdlib>

#include "tests/fuzz/scan_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const void* bytes = data;
    if (!scanmq::tests::scans_keep_promises({static_cast<const char*>(bytes), size})) std::abort();
    return 0;
}
