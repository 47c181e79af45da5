#pragma once
// RemoteTarget: one scan service: carries out over HTTP what its RemoteCalls decides.
//
// Role:      owned by HttpScanner, one per endpoint.
// Threads:   worker loop only.
// Calls:     a task and its outcome are borrowed from submit() to finished().
// Exchanges: POST /api/v1/scan; when the service does not know a snapshot, the snapshot is put and the
//            POST repeated, twice at most, all within the exchange's time.
// Version:   what the service says it is, on each answer. An answer of another version than expected is
//            not taken: its call goes back, uncharged, and so do the others of this target.
// Limits:    those of RemoteOptions and of its http::Client.
// See:       worker/core/remote_calls.hpp (the contract), docs/HTTP_API.md

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "worker/core/remote_calls.hpp"
#include "worker/remote/snapshot_puts.hpp"
#include "worker/scanners/scanner.hpp"

namespace scanmq::worker {

class RemoteTarget {
  public:
    struct Options {
        http::Endpoint endpoint;
        RemoteOptions remote;
        LimiterOptions limiter;
        http::ClientOptions client;
        Duration put_timeout = std::chrono::seconds(60);  // of one snapshot
        std::string version;                              // expected
    };
    struct Hooks {
        // The call is over, its outcome filled in.
        std::function<void(AttemptId)> finished;
        // gate(), or the version that is served, changed.
        std::function<void(RemoteTarget&)> changed;
        // An exchange is over: others that share a limiter may go on.
        std::function<void()> released;
    };

    // Precondition: make_limiter() takes options.limiter. `shared` may be null, and outlives this.
    RemoteTarget(boost::asio::io_context& loop, const Options& options, Limiter* shared,
                 Hooks hooks);

    void submit(const CallRequest& request, const Task& task, Outcome& outcome);
    void cancel(AttemptId attempt);
    void tick();
    // From now on answers of this version are taken.
    void expect(const std::string& version);

    [[nodiscard]] const std::string& url() const noexcept { return options_.remote.target; }
    // As RemoteCalls has it; shut while another version is served.
    [[nodiscard]] GateEvent gate() const noexcept;
    // The version it said last, when that is not the expected one; else empty.
    [[nodiscard]] const std::string& foreign_version() const noexcept { return foreign_; }
    [[nodiscard]] std::size_t held() const noexcept { return calls_.held(); }
    [[nodiscard]] const RemoteCalls& calls() const noexcept { return calls_; }
    [[nodiscard]] const http::ClientStats& http_stats() const noexcept { return client_.stats(); }
    [[nodiscard]] const SnapshotPuts& puts() const noexcept { return puts_; }

  private:
    struct Held {  // by the attempt's slot
        AttemptId attempt;
        const Task* task{};  // null: nobody's
        Outcome* outcome{};
        std::string call;     // the body of its POST
        std::string payback;  // not empty: why it is given back, whatever RemoteCalls says
    };
    struct Exchange {
        AttemptId attempt;
        http::RequestId request;  // 0: its snapshots are being put
        Time expires{};
        int puts = 0;  // times that it had to wait for snapshots
    };

    void carry_out();
    void begin(const SendCall& send);
    void post(ExchangeId id);
    void on_answer(ExchangeId id, http::ClientResult result);
    void on_put(ExchangeId id, const Answer& answer);
    void end(ExchangeId id, const Answer& answer);
    void put_unknown(ExchangeId id, Exchange& exchange, const http::ClientResponse& response);
    void abort(ExchangeId id);
    void finish(FinishCall& finish);
    void probe(std::uint64_t number);
    void see_version(std::string_view version);
    void give_all_back();
    void poll_version();
    void arm();

    const Options options_;
    Hooks hooks_;
    std::string expected_;
    std::string foreign_;
    std::string foreign_reason_;
    http::Client client_;
    RemoteCalls calls_;
    SnapshotPuts puts_;
    RemoteEffects effects_;
    bool released_ = false;  // an exchange ended: its places are free
    std::vector<Held> held_;
    std::unordered_map<ExchangeId, Exchange> exchanges_;
    http::RequestId probe_;
    boost::asio::steady_timer timer_;
    Time armed_ = Time::max();
    boost::asio::steady_timer version_timer_;  // while another version is served
};

}  // namespace scanmq::worker
