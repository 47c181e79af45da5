#include "broker/http/job_answer.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "broker/http/request_values.hpp"
#include "scanner/service/codec.hpp"

namespace scanmq::gateway {

using Json = nlohmann::ordered_json;

namespace {

std::string print(const Json& document) {
    return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Puts `member` (its value is JSON text) before the closing brace.
void append(std::string& document, std::string_view name, std::string_view value) {
    document.pop_back();
    document += ",\"";
    document += name;
    document += "\":";
    document += value;
    document += '}';
}

// A scan's result becomes JSON; what is JSON stays; anything else is told in base64.
void append_result(std::string& document, const std::string& body) {
    if (body.empty()) return append(document, "result", "null");
    if (auto result = service::decode_result(body)) {
        return append(document, "result", service::encode(*result, service::Encoding::json));
    }
    if (Json::accept(body)) return append(document, "result", body);
    append(document, "result_base64", "\"" + base64_encode(body) + "\"");
}

void describe(Json& out, const Ended& ended) {
    out["outcome"] = ended.name();
    if (ended.code == protocol::ErrorCode::none) return;
    out["code"] = protocol::to_string(ended.code);
    out["sentence"] = ended.sentence;
}

void describe(Json& out, const protocol::Row& row) {
    for (const auto& [name, value] : row) {
        if (name == "id" || name == "queue" || name == "state") continue;
        std::visit([&](const auto& one) { out[name] = one; }, value);
    }
}

Json head(const Id128& id, const std::string& queue, std::string_view status) {
    Json out;
    out["job_id"] = id.hex();
    out["queue"] = queue;
    out["status"] = status;
    return out;
}

}  // namespace

std::string_view status_of(const Ended& ended) noexcept {
    if (ended.done()) return "completed";
    const bool taken_back = ended.outcome == protocol::FinalOutcome::cancelled ||
                            ended.outcome == protocol::FinalOutcome::superseded;
    return !ended.refused && taken_back ? "cancelled" : "failed";
}

std::string job_document(const Id128& id, const std::string& queue, const Seen& seen) {
    if (const Ended* ended = seen.how()) {
        Json out = head(id, queue, status_of(*ended));
        describe(out, *ended);
        std::string document = print(out);
        if (ended->done()) append_result(document, ended->body);
        return document;
    }
    if (seen.finished) {
        Json out = head(id, queue, "completed");
        out["sentence"] = "it ended, but its entry was not found: see the queue's stream";
        return print(out);
    }
    if (!seen.row) return taken_document(id, queue, seen.track);
    Json out = head(id, queue, seen.text("state") == "running" ? "running" : "queued");
    describe(out, *seen.row);
    return print(out);
}

std::string taken_document(const Id128& id, const std::string& queue, const Track* track) {
    Json out = head(id, queue, "queued");
    if (track != nullptr && track->stage != Stage::submitting) {
        out["verdict"] = protocol::to_string(track->verdict);
    }
    if (track != nullptr) out["subject"] = track->subject;
    return print(out);
}

http::Response ended_response(const Id128& id, const std::string& queue, const Ended& ended) {
    if (!ended.done()) {
        http::Response out = response_of(problem_of(ended));
        append(out.body, "job_id", "\"" + id.hex() + "\"");
        append(out.body, "status", "\"" + std::string(status_of(ended)) + "\"");
        return out;
    }
    Seen seen;
    seen.ended = ended;
    return http::json_response(200, job_document(id, queue, seen));
}

}  // namespace scanmq::gateway
