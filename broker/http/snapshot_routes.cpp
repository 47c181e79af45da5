// PUT /api/v1/snapshots/{hash}: a snapshot into the broker's store, as its symbol's newest.

#include <fmt/format.h>

#include <utility>

#include "broker/http/context.hpp"
#include "broker/http/job_request.hpp"
#include "broker/http/request_values.hpp"
#include "scanner/market/snapshot.hpp"

namespace scanmq::gateway {

using http::Request;
using http::Responder;

namespace {

constexpr Duration kPutTimeout = std::chrono::minutes(1);

// Points the symbol's alias to it and answers.
void set_alias(Context& context, const ContentId& id, const std::string& symbol,
               const std::string& told, const Responder& client) {
    context.desk.link().request(
        protocol::AliasSet{latest_of(symbol), id}, context.options.desk.request_timeout,
        [told, client](const client::Result<protocol::Message>& reply) {
            if (!reply) {
                return client.answer(response_of(problem_of(reply.error())));
            }
            client.answer(http::json_response(201, told));
        });
}

void put_snapshot(Context& context, Request request, const Responder& client) {
    const auto id = ContentId::parse_hex(request.parameter("hash"));
    if (!id) {
        return client.answer(http::error_response(
            400, "bad_value",
            "a snapshot is named by the BLAKE2b-256 hash of its bytes, in 64 hexadecimal digits"));
    }
    if (content_id(request.body) != *id) {
        return client.answer(http::error_response(422, "hash_mismatch",
                                                  "the bytes' BLAKE2b-256 is " +
                                                      content_id(request.body).hex() +
                                                      ", not that of the path"));
    }
    auto chain = market::decode_snapshot(request.body);
    if (!chain) {
        return client.answer(http::error_response(422, "bad_snapshot", chain.error().message));
    }
    const std::string symbol = chain->symbol;
    const std::string told = fmt::format(
        R"({{"hash":"{}","symbol":{},"as_of_ms":{},"contracts":{},"alias":{}}})", id->hex(),
        http::json_quote(symbol), chain->as_of, chain->size(), http::json_quote(latest_of(symbol)));
    context.desk.link().put_blob(
        std::move(request.body), protocol::BlobType::snapshot, symbol, kPutTimeout,
        [&context, symbol, told, client](const client::Result<ContentId>& put) {
            if (!put) return client.answer(response_of(problem_of(put.error())));
            set_alias(context, *put, symbol, told, client);
        });
}

}  // namespace

void add_snapshot_routes(http::Router& router, Context& context) {
    router.add("PUT", "/api/v1/snapshots/{hash}",
               [&context](Request request, const Responder& client) {
                   put_snapshot(context, std::move(request), client);
               },
               {protocol::kLimits.blob_bytes_max, false});
}

}  // namespace scanmq::gateway
