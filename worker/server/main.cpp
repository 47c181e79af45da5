// scanmq-worker: pulls jobs from a broker, runs the scanner, returns results.
#include <malloc.h>

#include <cstdio>
#include <cstdlib>

#include "common/base/scheduling.hpp"
#include "common/telemetry/log.hpp"
#include "worker/server/program_options.hpp"

int main(int argc, char** argv) {
    using namespace scanmq;
    run_promptly();
    // Fixed: by default it grows with the largest block ever freed, and then what a snapshot's bytes took
    // while they were decoded stays with the process, a megabyte for one of a megabyte.
    mallopt(M_MMAP_THRESHOLD, 128 << 10);
    worker::ProgramOptions program;
    config::Options options("scanmq-worker", "Runs scan jobs for a scanmq broker");
    program.declare(options);
    int exit_code = 0;
    if (!config::parse_or_exit(options, argc, argv, exit_code)) return exit_code;

    auto scanner = program.complete();
    if (!scanner) {
        std::fprintf(stderr, "scanmq-worker: %s\n", scanner.error().c_str());
        return config::kUsageExitCode;
    }
    const auto logging = telemetry::start_logging({program.log, true});
    if (!logging) {
        std::fprintf(stderr, "scanmq-worker: %s\n", logging.error().c_str());
        return config::kUsageExitCode;
    }
    if (!program.wait_for_scanner(**scanner)) {
        telemetry::stop_logging();
        return 0;
    }
    worker::WorkerServer server(program.settings, std::move(scanner).value());
    const worker::Exit exit = server.run();
    telemetry::stop_logging();
    if (exit.code != 0) std::fprintf(stderr, "scanmq-worker: %s\n", exit.sentence.c_str());
    if (exit.scans_left) std::_Exit(exit.code);  // a scan that does not end must not keep us
    return exit.code;
}
