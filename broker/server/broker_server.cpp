#include "broker/server/broker_server.hpp"

#include <malloc.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "broker/server/broker_loop.hpp"
#include "broker/server/memory_options.hpp"

namespace scanmq::broker {

class BrokerServer::Impl {
  public:
    explicit Impl(const ServerOptions& options) : loop(options) {}
    BrokerLoop loop;
};

BrokerServer::BrokerServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BrokerServer::~BrokerServer() = default;

Result<std::unique_ptr<BrokerServer>, ServerError> BrokerServer::create(
    const ServerOptions& options) {
    if (auto checked = check(options); !checked) return fail(std::move(checked).error());
    ServerOptions fitted = options;
    if (auto fits = fit_to_memory(fitted); !fits) return fail(std::move(fits).error());
    transport::raise_open_file_limit();
    spdlog::info("memory-max {} MiB, {} sessions", fitted.memory_max >> 20,
                 fitted.core.sessions_max);
    auto impl = std::make_unique<Impl>(fitted);
    if (auto opened = impl->loop.open(); !opened) return fail(std::move(opened).error());
    spdlog::info("listening on {}, blobs on {}", impl->loop.endpoint(), impl->loop.blob_endpoint());
    return std::unique_ptr<BrokerServer>(new BrokerServer(std::move(impl)));
}

const std::string& BrokerServer::endpoint() const noexcept { return impl_->loop.endpoint(); }
const std::string& BrokerServer::blob_endpoint() const noexcept {
    return impl_->loop.blob_endpoint();
}
Result<void, ServerError> BrokerServer::run() { return impl_->loop.run(); }
void BrokerServer::stop() { impl_->loop.request_stop(); }

Result<void, ServerError> write_endpoint_file(const std::string& path, const BrokerServer& server) {
    const std::string part = path + ".part";
    const std::string text = server.endpoint() + "\n" + server.blob_endpoint() + "\n";
    std::FILE* file = std::fopen(part.c_str(), "w");
    bool good = file != nullptr;
    if (good) {
        good = std::fputs(text.c_str(), file) >= 0;
        good = std::fclose(file) == 0 && good;
    }
    if (!good || std::rename(part.c_str(), path.c_str()) != 0) {
        return fail(ServerError{"--endpoint-file: cannot write \"" + path + "\": " +
                                std::strerror(errno) + "; give a path in a directory that exists"});
    }
    return {};
}

Result<void, ServerError> restore_backup_of(const ServerOptions& options) {
    return restore_data(options.restore, options.data);
}

void tune_memory() {
    // Fixed thresholds: by default they grow with the largest block ever freed, and blobs of 64 MiB would
    // then stay in the heap for good. Frames stay below, so that they do not cost a system call each.
    mallopt(M_MMAP_THRESHOLD, 4 << 20);
    mallopt(M_TRIM_THRESHOLD, 8 << 20);
}

}  // namespace scanmq::broker
