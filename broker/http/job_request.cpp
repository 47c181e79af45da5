#include "broker/http/job_request.hpp"

#include <fmt/format.h>

#include <utility>

#include "broker/http/request_values.hpp"
#include "common/protocol/codec.hpp"
#include "common/protocol/subject.hpp"
#include "scanner/service/document.hpp"

namespace scanmq::gateway {

using service::Fields;
using service::Json;
using service::Reader;

namespace {

// Documents that are nested too deep to be printed again are refused, not read.
Result<Json, Problem> parse_json(ByteView body) {
    bool deep = false;
    const auto look = [&deep](int depth, Json::parse_event_t, Json&) {
        deep = deep || depth > static_cast<int>(service::kDepthMax);
        return !deep;
    };
    Json out = Json::parse(body.begin(), body.end(), look, false);
    if (deep) return fail(bad_request("the body is nested deeper than 16"));
    if (out.is_discarded()) return fail(bad_request("the body is not JSON"));
    return out;
}

void read_millis(const Fields& fields, const char* key, Duration& out) {
    std::uint32_t ms = 0;
    if (fields.find(key) == nullptr) return;
    fields.integer(key, ms);
    out = std::chrono::milliseconds(ms);
}

void read_options(Reader& reader, const Json& map, const std::string& where, JobRequest& out) {
    const Fields fields(reader, map, where,
                        {"priority", "delay_ms", "deadline_ms", "flow", "conflate_key", "sheddable",
                         "pure", "finish_late", "as_of_ns"});
    fields.integer("priority", out.priority);
    if (out.priority > 9) fields.refuse("priority", "a whole number from 0 to 9");
    read_millis(fields, "delay_ms", out.delay);
    read_millis(fields, "deadline_ms", out.deadline);
    fields.text("flow", out.flow);
    fields.text("conflate_key", out.conflate_key);
    fields.flag("sheddable", out.sheddable);
    if (fields.find("pure") != nullptr) fields.flag("pure", out.pure.emplace());
    fields.flag("finish_late", out.finish_late);
    if (fields.find("as_of_ns") != nullptr) fields.integer("as_of_ns", out.as_of_ns.emplace());
}

void read_payload(Reader& reader, const Fields& fields, JobRequest& out) {
    const Json* payload = fields.find("payload");
    std::string encoded;
    fields.text("payload_base64", encoded);
    const bool raw = fields.find("payload_base64") != nullptr;
    if ((payload != nullptr) == raw) {
        return reader.refuse(fields.path("payload") +
                             " or payload_base64 must be given, one of the two");
    }
    if (raw) {
        auto bytes = base64_decode(encoded);
        if (!bytes) return fields.refuse("payload_base64", "base64 with its padding");
        out.payload = std::move(*bytes);
        return;
    }
    out.payload = payload->dump(-1, ' ', false, Json::error_handler_t::replace);
    if (!payload->is_object()) return;
    const auto symbol = payload->find("symbol");
    if (symbol != payload->end() && symbol->is_string()) out.symbol = symbol->get<std::string>();
    const auto strategies = payload->find("strategies");
    if (strategies != payload->end() && strategies->is_array() && strategies->size() == 1 &&
        strategies->front().is_string()) {
        out.what = strategies->front().get<std::string>();
    }
}

void read_inputs(const Fields& fields, JobRequest& out) {
    fields.list("inputs", [&](const Json& element, const std::string&) {
        const auto id = element.is_string()
                            ? ContentId::parse_hex(element.get_ref<const std::string&>())
                            : std::nullopt;
        if (!id) return fields.refuse("inputs", "a list of hashes, 64 hexadecimal digits each");
        out.inputs += id->view();
    });
    fields.list("aliases", [&](const Json& element, const std::string&) {
        if (!element.is_string()) return fields.refuse("aliases", "a list of texts");
        out.aliases.push_back(element.get<std::string>());
    });
    const bool named = fields.find("inputs") != nullptr || fields.find("aliases") != nullptr;
    if (!named && !out.symbol.empty()) out.aliases.push_back(latest_of(out.symbol));
}

Result<JobRequest, Problem> read_job(const Json& map, const std::string& where, bool many) {
    JobRequest out;
    Reader reader(service::ErrorCode::invalid_request);
    const Fields fields(reader, map, where,
                        {"queue", "subject", "payload", "payload_base64", "inputs", "aliases",
                         "options", "wait_ms", "job_id"});
    fields.text("queue", out.queue);
    if (!protocol::valid_queue_name(out.queue)) {
        fields.refuse("queue", "a queue's name: 1 to 64 letters, digits, _ - . or :");
    }
    fields.text("subject", out.subject);
    if (map.is_object()) read_payload(reader, fields, out);
    read_inputs(fields, out);
    if (const Json* options = fields.find("options")) {
        read_options(reader, *options, fmt::format("\"options\" of {}", where), out);
    }
    if (fields.find("wait_ms") != nullptr) {
        if (many) fields.refuse("wait_ms", "left out: jobs of a list are not waited for");
        read_millis(fields, "wait_ms", out.wait.emplace());
    }
    std::string id;
    fields.text("job_id", id);
    if (!reader.ok()) return fail(bad_request(reader.error().message));
    if (fields.find("job_id") != nullptr) {
        auto parsed = parse_job_id(id, fields.path("job_id"));
        if (!parsed) return fail(std::move(parsed).error());
        out.id = *parsed;
    }
    return out;
}

}  // namespace

client::Job JobRequest::job() const {
    client::Job out;
    out.payload = payload;
    out.inputs = inputs;
    out.aliases = aliases;
    out.priority = priority;
    out.delay = delay;
    out.deadline = deadline;
    out.flow = flow;
    out.conflate_key = conflate_key;
    out.sheddable = sheddable;
    out.pure = pure;
    out.finish_late = finish_late;
    out.as_of_ns = as_of_ns;
    return out;
}

Result<JobRequests, Problem> parse_jobs(ByteView body, std::size_t jobs_max) {
    auto document = parse_json(body);
    if (!document) return fail(std::move(document).error());
    JobRequests out;
    out.many = document->is_array();
    if (!out.many) {
        auto job = read_job(*document, "the job", false);
        if (!job) return fail(std::move(job).error());
        out.jobs.push_back(std::move(*job));
        return out;
    }
    if (document->empty() || document->size() > jobs_max) {
        return fail(bad_request(fmt::format("the list holds {} jobs; it may hold 1 to {}",
                                            document->size(), jobs_max)));
    }
    for (const Json& element : *document) {
        auto job = read_job(element, fmt::format("[{}]", out.jobs.size()), true);
        if (!job) return fail(std::move(job).error());
        out.jobs.push_back(std::move(*job));
    }
    return out;
}

std::string latest_of(std::string_view symbol) { return std::string(symbol) + "@latest"; }

std::string subject_of(std::string_view symbol, std::string_view what, const Id128& id) {
    return fmt::format("{}.{}.http.{}", protocol::subject_token(symbol),
                       protocol::subject_token(what), id.hex());
}

std::string pattern_of(const Id128& id) { return "*.*.http." + id.hex(); }

}  // namespace scanmq::gateway
