#pragma once
// The flags of `scanmq scan` that say what to look for, as a ScanRequest.
//
// Ranges are written "a..b", "a.." or "..b", both ends included. A flag that is not given leaves
// the request's own default (or what --request read).

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/cli/command.hpp"
#include "client/cli/read_flags.hpp"
#include "common/config/options.hpp"
#include "scanner/filter/filter.hpp"
#include "scanner/service/request.hpp"

namespace scanmq::cli {

struct RequestFlags {
    std::string request_file;
    std::vector<std::string> strategies;
    std::vector<std::string> filters;  // "liquidity:min_bid=0.1,max_spread=0.5"
    std::string delta;
    std::string dte;
    std::string iv;
    std::string width;
    std::string pop;
    std::string preset = "balanced";
    std::string fill = "natural";
    double fee = strategy::kDefaultFeePerContract;
    double rate = 0.0;
    std::string volatility = "smile";
    std::string best_per = "spread";
    std::vector<std::string> dividends;  // "2024-05-10:0.50"
    bool exact_count = false;
    std::string delta_stance;
    std::string vega_stance;
    std::uint32_t limit = 20;
};

void add_request_flags(config::Options& declared, RequestFlags& flags);
// The first of them on the command line, such as "--strategy"; empty: none.
[[nodiscard]] std::string request_flag_of(const Invocation& invocation);

// The request, checked as the engine checks it, with what the flags of files say of it where they are
// given: spot, clock, and what roots of --contracts cost. Problem: usage, in the engine's own words.
[[nodiscard]] Result<service::ScanRequest, Problem> make_request(
    const config::Options& declared, const RequestFlags& flags, const ReadSettings* read = nullptr);

// "0.1..0.3" as the filter `type` with min and max. Problem: usage.
[[nodiscard]] Result<filter::FilterSpec, Problem> parse_range(std::string_view type,
                                                              std::string_view text);
// "type:param=value,...". Values: numbers, true, false, else text.
[[nodiscard]] Result<filter::FilterSpec, Problem> parse_filter(std::string_view text);

}  // namespace scanmq::cli
