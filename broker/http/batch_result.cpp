#include "broker/http/batch_result.hpp"

#include <utility>

#include "scanner/service/codec.hpp"
#include "scanner/service/engine.hpp"

namespace scanmq::gateway {

namespace {
// A spread of four legs with its texts, a source, a failure: measured on the sample market, rounded up.
constexpr std::uint64_t kSpreadBytes = 1536;
constexpr std::uint64_t kSourceBytes = 160;
constexpr std::uint64_t kFailureBytes = 384;
}  // namespace

void BatchResult::add(std::string_view symbol, const Ended& ended) {
    ++ended_;
    if (!ended.done()) {
        failures_.push_back({std::string(symbol), std::string(ended.name()),
                             std::string(protocol::to_string(ended.code)), ended.sentence});
        return;
    }
    auto result = service::decode_result(ended.body);
    if (!result) {
        failures_.push_back({std::string(symbol), "done",
                             service::to_string(service::ErrorCode::invalid_result),
                             result.error().message});
        return;
    }
    std::vector<service::ScanResult> parts;
    if (merged_) parts.push_back(std::move(*merged_));
    parts.push_back(std::move(*result));
    merged_ = service::merge_results(std::move(parts), limit_);
}

void BatchResult::refuse(std::string_view symbol, std::string_view code,
                         std::string_view sentence) {
    ++ended_;
    failures_.push_back({std::string(symbol), "refused", std::string(code), std::string(sentence)});
}

std::uint64_t BatchResult::bytes() const noexcept {
    std::uint64_t out = failures_.size() * kFailureBytes;
    if (merged_) {
        out += (merged_->spreads.size() + merged_->arbitrage.size()) * kSpreadBytes +
               merged_->sources.size() * kSourceBytes;
    }
    return out;
}

}  // namespace scanmq::gateway
