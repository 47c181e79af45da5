#include "client/cpp/client_impl.hpp"

#include <algorithm>
#include <utility>

#include "common/base/assert.hpp"

namespace scanmq::client {

using protocol::ErrorCode;

namespace {

constexpr std::size_t kFramesPerStep = 64;
constexpr Duration kLongest = std::chrono::hours(24 * 365);

CoreOptions core_options(const ClientOptions& options) {
    const std::uint64_t seed = Rng::random_seed();
    Rng rng(seed);
    CoreOptions out;
    out.session.brokers = options.brokers;
    out.session.name = options.name;
    out.session.agent = options.agent;
    out.session.instance = random_id(rng);
    out.session.connect_timeout = options.connect_timeout;
    if (out.session.name.empty()) {
        out.session.name = "client-" + out.session.instance.hex().substr(0, 8);
    }
    out.roles = options.roles;
    out.seed = rng.next();
    out.requests_max = options.requests_max;
    out.blob_chunks_ahead = options.blob_chunks_ahead;
    out.blob_accepts = protocol::kTakesZstd;
    return out;
}

}  // namespace

Client::Impl::Impl(const ClientOptions& options)
    : options_(options), wire_(context_), core_(core_options(options)) {}

Client::Impl::~Impl() { close(); }

std::optional<std::string> Client::Impl::start() {
    core_.start(now(), effects_);
    perform();
    if (wire_problem_) return wire_problem_;
    if (threaded()) {
        Lock held(mutex_);  // so that the thread knows its own id before it runs
        thread_ = std::thread([this] { run(); });
    }
    return std::nullopt;
}

void Client::Impl::close() {
    Lock held(mutex_);
    if (!closed_) {
        for (const auto& [id, to] : readers_) settle(id, *to);
        closed_ = true;
        core_.close(effects_);
        commit();
        collect(nullptr);
        stop_ = true;
        wakeup_.notify();
        changed_.notify_all();
    }
    if (!thread_.joinable() || on_driver()) return;
    held.unlock();
    thread_.join();
}

void Client::Impl::run() {
    Lock held(mutex_);
    while (!stop_) {
        step(held, kLongest);
        if (interrupted_) changed_.notify_all();
    }
    perform();
}

bool Client::Impl::step(Lock& lock, Duration timeout) {
    const bool freed = wire_.flush();
    Now at = now();
    Time due = core_.next_deadline();
    if (dirty_ || freed || at.time >= due) {
        dirty_ = false;
        core_.set_writable(Socket::main, wire_.writable(Socket::main));
        core_.set_writable(Socket::blob, wire_.writable(Socket::blob));
        core_.tick(at, effects_);
        perform();
        collect(nullptr);
        due = core_.next_deadline();
    } else {
        perform();
    }
    if (!calls_.empty() && !dispatching_) timeout = Duration::zero();
    timeout = std::min(timeout, std::max(due - at.time, Duration::zero()));
    sleeping_ = timeout > Duration::zero();
    sleeps_until_ = at.time + timeout;
    lock.unlock();
    inbox_.clear();
    wire_.receive(inbox_, kFramesPerStep);
    if (inbox_.empty() && timeout > Duration::zero()) {
        wire_.wait(timeout, wakeup_.fd());
        wakeup_.clear();
        wire_.receive(inbox_, kFramesPerStep);
    }
    lock.lock();
    sleeping_ = false;
    const bool any = !inbox_.empty();
    if (any && !closed_) {
        frames_seen_ += inbox_.events.size();
        core_.handle(inbox_.events, now(), effects_);
        perform();
        collect(&inbox_);
        inbox_.clear();
    }
    wire_stats_ = wire_.stats();
    if (threaded() && any) changed_.notify_all();
    if (!dispatching_) dispatch(lock);
    return any;
}

void Client::Impl::keep_stamps() {
    if (effects_.stamps.empty()) return;
    for (const auto& [producer, journal] : journals_) {
        std::vector<JobStamped> stamps;
        for (const JobStamped& stamp : effects_.stamps) {
            if (stamp.producer == producer) stamps.push_back(stamp);
        }
        journal->stamp(stamps);
    }
    effects_.stamps.clear();
}

void Client::Impl::perform() {
    keep_stamps();
    auto problem = wire_.perform(effects_.actions);
    if (problem) wire_problem_ = std::move(problem);
    core_.set_writable(Socket::main, wire_.writable(Socket::main));
    core_.set_writable(Socket::blob, wire_.writable(Socket::blob));
}

void Client::Impl::commit() {
    keep_stamps();
    if (on_driver()) {
        perform();
    } else if (!effects_.actions.empty()) {
        wire_.post(effects_.actions);
        wake();
    }
}

void Client::Impl::wake() {
    dirty_ = true;
    if (!sleeping_ || !threaded()) return;
    sleeping_ = false;
    wakeup_.notify();
}

void Client::Impl::wake_for_deadline() {
    if (threaded() && sleeping_ && core_.next_deadline() < sleeps_until_) wake();
}

void Client::Impl::drive(Lock& lock) {
    if (on_driver() && !closed_) step(lock, Duration::zero());
}

std::size_t Client::Impl::poll(Duration timeout) {
    Lock held(mutex_);
    const std::uint64_t before = frames_seen_;
    wait(held, now().time + std::clamp(timeout, Duration::zero(), kLongest),
         [&] { return frames_seen_ != before; });
    return frames_seen_ - before;
}

void Client::Impl::interrupt() noexcept {
    interrupted_ = true;
    wakeup_.notify();
}

Client::Impl::Waited Client::Impl::wait(Lock& lock, Time deadline,
                                        const std::function<bool()>& done) {
    for (bool looked = false;; looked = true) {
        if (done()) return Waited::done;
        if (closed_) return Waited::closed;
        if (interrupted_.exchange(false)) return Waited::interrupted;
        const Duration left = deadline - clock_.now();
        if (looked && left <= Duration::zero()) return Waited::timed_out;
        if (on_driver()) {
            step(lock, std::max(left, Duration::zero()));
        } else {
            changed_.wait_until(lock, deadline);
        }
    }
}

Time Client::Impl::deadline(Duration timeout) const {
    if (timeout < Duration::zero()) timeout = options_.request_timeout;
    return clock_.now() + std::min(timeout, kLongest);
}

Error Client::Impl::why(Waited waited, std::string_view what) const {
    switch (waited) {
        case Waited::interrupted:
            return {ErrorKind::interrupted, ErrorCode::none,
                    std::string(what) + " was interrupted"};
        case Waited::closed:
            return {ErrorKind::closed, ErrorCode::none, "the client was closed"};
        case Waited::done:
        case Waited::timed_out:
            break;
    }
    std::string sentence = std::string(what) + " took longer than its deadline";
    const SessionInfo& session = core_.session();
    if (!session.open) {
        sentence += "; no session with a broker (last tried: " + session.broker + ")";
        if (!session.last_sentence.empty()) sentence += ": " + session.last_sentence;
        if (wire_problem_) sentence += "; " + *wire_problem_;
    }
    return {ErrorKind::timed_out, session.open ? ErrorCode::none : session.last_code,
            std::move(sentence)};
}

ClientStats Client::Impl::stats() const {
    const CoreStats core = core_.stats();
    return {wire_stats_.frames_sent, wire_stats_.frames_received,
            wire_stats_.bytes_sent,  wire_stats_.bytes_received,
            core.sessions_opened,    core.frames_bad,
            core.frames_stale,       core.resubmitted,
            core.protocol_errors,    core.holds};
}

}  // namespace scanmq::client
