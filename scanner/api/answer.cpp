#include "scanner/api/answer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "scanner/score/score.hpp"
#include "scanner/service/document_writer.hpp"

namespace scanmq::api {

namespace {

using service::DocumentWriter;
using service::Spread;
using service::SpreadLeg;

void text(DocumentWriter& out, std::string_view key, std::string_view value) {
    out.key(key);
    out.text(value);
}
void number(DocumentWriter& out, std::string_view key, double value) {
    out.key(key);
    out.number(value);
}
void count(DocumentWriter& out, std::string_view key, std::uint32_t value) {
    out.key(key);
    if (value == market::kNoCount) {
        out.null();
    } else {
        out.count(value);
    }
}

void write_leg(DocumentWriter& out, std::string_view key, const SpreadLeg& leg) {
    out.key(key);
    out.map(13);
    text(out, "symbol", leg.root);
    text(out, "expiry",
         fmt::format("{:04}-{:02}-{:02}", leg.expiry / 10'000, leg.expiry / 100 % 100,
                     leg.expiry % 100));
    number(out, "strike", leg.strike);
    text(out, "right", strategy::to_string(leg.right));
    number(out, "delta", leg.greeks.delta);
    number(out, "theta", leg.greeks.theta_day);
    number(out, "vega", leg.greeks.vega_point);
    number(out, "iv", leg.iv);
    count(out, "volume", leg.volume);
    count(out, "open_interest", leg.open_interest);
    number(out, "bid", leg.bid);
    number(out, "ask", leg.ask);
    number(out, "last", leg.last);
    out.end();
}

const SpreadLeg& leg_of(const Spread& spread, strategy::Side side) {
    return *std::ranges::find(spread.legs, side, &SpreadLeg::side);
}

bool is_pair(const Spread& spread) {
    return spread.legs.size() == 2 && spread.legs[0].side != spread.legs[1].side;
}

void write_spread(DocumentWriter& out, const Spread& spread, double score) {
    out.map(8);
    write_leg(out, "long_leg", leg_of(spread, strategy::Side::long_leg));
    write_leg(out, "short_leg", leg_of(spread, strategy::Side::short_leg));
    number(out, "net_debit", spread.net_price);
    number(out, "max_profit", spread.max_profit);
    number(out, "max_loss", spread.max_loss);
    number(out, "breakeven",
           spread.breakevens.empty() ? service::kMissing : spread.breakevens.front());
    number(out, "probability_profit", spread.pop);
    number(out, "score", score);
    out.end();
}

// The best first. Sorting is stable: equals stay in the engine's order.
void put_in_order(std::vector<const Spread*>& spreads, SortBy sort) {
    const auto by = [&spreads](auto key) { std::ranges::stable_sort(spreads, {}, key); };
    switch (sort) {
        case SortBy::score:
        case SortBy::probability_profit:
        case SortBy::risk_reward:
            return;  // the engine's order is by it
        case SortBy::max_profit:
            return by([](const Spread* s) { return -s->gain; });
        case SortBy::max_loss:
            return by([](const Spread* s) { return s->risk; });
        case SortBy::net_debit:
            return by([](const Spread* s) { return s->net_price; });
        case SortBy::expiry:
            return by([](const Spread* s) { return s->legs.front().expiry; });
    }
}

void write_error(DocumentWriter& out, const Error& error) {
    out.map(error.field.empty() ? 2 : 3);
    text(out, "code", error.code);
    text(out, "sentence", error.sentence);
    if (!error.field.empty()) text(out, "field", error.field);
    out.end();
}

std::string finished(DocumentWriter& out, const char* end) {
    std::string line = out.take();
    line += end;
    return line;
}

}  // namespace

std::string error_document(const Error& error) {
    DocumentWriter out(service::Encoding::json);
    out.map(1);
    out.key("error");
    write_error(out, error);
    out.end();
    return out.take();
}

Error error_of(const service::Error& error) {
    const int status = error.code == service::ErrorCode::cancelled ? 499 : 422;
    return {status, service::to_string(error.code), error.message, {}};
}

std::string spreads_list(const service::ScanResult& result, const ScanCall& call) {
    std::vector<const Spread*> spreads;
    for (const Spread& spread : result.spreads) {
        if (is_pair(spread)) spreads.push_back(&spread);
    }
    put_in_order(spreads, call.sort);
    DocumentWriter out(service::Encoding::json);
    out.list(spreads.size());
    for (const Spread* spread : spreads) {
        // Where another order was asked for, the engine's score is by that order alone.
        const double score = call.request.weights == call.shown || !call.request.weights
                                 ? spread->score
                                 : score::weighted(spread->components, call.shown);
        write_spread(out, *spread, score);
    }
    out.end();
    return out.take();
}

std::string spreads_document(std::string_view list) {
    return fmt::format("{{\"spreads\":{}}}", list);
}

const char* to_string(ScanState state) noexcept {
    switch (state) {
        case ScanState::queued:
            return "queued";
        case ScanState::running:
            return "running";
        case ScanState::completed:
            return "completed";
        case ScanState::failed:
            return "failed";
        case ScanState::cancelled:
            return "cancelled";
    }
    return "failed";
}

std::string status_document(const ScanStatus& status) {
    DocumentWriter out(service::Encoding::json);
    out.map(4);
    text(out, "job_id", status.job_id);
    text(out, "status", to_string(status.state));
    out.key("symbols");
    out.list(status.symbols.size());
    for (const std::string& symbol : status.symbols) out.text(symbol);
    out.end();
    number(out, "progress", status.progress);
    if (!status.failures.empty()) {
        out.key("errors");
        out.list(status.failures.size());
        for (const SymbolFailure& failure : status.failures) {
            out.map(2);
            text(out, "symbol", failure.symbol);
            out.key("error");
            write_error(out, failure.error);
            out.end();
        }
        out.end();
    }
    out.end();
    std::string document = out.take();
    if (!status.spreads.empty()) {
        document.pop_back();  // its closing brace
        document.append(",\"spreads\":").append(status.spreads).append("}");
    }
    return document;
}

std::string accepted_line(std::string_view job_id) {
    DocumentWriter out(service::Encoding::json);
    out.map(2);
    text(out, "type", "accepted");
    text(out, "job_id", job_id);
    out.end();
    return finished(out, "\n");
}

std::string progress_line(std::uint64_t done, std::uint64_t total) {
    return fmt::format("{{\"type\":\"progress\",\"done\":{},\"total\":{}}}\n", done, total);
}

std::string result_line(std::string_view spreads_list) {
    return fmt::format("{{\"type\":\"result\",\"spreads\":{}}}\n", spreads_list);
}

std::string error_line(const Error& error) {
    DocumentWriter out(service::Encoding::json);
    out.map(2);
    text(out, "type", "error");
    out.key("error");
    write_error(out, error);
    out.end();
    return finished(out, "\n");
}

}  // namespace scanmq::api
