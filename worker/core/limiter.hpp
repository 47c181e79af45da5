#pragma once
// Limiter: how much may be asked of a target, or by one worker: so many at once, or so often.
//
// Role:      one interface for rates (TokenBucket, SlidingWindow) and concurrency (FixedLimit, AimdLimit,
//            GradientLimit); LimiterChain joins several. RemoteCalls asks one for its target and, when
//            there is one, one that all targets of the worker share.
// Threads:   worker loop only. No clock: time is passed in and must not go back.
// Use:       try_acquire() before a call; when it was allowed, release() once when the call is over, with
//            the same cost. check() alone takes nothing.
// Limits:    a cost above what the limiter can ever allow counts as the most it allows, so that nothing
//            waits for ever.
// See:       make_limiter(), docs/CONFIG.md, LESSONS: starting values

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "worker/core/call_result.hpp"

namespace scanmq::worker {

struct Admission {
    bool allowed{};
    // Not allowed: when to ask again; nullopt: when a call is released.
    std::optional<Time> again{};

    static Admission yes() noexcept { return {true, {}}; }
    static Admission after_a_release() noexcept { return {false, {}}; }
    static Admission at(Time time) noexcept { return {false, time}; }
};

class Limiter {
  public:
    static constexpr std::uint32_t kUnlimited = std::numeric_limits<std::uint32_t>::max();

    virtual ~Limiter() = default;

    // Whether a call of this cost (1: an ordinary one) may be made now.
    [[nodiscard]] virtual Admission check(Time now, double cost) const = 0;
    // Makes it count. Precondition: check() of the same values allowed it.
    virtual void take(Time now, double cost) = 0;
    // A call that was taken is over: how, after how long, for a request of how many bytes.
    virtual void release(Time now, CallClass what, Duration latency, std::uint64_t bytes) = 0;
    // Most calls at once, as it is now.
    [[nodiscard]] virtual std::uint32_t slots() const noexcept { return kUnlimited; }

    Admission try_acquire(Time now, double cost) {
        const Admission answer = check(now, cost);
        if (answer.allowed) take(now, cost);
        return answer;
    }
};

// All of them have to allow a call.
class LimiterChain final : public Limiter {
  public:
    explicit LimiterChain(std::vector<std::unique_ptr<Limiter>> parts) : parts_(std::move(parts)) {}

    [[nodiscard]] Admission check(Time now, double cost) const override;
    void take(Time now, double cost) override;
    void release(Time now, CallClass what, Duration latency, std::uint64_t bytes) override;
    [[nodiscard]] std::uint32_t slots() const noexcept override;

  private:
    std::vector<std::unique_ptr<Limiter>> parts_;
};

enum class RateKind : std::uint8_t { off, token_bucket, sliding_window };
enum class ConcurrencyKind : std::uint8_t { fixed, aimd, gradient };

struct LimiterOptions {
    RateKind rate = RateKind::off;
    double rate_per_s = 10.0;                        // of either kind
    double burst = 20.0;                             // token bucket: what may come at once
    Duration rate_window = std::chrono::seconds(1);  // sliding window
    ConcurrencyKind concurrency = ConcurrencyKind::fixed;
    std::uint32_t slots_start = 0;  // adaptive: 0 means 10 for aimd, 20 for gradient
    std::uint32_t slots_min = 1;
    std::uint32_t slots_max = 200;  // fixed: this is the limit (the bulkhead)
};

// Starting values towards a remote scanner: token bucket 10/s is for those who have to keep a promise to
// the target's owner, so that the rate is off here; concurrency adapts by gradient.
[[nodiscard]] LimiterOptions remote_limiter_options() noexcept;

// One limiter that keeps all of the options. The sentence of an error names the value and its range.
[[nodiscard]] Result<std::unique_ptr<Limiter>, std::string> make_limiter(
    const LimiterOptions& options);

// "off", "token-bucket", "sliding-window"; "fixed", "aimd", "gradient". nullopt: none of them.
[[nodiscard]] std::optional<RateKind> rate_kind(std::string_view name) noexcept;
[[nodiscard]] std::optional<ConcurrencyKind> concurrency_kind(std::string_view name) noexcept;

}  // namespace scanmq::worker
