#include "common/http/client.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "common/base/assert.hpp"
#include "common/http/client_pool.hpp"

namespace scanmq::http {

namespace {

Time clock_now() { return std::chrono::steady_clock::now(); }

std::string in_ms(Duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) +
           " ms";
}

}  // namespace

void add_header(std::string& headers, std::string_view name, std::string_view value) {
    SCANMQ_ASSERT(name.find_first_of("\r\n: ") == std::string_view::npos &&
                  value.find_first_of("\r\n") == std::string_view::npos);
    headers.append(name).append(": ").append(value).append("\r\n");
}

std::string_view ClientResponse::header(std::string_view name) const noexcept {
    const auto found = std::find_if(headers.begin(), headers.end(), [&](const auto& pair) {
        return equal_names(pair.first, name);
    });
    return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

Client::Impl::Impl(boost::asio::io_context& io, Endpoint endpoint, ClientOptions options)
    : io_(io),
      endpoint_(std::move(endpoint)),
      authority_(endpoint_.authority()),
      options_(options),
      timer_(std::in_place, io) {}

std::string Client::Impl::head_of(const ClientRequest& request) const {
    std::string head;
    head.reserve(256 + request.target.size() + request.headers.size());
    head.append(request.method).append(" ").append(endpoint_.prefix).append(request.target);
    head.append(" HTTP/1.1\r\nHost: ").append(authority_).append("\r\n").append(request.headers);
    if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
        head.append("Content-Length: ").append(std::to_string(request.body.size())).append("\r\n");
    }
    return head.append("\r\n");
}

RequestId Client::Impl::send(const ClientRequest& request, Done done) {
    const std::uint64_t id = ++last_id_;
    ++stats_.requests;
    Pending& pending = requests_[id];
    pending.head = head_of(request);
    pending.body = request.body;
    pending.head_only = request.method == "HEAD";
    pending.deadline = clock_now() + request.timeout;
    pending.done = std::move(done);
    due_at(pending.deadline);
    if (place(id, pending)) return {id};
    if (stats_.requests_waiting >= options_.waiting_max) {
        ++stats_.refused;
        finish_later(
            id, ClientError::refused,
            std::to_string(options_.waiting_max) + " requests wait for a connection already");
        return {id};
    }
    ++stats_.requests_waiting;
    waiting_.push_back(id);
    return {id};
}

bool Client::Impl::place(std::uint64_t id, Pending& pending) {
    Link link = kept_link();
    if (link == nullptr) {
        if (links_.size() >= options_.connections_max) return false;
        open_link(id, pending);
        return true;
    }
    ++stats_.reused;
    link->request = id;
    link->was_kept = true;
    pending.link = link.get();
    link->begin(pending.head, pending.body, pending.head_only);
    return true;
}

void Client::Impl::open_link(std::uint64_t id, Pending& pending) {
    ClientConnection::Owner owner;
    owner.connected = [this](ClientConnection& link, const std::string& problem) {
        on_connected(link, problem);
    };
    owner.ended = [this](ClientConnection& link, ClientResult result) {
        on_ended(link, std::move(result));
    };
    links_.push_back(std::make_shared<ClientConnection>(io_, options_, stats_, std::move(owner)));
    Link link = links_.back();
    link->request = id;
    link->deadline = clock_now() + options_.connect_timeout;
    pending.link = link.get();
    due_at(link->deadline);
    link->connect(endpoint_);
}

Client::Impl::Link Client::Impl::kept_link() {
    while (!idle_.empty()) {
        Link link = std::move(idle_.back());
        idle_.pop_back();
        --stats_.connections_idle;
        if (link->usable()) return link;
        ++stats_.stale;
        drop(*link);
    }
    return nullptr;
}

void Client::Impl::place_waiting() {
    while (!waiting_.empty()) {
        const std::uint64_t id = waiting_.front();
        const auto found = requests_.find(id);
        if (found != requests_.end() && !place(id, found->second)) return;
        waiting_.pop_front();
        if (found != requests_.end()) --stats_.requests_waiting;
    }
}

void Client::Impl::on_connected(ClientConnection& link, const std::string& problem) {
    const auto found = requests_.find(link.request);
    SCANMQ_ASSERT(found != requests_.end());
    if (problem.empty()) {
        ++stats_.connections;
        ++stats_.connections_open;
        return link.begin(found->second.head, found->second.body, found->second.head_only);
    }
    ++stats_.connect_failures;
    const std::uint64_t id = link.request;
    drop(link);
    finish(id, ClientError::unreachable, problem);
}

void Client::Impl::on_ended(ClientConnection& link, ClientResult result) {
    const auto found = requests_.find(link.request);
    SCANMQ_ASSERT(found != requests_.end());
    const std::uint64_t id = link.request;
    if (result) {
        ++stats_.answers;
        if (link.reusable()) {
            keep(link);
        } else {
            drop(link);
        }
        return finish(id, std::move(result));
    }
    const ClientError error = result.error().error;
    const bool again =
        error == ClientError::broken && link.was_kept && !link.answering() && !found->second.resent;
    drop(link);
    if (again) {
        ++stats_.resent;
        found->second.resent = true;
        return open_link(id, found->second);
    }
    if (error == ClientError::broken) ++stats_.broken;
    if (error == ClientError::malformed) ++stats_.malformed;
    if (error == ClientError::header_too_large) ++stats_.header_too_large;
    if (error == ClientError::body_too_large) ++stats_.body_too_large;
    finish(id, std::move(result));
}

