#pragma once
// DeskOptions: the limits of a Desk.

#include <cstdint>

#include "broker/http/broker_link.hpp"
#include "broker/http/job_book.hpp"
#include "common/base/time.hpp"

namespace scanmq::gateway {

struct DeskOptions {
    LinkOptions link;
    BookLimits book;
    std::uint32_t watches_max = 48;  // subscriptions for jobs under way: queues, and subjects
    std::uint32_t lookups_max = 4;   // searches of a stream at one time
    std::uint32_t fetches_max = 4;   // large results fetched at one time
    Duration watch_linger = std::chrono::seconds(30);
    Duration lookup_timeout = std::chrono::seconds(4);   // of a search: beyond a heartbeat
    Duration request_timeout = std::chrono::seconds(5);  // of a question to the broker
    Duration fetch_timeout = std::chrono::seconds(30);
};

}  // namespace scanmq::gateway
