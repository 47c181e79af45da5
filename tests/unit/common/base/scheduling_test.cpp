// What a thread asked of the scheduler is so, for itself and for those it begins, and for no other.

#include "common/base/scheduling.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <thread>

namespace scanmq {
namespace {

// Of the calling thread, in ns; 0 where the system does not know slices of a thread (before Linux 6.12).
std::uint64_t slice() {
    std::array<std::uint64_t, 6>
        attributes{};  // the kernel's struct sched_attr, the fourth is sched_runtime
    EXPECT_EQ(::syscall(SYS_sched_getattr, 0, attributes.data(), sizeof(attributes), 0), 0);
    return attributes[3];
}

int niceness() { return ::getpriority(PRIO_PROCESS, 0); }

// In a thread of its own, for niceness cannot be taken back.
template <typename F>
void in_thread(F test) {
    std::thread(test).join();
}

TEST(Scheduling, PromptThreadsHaveShortSlicesAndTheirShare) {
    in_thread([] {
        const std::uint64_t before = slice();
        const int nice_before = niceness();
        run_promptly();
        if (before == 0) GTEST_SKIP() << "this system has no slices of threads";
        EXPECT_LT(slice(), before);
        EXPECT_EQ(niceness(), nice_before);
        in_thread([mine = slice()] { EXPECT_EQ(slice(), mine); });
    });
}

TEST(Scheduling, BackgroundThreadsHaveLongSlicesAndASmallShare) {
    in_thread([] {
        run_promptly();
        const std::uint64_t prompt = slice();
        run_in_background();
        EXPECT_GE(niceness(), 10);
        EXPECT_EQ(::sched_getscheduler(0), SCHED_BATCH);
        if (prompt != 0) {
            EXPECT_GT(slice(), 10 * prompt);
        }
    });
}

TEST(Scheduling, OthersStayAsTheyWere) {
    const std::uint64_t before = slice();
    const int nice_before = niceness();
    in_thread([] { run_in_background(); });
    EXPECT_EQ(slice(), before);
    EXPECT_EQ(niceness(), nice_before);
}

TEST(Scheduling, APolicyOfTheOperatorStays) {
    in_thread([] {
        const sched_param none{};
        ASSERT_EQ(::sched_setscheduler(0, SCHED_BATCH, &none), 0);
        const std::uint64_t before = slice();
        run_promptly();
        EXPECT_EQ(::sched_getscheduler(0), SCHED_BATCH);
        EXPECT_EQ(slice(), before);
    });
}

}  // namespace
}  // namespace scanmq
