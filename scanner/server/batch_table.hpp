#pragma once
// BatchTable: scans that clients can ask for by id: those under way, and finished batches with their
//             results.
//
// Threads: the loop.
// Limits:  results_max finished ones, results_bytes of their results; the oldest goes first. Those under
//          way are bounded by the desk.

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "scanner/api/answer.hpp"
#include "scanner/server/scan_desk.hpp"

namespace scanmq::scand {

struct TrackedScan {
    std::string id;
    std::vector<std::string> symbols;
    api::ScanState state{api::ScanState::queued};
    ScanDesk::Held ticket;  // while it is under way
    std::string spreads;    // of completed: api::spreads_list()
    std::vector<api::SymbolFailure> failures;
};

class BatchTable {
  public:
    BatchTable(std::uint32_t results_max, std::uint64_t results_bytes)
        : results_max_(results_max), results_bytes_(results_bytes) {}

    using Held = std::shared_ptr<TrackedScan>;  // shared with what waits for its end

    void add(const Held& scan) { scans_.emplace(scan->id, scan); }
    [[nodiscard]] Held find(std::string_view id) const;
    void forget(const Held& scan) { scans_.erase(scan->id); }
    // It has ended and is kept, while there is room.
    void keep(const Held& scan);

    [[nodiscard]] std::size_t count() const noexcept { return scans_.size(); }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::uint64_t evictions() const noexcept { return evictions_; }

  private:
    const std::uint32_t results_max_;
    const std::uint64_t results_bytes_;
    std::unordered_map<std::string, Held> scans_;
    std::deque<Held> finished_;  // the oldest first
    std::uint64_t bytes_ = 0;
    std::uint64_t evictions_ = 0;
};

}  // namespace scanmq::scand
