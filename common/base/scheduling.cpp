#include "common/base/scheduling.hpp"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace scanmq {
namespace {

constexpr std::uint64_t kPromptSliceNs = 100'000;
constexpr std::uint64_t kBackgroundSliceNs = 20'000'000;
constexpr int kNiceness = 10;

// The kernel's struct sched_attr, its first version; glibc has it from 2.41 on.
struct Attributes {
    std::uint32_t size;
    std::uint32_t policy;
    std::uint64_t flags;
    std::int32_t nice;
    std::uint32_t priority;
    std::uint64_t runtime_ns;  // the slice, by the ordinary policy
    std::uint64_t deadline_ns;
    std::uint64_t period_ns;
};
static_assert(sizeof(Attributes) == 48);

void ask_for(std::uint32_t policy, std::uint64_t slice_ns) {
    Attributes now{};
    if (::syscall(SYS_sched_getattr, 0, &now, sizeof(now), 0) != 0) return;  // 0: this thread
    if (now.policy != SCHED_OTHER) return;
    now.size = sizeof(now);
    now.policy = policy;
    now.runtime_ns = slice_ns;
    static_cast<void>(::syscall(SYS_sched_setattr, 0, &now, 0));
}

}  // namespace

void run_promptly() noexcept { ask_for(SCHED_OTHER, kPromptSliceNs); }

void run_in_background() noexcept {
    static_cast<void>(::setpriority(PRIO_PROCESS, 0, kNiceness));  // 0: this thread
    ask_for(SCHED_BATCH, kBackgroundSliceNs);
}

void give_way() noexcept { static_cast<void>(::sched_yield()); }

}  // namespace scanmq
