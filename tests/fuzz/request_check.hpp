#pragma once
// What the decoders of scan requests and results promise for any bytes: a value that can be written and
// read again, the same, or an error that says something; and a request that decodes can be scanned.

#include <string>
#include <string_view>

#include "scanner/service/codec.hpp"
#include "scanner/service/engine.hpp"
#include "scanner/service/result_check.hpp"
#include "tests/support/priced_chains.hpp"

namespace scanmq::tests {

// Two expiries, so that every strategy has something to do.
inline const market::PricedChain& small_chain() {
    static const market::PricedChain chain = [] {
        Rng rng(3);
        return testing::random_chain(rng, {.expiries = 4, .strikes = 6});
    }();
    return chain;
}

inline bool request_keeps_promises(const service::ScanRequest& request) {
    const std::string first = service::encode(request, service::Encoding::msgpack);
    const auto again = service::decode_request(first);
    if (!again || service::encode(*again, service::Encoding::msgpack) != first) return false;
    const auto result = service::scan(small_chain(), request);
    if (!result) return !result.error().message.empty();
    const std::string bytes = service::encode(*result, service::Encoding::msgpack);
    return service::check_result(bytes).ok() && service::decode_result(bytes).ok();
}

inline bool documents_keep_promises(std::string_view bytes) {
    const auto request = service::decode_request(bytes);
    if (!request && request.error().message.empty()) return false;
    if (request && !request_keeps_promises(*request)) return false;
    const auto result = service::decode_result(bytes);
    if (!result) return !result.error().message.empty();
    const std::string first = service::encode(*result, service::Encoding::msgpack);
    const auto again = service::decode_result(first);
    return again.ok() && service::encode(*again, service::Encoding::msgpack) == first;
}

}  // namespace scanmq::tests
