#include "scanner/market/error.hpp"

namespace scanmq::market {

const char* to_string(ErrorCode code) noexcept {
    switch (code) {
        case ErrorCode::cannot_read_file:
            return "cannot_read_file";
        case ErrorCode::unknown_format:
            return "unknown_format";
        case ErrorCode::empty_file:
            return "empty_file";
        case ErrorCode::missing_column:
            return "missing_column";
        case ErrorCode::bad_number:
            return "bad_number";
        case ErrorCode::bad_date:
            return "bad_date";
        case ErrorCode::bad_field:
            return "bad_field";
        case ErrorCode::missing_value:
            return "missing_value";
        case ErrorCode::bad_mapping:
            return "bad_mapping";
        case ErrorCode::truncated_row:
            return "truncated_row";
        case ErrorCode::no_contracts:
            return "no_contracts";
        case ErrorCode::too_large:
            return "too_large";
        case ErrorCode::bad_snapshot:
            return "bad_snapshot";
        case ErrorCode::unsupported_snapshot:
            return "unsupported_snapshot";
    }
    return "unknown";
}

}  // namespace scanmq::market
