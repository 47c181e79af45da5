#pragma once
// BatchResult: the results of one scan over many symbols, merged as they come.
//
// Exact:   keeping the best `limit` after each symbol gives what one merge of all would give
//          (scanner/service/engine.hpp).
// Threads: a value of the gateway's thread.
// Limits:  at most `limit` spreads, and one failure a symbol.
// See:     docs/HTTP_API.md, "Batches"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/id.hpp"
#include "common/protocol/kinds.hpp"
#include "scanner/service/result.hpp"

namespace scanmq::gateway {

// How a job ended: its stream's entry, or (refused) the broker's answer to its submission. An entry
// `done` with a code is one whose result could not be fetched.
struct Ended {
    bool refused = false;  // it was never taken: code and sentence say why
    protocol::FinalOutcome outcome{};
    protocol::ErrorCode code{};
    std::string sentence;
    std::string body;
    Id128 group;  // of a job of a batch, where its entry was read

    [[nodiscard]] bool done() const noexcept {
        return !refused && outcome == protocol::FinalOutcome::done &&
               code == protocol::ErrorCode::none;
    }
    // "done", "cancelled" ...; "refused".
    [[nodiscard]] std::string_view name() const noexcept {
        return refused ? std::string_view("refused") : protocol::to_string(outcome);
    }
};

struct SymbolFailure {
    std::string symbol;
    std::string outcome;
    std::string code;
    std::string sentence;
};

class BatchResult {
  public:
    BatchResult(std::uint32_t symbols, std::uint32_t limit) : symbols_(symbols), limit_(limit) {}

    void add(std::string_view symbol, const Ended& ended);
    // A symbol that was not even submitted.
    void refuse(std::string_view symbol, std::string_view code, std::string_view sentence);

    [[nodiscard]] std::uint32_t symbols() const noexcept { return symbols_; }
    [[nodiscard]] std::uint32_t ended() const noexcept { return ended_; }
    [[nodiscard]] bool complete() const noexcept { return ended_ >= symbols_; }
    // nullptr until the first symbol was scanned.
    [[nodiscard]] const service::ScanResult* merged() const noexcept {
        return merged_ ? &*merged_ : nullptr;
    }
    [[nodiscard]] const std::vector<SymbolFailure>& failures() const noexcept { return failures_; }
    // Memory, about.
    [[nodiscard]] std::uint64_t bytes() const noexcept;

  private:
    std::uint32_t symbols_;
    std::uint32_t limit_;
    std::uint32_t ended_ = 0;
    std::optional<service::ScanResult> merged_;
    std::vector<SymbolFailure> failures_;
};

}  // namespace scanmq::gateway
