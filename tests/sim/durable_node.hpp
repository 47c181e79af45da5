#pragma once
// DurableNode: a program that follows streams under a durable name, and stores what it saw with it.
//
// Cursor:  the broker's. What was handled is acknowledged a little later, or for a while not at all: then
//          a lossless queue holds, and goes on when it is acknowledged.
// Checks:  of a lossless stream it is told no gap and misses no entry that its pattern matches, whatever
//          crashed; offsets rise; a cursor is never beyond what was seen. Every entry goes to the Oracle.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/client_node.hpp"

namespace scanmq::sim {

class DurableNode final : public ClientNode {
  public:
    DurableNode(World& world, Network& network, Oracle& oracle, const Options& options,
                std::string name, std::vector<std::string> queues, std::string pattern);

    void start() override;
    void crash_and_restart(Duration down);
    // Acknowledges nothing for so long.
    void stick(Duration how_long);
    // No fault happens any more.
    void heal();
    [[nodiscard]] bool caught_up() const;
    [[nodiscard]] std::string state() const;
    // In the end: it has seen all that it was owed.
    void check_complete() const;

  protected:
    void program() override;
    void on_change(std::uint64_t subscription) override;
    void on_entries(const client::EntriesArrived& arrived,
                    const protocol::Results& results) override;

  private:
    // Of one incarnation, on disk.
    struct Memory {
        std::uint64_t begin{};
        std::uint64_t next{};
        std::set<std::uint64_t> seen;  // offsets
    };
    struct Follow {
        std::uint64_t subscription{};  // 0: to be made
        Id128 incarnation;             // of this process
        std::uint64_t acknowledged{};
        std::uint64_t resets{};
        Time retry_at{};
    };
    void subscribe(const std::string& queue, Follow& follow);
    void begin(const std::string& queue, Follow& follow, const client::SubscriptionInfo& info);
    void take(const std::string& queue, const Follow& follow, Memory& memory,
              const protocol::Entry& entry);
    void acknowledge(Follow& follow);

    std::vector<std::string> queues_;
    std::string pattern_;
    std::map<Id128, Memory> memory_;
    std::map<std::string, Follow> follows_;
    Time stuck_until_{};
    Time ack_at_{};
};

}  // namespace scanmq::sim
