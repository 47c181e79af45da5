#include "worker/scanners/embedded_scanner.hpp"

#include <exception>
#include <utility>
#include <vector>

#include "scanner/market/priced_chain.hpp"
#include "scanner/market/snapshot.hpp"
#include "scanner/service/codec.hpp"
#include "scanner/service/engine.hpp"

namespace scanmq::worker {

namespace {

// What a chain and its prices take in memory: the columns of chain.hpp and priced_chain.hpp.
std::uint64_t memory_of(const market::PricedChain& priced) {
    constexpr std::uint64_t kChainRow = 7 * sizeof(double) + 2 * sizeof(std::uint32_t) +
                                        sizeof(std::uint16_t) + sizeof(market::Right);
    constexpr std::uint64_t kPricedRow =
        sizeof(double) + sizeof(pricing::IvStatus) + sizeof(pricing::Greeks);
    constexpr std::uint64_t kExpiryRow = sizeof(market::Expiry) + sizeof(market::ExpiryMarket);
    return priced.chain->size() * (kChainRow + kPricedRow) + priced.expiries.size() * kExpiryRow +
           sizeof(market::PricedChain) + sizeof(market::Chain);
}

Decoded decode(ByteView bytes) {
    auto chain = market::decode_snapshot(bytes);
    if (!chain) return {nullptr, 0, chain.error().message};
    auto priced = std::make_shared<const market::PricedChain>(
        market::price_chain(std::make_shared<const market::Chain>(std::move(chain).value())));
    const std::uint64_t memory = memory_of(*priced);
    return {std::move(priced), memory, {}};
}

void scan_all(const Task& task, Outcome& out) {
    if (task.inputs.empty()) {
        return out.rejected("the job names no snapshot: put a chain and give its id in `inputs`");
    }
    const auto request = service::decode_request(task.payload);
    if (!request) return out.rejected(request.error().message);
    const bool own_pricing = request->rate.has_value() || request->as_of.has_value();

    std::vector<service::ScanResult> results;
    for (const std::shared_ptr<Input>& input : task.inputs) {
        const Decoded& decoded = input->decoded(decode);
        if (decoded.object == nullptr) {
            return out.rejected("snapshot " + input->id().hex() + ": " + decoded.problem);
        }
        const auto& shared = *static_cast<const market::PricedChain*>(decoded.object.get());
        auto result =
            own_pricing ? service::scan(
                              market::price_chain(shared.chain, service::pricing_options(*request)),
                              *request, task.cancel)
                        : service::scan(shared, *request, task.cancel);
        if (!result) {
            if (result.error().code == service::ErrorCode::cancelled) {
                return out.failed(result.error().message);
            }
            return out.rejected(result.error().message);
        }
        result->snapshot = input->id().hex();
        results.push_back(std::move(result).value());
    }
    const service::ScanResult merged =
        results.size() == 1 ? std::move(results.front())
                            : service::merge_results(std::move(results), request->limit);
    out.storage = service::encode(merged, service::Encoding::msgpack);
    out.body = out.storage;
}

}  // namespace

std::string EmbeddedScanner::version() const { return service::kEngineVersion; }

void EmbeddedScanner::run(const Task& task, Outcome& out) const noexcept {
    try {
        scan_all(task, out);
    } catch (const std::exception& error) {
        out.body = {};
        out.failed(std::string("the scan threw: ") + error.what());
    }
}

}  // namespace scanmq::worker
