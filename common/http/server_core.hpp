#pragma once
// ServerCore: what a server's connections share. Private to common/http: the headers with Asio and Beast
//             are this one and connection.hpp.
//
// Threads: the loop.

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <unordered_set>

#include "common/http/server.hpp"

namespace scanmq::http {

class Connection;

struct ServerCore {
    ServerCore(boost::asio::io_context& context, ServerOptions settings, Router routes)
        : io(context), options(std::move(settings)), router(std::move(routes)) {}

    boost::asio::io_context& io;
    const ServerOptions options;
    const Router router;
    HttpStats stats;
    std::unordered_set<std::shared_ptr<Connection>> connections;
    bool draining = false;
    bool stopping = false;  // connections close as soon as they are idle
    std::function<void()> on_connection_closed;
};

}  // namespace scanmq::http
