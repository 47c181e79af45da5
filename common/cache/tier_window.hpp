#pragma once
// TierWindow: what was sent to a shared tier and is not answered, within two limits.
//
// Role:      owned by a tier that asks a server; pure.

#include <cstdint>

namespace scanmq::cache {

class TierWindow {
  public:
    TierWindow(std::uint32_t commands_max, std::uint64_t bytes_max) noexcept
        : commands_max_(commands_max), bytes_max_(bytes_max) {}
    // Whether one more command of so many bytes may be sent; counts it if so.
    [[nodiscard]] bool take(std::uint64_t bytes) noexcept {
        if (commands_ >= commands_max_ || bytes_ > bytes_max_ || bytes > bytes_max_ - bytes_)
            return false;
        ++commands_;
        bytes_ += bytes;
        return true;
    }
    void give_back(std::uint64_t bytes) noexcept {
        --commands_;
        bytes_ -= bytes;
    }
    [[nodiscard]] std::uint32_t commands() const noexcept { return commands_; }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

  private:
    std::uint32_t commands_max_;
    std::uint64_t bytes_max_;
    std::uint32_t commands_ = 0;
    std::uint64_t bytes_ = 0;
};

}  // namespace scanmq::cache
