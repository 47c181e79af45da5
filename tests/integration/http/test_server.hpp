#pragma once
// TestServer: an http::Server on port 0 with its loop in a thread of its own.

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <memory>
#include <thread>
#include <utility>

#include "common/http/server.hpp"

namespace scanmq::http {

class TestServer {
  public:
    TestServer(ServerOptions options, Router router) {
        auto made = Server::create(io_, std::move(options), std::move(router));
        if (!made) throw std::runtime_error(made.error());
        server_ = std::move(made).value();
        loop_ = std::thread([this] { io_.run(); });
    }
    ~TestServer() {
        on_loop([this] { server_.reset(); });
        guard_.reset();
        loop_.join();
    }
    TestServer(const TestServer&) = delete;
    TestServer& operator=(const TestServer&) = delete;

    [[nodiscard]] const std::string& address() const { return server_->address(); }
    [[nodiscard]] Server& server() { return *server_; }
    [[nodiscard]] HttpStats stats() {
        HttpStats out;
        on_loop([&] { out = server_->stats(); });
        return out;
    }
    template <class Work>
    void on_loop(Work work) {
        std::promise<void> done;
        boost::asio::post(io_, [&] {
            work();
            done.set_value();
        });
        done.get_future().wait();
    }
    // Waits until check(stats) holds. False: not within 20 s.
    template <class Check>
    bool until(Check check) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (std::chrono::steady_clock::now() < end) {
            if (check(stats())) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
        return false;
    }

  private:
    boost::asio::io_context io_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{
        io_.get_executor()};
    std::unique_ptr<Server> server_;
    std::thread loop_;
};

}  // namespace scanmq::http
