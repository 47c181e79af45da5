// libFuzzer target: any bytes as bodies of POST /v1/jobs. Run: build/fuzz/bin/fuzz-jobs
// tests/fuzz/corpus/jobs

#include <cstdint>
#include <cstdlib>

#include "tests/fuzz/jobs_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const void* bytes = data;
    if (!scanmq::tests::jobs_keep_promises({static_cast<const char*>(bytes), size})) std::abort();
    return 0;
}
