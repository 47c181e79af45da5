#include "broker/http/submission.hpp"

#include <memory>
#include <utility>

#include "broker/http/request_values.hpp"

namespace scanmq::gateway {

using protocol::ErrorCode;
using protocol::Row;

namespace {

constexpr std::size_t kKeyBytesMax = 256;

// Two clients that use one key for different routes mean different jobs.
std::string scoped(const http::Request& request, std::string_view key) {
    return request.path + '\n' + std::string(key);
}

void look_for_entry(Context& context, const std::string& queue, const Id128& id,
                    const std::string& pattern, bool finished, std::function<void(Seen)> on_seen) {
    context.desk.look_up(
        queue, pattern, id, true, 1,
        [&context, queue, id, finished, on_seen = std::move(on_seen)](Desk::Found found) {
            Seen seen;
            const Track* track = context.desk.find(id);
            if (track != nullptr && track->stage == Stage::ended) {  // it came meanwhile
                seen.track = track;
                return on_seen(std::move(seen));
            }
            if (!found.entries.empty()) {
                auto& [subject, ended] = found.entries.front();
                NewJob kept{id, Kind::job, queue, subject, {}, {}, {}, false, {}, {}};
                kept.symbol = subject.substr(0, subject.find('.'));
                seen.ended = ended;
                context.desk.keep(std::move(kept), std::move(ended));
                seen.track = context.desk.find(id);
                return on_seen(std::move(seen));
            }
            seen.track = track;
            seen.finished = finished;
            if (found.problem && found.problem->status != 404) {
                seen.problem = std::move(found.problem);
            } else if (!finished) {
                seen.problem = problem_of(
                    ErrorCode::unknown_job,
                    "no job " + id.hex() + " is known in queue \"" + queue +
                        "\"; it may have ended long ago, or the id or queue is another one");
            }
            on_seen(std::move(seen));
        });
}

}  // namespace

std::string_view Seen::text(std::string_view column) const {
    if (!row) return {};
    for (const auto& [name, value] : *row) {
        if (name == column && std::holds_alternative<std::string>(value)) {
            return std::get<std::string>(value);
        }
    }
    return {};
}

std::uint64_t Seen::number(std::string_view column) const {
    if (!row) return 0;
    for (const auto& [name, value] : *row) {
        if (name == column && std::holds_alternative<std::uint64_t>(value)) {
            return std::get<std::uint64_t>(value);
        }
    }
    return 0;
}

Result<JobName, Problem> name_job(Context& context, const http::Request& request,
                                  const std::optional<Id128>& given) {
    JobName out;
    const auto named = [&](const Id128& id) {
        out.id = id;
        out.named = true;
        out.content = content_id(request.body);
        return out;
    };
    if (given) return named(*given);
    if (const auto text = request.query_value("job_id")) {
        auto id = parse_job_id(*text, "job_id");
        if (!id) return fail(std::move(id).error());
        return named(*id);
    }
    const std::string_view key = request.header("Idempotency-Key");
    if (key.empty()) {
        out.id = context.desk.link().new_id();
        return out;
    }
    if (key.size() > kKeyBytesMax) {
        return fail(bad_request("Idempotency-Key has at most 256 bytes; take a shorter one"));
    }
    const std::string whole = scoped(request, key);
    const Time now = Desk::now();
    if (const auto known = context.keys.find(whole, now)) return named(*known);
    const Id128 id = context.desk.link().new_id();
    context.keys.put(whole, id, now);
    return named(id);
}

std::optional<Problem> check_repeated(const Track& known, const JobName& name) {
    if (!known.content || known.content == name.content) return std::nullopt;
    return problem_of(ErrorCode::id_conflict,
                      "the id or Idempotency-Key was used for another request; take a new one");
}

Problem no_room(Context& context, const std::string& queue) {
    if (context.desk.stopping()) {
        return problem_of(ErrorCode::shutting_down, "the broker is stopping; try again later");
    }
    if (!context.desk.link().open()) {
        return Problem{503, "no_answer", "the broker does not answer; try again later",
                       std::chrono::seconds(1)};
    }
    const ErrorCode held = context.desk.link().held(queue);
    if (held != ErrorCode::none) {
        return problem_of(held, "the broker has no room for more jobs (" +
                                    std::string(protocol::to_string(held)) + "); try again later");
    }
    return problem_of(
        ErrorCode::queue_full,
        "queue \"" + queue + "\" has no room; the job was not taken, try again later");
}

void find_job(Context& context, const std::string& queue, const Id128& id, std::string pattern,
              std::function<void(Seen)> on_seen) {
    const Track* known = context.desk.find(id);
    if (known != nullptr) {
        context.desk.touch(id);
        if (known->stage != Stage::accepted) {
            Seen seen;
            seen.track = known;
            return on_seen(std::move(seen));
        }
        if (!known->subject.empty()) pattern = known->subject;
    }
    context.desk.query("job", queue + "/" + id.hex(),
                       [&context, queue, id, pattern = std::move(pattern),
                        on_seen = std::move(on_seen)](Desk::Answer<std::vector<Row>> rows) {
                           Seen seen;
                           seen.track = context.desk.find(id);
                           if (seen.track != nullptr && seen.track->stage == Stage::ended) {
                               return on_seen(std::move(seen));
                           }
                           if (!rows) {
                               if (rows.error().code != "unknown_job") {
                                   seen.problem = rows.error();
                                   return on_seen(std::move(seen));
                               }
                               return look_for_entry(context, queue, id, pattern, false, on_seen);
                           }
                           if (!rows->empty()) seen.row = std::move(rows->front());
                           if (seen.text("state") == "finished") {
                               return look_for_entry(context, queue, id, pattern, true, on_seen);
                           }
                           on_seen(std::move(seen));
                       });
}

}  // namespace scanmq::gateway
