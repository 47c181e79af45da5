// scanmq-scanner: the scan engine as an HTTP service. Options: --help, docs/CONFIG.md.

#include <csignal>
#include <cstdio>

#include "common/base/scheduling.hpp"
#include "common/telemetry/log.hpp"
#include "scanner/server/scanner_server.hpp"

namespace {

int report(const std::string& sentence, int code) {
    std::fprintf(stderr, "scanmq-scanner: %s\n", sentence.c_str());
    return code;
}

}  // namespace

int main(int argc, char** argv) {
    using namespace scanmq;
    run_promptly();
    std::signal(SIGPIPE, SIG_IGN);  // who reads our first line only must not end us
    scand::Settings settings;
    config::Options options("scanmq-scanner", "The scan engine of scanmq as an HTTP service");
    scand::declare(options, settings);
    int exit_code = 0;
    if (!config::parse_or_exit(options, argc, argv, exit_code)) return exit_code;
    if (auto complete = scand::complete(settings); !complete) {
        return report(complete.error(), config::kUsageExitCode);
    }
    if (auto started = telemetry::start_logging({settings.log, true}); !started) {
        return report(started.error(), config::kUsageExitCode);
    }
    auto server = scand::ScannerServer::create(settings, true);
    if (!server) {
        telemetry::stop_logging();
        return report(server.error(), 1);
    }
    std::printf("listening on http://%s\n", (*server)->address().c_str());
    std::fflush(stdout);
    const bool drained = (*server)->run();
    telemetry::stop_logging();
    if (drained) return 0;
    return report("left before all scans had ended", 1);
}
