#include "broker/server/server_options.hpp"

#include <algorithm>
#include <charconv>

#include "broker/core/queue_settings.hpp"
#include "broker/store/log_format.hpp"
#include "client/cache/shared_tier.hpp"
#include "common/config/shared.hpp"
#include "common/config/values.hpp"
#include "common/protocol/codec.hpp"

namespace scanmq::broker {
namespace {

constexpr std::string_view kTcp = "tcp://";
constexpr std::string_view kIpc = "ipc://";

// HOST of tcp://HOST:PORT, and where PORT begins; npos when it is not of that form.
std::pair<std::string_view, std::size_t> split_host(std::string_view endpoint) {
    if (!endpoint.starts_with(kTcp)) return {{}, std::string_view::npos};
    const std::size_t colon = endpoint.rfind(':');
    if (colon < kTcp.size()) return {{}, std::string_view::npos};
    return {endpoint.substr(kTcp.size(), colon - kTcp.size()), colon + 1};
}

}  // namespace

void declare(config::Options& options, StoreOptions& store) {
    options.bytes("segment-bytes", store.segment_bytes, {8U << 20, 1ULL << 32},
                  "Size of a segment of the commit log, a multiple of 4096");
    options.number("reserve-segments", store.reserve_segments, {1, 1024}, "segments",
                   "Segments that are allocated ahead, so that what is accepted finds room");
    options.bytes("reserve-bytes", store.reserve_bytes, {1U << 20, 1ULL << 40},
                  "File that is given back when the disk is full, for a checkpoint");
    options.bytes("disk-low-bytes", store.disk_low_bytes, {0, 1ULL << 44},
                  "Free disk below which no more jobs are taken");
    options.bytes("map-bytes", store.map_bytes, {64U << 20, 1ULL << 46},
                  "Address space of the state, and the most it can grow to");
    options.bytes("checkpoint-bytes", store.checkpoint_bytes, {1U << 20, 1ULL << 36},
                  "Log written after which it is moved into the state");
    options.duration("checkpoint-interval", store.checkpoint_interval,
                     {std::chrono::milliseconds(10), std::chrono::hours(1)},
                     "Time after which it is, at the latest");
    options.bytes("payload-bytes", store.payload_bytes, {0, 1ULL << 44},
                  "Bodies kept in memory although the state has them");
    options.text("backups", store.backups,
                 "Directory that backups are made in; left out, backups below --data");
}

void declare(config::Options& options, gateway::GatewayOptions& http) {
    using std::chrono::hours;
    using std::chrono::milliseconds;
    gateway::BookLimits& book = http.desk.book;
    options.text("http-queue", http.queue,
                 "Queue of scans that come over HTTP; it is made with the first");
    options.duration("http-wait", http.wait, {milliseconds(0), hours(1)},
                     "How long a scan over HTTP waits for its result, when it does not say");
    options.duration("http-wait-max", http.wait_max, {milliseconds(0), hours(24)},
                     "The longest wait that one may ask for");
    options.duration("http-submit-wait", book.submit_wait, {milliseconds(1), hours(1)},
                     "How long a job over HTTP waits for room in its queue; then it is 429");
    options.number("http-waits-max", book.waits_max, {1, 1'000'000}, "requests",
                   "HTTP requests that wait for results at one time");
    options.number("http-jobs-max", book.jobs_max, {1, 10'000'000}, "jobs",
                   "Jobs the HTTP API keeps account of, those that ended lately included");
    options.duration("http-keep", book.keep_for, {milliseconds(1), hours(24 * 7)},
                     "How long it keeps a result; later ones are looked up in the stream");
    options.bytes("http-keep-bytes", book.kept_bytes_max, {0, 1ULL << 40},
                  "Memory for results kept");
    options.number("http-batch-max", http.batch_symbols_max, {1, 10'000}, "symbols",
                   "Symbols of one batch");
    options.number("http-request-jobs-max", http.jobs_per_request_max, {1, 100'000}, "jobs",
                   "Jobs of one request");
    options.number("http-watches-max", http.desk.watches_max, {1, 60}, "subscriptions",
                   "Queues and subjects whose results are waited for at one time");
    options.number("http-keys-max", http.keys_max, {0, 10'000'000}, "keys",
                   "Idempotency keys remembered");
    options.number("http-connections-max", http.http.connections_max, {1, 1'000'000}, "connections",
                   "Open HTTP connections");
    options.bytes("http-body-bytes-max", http.http.body_bytes_max, {1024, 64U << 20},
                  "Size of one HTTP request's body");
    options.bytes("http-bodies-bytes-max", http.http.bodies_bytes_max, {1024, 1ULL << 40},
                  "The same of all requests being read or handled");
}

void declare(config::Options& options, ServerOptions& target) {
    using std::chrono::milliseconds;
    config::add_listen(options, target.listen);
    options.text("blob-listen", target.blob_listen,
                 "Endpoint for large bytes; left out, the port after the one of --listen");
    options.text(
        "blob-advertise", target.blob_advertise,
        "Blob endpoint told to peers; needed when --blob-listen names no address they can reach");
    config::add_insecure(options, target.insecure);
    config::add_data(options, target.data);
    config::add_durability(options, target.durability);
    config::add_name(options, target.core.name);
    options.list("queue", target.queues, ';',
                 "Queue to have from the start: NAME or NAME,setting=value,...; may be repeated");
    options.text("http", target.http,
                 "Address and port of the HTTP API, or none; port 0 takes any free one. Beyond "
                 "loopback it needs --insecure");
    declare(options, target.gateway);
    options.text("endpoint-file", target.endpoint_file,
                 "File to write its endpoints to once the broker listens, one a line: main, "
                 "blobs, HTTP");
    config::add_log(options, target.log);
    options.bytes(
        "memory-max", target.memory_max, {0, 1ULL << 44},
        "Memory that the broker may take, pages of the state's file left out; 0: three quarters of "
        "the machine's");
    options.number("sessions-max", target.sessions_max, {0, 1'000'000}, "sessions",
                   "Open sessions; 0: as many as --memory-max allows, at most 1024");
    options.number("queues-max", target.core.queues_max, {1, 65'535}, "queues", "Queues");
    options.number("subscriptions-max", target.core.subscriptions_per_session_max, {1, 65'535},
                   "subscriptions", "Subscriptions of one session");
    options.number("groups-max", target.core.groups_per_queue_max, {1, 10'000'000}, "groups",
                   "Open groups of one queue");
    options.duration("group-ttl", target.core.group_ttl, {milliseconds(1), Duration::max()},
                     "Time after which a group that is not sealed ends incomplete");
    options.number("submit-window", target.core.submit_window_items, {1, 1'000'000}, "jobs",
                   "Most credit one WANT is granted");
    options.bytes("submit-window-bytes", target.core.submit_window_bytes, {64U << 10, 1ULL << 32},
                  "The same in bytes");
    options.number("id-window", target.core.id_window_jobs, {0, 100'000'000}, "jobs",
                   "Finished jobs of a queue whose ids are remembered");
    options.duration("id-window-ttl", target.core.id_window_ttl, {},
                     "Time for which they are remembered");
    config::add_cache(options, target.cache);
    config::add_cache_prefix(options, target.cache_prefix);
    options.bytes("cache-bytes", target.core.cache_bytes_max, {0, 1ULL << 40},
                  "Memory for them, at most an eighth of what --memory-max leaves for traffic");
    config::add_cache_wait(options, target.core.cache_wait);
    options.choice("cache-peers", target.cache_peers, {"off", "on"},
                   "Whether other brokers may keep their results here, for each other and their "
                   "workers: on only where all who reach the broker are trusted");
    options.bytes("cache-peer-bytes", target.core.cache_peer_bytes_max, {0, 1ULL << 40},
                  "Memory for those, at most an eighth of what --memory-max leaves for traffic");
    options.number("look-ups-max", target.core.look_ups_max, {1, 1'000'000}, "jobs",
                   "Jobs that wait for the shared tier at one time; others go to workers at once");
    options.duration("max-run", target.core.max_run,
                     {milliseconds(100), std::chrono::hours(24 * 7)},
                     "How long one attempt may run; then it is taken back and charged as a crash");
    options.duration("adopt-window", target.core.adopt_window,
                     {milliseconds(0), std::chrono::hours(1)},
                     "After a restart, how long workers may take to come back for what they run");
    options.duration("delay-max", target.core.delay_max,
                     {milliseconds(1), std::chrono::hours(24 * 366)},
                     "Longest delay and deadline of a job");
    options.number("batch-bytes", target.core.batch_bytes, {4096, 1U << 20}, "bytes",
                   "Size that outgoing batches aim at");
    options.duration("heartbeat", target.core.heartbeat, {milliseconds(10), std::chrono::hours(1)},
                     "Interval of heartbeats");
    options.duration("dead-after", target.core.dead_after,
                     {milliseconds(20), std::chrono::hours(24)},
                     "Silence after which a session is closed");
    options.bytes("snapshot-bytes-max", target.blobs.bytes_max, {1, 1ULL << 44},
                  "Memory for snapshots and large bodies");
    options.number("snapshots-max", target.blobs.count_max, {1, 100'000'000}, "blobs",
                   "Snapshots and large bodies held");
    options.duration("blob-grace", target.blobs.grace, {},
                     "Time for which an unused blob is kept although room is needed");
    options.number("cursors-max", target.core.cursors_per_queue_max, {0, 10'000'000}, "cursors",
                   "Durable subscriptions of one queue");
    options.number("flow-limits-max", target.core.flow_limits_max, {0, 1'000'000}, "flows",
                   "Flows of one queue that have limits");
    options.number("standing-max", target.core.standing_max, {0, 1'000'000}, "scans",
                   "Standing scans");
    options.bytes("standing-bytes-max", target.core.standing_bytes_max, {0, 1ULL << 40},
                  "Payloads of standing scans that are no blobs");
    options.number("aliases-max", target.core.aliases_max, {0, 10'000'000}, "aliases", "Aliases");
    options.number("alias-history-max", target.core.alias_history_max, {0, 10'000}, "versions",
                   "Former versions of one alias that open groups may still need");
    declare(options, target.store);
    options.text("restore", target.restore,
                 "Make --data of the backup in this directory, then end");
    options.bytes("outgoing-bytes-max", target.outgoing_bytes_max, {1U << 20, 1ULL << 40},
                  "Bytes that may wait for one slow peer; beyond, its session is closed");
}

Result<QueueSpec, ServerError> parse_queue(std::string_view text) {
    const auto wrong = [&](const std::string& what) {
        return fail(ServerError{"--queue \"" + std::string(text) + "\": " + what});
    };
    QueueSpec spec;
    std::size_t begin = std::min(text.find(','), text.size());
    spec.name = text.substr(0, begin);
    if (!protocol::valid_queue_name(spec.name)) {
        return wrong("a queue's name has 1 to 64 letters, digits, _ - . or :");
    }
    while (begin < text.size()) {
        const std::size_t end = std::min(text.find(',', begin + 1), text.size());
        const std::string_view item = text.substr(begin + 1, end - begin - 1);
        begin = end;
        const std::size_t equals = item.find('=');
        if (equals == std::string_view::npos) {
            return wrong("\"" + std::string(item) + "\" is not setting=value");
        }
        // Every setting is a number; sizes may carry a unit.
        auto value = config::parse_bytes(item.substr(equals + 1));
        if (!value) return wrong(std::string(item.substr(0, equals)) + ": " + value.error());
        spec.settings.emplace_back(item.substr(0, equals), *value);
    }
    auto settings = with_changes(QueueSettings{}, spec.settings);
    if (!settings) return wrong(settings.error());
    return spec;
}

bool is_loopback(std::string_view endpoint) {
    if (endpoint.starts_with(kIpc)) return true;
    const std::string_view host = split_host(endpoint).first;
    return host == "localhost" || host == "lo" || host == "[::1]" || host.starts_with("127.");
}

bool is_wildcard(std::string_view endpoint) {
    const std::string_view host = split_host(endpoint).first;
    return host == "*" || host == "0.0.0.0" || host == "[::]" || host == "::";
}

std::string from_here(std::string_view endpoint) {
    if (!is_wildcard(endpoint)) return std::string(endpoint);
    const auto [host, port] = split_host(endpoint);
    const bool six = host.starts_with("[") || host == "::";
    return std::string(kTcp) + (six ? "[::1]:" : "127.0.0.1:") + std::string(endpoint.substr(port));
}

bool is_same_place(std::string_view endpoint, std::string_view listen) {
    const auto [host, port] = split_host(endpoint);
    const auto [own_host, own_port] = split_host(listen);
    if (port == std::string_view::npos || own_port == std::string_view::npos) return false;
    const std::string_view number = endpoint.substr(port);
    if (number == "0" || number != listen.substr(own_port)) return false;
    const bool here = is_loopback(endpoint) || is_wildcard(endpoint);
    return host == own_host || (here && (is_wildcard(listen) || is_loopback(listen)));
}

std::string next_port(std::string_view endpoint) {
    const std::size_t at = split_host(endpoint).second;
    if (at == std::string_view::npos) return {};
    std::uint32_t port = 0;
    const char* last = endpoint.data() + endpoint.size();
    const auto [end, error] = std::from_chars(endpoint.data() + at, last, port);
    if (error != std::errc{} || end != last || port >= 65'535) return {};
    return std::string(endpoint.substr(0, at)) + std::to_string(port == 0 ? 0 : port + 1);
}

Result<void, ServerError> check(const ServerOptions& options) {
    const std::string blob = options.blob_listen.empty() ? options.listen : options.blob_listen;
    for (const std::string& endpoint : {options.listen, blob}) {
        if (options.insecure || is_loopback(endpoint)) continue;
        return fail(ServerError{
            "refusing to listen on \"" + endpoint +
            "\": it can be reached from other machines, and peers are neither identified nor "
            "encrypted. "
            "Listen on tcp://127.0.0.1:PORT, or give --insecure if the network is trusted"});
    }
    if (options.http != kNoHttp && !options.insecure &&
        !is_loopback(std::string(kTcp) + options.http)) {
        return fail(ServerError{
            "refusing to serve HTTP on \"" + options.http +
            "\": it can be reached from other machines, and clients are neither identified nor "
            "encrypted. Give --http 127.0.0.1:PORT, or none, or --insecure if the network is "
            "trusted"});
    }
    if (!protocol::valid_queue_name(options.gateway.queue)) {
        return fail(ServerError{"--http-queue \"" + options.gateway.queue +
                                "\": a queue's name has 1 to 64 letters, digits, _ - . or :"});
    }
    if (options.blob_listen.empty() && next_port(options.listen).empty()) {
        return fail(
            ServerError{"--listen \"" + options.listen +
                        "\" has no port to put the blob socket beside; give --blob-listen"});
    }
    if (is_wildcard(blob) && options.blob_advertise.empty()) {
        return fail(ServerError{
            "peers cannot connect to \"" + blob +
            "\"; give --blob-advertise tcp://HOST:PORT with an address of this machine"});
    }
    if (options.core.dead_after < 2 * options.core.heartbeat) {
        return fail(
            ServerError{"--dead-after must be at least twice --heartbeat, or one late heartbeat "
                        "ends a session"});
    }
    if (options.memory_max != 0 && options.memory_max < MemoryPlan::kBytesMin) {
        return fail(ServerError{"--memory-max is " + std::to_string(options.memory_max) +
                                "; it must be at least " +
                                std::to_string(MemoryPlan::kBytesMin >> 20) + "MiB"});
    }
    if (options.store.segment_bytes % kSegmentHeadBytes != 0) {
        return fail(ServerError{"--segment-bytes is " +
                                std::to_string(options.store.segment_bytes) +
                                "; it must be a multiple of " + std::to_string(kSegmentHeadBytes)});
    }
    if (auto wrong = client::check_cache(options.cache)) return fail(ServerError{*wrong});
    if (is_same_place(options.cache, options.listen)) {
        return fail(ServerError{"--cache \"" + options.cache +
                                "\" is where this broker listens itself: name another broker, or "
                                "memory for its own cache"});
    }
    for (const std::string& queue : options.queues) {
        if (auto spec = parse_queue(queue); !spec) return fail(std::move(spec).error());
    }
    return {};
}

}  // namespace scanmq::broker
