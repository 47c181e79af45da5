#pragma once
// What the commands that only ask the broker share.

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "client/cli/command.hpp"
#include "common/base/id.hpp"
#include "common/base/result.hpp"

namespace scanmq::cli {

enum class QueueArgument { none, optional, required };

// A command that lists the rows of a topic.
Outcome list_topic(Invocation& invocation, std::string_view topic,
                   std::initializer_list<std::string_view> columns, QueueArgument queue);

// Ids of jobs as 32 hexadecimal digits. Problem: usage, naming the one that is none.
[[nodiscard]] Result<std::vector<Id128>, Problem> read_ids(const std::vector<std::string>& texts);

}  // namespace scanmq::cli
