#include "common/base/background.hpp"

#include <sched.h>
#include <sys/resource.h>

namespace scanmq {
namespace {

constexpr int kNiceness = 10;

}  // namespace

void run_in_background() noexcept {
    static_cast<void>(::setpriority(PRIO_PROCESS, 0, kNiceness));  // 0: this thread
}

void give_way() noexcept { static_cast<void>(::sched_yield()); }

}  // namespace scanmq
