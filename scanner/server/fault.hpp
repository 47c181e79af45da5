#pragma once
// Fault: a failure that tests ask the scan service for.
//
// Text:    "none", "slow:5s" (each scan takes that much longer, in its place), "status:500" (each scan is
//          answered so, at once), "garbage" (each scan is answered 200 with bytes that mean nothing).
// Threads: a value.

#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/base/time.hpp"

namespace scanmq::scand {

struct Fault {
    Duration slow{};
    int status{};  // 0: none
    bool garbage{};

    [[nodiscard]] bool any() const noexcept { return slow > Duration{} || status != 0 || garbage; }
};

// Error: a sentence that names what there is.
[[nodiscard]] Result<Fault, std::string> parse_fault(std::string_view text);
[[nodiscard]] std::string to_text(const Fault& fault);

}  // namespace scanmq::scand
