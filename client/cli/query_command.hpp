#pragma once
// What the commands that only ask the broker share.

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "client/cli/command.hpp"
#include "common/base/id.hpp"
#include "common/base/result.hpp"
#include "common/protocol/messages.hpp"

namespace scanmq::cli {

enum class QueueArgument { none, optional, required };

// A command that lists the rows of a topic.
Outcome list_topic(Invocation& invocation, std::string_view topic,
                   std::initializer_list<std::string_view> columns, QueueArgument queue);

// A command that prints every figure of a topic's rows, with a blank line between them; `key` names the
// rows in JSON. `doing` says what failed when the broker refuses.
Outcome show_topic(Invocation& invocation, std::string_view topic, std::string_view key,
                   std::string_view doing);

// A topic that has rows for one job. In the sentences {queue} and {id} stand for the arguments.
struct JobTopic {
    std::string_view name;
    std::string_view id_help;  // of the argument
    std::string_view doing;    // what failed when the broker refuses
    std::string_view missing;  // there are no rows
};

// A command that prints the rows of a topic for the job that its arguments, queue and id, name;
// `print` has one row at least. Problem: unknown_job when there are none.
Outcome show_job(Invocation& invocation, const JobTopic& topic,
                 const std::function<void(const std::vector<protocol::Row>&)>& print);

// Ids of jobs as 32 hexadecimal digits. Problem: usage, naming the one that is none.
[[nodiscard]] Result<std::vector<Id128>, Problem> read_ids(const std::vector<std::string>& texts);

}  // namespace scanmq::cli
