#pragma once
// Redis commands as bytes (RESP 2), and how much of them may be under way.
//
// Role:      RedisTier's; pure.
// Keys:      prefix and the key in hexadecimal, so that an operator can type them.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/base/bytes.hpp"
#include "common/base/id.hpp"
#include "common/base/time.hpp"

namespace scanmq::cache {

// Each appends one command. Preconditions: keys is not empty.
void append_mget(std::string& out, std::string_view prefix, std::span<const ContentId> keys);
void append_unlink(std::string& out, std::string_view prefix, std::span<const ContentId> keys);
// ttl is rounded up to whole milliseconds, at least one.
void append_set(std::string& out, std::string_view prefix, const ContentId& key, ByteView value,
                Duration ttl);
// user may be empty.
void append_auth(std::string& out, std::string_view user, std::string_view password);
void append_select(std::string& out, std::uint32_t database);
void append_ping(std::string& out);

// What was sent and is not answered, within two limits.
class RedisWindow {
  public:
    RedisWindow(std::uint32_t commands_max, std::uint64_t bytes_max) noexcept
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
