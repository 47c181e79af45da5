#pragma once
// Router: which handler a method and a path lead to.
//
// Patterns:  "/api/v1/scan/{id}": a segment in braces takes any one segment that is not empty. Fixed
//            segments win over braces. A path's trailing slash is ignored.
// Threads:   filled before the server starts, then read only.
// Errors:    the sentence of unknown() names the nearest route.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/http/message.hpp"
#include "common/http/responder.hpp"

namespace scanmq::http {

// May answer at once or later. What it throws becomes 500 `internal_error`.
using Handler = std::function<void(Request, Responder)>;

struct RouteOptions {
    std::optional<std::uint64_t> body_bytes_max{};  // in place of the server's
    bool while_draining = false;                    // answered even then: health, metrics
};

class Router {
  public:
    struct Route {
        std::string method;
        std::string pattern;
        std::vector<std::string> segments;
        Handler handler;
        RouteOptions options;
    };

    // Precondition: the pattern begins with '/', and (method, pattern) is new. A GET route answers HEAD
    // as well.
    void add(std::string method, std::string pattern, Handler handler, RouteOptions options = {});

    // The route, and its parameters in `parameters`; null when there is none.
    [[nodiscard]] const Route* find(std::string_view method, std::string_view path,
                                    Pairs& parameters) const;
    // The methods that the path knows, for Allow ("GET, HEAD, POST"); empty: the path is unknown.
    [[nodiscard]] std::string allowed(std::string_view path) const;
    // What to tell someone who asked for a path that there is not.
    [[nodiscard]] std::string unknown(std::string_view path) const;

    [[nodiscard]] const std::vector<Route>& routes() const noexcept { return routes_; }

  private:
    std::vector<Route> routes_;
};

}  // namespace scanmq::http
