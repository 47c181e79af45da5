#include "scanner/market/smile.hpp"

namespace scanmq::market {

const char* to_string(SmileStatus status) noexcept {
    switch (status) {
        case SmileStatus::none:
            return "none";
        case SmileStatus::fitted:
            return "fitted";
        case SmileStatus::repaired:
            return "repaired";
        case SmileStatus::few_quotes:
            return "few_quotes";
        case SmileStatus::butterfly:
            return "butterfly";
    }
    return "unknown";
}

}  // namespace scanmq::market
