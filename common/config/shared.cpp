#include "common/config/shared.hpp"

namespace scanmq::config {

void add_listen(Options& options, std::string& endpoint) {
    options.text(
        "listen", endpoint,
        "Endpoint to listen on; port 0 takes any free one. Beyond loopback it needs --insecure");
}

void add_broker(Options& options, std::vector<std::string>& brokers) {
    options.list("broker", brokers, ',', "Brokers to connect to, the first that answers");
}

void add_http(Options& options, std::string& address) {
    options.text("http", address,
                 "Address of the HTTP port, host:port. Beyond loopback it needs --insecure");
}

void add_data(Options& options, std::string& directory) {
    options.text("data", directory, "Directory of what is kept across restarts");
}

void add_durability(Options& options, std::string& durability) {
    options.choice("durability", durability, {"sync", "async", "memory"},
                   "When a commit counts as done: synced to disk, written, or in memory only");
}

void add_name(Options& options, std::string& name) {
    options.text("name", name, "Name told to peers and shown to operators");
}

void add_threads(Options& options, std::uint32_t& threads) {
    options.number("threads", threads, {1, 1024}, "threads", "Threads that do the work");
}

void add_log(Options& options, std::string& level) {
    options.choice("log", level, {"trace", "debug", "info", "warn", "error", "off"},
                   "Least level of the lines logged to stderr");
}

void add_json(Options& options, bool& json) {
    options.flag("json", json, "Print JSON instead of text");
}

void add_cache(Options& options, std::string& where) {
    options.text(
        "cache", where,
        "Where results of pure jobs are kept to answer later ones: memory, off, or memory and a "
        "tier that brokers and their workers share: a Redis, "
        "redis://[[USER]:PASSWORD@]HOST[:PORT][/DB], or another broker, tcp://HOST:PORT");
}

void add_cache_prefix(Options& options, std::string& prefix) {
    options.text("cache-prefix", prefix,
                 "What every key in the Redis begins with: brokers and workers of one prefix share "
                 "results");
}

void add_cache_wait(Options& options, Duration& wait) {
    options.duration("cache-wait", wait, {std::chrono::milliseconds(1), std::chrono::seconds(10)},
                     "How long a job waits for the shared tier, then it goes on without");
}

void add_insecure(Options& options, bool& insecure) {
    options.flag(
        "insecure", insecure,
        "Allow listening beyond loopback although peers are neither identified nor encrypted");
}

}  // namespace scanmq::config
