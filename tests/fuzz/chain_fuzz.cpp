// libFuzzer target: any bytes into the readers of market data (vendors' text and snapshots).
// Run: build/fuzz/bin/fuzz-chain tests/fuzz/corpus/chain

#include <cstdint>
#include <cstdlib>

#include "tests/fuzz/chain_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (!scanmq::tests::chains_keep_promises({reinterpret_cast<const char*>(data), size}))
        std::abort();
    return 0;
}
