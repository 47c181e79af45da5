// libFuzzer target: any bytes as files of --columns, and CSVs read by them. Run: build/fuzz/bin/fuzz-columns
// tests/fuzz/corpus/columns

#include <cstdint>
#include <cstdlib>

#include "tests/fuzz/columns_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const void* bytes = data;
    if (!scanmq::tests::columns_keep_promises({static_cast<const char*>(bytes), size}))
        std::abort();
    return 0;
}
