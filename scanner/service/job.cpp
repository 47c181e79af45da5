#include "scanner/service/job.hpp"

#include <utility>
#include <vector>

#include "scanner/market/snapshot.hpp"
#include "scanner/service/codec.hpp"
#include "scanner/service/engine.hpp"

namespace scanmq::service {

namespace {

// Spreads of chains that were scanned and not merged yet.
constexpr std::size_t kSpreadsMax = 50'000;

Failure<Error> invalid(std::string message) {
    return fail(Error{ErrorCode::invalid_request, std::move(message)});
}

Failure<Error> cancelled() { return fail(Error{ErrorCode::cancelled, "the scan was cancelled"}); }

}  // namespace

// The columns of chain.hpp and priced_chain.hpp.
std::uint64_t memory_of(const market::PricedChain& priced) {
    constexpr std::uint64_t kChainRow = 7 * sizeof(double) + 2 * sizeof(std::uint32_t) +
                                        sizeof(std::uint16_t) + sizeof(market::Right);
    constexpr std::uint64_t kPricedRow =
        sizeof(double) + sizeof(pricing::IvStatus) + sizeof(pricing::Greeks);
    constexpr std::uint64_t kExpiryRow = sizeof(market::Expiry) + sizeof(market::ExpiryMarket);
    return priced.chain->size() * (kChainRow + kPricedRow) + priced.expiries.size() * kExpiryRow +
           sizeof(market::PricedChain) + sizeof(market::Chain);
}

namespace {

template <class Release>
OpenedSnapshot open(ByteView bytes, const Release& release) {
    auto chain = market::decode_snapshot(bytes);
    if (!chain) return {nullptr, 0, chain.error().message};
    release();
    auto priced = std::make_shared<const market::PricedChain>(
        market::price_chain(std::make_shared<const market::Chain>(std::move(chain).value())));
    const std::uint64_t memory = memory_of(*priced);
    return {std::move(priced), memory, {}};
}

}  // namespace

OpenedSnapshot open_snapshot(ByteView bytes) {
    return open(bytes, [] {});
}

OpenedSnapshot open_snapshot_once(std::string& bytes) {
    return open(bytes, [&] { std::string().swap(bytes); });
}

Result<ScanRequest, Error> job_request(ByteView payload, std::optional<std::int64_t> as_of_ns) {
    constexpr std::int64_t kNanosPerMilli = 1'000'000;
    auto request = decode_request(payload);
    if (!request) return fail(request.error());
    if (as_of_ns && !request->as_of) {
        if (*as_of_ns < kNanosPerMilli) return invalid("as_of_ns must be after 1970-01-01 UTC");
        request->as_of = *as_of_ns / kNanosPerMilli;
    }
    return std::move(request).value();
}

namespace {

// What a cancelled scan leaves of it nobody sees. Shared chains are priced without: others use them, too.
market::PricedChain price_anew(const market::PricedChain& shared, const ScanRequest& request,
                               const std::atomic<bool>* cancel) {
    auto options = pricing_options(request, shared.chain->symbol);
    options.cancel = cancel;
    return market::price_chain(shared.chain, options);
}

}  // namespace

Result<ScanResult, Error> scan_chains(const ScanRequest& request, std::span<const JobChain> chains,
                                      const ScanHooks& hooks) {
    const bool own_pricing = wants_own_pricing(request);
    if (hooks.total != nullptr) {
        std::uint64_t steps = 0;
        for (const JobChain& each : chains) steps += scan_steps(*each.chain->chain, request);
        hooks.total->store(steps, std::memory_order_relaxed);
    }
    hooks.say("scanning");
    std::vector<ScanResult> results;
    std::size_t spreads = 0;
    for (const JobChain& each : chains) {
        if (hooks.cancelled()) return cancelled();
        const market::PricedChain& shared = *each.chain;
        auto result = own_pricing ? scan(price_anew(shared, request, hooks.cancel), request,
                                         hooks.cancel, hooks.done)
                                  : scan(shared, request, hooks.cancel, hooks.done);
        if (!result) return fail(result.error());
        result->snapshot = each.id.hex();
        spreads += result->spreads.size() + result->arbitrage.size();
        results.push_back(std::move(result).value());
        if (results.size() < 2 || spreads < kSpreadsMax) continue;
        // The best of the best so far are the best: memory does not grow with the number of chains.
        ScanResult merged = merge_results(std::move(results), request.limit);
        spreads = merged.spreads.size() + merged.arbitrage.size();
        results.clear();
        results.push_back(std::move(merged));
    }
    if (hooks.cancelled()) return cancelled();
    if (results.size() == 1) return std::move(results.front());
    return merge_results(std::move(results), request.limit);
}

Result<std::string, Error> run_job(const Job& job, const ScanHooks& hooks) {
    if (job.inputs == 0) {
        return invalid("the job names no snapshot: put a chain and give its id in `inputs`");
    }
    const auto request = job_request(job.payload, job.as_of_ns);
    if (!request) return fail(request.error());
    hooks.say("pricing");
    std::vector<JobChain> chains;
    for (std::size_t i = 0; i < job.inputs; ++i) {
        if (hooks.cancelled()) return cancelled();
        auto chain = job.open(i);
        if (!chain) return invalid(std::move(chain).error());
        chains.push_back(*chain);
    }
    const auto result = scan_chains(*request, chains, hooks);
    if (!result) return fail(result.error());
    return encode(*result, Encoding::msgpack);
}

}  // namespace scanmq::service
