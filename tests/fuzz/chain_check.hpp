#pragma once
// What the readers of market data promise for any bytes: they never crash, a refusal has a message,
// and every chain they accept has a stored form that reads back to the same bytes.

#include <string>

#include "scanner/market/reader.hpp"
#include "scanner/market/snapshot.hpp"

namespace scanmq::tests {

inline bool chains_keep_promises(ByteView bytes) {
    auto report = market::read_chain_text(bytes, "fuzz");
    if (!report.ok()) return !report.error().message.empty();
    for (const market::Chain& chain : report->chains) {
        const std::string stored = market::encode_snapshot(chain);
        auto again = market::decode_snapshot(stored);
        if (!again.ok() || market::encode_snapshot(*again) != stored) return false;
    }
    return true;
}

}  // namespace scanmq::tests
