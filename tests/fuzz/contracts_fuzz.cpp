// libFuzzer target: any bytes as files of --contracts. Run: build/fuzz/bin/fuzz-contracts
// tests/fuzz/corpus/contracts

#include <cstdint>
#include <cstdlib>

#include "tests/fuzz/contracts_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const void* bytes = data;
    if (!scanmq::tests::contracts_keep_promises({static_cast<const char*>(bytes), size}))
        std::abort();
    return 0;
}
