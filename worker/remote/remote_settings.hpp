#pragma once
// RemoteSettings: what a worker with `--scanner http` can be told.
//
// See: docs/CONFIG.md

#include <string>
#include <vector>

#include "common/config/options.hpp"
#include "worker/remote/http_scanner.hpp"

namespace scanmq::worker {

struct RemoteSettings {
    std::vector<std::string> urls{"http://127.0.0.1:8702"};
    std::string version;  // empty: the scanner is asked
    std::string limiter = "gradient";
    std::string rate_limiter = "off";
    std::string worker_rate_limiter = "off";
    std::uint32_t worker_concurrency = 0;  // 0: the targets' limits alone
    double worker_rate = 10.0;
    double worker_burst = 20.0;
    HttpScanner::Options options;

    RemoteSettings();
    void declare(config::Options& options);
    // The options but for their version. Errors: a sentence.
    [[nodiscard]] Result<HttpScanner::Options, std::string> complete() const;

  private:
    void declare_limits(config::Options& to);
    void declare_failures(config::Options& to);
};

}  // namespace scanmq::worker
