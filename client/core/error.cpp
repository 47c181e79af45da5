#include "client/core/error.hpp"

namespace scanmq::client {

std::string_view to_string(ErrorKind kind) noexcept {
    switch (kind) {
        case ErrorKind::refused:
            return "refused";
        case ErrorKind::invalid:
            return "invalid";
        case ErrorKind::timed_out:
            return "timed_out";
        case ErrorKind::buffer_full:
            return "buffer_full";
        case ErrorKind::interrupted:
            return "interrupted";
        case ErrorKind::closed:
            return "closed";
        case ErrorKind::io:
            return "io";
        case ErrorKind::transport:
            return "transport";
    }
    return "?";
}

}  // namespace scanmq::client
