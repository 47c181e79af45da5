// libFuzzer target: any bytes as HTTP answers. Run: build/fuzz/bin/fuzz-response
// tests/fuzz/corpus/response

#include <cstdint>
#include <cstdlib>

#include "tests/fuzz/response_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const void* bytes = data;
    if (!scanmq::tests::responses_keep_promises({static_cast<const char*>(bytes), size}))
        std::abort();
    return 0;
}
