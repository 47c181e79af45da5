// scanmq-broker: accepts, schedules and publishes. Options: --help, docs/CONFIG.md.

#include <csignal>
#include <cstdio>

#include "broker/server/broker_server.hpp"
#include "common/base/scheduling.hpp"
#include "common/config/options.hpp"
#include "common/telemetry/log.hpp"

namespace {

int report(const std::string& sentence) {
    std::fprintf(stderr, "scanmq-broker: %s\n", sentence.c_str());
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    using namespace scanmq;
    run_promptly();
    broker::tune_memory();
    std::signal(SIGPIPE, SIG_IGN);  // who reads our first line only must not end us
    broker::ServerOptions settings;
    settings.handle_signals = true;
    settings.http = broker::kHttpDefault;
    config::Options options("scanmq-broker",
                            "The broker of scanmq: takes jobs, hands them to workers, "
                            "publishes their results");
    broker::declare(options, settings);
    int exit_code = 0;
    if (!config::parse_or_exit(options, argc, argv, exit_code)) return exit_code;
    if (auto started = telemetry::start_logging({settings.log, true}); !started) {
        return report(started.error());
    }
    if (!settings.restore.empty()) {
        const auto restored = broker::restore_backup_of(settings);
        telemetry::stop_logging();
        return restored ? 0 : report(restored.error().sentence);
    }
    auto server = broker::BrokerServer::create(settings);
    if (!server) return report(server.error().sentence);
    if (!settings.endpoint_file.empty()) {
        if (auto written = broker::write_endpoint_file(settings.endpoint_file, **server);
            !written) {
            return report(written.error().sentence);
        }
    }
    std::printf("listening on %s\n", (*server)->endpoint().c_str());
    if (!(*server)->http_endpoint().empty()) {
        std::printf("HTTP API on %s\n", (*server)->http_endpoint().c_str());
    }
    std::fflush(stdout);
    const auto served = (*server)->run();
    telemetry::stop_logging();
    return served ? 0 : report(served.error().sentence);
}
