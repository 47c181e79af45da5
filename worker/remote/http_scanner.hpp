#pragma once
// HttpScanner: scans made by scan services elsewhere, over HTTP (scanmq-scanner, or what speaks like it).
//
// Role:      an AsyncScanner over one or more targets; each call goes to the least loaded target that
//            takes calls. What happens to it there is RemoteTarget's, and RemoteCalls', business.
// Threads:   worker loop only.
// Owns:      targets, the limiter they share. Borrows tasks and outcomes between start() and finished().
// Version:   all targets are to be of the version told in HELLO. One that says otherwise gets no calls;
//            when none of the old version is left, the worker is asked to renew its session under the
//            new one.
// Available: open while a target takes calls, with the sum of their slots.
// See:       async_scanner.hpp, remote_target.hpp, docs/OPERATIONS.md

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "worker/remote/remote_target.hpp"
#include "worker/scanners/async_scanner.hpp"

namespace scanmq::worker {

class HttpScanner final : public AsyncScanner {
  public:
    struct Options {
        std::vector<http::Endpoint> endpoints;
        std::string version;           // told in HELLO
        RemoteTarget::Options target;  // endpoint, target's name, version and seed are filled in
        std::optional<LimiterOptions> shared;  // of all targets together
    };

    // Errors: a sentence (no endpoint, two that are the same, a limiter's values).
    [[nodiscard]] static Result<std::unique_ptr<HttpScanner>, std::string> create(Options options);

    // Before attach(), without a version: blocks until a target says which it is. False: SIGINT or
    // SIGTERM came first.
    [[nodiscard]] bool find_version();

    [[nodiscard]] std::string version() const override { return version_; }
    [[nodiscard]] bool reads_inputs() const override { return true; }
    [[nodiscard]] std::uint32_t slots() const override { return slots_; }
    void attach(const Host& host) override;
    void start(const Call& call) override;
    void cancel(CallId call) override;
    void renewed() override;
    [[nodiscard]] bool stop(Duration patience) override;

    // For tests and logs. Empty before attach() and after stop().
    [[nodiscard]] const std::vector<std::unique_ptr<RemoteTarget>>& targets() const noexcept {
        return targets_;
    }

  private:
    struct Slot {
        CallId call;
        std::uint32_t generation{};
        RemoteTarget* target{};  // null: free
    };

    explicit HttpScanner(Options options);
    [[nodiscard]] RemoteTarget& pick();
    [[nodiscard]] Availability availability() const;
    void on_finished(AttemptId attempt);
    void on_changed();
    void tick_all();

    Options options_;
    std::string version_;
    std::uint32_t slots_{};
    Host host_;
    std::unique_ptr<Limiter> shared_;
    std::vector<std::unique_ptr<RemoteTarget>> targets_;
    std::size_t next_ = 0;  // where pick() begins to look
    std::vector<Slot> calls_;
    std::vector<std::uint32_t> free_;
    std::unordered_map<std::uint64_t, std::uint32_t> by_call_;
    bool told_ = false;
    Availability told_last_;
    bool renewing_ = false;
    bool ticking_ = false;
    bool again_ = false;  // a place became free meanwhile
};

}  // namespace scanmq::worker
