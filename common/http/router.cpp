#include "common/http/router.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/assert.hpp"
#include "common/base/nearest.hpp"

namespace scanmq::http {

namespace {

std::vector<std::string_view> split(std::string_view path) {
    std::vector<std::string_view> out;
    if (path.starts_with('/')) path.remove_prefix(1);
    if (path.ends_with('/')) path.remove_suffix(1);
    while (true) {
        const std::size_t slash = path.find('/');
        out.push_back(path.substr(0, slash));
        if (slash == std::string_view::npos) return out;
        path.remove_prefix(slash + 1);
    }
}

bool is_parameter(std::string_view segment) {
    return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

// How many fixed segments agree; -1: no match.
int match(const Router::Route& route, const std::vector<std::string_view>& path) {
    if (route.segments.size() != path.size()) return -1;
    int fixed = 0;
    for (std::size_t i = 0; i < path.size(); ++i) {
        if (is_parameter(route.segments[i])) {
            if (path[i].empty()) return -1;
        } else if (route.segments[i] == path[i]) {
            ++fixed;
        } else {
            return -1;
        }
    }
    return fixed;
}

bool serves(const std::string& route, std::string_view method) {
    return route == method || (route == "GET" && method == "HEAD");
}

}  // namespace

void Router::add(std::string method, std::string pattern, Handler handler, RouteOptions options) {
    SCANMQ_ASSERT(pattern.starts_with('/'));
    Route route{std::move(method), std::move(pattern), {}, std::move(handler), options};
    for (const std::string_view segment : split(route.pattern)) {
        route.segments.emplace_back(segment);
    }
    SCANMQ_ASSERT(std::ranges::none_of(routes_, [&](const Route& other) {
        return other.method == route.method && other.pattern == route.pattern;
    }));
    routes_.push_back(std::move(route));
}

const Router::Route* Router::find(std::string_view method, std::string_view path,
                                  Pairs& parameters) const {
    parameters.clear();
    const auto segments = split(path);
    const Route* best = nullptr;
    int best_fixed = -1;
    for (const Route& route : routes_) {
        if (!serves(route.method, method)) continue;
        const int fixed = match(route, segments);
        if (fixed > best_fixed) {
            best = &route;
            best_fixed = fixed;
        }
    }
    if (best == nullptr) return nullptr;
    for (std::size_t i = 0; i < segments.size(); ++i) {
        const std::string& name = best->segments[i];
        if (is_parameter(name)) {
            parameters.emplace_back(name.substr(1, name.size() - 2), segments[i]);
        }
    }
    return best;
}

std::string Router::allowed(std::string_view path) const {
    const auto segments = split(path);
    std::vector<std::string_view> methods;
    for (const Route& route : routes_) {
        if (match(route, segments) < 0) continue;
        methods.push_back(route.method);
        if (route.method == "GET") methods.push_back("HEAD");
    }
    std::ranges::sort(methods);
    methods.erase(std::unique(methods.begin(), methods.end()), methods.end());
    std::string out;
    for (const std::string_view method : methods) {
        if (!out.empty()) out += ", ";
        out += method;
    }
    return out;
}

std::string Router::unknown(std::string_view path) const {
    std::vector<std::string_view> patterns;
    patterns.reserve(routes_.size());
    for (const Route& route : routes_) patterns.push_back(route.pattern);
    const std::string_view nearest = nearest_name(path, patterns);
    if (nearest.empty()) return fmt::format("there is nothing at {}", printable(path));
    return fmt::format("there is nothing at {}; did you mean {}?", printable(path), nearest);
}

}  // namespace scanmq::http
