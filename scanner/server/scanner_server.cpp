#include "scanner/server/scanner_server.hpp"

#include <spdlog/spdlog.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <utility>

#include "common/base/rng.hpp"
#include "scanner/market/reader.hpp"
#include "scanner/market/snapshot.hpp"
#include "scanner/server/service.hpp"

namespace scanmq::scand {

namespace {

// How long answers under way may take to go out once all scans have ended.
constexpr Duration kLastAnswers = std::chrono::seconds(2);
// Beside scans, which the desk bounds: lists, states, health.
constexpr std::uint32_t kOtherRequests = 256;

http::ServerOptions http_options(const Settings& settings) {
    http::ServerOptions out;
    out.listen = settings.http;
    out.connections_max = settings.connections_max;
    out.requests_max = settings.concurrency + settings.queue + kOtherRequests;
    out.body_bytes_max = settings.body_bytes_max;
    out.bodies_bytes_max = std::max<std::uint64_t>(
        out.bodies_bytes_max, 4 * std::max(settings.snapshot_bytes_max, settings.body_bytes_max));
    out.read_timeout = settings.read_timeout;
    out.write_timeout = settings.write_timeout;
    out.idle_timeout = settings.idle_timeout;
    out.headers.emplace_back("X-Scanmq-Scanner-Version", service::kEngineVersion);
    return out;
}

Result<void, std::string> load(const std::string& path, ChainBook& book) {
    auto report = market::read_chains(path);
    if (!report) return fail("--chains: " + report.error().message);
    for (const market::Error& error : report->files_failed) {
        spdlog::warn("left out: {}", error.message);
    }
    if (const std::uint64_t skipped = report->skipped.total(); skipped > 0) {
        spdlog::info("{}: {} contracts left out", path, skipped);
    }
    for (market::Chain& chain : report->chains) {
        const ContentId id = content_id(market::encode_snapshot(chain));
        book.add(std::make_shared<BookedChain>(
            id, std::make_shared<const market::Chain>(std::move(chain))));
    }
    spdlog::info("{} chains of {} symbols from {}", book.count(), book.symbols(), path);
    return {};
}

}  // namespace

class ScannerServer::Impl {
  public:
    explicit Impl(const Settings& settings)
        : settings_(settings),
          signals_(io_),
          drain_timer_(io_),
          service_(io_, settings, Rng::random_seed()) {}

    Result<void, std::string> start(bool take_signals);
    bool run();
    void drain();

    boost::asio::io_context io_{1};

  private:
    friend class ScannerServer;
    void wait_for_signal();
    void finish();

    const Settings settings_;
    boost::asio::signal_set signals_;
    boost::asio::steady_timer drain_timer_;
    Service service_;
    std::unique_ptr<http::Server> server_;
    bool draining_ = false;
    bool finishing_ = false;
    bool cancelled_ = false;
};

Result<void, std::string> ScannerServer::Impl::start(bool take_signals) {
    if (!settings_.chains.empty()) {
        if (auto loaded = load(settings_.chains, service_.book()); !loaded) {
            return fail(loaded.error());
        }
    }
    auto server = http::Server::create(io_, http_options(settings_), service_.router());
    if (!server) return fail(server.error());
    server_ = std::move(server).value();
    service_.serve_with(server_.get());
    if (take_signals) {
        signals_.add(SIGTERM);
        signals_.add(SIGINT);
        wait_for_signal();
    }
    return {};
}

void ScannerServer::Impl::wait_for_signal() {
    signals_.async_wait([this](const auto& error, int signal) {
        if (error) return;
        if (draining_) {
            spdlog::warn("signal {} again: leaving at once", signal);
            cancelled_ = true;
            return io_.stop();
        }
        spdlog::info("signal {}: draining", signal);
        drain();
        wait_for_signal();
    });
}

void ScannerServer::Impl::drain() {
    if (std::exchange(draining_, true)) return;
    server_->drain();
    service_.desk().on_free([this] { finish(); });
    drain_timer_.expires_after(
        std::chrono::duration_cast<boost::asio::steady_timer::duration>(settings_.drain_timeout));
    drain_timer_.async_wait([this](const auto& error) {
        if (error) return;
        cancelled_ = true;
        service_.desk().cancel_all(
            {503, "draining", "the server is shutting down; try another one", {}});
    });
    finish();
}

void ScannerServer::Impl::finish() {
    if (finishing_ || !service_.desk().idle()) return;
    finishing_ = true;
    drain_timer_.cancel();
    // Later, not from within the desk, and after the answers it is about to give.
    boost::asio::post(io_, [this] { server_->stop(kLastAnswers, [this] { io_.stop(); }); });
}

bool ScannerServer::Impl::run() {
    io_.run();
    return !cancelled_;
}

Result<std::unique_ptr<ScannerServer>, std::string> ScannerServer::create(const Settings& settings,
                                                                          bool take_signals) {
    auto impl = std::make_unique<Impl>(settings);
    if (auto started = impl->start(take_signals); !started) return fail(started.error());
    return std::unique_ptr<ScannerServer>(new ScannerServer(std::move(impl)));
}

ScannerServer::ScannerServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ScannerServer::~ScannerServer() = default;

const std::string& ScannerServer::address() const noexcept { return impl_->server_->address(); }
bool ScannerServer::run() { return impl_->run(); }
void ScannerServer::stop() {
    boost::asio::post(impl_->io_, [this] { impl_->drain(); });
}

}  // namespace scanmq::scand
