#pragma once
// What the reader of the CSV of `scanmq price` and `scanmq iv` promises for any bytes: options within
// their bounds, which have a value and a volatility or a status, or a sentence that says what is wrong.

#include <algorithm>
#include <cmath>
#include <string_view>

#include "client/cli/option_input.hpp"
#include "client/cli/valuation.hpp"

namespace scanmq::tests {

inline bool option_is_sound(const cli::OptionInput& option, cli::OptionQuestion question) {
    if (!(option.underlying > 0) || !(option.strike > 0) || !(option.years >= 0)) return false;
    if (!std::is_sorted(option.dividends.begin(), option.dividends.end(),
                        [](const auto& a, const auto& b) { return a.years < b.years; })) {
        return false;
    }
    for (const auto& dividend : option.dividends) {
        if (!(dividend.years > 0 && dividend.years <= option.years && dividend.amount > 0)) {
            return false;
        }
    }
    if (!cli::valuation_problem(option).empty()) return true;
    if (question == cli::OptionQuestion::value) {
        return !std::isnan(cli::value_option(option).raw.price);
    }
    const auto found = cli::imply_volatility(option);
    return (found.status == pricing::IvStatus::ok) == (found.volatility >= 0.0);
}

inline bool options_keep_promises(std::string_view bytes) {
    constexpr std::size_t kValued = 8;  // American ones take their time
    constexpr WallMillis kNow = 1'718'200'000'000;
    cli::OptionFlags flags;
    flags.input = "fuzz.csv";
    for (const auto question :
         {cli::OptionQuestion::value, cli::OptionQuestion::implied_volatility}) {
        const auto options = cli::read_options(flags, bytes, question, kNow);
        if (!options) {
            if (options.error().sentence.substr(0, 8) != "fuzz.csv") return false;
            continue;
        }
        if (options->empty()) return false;
        for (std::size_t i = 0; i < std::min(options->size(), kValued); ++i) {
            if (!option_is_sound((*options)[i], question)) return false;
        }
    }
    return true;
}

}  // namespace scanmq::tests
