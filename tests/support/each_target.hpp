#pragma once
// A test fixture that runs on every instruction set that is compiled in and that this machine has.

#include <gtest/gtest.h>
#include <hwy/highway.h>
#include <hwy/targets.h>

#include <cstdint>
#include <string>
#include <vector>

namespace scanmq::tests {

inline std::vector<std::int64_t> supported_targets() {
    std::vector<std::int64_t> out;
    for (std::int64_t rest = hwy::SupportedTargets() & HWY_TARGETS; rest != 0; rest &= rest - 1) {
        out.push_back(rest & -rest);
    }
    return out;
}

inline std::string target_name(const ::testing::TestParamInfo<std::int64_t>& tested) {
    return hwy::TargetName(tested.param);
}

// From now on kernels run on `target`; 0: on the best one.
inline void use_target(std::int64_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

class EachTarget : public ::testing::TestWithParam<std::int64_t> {
  protected:
    void SetUp() override { use_target(GetParam()); }
    void TearDown() override { use_target(0); }
};

}  // namespace scanmq::tests
