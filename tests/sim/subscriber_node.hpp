#pragma once
// SubscriberNode: a program that follows the streams of some queues from their beginnings.
//
// Cursor:  stored after some batches, with what it had seen; after a crash it goes on from there and
//          sees some entries again, which must be the same.
// Checks:  offsets rise by one; what is missing was told as a gap, and only where a stream keeps less
//          than all. Every entry goes to the Oracle.

#include <map>
#include <string>
#include <vector>

#include "tests/sim/client_node.hpp"

namespace scanmq::sim {

class SubscriberNode final : public ClientNode {
  public:
    SubscriberNode(World& world, Network& network, Oracle& oracle, const Options& options,
                   std::string name, std::vector<std::string> queues, std::string pattern);

    void start() override;
    void crash_and_restart(Duration down);
    // It has seen all that its streams have.
    [[nodiscard]] bool caught_up() const;
    [[nodiscard]] std::string state() const;

  protected:
    void program() override;
    void on_change(std::uint64_t subscription) override;
    void on_entries(const client::EntriesArrived& arrived,
                    const protocol::Results& results) override;

  private:
    struct Cursor {
        Id128 incarnation;
        std::uint64_t next{};
    };
    struct Follow {
        std::uint64_t subscription{};  // 0: to be made
        Cursor at;                     // of this process
        std::uint64_t resets{};
        Time retry_at{};
    };
    void subscribe(const std::string& queue, Follow& follow);

    std::vector<std::string> queues_;
    std::string pattern_;
    std::map<std::string, Cursor> stored_;  // on disk
    std::map<std::string, Follow> follows_;
};

}  // namespace scanmq::sim
