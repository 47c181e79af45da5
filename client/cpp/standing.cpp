// Client's standing scans.

#include <algorithm>

#include "client/core/job.hpp"
#include "client/cpp/client.hpp"
#include "client/cpp/client_impl.hpp"

namespace scanmq::client {

using protocol::ErrorCode;

namespace {

Failure<Error> invalid(ErrorCode code, std::string sentence) {
    return fail(Error{ErrorKind::invalid, code, std::move(sentence)});
}

// What is wrong with it before anybody is asked; nullptr: nothing.
const char* defect(const StandingScan& scan) {
    const Job& job = scan.job;
    if (job.aliases.empty()) return "a standing scan runs when an alias moves: name one";
    if (!job.inputs.empty()) return "a standing scan's inputs are aliases: leave inputs out";
    if (!job.group.is_zero() || !job.id.is_zero()) {
        return "the broker gives its runs ids of its own, and no group: leave both out";
    }
    if (job.delay != Duration{} || !job.conflate_key.empty() || job.as_of_ns) {
        return "a standing scan's runs have no delay, no conflate_key and no as_of_ns";
    }
    if (job.deadline < Duration{} || scan.min_interval < Duration{}) {
        return "deadline and min_interval are not negative";
    }
    return nullptr;
}

std::uint64_t number(const protocol::Row& row, std::string_view key) {
    for (const auto& [name, value] : row) {
        if (name != key) continue;
        if (const auto* found = std::get_if<std::uint64_t>(&value)) return *found;
    }
    return 0;
}

std::string text(const protocol::Row& row, std::string_view key) {
    for (const auto& [name, value] : row) {
        if (name != key) continue;
        if (const auto* found = std::get_if<std::string>(&value)) return *found;
    }
    return {};
}

}  // namespace

Result<void> Client::set_standing(const StandingScan& scan, Duration timeout) {
    if (const char* const problem = defect(scan)) return invalid(ErrorCode::bad_option, problem);
    protocol::StandingSet message;
    message.name = scan.name;
    message.queue = scan.queue;
    message.subject = scan.job.subject;
    message.payload.bytes = scan.job.payload;
    ContentId blob;
    if (scan.job.payload.size() > limits().inline_bytes_max) {
        auto put = put_blob(scan.job.payload, protocol::BlobType::body, scan.name, timeout);
        if (!put) return fail(std::move(put).error());
        blob = *put;
        message.payload = {blob.view(), scan.job.payload.size()};
    }
    message.aliases.assign(scan.job.aliases.begin(), scan.job.aliases.end());
    message.min_interval_ms = static_cast<std::uint64_t>(
        std::chrono::ceil<std::chrono::milliseconds>(scan.min_interval).count());
    message.options = options_of(scan.job);
    if (message.options) message.options->aliases.clear();
    auto reply = impl_->request(std::move(message), timeout);
    if (!reply) return fail(std::move(reply).error());
    return {};
}

Result<void> Client::drop_standing(std::string_view name, Duration timeout) {
    auto reply = impl_->request(protocol::StandingDrop{std::string(name)}, timeout);
    if (!reply) return fail(std::move(reply).error());
    return {};
}

Result<std::vector<StandingInfo>> Client::list_standing(Duration timeout) {
    auto rows = query("standing", {}, timeout);
    if (!rows) return fail(std::move(rows).error());
    std::vector<StandingInfo> out;
    for (const protocol::Row& row : *rows) {
        StandingInfo one;
        one.name = text(row, "name");
        if (one.name.empty()) continue;  // how many were left out
        one.queue = text(row, "queue");
        one.subject = text(row, "subject");
        one.aliases = text(row, "aliases");
        one.min_interval = std::chrono::milliseconds(number(row, "min_interval_ms"));
        one.runs = number(row, "runs");
        if (std::ranges::any_of(row, [](const auto& f) { return f.first == "last_run_ms"; })) {
            one.last_run = std::chrono::milliseconds(number(row, "last_run_ms"));
        }
        one.pending = number(row, "pending") != 0;
        one.skipped = number(row, "skipped");
        one.last_error = text(row, "last_error");
        out.push_back(std::move(one));
    }
    return out;
}

}  // namespace scanmq::client
