// Where a scan's chains come from: files, the sample market, or snapshots that a broker has.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "client/cli/rows.hpp"
#include "client/cli/scan_run.hpp"
#include "client/cli/session.hpp"
#include "common/base/nearest.hpp"
#include "common/base/scheduling.hpp"
#include "common/compress/zstd.hpp"
#include "scanner/market/sample_market.hpp"
#include "scanner/market/snapshot.hpp"

namespace scanmq::cli {
namespace {

// Snapshots on their way at once: few syncs of the broker's cover them. Of large ones fewer.
constexpr std::size_t kPutTogether = protocol::kLimits.blob_puts_per_session_max;
constexpr std::size_t kPutTogetherBytes = 8U << 20;

std::string dated(const market::Chain& chain) {
    return fmt::format("{}@{:04}-{:02}-{:02}", chain.symbol, chain.as_of_date / 10'000,
                       chain.as_of_date / 100 % 100, chain.as_of_date % 100);
}

// Symbols as labels; with the day where a symbol comes more than once.
void give_labels(std::vector<ScanInput>& inputs) {
    std::map<std::string, int> times;
    for (const ScanInput& input : inputs) ++times[input.symbol];
    for (ScanInput& input : inputs) {
        input.label = times[input.symbol] > 1 ? dated(input.chain) : input.symbol;
    }
}

ScanInput input_of(market::Chain chain) {
    ScanInput input;
    input.symbol = chain.symbol;
    input.chain = std::move(chain);
    return input;
}

void tell_left_out(const std::string& path, const market::ReadReport& report,
                   std::vector<ScanFailure>& failures) {
    for (const std::string& line : market::report_lines(report)) {
        fmt::print(stderr, "{}: {}\n", path, line);
    }
    for (const market::Error& error : report.files_failed) {
        failures.push_back({path, "unread", market::to_string(error.code), error.message});
    }
}

}  // namespace

Result<std::vector<ScanInput>, Problem> read_inputs(const std::string& path,
                                                    const market::ReadOptions& options,
                                                    std::vector<ScanFailure>& failures) {
    auto report = market::read_chains(path, options);
    if (!report) {
        return fail(Problem{ExitCode::failed, market::to_string(report.error().code),
                            report.error().message});
    }
    tell_left_out(path, *report, failures);
    std::vector<ScanInput> inputs;
    for (market::Chain& chain : report->chains) inputs.push_back(input_of(std::move(chain)));
    give_labels(inputs);
    return inputs;
}

std::vector<ScanInput> sample_inputs(std::uint32_t symbols, std::uint64_t seed) {
    market::SampleMarketOptions options;
    options.seed = seed;
    options.symbols = symbols;
    std::vector<ScanInput> inputs;
    for (std::uint32_t i = 0; i < symbols; ++i) {
        inputs.push_back(input_of(market::sample_chain(options, i)));
    }
    give_labels(inputs);
    return inputs;
}

Result<void, Problem> publish(client::Client& client, std::vector<ScanInput>& inputs,
                              KeepBytes keep, Progress::Mode mode) {
    Progress progress(mode);
    for (std::size_t first = 0, end = 0; first < inputs.size(); first = end) {
        // What is put stays where it is until then.
        std::array<std::string, kPutTogether> bytes;
        std::array<std::optional<std::string>, kPutTogether> frames;
        std::vector<client::Client::BlobToPut> blobs;
        std::size_t together = 0;
        for (; end < inputs.size() && end - first < kPutTogether && together < kPutTogetherBytes;
             ++end) {
            std::string& raw = bytes[end - first];
            std::optional<std::string>& frame = frames[end - first];
            raw = market::encode_snapshot(inputs[end].chain);
            together += raw.size();
            inputs[end].chain = {};
            give_way();
            frame = compress::zstd_if_it_pays(raw);
            give_way();
            blobs.push_back({raw, protocol::BlobType::snapshot, inputs[end].label,
                             frame ? ByteView(*frame) : ByteView()});
        }
        const auto ids = client.put_blobs(blobs);
        if (!ids) {
            const std::string which = end - first == 1
                                          ? inputs[first].label
                                          : inputs[first].label + " to " + inputs[end - 1].label;
            return fail(problem_of(ids.error(), "cannot store the snapshots of " + which));
        }
        for (std::size_t i = first; i < end; ++i) {
            inputs[i].snapshot = (*ids)[i - first];
            if (keep == KeepBytes::no) continue;
            std::string& raw = bytes[i - first];
            std::optional<std::string>& frame = frames[i - first];
            inputs[i].kept_size = frame ? raw.size() : 0;
            inputs[i].kept = frame ? std::move(*frame) : std::move(raw);
        }
        progress.update(end, inputs.size(), 0, std::chrono::steady_clock::now());
    }
    return {};
}

client::Result<ContentId> publish_again(client::Client& client, const ScanInput& input) {
    std::optional<std::string> raw;
    if (input.kept_size != 0) raw = compress::unzstd(input.kept, input.kept_size);
    const client::Client::BlobToPut one[] = {{raw ? *raw : input.kept, protocol::BlobType::snapshot,
                                              input.label,
                                              raw ? ByteView(input.kept) : ByteView()}};
    auto ids = client.put_blobs(one);
    if (!ids) return fail(std::move(ids).error());
    return ids->front();
}

Result<std::vector<ScanInput>, Problem> find_snapshots(client::Client& client,
                                                       const std::vector<std::string>& labels,
                                                       bool all) {
    const auto rows = client.query("snapshots");
    if (!rows) return fail(problem_of(rows.error(), "cannot list snapshots"));
    std::map<std::string, const protocol::Row*> newest;
    for (const protocol::Row& row : *rows) {
        const std::string label = text_of(row, "label");
        if (text_of(row, "id").empty() || (label.empty() && all)) continue;
        const protocol::Row*& kept = newest[label];
        if (kept == nullptr || number_of(row, "age_ms") < number_of(*kept, "age_ms")) kept = &row;
    }
    std::vector<std::string> wanted = labels;
    if (all) {
        for (const auto& [label, row] : newest) wanted.push_back(label);
    }
    std::vector<ScanInput> inputs;
    for (const std::string& label : wanted) {
        const auto at = newest.find(label);
        if (at == newest.end()) {
            std::vector<std::string_view> known;
            for (const auto& [name, row] : newest) known.push_back(name);
            const std::string_view near = nearest_name(label, known);
            return fail(Problem{
                ExitCode::failed, "unknown_snapshot",
                fmt::format("the broker has no snapshot labelled \"{}\"{}; scanmq snapshot list "
                            "tells what it has",
                            label,
                            near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near))});
        }
        ScanInput input;
        input.label = label;
        input.symbol = label.substr(0, label.find('@'));
        const auto id = ContentId::parse_hex(text_of(*at->second, "id"));
        if (!id)
            return fail(
                Problem{ExitCode::failed, "malformed", "the broker sent an id that is none"});
        input.snapshot = *id;
        inputs.push_back(std::move(input));
    }
    if (inputs.empty()) {
        return fail(
            Problem{ExitCode::failed, "unknown_snapshot",
                    "the broker has no labelled snapshots; store some with scanmq snapshot put"});
    }
    return inputs;
}

}  // namespace scanmq::cli
