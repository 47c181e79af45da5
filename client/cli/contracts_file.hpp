#pragma once
// The file of --contracts: what option roots say of their contracts, in place of what is shipped.
//
// Contract: docs/SCANNER.md#contracts; docs/contracts.toml is the shipped table in this form.
// Errors:   one sentence that names file and line and what would be right; an unknown key names the
//           nearest known one.

#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "scanner/market/contracts.hpp"
#include "scanner/service/request.hpp"

namespace scanmq::cli {

[[nodiscard]] Result<market::ContractTable, std::string> read_contracts_file(
    const std::string& path);
// The same from text that is in memory; `path` stands for it in errors.
[[nodiscard]] Result<market::ContractTable, std::string> parse_contracts_file(
    std::string_view text, const std::string& path);

// Puts into a request what the table says of ticks and margins where that is not what is shipped, unless the
// request has rows of its own; and the fee, where the table names one.
void add_contracts(const market::ContractTable& table, service::ScanRequest& request);

}  // namespace scanmq::cli
