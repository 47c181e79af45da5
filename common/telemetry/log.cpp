#include "common/telemetry/log.hpp"

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace scanmq::telemetry {
namespace {

// 2026-01-31 12:00:00.123 info message
constexpr const char* kPattern = "%Y-%m-%d %H:%M:%S.%e %l %v";

}  // namespace

const std::vector<std::string>& log_levels() {
    static const std::vector<std::string> kLevels = {"trace", "debug", "info",
                                                     "warn",  "error", "off"};
    return kLevels;
}

Result<void, std::string> start_logging(const LogOptions& options) {
    const std::vector<std::string>& known = log_levels();
    if (std::find(known.begin(), known.end(), options.level) == known.end()) {
        return fail("\"" + options.level +
                    "\" is no log level; choose trace, debug, info, warn, error or off");
    }
    auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    std::shared_ptr<spdlog::logger> logger;
    if (options.asynchronous) {
        spdlog::init_thread_pool(kLogQueueLines, 1);
        logger =
            std::make_shared<spdlog::async_logger>("scanmq", std::move(sink), spdlog::thread_pool(),
                                                   spdlog::async_overflow_policy::overrun_oldest);
    } else {
        logger = std::make_shared<spdlog::logger>("scanmq", std::move(sink));
    }
    logger->set_pattern(kPattern);
    logger->set_level(spdlog::level::from_str(options.level));
    logger->flush_on(spdlog::level::warn);
    spdlog::set_default_logger(std::move(logger));
    return {};
}

void stop_logging() {
    if (auto* logger = spdlog::default_logger_raw(); logger != nullptr) logger->flush();
    spdlog::shutdown();
    // Without sinks: a late line is dropped instead of meeting a null logger.
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("stopped"));
}

}  // namespace scanmq::telemetry