void Client::Impl::keep(ClientConnection& link) {
    link.request = 0;
    link.deadline = clock_now() + options_.idle_timeout;
    due_at(link.deadline);
    ++stats_.connections_idle;
    idle_.push_back(link.shared_from_this());
}

void Client::Impl::drop(ClientConnection& link) {
    const Link held = link.shared_from_this();
    if (link.is_connected) --stats_.connections_open;
    link.close();
    std::erase(links_, held);
}

void Client::Impl::finish(std::uint64_t id, ClientError error, const std::string& sentence) {
    finish(id, fail(ClientFailure{error, authority_ + ": " + sentence}));
}

void Client::Impl::finish_later(std::uint64_t id, ClientError error, const std::string& sentence) {
    boost::asio::post(io_, [weak = weak_from_this(), id, error, sentence] {
        const auto self = weak.lock();
        if (self != nullptr && !self->closed_) self->finish(id, error, sentence);
    });
}

void Client::Impl::finish(std::uint64_t id, ClientResult result) {
    auto entry = requests_.extract(id);
    if (entry.empty()) return;  // cancelled
    const auto self = shared_from_this();
    const Done done = std::move(entry.mapped().done);
    done(std::move(result));
    if (!closed_) place_waiting();
}

void Client::Impl::cancel(RequestId id) {
    auto entry = requests_.extract(id.value);
    if (entry.empty()) return;
    ++stats_.cancelled;
    ClientConnection* link = entry.mapped().link;
    if (link != nullptr) {
        drop(*link);
        return place_waiting();
    }
    if (std::erase(waiting_, id.value) > 0) --stats_.requests_waiting;
}

void Client::Impl::close_idle() {
    stats_.connections_idle = 0;
    for (const Link& link : std::exchange(idle_, {})) drop(*link);
}

void Client::Impl::close() {
    closed_ = true;
    timer_.reset();
    requests_.clear();
    waiting_.clear();
    idle_.clear();
    for (const Link& link : links_) link->close();
    links_.clear();
}

void Client::Impl::due_at(Time when) {
    if (when >= armed_) return;
    armed_ = when;
    timer_->expires_at(when);
    timer_->async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
        if (error) return;
        const auto self = weak.lock();
        if (self != nullptr && !self->closed_) self->on_timer();
    });
}

void Client::Impl::on_timer() {
    const Time now = clock_now();
    armed_ = Time::max();
    Time next = Time::max();
    const auto due = [&](Time deadline) {
        if (deadline <= now) return true;
        next = std::min(next, deadline);
        return false;
    };
    std::vector<std::pair<std::uint64_t, ClientFailure>> over;
    std::vector<Link> unused;
    for (const Link& link : links_) {
        if (link->request == 0) {
            if (due(link->deadline)) unused.push_back(link);
        } else if (!link->is_connected && due(link->deadline)) {
            ++stats_.connect_timeouts;
            over.push_back({link->request,
                            {ClientError::unreachable,
                             "cannot connect in " + in_ms(options_.connect_timeout)}});
        }
    }
    for (const auto& [id, pending] : requests_) {
        if (due(pending.deadline)) {
            over.push_back({id, {ClientError::timeout, "no complete answer in time"}});
        }
    }
    for (const Link& link : unused) {
        ++stats_.idle_closes;
        --stats_.connections_idle;
        std::erase(idle_, link);
        drop(*link);
    }
    if (next != Time::max()) due_at(next);
    const auto self = shared_from_this();
    for (auto& [id, failure] : over) {
        if (closed_) return;
        const auto found = requests_.find(id);
        if (found == requests_.end()) continue;
        if (failure.error == ClientError::timeout) ++stats_.timeouts;
        if (found->second.link != nullptr) {
            drop(*found->second.link);
        } else if (std::erase(waiting_, id) > 0) {
            --stats_.requests_waiting;
        }
        finish(id, failure.error, failure.sentence);
    }
}

Client::Client(boost::asio::io_context& io, Endpoint endpoint, ClientOptions options)
    : impl_(std::make_shared<Impl>(io, std::move(endpoint), options)) {}

Client::~Client() { impl_->close(); }

RequestId Client::send(const ClientRequest& request, Done done) {
    return impl_->send(request, std::move(done));
}

void Client::cancel(RequestId id) { impl_->cancel(id); }

void Client::close_idle() { impl_->close_idle(); }

const Endpoint& Client::endpoint() const noexcept { return impl_->endpoint(); }

const ClientStats& Client::stats() const noexcept { return impl_->stats(); }

}  // namespace scanmq::http
