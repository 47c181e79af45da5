#include "worker/remote/version_wait.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <memory>

#include "worker/remote/answer.hpp"

namespace scanmq::worker {

namespace {

using boost::system::error_code;

Time clock_now() { return std::chrono::steady_clock::now(); }

class Wait {
  public:
    explicit Wait(const VersionWait& options)
        : options_(options), begin_(clock_now()), signals_(loop_, SIGINT, SIGTERM), timer_(loop_) {
        for (const http::Endpoint& endpoint : options.endpoints) {
            clients_.push_back(std::make_unique<http::Client>(loop_, endpoint, options.client));
        }
    }

    std::optional<std::string> run() {
        signals_.async_wait([this](const error_code& error, int) {
            if (!error) loop_.stop();
        });
        ask();
        loop_.run();
        return std::move(version_);
    }

  private:
    void ask() {
        left_ = clients_.size();
        for (const auto& client : clients_) {
            http::ClientRequest request;
            request.target = "/healthz";
            request.timeout = options_.timeout;
            client->send(request, [this, target = client.get()](const http::ClientResult& result) {
                on_answer(*target, result);
            });
        }
    }
    void on_answer(const http::Client& client, const http::ClientResult& result) {
        const std::string_view version = result ? result->header(kVersionHeader) : "";
        if (!version.empty() && !version_) {
            version_ = http::printable(version);
            spdlog::info("the scanner at {} is version {}", client.endpoint().url(), *version_);
            return loop_.stop();
        }
        if (version_) return;
        problem_ = !result ? result.error().sentence
                           : client.endpoint().url() + " answers " + error_sentence(*result) +
                                 ", without its version: is it a scan service? If it is, name its "
                                 "version by --scanner-version";
        if (--left_ > 0) return;
        if (clock_now() - begin_ >= options_.patience) return loop_.stop();
        if (clock_now() >= log_at_) {
            spdlog::warn("waits for a scanner before it asks the broker for work: {}", problem_);
            log_at_ = clock_now() + options_.log_every;
        }
        timer_.expires_after(options_.every);
        timer_.async_wait([this](const error_code& error) {
            if (!error) ask();
        });
    }

    const VersionWait& options_;
    const Time begin_;
    Time log_at_{};
    boost::asio::io_context loop_{1};
    boost::asio::signal_set signals_;
    boost::asio::steady_timer timer_;
    std::vector<std::unique_ptr<http::Client>> clients_;
    std::size_t left_ = 0;  // answers to come in this round
    std::string problem_;
    std::optional<std::string> version_;
};

}  // namespace

std::optional<std::string> wait_for_version(const VersionWait& options) {
    return Wait(options).run();
}

}  // namespace scanmq::worker
