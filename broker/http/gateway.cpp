#include "broker/http/gateway.hpp"

#include <spdlog/spdlog.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <thread>
#include <utility>

#include "broker/http/context.hpp"

namespace scanmq::gateway {

namespace {
constexpr Duration kPatience = std::chrono::seconds(1);  // for answers being sent at the end
}

class Gateway::Impl {
  public:
    explicit Impl(GatewayOptions options)
        : options_(std::move(options)),
          desk_(loop_, options_.desk),
          keys_(options_.keys_max, options_.key_ttl),
          context_{options_, desk_, keys_, counts_, &loop_, nullptr} {}

    Result<void, std::string> open() {
        http::Router router;
        add_scan_routes(router, context_);
        add_job_routes(router, context_);
        add_snapshot_routes(router, context_);
        add_info_routes(router, context_);
        auto server = http::Server::create(loop_, options_.http, std::move(router));
        if (!server) return fail(std::move(server).error());
        server_ = std::move(*server);
        context_.server = server_.get();
        if (auto started = desk_.start(); !started) return fail(started.error().sentence);
        return {};
    }

    void start() {
        if (thread_.joinable()) return;
        thread_ = std::thread([this] { loop_.run(); });
    }

    void stop() {
        if (!thread_.joinable()) return;
        boost::asio::post(loop_, [this] {
            server_->drain();
            desk_.stop();
            server_->stop(kPatience, [this] { loop_.stop(); });
        });
        thread_.join();
    }

    [[nodiscard]] const std::string& address() const noexcept { return server_->address(); }

  private:
    const GatewayOptions options_;
    boost::asio::io_context loop_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> busy_{
        loop_.get_executor()};
    Desk desk_;
    KeyTable keys_;
    RouteCounts counts_;
    Context context_;
    std::unique_ptr<http::Server> server_;
    std::thread thread_;
};

Gateway::Gateway(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Gateway::~Gateway() { stop(); }

Result<std::unique_ptr<Gateway>, std::string> Gateway::create(GatewayOptions options) {
    auto impl = std::make_unique<Impl>(std::move(options));
    if (auto opened = impl->open(); !opened) return fail(std::string(opened.error()));
    spdlog::info("HTTP API on {}", impl->address());
    return std::unique_ptr<Gateway>(new Gateway(std::move(impl)));
}

void Gateway::start() { impl_->start(); }
void Gateway::stop() { impl_->stop(); }
const std::string& Gateway::address() const noexcept { return impl_->address(); }

}  // namespace scanmq::gateway
