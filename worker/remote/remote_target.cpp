#include "worker/remote/remote_target.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "common/base/assert.hpp"
#include "scanner/api/worker_call.hpp"

namespace scanmq::worker {

namespace {

using std::chrono::milliseconds;

constexpr int kPutRoundsMax = 2;  // of one exchange
constexpr Duration kGrace =
    milliseconds(500);  // RemoteCalls ends an exchange before the client does
constexpr Duration kVersionPoll = milliseconds(500);

Time clock_now() { return std::chrono::steady_clock::now(); }

std::vector<ContentId> input_ids(const Task& task) {
    std::vector<ContentId> ids;
    ids.reserve(task.inputs.size());
    for (const auto& input : task.inputs) ids.push_back(input->id());
    return ids;
}

std::uint64_t size_of(const Task& task) {
    std::uint64_t bytes = task.payload.size();
    for (const auto& input : task.inputs) bytes += raw_bytes(*input).size();
    return bytes;
}

}  // namespace

RemoteTarget::RemoteTarget(boost::asio::io_context& loop, const Options& options, Limiter* shared,
                           Hooks hooks)
    : options_(options),
      hooks_(std::move(hooks)),
      expected_(options.version),
      client_(loop, options.endpoint, options.client),
      calls_(options.remote, make_limiter(options.limiter).value(), shared),
      puts_(client_, options.put_timeout,
            [this](ExchangeId id, const Answer& answer) { on_put(id, answer); }),
      timer_(loop),
      version_timer_(loop) {}

void RemoteTarget::submit(const CallRequest& request, const Task& task, Outcome& outcome) {
    const AttemptId attempt = request.attempt;
    if (!foreign_.empty()) {
        outcome.end(ScanStatus::returned, protocol::ErrorCode::scanner_unavailable,
                    foreign_reason_);
        return hooks_.finished(attempt);
    }
    if (held_.size() <= attempt.slot) held_.resize(attempt.slot + std::size_t{1});
    Held& held = held_[attempt.slot];
    held.attempt = attempt;
    held.task = &task;
    held.outcome = &outcome;
    held.payback.clear();
    held.call.clear();
    CallRequest call = request;
    call.bytes = size_of(task);
    calls_.submit(call, clock_now(), effects_);
    carry_out();
}

void RemoteTarget::cancel(AttemptId attempt) {
    calls_.cancel(attempt, clock_now(), effects_);
    carry_out();
}

void RemoteTarget::tick() {
    calls_.tick(clock_now(), effects_);
    carry_out();
}

void RemoteTarget::carry_out() {
    for (const ExchangeId id : effects_.aborts) abort(id);
    for (const SendCall& send : effects_.sends) begin(send);
    if (effects_.probe) probe(*effects_.probe);
    for (const Note& note : effects_.notes) {
        if (note.level == NoteLevel::info) {
            spdlog::info("{}", note.sentence);
        } else {
            spdlog::warn("{}", note.sentence);
        }
    }
    if (effects_.gate) hooks_.changed(*this);
    const bool released = std::exchange(released_, false) || !effects_.aborts.empty();
    for (FinishCall& finished : effects_.finishes) finish(finished);
    effects_.clear();
    arm();
    if (released && hooks_.released) hooks_.released();
}

void RemoteTarget::begin(const SendCall& send) {
    Held& held = held_[send.attempt.slot];
    SCANMQ_ASSERT(held.attempt == send.attempt);
    if (held.call.empty()) {
        held.call =
            api::encode_worker_call(held.task->payload, input_ids(*held.task), held.task->as_of_ns);
    }
    exchanges_.emplace(send.exchange, Exchange{send.attempt, {}, clock_now() + send.timeout});
    post(send.exchange);
}

void RemoteTarget::post(ExchangeId id) {
    Exchange& exchange = exchanges_.at(id);
    const Duration left = std::max<Duration>(exchange.expires - clock_now(), milliseconds(1));
    std::string headers;
    headers.reserve(128);
    http::add_header(headers, "Content-Type", http::kMsgpack);
    http::add_header(headers, "Accept", http::kMsgpack);
    http::add_header(headers, kDeadlineHeader,
                     std::to_string(std::chrono::ceil<milliseconds>(left).count()));
    http::ClientRequest request;
    request.method = "POST";
    request.target = "/api/v1/scan";
    request.headers = headers;
    request.body = held_[exchange.attempt.slot].call;
    request.timeout = left + kGrace;
    exchange.request = client_.send(
        request, [this, id](http::ClientResult result) { on_answer(id, std::move(result)); });
}

void RemoteTarget::on_answer(ExchangeId id, http::ClientResult result) {
    const auto found = exchanges_.find(id);
    if (found == exchanges_.end()) return;
    Exchange& exchange = found->second;
    exchange.request = {};
    if (result) see_version(result->header(kVersionHeader));
    if (!exchanges_.contains(id)) return;  // given back, for its version
    const Answer answer = read_scan_answer(result);
    if (answer.unknown_snapshot) return put_unknown(id, exchange, *result);
    if (answer.what == CallClass::ok) {
        Outcome& outcome = *held_[exchange.attempt.slot].outcome;
        outcome.storage = std::move(result->body);
        outcome.body = outcome.storage;
    }
    end(id, answer);
}

void RemoteTarget::put_unknown(ExchangeId id, Exchange& exchange,
                               const http::ClientResponse& response) {
    if (++exchange.puts > kPutRoundsMax) {
        Answer answer;
        answer.what = CallClass::retryable;
        answer.sentence =
            "it forgot the snapshots that it was just given: " + error_sentence(response) +
            "; give its cache more room";
        return end(id, answer);
    }
    const auto inputs = held_[exchange.attempt.slot].task->inputs;
    std::vector<std::shared_ptr<Input>> named;
    for (const auto& input : inputs) {
        if (response.body.find(input->id().hex()) != std::string::npos) named.push_back(input);
    }
    if (named.empty()) named.assign(inputs.begin(), inputs.end());
    if (named.empty()) {
        Answer answer;
        answer.what = CallClass::bad_response;
        answer.sentence = "it misses a snapshot of a job that has none";
        return end(id, answer);
    }
    puts_.want(id, named);
}

void RemoteTarget::on_put(ExchangeId id, const Answer& answer) {
    if (!exchanges_.contains(id)) return;
    if (answer.what == CallClass::ok) return post(id);
    Answer told = answer;
    told.sentence = "a snapshot cannot be put: " + answer.sentence;
    end(id, told);
}

void RemoteTarget::end(ExchangeId id, const Answer& answer) {
    exchanges_.erase(id);
    released_ = true;
    calls_.on_result(id, answer.result(), clock_now(), effects_);
    carry_out();
}

void RemoteTarget::abort(ExchangeId id) {
    auto exchange = exchanges_.extract(id);
    if (exchange.empty()) return;
    if (exchange.mapped().request.value != 0) {
        client_.cancel(exchange.mapped().request);
    } else {
        puts_.forget(id);
    }
}

void RemoteTarget::finish(FinishCall& finish) {
    Held& held = held_[finish.attempt.slot];
    SCANMQ_ASSERT(held.attempt == finish.attempt);
    Outcome& out = *held.outcome;
    using protocol::AttemptOutcome;
    if (finish.outcome == AttemptOutcome::done) {
        out.status = ScanStatus::done;
    } else {
        out.body = {};
        ScanStatus status = finish.outcome == AttemptOutcome::rejected   ? ScanStatus::rejected
                            : finish.outcome == AttemptOutcome::returned ? ScanStatus::returned
                                                                         : ScanStatus::failed;
        if (!held.payback.empty() && status == ScanStatus::failed) {
            status = ScanStatus::returned;
            finish.code = protocol::ErrorCode::scanner_unavailable;
            finish.sentence = held.payback;
        }
        out.end(status, finish.code, std::move(finish.sentence));
    }
    held.task = nullptr;
    if (held.call.capacity() > (64U << 10)) std::string().swap(held.call);
    hooks_.finished(finish.attempt);
}

void RemoteTarget::probe(std::uint64_t number) {
    client_.cancel(probe_);
    http::ClientRequest request;
    request.target = "/healthz";
    request.timeout = options_.remote.probe_timeout + kGrace;
    probe_ = client_.send(request, [this, number](const http::ClientResult& result) {
        if (result) see_version(result->header(kVersionHeader));
        const ProbeResult what = !result                 ? ProbeResult::unreachable
                                 : result->status == 200 ? ProbeResult::good
                                                         : ProbeResult::bad;
        calls_.on_probe(number, what, clock_now(), effects_);
        carry_out();
    });
}

GateEvent RemoteTarget::gate() const noexcept {
    if (foreign_.empty()) return calls_.gate();
    return {GateMode::shut, 0, protocol::ErrorCode::scanner_unavailable, foreign_reason_};
}

void RemoteTarget::see_version(std::string_view version) {
    // A service that does not say is taken to be what it was.
    if (version.empty() || version == (foreign_.empty() ? expected_ : foreign_)) return;
    if (version == expected_) {
        foreign_.clear();
        foreign_reason_.clear();
        version_timer_.cancel();
        spdlog::info("the scanner at {} is version {} again", url(), expected_);
        return hooks_.changed(*this);
    }
    foreign_ = http::printable(version);
    foreign_reason_ = "the scanner at " + url() + " is version " + foreign_ + " now, not " +
                      expected_ + ", which its results would be taken for";
    spdlog::warn("{}", foreign_reason_);
    hooks_.changed(*this);
    give_all_back();
    poll_version();
}

void RemoteTarget::give_all_back() {
    for (Held& held : held_) {
        if (held.task == nullptr) continue;
        held.payback = foreign_reason_;
        // One by one: what waits may be sent as places become free, and is to be aborted then.
        calls_.cancel(held.attempt, clock_now(), effects_);
        carry_out();
    }
}

// It may be its old self again, without a call to show it.
void RemoteTarget::poll_version() {
    version_timer_.expires_after(kVersionPoll);
    version_timer_.async_wait([this](const boost::system::error_code& error) {
        if (error || foreign_.empty()) return;
        http::ClientRequest request;
        request.target = "/healthz";
        request.timeout = options_.remote.probe_timeout;
        client_.send(request, [this](const http::ClientResult& result) {
            if (result) see_version(result->header(kVersionHeader));
            if (!foreign_.empty()) poll_version();
        });
    });
}

void RemoteTarget::expect(const std::string& version) {
    expected_ = version;
    if (foreign_ != version) return;
    foreign_.clear();
    foreign_reason_.clear();
    version_timer_.cancel();
}

// Only ever set earlier: a tick too early does nothing but look.
void RemoteTarget::arm() {
    const std::optional<Time> due = calls_.next_deadline();
    if (!due || *due >= armed_) return;
    armed_ = *due;
    timer_.expires_at(*due);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (error) return;
        armed_ = Time::max();
        tick();
    });
}

}  // namespace scanmq::worker
