#pragma once
// Submission: under which id a request's job goes, and what its client is told about it.
//
// See: docs/HTTP_API.md, "Ids and repeated requests"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "broker/http/context.hpp"

namespace scanmq::gateway {

struct JobName {
    Id128 id;
    bool named = false;  // by the client: repeating the request is meant to be harmless
    std::optional<ContentId> content;  // of a named one
};

// From `given` (an id in the request), the query's job_id, or the header Idempotency-Key; else a new
// one. Problem: 400 for what is no id.
[[nodiscard]] Result<JobName, Problem> name_job(Context& context, const http::Request& request,
                                                const std::optional<Id128>& given);
// A job of that name is known here: Problem 409 when it was another one.
[[nodiscard]] std::optional<Problem> check_repeated(const Track& known, const JobName& name);

// Why a submission was given up: the queue has no room, the store or the memory, or the broker stops.
[[nodiscard]] Problem no_room(Context& context, const std::string& queue);

// A job whose broker or result is asked for.
struct Seen {
    const Track* track = nullptr;      // valid during the callback
    std::optional<Ended> ended;        // known only here, when there is no track
    std::optional<protocol::Row> row;  // the broker's: its state, progress ...
    bool finished = false;             // it ended, but its entry was not found
    std::optional<Problem> problem;    // 404 unknown_job among others

    // How it ended; null while it has not, or when nobody knows.
    [[nodiscard]] const Ended* how() const noexcept {
        if (track != nullptr && track->stage == Stage::ended) return &track->ended;
        return ended ? &*ended : nullptr;
    }
    [[nodiscard]] std::string_view text(std::string_view column) const;
    [[nodiscard]] std::uint64_t number(std::string_view column) const;
};
// What is known here, else what the broker says, else what the stream says (`pattern`: where its entry
// would be). Precondition: what is known here is no batch.
void find_job(Context& context, const std::string& queue, const Id128& id, std::string pattern,
              std::function<void(Seen)> on_seen);

}  // namespace scanmq::gateway
