#pragma once
// The options that several programs share: one spelling, one help text each. Declare them with
// these.

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/time.hpp"
#include "common/config/options.hpp"

namespace scanmq::config {

inline constexpr const char* kDefaultBroker = "tcp://127.0.0.1:5701";

void add_listen(Options& options, std::string& endpoint);              // --listen
void add_broker(Options& options, std::vector<std::string>& brokers);  // --broker, a list
void add_http(Options& options, std::string& address);                 // --http
void add_data(Options& options, std::string& directory);               // --data
void add_durability(Options& options, std::string& durability);        // --durability
void add_name(Options& options, std::string& name);                    // --name
void add_threads(Options& options, std::uint32_t& threads);            // --threads
void add_log(Options& options, std::string& level);                    // --log
void add_json(Options& options, bool& json);                           // --json
void add_cache(Options& options, std::string& where);                  // --cache
void add_cache_prefix(Options& options, std::string& prefix);          // --cache-prefix
void add_cache_wait(Options& options, Duration& wait);                 // --cache-wait
void add_insecure(Options& options, bool& insecure);                   // --insecure

}  // namespace scanmq::config
