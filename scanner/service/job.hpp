#pragma once
// A scan job as workers and the scan service run it: payload and snapshots in, result bytes out.
//
// Payload:  a scan request, JSON or msgpack (docs/SCAN_REQUEST.md); the snapshots to scan, one or more
//           (docs/SNAPSHOT.md). The best of several are merged.
// Clock:    the request's as_of_ms; where it has none, the job's as_of_ns, in whole milliseconds; where
//           that is absent, too, each snapshot's own moment.
// Progress: in steps of one expiry and strategy, over all snapshots.
// Threads:  pure functions but for the hooks, which may be shared.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "common/base/bytes.hpp"
#include "common/base/id.hpp"
#include "common/base/result.hpp"
#include "scanner/market/priced_chain.hpp"
#include "scanner/service/request.hpp"
#include "scanner/service/result.hpp"

namespace scanmq::service {

// Each may be null.
struct ScanHooks {
    const std::atomic<bool>*
        cancel{};  // once true the scan ends, `cancelled`, within a millisecond
    std::atomic<std::uint64_t>* done{};
    std::atomic<std::uint64_t>* total{};  // 0: not known yet
    std::atomic<const char*>* note{};     // a string literal: what it does

    [[nodiscard]] bool cancelled() const noexcept {
        return cancel != nullptr && cancel->load(std::memory_order_relaxed);
    }
    void say(const char* text) const noexcept {
        if (note != nullptr) note->store(text, std::memory_order_relaxed);
    }
};

// A snapshot that was read and priced at its own moment.
struct OpenedSnapshot {
    std::shared_ptr<const market::PricedChain> chain;  // null: it could not be read
    std::uint64_t memory{};                            // bytes, for caches
    std::string problem;                               // a sentence, when there is no chain
};
[[nodiscard]] OpenedSnapshot open_snapshot(ByteView bytes);
// The same, and the bytes are gone before the chain is priced: both together take most memory.
[[nodiscard]] OpenedSnapshot open_snapshot_once(std::string& bytes);
// Bytes that a priced chain takes.
[[nodiscard]] std::uint64_t memory_of(const market::PricedChain& priced);

struct JobChain {
    ContentId id;
    const market::PricedChain* chain{};
};

// The request of a job's payload, with the job's clock where it names none. Errors: malformed,
// invalid_request.
[[nodiscard]] Result<ScanRequest, Error> job_request(ByteView payload,
                                                     std::optional<std::int64_t> as_of_ns);

// Scans each chain, merges what comes out and names the snapshots. Chains are priced anew where the
// request has a rate or a clock of its own. Errors: invalid_request, symbol_mismatch, cancelled.
[[nodiscard]] Result<ScanResult, Error> scan_chains(const ScanRequest& request,
                                                    std::span<const JobChain> chains,
                                                    const ScanHooks& hooks);

struct Job {
    ByteView payload;
    std::optional<std::int64_t> as_of_ns;
    std::size_t inputs{};
    // The i-th input's chain, which lives until run_job() returns. Error: a sentence.
    std::function<Result<JobChain, std::string>(std::size_t)> open;
};

// The result in msgpack. Errors: as scan_chains(), and invalid_request for a job without inputs or with
// one that cannot be read. Throws what the library throws: out of memory.
[[nodiscard]] Result<std::string, Error> run_job(const Job& job, const ScanHooks& hooks);

}  // namespace scanmq::service
