#pragma once
// JobInfo: what is known of a job that was sent, or that the broker made.

#include <string>
#include <vector>

#include "common/base/id.hpp"
#include "common/base/time.hpp"

namespace scanmq::sim {

struct JobInfo {
    std::string payload;
    std::string subject;
    Id128 group;
    Time first_sent;
    bool acknowledged{};
    bool cancelled{};
    bool has_deadline{};
    bool conflates{};
    bool sheddable{};
    bool fresh{};
    std::string inputs;  // beside its aliases
    std::vector<std::string> aliases{};
};

}  // namespace scanmq::sim
