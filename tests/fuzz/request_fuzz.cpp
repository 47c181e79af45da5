// Scan requests and results, JSON and msgpack, from any bytes.

#include <cstdint>
#include <cstdlib>

#include "tests/fuzz/request_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const void* bytes = data;
    if (!scanmq::tests::documents_keep_promises({static_cast<const char*>(bytes), size})) {
        std::abort();
    }
    return 0;
}
