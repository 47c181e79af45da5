#pragma once
// Housekeeper: what takes too long for the loop and is not urgent: asking the system for memory and
//              disk figures, giving memory back, allocating the disk reserve.
//
// Role:      owned by the broker's loop; run() does one round on its own thread and hands what it
//            found back to the loop.
// Threads:   run(), stop() on the loop's; one thread of its own.
// Borrows:   Storage, the loop (outlive this).

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "broker/server/storage.hpp"

namespace boost::asio {
class io_context;
}

namespace scanmq::broker {

// Of /proc/self: resident memory without file pages (LMDB's map is such), and all of it.
struct ProcessMemory {
    std::uint64_t anonymous_bytes = 0;
    std::uint64_t resident_bytes = 0;
};
[[nodiscard]] ProcessMemory process_memory();

class Housekeeper {
  public:
    struct Found {
        ProcessMemory memory;
        bool trimmed = false;
        std::optional<StoreRoom::Figures> store;
    };
    Housekeeper(boost::asio::io_context& loop, Storage& storage,
                std::function<void(const Found&)> found);
    ~Housekeeper();

    // One round, unless one is under way. First does what the last judgement of the store asked for;
    // `trim`: lets the allocator give back what it can.
    void run(bool trim);
    // Waits for the round under way; what it finds is dropped.
    void stop();

  private:
    class Thread;

    boost::asio::io_context& loop_;
    Storage& storage_;
    std::function<void(const Found&)> found_;
    std::unique_ptr<Thread> thread_;
    bool busy_ = false;
    bool stopped_ = false;
};

}  // namespace scanmq::broker
