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

void say(const Task& task, const char* note) {
    if (task.progress != nullptr) task.progress->note.store(note, std::memory_order_relaxed);
}

// The request, with the job's pricing clock where it names none itself. Errors: a sentence.
Result<service::ScanRequest, std::string> request_of(const Task& task) {
    constexpr std::int64_t kNanosPerMilli = 1'000'000;
    auto request = service::decode_request(task.payload);
    if (!request) return fail(request.error().message);
    if (task.as_of_ns && !request->as_of) {
        if (*task.as_of_ns < kNanosPerMilli) {
            return fail(std::string("as_of_ns must be after 1970-01-01 UTC"));
        }
        request->as_of = *task.as_of_ns / kNanosPerMilli;
    }
    return std::move(request).value();
}

void scan_all(const Task& task, Outcome& out) {
    if (task.inputs.empty()) {
        return out.rejected("the job names no snapshot: put a chain and give its id in `inputs`");
    }
    const auto request = request_of(task);
    if (!request) return out.rejected(request.error());
    const bool own_pricing = request->rate.has_value() || request->as_of.has_value();

    say(task, "pricing");
    std::vector<const market::PricedChain*> chains;
    std::uint64_t steps = 0;
    for (const std::shared_ptr<Input>& input : task.inputs) {
        if (task.cancelled()) return out.failed("the scan was cancelled");
        const Decoded& decoded = input->decoded(decode);
        if (decoded.object == nullptr) {
            return out.rejected("snapshot " + input->id().hex() + ": " + decoded.problem);
        }
        chains.push_back(static_cast<const market::PricedChain*>(decoded.object.get()));
        steps += service::scan_steps(*chains.back()->chain, *request);
    }
    std::atomic<std::uint64_t>* done = nullptr;
    if (task.progress != nullptr) {
        task.progress->total.store(steps, std::memory_order_relaxed);
        done = &task.progress->done;
    }
    say(task, "scanning");

    std::vector<service::ScanResult> results;
    for (std::size_t i = 0; i < chains.size(); ++i) {
        if (task.cancelled()) return out.failed("the scan was cancelled");
        const market::PricedChain& shared = *chains[i];
        auto result =
            own_pricing ? service::scan(
                              market::price_chain(shared.chain, service::pricing_options(*request)),
                              *request, task.cancel, done)
                        : service::scan(shared, *request, task.cancel, done);
        if (!result) {
            if (result.error().code == service::ErrorCode::cancelled) {
                return out.failed(result.error().message);
            }
            return out.rejected(result.error().message);
        }
        result->snapshot = task.inputs[i]->id().hex();
        results.push_back(std::move(result).value());
    }
    if (task.cancelled()) return out.failed("the scan was cancelled");
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
