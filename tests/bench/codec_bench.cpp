// codec/...: one frame of 256 items to bytes and back; items_per_second is jobs.

#include <benchmark/benchmark.h>

#include "common/protocol/codec.hpp"

namespace scanmq::protocol {
namespace {

constexpr int kBatch = 256;
const Header kHeader{kProducer, SessionId{1ULL << 60}, 1000};
const std::string kBody(200, 'x');

Message submit() {
    Submit m;
    m.queue = "scans";
    for (int i = 0; i < kBatch; ++i) {
        Job job;
        job.id.bytes.fill(static_cast<std::uint8_t>(i));
        job.subject = "SPY.vertical";
        job.payload = {kBody, 0};
        m.jobs.push_back(std::move(job));
    }
    return m;
}

Message results() {
    Results m;
    for (int i = 0; i < kBatch; ++i) {
        Entry e;
        e.offset = 1'000'000U + static_cast<std::uint64_t>(i);
        e.kind = EntryKind::job;
        e.id.bytes.fill(static_cast<std::uint8_t>(i));
        e.subject = "SPY.vertical";
        e.outcome = FinalOutcome::done;
        e.body = {kBody, 0};
        m.entries.push_back(e);
    }
    return m;
}

void encode_frame(benchmark::State& state, const Message& message) {
    std::string out;
    for (auto _ : state) {
        out.clear();
        encode(kHeader, message, out);
        benchmark::DoNotOptimize(out.data());
    }
    state.SetItemsProcessed(state.iterations() * kBatch);
}

void decode_frame(benchmark::State& state, const Message& message) {
    std::string bytes;
    encode(kHeader, message, bytes);
    Decoder decoder;
    for (auto _ : state) {
        auto frame = decoder.decode(bytes);
        benchmark::DoNotOptimize(frame.ok());
    }
    state.SetItemsProcessed(state.iterations() * kBatch);
}

const bool kRegistered = [] {
    static const Message submit_message = submit();
    static const Message results_message = results();
    benchmark::RegisterBenchmark("codec/encode_submit/256",
                                 [](benchmark::State& s) { encode_frame(s, submit_message); });
    benchmark::RegisterBenchmark("codec/decode_submit/256",
                                 [](benchmark::State& s) { decode_frame(s, submit_message); });
    benchmark::RegisterBenchmark("codec/encode_results/256",
                                 [](benchmark::State& s) { encode_frame(s, results_message); });
    benchmark::RegisterBenchmark("codec/decode_results/256",
                                 [](benchmark::State& s) { decode_frame(s, results_message); });
    return true;
}();

}  // namespace
}  // namespace scanmq::protocol
