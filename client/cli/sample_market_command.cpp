// scanmq sample-market: a made-up market, as snapshots in a directory or as a summary.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "client/cli/command.hpp"
#include "client/cli/files.hpp"
#include "client/cli/scan_run.hpp"
#include "client/cli/session.hpp"
#include "client/cli/table.hpp"
#include "common/config/shared.hpp"
#include "scanner/market/snapshot.hpp"

namespace scanmq::cli {
namespace {

using Json = nlohmann::ordered_json;

Json describe(const market::Chain& chain) {
    std::uint64_t zero_bids = 0;
    for (const double bid : chain.bid) zero_bids += bid > 0.0 ? 0 : 1;
    return {{"symbol", chain.symbol},
            {"spot", chain.spot},
            {"expiries", chain.expiries.size()},
            {"contracts", chain.size()},
            {"zero_bids", zero_bids}};
}

}  // namespace

Outcome sample_market(Invocation& invocation) {
    std::uint32_t symbols = 8;
    std::uint64_t seed = 1;
    std::string out;
    config::Options declared(invocation.program, invocation.summary);
    declared.number("symbols", symbols, {1U, kSymbolsMax}, "symbols", "How many chains");
    declared.number("seed", seed, {}, "", "The same seed gives the same market");
    declared.text("out", out,
                  "Directory for one snapshot file a symbol; without it, only the summary");
    config::add_json(declared, invocation.json);
    if (auto over = parse(declared, invocation)) return *std::move(over);
    if (!out.empty()) {
        if (const auto made = make_directory(out); !made) return fail(made.error());
    }

    Json list = Json::array();
    Table table({{"symbol"},
                 {"spot", Align::right},
                 {"expiries", Align::right},
                 {"contracts", Align::right},
                 {"zero bids", Align::right}});
    std::uint64_t contracts = 0;
    for (const ScanInput& input : sample_inputs(symbols, seed)) {
        Json row = describe(input.chain);
        contracts += input.chain.size();
        if (!out.empty()) {
            const std::string path = fmt::format("{}/{}.snapshot", out, input.label);
            if (const auto written = write_file(path, market::encode_snapshot(input.chain));
                !written) {
                return fail(written.error());
            }
            row["file"] = path;
        }
        table.add({input.symbol, fmt::format("{:.2f}", input.chain.spot), row["expiries"].dump(),
                   row["contracts"].dump(), row["zero_bids"].dump()});
        list.push_back(std::move(row));
    }
    if (invocation.json) {
        fmt::print(
            "{}\n",
            Json{{"seed", seed}, {"contracts", contracts}, {"symbols", std::move(list)}}.dump());
    } else {
        fmt::print("{}\n{} contracts of {} symbols{}\n", table.text(), grouped(contracts), symbols,
                   out.empty() ? std::string{} : " written to " + out);
    }
    return ExitCode::ok;
}

}  // namespace scanmq::cli
