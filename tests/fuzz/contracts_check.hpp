#pragma once
// What the reader of --contracts files promises for any text: a table whose rows mean something and that
// readers and requests can use, or a sentence that says what is wrong.

#include <string>
#include <string_view>

#include "client/cli/contracts_file.hpp"
#include "scanner/service/codec.hpp"
#include "tests/fuzz/chain_check.hpp"

namespace scanmq::tests {

inline bool contracts_keep_promises(std::string_view bytes) {
    const auto table = cli::parse_contracts_file(bytes, "contracts.toml");
    if (!table) return table.error().substr(0, 14) == "contracts.toml";
    const auto& rows = table->rows();
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (!market::spec_problem(rows[i]).empty()) return false;
        if (i > 0 && !(rows[i - 1].root < rows[i].root)) return false;
    }
    market::ReadOptions options;
    options.contracts = &*table;
    if (!chains_keep_promises_with("Type,Strike,Bid,Ask,Expiration\ncall,100,1,2,2024-06-21\n",
                                   options)) {
        return false;
    }
    // Workers take the request that comes of it, unless there are more rows than one may have.
    service::ScanRequest request;
    cli::add_contracts(*table, request);
    const auto again =
        service::decode_request(service::encode(request, service::Encoding::msgpack));
    return again ? again->ticks == request.ticks : request.ticks.size() > service::kTicksMax;
}

}  // namespace scanmq::tests
